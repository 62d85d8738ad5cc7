//! Evaluations as data and as a figure: JSON for programs, schema `occlude.evaluation/1`, and the curves as a PNG.
//!
//! In: an [`Evaluation`]. Out: a JSON value, or the bytes of a file. Measures that have no value are `null`; `notes` say why.

use serde_json::{Value, json};

use super::json::lines;
use super::plan::Format;
use super::png::curves;
use crate::error::{Error, Result};
use crate::evaluate::Evaluation;

/// Name and version of the schema.
pub const SCHEMA: &str = "occlude.evaluation/1";

/// The evaluation as JSON.
pub fn value(found: &Evaluation) -> Value {
    let mut value = json!({ "schema": SCHEMA });
    if let (Some(all), Value::Object(more)) = (value.as_object_mut(), json!(found)) {
        all.extend(more);
        all.insert("arguments".into(), found.arguments.iter().cloned().collect());
    }
    value
}

/// The bytes of a file: `.json` or `.png`.
///
/// # Errors
/// Argument: another format; a figure of an evaluation without a curve.
pub fn encode(found: &Evaluation, format: Format) -> Result<Vec<u8>> {
    match format {
        Format::Json => Ok(lines(&value(found))),
        Format::Png => curves::render(found),
        _ => Err(Error::argument("an evaluation is written as .json or .png")),
    }
}
