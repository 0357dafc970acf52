//! The texts that people are shown before they choose.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::consent::{DataScope, Recipient};
use crate::{NoticeName, PartnerClass, PartnerName, Purpose, Timestamp};

/// What a notice asks: each purpose for each recipient, over the same data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeTerms {
    /// What it asks consent for.
    pub purposes: Vec<Purpose>,
    /// The recipients that it names.
    pub partners: Vec<PartnerName>,
    /// Classes of recipients that it names as open to whoever joins them.
    pub open_classes: Vec<PartnerClass>,
    /// Which data.
    pub scopes: Vec<DataScope>,
}

impl NoticeTerms {
    /// What it asks one yes or no for, each.
    #[must_use]
    pub fn asked(&self) -> BTreeSet<(Recipient, Purpose)> {
        let partners = self.partners.iter().cloned().map(Recipient::Partner);
        let recipients = partners.chain(self.open_classes.iter().cloned().map(Recipient::Class));
        recipients.flat_map(|recipient| self.purposes.iter().map(move |purpose| (recipient.clone(), *purpose))).collect()
    }

    /// What of it must be asked again when `newer` takes its place: everything after a material change or when more
    /// data are meant, else what `newer` does not ask (GDPR Art. 7, Rec. 42; EDPB Guidelines 05/2020).
    #[must_use]
    pub fn changed_by(&self, newer: &Self, material: bool) -> BTreeSet<(Recipient, Purpose)> {
        let covered = |part: &DataScope| self.scopes.iter().any(|scope| scope.covers(*part));
        let more_data = DataScope::PARTS.iter().any(|part| newer.scopes.iter().any(|scope| scope.covers(*part)) && !covered(part));
        let asked = self.asked();
        if material || more_data {
            return asked;
        }
        let still = newer.asked();
        asked.into_iter().filter(|pair| !still.contains(pair)).collect()
    }
}

/// One published version of a notice (GDPR Art. 13): what people read, kept for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The notice.
    pub name: NoticeName,
    /// Its version, from 1 upwards.
    pub version: u32,
    /// BCP 47 tag of the text's language.
    pub language: String,
    /// What it asks.
    #[serde(flatten)]
    pub terms: NoticeTerms,
    /// What earlier versions asked, and must be asked again.
    pub changed: BTreeSet<(Recipient, Purpose)>,
    /// The text shown.
    pub text: String,
    /// SHA-256 of the text, in hexadecimal.
    pub sha256: String,
    /// When people were shown it first.
    pub shown_from: Timestamp,
    /// When it was published here.
    pub published_at: Timestamp,
}

/// Which text a choice was made on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NoticeRef {
    /// The notice.
    pub name: NoticeName,
    /// Its version.
    pub version: u32,
}

impl std::fmt::Display for NoticeRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} v{}", self.name, self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(purposes: &[Purpose], partners: &[&str], scopes: &[DataScope]) -> NoticeTerms {
        NoticeTerms { purposes: purposes.to_vec(), partners: partners.iter().map(|p| p.parse().unwrap()).collect(), open_classes: Vec::new(), scopes: scopes.to_vec() }
    }

    fn check(newer: &NoticeTerms, material: bool, expected: &[(&str, Purpose)]) {
        let older = terms(&[Purpose::AggregateStatistics, Purpose::AiTraining], &["acme"], &[DataScope::Activity]);
        let expected: BTreeSet<_> = expected.iter().map(|(recipient, purpose)| (recipient.parse().unwrap(), *purpose)).collect();
        assert_eq!(older.changed_by(newer, material), expected);
    }

    #[test]
    fn what_stays_as_it_was_goes_on_and_the_rest_is_asked_again() {
        use Purpose::{AggregateStatistics as Statistics, AiTraining as Training};
        let both = [("acme", Statistics), ("acme", Training)];
        check(&terms(&[Statistics, Training], &["acme", "other"], &[DataScope::Activity]), false, &[]);
        check(&terms(&[Statistics], &["acme"], &[DataScope::Activity]), false, &[("acme", Training)]);
        check(&terms(&[Statistics, Training], &["other"], &[DataScope::Activity]), false, &both);
        check(&terms(&[Statistics, Training], &["acme"], &[DataScope::Everything]), false, &both);
        check(&terms(&[Statistics, Training], &["acme"], &[DataScope::Activity]), true, &both);
    }
}
