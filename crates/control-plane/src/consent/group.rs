//! Group commit: choices that arrive while others are being written are written together, so that
//! many people wait for one write to disk instead of each for their own.

use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::Fault;
use tokio::sync::oneshot;

use super::record::Kept;
use super::{Choice, Receipt};
use crate::{ControlPlane, Error};

/// Requests that one transaction takes, at most.
const REQUESTS_MAX: usize = 1_000;

/// What waits for the writer of choices.
#[derive(Default)]
pub(crate) struct Group {
    queue: Mutex<Queue>,
    /// What a transaction of choices left for the next one.
    kept: Mutex<Option<Kept>>,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<Waiting>,
    /// Whether somebody writes, who will see whatever waits.
    written: bool,
}

struct Waiting {
    choices: Vec<Choice>,
    answer: oneshot::Sender<Result<Vec<Receipt>, Error>>,
}

impl Group {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a request wait; the writer's place when nobody has it.
    fn push(&self, request: Waiting) -> bool {
        let mut queue = self.queue();
        queue.waiting.push(request);
        !std::mem::replace(&mut queue.written, true)
    }

    pub(super) fn kept(&self) -> MutexGuard<'_, Option<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ControlPlane {
    /// Records choices, all or none.
    ///
    /// # Guarantee
    /// When it returns, the choices are durable, and every release that starts afterwards honours them:
    /// the ledger, the state and the permitted bitmaps change in one transaction, and a release reads
    /// the bitmaps in the transaction that pays for it. A withdrawal is never refused for its content.
    /// Requests that come at the same time may share a transaction; a request that is refused changes
    /// nothing for the others. Whoever stops waiting does not stop the writing.
    ///
    /// # Errors
    /// Not found for an unknown person or notice; a refusal for a yes that the notice did not ask for.
    pub async fn consent_record(&self, choices: &[Choice]) -> Result<Vec<Receipt>, Error> {
        let (answer, answered) = oneshot::channel();
        if self.inner.group.push(Waiting { choices: choices.to_vec(), answer }) {
            // A task of its own: it outlives whoever asked for it.
            tokio::spawn(Writer::new(self).write());
        }
        // Unknown counts as not recorded: the person is not told that it was.
        answered.await.map_err(|_| Fault::broken("the writer of choices stopped"))?
    }

    /// What became of each request of a group.
    fn write_group(&self, group: &[Waiting]) -> Vec<Result<Vec<Receipt>, Error>> {
        let requests: Vec<&[Choice]> = group.iter().map(|waiting| waiting.choices.as_slice()).collect();
        match self.write_choices(&requests) {
            Ok(written) => written,
            Err(error) if group.len() == 1 => vec![Err(error)],
            // Each on its own learns what is wrong. Should the commit have gone through although it was
            // said to fail, choices are in the ledger twice, which changes no state.
            Err(_) => requests.iter().map(|request| self.write_choices(&[request]).and_then(|mut one| one.pop().unwrap_or(Ok(Vec::new())))).collect(),
        }
    }
}

/// The writer of choices: there is one at a time.
struct Writer {
    plane: ControlPlane,
    /// Whether it has given its place away.
    gone: bool,
}

impl Writer {
    fn new(plane: &ControlPlane) -> Self {
        Self { plane: plane.clone(), gone: false }
    }

    /// Writes what waits, until nothing does.
    async fn write(mut self) {
        while let Some(group) = self.next().await {
            let plane = self.plane.clone();
            // On a thread that may wait for the disk. The runtime stops, or the writing broke: nobody is answered.
            let written = tokio::task::spawn_blocking(move || (plane.write_group(&group), group)).await;
            let Ok((written, group)) = written else { return };
            for (Waiting { answer, .. }, written) in group.into_iter().zip(written) {
                // Whoever stopped waiting finds the choice in the ledger.
                let _ = answer.send(written);
            }
        }
    }

    /// What waits. When nothing does, the place is given away at that very moment.
    async fn next(&mut self) -> Option<Vec<Waiting>> {
        self.gather().await;
        let mut queue = self.plane.inner.group.queue();
        if queue.waiting.is_empty() {
            (queue.written, self.gone) = (false, true);
            return None;
        }
        let some = queue.waiting.len().min(REQUESTS_MAX);
        Some(queue.waiting.drain(..some).collect())
    }

    /// Lets in whoever is about to come. Those whom the last group answered come again at once: the next
    /// group would be the first few of them, and the one after it the others, for ever.
    async fn gather(&self) {
        let waiting = || self.plane.inner.group.queue().waiting.len();
        let mut before = 0;
        loop {
            tokio::task::yield_now().await;
            let now = waiting();
            if now <= before || now >= REQUESTS_MAX {
                return;
            }
            before = now;
        }
    }
}

/// A writer that ends before its time, as when the runtime stops, leaves its place to the next, and
/// nobody waiting for it.
impl Drop for Writer {
    fn drop(&mut self) {
        if !self.gone {
            *self.plane.inner.group.queue() = Queue::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plane::tests::deployment;

    #[tokio::test]
    async fn a_writer_that_ends_before_its_time_leaves_nobody_waiting_and_its_place_to_the_next() {
        let (_folder, plane) = deployment().await;
        let (answer, answered) = oneshot::channel();
        assert!(plane.inner.group.push(Waiting { choices: Vec::new(), answer }), "nobody writes");
        let (answer, _) = oneshot::channel();
        assert!(!plane.inner.group.push(Waiting { choices: Vec::new(), answer }), "somebody will write it");
        drop(Writer::new(&plane));
        assert!(answered.await.is_err());
        assert!(plane.consent_record(&[]).await.unwrap().is_empty(), "the next one writes");
    }
}
