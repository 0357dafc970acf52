//! Text → one query and what its `GROUP BY` says about keys, or a refusal.

use datafusion::sql::sqlparser::ast::{Query, Statement};
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};
use domain::question::{PlanLimits, Value};
use domain::refusal::Place;
use domain::{Refusal, RefusalCode};

use super::dialect::QuestionDialect;
use super::refuse::{place, refuse, shortened};
use super::tokens::{self, KeysClause};

/// How deeply expressions may nest.
const DEPTH_MAX: usize = 40;

const HINT: &str = "ask one SELECT, for example: SELECT kind, count(*) FROM activity GROUP BY kind";

/// Reads `sql` as exactly one query, in which `params` stand for `$1`, `$2` …. The parser does not know `KEYS`: those clauses are taken out of the
/// text's tokens before, which keep their places.
pub(super) fn parse(sql: &str, params: &[Value]) -> Result<(Query, Vec<KeysClause>), Refusal> {
    if sql.len() > PlanLimits::SQL_BYTES {
        return Err(Refusal::new(RefusalCode::Limit, format!("the question is longer than {} bytes", PlanLimits::SQL_BYTES)).hint("ask in parts"));
    }
    let tokens = Tokenizer::new(&QuestionDialect, sql).tokenize_with_location();
    let tokens = tokens::bind(tokens.map_err(|error| syntax(&error.into()))?, params)?;
    tokens::shallow(&tokens)?;
    let (tokens, keys) = tokens::cut_keys(tokens)?;
    // A text that ends too early is wrong at its end.
    let statements = read(tokens, |parser| parser.parse_statements()).map_err(|refusal| if refusal.at.is_none() { refusal.at(Some(end(sql))) } else { refusal })?;
    let one = <[Statement; 1]>::try_from(statements);
    match one {
        Ok([Statement::Query(query)]) => Ok((*query, keys)),
        Ok([other]) => Err(refuse(RefusalCode::Statement, &other, "only SELECT is offered").hint(HINT)),
        Err(several) if several.is_empty() => Err(Refusal::new(RefusalCode::Statement, "the question is empty").hint(HINT)),
        Err(several) => {
            let second = several.get(1).and_then(place);
            Err(Refusal::new(RefusalCode::Statement, "only one statement at a time is offered").at(second).hint("send the statements one by one"))
        }
    }
}

/// Reads all of `tokens` by one rule of the parser.
pub(super) fn read<T>(tokens: Vec<TokenWithSpan>, rule: impl FnOnce(&mut Parser<'_>) -> Result<T, ParserError>) -> Result<T, Refusal> {
    let mut parser = Parser::new(&QuestionDialect).with_recursion_limit(DEPTH_MAX).with_tokens_with_locations(tokens);
    let read = rule(&mut parser).and_then(|read| parser.expect_token(&Token::EOF).map(|_| read));
    read.map_err(|error| syntax(&error))
}

/// The place after the last character.
fn end(sql: &str) -> Place {
    let last = sql.rsplit('\n').next().unwrap_or_default();
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    Place { line: number(sql.split('\n').count()), column: number(last.chars().count()).saturating_add(1) }
}

fn syntax(error: &ParserError) -> Refusal {
    let message = match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text.as_str(),
        ParserError::RecursionLimitExceeded => return Refusal::new(RefusalCode::Limit, format!("expressions nest deeper than {DEPTH_MAX}")).hint("write it flatter"),
    };
    let (text, at) = split_place(message);
    // The parser shows how it keeps the word.
    let text = if text.starts_with("No infix parser") { "a word that cannot stand here" } else { text };
    Refusal::new(RefusalCode::Syntax, shortened(format!("this is not SQL that we can read: {text}"))).at(at).hint(HINT)
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
