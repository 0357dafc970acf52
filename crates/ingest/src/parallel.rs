//! Work on several threads whose results come in the order of their input.

use std::ops::ControlFlow;
use std::sync::mpsc::sync_channel;

/// What each thread may have waiting.
const WAITING: usize = 2;

/// Gives each `next` to `work` on one of `threads` threads, and each result to `done` on this one, in the
/// order of `next`. Stops when there is no next, or when `done` or an error says so.
///
/// # Errors
/// Those of `next`, after everything before was done.
pub(crate) fn ordered<T: Send, R: Send, E>(
    threads: usize,
    mut next: impl FnMut() -> Result<Option<T>, E>,
    work: impl Fn(T) -> R + Sync,
    mut done: impl FnMut(R) -> ControlFlow<()>,
) -> Result<(), E> {
    if threads <= 1 {
        while let Some(item) = next()? {
            if done(work(item)).is_break() {
                break;
            }
        }
        return Ok(());
    }
    std::thread::scope(|scope| {
        let work = &work;
        // A line for each thread: items are dealt out in turn, and results taken in turn.
        let mut lines = Vec::with_capacity(threads);
        for _ in 0..threads {
            let (give, items) = sync_channel(WAITING);
            let (send, results) = sync_channel(WAITING);
            scope.spawn(move || {
                for item in items {
                    if send.send(work(item)).is_err() {
                        break;
                    }
                }
            });
            lines.push((give, results));
        }
        let mut under_way = 0;
        let mut outcome = Ok(true);
        let mut results = lines.iter().cycle();
        let mut gives = lines.iter().cycle();
        loop {
            if matches!(outcome, Ok(true)) && under_way < threads * WAITING {
                outcome = match next() {
                    Ok(Some(item)) => {
                        // A thread that is gone has panicked, and the scope says so at its end.
                        let given = gives.next().is_some_and(|(give, _)| give.send(item).is_ok());
                        under_way += usize::from(given);
                        Ok(given)
                    }
                    Ok(None) => Ok(false),
                    Err(error) => Err(error),
                };
                continue;
            }
            if under_way == 0 {
                return outcome.map(|_| ());
            }
            let Some(Ok(result)) = results.next().map(|(_, results)| results.recv()) else { return outcome.map(|_| ()) };
            under_way -= 1;
            if done(result).is_break() {
                return Ok(());
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn squares(threads: usize, end: u32, error_at: Option<u32>, stop_at: Option<u32>) -> (Vec<u32>, Result<(), u32>) {
        let mut numbers = 0..end;
        let mut all = Vec::new();
        let next = || match numbers.next() {
            Some(n) if Some(n) == error_at => Err(n),
            next => Ok(next),
        };
        let work = |n: u32| {
            // Later items are ready earlier.
            std::hint::black_box((0..n % 3 * 20_000).fold(0_u32, |x, y| x.rotate_left(3) ^ std::hint::black_box(y)));
            n * n
        };
        let outcome = ordered(threads, next, work, |square| {
            all.push(square);
            if Some(square) == stop_at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        (all, outcome)
    }

    #[test]
    fn results_come_in_order_whatever_the_threads() {
        for threads in [0, 1, 2, 3, 8] {
            for end in [0, 1, 5, 100] {
                let expected: Vec<u32> = (0..end).map(|n| n * n).collect();
                assert_eq!(squares(threads, end, None, None), (expected, Ok(())), "{threads} threads");
            }
            let before: Vec<u32> = (0..50).map(|n| n * n).collect();
            assert_eq!(squares(threads, 100, Some(50), None), (before.clone(), Err(50)), "what came before an error is done");
            assert_eq!(squares(threads, 100, None, Some(49 * 49)), (before, Ok(())), "nothing comes after the stop");
        }
    }
}
