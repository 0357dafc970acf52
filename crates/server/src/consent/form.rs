//! The form that a page sends, or a platform's own page.
//!
//! ```text
//! version                         the version of the text that was shown
//! language                        the language in which
//! choice.PURPOSE.RECIPIENT        yes, no or later; only no to a yes that the law has closed
//! explicit.PURPOSE.RECIPIENT      yes or no, to the explicit sentence
//! declaration                     yes: the parent says that they are one
//! confirmation                    what the second step sends back
//! parent_email                    alone: where a letter to a parent goes
//! ```
//!
//! RECIPIENT is a partner's name, or `class:NAME`.

use std::collections::{BTreeMap, BTreeSet};

use control_plane::{Answer, Answered, Answers, Asking, NoticePage};
use domain::link::LinkKind;
use domain::notice::NoticeRef;

use super::words::Words;

/// Fields as they came, in their order.
pub(super) type Fields = Vec<(String, String)>;

/// A form that was read, right or wrong.
#[derive(Debug, Default)]
pub(super) struct Filled {
    /// What stands in each field that the page has.
    pub(super) values: BTreeMap<String, String>,
    /// What is wrong, by field; what belongs to no field of the page is under the empty name.
    pub(super) wrong: BTreeMap<String, String>,
}

/// The field of a question's answer.
pub(super) fn choice_field(asking: &Asking) -> String {
    format!("choice.{}.{}", asking.purpose, asking.recipient)
}

/// The field of the answer to its explicit sentence.
pub(super) fn explicit_field(asking: &Asking) -> String {
    format!("explicit.{}.{}", asking.purpose, asking.recipient)
}

/// The questions that a link's page asks: a parent's page those that need one. What the law bars is shown as long as
/// a yes to it stands, so that it can be taken back.
pub(super) fn questions(page: &NoticePage, kind: LinkKind) -> impl Iterator<Item = &Asking> {
    page.asked.iter().filter(move |asking| asking.concerns(kind) && (asking.barred.is_none() || asking.has_yes()))
}

/// Whether leaving a question out leaves it as it is: it has an answer, or only a yes to it can be taken back.
pub(super) const fn is_answered(asking: &Asking) -> bool {
    asking.barred.is_some() || asking.state.is_valid() || asking.state.is_no()
}

impl Filled {
    fn wrong(&mut self, field: impl Into<String>, why: impl Into<String>) {
        self.wrong.entry(field.into()).or_insert_with(|| why.into());
    }

    fn value(&self, field: &str) -> Option<&str> {
        self.values.get(field).map(String::as_str)
    }
}

/// Reads a form, with what is wrong in it; the answers are there when nothing is.
pub(super) fn read(fields: Fields, page: &NoticePage, kind: LinkKind, words: &Words) -> (Filled, Option<Answers>) {
    let mut filled = Filled::default();
    let mut known: BTreeSet<String> = ["version", "language", "declaration", "confirmation"].map(str::to_owned).into();
    known.extend(questions(page, kind).map(choice_field));
    known.extend(questions(page, kind).filter(|asking| asking.barred.is_none()).map(explicit_field));
    for (field, value) in fields {
        if !known.contains(&field) {
            // A choice that is misspelt must not be lost without a word; the name is shown back, escaped and short.
            let shown: String = field.chars().take(80).collect();
            filled.wrong("", format!("{}: {shown}", words.wrong_field));
        } else if filled.values.get(&field).is_some_and(|known| *known != value) {
            filled.wrong(field, words.wrong_value);
        } else {
            filled.values.insert(field, value);
        }
    }
    let mut answers = Vec::new();
    for asking in questions(page, kind) {
        answers.extend(answered(&mut filled, asking, words));
    }
    let says_yes = answers.iter().any(|answered| answered.answer == Answer::Yes);
    if kind == LinkKind::Parent && says_yes && filled.value("declaration") != Some("yes") {
        filled.wrong("declaration", words.wrong_declaration);
    }
    let version = filled.value("version").and_then(|version| version.parse().ok());
    let language = filled.value("language").filter(|language| domain::notice::is_language(language)).map(str::to_owned);
    let (Some(version), Some(language)) = (version, language) else {
        filled.wrong("", words.wrong_version);
        return (filled, None);
    };
    let notice = NoticeRef { name: page.notice.name.clone(), version };
    let confirmation = filled.value("confirmation").map(str::to_owned);
    let right = filled.wrong.is_empty();
    (filled, right.then_some(Answers { notice, language, answers, confirmation }))
}

/// One question's answer, if it has one.
fn answered(filled: &mut Filled, asking: &Asking, words: &Words) -> Option<Answered> {
    let (field, explicit_field) = (choice_field(asking), explicit_field(asking));
    let answer = match filled.value(&field).map(str::parse::<Answer>) {
        Some(Ok(answer)) if asking.barred.is_some() && answer != Answer::No => {
            filled.wrong(field, words.wrong_barred);
            return None;
        }
        Some(Ok(answer)) => answer,
        Some(Err(_)) => {
            filled.wrong(field, words.wrong_value);
            return None;
        }
        // What stands stays, unless the explicit sentence alone is answered: then it is not clear what is meant.
        None if is_answered(asking) && filled.value(&explicit_field).is_none() => return None,
        None => {
            filled.wrong(field, words.wrong_choice);
            return None;
        }
    };
    let explicit = match (filled.value(&explicit_field), asking.needs.explicit) {
        (Some("yes"), true) => answer == Answer::Yes,
        (Some("no"), true) => false,
        (None, true) if answer == Answer::Yes => {
            filled.wrong(explicit_field, words.wrong_explicit);
            false
        }
        (None, _) => false,
        (Some(_), _) => {
            filled.wrong(explicit_field, words.wrong_explicit);
            false
        }
    };
    Some(Answered { purpose: asking.purpose, recipient: asking.recipient.clone(), answer, explicit })
}
