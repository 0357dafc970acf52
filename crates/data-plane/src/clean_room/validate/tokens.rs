//! `KEYS` in the tokens of a question: found, taken out, and read.
//!
//! `GROUP BY a KEYS (…), b KEYS BETWEEN … AND …, c KEYS DOMAIN, d KEYS TABLE t, e KEYS (SELECT … FROM t)`. The word is
//! reserved: anywhere else it is refused.

use datafusion::sql::sqlparser::ast::{Expr, ObjectName, Query};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Word};
use domain::question::{PlanLimits, Value};
use domain::refusal::Place;
use domain::{Refusal, RefusalCode};

use super::parse::read;

const FORMS: &str = "write GROUP BY tag KEYS ('rust', 'football'), GROUP BY month KEYS BETWEEN '2026-01-01' AND '2026-06-30', GROUP BY kind KEYS DOMAIN or GROUP BY creator.name KEYS TABLE creator";

/// What a question says about the keys of one item of its `GROUP BY`.
pub(super) struct KeysClause {
    /// Which item, from 0.
    pub(super) item: usize,
    /// Where it says so.
    pub(super) at: Option<Place>,
    pub(super) written: Written,
}

/// The forms of `KEYS`.
pub(super) enum Written {
    /// `(a, b, …)`
    List(Vec<Expr>),
    /// `BETWEEN a AND b`
    Between(Box<Expr>, Box<Expr>),
    /// `DOMAIN`
    Domain,
    /// `TABLE t`: what the column that is grouped by holds in a public table.
    Table(ObjectName),
    /// `(SELECT x FROM t WHERE …)`, of a public table.
    Select(Box<Query>),
}

/// Where in a question the tokens are.
enum Within {
    /// Not in a list of grouped columns.
    Elsewhere,
    /// In the item of that number; `begun` once something of it was seen, `keyed` after its `KEYS`.
    Item { number: usize, begun: bool, keyed: bool },
}

/// The tokens with the parameters in their places. A parameter is one constant, whatever its text: nothing
/// in it is read as SQL.
pub(super) fn bind(tokens: Vec<TokenWithSpan>, params: &[Value]) -> Result<Vec<TokenWithSpan>, Refusal> {
    let mut used = vec![false; params.len()];
    // What parameters add to the text, each time that they are used.
    let mut bytes = 0_usize;
    let mut bound = Vec::with_capacity(tokens.len());
    for token in tokens {
        let Token::Placeholder(name) = &token.token else {
            bound.push(token);
            continue;
        };
        let number = name.strip_prefix('$').and_then(|number| number.parse::<usize>().ok()).and_then(|number| number.checked_sub(1));
        let Some((used, value)) = number.and_then(|number| Some((used.get_mut(number)?, params.get(number)?))) else {
            let refusal = Refusal::new(RefusalCode::Parameter, format!("there is no value for `{name}`")).at(place(&token));
            return Err(refusal.hint("write $1, $2 … and give their values in that order"));
        };
        *used = true;
        bytes = bytes.saturating_add(if let Value::Text(text) = value { text.len() } else { 0 });
        if bytes > PlanLimits::SQL_BYTES {
            return Err(Refusal::new(RefusalCode::Limit, format!("the parameters are longer than {} bytes where they are used", PlanLimits::SQL_BYTES))
                .at(place(&token))
                .hint("shorten them"));
        }
        let literal = literal(value)
            .ok_or_else(|| Refusal::new(RefusalCode::Parameter, format!("the value of `{name}` is not offered")).at(place(&token)).hint("give a number that is finite"))?;
        bound.extend(literal.into_iter().map(|literal| TokenWithSpan { token: literal, span: token.span }));
    }
    match used.iter().position(|used| !used) {
        Some(unused) => Err(Refusal::new(RefusalCode::Parameter, format!("the question has no `${}`", unused + 1)).hint("leave out values that nothing uses")),
        None => Ok(bound),
    }
}

/// A constant as tokens.
fn literal(value: &Value) -> Option<Vec<Token>> {
    let number = |digits: String| match digits.strip_prefix('-') {
        Some(digits) => vec![Token::LParen, Token::Minus, Token::Number(digits.to_owned(), false), Token::RParen],
        None => vec![Token::Number(digits, false)],
    };
    Some(match value {
        Value::Null => vec![Token::make_keyword("NULL")],
        Value::Boolean(truth) => vec![Token::make_keyword(if *truth { "TRUE" } else { "FALSE" })],
        Value::Integer(x) => number(x.to_string()),
        Value::Float(x) if x.is_finite() => number(format!("{x:?}")),
        Value::Float(_) => return None,
        Value::Text(text) => vec![Token::SingleQuotedString(text.clone())],
        Value::Date(_) | Value::Timestamp(_) => vec![Token::SingleQuotedString(value.to_string())],
    })
}

/// Refuses a question whose syntax tree could be too deep to walk: operators that follow one another nest, as
/// brackets do, and only commas begin anew.
pub(super) fn shallow(tokens: &[TokenWithSpan]) -> Result<(), Refusal> {
    // Of each open bracket, how many tokens since its last comma; and of all of them.
    let (mut runs, mut open) = (vec![0_usize], 0_usize);
    for token in tokens {
        match token.token {
            Token::Whitespace(_) => continue,
            Token::LParen | Token::LBracket | Token::LBrace => runs.push(0),
            Token::RParen | Token::RBracket | Token::RBrace if runs.len() > 1 => open -= runs.pop().unwrap_or(0),
            Token::Comma => open -= runs.last_mut().map_or(0, std::mem::take),
            _ => {}
        }
        runs.last_mut().into_iter().for_each(|run| *run += 1);
        open += 1;
        if open > PlanLimits::RUN_TOKENS {
            let message = format!("more than {} words and signs without a comma", PlanLimits::RUN_TOKENS);
            return Err(Refusal::new(RefusalCode::Limit, message).at(place(token)).hint("use IN (…), or ask in parts"));
        }
    }
    Ok(())
}

/// The tokens without the clauses, and the clauses.
pub(super) fn cut_keys(tokens: Vec<TokenWithSpan>) -> Result<(Vec<TokenWithSpan>, Vec<KeysClause>), Refusal> {
    let (mut kept, mut clauses) = (Vec::with_capacity(tokens.len()), Vec::new());
    let (mut within, mut depth, mut before) = (Within::Elsewhere, 0_usize, Token::EOF);
    let mut rest = tokens.into_iter().peekable();
    while let Some(token) = rest.next() {
        if is_word(&token.token, "keys") {
            let Within::Item { number, begun: true, keyed: keyed @ false } = &mut within else { return Err(misplaced(&token)) };
            if depth > 0 || before == Token::Period {
                return Err(misplaced(&token));
            }
            *keyed = true;
            let mut own = Vec::new();
            let mut inner = 0_usize;
            while let Some(next) = rest.next_if(|next| inner > 0 || !(next.token == Token::Comma || ends_grouping(&next.token))) {
                if is_word(&next.token, "keys") {
                    return Err(misplaced(&next));
                }
                inner = nested(inner, &next.token);
                own.push(next);
            }
            clauses.push(KeysClause { item: *number, at: place(&token), written: written(own, &token)? });
            continue;
        }
        if !matches!(token.token, Token::Whitespace(_)) {
            match (&mut within, &token.token) {
                (Within::Elsewhere, Token::Word(Word { keyword: Keyword::BY, .. })) if depth == 0 && is_keyword(&before, Keyword::GROUP) => {
                    within = Within::Item { number: 0, begun: false, keyed: false };
                }
                (Within::Item { number, begun, keyed }, Token::Comma) if depth == 0 => (*number, *begun, *keyed) = (*number + 1, false, false),
                (Within::Item { .. }, end) if depth == 0 && ends_grouping(end) => within = Within::Elsewhere,
                (Within::Item { begun, .. }, _) => *begun = true,
                (Within::Elsewhere, _) => {}
            }
            depth = nested(depth, &token.token);
            before = token.token.clone();
        }
        kept.push(token);
    }
    Ok((kept, clauses))
}

/// Reads what follows `KEYS`.
fn written(own: Vec<TokenWithSpan>, keys: &TokenWithSpan) -> Result<Written, Refusal> {
    let wrong = |message: &str| Refusal::new(RefusalCode::Clause, message).at(place(keys)).hint(FORMS);
    let placed = |refusal: Refusal| if refusal.at.is_none() { refusal.at(place(keys)) } else { refusal };
    let mut tokens: Vec<TokenWithSpan> = own.into_iter().filter(|t| !matches!(t.token, Token::Whitespace(_))).collect();
    let closed = tokens.last().is_some_and(|last| last.token == Token::RParen);
    let second = tokens.get(1).map(|second| second.token.clone());
    match tokens.first().map(|first| first.token.clone()) {
        Some(Token::LParen) if closed && second.is_some_and(|second| is_keyword(&second, Keyword::SELECT)) => {
            tokens.pop();
            read(tokens.split_off(1), |parser| parser.parse_query()).map(Written::Select).map_err(placed)
        }
        Some(Token::LParen) if closed && tokens.len() > 2 => {
            tokens.pop();
            read(tokens.split_off(1), |parser| parser.parse_comma_separated(Parser::parse_expr)).map(Written::List).map_err(placed)
        }
        Some(Token::LParen) if closed => Err(wrong("a list of keys has at least one")),
        Some(first) if is_keyword(&first, Keyword::BETWEEN) => {
            let mut low = tokens.split_off(1);
            let mut depth = 0;
            let and = low.iter().position(|t| {
                depth = nested(depth, &t.token);
                depth == 0 && is_keyword(&t.token, Keyword::AND)
            });
            let mut high = low.split_off(and.ok_or_else(|| wrong("KEYS BETWEEN has two ends"))?);
            let (low, high) = (read(low, |parser| parser.parse_expr()).map_err(placed)?, read(high.split_off(1), |parser| parser.parse_expr()).map_err(placed)?);
            Ok(Written::Between(Box::new(low), Box::new(high)))
        }
        Some(first) if is_word(&first, "domain") && tokens.len() == 1 => Ok(Written::Domain),
        Some(first) if is_keyword(&first, Keyword::TABLE) && tokens.len() > 1 => {
            read(tokens.split_off(1), |parser| parser.parse_object_name(false)).map(Written::Table).map_err(placed)
        }
        _ => Err(wrong("KEYS is followed by a list or a SELECT in parentheses, BETWEEN … AND …, DOMAIN or TABLE …")),
    }
}

fn misplaced(token: &TokenWithSpan) -> Refusal {
    Refusal::new(RefusalCode::Clause, "KEYS is offered once after each column of GROUP BY and nowhere else").at(place(token)).hint(FORMS)
}

fn place(token: &TokenWithSpan) -> Option<Place> {
    let start = token.span.start;
    (start.line > 0).then_some(Place { line: start.line, column: start.column })
}

/// An unquoted word.
fn is_word(token: &Token, wanted: &str) -> bool {
    matches!(token, Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(wanted))
}

fn is_keyword(token: &Token, wanted: Keyword) -> bool {
    matches!(token, Token::Word(word) if word.keyword == wanted)
}

/// How many brackets are open after a token.
const fn nested(depth: usize, token: &Token) -> usize {
    match token {
        Token::LParen | Token::LBracket | Token::LBrace => depth + 1,
        Token::RParen | Token::RBracket | Token::RBrace => depth.saturating_sub(1),
        _ => depth,
    }
}

/// What comes after `GROUP BY`.
const fn ends_grouping(token: &Token) -> bool {
    matches!(
        token,
        Token::SemiColon
            | Token::Word(Word {
                keyword: Keyword::HAVING
                    | Keyword::ORDER
                    | Keyword::LIMIT
                    | Keyword::OFFSET
                    | Keyword::FETCH
                    | Keyword::FOR
                    | Keyword::WINDOW
                    | Keyword::QUALIFY
                    | Keyword::UNION
                    | Keyword::INTERSECT
                    | Keyword::EXCEPT
                    | Keyword::SETTINGS
                    | Keyword::FORMAT,
                ..
            })
    )
}
