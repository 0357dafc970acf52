//! The texts that people are shown before they choose.

mod diff;
mod language;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::consent::{DataScope, Recipient};
use crate::law::Term;
use crate::{NoticeName, PartnerClass, PartnerName, Purpose, Timestamp};

pub use diff::{ListChange, NoticeDiff};
pub use language::{is_language, preferred};

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
    /// To whom a yes would speak.
    pub fn recipients(&self) -> impl Iterator<Item = Recipient> {
        let partners = self.partners.iter().cloned().map(Recipient::Partner);
        partners.chain(self.open_classes.iter().cloned().map(Recipient::Class))
    }

    /// What it asks one yes or no for, each.
    #[must_use]
    pub fn asked(&self) -> BTreeSet<(Recipient, Purpose)> {
        self.recipients().flat_map(|recipient| self.purposes.iter().map(move |purpose| (recipient.clone(), *purpose))).collect()
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

/// What people are told besides what is asked, the same in every language (GDPR Art. 13(1)(f), 13(2)(a) to (c)).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NoticeParticulars {
    /// For how long data are kept after they came; as long as the yes counts when it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention: Option<Term>,
    /// Where data are kept: countries by ISO 3166-1.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub storage: Vec<String>,
    /// The country, by ISO 3166-1, whose law the controller is under.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jurisdiction: Option<String>,
    /// Where a yes is taken back, besides the page on which it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withdrawal_url: Option<String>,
    /// Where people use their rights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rights_url: Option<String>,
}

/// What is asked for one purpose, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sentence {
    /// The sentence that a yes agrees to.
    pub ask: String,
    /// The sentence that an explicit yes agrees to, about data that may reveal what GDPR Art. 9 protects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explicit: Option<String>,
}

/// The words of a notice in one language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wording {
    /// BCP 47 tag of the language.
    pub language: String,
    /// The heading.
    pub title: String,
    /// The text: paragraphs with an empty line between them, without markup.
    pub text: String,
    /// What is asked, by purpose; a purpose without one is asked in the page's own words.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sentences: BTreeMap<Purpose, Sentence>,
    /// For how long data are kept, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<String>,
    /// How a yes is taken back, in words, besides on the page itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawal: Option<String>,
}

impl Wording {
    /// A heading and a text, without further words.
    #[must_use]
    pub fn new(language: impl Into<String>, title: impl Into<String>, text: impl Into<String>) -> Self {
        Self { language: language.into(), title: title.into(), text: text.into(), sentences: BTreeMap::new(), retention: None, withdrawal: None }
    }

    /// Everything that people read, as one text: what the digest of a notice's text is over, and what two
    /// versions are compared by. Blocks with an empty line between them: heading, text, sentences in the order
    /// of purposes (the explicit one on a line of its own), retention, withdrawal.
    #[must_use]
    pub fn words(&self) -> String {
        let mut blocks = vec![self.title.clone(), self.text.trim_end().to_owned()];
        for sentence in self.sentences.values() {
            blocks.push(std::iter::once(&sentence.ask).chain(&sentence.explicit).cloned().collect::<Vec<_>>().join("\n"));
        }
        blocks.extend(self.retention.iter().chain(&self.withdrawal).cloned());
        blocks.join("\n\n") + "\n"
    }
}

/// The words of a published version in one language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeText {
    /// The words.
    #[serde(flatten)]
    pub wording: Wording,
    /// SHA-256 of [`Wording::words`], in hexadecimal.
    pub sha256: String,
    /// When they were published here.
    pub published_at: Timestamp,
}

impl NoticeText {
    /// The words as published at `at`.
    #[must_use]
    pub fn new(wording: Wording, published_at: Timestamp) -> Self {
        let sha256 = hex::encode(Sha256::digest(wording.words()));
        Self { wording, sha256, published_at }
    }
}

/// One published version of a notice (GDPR Art. 13): what people read, kept for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The notice.
    pub name: NoticeName,
    /// Its version, from 1 upwards.
    pub version: u32,
    /// What it asks.
    #[serde(flatten)]
    pub terms: NoticeTerms,
    /// What it tells besides.
    #[serde(flatten)]
    pub particulars: NoticeParticulars,
    /// What earlier versions asked, and must be asked again.
    pub changed: BTreeSet<(Recipient, Purpose)>,
    /// The text in the notice's own language, which the others are translations of.
    pub own: NoticeText,
    /// The same in other languages.
    pub translations: Vec<NoticeText>,
    /// When people were shown it first.
    pub shown_from: Timestamp,
    /// When it was published here.
    pub published_at: Timestamp,
}

impl Notice {
    /// The texts in all languages, the notice's own first.
    pub fn texts(&self) -> impl Iterator<Item = &NoticeText> {
        std::iter::once(&self.own).chain(&self.translations)
    }

    /// The text in exactly this language.
    #[must_use]
    pub fn text_in(&self, language: &str) -> Option<&NoticeText> {
        self.texts().find(|text| text.wording.language.eq_ignore_ascii_case(language))
    }

    /// The text that suits somebody best who accepts these languages (see [`preferred`]): the notice's own when
    /// none does.
    #[must_use]
    pub fn text_for(&self, accepted: &str) -> &NoticeText {
        let languages: Vec<&str> = self.texts().map(|text| text.wording.language.as_str()).collect();
        preferred(accepted, &languages).and_then(|language| self.text_in(language)).unwrap_or(&self.own)
    }

    /// Which version it is.
    #[must_use]
    pub fn reference(&self) -> NoticeRef {
        NoticeRef { name: self.name.clone(), version: self.version }
    }
}

crate::words! {
    /// How a notice reached a person.
    pub enum ServedBy("way of serving a notice") {
        /// They opened our page.
        Page = "page",
        /// A platform showed it to them and says so.
        Platform = "platform",
        /// A parent of theirs opened our page.
        Parent = "parent",
    }
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
