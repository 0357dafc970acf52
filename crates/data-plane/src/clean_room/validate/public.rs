//! Keys from a public table: `KEYS TABLE creator`, `KEYS (SELECT name FROM creator WHERE category = 'news')`.
//!
//! # Guarantee
//! Only public tables are read here, whose rows are nobody's: which groups there are follows from the question and
//! from the list that everybody may know.

use datafusion::sql::sqlparser::ast::{Expr as SqlExpr, Query, SelectItem};
use domain::catalog::{ColumnType, TableName};
use domain::creator::Creator;
use domain::question::{Field, PerSubject, RowExpr, Value};
use domain::{CreatorList, Refusal, RefusalCode};

use super::clauses::{Clauses, normalize};
use super::expr::{self, Typed};
use super::literal;
use super::names::Rows;
use super::refuse::{clause, refuse};
use super::relation::{Names, single_name};
use super::tokens::{KeysClause, Written};

const FORM: &str = "write GROUP BY creator.name KEYS (SELECT name FROM creator WHERE category = 'news')";

/// Whether a question looks at the list of creators.
pub(super) fn is_read(clauses: &Clauses) -> bool {
    is_joined(&clauses.scope.tables(), clauses.scope.per_subject()) || clauses.keys.iter().any(|clause| matches!(clause.written, Written::Table(_) | Written::Select(_)))
}

fn is_joined(tables: &[TableName], per_subject: &[PerSubject]) -> bool {
    tables.iter().any(|table| table.is_public()) || per_subject.iter().any(|inner| is_joined(&inner.tables, &inner.per_subject))
}

/// The values that a clause takes from the list for an expression that is grouped by, without null; and what to show as
/// their source.
pub(super) fn values(of: &RowExpr, ty: ColumnType, clause: &KeysClause, creators: &CreatorList) -> Result<(Vec<Value>, SqlExpr), Refusal> {
    let (source, filter, written) = match &clause.written {
        Written::Select(query) => select(query)?,
        Written::Table(name) => {
            let public = single_name(name).filter(|ident| normalize(ident).parse().is_ok_and(TableName::is_public));
            let Some(ident) = public else {
                return Err(refuse(RefusalCode::Table, name, format!("`{name}` is no public table")).hint("public is: creator"));
            };
            let own = own(of).ok_or_else(|| wrong(clause, format!("`{of}` is no column of `{ident}`")).hint(FORM))?;
            (Typed { expr: own, ty: Some(ty) }, None, SqlExpr::Identifier(ident.clone()))
        }
        Written::List(_) | Written::Between(..) | Written::Domain => return Err(wrong(clause, "no table is named".to_owned())),
    };
    if source.ty.is_some_and(|source| source != ty) {
        let message = format!("`{of}` is {}, and the keys are {}", literal::article(ty), source.ty.map_or("NULL", literal::article));
        return Err(wrong(clause, message).hint(FORM));
    }
    let value = |expr: &RowExpr, creator: &Creator| expr.evaluate(&|field| if let Field::Column(column) = field { creator.value(column.name()) } else { Value::Null });
    let holds = |creator: &&Creator| filter.as_ref().is_none_or(|filter| value(filter, creator) == Value::Boolean(true));
    // Whoever is not named any more has no key.
    let values: Vec<Value> = creators.all().iter().filter(holds).map(|creator| value(&source.expr, creator)).filter(|value| *value != Value::Null).collect();
    if values.is_empty() {
        return Err(wrong(clause, "nobody on the list of creators is such a key now".to_owned()).hint("the operator lists creators: fairshare creator add"));
    }
    Ok((values, written))
}

fn wrong(clause: &KeysClause, message: String) -> Refusal {
    Refusal::new(RefusalCode::Clause, message).at(clause.at)
}

/// An expression of columns of the list, if it has no others.
fn own(of: &RowExpr) -> Option<RowExpr> {
    let mut public = true;
    of.leaves(&mut |field| public &= matches!(field, Field::Column(column) if column.table().is_public()));
    public.then(|| of.clone())
}

/// What a `SELECT` asks for, of which rows, and how it is written.
fn select(query: &Query) -> Result<(Typed<Field>, Option<RowExpr>, SqlExpr), Refusal> {
    let Clauses { scope, projection, selection, group_by, keys: _, having, order_by, limit, offset } =
        Clauses::of_query(query.clone(), Vec::new(), Names { ctes: &[], partner: &[] })?;
    if !scope.is_public() {
        let refusal = refuse(RefusalCode::Table, query, "keys are taken from public tables only: which there are in others may give somebody away");
        return Err(refusal.hint(FORM));
    }
    if !group_by.is_empty() || having.is_some() || !order_by.is_empty() || limit.is_some() || offset > 0 {
        return Err(clause(query, "GROUP BY, HAVING, ORDER BY or LIMIT in a list of keys", FORM));
    }
    let [SelectItem::UnnamedExpr(written) | SelectItem::ExprWithAlias { expr: written, .. }] = projection.as_slice() else {
        return Err(refuse(RefusalCode::Expression, query, "keys are one column").hint(FORM));
    };
    let filter = selection.as_ref().map(|condition| expr::condition(&mut Rows(&scope), condition)).transpose()?;
    Ok((expr::read(&mut Rows(&scope), written)?, filter, written.clone()))
}
