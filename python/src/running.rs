//! The one place where a run lets the interpreter go: progress, signals, and errors of both languages on the way back.
//!
//! In: work that takes a watch. Out: a map, or the exception that ended the run, which carries the map as far as it got.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use occlude::{Error, Picture, Progress, Watch};
use pyo3::prelude::*;

use crate::errors::{exception, with_partial_map};
use crate::map::Map;
use crate::words::keywords;

/// Progress is told, and signals are looked at, so often.
const EVERY: Duration = Duration::from_millis(50);

/// The first exception that Python code raised during a run; it is raised again when the run has come to an end.
#[derive(Default)]
pub(crate) struct Raised(Mutex<Option<PyErr>>);

impl Raised {
    /// Keeps the exception for the end of the run, and stops it with an error of the crate.
    pub(crate) fn kept<T>(&self, result: PyResult<T>) -> occlude::Result<T> {
        result.map_err(|raised| {
            let said = raised.to_string();
            self.put(raised);
            Error::model(format!("the function raised {said}"))
        })
    }
    fn put(&self, error: PyErr) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }
    pub(crate) fn take(&self) -> Option<PyErr> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Tells `progress` how many are done and how many there are, and looks at signals, now and then; what is raised is kept, and sets `cancel`. For a thread that has let the interpreter go.
pub(crate) fn telling<'a>(
    progress: Option<&'a Py<PyAny>>,
    raised: &'a Raised,
    cancel: &'a AtomicBool,
) -> impl FnMut(usize, usize) + use<'a> {
    let mut last: Option<Instant> = None;
    move |done, total| {
        if done != total && last.is_some_and(|last| last.elapsed() < EVERY) {
            return;
        }
        last = Some(Instant::now());
        let told = Python::attach(|py| {
            py.check_signals()?;
            if let Some(progress) = progress {
                progress.call1(py, (done, total))?;
            }
            Ok(())
        });
        if let Err(error) = told {
            raised.put(error);
            cancel.store(true, Ordering::Relaxed);
        }
    }
}

/// Runs `work` without the interpreter, watched. `progress` is called with the windows scored and their number.
pub(crate) fn watched<T: Send>(
    py: Python<'_>,
    progress: Option<Py<PyAny>>,
    raised: &Raised,
    work: impl FnOnce(&mut Watch<'_>) -> T + Send,
) -> T {
    let cancel = AtomicBool::new(false);
    py.detach(|| {
        let mut tell = telling(progress.as_ref(), raised, &cancel);
        let mut tell = |so_far: &Progress| tell(so_far.done, so_far.total);
        work(&mut Watch { cancel: Some(&cancel), progress: Some(&mut tell), ..Watch::default() })
    })
}

/// Runs `work` like [`watched`]; what ends it early carries the map as far as it got.
pub(crate) fn run(
    py: Python<'_>,
    progress: Option<Py<PyAny>>,
    raised: &Raised,
    picture: &Picture,
    work: impl FnOnce(&mut Watch<'_>) -> occlude::Result<occlude::Map> + Send,
) -> PyResult<Map> {
    let result = watched(py, progress, raised, work);
    let drawn = |mut map: occlude::Map| {
        map.notes.iter_mut().for_each(|note| *note = keywords(note));
        Map { inner: map, picture: picture.clone() }
    };
    match (raised.take(), result) {
        (None, Ok(map)) => Ok(drawn(map)),
        (Some(raised), Ok(map)) => Err(with_partial_map(py, raised, Some(drawn(map)))),
        (raised, Err(error)) => {
            let partial = error.partial_map().cloned().map(drawn);
            Err(with_partial_map(py, raised.unwrap_or_else(|| exception(&error)), partial))
        }
    }
}
