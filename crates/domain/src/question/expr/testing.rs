//! Random expressions and rows, for tests.

use chrono::{DateTime, NaiveDate, TimeDelta};
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Expr, Function, Range, Typed};
use crate::catalog::ColumnType;
use crate::question::Value;

/// The types that expressions have.
pub(super) const TYPES: [ColumnType; 6] = [ColumnType::Boolean, ColumnType::Integer, ColumnType::Float, ColumnType::Text, ColumnType::Date, ColumnType::Timestamp];

/// A leaf: two of each type. The even one is tame: never null, and with a range or list where it can have
/// one.
pub(super) type Leaf = usize;

pub(super) type Row = Vec<Value>;

/// Every function with every combination of types that it takes and the type it gives: up to three
/// arguments, or as many as it needs.
pub(super) fn signatures() -> Vec<(Function, Vec<ColumnType>, ColumnType)> {
    let mut all = Vec::new();
    for &function in Function::ALL {
        let before = all.len();
        for count in 0..=4_u32 {
            if count == 4 && all.len() > before {
                break;
            }
            for number in 0..TYPES.len().pow(count) {
                let types: Vec<_> = (0..count).map(|place| TYPES[number / TYPES.len().pow(place) % TYPES.len()]).collect();
                let given: Vec<_> = types.iter().copied().map(Some).collect();
                if let Ok(ty) = function.check(&given) {
                    all.push((function, types, ty));
                }
            }
        }
    }
    all
}

pub(super) struct Random {
    pub(super) rng: ChaCha8Rng,
    signatures: Vec<(Function, Vec<ColumnType>, ColumnType)>,
    /// Between which whole numbers the tame one is.
    whole: (i64, i64),
}

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self { rng: ChaCha8Rng::seed_from_u64(seed), signatures: signatures(), whole: (-3, 5) }
    }

    fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of.choose(&mut self.rng).unwrap().clone()
    }

    /// A value, often an extreme one.
    pub(super) fn value(&mut self, ty: ColumnType) -> Value {
        match ty {
            ColumnType::Boolean => Value::Boolean(self.rng.random()),
            ColumnType::Integer if self.rng.random_ratio(1, 3) => Value::Integer(self.pick(&[0, 1, -1, i64::MAX, i64::MIN, i64::MAX - 1, 1 << 53, (1 << 53) + 1, -(1 << 62)])),
            ColumnType::Integer => Value::Integer(self.rng.random_range(-4..13)),
            ColumnType::Float if self.rng.random_ratio(1, 3) => {
                Value::Float(self.pick(&[0.0, -0.0, 0.5, -0.5, 1.5, 2.5, f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324, 1e-300, 9_007_199_254_740_993.0, 9.3e18, 0.1]))
            }
            ColumnType::Float => Value::Float(f64::from(self.rng.random_range(-40..40)) / 8.0),
            ColumnType::Text => Value::Text(
                self.pick(&[
                    "",
                    " ",
                    "a",
                    "Ab",
                    "aab",
                    "b%",
                    "_",
                    "%a%",
                    "İstanbul",
                    "ß",
                    "a\u{301}",
                    "日本",
                    " 42 ",
                    "1e3",
                    "-7",
                    "nan",
                    "inf",
                    "true",
                    " no ",
                    "2026-01-31",
                    "2026-01-31T18:00:00.123456789Z",
                    "2026-06-30T23:59:60Z",
                    "+12345-01-01",
                ])
                .to_owned(),
            ),
            ColumnType::Date if self.rng.random_ratio(1, 6) => Value::Date(self.pick(&[NaiveDate::MIN, NaiveDate::MAX])),
            ColumnType::Date => Value::Date(DateTime::UNIX_EPOCH.date_naive() + TimeDelta::days(self.rng.random_range(-800..30_000))),
            ColumnType::Timestamp if self.rng.random_ratio(1, 6) => Value::Timestamp(self.pick(&[DateTime::<chrono::Utc>::MIN_UTC, DateTime::<chrono::Utc>::MAX_UTC])),
            ColumnType::Timestamp | ColumnType::Id => Value::Timestamp(DateTime::UNIX_EPOCH + TimeDelta::milliseconds(self.rng.random_range(-100_000_000_000..2_000_000_000_000))),
        }
    }

    /// Types of arguments that a function takes.
    pub(super) fn fitting(&mut self, function: Function) -> Vec<ColumnType> {
        let fitting: Vec<_> = self.signatures.iter().filter(|(f, ..)| *f == function).map(|(_, types, _)| types.clone()).collect();
        self.pick(&fitting)
    }

    fn constant(&mut self, ty: ColumnType) -> Typed<Leaf> {
        if self.rng.random_ratio(1, 10) { (Expr::Constant(Value::Null), None) } else { (Expr::Constant(self.value(ty)), Some(ty)) }
    }

    /// An expression of a type, or of none (null).
    pub(super) fn expr(&mut self, ty: ColumnType, depth: u32) -> Typed<Leaf> {
        // Nulls alone can make another type.
        loop {
            let made = self.attempt(ty, depth);
            if made.1.is_none_or(|is| is == ty) {
                return made;
            }
        }
    }

    fn attempt(&mut self, ty: ColumnType, depth: u32) -> Typed<Leaf> {
        let place = TYPES.iter().position(|&t| t == ty).unwrap();
        match self.rng.random_range(0..12) {
            0 | 1 => (Expr::Leaf(place * 2), Some(ty)),
            2 => (Expr::Leaf(place * 2 + 1), Some(ty)),
            3 | 4 => self.constant(ty),
            _ if depth == 0 => (Expr::Leaf(place * 2 + self.rng.random_range(0..2)), Some(ty)),
            5 => {
                let mixes = |g: &mut Self| if ty == ColumnType::Float && g.rng.random() { ColumnType::Integer } else { ty };
                let branches = (0..self.rng.random_range(1..3))
                    .map(|_| {
                        let result = mixes(self);
                        (self.expr(ColumnType::Boolean, depth - 1), self.expr(result, depth - 1))
                    })
                    .collect();
                let otherwise = self.expr(ty, depth - 1);
                Expr::case(branches, otherwise).unwrap()
            }
            _ => {
                let mut functions: Vec<Function> = self.signatures.iter().filter(|(_, _, gives)| *gives == ty).map(|(function, ..)| *function).collect();
                functions.dedup();
                let function = self.pick(&functions);
                let fitting: Vec<_> = self.signatures.iter().filter(|(f, _, gives)| *f == function && *gives == ty).map(|(_, types, _)| types.clone()).collect();
                let types = self.pick(&fitting);
                let args =
                    types.iter().enumerate().map(|(place, &ty)| if function.constant_args().contains(&place) { self.constant(ty) } else { self.expr(ty, depth - 1) }).collect();
                Expr::call(function, args).unwrap()
            }
        }
    }

    /// What is known of leaves from now on.
    pub(super) fn look(&mut self) {
        self.whole = self.pick(&[(-3, 5), (0, 0), (i64::MIN, i64::MAX), (1 << 62, (1 << 62) + 1024), (1, 7)]);
    }

    pub(super) fn row(&mut self) -> Row {
        let mut row = Vec::new();
        for ty in TYPES {
            let tame = match self.list(row.len()) {
                Some(list) => self.pick(&list),
                None if ty == ColumnType::Integer => Value::Integer(self.rng.random_range(self.whole.0..=self.whole.1)),
                None if ty == ColumnType::Float => Value::Float(f64::from(self.rng.random_range(-4..=4)) / 4.0),
                None => self.value(ty),
            };
            row.push(tame);
            let wild = if self.rng.random_ratio(1, 4) { Value::Null } else { self.value(ty) };
            row.push(wild);
        }
        row
    }

    pub(super) const fn nullable(leaf: Leaf) -> bool {
        leaf % 2 == 1
    }

    pub(super) fn range(&self, leaf: Leaf) -> Option<Range> {
        match leaf {
            2 => Some(Range { low: Value::Integer(self.whole.0).as_f64()?, high: Value::Integer(self.whole.1).as_f64()? }),
            4 => Some(Range { low: -1.0, high: 1.0 }),
            _ => None,
        }
    }

    pub(super) fn list(&self, leaf: Leaf) -> Option<Vec<Value>> {
        match leaf {
            0 => Some(vec![Value::Boolean(false), Value::Boolean(true)]),
            2 if self.whole.1.checked_sub(self.whole.0)? < 10 => Some((self.whole.0..=self.whole.1).map(Value::Integer).collect()),
            6 => Some(["", "a", "Ab", "2026-01-31"].map(|t| Value::Text(t.to_owned())).to_vec()),
            8 => Some((0..4).map(|n| Value::Date(DateTime::UNIX_EPOCH.date_naive() + TimeDelta::days(n * 100))).collect()),
            _ => None,
        }
    }

    /// The same question, asked in other words.
    pub(super) fn reworded(&mut self, expr: Expr<Leaf>) -> Expr<Leaf> {
        let (function, mut args) = match expr {
            Expr::Call(function, args) => (function, args.into_iter().map(|arg| self.reworded(arg)).collect::<Vec<_>>()),
            Expr::Case { branches, otherwise } => {
                let branches = branches.into_iter().map(|(condition, result)| (self.reworded(condition), self.reworded(result))).collect();
                return Expr::Case { branches, otherwise: Box::new(self.reworded(*otherwise)) };
            }
            other => return other,
        };
        let function = match function {
            Function::Compare(comparison) if self.rng.random() => {
                args.reverse();
                Function::Compare(comparison.flip())
            }
            other => other,
        };
        match function {
            Function::Add | Function::Multiply | Function::IsSame => args.shuffle(&mut self.rng),
            Function::And | Function::Or | Function::Greatest | Function::Least => {
                let again = self.pick(&args);
                args.push(again);
                args.shuffle(&mut self.rng);
                let rest = args.split_off(self.rng.random_range(1..=args.len()));
                args = std::iter::once(Expr::Call(function, args)).chain(rest).collect();
            }
            Function::In => {
                let again = self.pick(&args[1..]);
                args.push(again);
                args[1..].shuffle(&mut self.rng);
            }
            _ => {}
        }
        let call = Expr::Call(function, args);
        if function.is_condition() && self.rng.random_ratio(1, 3) { Expr::call1(Function::Not, Expr::call1(Function::Not, call)) } else { call }
    }
}
