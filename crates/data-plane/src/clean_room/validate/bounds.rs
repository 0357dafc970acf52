//! How far one person can count: the contract, narrowed by the question.

use domain::catalog::{Column, SumContract, Table};
use domain::question::{Aggregate, Narrowing};
use domain::{Refusal, RefusalCode};
use dp::ContributionBounds;

fn bound(message: impl Into<String>, hint: impl Into<String>) -> Refusal {
    Refusal::new(RefusalCode::Bound, message).hint(hint)
}

/// The bounds of a question: never wider than the contract's, and never more groups than exist.
pub(super) fn bounds(table: &Table, public_keys: Option<usize>, narrowing: &Narrowing) -> Result<ContributionBounds, Refusal> {
    let narrower = |name: &str, asked: Option<u32>, contract: u32| match asked {
        None => Ok(contract),
        Some(0) => Err(bound(format!("{name} must be at least 1"), "leave the bound out to use the contract's")),
        Some(asked) if asked > contract => {
            Err(bound(format!("{name} = {asked} is wider than the contract of `{}`, which allows {contract}", table.name), "a question can narrow a bound, never widen it"))
        }
        Some(asked) => Ok(asked),
    };
    let groups = narrower("groups", narrowing.groups, table.groups)?;
    let rows = narrower("rows", narrowing.rows_per_group, table.rows_per_group)?;
    let groups_that_exist = public_keys.and_then(|n| u32::try_from(n).ok()).unwrap_or(u32::MAX);
    ContributionBounds::new(groups.min(groups_that_exist), rows, domain::catalog::ROWS_AT_SCAN)
        .map_err(|error| bound(error.to_string(), "leave the bound out to use the contract's"))
}

/// The paid sum of `column`, clamped by its contract and the question.
pub(super) fn sum(column: &Column, contract: &SumContract, narrowing: &Narrowing) -> Result<Aggregate, Refusal> {
    let (low, high) = narrowing.sums.get(column.name).copied().unwrap_or((contract.low, contract.high));
    let name = column.name;
    if low.is_nan() || high.is_nan() || low > high {
        return Err(bound(format!("the bound of `{name}` must go from low to high"), format!("write --bound {name}={}..{}", contract.low, contract.high)));
    }
    if low < contract.low || high > contract.high {
        let message = format!("{name} = {low}..{high} is wider than its contract, {}..{}", contract.low, contract.high);
        return Err(bound(message, "a question can narrow a bound, never widen it"));
    }
    let grid = |x: f64| contract.granularity.to_grid(x, contract.low, contract.high).ok_or_else(|| bound(format!("the bound of `{name}` is not a number"), "write numbers"));
    Ok(Aggregate::Sum { column: name.to_owned(), low: grid(low)?, high: grid(high)?, denominator: contract.granularity.denominator() })
}
