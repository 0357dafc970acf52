//! Texts of which many are the same, as numbers, while rows are on their way into the lake.
//!
//! All rows of an import share one dictionary per column, so that rows from everywhere are put together
//! by their numbers alone. Should an import bring so many different texts that this would fill the
//! memory, rows from then on carry their texts themselves.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, Int32Array, RecordBatch, StringArray};
use datafusion::arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use datafusion::arrow::compute::{cast, take};
use datafusion::arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use domain::Fault;
use domain::catalog::TableName;
use domain::record::{Texts, Words};

use crate::schema::{NO_TEXT, schema};

/// Bytes that a text takes beside itself.
const EACH: usize = 64;

/// The different texts of each column.
#[derive(Default)]
pub(super) struct Dictionaries(BTreeMap<(TableName, &'static str), Words>);

impl Dictionaries {
    /// The words of a column.
    fn words(&mut self, table: TableName, column: &'static str) -> &mut Words {
        self.0.entry((table, column)).or_default()
    }

    /// The numbers here of texts that are numbered otherwise.
    pub(super) fn recoded(&mut self, table: TableName, column: &'static str, words: &Words) -> Result<ArrayRef, ArrowError> {
        let own = self.words(table, column);
        // The number 0 is that of no text, here and there.
        let renumbered = std::iter::once(Ok(0)).chain(words.different().iter().map(|text| as_code(own.code(text)))).collect::<Result<Vec<_>, _>>()?;
        Ok(Arc::new(Int32Array::from_iter_values(words.codes().iter().map(|code| renumbered.get(*code as usize).copied().unwrap_or(0)))))
    }

    /// The numbers of texts, in their order.
    pub(super) fn coded<'a>(&mut self, table: TableName, column: &'static str, texts: impl Iterator<Item = Option<&'a str>>) -> Result<ArrayRef, ArrowError> {
        let own = self.words(table, column);
        let codes = texts.map(|text| text.map_or(Ok(0), |text| as_code(own.code(text)))).collect::<Result<Vec<_>, _>>()?;
        Ok(Arc::new(Int32Array::from(codes)))
    }

    /// The memory that they take, more or less.
    pub(super) fn bytes(&self) -> usize {
        self.0.values().map(|words| words.different().parts().0.len() + words.different().len() * EACH).sum()
    }

    /// The dictionaries as they are now.
    pub(super) fn arrays(&self) -> TextArrays {
        // The number 0 is that of no text.
        let array = |words: &Words| Arc::new(StringArray::from_iter_values(std::iter::once(NO_TEXT).chain(words.different().iter()))) as ArrayRef;
        TextArrays(self.0.iter().map(|((table, column), words)| ((*table, *column), array(words))).collect())
    }
}

/// Dictionaries that do not grow any more.
#[derive(Default)]
pub(super) struct TextArrays(BTreeMap<(TableName, &'static str), ArrayRef>);

impl TextArrays {
    /// Rows with dictionaries in the place of numbers.
    pub(super) fn with_dictionaries(&self, table: TableName, rows: &RecordBatch) -> Result<RecordBatch, Fault> {
        self.with(table, rows, |codes, texts| Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(codes.clone(), Arc::clone(texts))?)))
    }

    /// Rows with texts in the place of numbers.
    pub(super) fn with_texts(&self, table: TableName, rows: &RecordBatch) -> Result<RecordBatch, Fault> {
        self.with(table, rows, |codes, texts| take(texts, codes, None))
    }

    fn with(&self, table: TableName, rows: &RecordBatch, make: impl Fn(&Int32Array, &ArrayRef) -> Result<ArrayRef, ArrowError>) -> Result<RecordBatch, Fault> {
        let of_column = |name: &str| self.0.iter().find(|((of, column), _)| *of == table && *column == name).map(|(_, texts)| texts);
        let made = rows.schema_ref().fields().iter().zip(rows.columns()).map(|(field, column)| match (of_column(field.name()), column.as_primitive_opt::<Int32Type>()) {
            (Some(texts), Some(codes)) => make(codes, texts),
            _ => Ok(Arc::clone(column)),
        });
        made.collect::<Result<_, _>>().and_then(|made| named(rows.schema_ref(), made)).map_err(doing)
    }
}

/// Rows whose texts are made dictionaries where the table's files have them.
pub(super) fn with_dictionaries(table: TableName, rows: &RecordBatch) -> Result<RecordBatch, Fault> {
    let lake = schema(table);
    let made = rows.schema_ref().fields().iter().zip(rows.columns()).map(|(field, column)| match lake.field_with_name(field.name()) {
        Ok(in_lake) if in_lake.data_type() != column.data_type() => cast(column, in_lake.data_type()),
        _ => Ok(Arc::clone(column)),
    });
    made.collect::<Result<_, _>>().and_then(|made| named(rows.schema_ref(), made)).map_err(doing)
}

/// Columns under the names of a schema whose types they need not have.
pub(super) fn named(schema: &SchemaRef, columns: Vec<ArrayRef>) -> Result<RecordBatch, ArrowError> {
    let fields = schema.fields().iter().zip(&columns).map(|(field, column)| Field::new(field.name(), column.data_type().clone(), field.is_nullable()));
    RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns)
}

fn doing(error: ArrowError) -> Fault {
    Fault::new("putting texts to their numbers", error)
}

/// A schema whose dictionaries are numbers.
pub(super) fn numbered(schema: &SchemaRef) -> SchemaRef {
    let number = |field: &Arc<Field>| match field.data_type() {
        DataType::Dictionary(key, _) => Arc::new(Field::new(field.name(), (**key).clone(), field.is_nullable())),
        _ => Arc::clone(field),
    };
    Arc::new(Schema::new(schema.fields().iter().map(number).collect::<Vec<_>>()))
}

/// A number of [`Words`] as it stands in an array.
fn as_code(code: u32) -> Result<i32, ArrowError> {
    i32::try_from(code).map_err(|e| ArrowError::ComputeError(e.to_string()))
}

/// Texts as an array; `known` tells which are there.
pub(super) fn texts(texts: &Texts, known: Option<NullBuffer>) -> Result<ArrayRef, ArrowError> {
    let (joined, ends) = texts.parts();
    let mut offsets = Vec::with_capacity(ends.len() + 1);
    offsets.push(0_i32);
    for end in ends {
        offsets.push(i32::try_from(*end).map_err(|_| ArrowError::OffsetOverflowError(*end))?);
    }
    Ok(Arc::new(StringArray::try_new(OffsetBuffer::new(ScalarBuffer::from(offsets)), Buffer::from(joined.as_bytes()), known)?))
}
