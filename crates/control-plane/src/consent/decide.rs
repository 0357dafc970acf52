//! May this partner use this person's data for this purpose, now?

use domain::consent::{AgreementStanding, DataScope, Decision, Reason, decide};
use domain::law::Use;
use domain::{PartnerName, Purpose, SubjectId, Timestamp};

use super::standing::{Rules, Whom, standings};
use crate::subject::{person, resolve};
use crate::{ControlPlane, Error};

/// What is asked about.
#[derive(Debug, Clone)]
pub struct Case {
    /// Whose data.
    pub subject: SubjectId,
    /// Who wants to use them.
    pub partner: PartnerName,
    /// What for.
    pub purpose: Purpose,
    /// Which of them.
    pub scope: DataScope,
}

impl Case {
    /// About all of a person's data.
    #[must_use]
    pub const fn new(subject: SubjectId, partner: PartnerName, purpose: Purpose) -> Self {
        Self { subject, partner, purpose, scope: DataScope::Everything }
    }
}

/// A decision and what it is based on.
#[derive(Debug, Clone)]
pub struct Decided {
    /// Yes or no for each part of the data that was asked about, and why.
    pub parts: Vec<(DataScope, Decision<'static>)>,
    /// When it was decided.
    pub as_of: Timestamp,
    /// The newest choice that it knows of.
    pub seq: u64,
}

impl Decided {
    /// Whether all of it is permitted.
    #[must_use]
    pub fn permit(&self) -> bool {
        self.parts.iter().all(|(_, decision)| decision.permit)
    }

    /// Every rule that spoke, each once: of those parts that are denied, if any is.
    #[must_use]
    pub fn reasons(&self) -> Vec<&Reason<'static>> {
        let permit = self.permit();
        let mut reasons: Vec<&Reason<'static>> = Vec::new();
        for reason in self.parts.iter().filter(|(_, decision)| decision.permit == permit).flat_map(|(_, decision)| &decision.reasons) {
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
        reasons
    }
}

impl ControlPlane {
    /// Decides for one person, with every rule that spoke.
    ///
    /// # Errors
    /// Not found for an unknown person or partner.
    pub async fn decide(&self, case: &Case) -> Result<Decided, Error> {
        let as_of = self.now();
        let mut tx = self.inner.store.snapshot().await?;
        let subject = resolve(&mut tx, case.subject).await?;
        let person = person(&mut tx, subject).await?;
        let known = standings(&mut tx, Whom::These(&[subject])).await?;
        let rules = Rules::read(&mut tx, &self.inner, as_of).await?;
        let standing = match crate::agreement::covering(&mut tx, &case.partner, case.purpose, None, as_of.date_naive()).await {
            Ok(_) => AgreementStanding::Covers,
            Err(Error::Refused(refusal)) => AgreementStanding::Lacks(refusal.message),
            Err(other) => return Err(other),
        };
        let mut parts = Vec::new();
        for part in DataScope::PARTS.into_iter().filter(|part| case.scope.covers(*part)) {
            let asked = rules.law.law.asked(person.residence, person.age, Use { purpose: case.purpose, sensitivity: part.sensitivity() });
            let facts = known.facts(&person, &case.partner, case.purpose, part, as_of);
            parts.push((part, decide(&facts, &asked, &standing).into_owned()));
        }
        let seq = Self::consent_seq(&mut tx).await?;
        Ok(Decided { parts, as_of, seq })
    }
}
