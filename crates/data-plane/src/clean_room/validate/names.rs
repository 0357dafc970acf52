//! What expressions over rows look up: columns of the tables, and those of subqueries.

use datafusion::sql::sqlparser::ast::Expr as SqlExpr;
use domain::question::Field;
use domain::{Refusal, RefusalCode};

use super::expr::{Leaves, Typed};
use super::refuse::refuse;
use super::scope::Scope;

/// The columns of a `FROM`.
pub(super) struct Rows<'a>(pub(super) &'a Scope);

impl Leaves for Rows<'_> {
    type Leaf = Field;

    fn leaf(&mut self, expr: &SqlExpr) -> Option<Result<Typed<Field>, Refusal>> {
        match expr {
            SqlExpr::Identifier(_) | SqlExpr::CompoundIdentifier(_) => Some(self.0.field(expr).unwrap_or_else(|| Err(refuse(RefusalCode::Expression, expr, "no column")))),
            SqlExpr::Function(function) if is_aggregate(&function.name.to_string()) => {
                let refusal = refuse(RefusalCode::Function, expr, format!("`{expr}` aggregates, and this is about single rows"));
                Some(Err(refusal.hint("conditions on aggregates go into HAVING, or into a subquery that aggregates per subject")))
            }
            _ => None,
        }
    }

    fn hint(&self) -> String {
        "columns".to_owned()
    }
}

/// Whether a function of that name aggregates.
pub(super) fn is_aggregate(name: &str) -> bool {
    const ALL: [&str; 15] = [
        "count",
        "sum",
        "avg",
        "min",
        "max",
        "variance",
        "var_samp",
        "var_pop",
        "stddev",
        "stddev_samp",
        "stddev_pop",
        "median",
        "percentile_cont",
        "percentile_disc",
        "approx_percentile_cont",
    ];
    ALL.contains(&name.to_ascii_lowercase().as_str())
}
