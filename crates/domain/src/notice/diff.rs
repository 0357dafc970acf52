//! What changed between two versions of a notice.

use std::collections::BTreeSet;

use serde::Serialize;
use similar::TextDiff;

use super::Notice;
use crate::consent::{DataScope, Recipient};
use crate::{NoticeName, Purpose};

/// What came into a list, and what left it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListChange<T> {
    /// New.
    pub added: Vec<T>,
    /// Gone.
    pub removed: Vec<T>,
}

impl<T: Clone + Ord> ListChange<T> {
    fn between(from: impl IntoIterator<Item = T>, to: impl IntoIterator<Item = T>) -> Self {
        let (from, to): (BTreeSet<T>, BTreeSet<T>) = (from.into_iter().collect(), to.into_iter().collect());
        Self { added: to.difference(&from).cloned().collect(), removed: from.difference(&to).cloned().collect() }
    }

    /// Whether nothing came and nothing left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }
}

/// What changed between two versions of a notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NoticeDiff {
    /// The notice.
    pub notice: NoticeName,
    /// The version that is compared.
    pub from: u32,
    /// With which.
    pub to: u32,
    /// Purposes.
    pub purposes: ListChange<Purpose>,
    /// Partners and open classes.
    pub recipients: ListChange<Recipient>,
    /// Data: the parts that are meant, so that `everything` in the place of all parts is no change.
    pub data: ListChange<DataScope>,
    /// Particulars that are not as they were, by name.
    pub particulars: Vec<&'static str>,
    /// Languages.
    pub languages: ListChange<String>,
    /// What whoever agreed to `from` must be asked again.
    pub asked_again: BTreeSet<(Recipient, Purpose)>,
    /// The words in the own language of `to`, as a unified diff; empty when they are the same. Compared with the
    /// words of `from` in that language, or in its own when it has none.
    pub text: String,
}

impl NoticeDiff {
    /// What changed from one version to a later one of the same notice; `between` are the versions after `from` up
    /// to and with `to`, which say what must be asked again.
    #[must_use]
    pub fn between(from: &Notice, to: &Notice, between: &[Notice]) -> Self {
        let parts = |notice: &Notice| -> Vec<DataScope> {
            let covered = |part: &DataScope| notice.terms.scopes.iter().any(|scope| scope.covers(*part));
            DataScope::PARTS.into_iter().filter(|part| covered(part)).collect()
        };
        let recipients = |notice: &Notice| notice.terms.asked().into_iter().map(|(recipient, _)| recipient);
        let languages = |notice: &Notice| -> Vec<String> { notice.texts().map(|text| text.wording.language.clone()).collect() };
        let words = to.own.wording.words();
        let before = from.text_in(&to.own.wording.language).unwrap_or(&from.own).wording.words();
        let asked = from.terms.asked();
        Self {
            notice: to.name.clone(),
            from: from.version,
            to: to.version,
            purposes: ListChange::between(from.terms.purposes.iter().copied(), to.terms.purposes.iter().copied()),
            recipients: ListChange::between(recipients(from), recipients(to)),
            data: ListChange::between(parts(from), parts(to)),
            particulars: changed_particulars(from, to),
            languages: ListChange::between(languages(from), languages(to)),
            asked_again: between.iter().flat_map(|notice| &notice.changed).filter(|pair| asked.contains(pair)).cloned().collect(),
            text: TextDiff::from_lines(&before, &words).unified_diff().context_radius(2).header(&from.reference().to_string(), &to.reference().to_string()).to_string(),
        }
    }
}

fn changed_particulars(from: &Notice, to: &Notice) -> Vec<&'static str> {
    let (a, b) = (&from.particulars, &to.particulars);
    let changes = [
        ("retention", a.retention != b.retention),
        ("storage", a.storage != b.storage),
        ("jurisdiction", a.jurisdiction != b.jurisdiction),
        ("withdrawal_url", a.withdrawal_url != b.withdrawal_url),
        ("rights_url", a.rights_url != b.rights_url),
    ];
    changes.into_iter().filter(|(_, changed)| *changed).map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{NoticeParticulars, NoticeTerms, NoticeText, Wording};
    use super::*;
    use crate::Timestamp;

    fn notice(version: u32, text: &str, purposes: &[Purpose], scopes: &[DataScope]) -> Notice {
        let terms = NoticeTerms { purposes: purposes.to_vec(), partners: vec!["acme".parse().unwrap()], open_classes: Vec::new(), scopes: scopes.to_vec() };
        let own = NoticeText::new(Wording::new("en", "Your data", text), Timestamp::UNIX_EPOCH);
        let (translations, particulars) = (Vec::new(), NoticeParticulars::default());
        let (shown_from, published_at) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
        Notice { name: "n".parse().unwrap(), version, terms, particulars, changed: BTreeSet::new(), own, translations, shown_from, published_at }
    }

    #[test]
    fn what_came_and_went_is_told_with_what_must_be_asked_again() {
        use Purpose::{AggregateStatistics as Statistics, AiTraining as Training};
        let first = notice(1, "We count.\nWe train.\nYou may stop.", &[Statistics, Training], &[DataScope::Activity]);
        let mut second = notice(2, "We count.\nYou may stop.", &[Statistics], &[DataScope::Everything]);
        second.changed = first.terms.changed_by(&second.terms, false);
        second.particulars.rights_url = Some("https://town.example/rights".into());
        let diff = NoticeDiff::between(&first, &second, &[second.clone()]);
        assert_eq!(diff.purposes, ListChange { added: vec![], removed: vec![Training] });
        assert!(diff.recipients.is_empty() && diff.languages.is_empty());
        assert_eq!(diff.data.added, [DataScope::Profile, DataScope::Topics]);
        assert_eq!(diff.particulars, ["rights_url"]);
        assert_eq!(diff.asked_again, first.terms.asked(), "more data: everything");
        assert!(diff.text.contains("\n-We train.\n") && !diff.text.contains("-We count.") && diff.text.starts_with("--- n v1\n+++ n v2\n"), "{}", diff.text);
    }

    #[test]
    fn the_same_words_are_no_change() {
        let notice = notice(1, "We count.", &[Purpose::AggregateStatistics], &[DataScope::Everything]);
        let parts = Notice { terms: NoticeTerms { scopes: DataScope::PARTS.to_vec(), ..notice.terms.clone() }, ..notice.clone() };
        let diff = NoticeDiff::between(&notice, &parts, &[]);
        assert_eq!((diff.text.as_str(), diff.data.is_empty(), diff.asked_again.len()), ("", true, 0));
    }
}
