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
mod from;
mod keys;
mod literal;
mod output;
mod parse;
mod predicate;
mod refuse;
mod tokens;

use domain::question::{Aggregate, Mechanisms, Plan, PlanLimits, Predicate, Prepared, Question};
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
    let keys = keys::keys(&clauses)?;
    let mut output = Output::of(&clauses, &keys, &question.narrowing)?;
    if keys.iter().any(|key| key.public_values().is_none()) {
        // Groups are selected by their number of people, which is paid for like any aggregate.
        output.require(Aggregate::CountSubjects);
    }
    let tables = clauses.scope.tables();
    let bounds = bounds::bounds(&tables, &keys, &question.narrowing)?;
    let (aggregates, view) = output.finish()?;
    bounds::all_used(&aggregates, &question.narrowing)?;
    let plan = Plan { schema: Plan::SCHEMA, tables, filter, keys, aggregates, bounds };
    let cost = Mechanisms::cost(&plan, question.rho);
    // Whatever could stop the mechanisms stops them now, before anything is paid.
    Mechanisms::of(&plan, question.rho)?;
    Ok(Prepared { plan, view, cost })
}

#[cfg(test)]
mod tests;
