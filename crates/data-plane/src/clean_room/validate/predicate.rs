//! `WHERE`: a condition on one row, made of comparisons with constants.

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, UnaryOperator, Value as SqlValue, ValueWithSpan};
use domain::catalog::{ColumnName, ColumnType};
use domain::question::{Comparison, Predicate, Value};
use domain::{Refusal, RefusalCode};

use super::from::Scope;
use super::literal;
use super::refuse::refuse;

const HINT: &str = "combine comparisons of a column with constants: =, <>, <, <=, >, >=, BETWEEN, IN (…), LIKE, IS NULL, with AND, OR, NOT";

/// The condition that `expr` states.
pub(super) fn predicate(expr: &Expr, scope: &Scope) -> Result<Predicate, Refusal> {
    match expr {
        Expr::Nested(inner) => predicate(inner, scope),
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => Ok(Predicate::Not(Box::new(predicate(expr, scope)?))),
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => Ok(Predicate::And(vec![predicate(left, scope)?, predicate(right, scope)?])),
        Expr::BinaryOp { left, op: BinaryOperator::Or, right } => Ok(Predicate::Or(vec![predicate(left, scope)?, predicate(right, scope)?])),
        Expr::BinaryOp { left, op, right } => match comparison(op) {
            Some(op) => compare(expr, left, op, right, scope),
            None => Err(not_offered(expr)),
        },
        Expr::Between { expr: tested, negated, low, high } => {
            let column = tested_column(tested, scope)?;
            let within = Predicate::And(vec![constant_compare(column, Comparison::Ge, low)?, constant_compare(column, Comparison::Le, high)?]);
            Ok(negate_if(*negated, within))
        }
        Expr::InList { expr: tested, list, negated } => {
            let column = tested_column(tested, scope)?;
            in_list(column, list).map(|p| negate_if(*negated, p))
        }
        Expr::IsNull(tested) => Ok(Predicate::IsNull { column: tested_column(tested, scope)? }),
        Expr::IsNotNull(tested) => Ok(Predicate::Not(Box::new(Predicate::IsNull { column: tested_column(tested, scope)? }))),
        Expr::Like { negated, any: false, expr: tested, pattern, escape_char: None } => like(tested, pattern, scope).map(|p| negate_if(*negated, p)),
        Expr::Value(ValueWithSpan { value: SqlValue::Boolean(truth), .. }) => Ok(Predicate::Constant(Some(*truth))),
        Expr::Value(ValueWithSpan { value: SqlValue::Null, .. }) => Ok(Predicate::Constant(None)),
        other => Err(not_offered(other)),
    }
}

fn not_offered(expr: &Expr) -> Refusal {
    refuse(RefusalCode::Expression, expr, format!("`{expr}` is not offered as a condition")).hint(HINT)
}

const fn comparison(op: &BinaryOperator) -> Option<Comparison> {
    match op {
        BinaryOperator::Eq => Some(Comparison::Eq),
        BinaryOperator::NotEq => Some(Comparison::Ne),
        BinaryOperator::Lt => Some(Comparison::Lt),
        BinaryOperator::LtEq => Some(Comparison::Le),
        BinaryOperator::Gt => Some(Comparison::Gt),
        BinaryOperator::GtEq => Some(Comparison::Ge),
        _ => None,
    }
}

fn compare(whole: &Expr, left: &Expr, op: Comparison, right: &Expr, scope: &Scope) -> Result<Predicate, Refusal> {
    match (scope.open_column(left), scope.open_column(right)) {
        (Some(column), None) => constant_compare(column?, op, right),
        (None, Some(column)) => constant_compare(column?, op.flip(), left),
        (Some(left), Some(right)) => {
            left?;
            right?;
            Err(refuse(RefusalCode::Expression, whole, "a column can be compared with a constant, not with another column").hint(HINT))
        }
        (None, None) => Err(not_offered(whole)),
    }
}

fn tested_column(expr: &Expr, scope: &Scope) -> Result<ColumnName, Refusal> {
    scope.open_column(expr).unwrap_or_else(|| Err(not_offered(expr)))
}

/// A comparison with NULL is neither true nor false.
fn constant_compare(column: ColumnName, op: Comparison, constant: &Expr) -> Result<Predicate, Refusal> {
    Ok(match literal::of_column(constant, column.column())? {
        Value::Null => Predicate::Constant(None),
        value => Predicate::Compare { column, op, value },
    })
}

/// `x IN (a, NULL)` is true when x = a and otherwise unknown, which is what the disjunction says.
fn in_list(column: ColumnName, list: &[Expr]) -> Result<Predicate, Refusal> {
    let mut values = Vec::with_capacity(list.len());
    let mut has_null = false;
    for item in list {
        match literal::of_column(item, column.column())? {
            Value::Null => has_null = true,
            value => values.push(value),
        }
    }
    let found = if values.is_empty() { Predicate::Constant(Some(false)) } else { Predicate::In { column, values } };
    Ok(if has_null { Predicate::Or(vec![found, Predicate::Constant(None)]) } else { found })
}

fn like(tested: &Expr, pattern: &Expr, scope: &Scope) -> Result<Predicate, Refusal> {
    let column = tested_column(tested, scope)?;
    if column.column().ty != ColumnType::Text {
        let message = format!("LIKE tests text, and `{}` is {}", column.name(), literal::article(column.column().ty));
        return Err(refuse(RefusalCode::Type, tested, message));
    }
    match literal::of_column(pattern, column.column())? {
        Value::Text(text) if text.contains('\\') => {
            Err(refuse(RefusalCode::Expression, pattern, "a backslash in a pattern is not offered").hint("% stands for any run of characters and _ for any one"))
        }
        Value::Text(pattern) => Ok(Predicate::Like { column, pattern }),
        Value::Null | Value::Boolean(_) | Value::Integer(_) | Value::Float(_) | Value::Date(_) | Value::Timestamp(_) => Ok(Predicate::Constant(None)),
    }
}

fn negate_if(negated: bool, predicate: Predicate) -> Predicate {
    if negated { Predicate::Not(Box::new(predicate)) } else { predicate }
}
