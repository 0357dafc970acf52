//! `SELECT`, `GROUP BY`, `HAVING`, `ORDER BY`: which aggregates are paid for, and what is made of
//! the released numbers.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DuplicateTreatment, Expr as SqlExpr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, OrderByExpr, OrderByOptions, SelectItem,
    UnaryOperator,
};
use domain::catalog::{ColumnName, SumContract};
use domain::question::{Aggregate, Average, Binary, Comparison, Expr, Key, Narrowing, OrderBy, PlanLimits, Unary, Value, View, ViewColumn};
use domain::{Refusal, RefusalCode};

use super::bounds;
use super::clauses::{Clauses, normalize};
use super::from::Scope;
use super::literal;
use super::refuse::{place, refuse};

const AGGREGATES: &str = "count(*), count(distinct subject_id), sum(column), avg(column)";

/// `GROUP BY 1` and `ORDER BY 2` mean output columns.
pub(super) fn ordinal<'a>(expr: &SqlExpr, projection: &'a [SelectItem]) -> Result<Option<&'a SqlExpr>, Refusal> {
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
    pub(super) fn of(clauses: &Clauses, keys: &[Key], narrowing: &Narrowing) -> Result<Self, Refusal> {
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
        let columns = with_parts(columns);
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
        Expr::Average(Average { sum, count, .. }) => [sum, count].into_iter().for_each(|i| *i = moved.get(*i).copied().unwrap_or(*i)),
        Expr::Key(_) | Expr::Constant(_) => {}
        Expr::Unary(_, x) => renumber(x, moved),
        Expr::Binary(_, a, b) => {
            renumber(a, moved);
            renumber(b, moved);
        }
    }
}

/// The columns, with the parts of each average after it: they were paid for. Names that the question
/// gave stay.
fn with_parts(mut columns: Vec<ViewColumn>) -> Vec<ViewColumn> {
    let mut place = 0;
    while let Some(ViewColumn { name, expr }) = columns.get(place) {
        place += 1;
        let Expr::Average(Average { sum, count, .. }) = expr else { continue };
        for (wanted, part) in [(format!("{name}_centered_sum"), *sum), (format!("{name}_count"), *count)] {
            let name = unique_name(wanted, &columns);
            columns.insert(place, ViewColumn { name, expr: Expr::Aggregate(part) });
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
    keys: &'a [Key],
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
        if let (Expr::Key(i), Expr::Constant(value)) = (key, &mut *constant)
            && let Some(column) = self.keys.get(*i).map(|key| key.column.column())
        {
            let coerced = literal::coerce(value.clone(), column.ty);
            *value = coerced.map_err(|hint| {
                refuse(RefusalCode::Type, written, format!("`{}` is {} and cannot be compared with `{written}`", column.name, literal::article(column.ty))).hint(hint)
            })?;
        }
        Ok(())
    }

    fn key(&self, expr: &SqlExpr) -> Result<Expr, Refusal> {
        let column = self.scope.open_column(expr).unwrap_or_else(|| Err(not_offered(expr)))?;
        self.keys.iter().position(|key| key.column == column).map(Expr::Key).ok_or_else(|| {
            refuse(RefusalCode::RawRows, expr, format!("`{}` of single rows is never shown", column.name())).hint(format!("GROUP BY {} or aggregate: {AGGREGATES}", column.name()))
        })
    }

    /// The place of an aggregate among the paid ones: equal ones are paid for once.
    fn pay(&mut self, aggregate: Aggregate) -> usize {
        self.paid.iter().position(|a| *a == aggregate).unwrap_or_else(|| {
            self.paid.push(aggregate);
            self.paid.len() - 1
        })
    }

    fn aggregate(&mut self, function: &Function, whole: &SqlExpr) -> Result<Expr, Refusal> {
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
            ("count", false, FunctionArgExpr::Wildcard) => Ok(Expr::Aggregate(self.pay(Aggregate::CountRows))),
            ("count", true, FunctionArgExpr::Expr(expr)) => match self.scope.column(expr) {
                Some(Ok(column)) if column.name() == "subject_id" => Ok(Expr::Aggregate(self.pay(Aggregate::CountSubjects))),
                Some(Err(refusal)) => Err(refusal),
                _ => Err(refuse(RefusalCode::Function, whole, "count(distinct …) is offered for subject_id only").hint("count(distinct subject_id) counts people")),
            },
            ("count", false, FunctionArgExpr::Expr(_)) => Err(unknown().hint("count rows with count(*), people with count(distinct subject_id)")),
            ("sum", false, FunctionArgExpr::Expr(expr)) => {
                let (column, contract) = self.summable(expr, whole, "sum")?;
                let sum = bounds::sum(column, contract, self.narrowing).map_err(|refusal| refusal.at(place(whole)))?;
                Ok(Expr::Aggregate(self.pay(sum)))
            }
            ("avg", false, FunctionArgExpr::Expr(expr)) => {
                let (column, contract) = self.summable(expr, whole, "avg")?;
                let [sum, count] = bounds::average(column, contract, self.narrowing).map_err(|refusal| refusal.at(place(whole)))?;
                let (low, high) = sum.value_range().unwrap_or(contract.values);
                Ok(Expr::Average(Average { sum: self.pay(sum), count: self.pay(count), low, high }))
            }
            _ => Err(unknown()),
        }
    }

    /// A column that can be summed and averaged, with its contract.
    fn summable(&self, expr: &SqlExpr, whole: &SqlExpr, function: &str) -> Result<(ColumnName, &'static SumContract), Refusal> {
        let hint = || {
            let names: Vec<_> = self.scope.columns().filter(|c| c.column().sum.is_some()).map(ColumnName::name).collect();
            if names.is_empty() { "only `activity` has columns to sum".to_owned() } else { format!("columns that can be summed and averaged: {}", names.join(", ")) }
        };
        let column =
            self.scope.open_column(expr).unwrap_or_else(|| Err(refuse(RefusalCode::Expression, whole, format!("{function} takes one column, not `{expr}`")).hint(hint())))?;
        let contract = column.column().sum.as_ref().ok_or_else(|| refuse(RefusalCode::Type, whole, format!("`{}` has no {function}", column.name())).hint(hint()))?;
        Ok((column, contract))
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
