//! A row of an audit: what was found about one target on one image. The same from every front.
//!
//! Names of the fields are those of the columns in Parquet, in the journal, in JSON and in Ray's data sets; [`COLUMNS`] lists them with types and meanings. What is not known is null.

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// What was found about one target on one image, or why nothing was.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "COLUMNS says what each is")]
pub struct Row {
    pub path: String,
    pub key: String,
    pub classes: Vec<String>,
    pub most_probable: Option<String>,
    pub most_probable_class: Option<i64>,
    pub probability: Option<f64>,
    pub correct: Option<bool>,
    pub target: Option<String>,
    pub target_spec: Option<String>,
    pub class_index: Option<i64>,
    pub unit: Option<String>,
    pub baseline: Option<f64>,
    pub verdict: Option<String>,
    pub reasons: Vec<String>,
    pub object_is: Option<String>,
    pub object_share: Option<f64>,
    pub share: Option<f64>,
    pub lost_without: Option<f64>,
    pub kept_alone: Option<f64>,
    pub interaction: Option<f64>,
    pub gain: Option<f64>,
    pub score_object_hidden: Option<f64>,
    pub score_object_alone: Option<f64>,
    pub score_all_hidden: Option<f64>,
    pub elsewhere_share: Option<f64>,
    pub elsewhere_deviation: Option<f64>,
    pub share_inside: Option<f64>,
    pub share_inside_uniform: Option<f64>,
    pub pointing_hit: Option<f64>,
    pub pointing_hit_uniform: Option<f64>,
    pub rank_accuracy: Option<f64>,
    pub density_ratio: Option<f64>,
    pub windows: Option<i64>,
    pub frame: Vec<f64>,
    pub frame_object: Vec<f64>,
    pub frame_shape: Vec<i64>,
    pub notes: Vec<String>,
    pub error: Option<String>,
}

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// UTF-8.
    Text,
    /// float64.
    Number,
    /// int64.
    Whole,
    /// Boolean.
    Truth,
    /// A list of UTF-8.
    Texts,
    /// A list of float64.
    Numbers,
    /// A list of int64.
    Wholes,
}

/// A column: name, type, meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// As in the files.
    pub name: &'static str,
    /// Its type.
    pub kind: ColumnKind,
    /// In words.
    pub meaning: &'static str,
}

const fn column(name: &'static str, kind: ColumnKind, meaning: &'static str) -> Column {
    Column { name, kind, meaning }
}

use ColumnKind::{Number, Numbers, Text, Texts, Truth, Whole, Wholes};

/// All columns of a row, in order.
pub const COLUMNS: [Column; 38] = [
    column("path", Text, "the image's name in the data set"),
    column("key", Text, "SHA-256 of the image's bytes and of its annotation: by this a row is known again"),
    column("classes", Texts, "the classes that the data set says it shows"),
    column(
        "most_probable",
        Text,
        "the model's most probable class; null for models without one vector of classes",
    ),
    column("most_probable_class", Whole, "its index"),
    column("probability", Number, "its probability, 0 to 1"),
    column("correct", Truth, "whether it is one of `classes`; null where that cannot be said"),
    column("target", Text, "what was measured"),
    column("target_spec", Text, "the same as it can be asked for again: 967, node:relu5:strongest-sum"),
    column("class_index", Whole, "its class index, for a class"),
    column("unit", Text, "unit of the scores: probability, logit, ..."),
    column("baseline", Number, "score of the target on the untouched image"),
    column("verdict", Text, "object, both, surroundings or unclear; null without an object"),
    column("reasons", Texts, "why, in words"),
    column(
        "object_is",
        Text,
        "which object was judged: class (those of the target's class), all (no object is of that class), everywhere (the one given for all images)",
    ),
    column("object_share", Number, "the object's share of the places of the input, 0 to 1"),
    column(
        "share",
        Number,
        "the object's share of the score's gain (its Shapley value); null without a gain",
    ),
    column("lost_without", Number, "part of the gain that is lost with the object hidden"),
    column("kept_alone", Number, "part of the gain that the object alone brings"),
    column("interaction", Number, "lost_without - kept_alone"),
    column("gain", Number, "score less the score with everything hidden"),
    column("score_object_hidden", Number, "score with the object hidden"),
    column("score_object_alone", Number, "score with everything else hidden"),
    column("score_all_hidden", Number, "score with everything hidden"),
    column("elsewhere_share", Number, "mean share of regions of the object's form elsewhere"),
    column("elsewhere_deviation", Number, "its standard deviation"),
    column("share_inside", Number, "share of the map's positive evidence inside the object, 0 to 1"),
    column("share_inside_uniform", Number, "of a uniform map"),
    column("pointing_hit", Number, "the pointing game: 1 hit, 0 miss, of ties the share that hits"),
    column("pointing_hit_uniform", Number, "of a uniform map"),
    column("rank_accuracy", Number, "share of the strongest places that lie in the object, 0 to 1"),
    column("density_ratio", Number, "evidence per place inside over outside"),
    column("windows", Whole, "windows of the map"),
    column(
        "frame",
        Numbers,
        "share of the positive evidence in each cell of the input's frame, row-major, sum 1; empty where nothing is evidence",
    ),
    column(
        "frame_object",
        Numbers,
        "share of the object's places in each cell, sum 1; empty without an object",
    ),
    column("frame_shape", Wholes, "cells along each spatial axis"),
    column("notes", Texts, "what was left out or silently chosen, in words"),
    column("error", Text, "why the image could not be judged; null where it was"),
];

impl Row {
    /// The row of an image that could not be judged.
    pub(super) fn failed(path: &str, key: &str, classes: &[String], error: &Error) -> Row {
        let said = error.hint().map_or_else(|| error.to_string(), |hint| format!("{error} ({hint})"));
        Row {
            path: path.into(),
            key: key.into(),
            classes: classes.to_vec(),
            error: Some(said),
            ..Row::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_docs_have_every_column_in_order() {
        let docs = include_str!("../../../../docs/audit.md");
        let names: Vec<&str> = docs
            .lines()
            .skip_while(|line| *line != "| column | type | |")
            .skip(2)
            .map_while(|line| line.strip_prefix("| `")?.split('`').next())
            .collect();
        assert_eq!(names, COLUMNS.map(|column| column.name));
    }

    #[test]
    fn the_columns_are_the_fields() {
        let value = serde_json::to_value(Row::default()).expect("plain");
        let names: Vec<&String> = value.as_object().expect("an object").keys().collect();
        assert_eq!(names, COLUMNS.map(|column| column.name).iter().collect::<Vec<_>>());
    }
}
