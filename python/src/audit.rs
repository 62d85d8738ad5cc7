//! Audits: over a data set on this machine, and the rows of one image for workers of others.
//!
//! In: paths, keywords as the crate names them. Out: JSON. Progress and signals as in `running`.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use occlude::audit::{
    Annotated, AuditOptions, AuditProgress, AuditWatch, Dataset, DatasetOptions, Question, Sample, rows_of,
    summarize,
};
use occlude::{JudgeOptions, Watch};
use pyo3::prelude::*;
use serde_json::{Value, json};

use crate::errors::exception;
use crate::model::Model;
use crate::running::{Raised, telling};
use crate::settings::Settings;
use crate::words::keywords;

/// Class, box `[x0, y0, x1, y1]` in pixels, file of a mask.
type ObjectOf = (Option<String>, Option<[f64; 4]>, Option<PathBuf>);

fn question(settings: &Settings, options: Vec<(String, f64)>, truth: bool) -> PyResult<Question> {
    let mut judge = JudgeOptions::default();
    for (name, value) in options {
        judge.set(&name, value).map_err(|e| exception(&e))?;
    }
    judge.thresholds.check().map_err(|e| exception(&e))?;
    Ok(Question { settings: settings.inner.clone(), judge, of_data_set: truth })
}

/// Audits a model over a data set: what was found and what was written, as JSON. `everywhere` is `[x0, y0, x1, y1]`, shares of the image; `progress` is called with the images done and their number.
#[pyfunction]
#[pyo3(signature = (model, dataset, folder, settings, options, *, images, object_masks, everywhere, truth, workers, retry_errors, pages, progress))]
#[allow(clippy::too_many_arguments, reason = "the keywords of the method in Python")]
pub(crate) fn audit(
    py: Python<'_>,
    model: &Model,
    dataset: PathBuf,
    folder: PathBuf,
    settings: &Settings,
    options: Vec<(String, f64)>,
    images: Option<PathBuf>,
    object_masks: Option<PathBuf>,
    everywhere: Option<[f64; 4]>,
    truth: bool,
    workers: Option<usize>,
    retry_errors: bool,
    pages: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<String> {
    let question = question(settings, options, truth)?;
    let options = AuditOptions {
        everywhere,
        workers,
        retry_errors,
        shown: pages,
        ..AuditOptions::new(folder, question)
    };
    let given = DatasetOptions { images, masks: object_masks, everywhere };
    let (raised, cancel) = (Raised::default(), AtomicBool::new(false));
    let audited = py.detach(|| {
        let dataset = Dataset::open(dataset, &given)?;
        let mut tell = telling(progress.as_ref(), &raised, &cancel);
        let mut tell = |so_far: &AuditProgress| tell(so_far.done, so_far.total);
        let mut watch = AuditWatch { cancel: Some(&cancel), progress: Some(&mut tell) };
        model.inner.audit(&dataset, &options, &mut watch)
    });
    if let Some(raised) = raised.take() {
        return Err(raised);
    }
    let audited = audited.map_err(|e| exception(&e))?;
    let said = json!({
        "summary": audited.json,
        "complete": audited.is_complete,
        "known": audited.progress.known,
        "done": audited.progress.done,
        "total": audited.progress.total,
        "strangers": audited.strangers,
        "written": audited.written,
        "notes": audited.notes.iter().map(|note| keywords(note)).collect::<Vec<_>>(),
    });
    Ok(said.to_string())
}

/// The rows of one image as a JSON list: those that an audit keeps of it, a failure as a row with its error. `objects`: class, box `[x0, y0, x1, y1]` in pixels, file of a mask.
#[pyfunction]
#[pyo3(signature = (model, data, name, classes, objects, settings, options, *, path, everywhere, truth))]
#[allow(clippy::too_many_arguments, reason = "an image with all that is said about it")]
pub(crate) fn audit_rows(
    py: Python<'_>,
    model: &Model,
    data: &[u8],
    name: &str,
    classes: Vec<String>,
    objects: Vec<ObjectOf>,
    settings: &Settings,
    options: Vec<(String, f64)>,
    path: Option<PathBuf>,
    everywhere: Option<[f64; 4]>,
    truth: bool,
) -> PyResult<String> {
    let question = question(settings, options, truth)?;
    let objects: Vec<Annotated> =
        objects.into_iter().map(|(class, bounds, mask)| Annotated { class, bounds, mask }).collect();
    let sample =
        Sample { name, bytes: data, path: path.as_deref(), classes: &classes, objects: &objects, everywhere };
    let rows = py.detach(|| rows_of(&model.inner, &question, &sample, &Watch::default()));
    Ok(serde_json::to_value(rows.unwrap_or_default()).unwrap_or(Value::Null).to_string())
}

/// What the rows of all Parquet files in a folder say together, as JSON.
#[pyfunction]
pub(crate) fn audit_summary(py: Python<'_>, folder: PathBuf, shown: usize) -> PyResult<String> {
    let found = py.detach(|| summarize(folder, shown)).map_err(|e| exception(&e))?;
    Ok(serde_json::to_value(found).unwrap_or(Value::Null).to_string())
}

/// Name, type and meaning of the columns of a row: `text`, `number`, `whole`, `truth`, `texts`, `numbers`, `wholes`.
#[pyfunction]
pub(crate) fn audit_columns() -> Vec<(&'static str, String, &'static str)> {
    let told = |column: &occlude::audit::Column| {
        (column.name, format!("{:?}", column.kind).to_lowercase(), column.meaning)
    };
    occlude::audit::COLUMNS.iter().map(told).collect()
}
