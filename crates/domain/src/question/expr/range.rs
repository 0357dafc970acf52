//! Between which numbers an expression's values certainly are.

use super::{CastTo, DatePart, Expr, Function};
use crate::question::Value;

/// Both ends included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// The lowest that a value can be.
    pub low: f64,
    /// The highest.
    pub high: f64,
}

/// 2⁶³, and the next number below it: where whole numbers end.
const BEYOND_WHOLE: f64 = 9_223_372_036_854_775_808.0;
const LAST_WHOLE: f64 = 9_223_372_036_854_774_784.0;

/// Known on neither side.
const ANY: Range = Range { low: f64::NEG_INFINITY, high: f64::INFINITY };

/// No number at all: only null.
const NONE: Range = Range { low: f64::INFINITY, high: f64::NEG_INFINITY };

impl<L> Expr<L> {
    /// Between which numbers its values are; none where that does not follow from its parts. `leaf` tells
    /// it of leaves.
    ///
    /// # Guarantee
    /// Every value that is not null is within it, for an expression that [`Expr::typed`] accepts.
    pub fn range(&self, leaf: &impl Fn(&L) -> Option<Range>) -> Option<Range> {
        let found = self.within(leaf);
        if found.is_none() {
            return Some(Range { low: 0.0, high: 0.0 });
        }
        (found.low.is_finite() && found.high.is_finite()).then_some(found)
    }

    /// As [`Expr::range`], with infinite ends where nothing is known.
    fn within(&self, leaf: &impl Fn(&L) -> Option<Range>) -> Range {
        match self {
            Self::Leaf(of) => leaf(of).unwrap_or(ANY),
            Self::Constant(Value::Null) => NONE,
            Self::Constant(Value::Integer(x)) => of_whole(*x),
            Self::Constant(value) => value.as_f64().map_or(ANY, |x| Range { low: x, high: x }),
            Self::Call(function, args) => call(*function, args, leaf),
            Self::Case { branches, otherwise } => branches.iter().map(|(_, result)| result.within(leaf)).fold(otherwise.within(leaf), Range::or),
        }
    }

    /// Whether it can be null; true where it is not certain. `leaf` tells it of leaves.
    ///
    /// # Guarantee
    /// Where it says no, no row gives null, for an expression that [`Expr::typed`] accepts.
    pub fn nullable(&self, leaf: &impl Fn(&L) -> bool) -> bool {
        match self {
            Self::Leaf(of) => leaf(of),
            Self::Constant(value) => *value == Value::Null,
            Self::Case { branches, otherwise } => otherwise.nullable(leaf) || branches.iter().any(|(_, result)| result.nullable(leaf)),
            Self::Call(function, args) => {
                let any = || args.iter().any(|arg| arg.nullable(leaf));
                match function {
                    Function::IsNull | Function::IsSame => false,
                    Function::Greatest | Function::Least | Function::Coalesce => args.iter().all(|arg| arg.nullable(leaf)),
                    function if always_known(*function, args) => any(),
                    _ => true,
                }
            }
        }
    }
}

/// Whether a function of known arguments is never null.
fn always_known<L>(function: Function, args: &[Expr<L>]) -> bool {
    let constant = |place: usize| args.get(place).and_then(|arg| if let Expr::Constant(value) = arg { Some(value) } else { None });
    let number = |place: usize| constant(place).and_then(Value::as_f64);
    match function {
        Function::Compare(_) | Function::And | Function::Or | Function::Not | Function::In | Function::Like | Function::StartsWith => true,
        Function::Negate | Function::Abs | Function::Sign | Function::Round | Function::Floor | Function::Ceil | Function::Trunc => true,
        Function::Lower | Function::Upper | Function::Length | Function::Left | Function::Right | Function::Trim | Function::Strpos => true,
        Function::Part(_) | Function::Cast(CastTo::Text) => true,
        Function::Truncate(part) => part != DatePart::Week,
        Function::Modulo => number(1).is_some_and(|by| by != 0.0),
        // Nothing gets larger.
        Function::Divide => number(1).is_some_and(|by| by.abs() >= 1.0),
        Function::Substr => args.len() == 2 || matches!(constant(2), Some(Value::Integer(0..))),
        Function::SplitPart => matches!(constant(2), Some(Value::Integer(n)) if *n != 0),
        Function::WidthBucket => {
            number(1).zip(number(2)).is_some_and(|(low, high)| low != high) && matches!(constant(3), Some(Value::Integer(n)) if (1..=i64::from(i32::MAX)).contains(n))
        }
        _ => false,
    }
}

/// Of a function.
fn call<L>(function: Function, args: &[Expr<L>], leaf: &impl Fn(&L) -> Option<Range>) -> Range {
    let at = |place: usize| args.get(place).map_or(ANY, |arg| arg.within(leaf));
    match (function, args) {
        (Function::Add, [_, _]) => both(at(0), at(1), |a, b| sum(a, b).saturating()),
        (Function::Subtract, [_, _]) => both(at(0), at(1), |a, b| sum(a, b.negative()).saturating()),
        (Function::Multiply, [_, _]) => both(at(0), at(1), |a, b| product(a, b).saturating()),
        (Function::Divide, [_, _]) => both(at(0), at(1), quotient),
        (Function::Modulo, [_, _]) => both(at(0), at(1), remainder),
        (Function::Power, [_, _]) => both(at(0), at(1), power),
        (Function::Negate, [_]) => at(0).map(|a| a.negative().saturating()),
        (Function::Abs, [_]) => at(0).map(|a| a.size().saturating()),
        (Function::Sign, [_]) => at(0).each(|x| if x == 0.0 { 0.0 } else { x.signum() }),
        (Function::Round, [_]) => at(0).each(f64::round),
        (Function::Floor, [_]) => at(0).each(f64::floor),
        (Function::Ceil, [_]) => at(0).each(f64::ceil),
        (Function::Trunc, [_]) => at(0).each(f64::trunc),
        (Function::Sqrt, [_]) => at(0).from(0.0).each(f64::sqrt),
        (Function::Ln, [_]) => at(0).from(0.0).each(f64::ln).roughly(),
        (Function::Log10, [_]) => at(0).from(0.0).each(f64::log10).roughly(),
        (Function::Exp, [_]) => at(0).each(f64::exp).roughly().from(0.0),
        (Function::Greatest, _) => farthest(args, leaf),
        (Function::Least, _) => farthest_below(args, leaf),
        (Function::Coalesce, _) => {
            let looked_at = args.iter().position(|arg| !arg.nullable(&|_| true)).map_or(args.len(), |last| last + 1);
            args.iter().take(looked_at).map(|arg| arg.within(leaf)).fold(NONE, Range::or)
        }
        (Function::NullIf, [_, _]) => at(0),
        (Function::WidthBucket, [_, _, _, _]) => at(3).map(|parts| sum(Range { low: 0.0, high: parts.high.max(0.0) }, Range { low: 0.0, high: 1.0 })),
        (Function::Length | Function::Strpos, _) => Range { low: 0.0, ..ANY },
        (Function::Part(part), _) => of_part(part).map_or(ANY, |(low, high)| Range { low: f64::from(low), high: f64::from(high) }),
        (Function::Cast(CastTo::Integer), [Expr::Call(of, _)]) if of.is_condition() => Range { low: 0.0, high: 1.0 },
        (Function::Cast(CastTo::Integer), [_]) => at(0).each(f64::round_ties_even),
        (Function::Cast(CastTo::Float), [_]) => at(0),
        _ => ANY,
    }
}

/// Between which whole numbers a part of a date is, where they are few.
pub(super) const fn of_part(part: DatePart) -> Option<(i32, i32)> {
    match part {
        DatePart::Year => None,
        DatePart::Quarter => Some((1, 4)),
        DatePart::Month => Some((1, 12)),
        DatePart::Week => Some((1, 53)),
        DatePart::Day => Some((1, 31)),
        DatePart::Hour => Some((0, 23)),
        DatePart::Minute => Some((0, 59)),
        DatePart::Weekday => Some((1, 7)),
    }
}

/// The greatest is one of them, and at least every one that is never null.
fn farthest<L>(args: &[Expr<L>], leaf: &impl Fn(&L) -> Option<Range>) -> Range {
    let one_of = args.iter().map(|arg| arg.within(leaf)).fold(NONE, Range::or);
    let known = args.iter().filter(|arg| !arg.nullable(&|_| true)).map(|arg| arg.within(leaf).low);
    Range { low: known.fold(one_of.low, f64::max), ..one_of }
}

/// The least likewise.
fn farthest_below<L>(args: &[Expr<L>], leaf: &impl Fn(&L) -> Option<Range>) -> Range {
    let one_of = args.iter().map(|arg| arg.within(leaf)).fold(NONE, Range::or);
    let known = args.iter().filter(|arg| !arg.nullable(&|_| true)).map(|arg| arg.within(leaf).high);
    Range { high: known.fold(one_of.high, f64::min), ..one_of }
}

impl Range {
    const fn is_none(self) -> bool {
        self.low > self.high || self.low == f64::INFINITY || self.high == f64::NEG_INFINITY
    }

    /// What is in either.
    const fn or(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    /// What is in it from `low` on.
    const fn from(self, low: f64) -> Self {
        Self { low: self.low.max(low), ..self }
    }

    fn map(self, to: impl Fn(Self) -> Self) -> Self {
        if self.is_none() { NONE } else { to(self) }
    }

    /// Of a function that never falls. Its ends may be without bound.
    fn each(self, rising: impl Fn(f64) -> f64) -> Self {
        self.map(|Self { low, high }| Self { low: rising(low), high: rising(high) })
    }

    fn negative(self) -> Self {
        Self { low: -self.high, high: -self.low }
    }

    /// How far from zero.
    fn size(self) -> Self {
        if self.low >= 0.0 {
            self
        } else if self.high <= 0.0 {
            self.negative()
        } else {
            Self { low: 0.0, high: self.high.max(-self.low) }
        }
    }

    /// With the ends of whole numbers, at which arithmetic stops, where it is beyond them.
    const fn saturating(self) -> Self {
        Self { low: self.low.min(LAST_WHOLE), high: self.high.max(-BEYOND_WHOLE) }
    }

    /// A little wider: for functions that are not rounded to the nearest number.
    fn roughly(self) -> Self {
        let slack = |x: f64| if x.is_finite() { x.abs() * 1e-14 + f64::MIN_POSITIVE } else { 0.0 };
        self.map(|Self { low, high }| Self { low: low - slack(low), high: high + slack(high) })
    }
}

fn both(a: Range, b: Range, to: impl Fn(Range, Range) -> Range) -> Range {
    if a.is_none() || b.is_none() { NONE } else { to(a, b) }
}

/// A whole number may lie between two numbers with fractions.
fn of_whole(x: i64) -> Range {
    let Some(near) = Value::Integer(x).as_f64() else { return ANY };
    let order = Value::Integer(x).compare(&Value::Float(near));
    Range {
        low: if order == Some(std::cmp::Ordering::Less) { near.next_down() } else { near },
        high: if order == Some(std::cmp::Ordering::Greater) { near.next_up() } else { near },
    }
}

/// Ends are exact where they can be, and otherwise rounded outwards: sums of whole numbers are exact.
fn sum(a: Range, b: Range) -> Range {
    Range { low: sum_end(a.low, b.low).0, high: sum_end(a.high, b.high).1 }
}

/// The sum, from both sides.
fn sum_end(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    // What rounding lost (Knuth's two-sum).
    let part = sum - a;
    let lost = (a - (sum - part)) + (b - part);
    around(sum, lost == 0.0)
}

fn product(a: Range, b: Range) -> Range {
    let ends = [product_end(a.low, b.low), product_end(a.low, b.high), product_end(a.high, b.low), product_end(a.high, b.high)];
    ends.into_iter().fold(NONE, |range, (low, high)| range.or(Range { low, high }))
}

/// The product, from both sides.
fn product_end(a: f64, b: f64) -> (f64, f64) {
    // An end without bound stands for any number, and zero times that is zero.
    if a == 0.0 || b == 0.0 {
        return (0.0, 0.0);
    }
    let product = a * b;
    around(product, product.is_normal() && a.mul_add(b, -product) == 0.0)
}

const fn around(x: f64, exact: bool) -> (f64, f64) {
    if exact || x.is_infinite() { (x, x) } else { (x.next_down(), x.next_up()) }
}

/// Quotients are rounded to the nearest number, which keeps their order.
fn quotient(a: Range, b: Range) -> Range {
    if b.low <= 0.0 && b.high >= 0.0 {
        return if b.low == b.high { NONE } else { ANY };
    }
    let of = |a: f64, b: f64| if a == 0.0 { 0.0 } else { a / b };
    let ends = [of(a.low, b.low), of(a.low, b.high), of(a.high, b.low), of(a.high, b.high)];
    if ends.iter().any(|end| end.is_nan()) { ANY } else { ends.into_iter().fold(NONE, |range, end| range.or(Range { low: end, high: end })) }
}

/// Less than what it is divided by, not more than what is divided, and of its sign.
fn remainder(a: Range, b: Range) -> Range {
    let most = b.size().high;
    Range { low: a.low.clamp(-most, 0.0), high: a.high.clamp(0.0, most) }
}

/// Of what is not negative, to what is not negative.
fn power(a: Range, b: Range) -> Range {
    if a.low < 0.0 || b.low < 0.0 {
        return ANY;
    }
    let ends = [a.low.powf(b.low), a.low.powf(b.high), a.high.powf(b.low), a.high.powf(b.high)];
    if ends.iter().any(|end| end.is_nan()) { ANY } else { ends.into_iter().fold(NONE, |range, end| range.or(Range { low: end, high: end })).roughly().from(0.0) }
}
