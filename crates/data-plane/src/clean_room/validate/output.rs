//! `SELECT`, `HAVING`, `ORDER BY`: which aggregates are paid for, and what is made of the released numbers.

use datafusion::sql::sqlparser::ast::{Array, Expr as SqlExpr, Function, Ident, OrderByExpr, OrderByOptions, SelectItem};
use domain::catalog::ColumnType;
use domain::question::expr::Expr;
use domain::question::{Aggregate, Grid, Moments, OrderBy, PlanLimits, Released, Statistic, Value, View, ViewColumn, ViewExpr};
use domain::{Refusal, RefusalCode};

use super::aggregate::{self, AGGREGATES, Asked};
use super::bounds::Bounding;
use super::clauses::{Clauses, normalize};
use super::expr::{self, Leaves, Typed};
use super::keys::TypedKey;
use super::literal;
use super::names::{Rows, is_aggregate};
use super::refuse::{place, refuse};
use super::scope::Scope;

/// `GROUP BY 1` and `ORDER BY 2` mean output columns.
pub(super) fn ordinal<'a>(expr: &SqlExpr, projection: &'a [SelectItem]) -> Result<Option<&'a SqlExpr>, Refusal> {
    let Some(Value::Integer(number)) = literal::plain(expr) else { return Ok(None) };
    let item = usize::try_from(number).ok().and_then(|n| n.checked_sub(1)).and_then(|i| projection.get(i));
    match item {
        Some(SelectItem::UnnamedExpr(e) | SelectItem::ExprWithAlias { expr: e, .. }) => Ok(Some(e)),
        _ => Err(refuse(RefusalCode::Expression, expr, format!("there is no output column {number}")).hint(format!("write a number from 1 to {}", projection.len()))),
    }
}

/// What an output expression looks up, while aggregates are still being collected.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
enum Paid {
    Key(usize),
    /// An aggregate, by the order of its first mention.
    Aggregate(usize),
    /// A statistic of count, sum and squares.
    Moments {
        #[serde(serialize_with = "by_name")]
        statistic: Statistic,
        count: usize,
        sum: usize,
        squares: Option<usize>,
    },
    /// A percentile in millionths.
    Quantile(usize, u32),
}

/// Expressions are sorted by their JSON, in which a statistic is its name.
fn by_name<S: serde::Serializer>(statistic: &Statistic, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{statistic:?}"))
}

/// One output column while the question is being understood.
#[derive(Clone)]
struct Column {
    name: String,
    typed: Typed<Paid>,
}

/// The output of a question while it is being understood.
pub(super) struct Output {
    columns: Vec<Column>,
    having: Option<Expr<Paid>>,
    order_by: Vec<(Expr<Paid>, bool, bool)>,
    limit: Option<u64>,
    offset: u64,
    /// Aggregates in the order of their first mention.
    paid: Vec<Aggregate>,
}

impl Output {
    /// Understands all clauses that shape the output.
    pub(super) fn of(clauses: &Clauses, keys: &[TypedKey], bounding: &Bounding<'_>) -> Result<Self, Refusal> {
        let mut reader = Reader { scope: &clauses.scope, keys, bounding, paid: Vec::new(), aliases: Vec::new() };
        let too_many = || {
            let place = clauses.projection.last().and_then(place);
            Refusal::new(RefusalCode::Limit, format!("more than {} output columns", PlanLimits::OUTPUT_COLUMNS)).at(place).hint("show fewer")
        };
        // The parts of what is shown are added below.
        if clauses.projection.len() > PlanLimits::OUTPUT_COLUMNS {
            return Err(too_many());
        }
        let mut columns: Vec<Column> = Vec::with_capacity(clauses.projection.len());
        for item in &clauses.projection {
            let (written, alias) = match item {
                SelectItem::UnnamedExpr(expr) => (expr, None),
                SelectItem::ExprWithAlias { expr, alias } => (expr, Some(normalize(alias))),
                SelectItem::ExprWithAliases { .. } | SelectItem::QualifiedWildcard(..) | SelectItem::Wildcard(_) => {
                    return Err(refuse(RefusalCode::RawRows, item, "rows of people are never shown").hint(format!("select keys and aggregates: {AGGREGATES}")));
                }
            };
            let wanted = alias.unwrap_or_else(|| default_name(written));
            for (suffix, typed) in reader.item(written)? {
                let name = unique_name(format!("{wanted}{suffix}"), &columns);
                columns.push(Column { name, typed });
            }
        }
        let columns = with_parts(columns);
        if columns.len() > PlanLimits::OUTPUT_COLUMNS {
            return Err(too_many());
        }
        reader.aliases.clone_from(&columns);
        let having = clauses.having.as_ref().map(|e| expr::condition(&mut reader, e)).transpose()?;
        let order_by = clauses.order_by.iter().map(|o| reader.order_by(o, &clauses.projection)).collect::<Result<_, _>>()?;
        Ok(Self { columns, having, order_by, limit: clauses.limit, offset: clauses.offset, paid: reader.paid })
    }

    /// Makes sure that an aggregate is paid for, although nothing shows it.
    pub(super) fn require(&mut self, aggregate: Aggregate) {
        if !self.paid.contains(&aggregate) {
            self.paid.push(aggregate);
        }
    }

    /// The aggregates in the order that equal questions share, and the view over them.
    pub(super) fn finish(self) -> Result<(Vec<Aggregate>, View), Refusal> {
        let Self { columns, having, order_by, limit, offset, paid } = self;
        if paid.is_empty() {
            return Err(Refusal::new(RefusalCode::RawRows, "the question has no aggregate").hint(format!("add one: {AGGREGATES}")));
        }
        if paid.len() > PlanLimits::AGGREGATES {
            return Err(Refusal::new(RefusalCode::Limit, format!("more than {} different aggregates", PlanLimits::AGGREGATES)).hint("ask in parts"));
        }
        let mut order: Vec<usize> = (0..paid.len()).collect();
        order.sort_by_cached_key(|place| paid.get(*place).map(|a| (rank(a), serde_json::to_string(a).unwrap_or_default())));
        let sorted: Vec<Aggregate> = order.iter().filter_map(|place| paid.get(*place).cloned()).collect();
        // Where the numbers of each aggregate begin.
        let mut first = vec![0; paid.len()];
        let mut next = 0;
        for (place, aggregate) in order.iter().zip(&sorted) {
            first.get_mut(*place).into_iter().for_each(|first| *first = next);
            next += aggregate.numbers();
        }
        let settled = Settled { paid: &paid, first };
        let columns = columns.into_iter().map(|column| ViewColumn { name: column.name, expr: settled.expr(column.typed.expr) }).collect();
        let order_by = order_by.into_iter().map(|(expr, descending, nulls_first)| OrderBy { expr: settled.expr(expr), descending, nulls_first }).collect();
        let having = having.map(|having| settled.expr(having));
        Ok((sorted, View { columns, having, order_by, limit, offset }))
    }
}

/// The order of kinds of aggregates in a plan.
const fn rank(aggregate: &Aggregate) -> u8 {
    match aggregate {
        Aggregate::CountSubjects => 0,
        Aggregate::CountRows => 1,
        Aggregate::CountKnown { .. } => 2,
        Aggregate::CountDistinct { .. } => 3,
        Aggregate::Sum { .. } => 4,
        Aggregate::CenteredSum { .. } => 5,
        Aggregate::CenteredSquares { .. } => 6,
        Aggregate::Quantiles { .. } => 7,
    }
}

/// Where the numbers of aggregates are, once all are known.
struct Settled<'a> {
    paid: &'a [Aggregate],
    /// By the order of first mention.
    first: Vec<usize>,
}

impl Settled<'_> {
    fn expr(&self, expr: Expr<Paid>) -> ViewExpr {
        let place = |aggregate: usize| self.first.get(aggregate).copied().unwrap_or(usize::MAX);
        expr.map(&mut |leaf| {
            Expr::Leaf(match leaf {
                Paid::Key(key) => Released::Key(key),
                Paid::Aggregate(aggregate) => Released::Number(place(aggregate)),
                Paid::Quantile(aggregate, level) => {
                    let levels = if let Some(Aggregate::Quantiles { at, .. }) = self.paid.get(aggregate) { at.as_slice() } else { &[] };
                    Released::Quantile(place(aggregate) + 3 * levels.iter().position(|at| *at == level).unwrap_or(0))
                }
                Paid::Moments { statistic, count, sum, squares } => {
                    let values = match self.paid.get(sum) {
                        Some(Aggregate::CenteredSum { values, .. }) => *values,
                        _ => Grid { low: 0, high: 0, denominator: 1 },
                    };
                    Released::Moments(Moments { statistic, count: place(count), sum: place(sum), squares: squares.map(place), values })
                }
            })
        })
    }
}

/// The columns, with the parts of each average and variance after it: they were paid for. Names that the
/// question gave stay.
fn with_parts(mut columns: Vec<Column>) -> Vec<Column> {
    let mut place = 0;
    while let Some(Column { name, typed }) = columns.get(place) {
        place += 1;
        let Expr::Leaf(Paid::Moments { sum, count, squares, .. }) = typed.expr else { continue };
        let parts = [("centered_sum", Some(sum)), ("centered_squares", squares), ("count", Some(count))].map(|(part, at)| (format!("{name}_{part}"), at));
        for (wanted, part) in parts {
            let Some(part) = part else { continue };
            let name = unique_name(wanted, &columns);
            columns.insert(place, Column { name, typed: Typed { expr: Expr::Leaf(Paid::Aggregate(part)), ty: Some(ColumnType::Float) } });
            place += 1;
        }
    }
    columns
}

/// PostgreSQL's names: the column's, or the function's.
fn default_name(expr: &SqlExpr) -> String {
    match expr {
        SqlExpr::Identifier(ident) => normalize(ident),
        SqlExpr::CompoundIdentifier(parts) => parts.last().map_or_else(String::new, normalize),
        SqlExpr::Function(function) => function.name.to_string().to_ascii_lowercase(),
        SqlExpr::Nested(inner) => default_name(inner),
        SqlExpr::Case { .. } => "case".to_owned(),
        SqlExpr::Extract { .. } => "extract".to_owned(),
        _ => "column".to_owned(),
    }
}

/// Output rows are objects, so that names must differ: the second `count` is `count_2`.
fn unique_name(wanted: String, columns: &[Column]) -> String {
    let taken = |name: &str| columns.iter().any(|c| c.name == name);
    if !taken(&wanted) {
        return wanted;
    }
    (2_u32..).map(|n| format!("{wanted}_{n}")).find(|name| !taken(name)).unwrap_or(wanted)
}

struct Reader<'a> {
    scope: &'a Scope,
    keys: &'a [TypedKey],
    bounding: &'a Bounding<'a>,
    paid: Vec<Aggregate>,
    /// Output columns by name, once they are known. As in PostgreSQL, keys go before them, except where
    /// `ORDER BY` names nothing else.
    aliases: Vec<Column>,
}

impl Leaves for Reader<'_> {
    type Leaf = Paid;

    fn leaf(&mut self, written: &SqlExpr) -> Option<Result<Typed<Paid>, Refusal>> {
        match written {
            SqlExpr::Function(function) if is_aggregate(&function.name.to_string()) => return Some(self.aggregate(function, written)),
            _ => {}
        }
        if let Some(key) = self.key(written) {
            return Some(Ok(key));
        }
        match written {
            SqlExpr::Identifier(ident) if let Some(typed) = self.alias(ident) => Some(Ok(typed)),
            SqlExpr::Identifier(_) | SqlExpr::CompoundIdentifier(_) => Some(self.scope.field(written)?.and_then(|_| {
                let refusal = refuse(RefusalCode::RawRows, written, format!("`{written}` of single rows is never shown"));
                Err(refusal.hint(format!("GROUP BY {written} or aggregate: {AGGREGATES}")))
            })),
            _ => None,
        }
    }

    fn hint(&self) -> String {
        format!("keys, aggregates ({AGGREGATES})")
    }
}

impl Reader<'_> {
    /// The columns of one item of the output: an array of percentiles is one for each.
    fn item(&mut self, written: &SqlExpr) -> Result<Vec<(String, Typed<Paid>)>, Refusal> {
        if let SqlExpr::Function(function) = written
            && let Some(asked) = aggregate::percentiles(function, written, self.scope, self.bounding)?
        {
            let several = asked.levels.len() > 1;
            let place = self.quantiles(asked.aggregate, &asked.levels)?;
            let suffix = |level: u32| if several { format!("_{}", f64::from(level) / 10_000.0).replace('.', "_") } else { String::new() };
            return Ok(asked.levels.iter().map(|level| (suffix(*level), Typed { expr: Expr::Leaf(Paid::Quantile(place, *level)), ty: Some(asked.ty) })).collect());
        }
        Ok(vec![(String::new(), expr::read(self, written)?)])
    }

    fn order_by(&mut self, order: &OrderByExpr, projection: &[SelectItem]) -> Result<(Expr<Paid>, bool, bool), Refusal> {
        let OrderByExpr { expr: written, options: OrderByOptions { asc, nulls_first }, with_fill } = order;
        if with_fill.is_some() {
            return Err(refuse(RefusalCode::Clause, order, "WITH FILL is not offered").hint("leave it out"));
        }
        let descending = *asc == Some(false);
        let alias = if let SqlExpr::Identifier(ident) = written { self.alias(ident) } else { None };
        let typed = match (alias, ordinal(written, projection)?) {
            (Some(typed), _) => typed,
            (None, target) => expr::read(self, target.unwrap_or(written))?,
        };
        if matches!(typed.expr, Expr::Constant(_)) {
            return Err(refuse(RefusalCode::Expression, written, format!("`{written}` is the same for every row")).hint("leave it out of ORDER BY"));
        }
        Ok((typed.expr, descending, nulls_first.unwrap_or(descending)))
    }

    /// The output column of that name.
    fn alias(&self, name: &Ident) -> Option<Typed<Paid>> {
        let name = normalize(name);
        self.aliases.iter().find(|column| column.name == name).map(|column| column.typed.clone())
    }

    /// The key that an expression is, if it is one.
    fn key(&self, written: &SqlExpr) -> Option<Typed<Paid>> {
        if self.keys.is_empty() {
            return None;
        }
        let of = expr::read(&mut Rows(self.scope), written).ok()?.expr;
        let place = self.keys.iter().position(|key| key.key.of == of)?;
        Some(Typed { expr: Expr::Leaf(Paid::Key(place)), ty: self.keys.get(place).map(|key| key.ty) })
    }

    /// The place of an aggregate among the paid ones: equal ones are paid for once.
    fn pay(&mut self, aggregate: Aggregate) -> usize {
        self.paid.iter().position(|a| *a == aggregate).unwrap_or_else(|| {
            self.paid.push(aggregate);
            self.paid.len() - 1
        })
    }

    /// The place of percentiles among what is paid: all of one expression are one tree.
    fn quantiles(&mut self, aggregate: Aggregate, levels: &[u32]) -> Result<usize, Refusal> {
        let Aggregate::Quantiles { of, values, .. } = &aggregate else { return Ok(self.pay(aggregate)) };
        let same = |other: &Aggregate| matches!(other, Aggregate::Quantiles { of: o, values: v, .. } if o == of && v == values);
        let place = self.paid.iter().position(same);
        let Some((place, Aggregate::Quantiles { at, .. })) = place.and_then(|place| Some((place, self.paid.get_mut(place)?))) else { return Ok(self.pay(aggregate)) };
        at.extend(levels);
        at.sort_unstable();
        at.dedup();
        if at.len() > PlanLimits::QUANTILES {
            return Err(Refusal::new(RefusalCode::Limit, format!("more than {} percentiles of one expression", PlanLimits::QUANTILES)).hint("ask in parts"));
        }
        Ok(place)
    }

    fn aggregate(&mut self, function: &Function, whole: &SqlExpr) -> Result<Typed<Paid>, Refusal> {
        if let Some(asked) = aggregate::percentiles(function, whole, self.scope, self.bounding)? {
            let [level] = asked.levels.as_slice() else {
                return Err(refuse(RefusalCode::Expression, whole, "several percentiles are several columns").hint("write one of them here, or the array as a column of its own"));
            };
            let (level, ty) = (*level, asked.ty);
            let place = self.quantiles(asked.aggregate, &[level])?;
            return Ok(Typed { expr: Expr::Leaf(Paid::Quantile(place, level)), ty: Some(ty) });
        }
        Ok(match aggregate::asked(function, whole, self.scope, self.bounding)? {
            Asked::One(aggregate, ty) => Typed { expr: Expr::Leaf(Paid::Aggregate(self.pay(aggregate))), ty: Some(ty) },
            Asked::Average([count, sum]) => {
                let (count, sum) = (self.pay(count), self.pay(sum));
                Typed { expr: Expr::Leaf(Paid::Moments { statistic: Statistic::Average, count, sum, squares: None }), ty: Some(ColumnType::Float) }
            }
            Asked::Variance([count, sum, squares], statistic) => {
                let (count, sum, squares) = (self.pay(count), self.pay(sum), Some(self.pay(squares)));
                Typed { expr: Expr::Leaf(Paid::Moments { statistic, count, sum, squares }), ty: Some(ColumnType::Float) }
            }
        })
    }
}

/// The elements of `ARRAY[…]`, or the expression alone.
pub(super) fn elements(expr: &SqlExpr) -> Vec<&SqlExpr> {
    match expr {
        SqlExpr::Array(Array { elem, named: _ }) => elem.iter().collect(),
        SqlExpr::Nested(inner) => elements(inner),
        other => vec![other],
    }
}
