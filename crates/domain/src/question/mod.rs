//! What a partner asks: the part that is paid for ([`Plan`]) and what is made of it afterwards
//! for free ([`View`]).

mod aggregate;
mod eval;
pub mod expr;
mod key;
mod plan;
mod predicate;
mod price;
mod value;
mod view;

pub use aggregate::{Aggregate, Tally};
pub use key::{Key, KeySource, KeyValues};
pub use plan::{Narrowing, Plan, PlanLimits};
pub use predicate::{Comparison, Predicate, Truth};
pub use price::{AggregateEstimate, AverageEstimate, Estimate, HalfWidth, Mechanisms, Prepared, Question};
pub use value::{Value, encode_key};
pub use view::{Average, Binary, Expr, OrderBy, Presented, PresentedColumn, Shown, Unary, View, ViewColumn};
