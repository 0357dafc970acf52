//! Aggregate functions: what of people is counted and summed.

use datafusion::sql::sqlparser::ast::{
    DuplicateTreatment, Expr as SqlExpr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, OrderByExpr, OrderByOptions,
};
use domain::catalog::{ColumnName, ColumnType};
use domain::question::expr::Expr;
use domain::question::{Aggregate, Field, PlanLimits, RowExpr, Statistic, Value};
use domain::{Refusal, RefusalCode};
use dp::Divisor;

use super::bounds::{Bounding, Numbers, Wanted};
use super::expr::{self, Typed};
use super::literal;
use super::names::Rows;
use super::output::elements;
use super::refuse::{place, refuse};
use super::scope::Scope;

pub(super) const AGGREGATES: &str =
    "count(*), count(distinct subject_id), count(x), count(distinct x), sum(x), avg(x), variance(x), stddev(x), median(x), percentile_cont(0.9) WITHIN GROUP (ORDER BY x)";

/// What an aggregate function asks for.
pub(super) enum Asked {
    /// One number of that type.
    One(Aggregate, ColumnType),
    /// A count and a sum.
    Average([Aggregate; 2]),
    /// A count, a sum and squares.
    Variance([Aggregate; 3], Statistic),
}

/// Percentiles of one expression.
pub(super) struct Percentiles {
    pub(super) aggregate: Aggregate,
    /// In millionths, in the order of the text.
    pub(super) levels: Vec<u32>,
    pub(super) ty: ColumnType,
}

/// The parts of a call that all aggregates have.
struct Call<'a> {
    name: String,
    distinct: bool,
    args: Vec<&'a FunctionArgExpr>,
    within_group: &'a [OrderByExpr],
    filter: Option<&'a SqlExpr>,
}

fn unknown(whole: &SqlExpr) -> Refusal {
    refuse(RefusalCode::Function, whole, format!("`{whole}` is not offered")).hint(format!("aggregates: {AGGREGATES}"))
}

impl<'a> Call<'a> {
    fn of(function: &'a Function, whole: &SqlExpr) -> Result<Self, Refusal> {
        let Function { name, uses_odbc_syntax, parameters, args, within_group, filter, null_treatment, over } = function;
        if over.is_some() {
            return Err(refuse(RefusalCode::Clause, whole, "a window (OVER) is not offered").hint("aggregate with GROUP BY instead"));
        }
        if *uses_odbc_syntax || *parameters != FunctionArguments::None || null_treatment.is_some() {
            return Err(unknown(whole));
        }
        let FunctionArguments::List(FunctionArgumentList { duplicate_treatment, args, clauses }) = args else { return Err(unknown(whole)) };
        let args: Option<Vec<&FunctionArgExpr>> = args.iter().map(|arg| if let FunctionArg::Unnamed(arg) = arg { Some(arg) } else { None }).collect();
        let (Some(args), true) = (args, clauses.is_empty()) else { return Err(unknown(whole)) };
        let distinct = *duplicate_treatment == Some(DuplicateTreatment::Distinct);
        Ok(Self { name: name.to_string().to_ascii_lowercase(), distinct, args, within_group, filter: filter.as_deref() })
    }
}

/// What `x FILTER (WHERE condition)` aggregates: x where the condition is true.
pub(super) fn filtered(of: RowExpr, filter: Option<RowExpr>) -> RowExpr {
    match filter {
        None => of,
        Some(condition) => Expr::Case { branches: vec![(condition, of)], otherwise: Box::new(Expr::Constant(Value::Null)) }.canonical(),
    }
}

/// How far an argument counts.
fn numbers(of: &Typed<Field>, written: &SqlExpr, wanted: Wanted, whole: &SqlExpr, scope: &Scope, bounding: &Bounding<'_>) -> Result<Numbers, Refusal> {
    bounding.number(of, written, wanted).map_err(|refusal| {
        let refusal = refusal.at(place(whole));
        let names: Vec<_> = scope.columns().filter(|c| c.column().sum.is_some()).map(ColumnName::name).collect();
        match (refusal.code, names.is_empty()) {
            (RefusalCode::Type, false) => refusal.hint(format!("columns that can be summed and averaged: {}; or make a number: CASE WHEN … THEN 1 ELSE 0 END", names.join(", "))),
            _ => refusal,
        }
    })
}

/// What a call asks for.
pub(super) fn asked(function: &Function, whole: &SqlExpr, scope: &Scope, bounding: &Bounding<'_>) -> Result<Asked, Refusal> {
    let Call { name, distinct, args, within_group, filter } = Call::of(function, whole)?;
    let ([argument], true) = (args.as_slice(), within_group.is_empty()) else { return Err(unknown(whole)) };
    let filter = filter.map(|condition| expr::condition(&mut Rows(scope), condition)).transpose()?;
    let argument = match argument {
        FunctionArgExpr::Wildcard => None,
        FunctionArgExpr::Expr(written) => Some(written),
        _ => return Err(unknown(whole)),
    };
    let person = argument.map_or(Ok(false), |written| scope.is_person(written).unwrap_or(Ok(false)))?;
    if let (true, Some(_)) = (person, &filter) {
        return Err(refuse(RefusalCode::Clause, whole, "FILTER on people is not offered").hint("put the condition into WHERE"));
    }
    let number = |of: &Typed<Field>, written: &SqlExpr, wanted| numbers(of, written, wanted, whole, scope, bounding);
    match (name.as_str(), distinct, argument) {
        ("count", false, None) => Ok(Asked::One(
            match filter {
                None => Aggregate::CountRows,
                Some(_) => Aggregate::CountKnown { of: filtered(Expr::Constant(Value::Integer(1)), filter) },
            },
            ColumnType::Integer,
        )),
        ("count", true, Some(_)) if person => Ok(Asked::One(Aggregate::CountSubjects, ColumnType::Integer)),
        ("count", distinct, Some(written)) => {
            let of = filtered(expr::read(&mut Rows(scope), written)?.expr, filter);
            if !distinct && matches!(&of, Expr::Constant(value) if *value != Value::Null) {
                return Ok(Asked::One(Aggregate::CountRows, ColumnType::Integer));
            }
            Ok(Asked::One(if distinct { Aggregate::CountDistinct { of } } else { Aggregate::CountKnown { of } }, ColumnType::Integer))
        }
        ("sum", false, Some(written)) => {
            let of = expr::read(&mut Rows(scope), written)?;
            let bounds = number(&of, written, Wanted::Sum)?;
            let ty = if bounds.sums.denominator == 1 { ColumnType::Integer } else { ColumnType::Float };
            Ok(Asked::One(Aggregate::Sum { of: filtered(of.expr, filter), sums: bounds.sums, values: bounds.clamped }, ty))
        }
        ("avg", false, Some(written)) => {
            let of = expr::read(&mut Rows(scope), written)?;
            let values = number(&of, written, Wanted::Values)?.values;
            let of = filtered(of.expr, filter);
            Ok(Asked::Average([Aggregate::CountKnown { of: of.clone() }, Aggregate::CenteredSum { of, values }]))
        }
        ("variance" | "var_samp" | "var_pop" | "stddev" | "stddev_samp" | "stddev_pop", false, Some(written)) => {
            let of = expr::read(&mut Rows(scope), written)?;
            let values = number(&of, written, Wanted::Values)?.values;
            let of = filtered(of.expr, filter);
            let parts = [Aggregate::CountKnown { of: of.clone() }, Aggregate::CenteredSum { of: of.clone(), values }, Aggregate::CenteredSquares { of, values }];
            let divisor = if name.ends_with("_pop") { Divisor::Population } else { Divisor::Sample };
            Ok(Asked::Variance(parts, if name.starts_with("stddev") { Statistic::Deviation(divisor) } else { Statistic::Variance(divisor) }))
        }
        ("min" | "max", false, Some(written)) => {
            let level = if name == "min" { "0.01" } else { "0.99" };
            let hint = match number(&expr::read(&mut Rows(scope), written)?, written, Wanted::Values) {
                Ok(_) => format!("ask for a percentile: percentile_cont({level}) WITHIN GROUP (ORDER BY {written})"),
                Err(_) => format!("aggregates: {AGGREGATES}"),
            };
            Err(refuse(RefusalCode::Function, whole, format!("`{whole}` would show one person's value")).hint(hint))
        }
        _ => Err(unknown(whole)),
    }
}

/// The percentiles that a call asks for, if it asks for some.
pub(super) fn percentiles(function: &Function, whole: &SqlExpr, scope: &Scope, bounding: &Bounding<'_>) -> Result<Option<Percentiles>, Refusal> {
    let name = function.name.to_string().to_ascii_lowercase();
    if !matches!(name.as_str(), "median" | "percentile_cont") {
        return Ok(None);
    }
    let Call { name: _, distinct, args, within_group, filter } = Call::of(function, whole)?;
    let form = || {
        refuse(RefusalCode::Function, whole, format!("`{whole}` is not offered"))
            .hint("write median(x), percentile_cont(0.9) WITHIN GROUP (ORDER BY x) or percentile_cont(ARRAY[0.25, 0.75]) WITHIN GROUP (ORDER BY x)")
    };
    let ([FunctionArgExpr::Expr(argument)], false) = (args.as_slice(), distinct) else { return Err(form()) };
    let (of, levels) = match (name.as_str(), within_group) {
        ("median", []) => (argument, vec![500_000]),
        ("percentile_cont", [OrderByExpr { expr: of, options: OrderByOptions { asc: None | Some(true), nulls_first: None }, with_fill: None }]) => {
            let level = |written: &&SqlExpr| match literal::plain(written).and_then(|level| level.as_f64()) {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and a million")]
                Some(level) if (0.0..=1.0).contains(&level) => Ok((level * 1e6).round() as u32),
                _ => Err(refuse(RefusalCode::Expression, *written, format!("`{written}` is no number between 0 and 1")).hint("0.5 is the median")),
            };
            (of, elements(argument).iter().map(level).collect::<Result<Vec<u32>, _>>()?)
        }
        _ => return Err(form()),
    };
    let mut at = levels.clone();
    at.sort_unstable();
    at.dedup();
    if levels.is_empty() || levels.len() > PlanLimits::QUANTILES {
        return Err(refuse(RefusalCode::Limit, whole, format!("percentiles of one expression are 1 to {}", PlanLimits::QUANTILES)).hint("write fewer"));
    }
    let filter = filter.map(|condition| expr::condition(&mut Rows(scope), condition)).transpose()?;
    let written = of;
    let of = expr::read(&mut Rows(scope), written)?;
    let values = numbers(&of, written, Wanted::Values, whole, scope, bounding)?.values;
    let ty = if values.denominator == 1 { ColumnType::Integer } else { ColumnType::Float };
    Ok(Some(Percentiles { aggregate: Aggregate::Quantiles { of: filtered(of.expr, filter), values, at }, levels, ty }))
}
