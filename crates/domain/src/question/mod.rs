//! What a partner asks: the part that is paid for ([`Plan`]) and what is made of it afterwards
//! for free ([`View`]).

mod eval;
mod plan;
mod predicate;
mod price;
mod value;
mod view;

pub use plan::{Aggregate, KeySource, Narrowing, Plan, PlanLimits};
pub use predicate::{Comparison, Predicate, Truth};
pub use price::{AggregateEstimate, Estimate, Mechanisms, Prepared, Question};
pub use value::{Value, encode_key};
pub use view::{Binary, Expr, OrderBy, Presented, PresentedColumn, Shown, Unary, View, ViewColumn};
