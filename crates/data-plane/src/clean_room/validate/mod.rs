//! Text → [`Prepared`]: an allow-list. What is not understood here does not exist.
//!
//! # Guarantee
//! Looks at no data, so a refusal cannot depend on any. Everything it accepts is total: columns are
//! compared with constants of their own type, sums are clamped whole numbers, and what happens after
//! the aggregates happens to released numbers. Every clause is either understood or refused: the
//! syntax tree is taken apart without `..`, so that a parser that learns a new clause stops the
//! compiler instead of being ignored.

mod bounds;
mod clauses;
mod literal;
mod output;
mod parse;
mod predicate;
mod refuse;

use domain::question::{Aggregate, KeySource, Mechanisms, Plan, PlanLimits, Predicate, Prepared, Question};
use domain::{Refusal, RefusalCode};

use clauses::Clauses;
use output::Output;

/// Understands and prices a question.
///
/// # Errors
/// A refusal with code, place and hint.
pub(crate) fn validate(question: &Question) -> Result<Prepared, Refusal> {
    let clauses = Clauses::of(parse::parse(&question.sql)?)?;
    let filter = clauses.selection.as_ref().map(|e| predicate::predicate(e, &clauses.scope)).transpose()?;
    let filter = filter.map(Predicate::canonical);
    if filter.as_ref().is_some_and(|f| f.size() > PlanLimits::PREDICATE_SIZE) {
        return Err(Refusal::new(RefusalCode::Limit, format!("the condition is larger than {} parts", PlanLimits::PREDICATE_SIZE)));
    }
    let keys = output::keys(&clauses)?;
    let mut output = Output::of(&clauses, &keys, &question.narrowing)?;
    let table = clauses.scope.table;
    let public_keys = Plan::public_key_count(table, &keys).filter(|n| *n <= PlanLimits::PUBLIC_KEYS);
    let key_source = match public_keys {
        Some(_) => KeySource::Public,
        None => {
            // Groups are selected by their number of people, which is paid for like any aggregate.
            output.require(Aggregate::CountSubjects);
            KeySource::Unknown
        }
    };
    let bounds = bounds::bounds(table, public_keys, &question.narrowing)?;
    let (aggregates, view) = output.finish()?;
    let plan = Plan { schema: Plan::SCHEMA, table: table.name, filter, keys, key_source, aggregates, bounds };
    let cost = Mechanisms::cost(&plan, question.rho);
    // Whatever could stop the mechanisms stops them now, before anything is paid.
    Mechanisms::of(&plan, question.rho)?;
    Ok(Prepared { plan, view, cost })
}

#[cfg(test)]
mod tests;
