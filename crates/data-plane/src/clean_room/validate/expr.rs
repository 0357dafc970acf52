//! Expressions: an allow-list of functions over leaves that the place in the question understands.
//!
//! # Guarantee
//! What comes out is typed and total ([`domain::question::expr`]). What is not named here is refused.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CaseWhen, CastKind, CeilFloorKind, DataType, DateTimeField, ExactNumberInfo, Expr as SqlExpr, ExtractSyntax, Function as SqlFunction, FunctionArg,
    FunctionArgExpr, FunctionArgumentList, FunctionArguments, UnaryOperator,
};
use domain::catalog::ColumnType;
use domain::question::expr::{CastTo, DatePart, Expr, Function, MAX_TEXT_BYTES, Mismatch};
use domain::question::{Comparison, PlanLimits, Value};
use domain::{Refusal, RefusalCode};
use serde::Serialize;

use super::literal;
use super::refuse::{clause, refuse};

/// An expression and its type; none for NULL, which is of every type.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Typed<L> {
    pub(super) expr: Expr<L>,
    pub(super) ty: Option<ColumnType>,
}

/// What expressions in one place of a question can look up.
pub(super) trait Leaves {
    /// What is looked up.
    type Leaf: Clone + PartialEq + Serialize;

    /// What `expr` as a whole stands for, if it is one of these; functions and operators are taken apart.
    fn leaf(&mut self, expr: &SqlExpr) -> Option<Result<Typed<Self::Leaf>, Refusal>>;

    /// What can be written here.
    fn hint(&self) -> String;
}

const FUNCTIONS: &str = "+ - * / %, comparisons, AND, OR, NOT, CASE, CAST, and the functions of `fairshare table functions`";

/// Reads an expression, in the one form that equal expressions share.
pub(super) fn read<N: Leaves>(names: &mut N, expr: &SqlExpr) -> Result<Typed<N::Leaf>, Refusal> {
    let Typed { expr: understood, ty } = Reader { names, depth: 0 }.read(expr)?;
    Ok(Typed { expr: understood.canonical(), ty })
}

/// Reads a condition.
pub(super) fn condition<N: Leaves>(names: &mut N, expr: &SqlExpr) -> Result<Expr<N::Leaf>, Refusal> {
    let Typed { expr: understood, ty } = read(names, expr)?;
    match ty {
        None | Some(ColumnType::Boolean) => Ok(understood),
        Some(ty) => Err(no_condition(expr, ty)),
    }
}

fn no_condition(expr: &SqlExpr, ty: ColumnType) -> Refusal {
    refuse(RefusalCode::Type, expr, format!("`{expr}` is {}, and a condition is true or false", literal::article(ty))).hint("compare it with something")
}

/// How deeply operators may follow one another, as in `a + b + c`; AND and OR aside, which are read flat.
const DEPTH_MAX: usize = 100;

struct Reader<'a, N> {
    names: &'a mut N,
    depth: usize,
}

type Read<L> = Result<Typed<L>, Refusal>;

impl<N: Leaves> Reader<'_, N> {
    fn read(&mut self, expr: &SqlExpr) -> Read<N::Leaf> {
        if self.depth >= DEPTH_MAX {
            return Err(refuse(RefusalCode::Limit, expr, format!("more than {DEPTH_MAX} operators follow one another")).hint("put parts of it into parentheses, or use IN"));
        }
        self.depth += 1;
        let understood = self.any(expr);
        self.depth -= 1;
        let understood = understood?;
        // Asked at every level: BETWEEN, CASE and names write an operand several times.
        fits(expr, understood.expr.size())?;
        Ok(understood)
    }

    fn any(&mut self, expr: &SqlExpr) -> Read<N::Leaf> {
        if let Some(constant) = literal::plain(expr) {
            if matches!(&constant, Value::Text(text) if text.len() > MAX_TEXT_BYTES) {
                return Err(refuse(RefusalCode::Limit, expr, format!("the text is longer than {MAX_TEXT_BYTES} bytes")).hint("shorten it"));
            }
            return literal::typed(expr, constant).map(|(value, ty)| Typed { expr: Expr::Constant(value), ty });
        }
        if let Some(leaf) = self.names.leaf(expr) {
            return leaf;
        }
        match expr {
            SqlExpr::Nested(inner) => self.read(inner),
            SqlExpr::UnaryOp { op: UnaryOperator::Minus, expr: inner } => self.call(expr, Function::Negate, &[inner]),
            SqlExpr::UnaryOp { op: UnaryOperator::Plus, expr: inner } => self.read(inner),
            SqlExpr::UnaryOp { op: UnaryOperator::Not, expr: inner } => self.call(expr, Function::Not, &[inner]),
            SqlExpr::BinaryOp { left: _, op: op @ (BinaryOperator::And | BinaryOperator::Or), right: _ } => {
                let function = if *op == BinaryOperator::And { Function::And } else { Function::Or };
                self.call(expr, function, &flat(expr, op))
            }
            SqlExpr::BinaryOp { left, op, right } => match binary(op) {
                Some(function) => self.call(expr, function, &[left, right]),
                None => Err(self.not_offered(expr)),
            },
            SqlExpr::IsNull(inner) => self.call(expr, Function::IsNull, &[inner]),
            SqlExpr::IsNotNull(inner) => self.call(expr, Function::IsNull, &[inner]).map(not),
            SqlExpr::IsTrue(inner) => self.truth(inner, Value::Boolean(true)),
            SqlExpr::IsNotTrue(inner) => self.truth(inner, Value::Boolean(true)).map(not),
            SqlExpr::IsFalse(inner) => self.truth(inner, Value::Boolean(false)),
            SqlExpr::IsNotFalse(inner) => self.truth(inner, Value::Boolean(false)).map(not),
            SqlExpr::IsUnknown(inner) => self.truth(inner, Value::Null),
            SqlExpr::IsNotUnknown(inner) => self.truth(inner, Value::Null).map(not),
            // The parser reads on after the right side, PostgreSQL does not.
            SqlExpr::IsNotDistinctFrom(_, b) | SqlExpr::IsDistinctFrom(_, b) if let SqlExpr::BinaryOp { op: BinaryOperator::And | BinaryOperator::Or, .. } = &**b => {
                Err(refuse(RefusalCode::Expression, expr, "IS DISTINCT FROM before AND or OR can be read in two ways").hint("write (a IS DISTINCT FROM b) AND …"))
            }
            SqlExpr::IsNotDistinctFrom(a, b) => self.call(expr, Function::IsSame, &[a, b]),
            SqlExpr::IsDistinctFrom(a, b) => self.call(expr, Function::IsSame, &[a, b]).map(not),
            SqlExpr::Between { expr: tested, negated, low, high } => {
                let (value, low, high) = ((self.read(tested)?, &**tested), (self.read(low)?, &**low), (self.read(high)?, &**high));
                let above = apply(expr, Function::Compare(Comparison::Ge), [value.clone(), low].into())?;
                let below = apply(expr, Function::Compare(Comparison::Le), [value, high].into())?;
                Ok(not_if(*negated, Typed { expr: Expr::call2(Function::And, above.expr, below.expr), ty: Some(ColumnType::Boolean) }))
            }
            SqlExpr::InList { expr: tested, list, negated } => {
                let args: Vec<&SqlExpr> = std::iter::once(&**tested).chain(list).collect();
                self.call(expr, Function::In, &args).map(|found| not_if(*negated, found))
            }
            SqlExpr::Like { negated, any: false, expr: tested, pattern, escape_char: None } => {
                self.call(expr, Function::Like, &[tested, pattern]).map(|found| not_if(*negated, found))
            }
            SqlExpr::ILike { .. } => Err(self.not_offered(expr).hint("write lower(x) LIKE 'pattern'")),
            SqlExpr::Case { case_token: _, end_token: _, operand, conditions, else_result } => self.case(expr, operand.as_deref(), conditions, else_result.as_deref()),
            SqlExpr::Cast { kind: CastKind::Cast | CastKind::TryCast | CastKind::SafeCast | CastKind::DoubleColon, expr: inner, data_type, array: false, format: None } => {
                let Some(to) = cast_to(data_type) else {
                    let message = format!("a cast to {data_type} is not offered");
                    return Err(refuse(RefusalCode::Type, expr, message).hint(format!("types: {}", CastTo::WORDS.join(", "))));
                };
                self.call(expr, Function::Cast(to), &[inner])
            }
            SqlExpr::Extract { field, syntax: ExtractSyntax::From, expr: inner } => {
                let part = date_part(field).ok_or_else(|| self.part(expr))?;
                self.call(expr, Function::Part(part), &[inner])
            }
            SqlExpr::Ceil { expr: inner, field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) } => self.call(expr, Function::Ceil, &[inner]),
            SqlExpr::Floor { expr: inner, field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) } => self.call(expr, Function::Floor, &[inner]),
            SqlExpr::Position { expr: part, r#in } => self.call(expr, Function::Strpos, &[r#in, part]),
            SqlExpr::Substring { expr: inner, substring_from: Some(from), substring_for, special: _, shorthand: _ } => {
                let args: Vec<&SqlExpr> = [&**inner, &**from].into_iter().chain(substring_for.as_deref()).collect();
                self.call(expr, Function::Substr, &args)
            }
            SqlExpr::Trim { trim_where: None, trim_what: None, expr: inner, trim_characters: None } => self.call(expr, Function::Trim, &[inner]),
            SqlExpr::Function(function) => self.function(expr, function),
            SqlExpr::InSubquery { .. } | SqlExpr::Exists { .. } | SqlExpr::Subquery(_) => {
                let hint = "aggregate per subject and join: JOIN (SELECT subject_id, count(*) AS n FROM activity GROUP BY subject_id) t USING (subject_id) WHERE t.n > 10";
                Err(clause(expr, "a subquery in an expression", hint))
            }
            other => Err(self.not_offered(other)),
        }
    }

    fn not_offered(&self, expr: &SqlExpr) -> Refusal {
        refuse(RefusalCode::Expression, expr, format!("`{expr}` is not offered here")).hint(format!("use {}, {FUNCTIONS}", self.names.hint()))
    }

    fn part(&self, expr: &SqlExpr) -> Refusal {
        refuse(RefusalCode::Function, expr, format!("`{expr}` takes no such part of a date")).hint(format!("parts: {}", DatePart::WORDS.join(", ")))
    }

    /// A function of arguments.
    fn call(&mut self, whole: &SqlExpr, function: Function, args: &[&SqlExpr]) -> Read<N::Leaf> {
        let (mut understood, mut size) = (Vec::with_capacity(args.len()), 0);
        for &arg in args {
            let read = self.read(arg)?;
            size += read.expr.size();
            fits(whole, size)?;
            understood.push((read, arg));
        }
        apply(whole, function, understood)
    }

    /// `x IS TRUE` and the like: never null.
    fn truth(&mut self, inner: &SqlExpr, truth: Value) -> Read<N::Leaf> {
        let inner = self.condition(inner)?;
        Ok(Typed { expr: Expr::call2(Function::IsSame, inner, Expr::Constant(truth)), ty: Some(ColumnType::Boolean) })
    }

    fn case(&mut self, whole: &SqlExpr, operand: Option<&SqlExpr>, conditions: &[CaseWhen], otherwise: Option<&SqlExpr>) -> Read<N::Leaf> {
        let mut branches = Vec::with_capacity(conditions.len());
        let operand = operand.map(|operand| Ok::<_, Refusal>((self.read(operand)?, operand))).transpose()?;
        let mut size = 0;
        for CaseWhen { condition, result } in conditions {
            let holds = match &operand {
                Some(operand) => apply(condition, Function::Compare(Comparison::Eq), vec![operand.clone(), (self.read(condition)?, condition)])?.expr,
                None => self.condition(condition)?,
            };
            let result = self.read(result)?;
            size += holds.size() + result.expr.size();
            fits(whole, size)?;
            branches.push(((holds, Some(ColumnType::Boolean)), (result.expr, result.ty)));
        }
        let otherwise = otherwise.map_or(Ok(Typed { expr: Expr::Constant(Value::Null), ty: None }), |written| self.read(written))?;
        let case = Expr::case(branches, (otherwise.expr, otherwise.ty));
        case.map(|(expr, ty)| Typed { expr, ty }).map_err(|mismatch| mismatched(whole, mismatch))
    }

    fn condition(&mut self, expr: &SqlExpr) -> Result<Expr<N::Leaf>, Refusal> {
        let Typed { expr: understood, ty } = self.read(expr)?;
        match ty {
            None | Some(ColumnType::Boolean) => Ok(understood),
            Some(ty) => Err(no_condition(expr, ty)),
        }
    }

    /// A function by its name.
    fn function(&mut self, whole: &SqlExpr, function: &SqlFunction) -> Read<N::Leaf> {
        let SqlFunction { name, uses_odbc_syntax, parameters, args, within_group, filter, null_treatment, over } = function;
        if over.is_some() {
            return Err(refuse(RefusalCode::Clause, whole, "a window (OVER) is not offered").hint("aggregate with GROUP BY instead"));
        }
        let unknown = |names: &N| refuse(RefusalCode::Function, whole, format!("`{whole}` is not offered here")).hint(format!("use {}, {FUNCTIONS}", names.hint()));
        let FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses }) = args else { return Err(unknown(self.names)) };
        let plain = !uses_odbc_syntax && *parameters == FunctionArguments::None && within_group.is_empty() && filter.is_none() && null_treatment.is_none() && clauses.is_empty();
        let args: Option<Vec<&SqlExpr>> = args.iter().map(|arg| if let FunctionArg::Unnamed(FunctionArgExpr::Expr(arg)) = arg { Some(arg) } else { None }).collect();
        let (Some(args), true) = (args, plain) else { return Err(unknown(self.names)) };
        let name = name.to_string().to_ascii_lowercase();
        match (name.as_str(), args.as_slice()) {
            ("date_trunc" | "date_part", [part, of]) => {
                let Some(Value::Text(written)) = literal::plain(part) else { return Err(self.part(whole)) };
                let Ok(part) = written.to_ascii_lowercase().parse::<DatePart>() else { return Err(self.part(whole)) };
                self.call(whole, if name == "date_trunc" { Function::Truncate(part) } else { Function::Part(part) }, &[of])
            }
            (name, args) => match Function::named(name) {
                Some(function) => self.call(whole, function, args),
                None => Err(unknown(self.names)),
            },
        }
    }
}

/// Whether an expression of so many parts is not too large.
fn fits(expr: &SqlExpr, size: usize) -> Result<(), Refusal> {
    if size <= PlanLimits::EXPRESSION_SIZE {
        return Ok(());
    }
    Err(refuse(RefusalCode::Limit, expr, format!("the expression is larger than {} parts", PlanLimits::EXPRESSION_SIZE)).hint("shorten it"))
}

/// What one operator joins, from left to right.
fn flat<'a>(expr: &'a SqlExpr, joins: &BinaryOperator) -> Vec<&'a SqlExpr> {
    let (mut parts, mut rest) = (Vec::new(), expr);
    while let SqlExpr::BinaryOp { left, op, right } = rest
        && op == joins
    {
        parts.push(&**right);
        rest = left;
    }
    parts.push(rest);
    parts.reverse();
    parts
}

fn mismatched(whole: &SqlExpr, Mismatch { message, hint }: Mismatch) -> Refusal {
    refuse(RefusalCode::Type, whole, message).hint(hint)
}

/// A function of understood arguments, whose types fit.
fn apply<L: Clone + PartialEq + Serialize>(whole: &SqlExpr, function: Function, args: Vec<(Typed<L>, &SqlExpr)>) -> Read<L> {
    let (mut understood, written): (Vec<Typed<L>>, Vec<&SqlExpr>) = args.into_iter().unzip();
    coerce(function, &mut understood, &written)?;
    for (place, written) in written.into_iter().enumerate() {
        let Some(arg) = understood.get_mut(place).filter(|_| function.constant_args().contains(&place)) else { continue };
        arg.expr = arg.expr.clone().canonical();
        if !matches!(arg.expr, Expr::Constant(_)) {
            return Err(refuse(RefusalCode::Expression, written, format!("`{written}` is not a constant")).hint("write a number, a text in single quotes or a date"));
        }
        if let (Function::Like, Expr::Constant(Value::Text(pattern))) = (function, &arg.expr) {
            is_pattern(pattern, written)?;
        }
    }
    let called = Expr::call(function, understood.into_iter().map(|arg| (arg.expr, arg.ty)).collect());
    called.map(|(expr, ty)| Typed { expr, ty }).map_err(|mismatch| mismatched(whole, mismatch))
}

/// Refuses patterns that mean something else elsewhere, or take long.
fn is_pattern(pattern: &str, written: &SqlExpr) -> Result<(), Refusal> {
    if pattern.contains('\\') {
        return Err(refuse(RefusalCode::Expression, written, "a backslash in a pattern is not offered").hint("% stands for any run of characters and _ for any one"));
    }
    if pattern.len() > PlanLimits::PATTERN_BYTES {
        return Err(refuse(RefusalCode::Limit, written, format!("the pattern is longer than {} bytes", PlanLimits::PATTERN_BYTES)).hint("shorten it"));
    }
    Ok(())
}

/// Constants are read as the type of what they are compared with, so that days can be written as text and
/// `1` and `1.0` are the same.
fn coerce<L>(function: Function, args: &mut [Typed<L>], written: &[&SqlExpr]) -> Result<(), Refusal> {
    let together = matches!(
        function,
        Function::Compare(_)
            | Function::IsSame
            | Function::In
            | Function::Greatest
            | Function::Least
            | Function::Coalesce
            | Function::NullIf
            | Function::Subtract
            | Function::WidthBucket
    );
    let Some(ty) = args.iter().find(|arg| !matches!(arg.expr, Expr::Constant(_))).and_then(|arg| arg.ty).filter(|_| together) else { return Ok(()) };
    for (arg, written) in args.iter_mut().zip(written) {
        let (Expr::Constant(value), Some(own)) = (&arg.expr, arg.ty) else { continue };
        let as_other = match (ty, own) {
            (ColumnType::Date | ColumnType::Timestamp, ColumnType::Text) => true,
            (ColumnType::Float, ColumnType::Integer) => function != Function::WidthBucket,
            _ => false,
        };
        if as_other {
            let coerced = literal::coerce(value.clone(), ty).map_err(|hint| {
                let message = format!("`{written}` cannot be compared with {}", literal::article(ty));
                refuse(RefusalCode::Type, *written, message).hint(hint)
            })?;
            *arg = Typed { expr: Expr::Constant(coerced), ty: Some(ty) };
        }
    }
    Ok(())
}

fn not<L>(of: Typed<L>) -> Typed<L> {
    Typed { expr: Expr::call1(Function::Not, of.expr), ty: Some(ColumnType::Boolean) }
}

fn not_if<L>(negated: bool, of: Typed<L>) -> Typed<L> {
    if negated { not(of) } else { of }
}

const fn binary(op: &BinaryOperator) -> Option<Function> {
    Some(match op {
        BinaryOperator::Plus => Function::Add,
        BinaryOperator::Minus => Function::Subtract,
        BinaryOperator::Multiply => Function::Multiply,
        BinaryOperator::Divide => Function::Divide,
        BinaryOperator::Modulo => Function::Modulo,
        BinaryOperator::StringConcat => Function::Concat,
        BinaryOperator::Eq => Function::Compare(Comparison::Eq),
        BinaryOperator::NotEq => Function::Compare(Comparison::Ne),
        BinaryOperator::Lt => Function::Compare(Comparison::Lt),
        BinaryOperator::LtEq => Function::Compare(Comparison::Le),
        BinaryOperator::Gt => Function::Compare(Comparison::Gt),
        BinaryOperator::GtEq => Function::Compare(Comparison::Ge),
        _ => return None,
    })
}

const fn date_part(field: &DateTimeField) -> Option<DatePart> {
    Some(match field {
        DateTimeField::Year => DatePart::Year,
        DateTimeField::Quarter => DatePart::Quarter,
        DateTimeField::Month => DatePart::Month,
        DateTimeField::Week(None) => DatePart::Week,
        DateTimeField::Day => DatePart::Day,
        DateTimeField::Hour => DatePart::Hour,
        DateTimeField::Minute => DatePart::Minute,
        DateTimeField::Isodow => DatePart::Weekday,
        _ => return None,
    })
}

/// The types that a cast can make, by PostgreSQL's names.
const fn cast_to(data_type: &DataType) -> Option<CastTo> {
    Some(match data_type {
        DataType::Boolean | DataType::Bool => CastTo::Boolean,
        DataType::Int(None) | DataType::Integer(None) | DataType::BigInt(None) | DataType::Int8(None) => CastTo::Integer,
        DataType::Float(ExactNumberInfo::None) | DataType::Float8 | DataType::Double(ExactNumberInfo::None) | DataType::DoublePrecision => CastTo::Float,
        DataType::Text | DataType::Varchar(None) => CastTo::Text,
        DataType::Date => CastTo::Date,
        DataType::Timestamp(None, _) => CastTo::Timestamp,
        _ => return None,
    })
}
