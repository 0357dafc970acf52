//! Refusals with their place in the text.

use datafusion::sql::sqlparser::ast::Spanned;
use domain::refusal::Place;
use domain::{Refusal, RefusalCode};

/// A refusal at the place of `node`.
pub(super) fn refuse(code: RefusalCode, node: &impl Spanned, message: impl Into<String>) -> Refusal {
    Refusal::new(code, shortened(message.into())).at(place(node))
}

/// Characters of a message that are shown, at its beginning and at its end.
const SHOWN: (usize, usize) = (160, 120);

/// Messages quote the question, which can be long.
pub(super) fn shortened(message: String) -> String {
    let all = message.chars().count();
    let (first, last) = SHOWN;
    if all <= first + last {
        return message;
    }
    let (first, last): (String, String) = (message.chars().take(first).collect(), message.chars().skip(all - last).collect());
    format!("{first} … {last}")
}

/// A clause that is not offered.
pub(super) fn clause(node: &impl Spanned, name: &str, hint: &str) -> Refusal {
    refuse(RefusalCode::Clause, node, format!("{name} is not offered")).hint(hint)
}

/// Where a node begins; none where the parser does not know.
pub(super) fn place(node: &impl Spanned) -> Option<Place> {
    let start = node.span().start;
    (start.line > 0).then_some(Place { line: start.line, column: start.column })
}
