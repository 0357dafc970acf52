//! `GROUP BY`: the columns, and which of their values are public.

use datafusion::sql::sqlparser::ast::{Expr as SqlExpr, SelectItem};
use domain::catalog::{Calendar, ColumnType, Domain};
use domain::question::expr::{Expr, Function};
use domain::question::{Field, Key, KeyValues, PlanLimits, RowExpr, Value};
use domain::{CreatorList, Refusal, RefusalCode};

use super::clauses::{Clauses, normalize};
use super::expr::{self, Typed};
use super::literal;
use super::names::Rows;
use super::output::ordinal;
use super::public;
use super::refuse::{clause, place, refuse, shortened};
use super::scope::Scope;
use super::tokens::{KeysClause, Written};

/// A key and its type.
pub(super) struct TypedKey {
    pub(super) key: Key,
    pub(super) ty: ColumnType,
}

/// What is grouped by, sorted: `GROUP BY a, b` and `GROUP BY b, a` are one question.
pub(super) fn keys(clauses: &Clauses, creators: &CreatorList) -> Result<Vec<TypedKey>, Refusal> {
    let mut keys: Vec<TypedKey> = Vec::new();
    for (item, written) in clauses.group_by.iter().enumerate() {
        let (of, ty) = read(target(written, &clauses.scope, &clauses.projection)?, written, &clauses.scope)?;
        let clause = clauses.keys.iter().find(|clause| clause.item == item);
        let values = clause.map_or(Ok(KeyValues::Unknown), |clause| listed(&of, ty, clause, creators))?;
        match keys.iter().find(|other| other.key.of == of) {
            Some(other) if other.key.values == values => {}
            Some(_) => return Err(refuse(RefusalCode::Expression, written, format!("`{of}` is grouped by twice, with different keys")).hint("write it once")),
            None => keys.push(TypedKey { key: Key { of, values }, ty }),
        }
    }
    if keys.len() > PlanLimits::KEYS {
        let last = clauses.group_by.last().and_then(place);
        return Err(Refusal::new(RefusalCode::Limit, format!("more than {} keys to group by", PlanLimits::KEYS)).at(last).hint("group by fewer, or ask in parts"));
    }
    keys.sort_by_cached_key(|key| serde_json::to_string(&key.key.of).unwrap_or_default());
    settle(keys, clauses.keys.first())
}

/// What an item of `GROUP BY` means: an output column by its number or name, or what is written.
pub(super) fn target<'a>(written: &'a SqlExpr, scope: &Scope, projection: &'a [SelectItem]) -> Result<&'a SqlExpr, Refusal> {
    Ok(ordinal(written, projection)?.or_else(|| named(written, scope, projection)).unwrap_or(written))
}

/// Reads what rows are grouped by: a column or an expression.
pub(super) fn read(target: &SqlExpr, written: &SqlExpr, scope: &Scope) -> Result<(RowExpr, ColumnType), Refusal> {
    if matches!(target, SqlExpr::Rollup(_) | SqlExpr::Cube(_) | SqlExpr::GroupingSets(_)) {
        return Err(clause(written, "ROLLUP, CUBE or GROUPING SETS", "ask one question per grouping"));
    }
    let Typed { expr: of, ty } = expr::read(&mut Rows(scope), target)?;
    let constant = |of: &RowExpr| {
        let mut constant = true;
        of.leaves(&mut |_| constant = false);
        constant
    };
    let Some(ty) = ty.filter(|_| !constant(&of)) else {
        return Err(refuse(RefusalCode::Expression, written, format!("`{written}` is the same for every row")).hint("leave it out of GROUP BY"));
    };
    if matches!(ty, ColumnType::Timestamp | ColumnType::Float) {
        let hint = "group by day, week, month, hour or weekday, or by width_bucket(x, low, high, parts)";
        return Err(refuse(RefusalCode::Type, written, format!("`{written}` has too many values to group by")).hint(hint));
    }
    Ok((of, ty))
}

/// The output column that a name means, where it means no column of a table.
fn named<'a>(written: &SqlExpr, scope: &Scope, projection: &'a [SelectItem]) -> Option<&'a SqlExpr> {
    let SqlExpr::Identifier(ident) = written else { return None };
    // A column of a table goes before, also one that cannot be grouped by.
    if !scope.field(written).is_some_and(|field| field.is_err_and(|refusal| refusal.code == RefusalCode::Column)) {
        return None;
    }
    projection.iter().find_map(|item| match item {
        SelectItem::ExprWithAlias { expr, alias } if normalize(alias) == normalize(ident) => Some(expr),
        _ => None,
    })
}

/// Decides once for all keys whether the groups are public: they are when every key is and the list of
/// all combinations is not too long. Otherwise a public list of all values says nothing.
fn settle(mut keys: Vec<TypedKey>, first: Option<&KeysClause>) -> Result<Vec<TypedKey>, Refusal> {
    let all_values = |key: &Key| match &key.values {
        KeyValues::Unknown => KeyValues::of_domain(&key.of),
        KeyValues::Domain | KeyValues::Listed(_) => key.public_values(),
    };
    let product = |of: &dyn Fn(&Key) -> Option<Vec<Value>>| keys.iter().filter_map(|key| of(&key.key)).try_fold(1_usize, |product, values| product.checked_mul(values.len()));
    let fits = |product: Option<usize>| product.is_some_and(|groups| groups <= PlanLimits::PUBLIC_KEYS);
    let public = keys.iter().all(|key| all_values(&key.key).is_some());
    // What is written must fit, also where other keys are unknown.
    let written = if public { product(&all_values) } else { product(&Key::public_values) };
    if let (Some(first), false) = (first, fits(written)) {
        let message = format!("the keys make more than {} combinations", PlanLimits::PUBLIC_KEYS);
        return Err(Refusal::new(RefusalCode::Limit, message).at(first.at).hint("shorten the lists, or ask in parts"));
    }
    let public = public && fits(written);
    for TypedKey { key, .. } in &mut keys {
        match &key.values {
            KeyValues::Unknown if public => key.values = KeyValues::Domain,
            KeyValues::Domain if !public => key.values = KeyValues::Unknown,
            KeyValues::Unknown | KeyValues::Domain | KeyValues::Listed(_) => {}
        }
    }
    Ok(keys)
}

/// Which days an expression can hold.
fn calendar(of: &RowExpr) -> Option<Calendar> {
    match of {
        Expr::Leaf(field) => field.calendar(),
        _ => None,
    }
}

/// Days between the ends of a range of keys, at most: enough for as many months as there can be groups.
const DAYS_MAX: i64 = 310_000;

/// The keys that a clause names.
fn listed(of: &RowExpr, ty: ColumnType, clause: &KeysClause, creators: &CreatorList) -> Result<KeyValues, Refusal> {
    let wrong = |code, message: String| Refusal::new(code, message).at(clause.at);
    let domain = KeyValues::of_domain(of);
    let possible = |value, written| possible(value, written, of, domain.as_deref());
    match &clause.written {
        Written::Domain if domain.is_some() => Ok(KeyValues::Domain),
        Written::Domain => Err(wrong(RefusalCode::Clause, format!("the values of `{of}` are not public")).hint(format!("list those that you ask about: {of} KEYS (…)"))),
        Written::Table(_) | Written::Select(_) => {
            let (values, written) = public::values(of, ty, clause, creators)?;
            let values = values.into_iter().map(|value| possible(value, &written));
            Ok(KeyValues::listed(values.collect::<Result<_, _>>()?, of))
        }
        Written::List(items) => {
            let values = items.iter().map(|item| literal::of_type(item, &of.to_string(), ty).and_then(|value| possible(value, item)));
            Ok(KeyValues::listed(values.collect::<Result<_, _>>()?, of))
        }
        Written::Between(low, high) => {
            let (from, to) = (literal::of_type(low, &of.to_string(), ty)?, literal::of_type(high, &of.to_string(), ty)?);
            // One more than fits is enough to be refused.
            let most = PlanLimits::PUBLIC_KEYS + 1;
            let values: Vec<Value> = match (from, to) {
                (Value::Date(from), Value::Date(to)) => {
                    if to.signed_duration_since(from).num_days() > DAYS_MAX {
                        return Err(wrong(RefusalCode::Limit, format!("from {from} to {to} are more than {DAYS_MAX} days")).hint("ask in parts"));
                    }
                    let days = from.iter_days().take_while(|day| *day <= to).map(Value::Date);
                    days.filter(|day| is_possible(day, of)).take(most).collect()
                }
                (Value::Integer(from), Value::Integer(to)) => (from..=to).take(most).map(Value::Integer).collect(),
                (Value::Null, _) | (_, Value::Null) => return Err(wrong(RefusalCode::Type, "KEYS BETWEEN has no end that is NULL".to_owned()).hint("list NULL: KEYS (…, NULL)")),
                _ => {
                    let message = format!("KEYS BETWEEN is offered for days and whole numbers, and `{of}` is {}", literal::article(ty));
                    return Err(wrong(RefusalCode::Type, message).hint(format!("list the values: {of} KEYS (…)")));
                }
            };
            if values.is_empty() {
                return Err(wrong(RefusalCode::Clause, format!("no value of `{of}` is between {low} and {high}")).hint("write the lower end first"));
            }
            let values = values.into_iter().map(|value| possible(value, &**low));
            Ok(KeyValues::listed(values.collect::<Result<_, _>>()?, of))
        }
    }
}

/// Whether an expression of days can hold that day.
fn is_possible(day: &Value, of: &RowExpr) -> bool {
    match (day, calendar(of), of) {
        (Value::Date(day), Some(calendar), _) => calendar.has(*day),
        (day, _, Expr::Call(function @ Function::Truncate(_), _)) => function.apply(std::slice::from_ref(day)) == *day,
        _ => true,
    }
}

/// The value, if the expression can have it at all: a misspelt key would be an empty group for ever. `domain`
/// lists what it can have, where that is public.
fn possible(value: Value, written: &SqlExpr, of: &RowExpr, domain: Option<&[Value]>) -> Result<Value, Refusal> {
    let wrong = |message: String| refuse(RefusalCode::Type, written, message);
    if value == Value::Null {
        let nullable = of.nullable(&|field: &Field| field.nullable());
        return if nullable { Ok(value) } else { Err(wrong(format!("`{of}` is never empty")).hint("leave out NULL")) };
    }
    if let Some(all) = domain
        && !all.contains(&value)
    {
        let hint = match of {
            Expr::Leaf(Field::Column(column)) if let Some(Domain::Range(low, high)) = column.column().domain => format!("{low} to {high}"),
            _ => all.iter().filter(|value| **value != Value::Null).take(50).map(|value| shortened(value.to_string())).collect::<Vec<_>>().join(", "),
        };
        return Err(wrong(format!("`{value}` is not a value of `{of}`")).hint(format!("its values: {hint}")));
    }
    if !is_possible(&value, of) {
        let holds = match calendar(of) {
            Some(Calendar::Weeks) => "Mondays, which stand for their week",
            Some(Calendar::Months) => "first days, which stand for their month",
            Some(Calendar::Days) | None => "the first days of what it is cut to",
        };
        return Err(wrong(format!("`{of}` holds {holds}, and {value} is none")).hint(format!("write {of} KEYS BETWEEN … AND … for all in a range")));
    }
    Ok(value)
}
