//! Columns of a question, read from batches: as values, and as small numbers that stand for them.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, UInt8Array};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::datatypes::{Date32Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType, UInt8Type, UInt32Type};
use domain::Fault;
use domain::catalog::ColumnType;
use domain::question::{Field, Value};
use hashbrown::HashMap;

use super::join::Scanned;
use crate::schema::{DayPart, NO_TEXT, Storage, stored};

/// A column of the catalogue, found among the columns of a scan.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Column {
    place: usize,
    storage: Storage,
}

fn broken() -> Fault {
    Fault::broken("a column of the lake is not of its type")
}

impl Column {
    /// What `field` looks up, among the columns `scanned`.
    pub(super) fn find(field: &Field, scanned: &[Scanned]) -> Result<Self, Fault> {
        let (wanted, storage) = match field {
            Field::Column(name) => {
                let (column, storage) = stored(name.column());
                (Scanned::Stored(name.table(), column), storage)
            }
            Field::Fold(place, fold) => {
                let storage = match fold.made() {
                    ColumnType::Integer => Storage::Whole,
                    ColumnType::Float => Storage::Float,
                    ColumnType::Date => Storage::Day(DayPart::Whole),
                    ColumnType::Timestamp => Storage::Instant,
                    ColumnType::Text => Storage::Text,
                    ColumnType::Boolean => Storage::Truth,
                    ColumnType::Id => return Err(broken()),
                };
                (Scanned::Fold(*place, (**fold).clone()), storage)
            }
        };
        let place = scanned.iter().position(|s| *s == wanted).ok_or_else(|| Fault::broken("a column that is not scanned"))?;
        Ok(Self { place, storage })
    }

    /// Whether so many different values are likely that they are better not remembered.
    pub(super) const fn is_wide(&self) -> bool {
        matches!(self.storage, Storage::Count | Storage::Float | Storage::Instant | Storage::Id | Storage::Account | Storage::Whole)
    }

    /// Whether its values can be numbered as they lie in the scan.
    pub(super) const fn has_codes(&self) -> bool {
        !matches!(self.storage, Storage::Float | Storage::Instant | Storage::Id | Storage::Account)
    }

    /// The column's array.
    pub(super) fn array<'a>(&self, batch: &'a [ArrayRef]) -> Result<&'a ArrayRef, Fault> {
        batch.get(self.place).ok_or_else(broken)
    }

    /// One value as the rest of the system knows it.
    pub(super) fn value(&self, batch: &[ArrayRef], row: usize) -> Result<Value, Fault> {
        let array = self.array(batch)?;
        if array.is_null(row) {
            return Ok(Value::Null);
        }
        Ok(match self.storage {
            Storage::Word(words) => word(words, array.as_primitive_opt::<UInt8Type>().ok_or_else(broken)?.value(row))?,
            Storage::Small => Value::Integer(i64::from(array.as_primitive_opt::<UInt8Type>().ok_or_else(broken)?.value(row))),
            Storage::Count => Value::Integer(i64::from(array.as_primitive_opt::<UInt32Type>().ok_or_else(broken)?.value(row))),
            Storage::Whole => Value::Integer(array.as_primitive_opt::<Int64Type>().ok_or_else(broken)?.value(row)),
            Storage::Truth => Value::Boolean(array.as_boolean_opt().ok_or_else(broken)?.value(row)),
            Storage::Float => Value::float(array.as_primitive_opt::<Float64Type>().ok_or_else(broken)?.value(row)),
            Storage::Day(part) => day(part, array.as_primitive_opt::<Date32Type>().ok_or_else(broken)?.value(row))?,
            Storage::Instant => {
                let micros = array.as_primitive_opt::<TimestampMicrosecondType>().ok_or_else(broken)?.value(row);
                Value::Timestamp(domain::Timestamp::from_timestamp_micros(micros).ok_or_else(broken)?)
            }
            Storage::Text => {
                let array = array.as_dictionary_opt::<Int32Type>().ok_or_else(broken)?;
                let texts = array.values().as_string_opt::<i32>().ok_or_else(broken)?;
                match texts.value(array.key(row).ok_or_else(broken)?) {
                    NO_TEXT => Value::Null,
                    text => Value::Text(text.to_owned()),
                }
            }
            Storage::Id | Storage::Account => return Err(broken()),
        })
    }
}

fn word(words: &'static [&'static str], code: u8) -> Result<Value, Fault> {
    words.get(usize::from(code)).map(|word| Value::Text((*word).to_owned())).ok_or_else(broken)
}

fn day(part: DayPart, days: i32) -> Result<Value, Fault> {
    Date32Type::to_naive_date_opt(days).map(|day| part.of(day)).ok_or_else(broken)
}

/// Not numbered yet.
const NEW: u32 = u32::MAX;

/// Numbers the values of a column in the order in which they are seen.
pub(super) struct Coder {
    column: Column,
    values: Vec<Value>,
    /// The number of null, of each byte, and of each day and integer.
    null: u32,
    bytes: [u32; 256],
    numbers: HashMap<i64, u32>,
    texts: HashMap<Box<str>, u32>,
    /// The numbers of the last dictionary's texts: batches of one file share it.
    dictionary: Option<(ArrayRef, Vec<u32>)>,
}

impl Coder {
    pub(super) fn new(column: Column) -> Self {
        Self { column, values: Vec::new(), null: NEW, bytes: [NEW; 256], numbers: HashMap::new(), texts: HashMap::new(), dictionary: None }
    }

    /// The value of each number.
    pub(super) fn values(&self) -> &[Value] {
        &self.values
    }

    /// The number of each row's value.
    pub(super) fn codes(&mut self, batch: &[ArrayRef]) -> Result<Vec<u32>, Fault> {
        let array = Arc::clone(self.column.array(batch)?);
        match self.column.storage {
            Storage::Word(words) => self.of_bytes(array.as_primitive_opt::<UInt8Type>().ok_or_else(broken)?, |code| word(words, code)),
            Storage::Small => self.of_bytes(array.as_primitive_opt::<UInt8Type>().ok_or_else(broken)?, |x| Ok(Value::Integer(i64::from(x)))),
            Storage::Day(part) => {
                let days = array.as_primitive_opt::<Date32Type>().ok_or_else(broken)?;
                self.of_numbers(days.iter().map(|d| d.map(i64::from)), |d| day(part, i32::try_from(d).map_err(|_| broken())?))
            }
            Storage::Count => {
                let counts = array.as_primitive_opt::<UInt32Type>().ok_or_else(broken)?;
                self.of_numbers(counts.iter().map(|x| x.map(i64::from)), |x| Ok(Value::Integer(x)))
            }
            Storage::Whole => {
                let numbers = array.as_primitive_opt::<Int64Type>().ok_or_else(broken)?;
                self.of_numbers(numbers.iter(), |x| Ok(Value::Integer(x)))
            }
            Storage::Truth => {
                let truths = array.as_boolean_opt().ok_or_else(broken)?;
                self.of_numbers(truths.iter().map(|truth| truth.map(i64::from)), |truth| Ok(Value::Boolean(truth == 1)))
            }
            Storage::Text => self.of_texts(&array),
            Storage::Id | Storage::Account | Storage::Float | Storage::Instant => Err(broken()),
        }
    }

    /// The number of a value that may have one: parts of days are shared by many days.
    fn number(&mut self, value: Value) -> Result<u32, Fault> {
        let known = if matches!(self.column.storage, Storage::Day(part) if part != DayPart::Whole) { self.values.iter().position(|v| *v == value) } else { None };
        let place = known.unwrap_or_else(|| {
            self.values.push(value);
            self.values.len() - 1
        });
        u32::try_from(place).ok().filter(|n| *n != NEW).ok_or_else(|| Fault::broken("too many different values"))
    }

    /// The number of null, if `array` has one.
    fn null_in(&mut self, array: &dyn Array) -> Result<u32, Fault> {
        if array.null_count() > 0 { self.number_of_null() } else { Ok(NEW) }
    }

    fn number_of_null(&mut self) -> Result<u32, Fault> {
        if self.null == NEW {
            self.null = self.number(Value::Null)?;
        }
        Ok(self.null)
    }

    fn of_bytes(&mut self, array: &UInt8Array, value: impl Fn(u8) -> Result<Value, Fault>) -> Result<Vec<u32>, Fault> {
        let null = self.null_in(array)?;
        loop {
            let code = |byte: &u8| self.bytes.get(usize::from(*byte)).copied().unwrap_or(NEW);
            let mut codes: Vec<u32> = array.values().iter().map(code).collect();
            fill(&mut codes, array.nulls(), null);
            // After a few batches all that occur are known.
            if !codes.contains(&NEW) {
                return Ok(codes);
            }
            let byte = codes.iter().zip(array.values()).find(|(code, _)| **code == NEW).map(|(_, byte)| *byte).ok_or_else(broken)?;
            let number = self.number(value(byte)?)?;
            self.bytes.get_mut(usize::from(byte)).into_iter().for_each(|code| *code = number);
        }
    }

    fn of_numbers(&mut self, numbers: impl ExactSizeIterator<Item = Option<i64>>, value: impl Fn(i64) -> Result<Value, Fault>) -> Result<Vec<u32>, Fault> {
        let mut codes = Vec::with_capacity(numbers.len());
        let mut last: Option<(i64, u32)> = None;
        for number in numbers {
            let code = match (number, last) {
                (None, _) => self.number_of_null()?,
                (Some(number), Some((same, code))) if same == number => code,
                (Some(number), _) => {
                    let code = match self.numbers.get(&number) {
                        Some(code) => *code,
                        None => {
                            let code = self.number(value(number)?)?;
                            self.numbers.insert(number, code);
                            code
                        }
                    };
                    last = Some((number, code));
                    code
                }
            };
            codes.push(code);
        }
        Ok(codes)
    }

    fn of_texts(&mut self, array: &ArrayRef) -> Result<Vec<u32>, Fault> {
        let array = array.as_dictionary_opt::<Int32Type>().ok_or_else(broken)?;
        let same = self.dictionary.as_ref().is_some_and(|(last, _)| last.to_data().ptr_eq(&array.values().to_data()));
        if !same {
            let texts = array.values().as_string_opt::<i32>().ok_or_else(broken)?;
            let mut numbers = Vec::with_capacity(texts.len());
            for text in texts {
                let text = text.unwrap_or_default();
                numbers.push(match self.texts.get(text) {
                    Some(code) => *code,
                    None if text == NO_TEXT => self.number_of_null()?,
                    None => {
                        let code = self.number(Value::Text(text.to_owned()))?;
                        self.texts.insert(text.into(), code);
                        code
                    }
                });
            }
            self.dictionary = Some((Arc::clone(array.values()), numbers));
        }
        let null = self.null_in(array)?;
        let numbers = self.dictionary.as_ref().map_or(&[] as &[u32], |(_, numbers)| numbers);
        // A key beyond the dictionary cannot be; it would have no number, and the row no group.
        let code = |key: &i32| usize::try_from(key.cast_unsigned()).ok().and_then(|key| numbers.get(key)).copied().unwrap_or(NEW);
        let mut codes = array.keys().values().iter().map(code).collect::<Vec<_>>();
        fill(&mut codes, array.keys().nulls(), null);
        Ok(codes)
    }
}

/// Writes the number of null where a value is missing.
fn fill(codes: &mut [u32], nulls: Option<&NullBuffer>, null: u32) {
    let Some(nulls) = nulls else { return };
    for row in (!nulls.inner()).set_indices() {
        codes.get_mut(row).into_iter().for_each(|code| *code = null);
    }
}
