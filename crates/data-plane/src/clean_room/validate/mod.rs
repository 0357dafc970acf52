//! Text → [`Prepared`]: an allow-list. What is not understood here does not exist.
//!
//! # Guarantee
//! Looks at no data, so a refusal cannot depend on any. Everything it accepts is total: columns are
//! compared with constants of their own type, sums are clamped whole numbers, and what happens after
//! the aggregates happens to released numbers. Every clause is either understood or refused: the
//! syntax tree is taken apart without `..`, so that a parser that learns a new clause stops the
//! compiler instead of being ignored.

mod aggregate;
mod bounds;
mod clauses;
mod dialect;
mod expr;
mod from;
mod keys;
mod literal;
mod names;
mod output;
mod parse;
mod public;
mod refuse;
mod relation;
mod scope;
mod subquery;
mod tokens;

use std::sync::Arc;

use datafusion::sql::sqlparser::ast::Expr as SqlExpr;
use domain::partner_table::PartnerTable;
use domain::question::expr::{Expr, Function};
use domain::question::{Aggregate, Inner, Key, KeyValues, Mechanisms, Plan, PlanLimits, Prepared, Question, RowExpr};
use domain::{CreatorList, Refusal, RefusalCode};

use bounds::Bounding;
use clauses::Clauses;
use names::Rows;
use output::Output;
use scope::Scope;

/// The stack on which questions are understood: for the deepest that the limits let through, many times over.
/// Only what is used of it is taken.
const STACK_BYTES: usize = 64 * 1024 * 1024;

/// Understands and prices a question of a partner who has these tables, by the public list of creators.
///
/// # Guarantee
/// On a stack of its own: however deep a question nests, it is answered or refused, whoever asks from wherever.
///
/// # Errors
/// A refusal with code, place and hint.
pub(crate) fn prepare(question: &Question, tables: &[PartnerTable], creators: &Arc<CreatorList>) -> Result<Prepared, Refusal> {
    let understood = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("question".to_owned()).stack_size(STACK_BYTES);
        let understood = || {
            let prepared = understand(question, tables, creators)?;
            bounds::all_narrow(question, &prepared.plan, |question| understand(question, tables, creators))?;
            Ok(prepared)
        };
        thread.spawn_scoped(scope, understood).map(std::thread::ScopedJoinHandle::join)
    });
    match understood {
        Ok(Ok(understood)) => understood,
        Ok(Err(panic)) => std::panic::resume_unwind(panic),
        Err(_) => Err(Refusal::new(RefusalCode::Limit, "there is no room to look at the question now").hint("ask again later")),
    }
}

fn understand(question: &Question, tables: &[PartnerTable], creators: &Arc<CreatorList>) -> Result<Prepared, Refusal> {
    let clauses = Clauses::of(parse::parse(&question.sql, &question.params)?, tables)?;
    let filter = filter(clauses.selection.as_ref(), &clauses.scope)?;
    let typed = keys::keys(&clauses, creators)?;
    let keys: Vec<Key> = typed.iter().map(|typed| typed.key.clone()).collect();
    let per_subject = clauses.scope.per_subject();
    let bounds = bounds::bounds(&clauses.scope, &keys, &question.narrowing)?;
    let bounding = Bounding::new(&question.narrowing, per_subject, bounds.rows_per_group());
    let mut output = Output::of(&clauses, &typed, &bounding)?;
    if keys.iter().any(|key| key.values == KeyValues::Unknown) {
        // Groups are selected by their number of people, which is paid for like any aggregate.
        output.require(Aggregate::CountSubjects);
    }
    let (aggregates, view) = output.finish()?;
    bounding.all_applied()?;
    let plan = Plan {
        schema: Plan::SCHEMA,
        tables: clauses.scope.tables(),
        per_subject: per_subject.to_vec(),
        filter,
        cohort: bounds::cohort(&keys, &question.narrowing)?,
        keys,
        aggregates,
        bounds,
        creators: public::is_read(&clauses).then(|| creators.version().to_owned()),
    };
    if plan.inner().iter().map(Inner::values).sum::<usize>() > PlanLimits::FOLDS {
        return Err(
            Refusal::new(RefusalCode::Limit, format!("subqueries make more than {} different values of a person's rows", PlanLimits::FOLDS)).hint("use fewer of their columns")
        );
    }
    let cost = Mechanisms::cost(&plan, question.rho);
    // Whatever could stop the mechanisms stops them now, before anything is paid.
    Mechanisms::of(&plan, question.rho)?;
    Ok(Prepared { plan, view, cost, creators: Arc::clone(creators) })
}

/// `WHERE`, and what subqueries say in `HAVING`.
fn filter(selection: Option<&SqlExpr>, scope: &Scope) -> Result<Option<RowExpr>, Refusal> {
    let selection = selection.map(|written| expr::condition(&mut Rows(scope), written)).transpose()?;
    let parts: Vec<RowExpr> = selection.into_iter().chain(scope.having().iter().cloned()).collect();
    let filter = if parts.is_empty() { None } else { Some(Expr::Call(Function::And, parts).canonical()) };
    match filter {
        Some(filter) if filter.size() > PlanLimits::EXPRESSION_SIZE => {
            Err(Refusal::new(RefusalCode::Limit, format!("the condition is larger than {} parts", PlanLimits::EXPRESSION_SIZE)).hint("shorten it"))
        }
        filter => Ok(filter),
    }
}

/// Understands a question by the list of creators that tests have.
#[cfg(test)]
pub(crate) fn validate(question: &Question, tables: &[PartnerTable]) -> Result<Prepared, Refusal> {
    prepare(question, tables, &testkit::creators())
}

#[cfg(test)]
mod tests;
