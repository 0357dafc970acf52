//! How far one person can count: the contract, narrowed by the question.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use datafusion::sql::sqlparser::ast::Expr as SqlExpr;
use domain::catalog::{ColumnName, ColumnType, ROWS_AT_SCAN};
use domain::question::expr::{Expr, Range};
use domain::question::{Field, Fold, Grid, Key, Narrowing, PerSubject, Plan, Prepared, Question, RowExpr};
use domain::{Refusal, RefusalCode};
use dp::{ContributionBounds, Granularity};

use super::expr::Typed;
use super::scope::Scope;

fn bound(message: impl Into<String>, hint: impl Into<String>) -> Refusal {
    Refusal::new(RefusalCode::Bound, message).hint(hint)
}

/// The bounds of a question: never wider than the contract's, and never more groups than one person can
/// be in.
pub(super) fn bounds(scope: &Scope, keys: &[Key], narrowing: &Narrowing) -> Result<ContributionBounds, Refusal> {
    let narrower = |name: &str, asked: Option<u32>, contract: u32| match asked {
        None => Ok(contract),
        Some(0) => Err(bound(format!("{name} must be at least 1"), "leave the bound out to use the contract's")),
        Some(asked) if asked > contract => {
            Err(bound(format!("{name} = {asked} is wider than the contract of {}, which allows {contract}", scope.called()), "a question can narrow a bound, never widen it"))
        }
        Some(asked) => Ok(asked),
    };
    let (groups, rows) = scope.contract();
    let groups = narrower("groups", narrowing.groups, groups)?;
    let rows = narrower("rows", narrowing.rows_per_group, rows)?;
    let groups = groups.min(groups_of_one(keys, scope.per_subject()));
    let wrong = |error: dp::BoundsError| bound(error.to_string(), "leave the bound out to use the contract's");
    let bounds = ContributionBounds::new(groups, rows, ROWS_AT_SCAN).map_err(wrong)?;
    match narrowing.rows_overall {
        None => Ok(bounds),
        Some(overall) if u64::from(overall) >= u64::from(groups) * u64::from(rows) => {
            let message = format!("rows_overall = {overall} narrows nothing: {groups} groups with {rows} rows each are no more");
            Err(bound(message, "leave it out, or write a smaller number"))
        }
        Some(overall) => bounds.with_rows_overall(overall).map_err(wrong),
    }
}

/// How many rows of a person stand behind one row of a subquery, at most: by the contract of its tables.
const fn rows_of_one(inner: &PerSubject) -> u64 {
    let (groups, rows) = inner.contract;
    if inner.keys.is_empty() { groups as u64 * rows as u64 } else { rows as u64 }
}

/// Refuses a bound of groups or rows without which the question would be answered alike: it would be ignored.
/// `understand` prepares the question without it.
pub(super) fn all_narrow(question: &Question, plan: &Plan, understand: impl Fn(&Question) -> Result<Prepared, Refusal>) -> Result<(), Refusal> {
    let reach = |plan: &Plan| plan.aggregates.iter().map(|aggregate| (aggregate.clone(), aggregate.sensitivity(&plan.bounds).ok())).collect::<Vec<_>>();
    let narrowing = &question.narrowing;
    let without = |name: &str, asked: Option<u32>, narrowing: Narrowing| {
        let Some(asked) = asked else { return Ok(()) };
        match understand(&Question { narrowing, ..question.clone() }) {
            Ok(wider) if reach(&wider.plan) == reach(plan) => Err(bound(format!("{name} = {asked} narrows nothing of what the question asks for"), "leave it out")),
            _ => Ok(()),
        }
    };
    without("groups", narrowing.groups, Narrowing { groups: None, ..narrowing.clone() })?;
    without("rows", narrowing.rows_per_group, Narrowing { rows_per_group: None, ..narrowing.clone() })?;
    without("rows_overall", narrowing.rows_overall, Narrowing { rows_overall: None, ..narrowing.clone() })
}

/// The smallest group that may be shown.
pub(super) fn cohort(keys: &[Key], narrowing: &Narrowing) -> Result<u32, Refusal> {
    match narrowing.cohort {
        None => Ok(1),
        Some(0) => Err(bound("a group has at least 1 person", "leave the bound out")),
        Some(_) if keys.iter().all(|key| key.public_values().is_some()) => Err(bound("groups with public keys are all shown, whoever is in them", "leave out people=…")),
        Some(people) => Ok(people),
    }
}

/// Groups that one person can be in: combinations of the public values of keys, in which attributes of
/// people play no part, since a person has one of each.
fn groups_of_one(keys: &[Key], per_subject: &[PerSubject]) -> u32 {
    let many = keys.iter().filter(|key| !key.of.is_of_person(per_subject));
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
}

/// The bounds of numbers: contracts, narrowed by the question.
pub(super) struct Bounding<'a> {
    narrowing: &'a Narrowing,
    per_subject: &'a [PerSubject],
    rows_per_group: u32,
    /// Which of the question's bounds were applied: none is ignored.
    applied: RefCell<BTreeSet<(Bound, String)>>,
}

/// What a bound of a column bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Bound {
    /// A person's sum in a group.
    Sum,
    /// Single values.
    Value,
}

/// For what an expression is bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// To be summed.
    Sum,
    /// For its single values: averages, variances, percentiles.
    Values,
}

/// How large counts of subqueries can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counts {
    Endless,
    ByContract,
}

/// Grid units per 1 of fractions without a contract of their own.
const FRACTIONS: Granularity = Granularity::PER_1024;
/// The largest number that counts without a contract.
const LARGEST: f64 = 1e9;

impl<'a> Bounding<'a> {
    pub(super) const fn new(narrowing: &'a Narrowing, per_subject: &'a [PerSubject], rows_per_group: u32) -> Self {
        Self { narrowing, per_subject, rows_per_group, applied: RefCell::new(BTreeSet::new()) }
    }

    /// The question's bound of a column's sums or values, which is applied.
    fn asked(&self, what: Bound, name: &str) -> Option<&(f64, f64)> {
        let asked = match what {
            Bound::Sum => self.narrowing.sums.get(name),
            Bound::Value => self.narrowing.values.get(name),
        };
        if asked.is_some() {
            self.applied.borrow_mut().insert((what, name.to_owned()));
        }
        asked
    }

    /// How far an expression counts: by its contract where it is a column, and otherwise by the numbers
    /// that it can be.
    pub(super) fn number(&self, of: &Typed<Field>, written: &SqlExpr, wanted: Wanted) -> Result<Numbers, Refusal> {
        let ty = match of.ty {
            Some(ty @ (ColumnType::Integer | ColumnType::Float)) => ty,
            ty => {
                let message = format!("`{written}` is {} and cannot be added up", ty.map_or("NULL", super::literal::article));
                return Err(Refusal::new(RefusalCode::Type, message).hint("count it, or make a number of it: CASE WHEN … THEN 1 ELSE 0 END"));
            }
        };
        if let Expr::Leaf(Field::Column(column)) = &of.expr
            && let Some(contract) = &column.column().sum
        {
            let name = column.name();
            let asked = self.asked(Bound::Value, name);
            let values = range(&format!("value:{name}"), asked, contract.values, contract.granularity)?;
            if wanted == Wanted::Values && values.low == values.high {
                return Err(bound(format!("value:{name} leaves one value only"), "write a range: its statistics would say nothing"));
            }
            let sum = if wanted == Wanted::Sum { self.asked(Bound::Sum, name) } else { None };
            let sums = range(name, sum, contract.sums, contract.granularity)?;
            return Ok(Numbers { sums, values, clamped: asked.map(|_| values) });
        }
        let mut wrong = None;
        let mut columns = Vec::new();
        looked_up(&of.expr, &mut columns);
        for (column, contract) in columns.iter().filter_map(|column| Some((column, column.column().sum?))) {
            let asked = self.asked(Bound::Value, column.name());
            wrong = range(&format!("value:{}", column.name()), asked, contract.values, contract.granularity).err().or(wrong);
        }
        if let Some(wrong) = wrong {
            return Err(wrong);
        }
        let known = |range: &Range| range.low >= -LARGEST && range.high <= LARGEST;
        let within = |counts| of.expr.range(&|field: &Field| self.within(field, self.per_subject, counts)).filter(known);
        // A count has no end: where nothing else is said, the contract does.
        let Some(Range { low, high }) = within(Counts::Endless).or_else(|| within(Counts::ByContract)) else {
            let message = format!("how large `{written}` can be is not known, so that one person's part cannot be bounded");
            // greatest() and least() take no notice of what is empty.
            let known = if of.expr.nullable(&Field::nullable) { format!(", and leave out what is empty: FILTER (WHERE {written} IS NOT NULL)") } else { String::new() };
            return Err(bound(message, format!("say it: least(greatest({written}, 0), 100){known}")));
        };
        let granularity = if ty == ColumnType::Integer { Granularity::ONE } else { FRACTIONS };
        let values = range("the expression", None, (low, high), granularity)?;
        // What is always the same has statistics too: they are about the middle of a range with two ends.
        let values = if wanted == Wanted::Values { Grid { high: values.high.max(values.low.saturating_add(1)), ..values } } else { values };
        let rows = i64::from(self.rows_per_group);
        let sums = Grid { low: values.low.min(0).saturating_mul(rows), high: values.high.max(0).saturating_mul(rows), ..values };
        Ok(Numbers { sums, values, clamped: Some(values) })
    }

    /// Between which numbers a field of rows beside `per_subject` counts: by contracts, and by what it is made of.
    fn within(&self, field: &Field, per_subject: &[PerSubject], counts: Counts) -> Option<Range> {
        match field {
            Field::Column(column) => {
                let contract = column.column().sum.map(|contract| self.narrowing.values.get(column.name()).copied().unwrap_or(contract.values));
                contract.map(|(low, high)| Range { low, high }).or_else(|| field.range())
            }
            Field::Fold(place, fold) => match (&**fold, per_subject.get(*place)) {
                (Fold::Key(of) | Fold::Average(of) | Fold::Min(of) | Fold::Max(of), Some(inner)) => of.range(&|field: &Field| self.within(field, &inner.per_subject, counts)),
                (fold, Some(inner)) if fold.is_count() && counts == Counts::ByContract => Some(Range { low: 0.0, high: whole(rows_of_one(inner)) }),
                _ => field.range(),
            },
        }
    }

    /// Refuses a bound that narrows nothing: it would be ignored.
    pub(super) fn all_applied(&self) -> Result<(), Refusal> {
        let applied = self.applied.borrow();
        let ignored = |what: Bound, names: &'a BTreeMap<String, (f64, f64)>| names.keys().find(|name| !applied.contains(&(what, (*name).clone())));
        if let Some(name) = ignored(Bound::Sum, &self.narrowing.sums) {
            let hint = "bounds: groups=4, rows=10, word_count=0..500 for the sum of a column, value:word_count=0..100 for single values";
            return Err(bound(format!("the question has no sum({name}) to bound"), hint));
        }
        match ignored(Bound::Value, &self.narrowing.values) {
            Some(name) => Err(bound(format!("the question has no values of `{name}` to bound"), format!("to bound the sum, write {name}=…"))),
            None => Ok(()),
        }
    }
}

/// The columns by whose values an expression is bounded, also through subqueries.
fn looked_up(of: &RowExpr, columns: &mut Vec<ColumnName>) {
    of.leaves(&mut |field| match field {
        Field::Column(column) => columns.push(*column),
        Field::Fold(_, fold) => match &**fold {
            Fold::Key(of) | Fold::Average(of) | Fold::Min(of) | Fold::Max(of) => looked_up(of, columns),
            Fold::CountRows | Fold::Count(_) | Fold::CountDistinct(_) | Fold::Sum(_) => {}
        },
    });
}

#[expect(clippy::cast_precision_loss, reason = "rows of a contract: far below 2^53")]
const fn whole(rows: u64) -> f64 {
    rows as f64
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
