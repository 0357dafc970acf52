//! `GROUP BY`: the columns, and which of their values are public.

use datafusion::sql::sqlparser::ast::Expr;
use domain::catalog::{Calendar, ColumnName, ColumnType, Domain};
use domain::question::{Key, KeyValues, PlanLimits, Value};
use domain::{Refusal, RefusalCode};

use super::clauses::Clauses;
use super::literal;
use super::output::ordinal;
use super::refuse::refuse;
use super::tokens::{KeysClause, Written};

/// The columns grouped by, sorted: `GROUP BY a, b` and `GROUP BY b, a` are one question.
pub(super) fn keys(clauses: &Clauses) -> Result<Vec<Key>, Refusal> {
    let mut keys: Vec<Key> = Vec::new();
    for (item, expr) in clauses.group_by.iter().enumerate() {
        let column = column(expr, clauses)?;
        let clause = clauses.keys.iter().find(|clause| clause.item == item);
        let values = clause.map_or(Ok(KeyValues::Unknown), |clause| listed(column, clause))?;
        match keys.iter().find(|key| key.column == column) {
            Some(other) if other.values == values => {}
            Some(_) => return Err(refuse(RefusalCode::Expression, expr, format!("`{}` is grouped by twice, with different keys", column.name())).hint("write the column once")),
            None => keys.push(Key { column, values }),
        }
    }
    if keys.len() > PlanLimits::KEYS {
        return Err(Refusal::new(RefusalCode::Limit, format!("more than {} columns to group by", PlanLimits::KEYS)));
    }
    keys.sort_by_key(|key| key.column);
    settle(keys, clauses.keys.first())
}

fn column(expr: &Expr, clauses: &Clauses) -> Result<ColumnName, Refusal> {
    let target = ordinal(expr, &clauses.projection)?.unwrap_or(expr);
    let column = clauses.scope.open_column(target).unwrap_or_else(|| {
        Err(refuse(RefusalCode::Expression, expr, format!("`{expr}` is not offered in GROUP BY")).hint("group by columns: day, week, month, hour and weekday are columns"))
    })?;
    if matches!(column.column().ty, ColumnType::Timestamp | ColumnType::Float) {
        return Err(refuse(RefusalCode::Type, expr, format!("`{}` has too many values to group by", column.name())).hint("group by day, week, month, hour or weekday"));
    }
    Ok(column)
}

/// Decides once for all keys whether the groups are public: they are when every key is and the list of
/// all combinations is not too long. Otherwise a public list of all values says nothing.
fn settle(mut keys: Vec<Key>, first: Option<&KeysClause>) -> Result<Vec<Key>, Refusal> {
    let all_values = |key: &Key| match &key.values {
        KeyValues::Unknown => KeyValues::of_domain(key.column),
        KeyValues::Domain | KeyValues::Listed(_) => key.public_values(),
    };
    let product = |of: &dyn Fn(&Key) -> Option<Vec<Value>>| keys.iter().filter_map(of).try_fold(1_usize, |product, values| product.checked_mul(values.len()));
    let fits = |product: Option<usize>| product.is_some_and(|groups| groups <= PlanLimits::PUBLIC_KEYS);
    let public = keys.iter().all(|key| all_values(key).is_some());
    // What is written must fit, also where other keys are unknown.
    let written = if public { product(&all_values) } else { product(&Key::public_values) };
    if let (Some(first), false) = (first, fits(written)) {
        let message = format!("the keys make more than {} combinations", PlanLimits::PUBLIC_KEYS);
        return Err(Refusal::new(RefusalCode::Limit, message).at(first.at).hint("shorten the lists, or ask in parts"));
    }
    let public = public && fits(written);
    for key in &mut keys {
        match &key.values {
            KeyValues::Unknown if public => key.values = KeyValues::Domain,
            KeyValues::Domain if !public => key.values = KeyValues::Unknown,
            KeyValues::Unknown | KeyValues::Domain | KeyValues::Listed(_) => {}
        }
    }
    Ok(keys)
}

/// The keys that a clause names.
fn listed(column: ColumnName, clause: &KeysClause) -> Result<KeyValues, Refusal> {
    let name = column.name();
    let wrong = |code, message: String| Refusal::new(code, message).at(clause.at);
    match &clause.written {
        Written::Domain if column.column().domain.is_some() => Ok(KeyValues::Domain),
        Written::Domain => Err(wrong(RefusalCode::Clause, format!("the values of `{name}` are not public")).hint(format!("list those that you ask about: {name} KEYS (…)"))),
        Written::List(items) => {
            let values = items.iter().map(|item| literal::of_column(item, column.column()).and_then(|value| possible(value, item, column)));
            Ok(KeyValues::listed(values.collect::<Result<_, _>>()?, column))
        }
        Written::Between(low, high) => {
            let (from, to) = (literal::of_column(low, column.column())?, literal::of_column(high, column.column())?);
            // One more than fits is enough to refuse.
            let most = PlanLimits::PUBLIC_KEYS + 1;
            let values: Vec<Value> = match (from, to) {
                (Value::Date(from), Value::Date(to)) => {
                    let calendar = column.column().calendar.unwrap_or(Calendar::Days);
                    from.iter_days().take_while(|day| *day <= to).filter(|day| calendar.has(*day)).take(most).map(Value::Date).collect()
                }
                (Value::Integer(from), Value::Integer(to)) => (from..=to).take(most).map(Value::Integer).collect(),
                (Value::Null, _) | (_, Value::Null) => return Err(wrong(RefusalCode::Type, "KEYS BETWEEN has no end that is NULL".to_owned()).hint("list NULL: KEYS (…, NULL)")),
                _ => {
                    let message = format!("KEYS BETWEEN is offered for days and whole numbers, and `{name}` is {}", literal::article(column.column().ty));
                    return Err(wrong(RefusalCode::Type, message).hint(format!("list the values: {name} KEYS (…)")));
                }
            };
            if values.is_empty() {
                return Err(wrong(RefusalCode::Clause, format!("no value of `{name}` is between {low} and {high}")).hint("write the lower end first"));
            }
            let values = values.into_iter().map(|value| possible(value, low, column));
            Ok(KeyValues::listed(values.collect::<Result<_, _>>()?, column))
        }
    }
}

/// The value, if the column can have it at all: a misspelt key would be an empty group for ever.
fn possible(value: Value, written: &Expr, column: ColumnName) -> Result<Value, Refusal> {
    let name = column.name();
    let wrong = |message: String| refuse(RefusalCode::Type, written, message);
    let catalog = column.column();
    if value == Value::Null {
        return if catalog.nullable { Ok(value) } else { Err(wrong(format!("`{name}` is never empty")).hint("leave out NULL")) };
    }
    if let Some(domain) = catalog.domain
        && !domain.values().contains(&value)
    {
        let hint = match domain {
            Domain::Words(words) => words.join(", "),
            Domain::Range(low, high) => format!("{low} to {high}"),
        };
        return Err(wrong(format!("`{value}` is not a value of `{name}`")).hint(format!("its values: {hint}")));
    }
    match (&value, catalog.calendar) {
        (Value::Date(day), Some(calendar)) if !calendar.has(*day) => {
            let holds = if calendar == Calendar::Weeks { "Mondays, which stand for their week" } else { "first days, which stand for their month" };
            Err(wrong(format!("`{name}` holds {holds}, and {day} is none")).hint(format!("write {name} KEYS BETWEEN … AND … for all in a range")))
        }
        _ => Ok(value),
    }
}
