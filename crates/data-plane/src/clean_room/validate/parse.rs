//! Text → one query, or a refusal.

use datafusion::sql::sqlparser::ast::{Query, Statement};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use domain::question::PlanLimits;
use domain::refusal::Place;
use domain::{Refusal, RefusalCode};

/// How deeply expressions may nest.
const DEPTH_MAX: usize = 50;

const HINT: &str = "ask one SELECT, for example: SELECT kind, count(*) FROM activity GROUP BY kind";

/// Reads `sql` as exactly one query.
pub(super) fn parse(sql: &str) -> Result<Query, Refusal> {
    if sql.len() > PlanLimits::SQL_BYTES {
        return Err(Refusal::new(RefusalCode::Limit, format!("the question is longer than {} bytes", PlanLimits::SQL_BYTES)));
    }
    let dialect = PostgreSqlDialect {};
    let parsed = Parser::new(&dialect).with_recursion_limit(DEPTH_MAX).try_with_sql(sql).and_then(|mut parser| parser.parse_statements());
    let statements = parsed.map_err(|error| syntax(&error))?;
    let one = <[Statement; 1]>::try_from(statements);
    match one {
        Ok([Statement::Query(query)]) => Ok(*query),
        Ok([_]) => Err(Refusal::new(RefusalCode::Statement, "only SELECT is offered").hint(HINT)),
        Err(several) if several.is_empty() => Err(Refusal::new(RefusalCode::Statement, "the question is empty").hint(HINT)),
        Err(_) => Err(Refusal::new(RefusalCode::Statement, "only one statement at a time is offered").hint("send the statements one by one")),
    }
}

fn syntax(error: &ParserError) -> Refusal {
    let message = match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text.as_str(),
        ParserError::RecursionLimitExceeded => return Refusal::new(RefusalCode::Limit, format!("expressions nest deeper than {DEPTH_MAX}")),
    };
    let (text, at) = split_place(message);
    Refusal::new(RefusalCode::Syntax, format!("this is not SQL that we can read: {text}")).at(at).hint(HINT)
}

/// The parser writes the place at the end of its message: " at Line: 1, Column: 5".
fn split_place(message: &str) -> (&str, Option<Place>) {
    let Some((text, place)) = message.rsplit_once(" at Line: ") else { return (message, None) };
    let parsed = place.split_once(", Column: ").and_then(|(line, column)| Some(Place { line: line.parse().ok()?, column: column.trim().parse().ok()? }));
    match parsed {
        Some(place) => (text, Some(place)),
        None => (message, None),
    }
}
