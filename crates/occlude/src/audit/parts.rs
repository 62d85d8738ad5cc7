//! Rows as Parquet: written in parts, read back by column name, whoever wrote them (this crate, or Ray).
//!
//! In: rows. Out: a file. And back. Columns and types are those of [`COLUMNS`]; a column that a file lacks is null, one that is unknown is passed over.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{BooleanBuilder, Float64Builder, Int64Builder, ListBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use serde_json::{Map, Value};

use super::row::{COLUMNS, ColumnKind, Row};
use crate::error::{Error, Result};

/// Rows as the bytes of a Parquet file.
///
/// # Errors
/// File: what the writer says.
pub(super) fn encode(rows: &[Row]) -> Result<Vec<u8>> {
    let failed = |e: &dyn std::fmt::Display| Error::file(format!("rows cannot be written as Parquet: {e}"));
    let values: Vec<Value> =
        rows.iter().map(serde_json::to_value).collect::<Result<_, _>>().map_err(|e| failed(&e))?;
    let fields: Vec<Field> =
        COLUMNS.iter().map(|column| Field::new(column.name, type_of(column.kind), true)).collect();
    let arrays = COLUMNS.iter().map(|column| array(column.kind, &values, column.name)).collect();
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays).map_err(|e| failed(&e))?;
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties)).map_err(|e| failed(&e))?;
    writer.write(&batch).map_err(|e| failed(&e))?;
    writer.into_inner().map_err(|e| failed(&e))
}

fn type_of(kind: ColumnKind) -> DataType {
    let list = |of: DataType| DataType::List(Arc::new(Field::new("item", of, true)));
    match kind {
        ColumnKind::Text => DataType::Utf8,
        ColumnKind::Number => DataType::Float64,
        ColumnKind::Whole => DataType::Int64,
        ColumnKind::Truth => DataType::Boolean,
        ColumnKind::Texts => list(DataType::Utf8),
        ColumnKind::Numbers => list(DataType::Float64),
        ColumnKind::Wholes => list(DataType::Int64),
    }
}

/// A column of the rows.
fn array(kind: ColumnKind, rows: &[Value], name: &str) -> ArrayRef {
    let of = rows.iter().map(|row| &row[name]);
    let items = |value: &Value| value.as_array().cloned().unwrap_or_default();
    match kind {
        ColumnKind::Text => Arc::new(of.map(Value::as_str).collect::<arrow_array::StringArray>()),
        ColumnKind::Number => Arc::new(of.map(Value::as_f64).collect::<arrow_array::Float64Array>()),
        ColumnKind::Whole => Arc::new(of.map(Value::as_i64).collect::<arrow_array::Int64Array>()),
        ColumnKind::Truth => {
            let mut builder = BooleanBuilder::new();
            of.for_each(|value| builder.append_option(value.as_bool()));
            Arc::new(builder.finish())
        }
        ColumnKind::Texts => {
            let mut builder = ListBuilder::new(StringBuilder::new());
            for value in of {
                items(value).iter().for_each(|item| builder.values().append_option(item.as_str()));
                builder.append(true);
            }
            Arc::new(builder.finish())
        }
        ColumnKind::Numbers => {
            let mut builder = ListBuilder::new(Float64Builder::new());
            for value in of {
                items(value).iter().for_each(|item| builder.values().append_option(item.as_f64()));
                builder.append(true);
            }
            Arc::new(builder.finish())
        }
        ColumnKind::Wholes => {
            let mut builder = ListBuilder::new(Int64Builder::new());
            for value in of {
                items(value).iter().for_each(|item| builder.values().append_option(item.as_i64()));
                builder.append(true);
            }
            Arc::new(builder.finish())
        }
    }
}

/// Hands the rows of a Parquet file over, batch by batch.
///
/// # Errors
/// File: what the system or the reader says, a column of another type. And what `take` says.
pub(super) fn read(path: &Path, take: &mut dyn FnMut(Vec<Row>) -> Result<()>) -> Result<()> {
    let failed = |e: &dyn std::fmt::Display| {
        Error::file(format!("{} cannot be read as rows of an audit: {e}", path.display()))
    };
    let file = File::open(path).map_err(|e| Error::io("open", path, &e))?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| failed(&e))?;
    for batch in reader.with_batch_size(256).build().map_err(|e| failed(&e))? {
        let batch = batch.map_err(|e| failed(&e))?;
        let mut rows = vec![Map::new(); batch.num_rows()];
        for column in &COLUMNS {
            let Some(values) = batch.column_by_name(column.name) else { continue };
            for (at, row) in rows.iter_mut().enumerate() {
                let value = value(values.as_ref(), at)
                    .ok_or_else(|| failed(&format!("column {} is {}", column.name, values.data_type())))?;
                // A field that is null keeps its default.
                if !value.is_null() {
                    row.insert(column.name.to_string(), value);
                }
            }
        }
        let rows = rows.into_iter().map(|row| serde_json::from_value(Value::Object(row)));
        take(rows.collect::<Result<_, _>>().map_err(|e| failed(&e))?)?;
    }
    Ok(())
}

/// One value of an array; `None` for a type that no column has.
fn value(array: &dyn Array, at: usize) -> Option<Value> {
    if array.is_null(at) {
        return Some(Value::Null);
    }
    Some(match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(at).into(),
        DataType::LargeUtf8 => array.as_string::<i64>().value(at).into(),
        DataType::Utf8View => array.as_string_view().value(at).into(),
        DataType::Float64 => array.as_primitive::<Float64Type>().value(at).into(),
        DataType::Float32 => f64::from(array.as_primitive::<Float32Type>().value(at)).into(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(at).into(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(at).into(),
        DataType::Boolean => array.as_boolean().value(at).into(),
        // Where a whole file has none of a column, its type may be unknown.
        DataType::Null => Value::Null,
        DataType::List(_) => items(array.as_list::<i32>().value(at).as_ref())?,
        DataType::LargeList(_) => items(array.as_list::<i64>().value(at).as_ref())?,
        _ => return None,
    })
}

fn items(list: &dyn Array) -> Option<Value> {
    (0..list.len()).map(|at| value(list, at)).collect::<Option<Vec<Value>>>().map(Value::Array)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_bit_for_bit() {
        let full = Row {
            path: "a/ä b.jpg".into(),
            classes: vec!["x".into(), "".into()],
            correct: Some(false),
            probability: Some(0.1 + 0.2),
            class_index: Some(7),
            frame: vec![1.0 / 3.0, 0.0, 2.0 / 3.0],
            frame_shape: vec![1, 3],
            share: Some(-1.5e-300),
            ..Row::default()
        };
        let rows = vec![full, Row::failed("b", "k", &[], &Error::file("broken")), Row::default()];
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("rows.parquet");
        std::fs::write(&path, encode(&rows).expect("encoded")).expect("written");
        let mut back = Vec::new();
        read(&path, &mut |rows| {
            back.extend(rows);
            Ok(())
        })
        .expect("read");
        assert_eq!(back, rows);
        std::fs::write(&path, b"no rows").expect("written");
        let error = read(&path, &mut |_| Ok(())).expect_err("no parquet").to_string();
        assert!(error.contains("rows.parquet cannot be read as rows of an audit"), "{error}");
    }
}
