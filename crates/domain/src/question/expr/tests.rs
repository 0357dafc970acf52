//! What must hold of all expressions, tried on random ones.

use std::fmt::Write;

use rand::RngExt;
use rand::seq::IndexedRandom;

use super::testing::{Leaf, Random, Row, TYPES, signatures};
use super::*;
use crate::catalog::ColumnType;
use crate::question::encode_key;

const GOLDEN: &str = "tests/golden/functions.txt";

/// Rewrites the file when `FAIRSHARE_BLESS=1`.
#[test]
#[expect(clippy::disallowed_methods, reason = "blessing golden files is asked for by the environment")]
fn functions_are_those_of_the_golden_file() {
    let mut now = String::new();
    for (function, types, ty) in signatures() {
        writeln!(now, "{} -> {ty}", Expr::Call(function, types.into_iter().map(Expr::Leaf).collect())).unwrap();
    }
    if std::env::var("FAIRSHARE_BLESS").is_ok_and(|v| v == "1") {
        std::fs::write(GOLDEN, &now).unwrap();
        return;
    }
    let golden = std::fs::read_to_string(GOLDEN).unwrap();
    assert_eq!(now, golden, "run with FAIRSHARE_BLESS=1 and review the difference");
}

#[test]
fn identifiers_fit_nowhere() {
    for (function, mut types, _) in signatures() {
        for place in 0..types.len() {
            let was = std::mem::replace(&mut types[place], ColumnType::Id);
            let args: Vec<_> = types.iter().copied().map(Some).collect();
            assert!(function.check(&args).is_err(), "{function:?} of {types:?}");
            types[place] = was;
        }
    }
    assert!(unify(None, Some(ColumnType::Id)).is_err());
}

#[test]
fn null_fits_wherever_something_does() {
    for (function, types, _) in signatures() {
        for place in 0..types.len() {
            let mut args: Vec<_> = types.iter().copied().map(Some).collect();
            args[place] = None;
            assert!(function.check(&args).is_ok(), "{function:?} of {args:?}");
        }
    }
}

#[test]
fn functions_are_total() {
    let seed = testkit::env_seed(20_261_125);
    println!("FAIRSHARE_SEED={seed}");
    let mut random = Random::new(seed);
    let mut fitting = 0;
    let rounds = 200_000 / Function::ALL.len() + 1;
    for round in 0..rounds {
        for &function in Function::ALL {
            let types = if round % 2 == 0 { random.fitting(function) } else { (0..random.rng.random_range(0..6)).map(|_| *TYPES.choose(&mut random.rng).unwrap()).collect() };
            let args: Row = types.into_iter().map(|ty| if random.rng.random_ratio(1, 10) { Value::Null } else { random.value(ty) }).collect();
            let value = function.apply(&args);
            let told = || format!("FAIRSHARE_SEED={seed} {function:?} of {args:?} is {value:?}");
            if let Value::Float(x) = value {
                assert!(x.is_finite() && (x != 0.0 || x.is_sign_positive()), "{}", told());
            }
            let types: Vec<_> = args.iter().map(Value::column_type).collect();
            if let Ok(ty) = function.check(&types) {
                fitting += 1;
                assert!(value.column_type().is_none_or(|is| is == ty), "{}: not {ty}", told());
            } else if !matches!(
                function,
                Function::And | Function::Or | Function::IsSame | Function::In | Function::Coalesce | Function::Greatest | Function::Least | Function::NullIf | Function::Concat
            ) {
                assert_eq!(value, Value::Null, "{}", told());
            }
        }
    }
    assert!(fitting > 100_000, "only {fitting} calls had fitting types");
}

/// Random expressions with three random rows each.
fn try_all(cases: u32, seed: u64, mut holds: impl FnMut(&mut Random, &Expr<Leaf>, ColumnType, &[Row], &str)) {
    let seed = testkit::env_seed(seed);
    println!("FAIRSHARE_SEED={seed}");
    let mut random = Random::new(seed);
    for case in 0..cases {
        random.look();
        let ty = *TYPES.choose(&mut random.rng).unwrap();
        let (expr, _) = random.expr(ty, case % 5);
        let rows: Vec<Row> = (0..3).map(|_| random.row()).collect();
        holds(&mut random, &expr, ty, &rows, &format!("FAIRSHARE_SEED={seed} case {case}: {expr}"));
    }
}

fn of_row(expr: &Expr<Leaf>, row: &Row) -> Value {
    expr.evaluate(&|leaf: &Leaf| row[*leaf].clone())
}

#[test]
fn an_expression_has_its_type_for_every_row() {
    try_all(20_000, 20_261_126, |_, expr, ty, rows, told| {
        for row in rows {
            let value = of_row(expr, row);
            assert!(value.column_type().is_none_or(|is| is == ty), "{told} is {value:?} of {row:?}");
        }
        let (again, typed) = expr.clone().typed(&|leaf: &Leaf| TYPES[leaf / 2]).unwrap_or_else(|e| panic!("{told}: {e}"));
        assert_eq!(again, *expr, "{told}");
        assert!(typed.is_none_or(|is| is == ty), "{told}");
    });
}

#[test]
fn the_canonical_form_means_the_same() {
    let mut changed = 0;
    try_all(30_000, 20_261_127, |random, expr, _, rows, told| {
        let canonical = expr.clone().canonical();
        changed += u32::from(canonical != *expr);
        for row in rows {
            let (was, is) = (of_row(expr, row), of_row(&canonical, row));
            // One sign of zero; otherwise the same bytes.
            let same = encode_key(std::slice::from_ref(&was)) == encode_key(std::slice::from_ref(&is)) || (was == is && was == Value::Float(0.0));
            assert!(same, "{told} is {was:?}, and {canonical} is {is:?} of {row:?}");
        }
        assert_eq!(canonical.clone().canonical(), canonical, "{told}: {canonical}");
        let reworded = random.reworded(expr.clone());
        assert_eq!(reworded.clone().canonical(), canonical, "{told}: reworded as {reworded}: {} and {canonical}", reworded.clone().canonical());
    });
    assert!(changed > 5_000, "only {changed} were changed");
}

#[test]
fn values_are_within_their_range() {
    let mut bounded = 0;
    try_all(60_000, 20_261_128, |random, expr, _, rows, told| {
        let Some(range) = expr.range(&|leaf: &Leaf| random.range(*leaf)) else { return };
        bounded += u32::from(expr.size() > 1);
        for row in rows {
            let value = of_row(expr, row);
            let inside = |end: f64, side: std::cmp::Ordering| value.compare(&Value::Float(end)) != Some(side);
            assert!(inside(range.low, std::cmp::Ordering::Less) && inside(range.high, std::cmp::Ordering::Greater), "{told} is {value:?} of {row:?}, outside {range:?}");
            assert!(value == Value::Null || value.as_f64().is_some(), "{told} has a range and is {value:?}");
        }
    });
    assert!(bounded > 5_000, "only {bounded} had a range");
}

#[test]
fn values_are_listed() {
    let mut lists = 0;
    try_all(60_000, 20_261_129, |random, expr, _, rows, told| {
        let nullable = expr.nullable(&|leaf: &Leaf| Random::nullable(*leaf));
        let list = expr.values(&|leaf: &Leaf| random.list(*leaf));
        lists += u32::from(list.is_some() && expr.size() > 1);
        for row in rows {
            let value = of_row(expr, row);
            assert!(nullable || value != Value::Null, "{told} is null of {row:?}");
            if let Some(list) = &list {
                assert!(value == Value::Null || list.contains(&value), "{told} is {value:?} of {row:?}, not of {list:?}");
            }
        }
    });
    assert!(lists > 10_000, "only {lists} had a list");
}

fn call(function: Function, args: Vec<Value>) -> Expr<Leaf> {
    Expr::Call(function, std::iter::once(Expr::Leaf(0)).chain(args.into_iter().map(Expr::Constant)).collect())
}

#[test]
fn ranges_are_as_narrow_as_their_use_needs() {
    use Function::{Add, Divide, Greatest, Least, Modulo, Multiply, Part, Sqrt, WidthBucket};
    let whole = Value::Integer;
    let range = |expr: &Expr<Leaf>, low: f64, high: f64| expr.range(&|_: &Leaf| Some(Range { low, high })).map(|r| (r.low, r.high));
    let unknown = |expr: &Expr<Leaf>| expr.range(&|_: &Leaf| None).map(|r| (r.low, r.high));
    assert_eq!(range(&call(Add, vec![whole(1)]), 1.0, 7.0), Some((2.0, 8.0)), "sums of whole numbers are exact");
    assert_eq!(range(&call(Multiply, vec![Value::Float(-0.5)]), 1.0, 7.0), Some((-3.5, -0.5)));
    assert_eq!(range(&call(Divide, vec![whole(4)]), -1.0, 7.0), Some((-0.25, 1.75)));
    assert_eq!(range(&call(Divide, vec![whole(0)]), -1.0, 7.0), Some((0.0, 0.0)), "always null");
    assert_eq!(range(&call(Modulo, vec![whole(6)]), 0.0, 23.0), Some((0.0, 6.0)));
    assert_eq!(range(&Expr::call1(Sqrt, Expr::Leaf(0)), -4.0, 4.0), Some((0.0, 2.0)));
    assert_eq!(unknown(&call(Add, vec![whole(1)])), None);
    assert_eq!(unknown(&call(Greatest, vec![whole(0)])), None);
    let clamped = Expr::call2(Least, call(Greatest, vec![whole(0)]), Expr::Constant(whole(100)));
    assert_eq!(unknown(&clamped), Some((0.0, 100.0)), "greatest and least make a range");
    assert_eq!(unknown(&call(WidthBucket, vec![whole(0), whole(10), whole(5)])), Some((0.0, 6.0)));
    assert_eq!(unknown(&Expr::call1(Part(DatePart::Month), Expr::Leaf(0))), Some((1.0, 12.0)));
}

#[test]
fn lists_follow_from_lists_and_constants() {
    use Function::{Coalesce, Lower, Part, WidthBucket};
    let whole = Value::Integer;
    let text = |t: &str| Value::Text(t.to_owned());
    let listed = |expr: &Expr<Leaf>| expr.values(&|_: &Leaf| Some(vec![text("A"), text("b"), text("B")]));
    let unknown = |expr: &Expr<Leaf>| expr.values(&|_: &Leaf| None);
    assert_eq!(listed(&Expr::call1(Lower, Expr::Leaf(0))), Some(vec![text("a"), text("b")]));
    assert_eq!(listed(&call(Coalesce, vec![text("none")])), Some(vec![text("A"), text("B"), text("b"), text("none")]));
    assert_eq!(unknown(&Expr::call1(Lower, Expr::Leaf(0))), None);
    assert_eq!(unknown(&call(WidthBucket, vec![whole(0), whole(10), whole(2)])), Some((0..4).map(whole).collect()));
    assert_eq!(unknown(&call(WidthBucket, vec![whole(0), whole(10), whole(20_000)])), None, "too many");
    assert_eq!(unknown(&Expr::call1(Part(DatePart::Weekday), Expr::Leaf(0))), Some((1..8).map(whole).collect()));
    let case = Expr::Case { branches: vec![(Expr::Leaf(0), Expr::Constant(text("x")))], otherwise: Box::new(Expr::Constant(Value::Null)) };
    assert_eq!(unknown(&case), Some(vec![text("x")]));
    assert!(case.nullable(&|_| false));
    assert!(!call(Coalesce, vec![text("none")]).nullable(&|_| true));
}

#[test]
fn equal_questions_have_one_form() {
    use Function::{Add, And, Coalesce, Compare, Greatest, In, IsNull, IsSame, Like, Not, NullIf};
    let whole = Value::Integer;
    let shown = |expr: Expr<Leaf>| expr.canonical().to_string();
    let negate = |expr| Expr::call1(Not, expr);
    let constant = |value| Expr::<Leaf>::Constant(value);
    let less = Compare(crate::question::Comparison::Lt);
    for (expr, form) in [
        (Expr::call2(less, constant(whole(1)), Expr::Leaf(0)), "0 > 1"),
        (negate(call(less, vec![whole(1)])), "0 >= 1"),
        (negate(Expr::call2(And, Expr::Leaf(1), negate(Expr::Leaf(0)))), "NOT 1 OR 0"),
        (call(In, vec![whole(3), whole(2), whole(3)]), "0 IN (2, 3)"),
        (call(In, vec![whole(3)]), "0 = 3"),
        (call(In, vec![whole(3), Value::Null]), "0 = 3 OR NULL"),
        (call(In, vec![Value::Null]), "NULL"),
        (call(less, vec![Value::Null]), "NULL"),
        (call(IsSame, vec![Value::Null]), "0 IS NULL"),
        (call(NullIf, vec![Value::Null]), "0"),
        (call(And, vec![Value::Boolean(false)]), "FALSE"),
        (call(And, vec![Value::Boolean(true)]), "0"),
        (call(And, vec![Value::Null]), "0 AND NULL"),
        (call(Greatest, vec![whole(1), Value::Null, whole(2)]), "greatest(0, 2)"),
        (call(Coalesce, vec![Value::Null, whole(1), whole(2)]), "coalesce(0, 1)"),
        (call(Add, vec![whole(0)]), "0 + 0"),
        (Expr::call2(Add, constant(whole(1)), constant(whole(2))), "3"),
        (call(Like, vec![Value::Text("a".into())]), "0 LIKE 'a'"),
        (negate(Expr::call1(IsNull, Expr::Leaf(0))), "0 IS NOT NULL"),
        (Expr::Case { branches: vec![(constant(Value::Null), Expr::Leaf(1)), (constant(Value::Boolean(true)), Expr::Leaf(2))], otherwise: Box::new(Expr::Leaf(3)) }, "2"),
        (Expr::Case { branches: vec![(Expr::Leaf(0), Expr::Leaf(2)), (Expr::Leaf(1), Expr::Leaf(3))], otherwise: Box::new(Expr::Leaf(3)) }, "CASE WHEN 0 THEN 2 ELSE 3 END"),
    ] {
        assert_eq!(shown(expr.clone()), form, "{expr}");
    }
}

#[test]
fn types_that_do_not_fit_are_explained() {
    use ColumnType::{Date, Float, Integer, Text};
    for (function, args, message) in [
        (Function::Lower, vec![Some(Integer)], "lower() takes text, and its 1st argument is a whole number"),
        (Function::Add, vec![Some(Text), Some(Integer)], "`+` takes numbers, and its 1st argument is text"),
        (Function::Add, vec![Some(Date), Some(Float)], "`+` takes a day and a whole number of days, and here is a number"),
        (Function::Abs, vec![], "abs() takes 1 argument, and here are 0"),
        (Function::Substr, vec![Some(Text)], "substr() takes 2 to 3 arguments, and here are 1"),
        (Function::Coalesce, vec![Some(Text), Some(Integer)], "in coalesce(), text and a whole number do not go together"),
        (Function::Part(DatePart::Hour), vec![Some(Text)], "extract() takes a day or an instant, and its 1st argument is text"),
    ] {
        assert_eq!(function.check(&args).unwrap_err().message, message);
    }
}
