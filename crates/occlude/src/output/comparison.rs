//! Comparisons as data: JSON for programs, schema `occlude.compare/1`.
//!
//! In: a [`Comparison`]. Out: a JSON value, or the bytes of a file. Measures that have no value are `null`; `notes` say why.

use serde_json::{Value, json};

use super::json::lines;
use crate::compare::Comparison;

/// Name and version of the schema.
pub const SCHEMA: &str = "occlude.compare/1";

/// The comparison as JSON.
pub fn value(found: &Comparison) -> Value {
    let mut value = json!({ "schema": SCHEMA });
    if let (Some(all), Value::Object(more)) = (value.as_object_mut(), json!(found)) {
        all.extend(more);
    }
    value
}

/// The bytes of a file: JSON on several lines.
pub fn encode(found: &Comparison) -> Vec<u8> {
    lines(&value(found))
}
