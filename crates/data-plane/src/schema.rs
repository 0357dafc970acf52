//! The columns of each table in the lake: what partners may see of it is `domain::catalog`; the rest
//! is for the person and for later features.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use domain::catalog::{ColumnType, Table, TableName};

/// Bytes of an act's id.
pub(crate) const ACTIVITY_ID_BYTES: i32 = 16;

/// The schema of a table's files. The first column is the owner, by which every file is sorted.
pub(crate) fn schema(table: TableName) -> SchemaRef {
    static ALL: LazyLock<Vec<(TableName, SchemaRef)>> = LazyLock::new(|| TableName::ALL.iter().map(|&t| (t, build(t))).collect());
    ALL.iter().find(|(name, _)| *name == table).map_or_else(|| build(table), |(_, schema)| Arc::clone(schema))
}

fn build(name: TableName) -> SchemaRef {
    let mut fields = vec![Field::new("subject_id", DataType::UInt32, false)];
    for column in Table::of(name).columns.iter().filter(|c| c.name != "subject_id") {
        fields.push(Field::new(column.name, arrow_type(column.ty), column.nullable));
    }
    if name == TableName::Activity {
        // Never reachable by a partner: the platform's key and the content.
        fields.push(Field::new("native_key", DataType::Utf8, false));
        fields.push(Field::new("text", DataType::Utf8, true));
    }
    Arc::new(Schema::new(fields))
}

const fn arrow_type(ty: ColumnType) -> DataType {
    match ty {
        ColumnType::Id => DataType::FixedSizeBinary(ACTIVITY_ID_BYTES),
        ColumnType::Text => DataType::Utf8,
        ColumnType::Integer => DataType::Int64,
        ColumnType::Float => DataType::Float64,
        ColumnType::Date => DataType::Date32,
        ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
    }
}
