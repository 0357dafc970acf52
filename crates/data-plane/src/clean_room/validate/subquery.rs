//! `(SELECT subject_id, … FROM … WHERE … GROUP BY subject_id HAVING …)`: one row per person.

use datafusion::sql::sqlparser::ast::{
    DuplicateTreatment, Expr as SqlExpr, Function as SqlFunction, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Query, SelectItem,
};
use domain::catalog::{ColumnName, ColumnType};
use domain::partner_table::PartnerTable;
use domain::question::expr::Expr;
use domain::question::{Field, Fold, PerSubject, RowExpr};
use domain::{Refusal, RefusalCode};

use super::clauses::{Clauses, normalize};
use super::expr::{self, Leaves, Typed};
use super::from::{Names, PERSON, Scope};
use super::literal;
use super::names::{Rows, is_aggregate};
use super::refuse::{clause, refuse};

const FORM: &str = "write (SELECT subject_id, count(*) AS n FROM activity GROUP BY subject_id) AS t";
const FOLDS: &str = "count(*), count(x), count(distinct x), sum(x), avg(x), min(x), max(x)";

/// A column that a subquery makes.
pub(super) struct Column {
    pub(super) name: String,
    pub(super) value: Typed<Field>,
}

/// A subquery.
pub(super) struct Understood {
    pub(super) inner: PerSubject,
    /// Its place among the different subqueries of the question.
    pub(super) place: usize,
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

/// Understands a subquery of a partner who has these tables; `known` are the different ones before it.
pub(super) fn understand(query: &Query, known: &[PerSubject], partner: &[PartnerTable]) -> Result<Understood, Refusal> {
    let names = Names { partner, ..Names::default() };
    let Clauses { scope, projection, selection, group_by, keys: _, having, order_by, limit, offset } = Clauses::of_query(query.clone(), Vec::new(), &names)?;
    if !order_by.is_empty() || limit.is_some() || offset > 0 {
        return Err(clause(query, "ORDER BY or LIMIT in a subquery", FORM));
    }
    scope.private(query)?;
    if !scope.per_subject().is_empty() {
        return Err(clause(query, "a subquery in a subquery", "join both to the same table"));
    }
    match group_by.as_slice() {
        [only] if scope.is_person(only).transpose()? == Some(true) => {}
        _ => return Err(refuse(RefusalCode::Clause, query, "a subquery aggregates per subject: GROUP BY subject_id and nothing else").hint(FORM)),
    }
    let filter = selection.as_ref().map(|condition| expr::condition(&mut Rows(&scope), condition)).transpose()?;
    let inner = PerSubject { tables: scope.tables(), filter: filter.map(own) };
    let place = known.iter().position(|other| *other == inner).unwrap_or(known.len());
    let mut folds = Folds { scope: &scope, place };
    let mut columns: Vec<Column> = Vec::new();
    for item in &projection {
        let (written, alias) = match item {
            SelectItem::UnnamedExpr(written) => (written, None),
            SelectItem::ExprWithAlias { expr, alias } => (expr, Some(normalize(alias))),
            SelectItem::ExprWithAliases { .. } | SelectItem::QualifiedWildcard(..) | SelectItem::Wildcard(_) => {
                return Err(refuse(RefusalCode::RawRows, item, "a subquery makes one row per person").hint(FORM));
            }
        };
        if scope.is_person(written).transpose()? == Some(true) {
            if alias.is_some_and(|alias| alias != PERSON) {
                return Err(refuse(RefusalCode::Identifier, item, "subject_id keeps its name").hint(FORM));
            }
            continue;
        }
        let value = expr::read(&mut folds, written)?;
        let name = alias.or_else(|| function_name(written)).ok_or_else(|| refuse(RefusalCode::Expression, written, "a column of a subquery needs a name").hint("write … AS n"))?;
        if name == PERSON || columns.iter().any(|other| other.name == name) {
            return Err(refuse(RefusalCode::Column, item, format!("two columns of the subquery are called `{name}`")).hint("write … AS another_name"));
        }
        columns.push(Column { name, value });
    }
    let having = having.as_ref().map(|condition| expr::condition(&mut folds, condition)).transpose()?;
    Ok(Understood { inner, place, columns, having })
}

fn function_name(written: &SqlExpr) -> Option<String> {
    match written {
        SqlExpr::Function(function) => Some(function.name.to_string().to_ascii_lowercase()),
        _ => None,
    }
}

/// The expression over the subquery's own columns; it has no others.
fn own(expr: RowExpr) -> Expr<ColumnName> {
    expr.map(&mut |field| match field {
        Field::Column(column) => Expr::Leaf(column),
        Field::Fold(..) => Expr::Constant(domain::question::Value::Null),
    })
}

/// What expressions over one person's rows look up: what is made of all of them.
struct Folds<'a> {
    scope: &'a Scope,
    place: usize,
}

impl Leaves for Folds<'_> {
    type Leaf = Field;

    fn leaf(&mut self, written: &SqlExpr) -> Option<Result<Typed<Field>, Refusal>> {
        match written {
            SqlExpr::Identifier(_) | SqlExpr::CompoundIdentifier(_) => Some(self.scope.field(written).unwrap_or_else(|| Err(self.unknown(written))).and_then(|_| {
                let refusal = refuse(RefusalCode::Expression, written, format!("`{written}` has a value in every row of a person, and the subquery makes one row of all"));
                Err(refusal.hint(format!("aggregate it: {FOLDS}; to use what is known of the person, join `subject` outside the subquery")))
            })),
            SqlExpr::Function(function) if is_aggregate(&function.name.to_string()) => Some(self.fold(written, function)),
            _ => None,
        }
    }

    fn hint(&self) -> String {
        FOLDS.to_owned()
    }
}

impl Folds<'_> {
    fn unknown(&self, written: &SqlExpr) -> Refusal {
        refuse(RefusalCode::Function, written, format!("`{written}` is not offered in a subquery")).hint(format!("use {}", self.hint()))
    }

    fn fold(&self, whole: &SqlExpr, function: &SqlFunction) -> Result<Typed<Field>, Refusal> {
        let SqlFunction { name, uses_odbc_syntax: false, parameters: FunctionArguments::None, args, within_group, filter: None, null_treatment: None, over: None } = function
        else {
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
        let fold = match (name.to_string().to_ascii_lowercase().as_str(), distinct, of.map(|of| own(of.expr))) {
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
        Ok(Typed { expr: Expr::Leaf(Field::Fold(self.place, Box::new(fold))), ty: Some(made) })
    }
}
