//! `(SELECT subject_id, … FROM … WHERE … GROUP BY subject_id, … HAVING …)`: one row per person, or one for each
//! combination of keys that they have.

use datafusion::sql::sqlparser::ast::{
    DuplicateTreatment, Expr as SqlExpr, Function as SqlFunction, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Query, SelectItem,
};
use domain::catalog::{ColumnType, ROWS_OF_SUBQUERY};
use domain::question::expr::Expr;
use domain::question::{Field, Fold, PerSubject, PlanLimits, RowExpr, Value};
use domain::{Refusal, RefusalCode};

use super::aggregate::filtered;
use super::clauses::{Clauses, normalize};
use super::expr::{self, Leaves, Typed};
use super::keys;
use super::literal;
use super::names::{Rows, is_aggregate};
use super::refuse::{clause, refuse};
use super::relation::{Names, PERSON};
use super::scope::Scope;

/// A subquery with one row per person.
pub(super) const ONE_ROW: &str = "(SELECT subject_id, count(*) AS n FROM activity GROUP BY subject_id) AS t";
const FORM: &str = "write (SELECT subject_id, count(*) AS n FROM activity GROUP BY subject_id) AS t";
const FOLDS: &str = "count(*), count(x), count(distinct x), sum(x), avg(x), min(x), max(x)";

/// A column that a subquery makes.
#[derive(Clone)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) value: Typed<Field>,
}

/// A subquery. Its columns name it by the place 0.
#[derive(Clone)]
pub(super) struct Understood {
    pub(super) inner: PerSubject,
    pub(super) columns: Vec<Column>,
    pub(super) having: Option<RowExpr>,
}

/// The expression with its subqueries at their new places.
pub(super) fn renumbered(expr: RowExpr, moved: &[usize]) -> RowExpr {
    expr.map(&mut |field| {
        Expr::Leaf(match field {
            Field::Fold(place, fold) => Field::Fold(moved.get(place).copied().unwrap_or(place), fold),
            field @ Field::Column(_) => field,
        })
    })
}

/// Understands a subquery, which may use `names`.
pub(super) fn understand(query: &Query, names: Names<'_>) -> Result<Understood, Refusal> {
    let Clauses { scope, projection, selection, group_by, keys: _, having, order_by, limit, offset } = Clauses::of_query(query.clone(), Vec::new(), names)?;
    if !order_by.is_empty() || limit.is_some() || offset > 0 {
        return Err(clause(query, "ORDER BY or LIMIT in a subquery", FORM));
    }
    scope.private(query)?;
    let keys = keys(&group_by, &scope, &projection, query)?;
    let mut folds = Folds { scope: &scope, keys: &keys };
    let mut columns: Vec<Column> = Vec::new();
    for item in &projection {
        let (written, alias) = match item {
            SelectItem::UnnamedExpr(written) => (written, None),
            SelectItem::ExprWithAlias { expr, alias } => (expr, Some(normalize(alias))),
            SelectItem::ExprWithAliases { .. } | SelectItem::QualifiedWildcard(..) | SelectItem::Wildcard(_) => {
                return Err(refuse(RefusalCode::RawRows, item, "a subquery aggregates the rows of a person").hint(FORM));
            }
        };
        if scope.is_person(written).transpose()? == Some(true) {
            if alias.is_some_and(|alias| alias != PERSON) {
                return Err(refuse(RefusalCode::Identifier, item, "subject_id keeps its name").hint(FORM));
            }
            continue;
        }
        let value = expr::read(&mut folds, written)?;
        if value.expr.whole_size() > PlanLimits::EXPRESSION_SIZE {
            let message = format!("the column and what it is made of are larger than {} parts", PlanLimits::EXPRESSION_SIZE);
            return Err(refuse(RefusalCode::Limit, written, message).hint("shorten it"));
        }
        let name = alias.or_else(|| own_name(written)).ok_or_else(|| refuse(RefusalCode::Expression, written, "a column of a subquery needs a name").hint("write … AS n"))?;
        if name == PERSON || columns.iter().any(|other| other.name == name) {
            return Err(refuse(RefusalCode::Column, item, format!("two columns of the subquery are called `{name}`")).hint("write … AS another_name"));
        }
        columns.push(Column { name, value });
    }
    let having = having.as_ref().map(|condition| expr::condition(&mut folds, condition)).transpose()?;
    let rows = if keys.is_empty() { 1 } else { ROWS_OF_SUBQUERY };
    let filter = super::filter(selection.as_ref(), &scope)?;
    let inner = PerSubject {
        tables: scope.tables(),
        per_subject: scope.per_subject().to_vec(),
        filter,
        keys: keys.into_iter().map(|key| key.expr).collect(),
        rows,
        contract: scope.contract(),
    };
    Ok(Understood { inner, columns, having })
}

/// What is grouped by besides the person, sorted.
fn keys(group_by: &[SqlExpr], scope: &Scope, projection: &[SelectItem], query: &Query) -> Result<Vec<Typed<Field>>, Refusal> {
    let mut per_person = false;
    let mut keys: Vec<Typed<Field>> = Vec::new();
    for written in group_by {
        let target = keys::target(written, scope, projection)?;
        if scope.is_person(target).transpose()? == Some(true) {
            per_person = true;
            continue;
        }
        let (expr, ty) = keys::read(target, written, scope)?;
        if keys.iter().all(|other| other.expr != expr) {
            keys.push(Typed { expr, ty: Some(ty) });
        }
    }
    if !per_person {
        return Err(refuse(RefusalCode::Clause, query, "a subquery aggregates per subject: GROUP BY subject_id, and by more if you like").hint(FORM));
    }
    if keys.len() > PlanLimits::KEYS {
        return Err(refuse(RefusalCode::Limit, query, format!("more than {} keys to group by", PlanLimits::KEYS)).hint("group by fewer"));
    }
    keys.sort_by_cached_key(|key| serde_json::to_string(&key.expr).unwrap_or_default());
    Ok(keys)
}

/// The name of a column that is given none.
fn own_name(written: &SqlExpr) -> Option<String> {
    match written {
        SqlExpr::Function(function) => Some(function.name.to_string().to_ascii_lowercase()),
        SqlExpr::Identifier(ident) => Some(normalize(ident)),
        SqlExpr::CompoundIdentifier(parts) => parts.last().map(normalize),
        _ => None,
    }
}

/// What expressions over one person's rows look up: what is made of all of them.
struct Folds<'a> {
    scope: &'a Scope,
    keys: &'a [Typed<Field>],
}

impl Leaves for Folds<'_> {
    type Leaf = Field;

    fn leaf(&mut self, written: &SqlExpr) -> Option<Result<Typed<Field>, Refusal>> {
        if let Some(key) = self.key(written) {
            return Some(Ok(key));
        }
        match written {
            SqlExpr::Identifier(_) | SqlExpr::CompoundIdentifier(_) => Some(self.scope.field(written).unwrap_or_else(|| Err(self.unknown(written))).and_then(|_| {
                let refusal = refuse(RefusalCode::Expression, written, format!("`{written}` has a value in every row of a person, and the subquery makes one row of many"));
                Err(refusal.hint(format!("aggregate it: {FOLDS}; or group by it as well")))
            })),
            SqlExpr::Function(function) if is_aggregate(&function.name.to_string()) => Some(self.fold(written, function)),
            _ => None,
        }
    }

    fn hint(&self) -> String {
        if self.keys.is_empty() { FOLDS.to_owned() } else { format!("its keys, {FOLDS}") }
    }
}

impl Folds<'_> {
    /// The key that an expression is, if it is one.
    fn key(&self, written: &SqlExpr) -> Option<Typed<Field>> {
        let found = if self.keys.is_empty() { None } else { expr::read(&mut Rows(self.scope), written).ok() };
        let key = self.keys.iter().find(|key| found.as_ref().is_some_and(|found| found.expr == key.expr))?;
        Some(Typed { expr: Expr::Leaf(Field::Fold(0, Box::new(Fold::Key(key.expr.clone())))), ty: key.ty })
    }

    fn unknown(&self, written: &SqlExpr) -> Refusal {
        refuse(RefusalCode::Function, written, format!("`{written}` is not offered in a subquery")).hint(format!("use {}", self.hint()))
    }

    fn fold(&self, whole: &SqlExpr, function: &SqlFunction) -> Result<Typed<Field>, Refusal> {
        let SqlFunction { name, uses_odbc_syntax: false, parameters: FunctionArguments::None, args, within_group, filter, null_treatment: None, over: None } = function else {
            return Err(self.unknown(whole));
        };
        let FunctionArguments::List(FunctionArgumentList { duplicate_treatment, args, clauses }) = args else { return Err(self.unknown(whole)) };
        let ([FunctionArg::Unnamed(argument)], true) = (args.as_slice(), clauses.is_empty() && within_group.is_empty()) else { return Err(self.unknown(whole)) };
        let distinct = *duplicate_treatment == Some(DuplicateTreatment::Distinct);
        let argument = match argument {
            FunctionArgExpr::Wildcard => None,
            FunctionArgExpr::Expr(written) => Some(written),
            _ => return Err(self.unknown(whole)),
        };
        let of = argument.map(|written| expr::read(&mut Rows(self.scope), written)).transpose()?;
        let ty = of.as_ref().map_or(Some(ColumnType::Integer), |of| of.ty);
        let of = match (of, filter) {
            (of, None) => of.map(|of| of.expr),
            (of, Some(filter)) => {
                let filter = expr::condition(&mut Rows(self.scope), filter)?;
                Some(filtered(of.map_or(Expr::Constant(Value::Integer(1)), |of| of.expr), Some(filter)))
            }
        };
        let fold = match (name.to_string().to_ascii_lowercase().as_str(), distinct, of) {
            ("count", false, None) => Fold::CountRows,
            ("count", false, Some(of)) => Fold::Count(of),
            ("count", true, Some(of)) => Fold::CountDistinct(of),
            ("sum", false, Some(of)) => Fold::Sum(of),
            ("avg", false, Some(of)) => Fold::Average(of),
            ("min", false, Some(of)) => Fold::Min(of),
            ("max", false, Some(of)) => Fold::Max(of),
            _ => return Err(self.unknown(whole)),
        };
        let made = ty.and_then(|ty| fold.ty(ty)).ok_or_else(|| {
            let message = format!("`{whole}` cannot be made of {}", ty.map_or("NULL", literal::article));
            refuse(RefusalCode::Type, whole, message).hint("sum and avg take numbers; min and max take numbers, days and instants")
        })?;
        Ok(Typed { expr: Expr::Leaf(Field::Fold(0, Box::new(fold))), ty: Some(made) })
    }
}
