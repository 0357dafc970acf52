//! What a partner asks: the part that is paid for ([`Plan`]) and what is made of it afterwards
//! for free ([`View`]).

mod aggregate;
mod comparison;
pub mod expr;
mod field;
mod key;
mod plan;
mod price;
mod subquery;
mod value;
mod view;

pub use aggregate::{Aggregate, Grid, Tally, tree_shape};
pub use comparison::Comparison;
pub use field::{Field, Fold, Folding, RowExpr};
pub use key::{Key, KeySource, KeyValues};
pub use plan::{Narrowing, Plan, PlanLimits};
pub use price::{AggregateEstimate, AverageEstimate, Estimate, HalfWidth, Mechanisms, Prepared, Question};
pub use subquery::{Inner, PerSubject};
pub use value::{Value, encode_key};
pub use view::{Moments, OrderBy, Presented, PresentedColumn, Released, Shown, Statistic, Tie, View, ViewColumn, ViewExpr, widened};
