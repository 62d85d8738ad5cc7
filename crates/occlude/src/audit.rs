//! Audits: does a model look at objects or at their surroundings, over a data set?
//!
//! In: a model, a data set, a question. Out: a row per image and target (`row`), kept in a folder as they come (`store`, `journal`, `parts`) so that an audit goes on where it was stopped, and what the rows say together (`summary`, `interval`, `frame`). How a data set is
//! read is in `dataset`, what is done with one image in `examine`, how many are done at once in `run`. The report is written by `output::audit`.

mod dataset;
mod examine;
mod frame;
mod interval;
mod journal;
mod parts;
mod row;
mod run;
mod store;
mod summary;

pub use dataset::{Annotated, Dataset, DatasetForm, DatasetOptions, Item};
pub use examine::{Question, Sample, rows_of};
pub use interval::{Difference, Mean, Share};
pub use row::{COLUMNS, Column, ColumnKind, Row};
pub use run::{AuditOptions, AuditProgress, AuditWatch, Audited};
pub use summary::{AverageMap, OfClass, Shown, Summary, Verdicts};

use std::path::Path;

use crate::error::Result;
pub(crate) use examine::Again;
pub(crate) use interval::ENOUGH;
use summary::Gathering;

/// Hands over the rows of all Parquet files in a folder, file by file in the order of their names, whoever wrote them.
///
/// # Errors
/// See [`summarize`]. And what `take` says.
pub fn rows(folder: impl AsRef<Path>, take: &mut dyn FnMut(Row) -> Result<()>) -> Result<()> {
    store::read_folder(folder.as_ref(), take)
}

/// Sums up the rows of all Parquet files in a folder, whoever wrote them: an audit of this crate, or Ray. `shown` rows are listed as the most driven by surroundings.
///
/// # Errors
/// File: no `.parquet` file there, one that cannot be read or has a column of another type.
pub fn summarize(folder: impl AsRef<Path>, shown: usize) -> Result<Summary> {
    let mut gathering = Gathering::new(shown);
    store::read_folder(folder.as_ref(), &mut |row| {
        gathering.add(&row);
        Ok(())
    })?;
    Ok(gathering.summary())
}
