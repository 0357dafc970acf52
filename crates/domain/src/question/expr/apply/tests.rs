use super::*;
use crate::question::Comparison;
use crate::question::expr::{CastTo, DatePart};

fn text(t: &str) -> Value {
    Value::Text(t.to_owned())
}

fn day(t: &str) -> Value {
    Value::Date(t.parse().unwrap())
}

fn instant(t: &str) -> Value {
    Value::Timestamp(t.parse().unwrap())
}

fn check(cases: impl IntoIterator<Item = (Function, Vec<Value>, Value)>) {
    for (function, args, expected) in cases {
        assert_eq!(function.apply(&args), expected, "{function:?} of {args:?}");
    }
}

use Value::{Boolean, Float, Integer, Null};

#[test]
fn truth_has_three_values() {
    use Function::{And, Compare, In, IsNull, IsSame, Not, Or};
    check([
        (And, vec![Boolean(true), Null], Null),
        (And, vec![Null, Boolean(false)], Boolean(false)),
        (Or, vec![Null, Boolean(true)], Boolean(true)),
        (Or, vec![Boolean(false), Null], Null),
        (Not, vec![Null], Null),
        (Not, vec![Integer(1)], Null),
        (IsNull, vec![Null], Boolean(true)),
        (IsSame, vec![Null, Null], Boolean(true)),
        (IsSame, vec![Integer(1), Null], Boolean(false)),
        (IsSame, vec![Integer(1), Float(1.0)], Boolean(true)),
        (Compare(Comparison::Ne), vec![text("a"), Null], Null),
        (Compare(Comparison::Lt), vec![text("Z"), text("a")], Boolean(true)),
        (In, vec![Integer(1), Integer(1), Null], Boolean(true)),
        (In, vec![Integer(2), Integer(1), Null], Null),
        (In, vec![Integer(2), Integer(1)], Boolean(false)),
        (In, vec![Null, Integer(1)], Null),
    ]);
}

#[test]
fn arithmetic_never_leaves_the_numbers() {
    use Function::{Abs, Add, Divide, Exp, Ln, Log10, Modulo, Multiply, Negate, Power, Round, Sign, Sqrt, Subtract, Trunc};
    check([
        (Add, vec![Integer(i64::MAX), Integer(1)], Integer(i64::MAX)),
        (Subtract, vec![Integer(i64::MIN), Integer(1)], Integer(i64::MIN)),
        (Multiply, vec![Integer(i64::MAX), Integer(-2)], Integer(i64::MIN)),
        (Multiply, vec![Float(f64::MAX), Integer(2)], Null),
        (Negate, vec![Integer(i64::MIN)], Integer(i64::MAX)),
        (Negate, vec![Float(0.0)], Float(0.0)),
        (Abs, vec![Integer(i64::MIN)], Integer(i64::MAX)),
        (Divide, vec![Integer(1), Integer(2)], Float(0.5)),
        (Divide, vec![Integer(1), Integer(0)], Null),
        (Divide, vec![Float(0.0), Float(0.0)], Null),
        (Modulo, vec![Integer(-7), Integer(3)], Integer(-1)),
        (Modulo, vec![Integer(i64::MIN), Integer(-1)], Integer(0)),
        (Modulo, vec![Integer(7), Integer(0)], Null),
        (Modulo, vec![Float(7.5), Integer(2)], Float(1.5)),
        (Round, vec![Float(2.5)], Float(3.0)),
        (Round, vec![Float(-0.5)], Float(-1.0)),
        (Round, vec![Integer(7)], Integer(7)),
        (Trunc, vec![Float(-1.5)], Float(-1.0)),
        (Sign, vec![Float(-0.5)], Float(-1.0)),
        (Sign, vec![Float(-0.0)], Float(0.0)),
        (Sqrt, vec![Integer(-1)], Null),
        (Ln, vec![Integer(0)], Null),
        (Log10, vec![Integer(1000)], Float(3.0)),
        (Exp, vec![Integer(1000)], Null),
        (Power, vec![Integer(2), Integer(10)], Float(1024.0)),
        (Power, vec![Integer(-8), Float(0.5)], Null),
        (Power, vec![Integer(0), Integer(-1)], Null),
        (Add, vec![Integer(1)], Null),
        (Add, vec![text("1"), Integer(1)], Null),
    ]);
}

#[test]
fn buckets_follow_postgresql() {
    let bucket = |x: f64, low: f64, high: f64, n: i64| Function::WidthBucket.apply(&[Float(x), Float(low), Float(high), Integer(n)]);
    for (x, place) in [(-0.1, 0), (0.0, 1), (1.9, 1), (2.0, 2), (9.9, 5), (10.0, 6), (1e300, 6)] {
        assert_eq!(bucket(x, 0.0, 10.0, 5), Integer(place), "{x}");
    }
    for (x, place) in [(10.1, 0), (10.0, 1), (8.1, 1), (8.0, 2), (0.1, 5), (0.0, 6)] {
        assert_eq!(bucket(x, 10.0, 0.0, 5), Integer(place), "{x} downwards");
    }
    assert_eq!(bucket(1.0, 1.0, 1.0, 5), Null);
    assert_eq!(bucket(1.0, 0.0, 1.0, 0), Null);
    assert_eq!(bucket(1.0, 0.0, 1.0, i64::MAX), Null);
    assert_eq!(bucket(0.0, f64::MIN, f64::MAX, 2), Integer(2), "the width of the widest range is a number");
    assert_eq!(bucket(1.0_f64.next_down(), 0.0, 1.0, 3), Integer(3), "what is below high is in the last");
}

#[test]
fn choices_skip_nulls_and_have_one_type() {
    use Function::{Coalesce, Greatest, Least, NullIf};
    check([
        (Greatest, vec![Null, Integer(1), Integer(3)], Integer(3)),
        (Least, vec![Null, Integer(1), Float(2.5)], Float(1.0)),
        (Greatest, vec![Null, Null], Null),
        (Greatest, vec![text("a"), Integer(1)], Null),
        (Coalesce, vec![Null, text("a"), text("b")], text("a")),
        (Coalesce, vec![Integer(1), Float(2.5)], Float(1.0)),
        (NullIf, vec![text("a"), text("a")], Null),
        (NullIf, vec![text("a"), Null], text("a")),
        (NullIf, vec![Null, text("a")], Null),
    ]);
}

#[test]
fn text_is_counted_in_characters() {
    use Function::{Concat, Left, Length, Lower, Replace, Right, SplitPart, StartsWith, Strpos, Substr, Trim, Upper};
    let whole = |t: &str, n: i64| vec![text(t), Integer(n)];
    let split = |n| vec![text("a,b,,c"), text(","), Integer(n)];
    let long = "x".repeat(MAX_TEXT_BYTES);
    check([
        (Lower, vec![text("ÄB")], text("äb")),
        (Upper, vec![text("straße")], text("STRASSE")),
        (Length, vec![text("日本")], Integer(2)),
        (Substr, vec![text("naïve"), Integer(2), Integer(2)], text("aï")),
        (Substr, vec![text("naïve"), Integer(-1), Integer(3)], text("n")),
        (Substr, vec![text("naïve"), Integer(0), Integer(1)], text("")),
        (Substr, vec![text("naïve"), Integer(2), Integer(-1)], Null),
        (Substr, vec![text("naïve"), Integer(i64::MIN), Integer(i64::MAX)], text("")),
        (Substr, vec![text("naïve"), Integer(4), Integer(i64::MAX)], text("ve")),
        (Substr, whole("naïve", 4), text("ve")),
        (Substr, whole("naïve", -4), text("naïve")),
        (Left, whole("naïve", 2), text("na")),
        (Left, whole("naïve", -2), text("naï")),
        (Left, whole("naïve", -9), text("")),
        (Left, whole("naïve", i64::MIN), text("")),
        (Right, whole("naïve", 2), text("ve")),
        (Right, whole("naïve", -2), text("ïve")),
        (Right, whole("naïve", 9), text("naïve")),
        (Right, whole("naïve", i64::MIN), text("")),
        (Trim, vec![text("  a\t ")], text("a\t")),
        (Replace, vec![text("aXbX"), text("X"), text("--")], text("a--b--")),
        (Replace, vec![text("ab"), text(""), text("x")], text("ab")),
        (Replace, vec![text(&long), text("x"), text("yy")], Null),
        (Replace, vec![text(&long), text("x"), text("")], text("")),
        (Concat, vec![text("a"), text("b"), text("c")], text("abc")),
        (Concat, vec![text("a"), Null], Null),
        (Concat, vec![text(&long), text("x")], Null),
        (StartsWith, vec![text("abc"), text("ab")], Boolean(true)),
        (Strpos, vec![text("日本語"), text("語")], Integer(3)),
        (Strpos, vec![text("a"), text("")], Integer(1)),
        (Strpos, vec![text("a"), text("b")], Integer(0)),
        (SplitPart, split(2), text("b")),
        (SplitPart, split(3), text("")),
        (SplitPart, split(-1), text("c")),
        (SplitPart, split(9), text("")),
        (SplitPart, split(0), Null),
        (SplitPart, split(i64::MIN), text("")),
        (SplitPart, vec![text("ab"), text(""), Integer(1)], text("ab")),
        (SplitPart, vec![text("ab"), text(""), Integer(2)], text("")),
    ]);
}

#[test]
fn days_have_parts() {
    use Function::{Add, Part, Subtract, Truncate};
    let at = || instant("2026-08-13T17:45:12.5Z");
    let on = || day("2026-08-13");
    check([
        (Truncate(DatePart::Year), vec![on()], day("2026-01-01")),
        (Truncate(DatePart::Quarter), vec![on()], day("2026-07-01")),
        (Truncate(DatePart::Month), vec![at()], instant("2026-08-01T00:00:00Z")),
        (Truncate(DatePart::Week), vec![on()], day("2026-08-10")),
        (Truncate(DatePart::Hour), vec![on()], on()),
        (Truncate(DatePart::Hour), vec![at()], instant("2026-08-13T17:00:00Z")),
        (Truncate(DatePart::Minute), vec![instant("1969-12-31T23:59:59Z")], instant("1969-12-31T23:59:00Z")),
        (Truncate(DatePart::Weekday), vec![on()], Null),
        (Part(DatePart::Quarter), vec![on()], Integer(3)),
        (Part(DatePart::Week), vec![day("2027-01-01")], Integer(53)),
        (Part(DatePart::Hour), vec![at()], Integer(17)),
        (Part(DatePart::Hour), vec![on()], Integer(0)),
        (Part(DatePart::Weekday), vec![on()], Integer(4)),
        (Add, vec![on(), Integer(19)], day("2026-09-01")),
        (Add, vec![Integer(-13), on()], day("2026-07-31")),
        (Add, vec![on(), Integer(i64::MAX)], Null),
        (Subtract, vec![on(), Integer(i64::MIN)], Null),
        (Subtract, vec![on(), day("2026-08-01")], Integer(12)),
        (Subtract, vec![on(), at()], Null),
    ]);
}

#[test]
fn casts_give_null_where_there_is_nothing() {
    let cast = |value: Value, to: CastTo, expected: Value| (Function::Cast(to), vec![value], expected);
    check([
        cast(Float(2.5), CastTo::Integer, Integer(2)),
        cast(Float(3.5), CastTo::Integer, Integer(4)),
        cast(Float(9.3e18), CastTo::Integer, Null),
        cast(Float(-9_223_372_036_854_775_808.0), CastTo::Integer, Integer(i64::MIN)),
        cast(text(" 42 "), CastTo::Integer, Integer(42)),
        cast(text("4.2"), CastTo::Integer, Null),
        cast(text("1e3"), CastTo::Float, Float(1000.0)),
        cast(text("NaN"), CastTo::Float, Null),
        cast(text("infinity"), CastTo::Float, Null),
        cast(text("1e999"), CastTo::Float, Null),
        cast(text("-0"), CastTo::Float, Float(0.0)),
        cast(text(" Yes "), CastTo::Boolean, Boolean(true)),
        cast(text("maybe"), CastTo::Boolean, Null),
        cast(Integer(2), CastTo::Boolean, Boolean(true)),
        cast(Boolean(true), CastTo::Integer, Integer(1)),
        cast(Float(1.0), CastTo::Boolean, Null),
        cast(text(" 2026-01-31 "), CastTo::Date, day("2026-01-31")),
        cast(text("2026-02-30"), CastTo::Date, Null),
        cast(text("2026-01-31"), CastTo::Timestamp, instant("2026-01-31T00:00:00Z")),
        cast(text("2026-01-31 18:00:00"), CastTo::Timestamp, instant("2026-01-31T18:00:00Z")),
        cast(text("2026-01-31T18:00:00.1234567+02:00"), CastTo::Timestamp, instant("2026-01-31T16:00:00.123456Z")),
        cast(day("2026-01-31"), CastTo::Timestamp, instant("2026-01-31T00:00:00Z")),
        cast(instant("2026-01-31T18:00:00Z"), CastTo::Date, day("2026-01-31")),
        cast(Float(-0.0), CastTo::Text, text("0")),
        cast(Float(1.5), CastTo::Text, text("1.5")),
        cast(day("2026-01-31"), CastTo::Text, text("2026-01-31")),
        cast(Null, CastTo::Text, Null),
        cast(Integer(1), CastTo::Date, Null),
    ]);
}

#[test]
fn the_narrowest_range_has_parts_as_well() {
    let bucket = |x: f64| Function::WidthBucket.apply(&[Value::Float(x), Value::Integer(0), Value::Float(5e-324), Value::Integer(3)]);
    assert_eq!((bucket(0.0), bucket(-1.0), bucket(1.0)), (Value::Integer(1), Value::Integer(0), Value::Integer(4)));
    let widest = Function::WidthBucket.apply(&[Value::Float(0.0), Value::Float(-1.7e308), Value::Float(1.7e308), Value::Integer(2)]);
    assert_eq!(widest, Value::Integer(2));
}
