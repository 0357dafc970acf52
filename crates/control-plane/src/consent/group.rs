//! Group commit: choices that arrive while others are being written are written together, so that
//! many people wait for one write to disk instead of each for their own.

use std::sync::{Mutex, PoisonError};

use domain::Fault;
use tokio::sync::oneshot;

use super::{Choice, Receipt};
use crate::{ControlPlane, Error};

/// Requests that one transaction takes, at most.
const REQUESTS_MAX: usize = 1_000;

/// What waits for the writer of choices.
#[derive(Default)]
pub(crate) struct Group {
    waiting: Mutex<Vec<Waiting>>,
    /// Held by whoever writes.
    writer: tokio::sync::Mutex<()>,
}

struct Waiting {
    choices: Vec<Choice>,
    answer: oneshot::Sender<Result<Vec<Receipt>, Error>>,
}

impl Group {
    fn push(&self, request: Waiting) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    }

    fn take(&self) -> Vec<Waiting> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let some = waiting.len().min(REQUESTS_MAX);
        waiting.drain(..some).collect()
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
        self.inner.group.push(Waiting { choices: choices.to_vec(), answer });
        let plane = self.clone();
        // A task of its own: it outlives whoever asked for it.
        tokio::spawn(async move { plane.write_group().await });
        // Unknown counts as not recorded: the person is not told that it was.
        answered.await.map_err(|_| Fault::broken("the writer of choices stopped"))?
    }

    /// Writes what waits, if nobody else has written it meanwhile.
    async fn write_group(&self) {
        let _writing = self.inner.group.writer.lock().await;
        let group = self.inner.group.take();
        if group.is_empty() {
            return;
        }
        let requests: Vec<&[Choice]> = group.iter().map(|w| w.choices.as_slice()).collect();
        let written = match self.write_choices(&requests).await {
            Ok(written) => written,
            Err(error) if group.len() == 1 => vec![Err(error)],
            // Each on its own learns what is wrong. Should the commit have gone through although it was
            // said to fail, choices are in the ledger twice, which changes no state.
            Err(_) => {
                let mut each = Vec::with_capacity(group.len());
                for request in requests {
                    each.push(self.write_choices(&[request]).await.and_then(|mut one| one.pop().unwrap_or(Ok(Vec::new()))));
                }
                each
            }
        };
        for (Waiting { answer, .. }, written) in group.into_iter().zip(written) {
            // Whoever stopped waiting finds the choice in the ledger.
            let _ = answer.send(written);
        }
    }
}
