//! How far one person can count: the contract, narrowed by the question.

use domain::catalog::{ColumnName, ROWS_AT_SCAN, SumContract, TableName, contract};
use domain::question::{Aggregate, Key, Narrowing};
use domain::{Refusal, RefusalCode};
use dp::ContributionBounds;

fn bound(message: impl Into<String>, hint: impl Into<String>) -> Refusal {
    Refusal::new(RefusalCode::Bound, message).hint(hint)
}

/// The bounds of a question: never wider than the contract's, and never more groups than one person can
/// be in.
pub(super) fn bounds(tables: &[TableName], keys: &[Key], narrowing: &Narrowing) -> Result<ContributionBounds, Refusal> {
    let names = || tables.iter().map(|t| t.as_str()).collect::<Vec<_>>().join("`, `");
    let narrower = |name: &str, asked: Option<u32>, contract: u32| match asked {
        None => Ok(contract),
        Some(0) => Err(bound(format!("{name} must be at least 1"), "leave the bound out to use the contract's")),
        Some(asked) if asked > contract => {
            Err(bound(format!("{name} = {asked} is wider than the contract of `{}`, which allows {contract}", names()), "a question can narrow a bound, never widen it"))
        }
        Some(asked) => Ok(asked),
    };
    let (groups, rows) = contract(tables);
    let groups = narrower("groups", narrowing.groups, groups)?;
    let rows = narrower("rows", narrowing.rows_per_group, rows)?;
    ContributionBounds::new(groups.min(groups_of_one(keys)), rows, ROWS_AT_SCAN).map_err(|error| bound(error.to_string(), "leave the bound out to use the contract's"))
}

/// Groups that one person can be in: combinations of the public values of keys, in which attributes of
/// people play no part, since a person has one of each.
fn groups_of_one(keys: &[Key]) -> u32 {
    let many = keys.iter().filter(|key| key.column.table() != TableName::Subject);
    let groups = many.map(Key::public_values).try_fold(1_usize, |groups, values| groups.checked_mul(values?.len()));
    groups.and_then(|groups| u32::try_from(groups).ok()).unwrap_or(u32::MAX)
}

/// The paid sum of `column`, clamped by its contract and the question.
pub(super) fn sum(column: ColumnName, contract: &SumContract, narrowing: &Narrowing) -> Result<Aggregate, Refusal> {
    let (low, high) = range(column.name(), narrowing.sums.get(column.name()), contract.sums, contract)?;
    Ok(Aggregate::Sum { column, low, high, denominator: contract.granularity.denominator() })
}

/// The two paid parts of the average of `column`, whose values are clamped by its contract and the question.
pub(super) fn average(column: ColumnName, contract: &SumContract, narrowing: &Narrowing) -> Result<[Aggregate; 2], Refusal> {
    let (low, high) = range(&format!("avg:{}", column.name()), narrowing.values.get(column.name()), contract.values, contract)?;
    Ok([Aggregate::CenteredSum { column, low, high, denominator: contract.granularity.denominator() }, Aggregate::CountKnown { column }])
}

/// A narrowed range in grid units.
fn range(name: &str, asked: Option<&(f64, f64)>, widest: (f64, f64), contract: &SumContract) -> Result<(i64, i64), Refusal> {
    let (low, high) = asked.copied().unwrap_or(widest);
    if low.is_nan() || high.is_nan() || low > high {
        return Err(bound(format!("the bound of `{name}` must go from low to high"), format!("write --bound {name}={}..{}", widest.0, widest.1)));
    }
    if low < widest.0 || high > widest.1 {
        let message = format!("{name} = {low}..{high} is wider than its contract, {}..{}", widest.0, widest.1);
        return Err(bound(message, "a question can narrow a bound, never widen it"));
    }
    let grid = |x: f64| contract.granularity.to_grid(x, widest.0, widest.1).ok_or_else(|| bound(format!("the bound of `{name}` is not a number"), "write numbers"));
    Ok((grid(low)?, grid(high)?))
}

/// Refuses a bound that narrows nothing: it would be ignored.
pub(super) fn all_used(aggregates: &[Aggregate], narrowing: &Narrowing) -> Result<(), Refusal> {
    let used = |name: &str, is_sum: bool| aggregates.iter().any(|a| matches!(a, Aggregate::Sum { .. }) == is_sum && a.column().is_some_and(|c| c.name() == name));
    if let Some(name) = narrowing.sums.keys().find(|name| !used(name, true)) {
        return Err(bound(format!("the question has no sum({name}) to bound"), "bounds: groups=4, rows=10, word_count=0..500 for a sum, avg:word_count=0..100 for an average"));
    }
    match narrowing.values.keys().find(|name| !used(name, false)) {
        Some(name) => Err(bound(format!("the question has no avg({name}) to bound"), format!("to bound the sum, write {name}=…"))),
        None => Ok(()),
    }
}
