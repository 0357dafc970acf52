//! How far one person can count: the contract, narrowed by the question.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use domain::catalog::{ColumnType, ROWS_AT_SCAN, TableName, contract};
use domain::question::expr::{Expr, Range};
use domain::question::{Field, Grid, Key, Narrowing};
use domain::{Refusal, RefusalCode};
use dp::{ContributionBounds, Granularity};

use super::expr::Typed;

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
    let many = keys.iter().filter(|key| !key.is_of_person());
    let groups = many.map(Key::public_values).try_fold(1_usize, |groups, values| groups.checked_mul(values?.len()));
    groups.and_then(|groups| u32::try_from(groups).ok()).unwrap_or(u32::MAX)
}

/// How far values and sums of an expression count.
pub(super) struct Numbers {
    /// Sums of one person in one group.
    pub(super) sums: Grid,
    /// Single values.
    pub(super) values: Grid,
    /// The same where sums of clamped values are meant.
    pub(super) clamped: Option<Grid>,
    /// The column by whose contract.
    column: Option<&'static str>,
}

/// The bounds of numbers: contracts, narrowed by the question.
pub(super) struct Bounding<'a> {
    narrowing: &'a Narrowing,
    rows_per_group: u32,
    /// The columns whose sums, and whose values, were bounded.
    summed: RefCell<BTreeSet<&'static str>>,
    valued: RefCell<BTreeSet<&'static str>>,
}

/// Grid units per 1 of fractions without a contract of their own.
const FRACTIONS: Granularity = Granularity::PER_1024;
/// The largest number that counts without a contract.
const LARGEST: f64 = 1e9;

impl<'a> Bounding<'a> {
    pub(super) fn new(narrowing: &'a Narrowing, rows_per_group: u32) -> Self {
        Self { narrowing, rows_per_group, summed: RefCell::default(), valued: RefCell::default() }
    }

    /// The bounds of a sum: of the sum itself, and of single values where these are clamped too.
    pub(super) fn sum(&self, numbers: &Numbers) -> (Grid, Option<Grid>) {
        self.summed.borrow_mut().extend(numbers.column);
        self.valued.borrow_mut().extend(numbers.column);
        (numbers.sums, numbers.clamped)
    }

    /// The bounds of single values.
    pub(super) fn values(&self, numbers: &Numbers) -> Grid {
        self.valued.borrow_mut().extend(numbers.column);
        numbers.values
    }

    /// Refuses a bound that narrowed nothing: it would be ignored.
    pub(super) fn all_used(&self) -> Result<(), Refusal> {
        let unused = |asked: &BTreeMap<String, (f64, f64)>, used: &RefCell<BTreeSet<&'static str>>| asked.keys().find(|name| !used.borrow().contains(name.as_str())).cloned();
        if let Some(name) = unused(&self.narrowing.sums, &self.summed) {
            return Err(bound(
                format!("the question has no sum({name}) to bound"),
                "bounds: groups=4, rows=10, word_count=0..500 for a sum, value:word_count=0..100 for single values",
            ));
        }
        match unused(&self.narrowing.values, &self.valued) {
            Some(name) => Err(bound(
                format!("the question has no values of `{name}` to bound"),
                format!("to bound the sum, write {name}=…; values of an expression are bounded in it: least({name}, 100)"),
            )),
            None => Ok(()),
        }
    }

    /// How far an expression counts: by its contract where it is a column, and otherwise by the numbers
    /// that it can be.
    pub(super) fn number(&self, of: &Typed<Field>) -> Result<Numbers, Refusal> {
        let ty = match of.ty {
            Some(ty @ (ColumnType::Integer | ColumnType::Float)) => ty,
            ty => {
                let message = format!("`{}` is {} and cannot be added up", of.expr, ty.map_or("NULL", super::literal::article));
                return Err(Refusal::new(RefusalCode::Type, message).hint("count it, or make a number of it: CASE WHEN … THEN 1 ELSE 0 END"));
            }
        };
        if let Expr::Leaf(Field::Column(column)) = &of.expr
            && let Some(contract) = &column.column().sum
        {
            let name = column.name();
            let sums = range(name, self.narrowing.sums.get(name), contract.sums, contract.granularity)?;
            let asked = self.narrowing.values.get(name);
            let values = range(&format!("value:{name}"), asked, contract.values, contract.granularity)?;
            return Ok(Numbers { sums, values, clamped: asked.map(|_| values), column: Some(name) });
        }
        let within = |field: &Field| match field {
            Field::Column(column) => column.column().sum.map(|contract| Range { low: contract.values.0, high: contract.values.1 }).or_else(|| field.range()),
            Field::Fold(..) => field.range(),
        };
        let Some(Range { low, high }) = of.expr.range(&within).filter(|range| range.low >= -LARGEST && range.high <= LARGEST) else {
            let message = format!("how large `{}` can be is not known, so that one person's part cannot be bounded", of.expr);
            // greatest() and least() take no notice of what is empty.
            let known = if of.expr.nullable(&Field::nullable) { format!(", and leave out what is empty: FILTER (WHERE {} IS NOT NULL)", of.expr) } else { String::new() };
            return Err(bound(message, format!("say it: least(greatest({}, 0), 100){known}", of.expr)));
        };
        let granularity = if ty == ColumnType::Integer { Granularity::ONE } else { FRACTIONS };
        let values = range("the expression", None, (low, high), granularity)?;
        let rows = i64::from(self.rows_per_group);
        let sums = Grid { low: values.low.min(0).saturating_mul(rows), high: values.high.max(0).saturating_mul(rows), ..values };
        Ok(Numbers { sums, values, clamped: Some(values), column: None })
    }
}

/// A narrowed range in grid units.
fn range(name: &str, asked: Option<&(f64, f64)>, widest: (f64, f64), granularity: Granularity) -> Result<Grid, Refusal> {
    let (low, high) = asked.copied().unwrap_or(widest);
    if low.is_nan() || high.is_nan() || low > high {
        return Err(bound(format!("the bound of `{name}` must go from low to high"), format!("write --bound {name}={}..{}", widest.0, widest.1)));
    }
    if low < widest.0 || high > widest.1 {
        let message = format!("{name} = {low}..{high} is wider than its contract, {}..{}", widest.0, widest.1);
        return Err(bound(message, "a question can narrow a bound, never widen it"));
    }
    let grid = |x: f64| granularity.to_grid(x, widest.0, widest.1).ok_or_else(|| bound(format!("the bound of `{name}` is not a number"), "write numbers"));
    Ok(Grid { low: grid(low)?, high: grid(high)?, denominator: granularity.denominator() })
}
