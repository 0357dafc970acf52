//! The functions that can be written.

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
    Compare(super::super::Comparison),
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
    WidthBucket,
    /// `lower(text)`
    Lower,
    /// `upper(text)`
    Upper,
    /// `length(text)`: characters.
    Length,
    /// `substr(text, from, count)`: characters, the first is 1.
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
    /// `split_part(text, separator, n)`: the n-th part, from 1; empty where there is none.
    SplitPart,
    /// `date_trunc('part', x)`: the beginning of it, of the same type as x.
    Truncate(DatePart),
    /// `extract(part from x)`
    Part(DatePart),
    /// `cast(x as type)`; null where it is none.
    Cast(CastTo),
}
