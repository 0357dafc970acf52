//! The functions that can be written.

use std::ops::Range;

use super::super::Comparison;
use crate::catalog::ColumnType;

crate::words! {
    /// A part of a day or an instant, for [`Function::Truncate`] and [`Function::Part`].
    pub enum DatePart("part of a date") {
        /// The year.
        Year = "year",
        /// A quarter of a year.
        Quarter = "quarter",
        /// The month.
        Month = "month",
        /// The week, from Monday.
        Week = "week",
        /// The day; of the month where it is a number.
        Day = "day",
        /// The hour.
        Hour = "hour",
        /// The minute.
        Minute = "minute",
        /// 1 = Monday to 7; only as a number.
        Weekday = "isodow",
    }
}

crate::words! {
    /// What a [`Function::Cast`] makes.
    pub enum CastTo("type") {
        /// Yes or no.
        Boolean = "boolean",
        /// A whole number.
        Integer = "integer",
        /// A number with a fraction.
        Float = "float",
        /// Text.
        Text = "text",
        /// A calendar day.
        Date = "date",
        /// An instant.
        Timestamp = "timestamp",
    }
}

/// A function or operator. All are total: see [`super`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Function {
    /// `a = b` and the like; null when either side is.
    Compare(Comparison),
    /// `a and b and …`, by SQL's three-valued logic.
    And,
    /// `a or b or …`.
    Or,
    /// `not a`.
    Not,
    /// `a is null`; never null itself.
    IsNull,
    /// `a is not distinct from b`; never null itself.
    IsSame,
    /// `x in (a, b, …)`: the first argument against the constants that follow.
    In,
    /// `text like pattern`: `%` is any run of characters, `_` any one.
    Like,
    /// `a + b`; days are added to a date.
    Add,
    /// `a - b`; days are taken from a date, and the days between two dates.
    Subtract,
    /// `a * b`
    Multiply,
    /// `a / b`: always a fraction; by zero gives null.
    Divide,
    /// `a % b`, with the sign of `a`; by zero gives null.
    Modulo,
    /// `-a`
    Negate,
    /// `abs(a)`
    Abs,
    /// `sign(a)`: −1, 0 or 1.
    Sign,
    /// `round(a)`: to the nearest whole number, halves away from zero.
    Round,
    /// `floor(a)`
    Floor,
    /// `ceil(a)`
    Ceil,
    /// `trunc(a)`: towards zero.
    Trunc,
    /// `sqrt(a)`; of less than zero gives null.
    Sqrt,
    /// `ln(a)`; of zero or less gives null.
    Ln,
    /// `log10(a)`; likewise.
    Log10,
    /// `exp(a)`; null where it leaves the numbers.
    Exp,
    /// `power(a, b)`; null where it is no number.
    Power,
    /// `greatest(a, b, …)`: the largest that is not null.
    Greatest,
    /// `least(a, b, …)`: the smallest that is not null.
    Least,
    /// `coalesce(a, b, …)`: the first that is not null.
    Coalesce,
    /// `nullif(a, b)`: null where they are equal.
    NullIf,
    /// `width_bucket(x, low, high, n)`: which of n equal parts of low..high; 0 below, n + 1 from high on.
    /// Where low is above high, parts are counted downwards.
    WidthBucket,
    /// `lower(text)`
    Lower,
    /// `upper(text)`
    Upper,
    /// `length(text)`: characters.
    Length,
    /// `substr(text, from, count)`: characters, the first is 1; to the end without a count.
    Substr,
    /// `left(text, n)`: the first characters; all but the last −n where n is negative.
    Left,
    /// `right(text, n)`: the last characters; all but the first −n where n is negative.
    Right,
    /// `trim(text)`: without spaces at both ends.
    Trim,
    /// `replace(text, from, to)`
    Replace,
    /// `a || b`; null when either side is.
    Concat,
    /// `starts_with(text, prefix)`
    StartsWith,
    /// `strpos(text, part)`: the first place, from 1; 0 where it is not.
    Strpos,
    /// `split_part(text, separator, n)`: the n-th part, from 1, or from the last, −1; empty where there is none.
    SplitPart,
    /// `date_trunc('part', x)`: the beginning of it, of the same type as x.
    Truncate(DatePart),
    /// `extract(part from x)`
    Part(DatePart),
    /// `cast(x as type)`; null where it is none.
    Cast(CastTo),
}

impl CastTo {
    /// The type of what it makes.
    #[must_use]
    pub const fn column_type(self) -> ColumnType {
        match self {
            Self::Boolean => ColumnType::Boolean,
            Self::Integer => ColumnType::Integer,
            Self::Float => ColumnType::Float,
            Self::Text => ColumnType::Text,
            Self::Date => ColumnType::Date,
            Self::Timestamp => ColumnType::Timestamp,
        }
    }
}

impl Function {
    /// Every function, with everything it can be made of.
    ///
    /// # Guarantee
    /// Complete: what is not here cannot be written.
    pub const ALL: &'static [Self] = &[
        Self::Compare(Comparison::Eq),
        Self::Compare(Comparison::Ne),
        Self::Compare(Comparison::Lt),
        Self::Compare(Comparison::Le),
        Self::Compare(Comparison::Gt),
        Self::Compare(Comparison::Ge),
        Self::And,
        Self::Or,
        Self::Not,
        Self::IsNull,
        Self::IsSame,
        Self::In,
        Self::Like,
        Self::Add,
        Self::Subtract,
        Self::Multiply,
        Self::Divide,
        Self::Modulo,
        Self::Negate,
        Self::Abs,
        Self::Sign,
        Self::Round,
        Self::Floor,
        Self::Ceil,
        Self::Trunc,
        Self::Sqrt,
        Self::Ln,
        Self::Log10,
        Self::Exp,
        Self::Power,
        Self::Greatest,
        Self::Least,
        Self::Coalesce,
        Self::NullIf,
        Self::WidthBucket,
        Self::Lower,
        Self::Upper,
        Self::Length,
        Self::Substr,
        Self::Left,
        Self::Right,
        Self::Trim,
        Self::Replace,
        Self::Concat,
        Self::StartsWith,
        Self::Strpos,
        Self::SplitPart,
        Self::Truncate(DatePart::Year),
        Self::Truncate(DatePart::Quarter),
        Self::Truncate(DatePart::Month),
        Self::Truncate(DatePart::Week),
        Self::Truncate(DatePart::Day),
        Self::Truncate(DatePart::Hour),
        Self::Truncate(DatePart::Minute),
        Self::Part(DatePart::Year),
        Self::Part(DatePart::Quarter),
        Self::Part(DatePart::Month),
        Self::Part(DatePart::Week),
        Self::Part(DatePart::Day),
        Self::Part(DatePart::Hour),
        Self::Part(DatePart::Minute),
        Self::Part(DatePart::Weekday),
        Self::Cast(CastTo::Boolean),
        Self::Cast(CastTo::Integer),
        Self::Cast(CastTo::Float),
        Self::Cast(CastTo::Text),
        Self::Cast(CastTo::Date),
        Self::Cast(CastTo::Timestamp),
    ];

    /// Its name or operator in SQL, without what [`Function::Truncate`], [`Function::Part`] and
    /// [`Function::Cast`] are made of.
    #[must_use]
    pub const fn sql(self) -> &'static str {
        match self {
            Self::Compare(comparison) => comparison.as_str(),
            Self::And => "AND",
            Self::Or => "OR",
            Self::Not => "NOT",
            Self::IsNull => "IS NULL",
            Self::IsSame => "IS NOT DISTINCT FROM",
            Self::In => "IN",
            Self::Like => "LIKE",
            Self::Add => "+",
            Self::Subtract | Self::Negate => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
            Self::Abs => "abs",
            Self::Sign => "sign",
            Self::Round => "round",
            Self::Floor => "floor",
            Self::Ceil => "ceil",
            Self::Trunc => "trunc",
            Self::Sqrt => "sqrt",
            Self::Ln => "ln",
            Self::Log10 => "log10",
            Self::Exp => "exp",
            Self::Power => "power",
            Self::Greatest => "greatest",
            Self::Least => "least",
            Self::Coalesce => "coalesce",
            Self::NullIf => "nullif",
            Self::WidthBucket => "width_bucket",
            Self::Lower => "lower",
            Self::Upper => "upper",
            Self::Length => "length",
            Self::Substr => "substr",
            Self::Left => "left",
            Self::Right => "right",
            Self::Trim => "trim",
            Self::Replace => "replace",
            Self::Concat => "||",
            Self::StartsWith => "starts_with",
            Self::Strpos => "strpos",
            Self::SplitPart => "split_part",
            Self::Truncate(_) => "date_trunc",
            Self::Part(_) => "extract",
            Self::Cast(_) => "CAST",
        }
    }

    /// How it is written, for hints.
    #[must_use]
    pub const fn usage(self) -> &'static str {
        match self {
            Self::Compare(_) => "a = b, a < b and the like",
            Self::And => "a AND b",
            Self::Or => "a OR b",
            Self::Not => "NOT a",
            Self::IsNull => "a IS NULL",
            Self::IsSame => "a IS NOT DISTINCT FROM b",
            Self::In => "a IN (1, 2)",
            Self::Like => "text LIKE 'pattern%'",
            Self::Add => "a + b",
            Self::Subtract => "a - b",
            Self::Multiply => "a * b",
            Self::Divide => "a / b",
            Self::Modulo => "a % b",
            Self::Negate => "-a",
            Self::Abs => "abs(a)",
            Self::Sign => "sign(a)",
            Self::Round => "round(a)",
            Self::Floor => "floor(a)",
            Self::Ceil => "ceil(a)",
            Self::Trunc => "trunc(a)",
            Self::Sqrt => "sqrt(a)",
            Self::Ln => "ln(a)",
            Self::Log10 => "log10(a)",
            Self::Exp => "exp(a)",
            Self::Power => "power(a, b)",
            Self::Greatest => "greatest(a, b)",
            Self::Least => "least(a, b)",
            Self::Coalesce => "coalesce(a, b)",
            Self::NullIf => "nullif(a, b)",
            Self::WidthBucket => "width_bucket(a, low, high, n)",
            Self::Lower => "lower(text)",
            Self::Upper => "upper(text)",
            Self::Length => "length(text)",
            Self::Substr => "substr(text, from, count)",
            Self::Left => "left(text, n)",
            Self::Right => "right(text, n)",
            Self::Trim => "trim(text)",
            Self::Replace => "replace(text, from, to)",
            Self::Concat => "text || text",
            Self::StartsWith => "starts_with(text, prefix)",
            Self::Strpos => "strpos(text, part)",
            Self::SplitPart => "split_part(text, separator, n)",
            Self::Truncate(_) => "date_trunc('month', day)",
            Self::Part(_) => "extract(month from day)",
            Self::Cast(_) => "CAST(a AS type)",
        }
    }

    /// The function that is called by a plain name in lower case. Operators, `CASE`, `CAST`, `extract` and
    /// `date_trunc` have forms of their own. `concat` is none: PostgreSQL's skips nulls, `||` does not.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "abs" => Self::Abs,
            "sign" => Self::Sign,
            "round" => Self::Round,
            "floor" => Self::Floor,
            "ceil" | "ceiling" => Self::Ceil,
            "trunc" => Self::Trunc,
            "sqrt" => Self::Sqrt,
            "ln" => Self::Ln,
            "log" | "log10" => Self::Log10,
            "exp" => Self::Exp,
            "power" | "pow" => Self::Power,
            "mod" => Self::Modulo,
            "greatest" => Self::Greatest,
            "least" => Self::Least,
            "coalesce" => Self::Coalesce,
            "nullif" => Self::NullIf,
            "width_bucket" => Self::WidthBucket,
            "lower" => Self::Lower,
            "upper" => Self::Upper,
            "length" | "char_length" | "character_length" => Self::Length,
            "substr" | "substring" => Self::Substr,
            "left" => Self::Left,
            "right" => Self::Right,
            "trim" | "btrim" => Self::Trim,
            "replace" => Self::Replace,
            "starts_with" => Self::StartsWith,
            "strpos" => Self::Strpos,
            "split_part" => Self::SplitPart,
            _ => return None,
        })
    }

    /// Whether it is true, false or null, whatever it is given.
    #[must_use]
    pub const fn is_condition(self) -> bool {
        matches!(self, Self::Compare(_) | Self::And | Self::Or | Self::Not | Self::IsNull | Self::IsSame | Self::In | Self::Like | Self::StartsWith | Self::Cast(CastTo::Boolean))
    }

    /// Which arguments, from 0, must be constants.
    #[must_use]
    pub const fn constant_args(self) -> Range<usize> {
        match self {
            Self::WidthBucket => 1..4,
            Self::Like => 1..2,
            Self::In => 1..usize::MAX,
            _ => 0..0,
        }
    }

    /// Whether it is null as soon as one argument is.
    pub(super) const fn is_strict(self) -> bool {
        !matches!(self, Self::And | Self::Or | Self::IsNull | Self::IsSame | Self::In | Self::Greatest | Self::Least | Self::Coalesce | Self::NullIf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list of patterns that must cover every function: a new one does not compile until it is here.
    macro_rules! kinds {
        ($($pattern:pat),+ $(,)?) => {{
            const fn covered(function: Function) {
                use Function::*;
                match function { $($pattern => {})+ }
            }
            use Function::*;
            Function::ALL.iter().for_each(|&f| covered(f));
            [$((stringify!($pattern), Function::ALL.iter().any(|f| matches!(f, $pattern)))),+]
        }};
    }

    #[test]
    fn the_list_is_complete() {
        #[rustfmt::skip]
        let kinds = kinds![
            Compare(_), And, Or, Not, IsNull, IsSame, In, Like, Add, Subtract, Multiply, Divide, Modulo, Negate, Abs, Sign, Round, Floor, Ceil, Trunc,
            Sqrt, Ln, Log10, Exp, Power, Greatest, Least, Coalesce, NullIf, WidthBucket, Lower, Upper, Length, Substr, Left, Right, Trim, Replace,
            Concat, StartsWith, Strpos, SplitPart, Truncate(_), Part(_), Cast(_),
        ];
        assert!(kinds.iter().all(|(_, listed)| *listed), "{kinds:?}");
        assert!(Comparison::ALL.iter().all(|&c| Function::ALL.contains(&Function::Compare(c))));
        assert!(DatePart::ALL.iter().all(|&p| Function::ALL.contains(&Function::Part(p))));
        assert!(DatePart::ALL.iter().all(|&p| Function::ALL.contains(&Function::Truncate(p)) != (p == DatePart::Weekday)));
        assert!(CastTo::ALL.iter().all(|&t| Function::ALL.contains(&Function::Cast(t))));
        let mut once = Function::ALL.to_vec();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), Function::ALL.len());
    }

    #[test]
    fn names_lead_to_functions() {
        for &function in Function::ALL {
            let plain = function.sql().chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
            if plain && !matches!(function, Function::Truncate(_) | Function::Part(_)) {
                assert_eq!(Function::named(function.sql()), Some(function));
            }
        }
        assert_eq!(Function::named("char_length"), Some(Function::Length));
        assert_eq!(Function::named("mod"), Some(Function::Modulo));
        assert_eq!(Function::named("concat"), None);
        assert_eq!(Function::named("pg_sleep"), None);
    }
}
