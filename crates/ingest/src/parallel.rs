//! Work on several threads whose results come in the order of their input.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel, sync_channel};

/// What each thread may have under way or waiting.
const WAITING: usize = 2;

/// Gives each `next` to `work` on one of `threads` threads, and each result to `done` on this one, in the
/// order of `next`. Stops when there is no next, or when `done` or an error says so.
///
/// The thread that works on an item also asks for it: what it read is still in its cache.
///
/// # Errors
/// Those of `next`, after everything before was done.
pub(crate) fn ordered<T, R: Send, E: Send>(
    threads: usize,
    mut next: impl FnMut() -> Result<Option<T>, E> + Send,
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
    let (leave, leaves) = sync_channel(threads * WAITING);
    let items = Mutex::new(Items { next, leaves, number: 0, ended: false });
    std::thread::scope(|scope| {
        // Ends with this closure, and the threads with it.
        let leave = leave;
        let (send, results) = channel();
        for _ in 0..threads {
            let (send, items, work) = (send.clone(), &items, &work);
            scope.spawn(move || {
                while let Some((number, item)) = items.lock().ok().and_then(|mut items| items.take()) {
                    if send.send((number, item.map(work))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(send);
        (0..threads * WAITING).for_each(|_| leave.send(()).unwrap_or_default());
        let (mut early, mut turn) = (BTreeMap::new(), 0);
        for (number, result) in results {
            early.insert(number, result);
            while let Some(result) = early.remove(&turn) {
                turn += 1;
                if done(result?).is_break() {
                    return Ok(());
                }
                leave.send(()).unwrap_or_default();
            }
        }
        Ok(())
    })
}

/// What is to be worked on.
struct Items<N> {
    next: N,
    /// Leave to take an item: without it, results would wait without end for one that is late.
    leaves: Receiver<()>,
    number: usize,
    ended: bool,
}

impl<T, E, N: FnMut() -> Result<Option<T>, E>> Items<N> {
    /// The next item and its number.
    fn take(&mut self) -> Option<(usize, Result<T, E>)> {
        if self.ended {
            return None;
        }
        self.leaves.recv().ok()?;
        let item = (self.next)().transpose();
        self.ended = !matches!(item, Some(Ok(_)));
        let number = self.number;
        self.number += 1;
        Some((number, item?))
    }
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
