//! Refusals with their place in the text.

use datafusion::sql::sqlparser::ast::Spanned;
use domain::refusal::Place;
use domain::{Refusal, RefusalCode};

/// A refusal at the place of `node`.
pub(super) fn refuse(code: RefusalCode, node: &impl Spanned, message: impl Into<String>) -> Refusal {
    Refusal::new(code, message).at(place(node))
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
