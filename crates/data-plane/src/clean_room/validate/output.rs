//! `SELECT`, `GROUP BY`, `HAVING`, `ORDER BY`: which aggregates are paid for, and what is made of
//! the released numbers.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DuplicateTreatment, Expr as SqlExpr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, OrderByExpr, OrderByOptions, SelectItem,
    UnaryOperator,
};
use domain::catalog::ColumnType;
use domain::question::{Aggregate, Binary, Comparison, Expr, Narrowing, OrderBy, PlanLimits, Unary, Value, View, ViewColumn};
use domain::{Refusal, RefusalCode};

use super::bounds;
use super::clauses::{Clauses, Scope, normalize};
use super::literal;
use super::refuse::{place, refuse};

const AGGREGATES: &str = "count(*), count(distinct subject_id), sum(column)";

/// The columns grouped by, sorted: `GROUP BY a, b` and `GROUP BY b, a` are one question.
pub(super) fn keys(clauses: &Clauses) -> Result<Vec<String>, Refusal> {
    let mut keys = Vec::new();
    for expr in &clauses.group_by {
        let target = ordinal(expr, &clauses.projection)?.unwrap_or(expr);
        let column = clauses.scope.open_column(target).unwrap_or_else(|| {
            Err(refuse(RefusalCode::Expression, expr, format!("`{expr}` is not offered in GROUP BY")).hint("group by columns: day, week, month, hour and weekday are columns"))
        })?;
        if matches!(column.ty, ColumnType::Timestamp | ColumnType::Float) {
            return Err(refuse(RefusalCode::Type, expr, format!("`{}` has too many values to group by", column.name)).hint("group by day, week, month, hour or weekday"));
        }
        keys.push(column.name.to_owned());
    }
    keys.sort();
    keys.dedup();
    if keys.len() > PlanLimits::KEYS {
        return Err(Refusal::new(RefusalCode::Limit, format!("more than {} columns to group by", PlanLimits::KEYS)));
    }
    Ok(keys)
}

/// `GROUP BY 1` and `ORDER BY 2` mean output columns.
fn ordinal<'a>(expr: &SqlExpr, projection: &'a [SelectItem]) -> Result<Option<&'a SqlExpr>, Refusal> {
    let Some(Value::Integer(number)) = literal::plain(expr) else { return Ok(None) };
    let item = usize::try_from(number).ok().and_then(|n| n.checked_sub(1)).and_then(|i| projection.get(i));
    match item {
        Some(SelectItem::UnnamedExpr(e) | SelectItem::ExprWithAlias { expr: e, .. }) => Ok(Some(e)),
        _ => Err(refuse(RefusalCode::Expression, expr, format!("there is no output column {number}"))),
    }
}

/// The output of a question while it is being understood.
pub(super) struct Output {
    view: View,
    /// Aggregates in the order of their first mention.
    paid: Vec<Aggregate>,
}

impl Output {
    /// Understands all clauses that shape the output.
    pub(super) fn of(clauses: &Clauses, keys: &[String], narrowing: &Narrowing) -> Result<Self, Refusal> {
        let mut reader = Reader { scope: &clauses.scope, keys, narrowing, paid: Vec::new(), aliases: Vec::new() };
        let mut columns: Vec<ViewColumn> = Vec::with_capacity(clauses.projection.len());
        for item in &clauses.projection {
            let (expr, alias) = match item {
                SelectItem::UnnamedExpr(expr) => (expr, None),
                SelectItem::ExprWithAlias { expr, alias } => (expr, Some(normalize(alias))),
                SelectItem::ExprWithAliases { .. } | SelectItem::QualifiedWildcard(..) | SelectItem::Wildcard(_) => {
                    return Err(refuse(RefusalCode::RawRows, item, "rows of people are never shown").hint(format!("select keys and aggregates: {AGGREGATES}")));
                }
            };
            let understood = reader.expr(expr)?;
            let wanted = alias.unwrap_or_else(|| default_name(expr));
            columns.push(ViewColumn { name: unique_name(wanted, &columns), expr: understood });
        }
        if columns.len() > PlanLimits::OUTPUT_COLUMNS {
            return Err(Refusal::new(RefusalCode::Limit, format!("more than {} output columns", PlanLimits::OUTPUT_COLUMNS)));
        }
        reader.aliases.clone_from(&columns);
        let having = clauses.having.as_ref().map(|e| reader.expr(e)).transpose()?;
        let order_by = clauses.order_by.iter().map(|o| reader.order_by(o, &clauses.projection)).collect::<Result<_, _>>()?;
        let paid = reader.paid;
        Ok(Self { view: View { columns, having, order_by, limit: clauses.limit, offset: clauses.offset }, paid })
    }

    /// Makes sure that an aggregate is paid for, although nothing shows it.
    pub(super) fn require(&mut self, aggregate: Aggregate) {
        if !self.paid.contains(&aggregate) {
            self.paid.push(aggregate);
        }
    }

    /// The aggregates in the order that equal questions share, and the view over them.
    pub(super) fn finish(mut self) -> Result<(Vec<Aggregate>, View), Refusal> {
        if self.paid.is_empty() {
            return Err(Refusal::new(RefusalCode::RawRows, "the question has no aggregate").hint(format!("add one: {AGGREGATES}")));
        }
        if self.paid.len() > PlanLimits::AGGREGATES {
            return Err(Refusal::new(RefusalCode::Limit, format!("more than {} different aggregates", PlanLimits::AGGREGATES)));
        }
        let mut sorted = self.paid.clone();
        sorted.sort();
        let moved: Vec<usize> = self.paid.iter().map(|a| sorted.iter().position(|s| s == a).unwrap_or(0)).collect();
        self.view.columns.iter_mut().for_each(|c| renumber(&mut c.expr, &moved));
        self.view.order_by.iter_mut().for_each(|o| renumber(&mut o.expr, &moved));
        if let Some(having) = &mut self.view.having {
            renumber(having, &moved);
        }
        Ok((sorted, self.view))
    }
}

fn renumber(expr: &mut Expr, moved: &[usize]) {
    match expr {
        Expr::Aggregate(i) => *i = moved.get(*i).copied().unwrap_or(*i),
        Expr::Key(_) | Expr::Constant(_) => {}
        Expr::Unary(_, x) => renumber(x, moved),
        Expr::Binary(_, a, b) => {
            renumber(a, moved);
            renumber(b, moved);
        }
    }
}

/// PostgreSQL's names: the column's, or the function's.
fn default_name(expr: &SqlExpr) -> String {
    match expr {
        SqlExpr::Identifier(ident) => normalize(ident),
        SqlExpr::CompoundIdentifier(parts) => parts.last().map_or_else(String::new, normalize),
        SqlExpr::Function(function) => function.name.to_string().to_ascii_lowercase(),
        SqlExpr::Nested(inner) => default_name(inner),
        _ => "column".to_owned(),
    }
}

/// Output rows are objects, so that names must differ: the second `count` is `count_2`.
fn unique_name(wanted: String, columns: &[ViewColumn]) -> String {
    let taken = |name: &str| columns.iter().any(|c| c.name == name);
    if !taken(&wanted) {
        return wanted;
    }
    (2_u32..).map(|n| format!("{wanted}_{n}")).find(|name| !taken(name)).unwrap_or(wanted)
}

struct Reader<'a> {
    scope: &'a Scope,
    keys: &'a [String],
    narrowing: &'a Narrowing,
    paid: Vec<Aggregate>,
    /// Output columns by name, once they are known.
    aliases: Vec<ViewColumn>,
}

impl Reader<'_> {
    fn order_by(&mut self, order: &OrderByExpr, projection: &[SelectItem]) -> Result<OrderBy, Refusal> {
        let OrderByExpr { expr, options: OrderByOptions { asc, nulls_first }, with_fill } = order;
        if with_fill.is_some() {
            return Err(refuse(RefusalCode::Clause, order, "WITH FILL is not offered"));
        }
        let target = ordinal(expr, projection)?.unwrap_or(expr);
        let descending = *asc == Some(false);
        Ok(OrderBy { expr: self.expr(target)?, descending, nulls_first: nulls_first.unwrap_or(descending) })
    }

    fn expr(&mut self, expr: &SqlExpr) -> Result<Expr, Refusal> {
        if let Some(constant) = literal::plain(expr) {
            return Ok(Expr::Constant(constant));
        }
        match expr {
            SqlExpr::Identifier(ident) if let Some(alias) = self.aliases.iter().find(|c| c.name == normalize(ident)) => Ok(alias.expr.clone()),
            SqlExpr::Identifier(_) | SqlExpr::CompoundIdentifier(_) => self.key(expr),
            SqlExpr::Nested(inner) => self.expr(inner),
            SqlExpr::Function(function) => self.aggregate(function, expr),
            SqlExpr::UnaryOp { op: UnaryOperator::Minus, expr } => Ok(Expr::Unary(Unary::Minus, Box::new(self.expr(expr)?))),
            SqlExpr::UnaryOp { op: UnaryOperator::Not, expr } => Ok(Expr::Unary(Unary::Not, Box::new(self.expr(expr)?))),
            SqlExpr::IsNull(inner) => Ok(Expr::Unary(Unary::IsNull, Box::new(self.expr(inner)?))),
            SqlExpr::IsNotNull(inner) => Ok(Expr::Unary(Unary::Not, Box::new(Expr::Unary(Unary::IsNull, Box::new(self.expr(inner)?))))),
            SqlExpr::Between { expr: tested, negated, low, high } => {
                let above = self.binary(Binary::Compare(Comparison::Ge), tested, low)?;
                let below = self.binary(Binary::Compare(Comparison::Le), tested, high)?;
                let within = Expr::Binary(Binary::And, Box::new(above), Box::new(below));
                Ok(if *negated { Expr::Unary(Unary::Not, Box::new(within)) } else { within })
            }
            SqlExpr::BinaryOp { left, op, right } => match binary(op) {
                Some(op) => self.binary(op, left, right),
                None => Err(not_offered(expr)),
            },
            other => Err(not_offered(other)),
        }
    }

    fn binary(&mut self, op: Binary, left: &SqlExpr, right: &SqlExpr) -> Result<Expr, Refusal> {
        let (mut a, mut b) = (self.expr(left)?, self.expr(right)?);
        if matches!(op, Binary::Compare(_)) {
            self.coerce(&a, &mut b, right)?;
            self.coerce(&b, &mut a, left)?;
        }
        Ok(Expr::Binary(op, Box::new(a), Box::new(b)))
    }

    /// A constant compared with a key is read as the key's type, so that days can be written as text.
    fn coerce(&self, key: &Expr, constant: &mut Expr, written: &SqlExpr) -> Result<(), Refusal> {
        if let (Expr::Key(i), Expr::Constant(value)) = (key, &mut *constant) {
            let column = self.keys.get(*i).and_then(|name| self.scope.table.column(name));
            if let Some(column) = column {
                let coerced = literal::coerce(value.clone(), column.ty);
                *value = coerced.map_err(|hint| {
                    refuse(RefusalCode::Type, written, format!("`{}` is {} and cannot be compared with `{written}`", column.name, literal::article(column.ty))).hint(hint)
                })?;
            }
        }
        Ok(())
    }

    fn key(&self, expr: &SqlExpr) -> Result<Expr, Refusal> {
        let column = self.scope.open_column(expr).unwrap_or_else(|| Err(not_offered(expr)))?;
        self.keys.iter().position(|k| k == column.name).map(Expr::Key).ok_or_else(|| {
            refuse(RefusalCode::RawRows, expr, format!("`{}` of single rows is never shown", column.name)).hint(format!("GROUP BY {} or aggregate: {AGGREGATES}", column.name))
        })
    }

    fn aggregate(&mut self, function: &Function, whole: &SqlExpr) -> Result<Expr, Refusal> {
        let aggregate = self.aggregate_of(function, whole)?;
        let place = self.paid.iter().position(|a| *a == aggregate).unwrap_or_else(|| {
            self.paid.push(aggregate);
            self.paid.len() - 1
        });
        Ok(Expr::Aggregate(place))
    }

    fn aggregate_of(&self, function: &Function, whole: &SqlExpr) -> Result<Aggregate, Refusal> {
        let Function { name, uses_odbc_syntax, parameters, args, within_group, filter, null_treatment, over } = function;
        let unknown = || refuse(RefusalCode::Function, whole, format!("`{whole}` is not offered")).hint(format!("aggregates: {AGGREGATES}"));
        if over.is_some() {
            return Err(refuse(RefusalCode::Clause, whole, "a window (OVER) is not offered").hint("aggregate with GROUP BY instead"));
        }
        if filter.is_some() {
            return Err(refuse(RefusalCode::Clause, whole, "FILTER is not offered").hint("put the condition into WHERE"));
        }
        if *uses_odbc_syntax || *parameters != FunctionArguments::None || !within_group.is_empty() || null_treatment.is_some() {
            return Err(unknown());
        }
        let FunctionArguments::List(FunctionArgumentList { duplicate_treatment, args, clauses }) = args else { return Err(unknown()) };
        let ([FunctionArg::Unnamed(argument)], true) = (args.as_slice(), clauses.is_empty()) else { return Err(unknown()) };
        let distinct = *duplicate_treatment == Some(DuplicateTreatment::Distinct);
        let name = name.to_string().to_ascii_lowercase();
        match (name.as_str(), distinct, argument) {
            ("count", false, FunctionArgExpr::Wildcard) => Ok(Aggregate::CountRows),
            ("count", true, FunctionArgExpr::Expr(expr)) => match self.scope.column(expr) {
                Some(Ok(column)) if column.name == "subject_id" => Ok(Aggregate::CountSubjects),
                Some(Err(refusal)) => Err(refusal),
                _ => Err(refuse(RefusalCode::Function, whole, "count(distinct …) is offered for subject_id only").hint("count(distinct subject_id) counts people")),
            },
            ("count", false, FunctionArgExpr::Expr(_)) => Err(unknown().hint("count rows with count(*), people with count(distinct subject_id)")),
            ("sum", false, FunctionArgExpr::Expr(expr)) => self.sum(expr, whole),
            _ => Err(unknown()),
        }
    }

    fn sum(&self, expr: &SqlExpr, whole: &SqlExpr) -> Result<Aggregate, Refusal> {
        let summable = || {
            let names: Vec<_> = self.scope.table.columns.iter().filter(|c| c.sum.is_some()).map(|c| c.name).collect();
            if names.is_empty() { format!("`{}` has no column to sum", self.scope.table.name) } else { format!("columns that can be summed: {}", names.join(", ")) }
        };
        let column = self.scope.open_column(expr).unwrap_or_else(|| Err(refuse(RefusalCode::Expression, whole, format!("sum takes one column, not `{expr}`")).hint(summable())))?;
        let contract = column.sum.as_ref().ok_or_else(|| refuse(RefusalCode::Type, whole, format!("`{}` cannot be summed", column.name)).hint(summable()))?;
        bounds::sum(column, contract, self.narrowing).map_err(|refusal| refusal.at(place(whole)))
    }
}

const fn binary(op: &BinaryOperator) -> Option<Binary> {
    match op {
        BinaryOperator::Plus => Some(Binary::Add),
        BinaryOperator::Minus => Some(Binary::Subtract),
        BinaryOperator::Multiply => Some(Binary::Multiply),
        BinaryOperator::Divide => Some(Binary::Divide),
        BinaryOperator::And => Some(Binary::And),
        BinaryOperator::Or => Some(Binary::Or),
        BinaryOperator::Eq => Some(Binary::Compare(Comparison::Eq)),
        BinaryOperator::NotEq => Some(Binary::Compare(Comparison::Ne)),
        BinaryOperator::Lt => Some(Binary::Compare(Comparison::Lt)),
        BinaryOperator::LtEq => Some(Binary::Compare(Comparison::Le)),
        BinaryOperator::Gt => Some(Binary::Compare(Comparison::Gt)),
        BinaryOperator::GtEq => Some(Binary::Compare(Comparison::Ge)),
        _ => None,
    }
}

fn not_offered(expr: &SqlExpr) -> Refusal {
    refuse(RefusalCode::Expression, expr, format!("`{expr}` is not offered here")).hint(format!("use keys, aggregates ({AGGREGATES}), numbers, + - * /, comparisons, AND, OR, NOT"))
}
