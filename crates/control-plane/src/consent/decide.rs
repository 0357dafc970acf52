//! May this partner use this person's data for this purpose, now?

use domain::Timestamp;
use domain::consent::{AgreementStanding, ConsentKey, Decision, Facts, decide};

use super::record::state;
use crate::subject::{facts, resolve};
use crate::{ControlPlane, Error};

/// A decision and what it is based on.
#[derive(Debug, Clone)]
pub struct Decided {
    /// Yes or no, and why.
    pub decision: Decision,
    /// When it was decided.
    pub as_of: Timestamp,
    /// The newest choice that it knows of.
    pub seq: u64,
}

impl ControlPlane {
    /// Decides for one person, with every rule that spoke.
    ///
    /// # Errors
    /// Not found for an unknown person or partner.
    pub async fn decide(&self, key: &ConsentKey) -> Result<Decided, Error> {
        let as_of = self.now();
        let mut tx = self.inner.store.snapshot().await?;
        let key = &ConsentKey { subject: resolve(&mut tx, key.subject).await?, ..key.clone() };
        let (status, age) = facts(&mut tx, key.subject).await?;
        let consent = state(&mut tx, key).await?;
        let standing = match crate::agreement::covering(&mut tx, &key.partner, key.purpose, None, as_of.date_naive()).await {
            Ok(_) => AgreementStanding::Covers,
            Err(Error::Refused(refusal)) => AgreementStanding::Lacks(refusal.message),
            Err(other) => return Err(other),
        };
        let seq = Self::consent_seq(&mut tx).await?;
        Ok(Decided { decision: decide(Facts { status, age, consent }, key.purpose, &standing), as_of, seq })
    }
}
