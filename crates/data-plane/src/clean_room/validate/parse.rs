//! Text → one query and what its `GROUP BY` says about keys, or a refusal.

use datafusion::sql::sqlparser::ast::{Query, Statement};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};
use domain::question::{PlanLimits, Value};
use domain::refusal::Place;
use domain::{Refusal, RefusalCode};

use super::tokens::{self, KeysClause};

/// How deeply expressions may nest.
const DEPTH_MAX: usize = 50;

const HINT: &str = "ask one SELECT, for example: SELECT kind, count(*) FROM activity GROUP BY kind";

/// Reads `sql` as exactly one query, in which `params` stand for `$1`, `$2` …. The parser does not know `KEYS`: those clauses are taken out of the
/// text's tokens before, which keep their places.
pub(super) fn parse(sql: &str, params: &[Value]) -> Result<(Query, Vec<KeysClause>), Refusal> {
    if sql.len() > PlanLimits::SQL_BYTES {
        return Err(Refusal::new(RefusalCode::Limit, format!("the question is longer than {} bytes", PlanLimits::SQL_BYTES)));
    }
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, sql).tokenize_with_location();
    let tokens = tokens::bind(tokens.map_err(|error| syntax(&error.into()))?, params)?;
    let (tokens, keys) = tokens::cut_keys(tokens)?;
    let statements = read(tokens, |parser| parser.parse_statements())?;
    let one = <[Statement; 1]>::try_from(statements);
    match one {
        Ok([Statement::Query(query)]) => Ok((*query, keys)),
        Ok([_]) => Err(Refusal::new(RefusalCode::Statement, "only SELECT is offered").hint(HINT)),
        Err(several) if several.is_empty() => Err(Refusal::new(RefusalCode::Statement, "the question is empty").hint(HINT)),
        Err(_) => Err(Refusal::new(RefusalCode::Statement, "only one statement at a time is offered").hint("send the statements one by one")),
    }
}

/// Reads all of `tokens` by one rule of the parser.
pub(super) fn read<T>(tokens: Vec<TokenWithSpan>, rule: impl FnOnce(&mut Parser<'_>) -> Result<T, ParserError>) -> Result<T, Refusal> {
    let dialect = PostgreSqlDialect {};
    let mut parser = Parser::new(&dialect).with_recursion_limit(DEPTH_MAX).with_tokens_with_locations(tokens);
    let read = rule(&mut parser).and_then(|read| parser.expect_token(&Token::EOF).map(|_| read));
    read.map_err(|error| syntax(&error))
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
