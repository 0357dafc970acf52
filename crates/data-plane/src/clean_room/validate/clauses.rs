//! One query → its clauses; every clause that is not offered is refused by name.

use datafusion::sql::sqlparser::ast::{
    Cte, Distinct, Expr, GroupByExpr, Ident, LimitClause, Offset, OrderBy, OrderByExpr, OrderByKind, Query, Select, SelectFlavor, SelectItem, SetExpr, TableAlias, Value,
    ValueWithSpan, With,
};
use domain::partner_table::PartnerTable;
use domain::{Refusal, RefusalCode};

use super::refuse::{clause, refuse};
use super::relation::{self, Names};
use super::scope::Scope;
use super::tokens::KeysClause;

/// The clauses of a question.
pub(super) struct Clauses {
    pub(super) scope: Scope,
    pub(super) projection: Vec<SelectItem>,
    pub(super) selection: Option<Expr>,
    pub(super) group_by: Vec<Expr>,
    /// What is said about the keys of items of `group_by`.
    pub(super) keys: Vec<KeysClause>,
    pub(super) having: Option<Expr>,
    pub(super) order_by: Vec<OrderByExpr>,
    pub(super) limit: Option<u64>,
    pub(super) offset: u64,
}

impl Clauses {
    /// Takes a question apart, of a partner who has these tables.
    pub(super) fn of((query, keys): (Query, Vec<KeysClause>), partner: &[PartnerTable]) -> Result<Self, Refusal> {
        let ctes = query.with.as_ref().map_or_else(|| Ok(Vec::new()), ctes)?;
        let names = Names { ctes: &ctes, partner };
        let whole = query.clone();
        let clauses = Self::of_query(Query { with: None, ..query }, keys, names)?;
        clauses.scope.private(&whole)?;
        match ctes.iter().find(|cte| !cte.is_used()) {
            Some(cte) => Err(refuse(RefusalCode::Table, &cte.query, format!("`{}` is not used", cte.name)).hint(format!("leave it out, or write FROM {}", cte.name))),
            None => Ok(clauses),
        }
    }

    /// Takes a query apart, whose `FROM` may use `names`.
    pub(super) fn of_query(query: Query, keys: Vec<KeysClause>, names: Names<'_>) -> Result<Self, Refusal> {
        let whole = query.clone();
        let Query { with, body, order_by, limit_clause, fetch, locks, for_clause, settings, format_clause, pipe_operators } = query;
        if with.is_some() {
            return Err(clause(&whole, "WITH in a subquery", "name all subqueries at the beginning of the question"));
        }
        if fetch.is_some() {
            return Err(clause(&whole, "FETCH", "use LIMIT"));
        }
        if !locks.is_empty() || for_clause.is_some() || settings.is_some() || format_clause.is_some() || !pipe_operators.is_empty() {
            return Err(clause(&whole, "a clause after the SELECT", "leave out FOR, SETTINGS, FORMAT and |>"));
        }
        let select = match *body {
            SetExpr::Select(select) => *select,
            SetExpr::SetOperation { .. } => return Err(clause(&whole, "UNION, INTERSECT or EXCEPT", "ask each part as its own question")),
            SetExpr::Query(_) => return Err(clause(&whole, "a SELECT in parentheses", "leave out the parentheses")),
            SetExpr::Values(_) | SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) | SetExpr::Table(_) => {
                return Err(refuse(RefusalCode::Statement, &whole, "only SELECT is offered").hint("SELECT kind, count(*) FROM activity GROUP BY kind"));
            }
        };
        let order_by = order_by.map_or_else(|| Ok(Vec::new()), |o| order_by_expressions(o, &whole))?;
        let (limit, offset) = limit_clause.map_or(Ok((None, 0)), |l| limit_and_offset(l, &whole))?;
        Self::of_select(select, keys, names, order_by, limit, offset)
    }

    fn of_select(select: Select, keys: Vec<KeysClause>, names: Names<'_>, order_by: Vec<OrderByExpr>, limit: Option<u64>, offset: u64) -> Result<Self, Refusal> {
        let whole = select.clone();
        let Select {
            select_token: _,
            optimizer_hints,
            distinct,
            select_modifiers,
            top,
            top_before_distinct: _,
            projection,
            exclude,
            into,
            from,
            lateral_views,
            prewhere,
            selection,
            connect_by,
            group_by,
            cluster_by,
            distribute_by,
            sort_by,
            having,
            named_window,
            qualify,
            window_before_qualify: _,
            value_table_mode,
            flavor,
        } = select;
        if distinct.is_some_and(|distinct| distinct != Distinct::All) {
            return Err(clause(&whole, "SELECT DISTINCT", "GROUP BY the column and count(distinct subject_id)"));
        }
        if into.is_some() {
            return Err(clause(&whole, "INTO", "nothing can be written here"));
        }
        if !named_window.is_empty() || qualify.is_some() {
            return Err(clause(&whole, "a window", "aggregate with GROUP BY instead"));
        }
        let foreign = !optimizer_hints.is_empty()
            || select_modifiers.is_some()
            || top.is_some()
            || exclude.is_some()
            || !lateral_views.is_empty()
            || prewhere.is_some()
            || !connect_by.is_empty()
            || !cluster_by.is_empty()
            || !distribute_by.is_empty()
            || !sort_by.is_empty()
            || value_table_mode.is_some()
            || flavor != SelectFlavor::Standard;
        if foreign {
            return Err(clause(&whole, "a clause of another SQL dialect", "use SELECT … FROM … WHERE … GROUP BY … HAVING … ORDER BY … LIMIT"));
        }
        let scope = Scope::of(from, names, &whole)?;
        let group_by = match group_by {
            GroupByExpr::Expressions(expressions, modifiers) if modifiers.is_empty() => expressions,
            GroupByExpr::Expressions(..) => return Err(clause(&whole, "ROLLUP, CUBE or GROUPING SETS", "ask one question per grouping")),
            GroupByExpr::All(_) => return Err(clause(&whole, "GROUP BY ALL", "name the columns")),
        };
        Ok(Self { scope, projection, selection, group_by, keys, having, order_by, limit, offset })
    }
}

/// The subqueries that `WITH` names, in their order.
fn ctes(with: &With) -> Result<Vec<relation::Cte>, Refusal> {
    let With { with_token: _, recursive, cte_tables } = with;
    let mut ctes: Vec<relation::Cte> = Vec::new();
    for cte in cte_tables {
        let Cte { alias, query, from, materialized, closing_paren_token: _ } = cte;
        let TableAlias { explicit: _, name, columns, at } = alias;
        if *recursive || from.is_some() || materialized.is_some() || !columns.is_empty() || at.is_some() {
            return Err(clause(cte, "this form of WITH", "write WITH t AS (SELECT subject_id, count(*) AS n FROM activity GROUP BY subject_id)"));
        }
        if ctes.iter().any(|other| other.name == normalize(name)) {
            return Err(refuse(RefusalCode::Table, cte, format!("two subqueries are called `{name}`")).hint("give each its own name"));
        }
        ctes.push(relation::Cte::new(normalize(name), (**query).clone()));
    }
    Ok(ctes)
}

/// PostgreSQL's rule: unquoted names are lower case.
pub(super) fn normalize(ident: &Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_ascii_lowercase() }
}

fn order_by_expressions(order_by: OrderBy, whole: &Query) -> Result<Vec<OrderByExpr>, Refusal> {
    match order_by {
        OrderBy { kind: OrderByKind::Expressions(expressions), interpolate: None } => Ok(expressions),
        OrderBy { .. } => Err(clause(whole, "ORDER BY ALL or INTERPOLATE", "name the columns")),
    }
}

fn limit_and_offset(clause_: LimitClause, whole: &Query) -> Result<(Option<u64>, u64), Refusal> {
    match clause_ {
        LimitClause::LimitOffset { limit, offset, limit_by } if limit_by.is_empty() => {
            let limit = limit.map(|e| whole_number(&e)).transpose()?;
            let offset = offset.map(|Offset { value, rows: _ }| whole_number(&value)).transpose()?;
            Ok((limit, offset.unwrap_or(0)))
        }
        LimitClause::LimitOffset { .. } | LimitClause::OffsetCommaLimit { .. } => Err(clause(whole, "this form of LIMIT", "write LIMIT 10 OFFSET 20")),
    }
}

fn whole_number(expr: &Expr) -> Result<u64, Refusal> {
    let number = match expr {
        Expr::Value(ValueWithSpan { value: Value::Number(digits, false), .. }) => digits.parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| refuse(RefusalCode::Expression, expr, format!("`{expr}` is not a whole number")).hint("LIMIT and OFFSET take numbers like 10"))
}
