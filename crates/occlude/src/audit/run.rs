//! Running an audit: many images at once, one model, rows kept as they come.
//!
//! In: a model, a [`Dataset`], [`AuditOptions`]. Out: rows in a folder, their [`Summary`], pages and a report. Each worker takes the next image, reads it, passes it over if its rows are there, and hands its rows to the calling thread, which alone writes. Of the images at
//! most a few are held at any time. Workers share the model's weights ([`Model::twin`]); with as many workers as cores each runs on one thread, which small images need: their maps are too short for many threads.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::dataset::{Dataset, Item};
use super::examine::{Again, Question, Sample, examine_again, keyed_rows};
use super::row::Row;
use super::store::{Known, Store};
use super::summary::{Gathering, Shown, Summary};
use crate::error::{Error, ErrorKind, Result};
use crate::hash::sha256_hex;
use crate::job::Watch;
use crate::model::Model;
use crate::output::audit as report;
use crate::settings::Settings;

/// How an audit runs.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditOptions {
    /// What is asked of every image.
    pub question: Question,
    /// The folder of the audit: made, or gone on with.
    pub folder: PathBuf,
    /// The object of images that have none: `[x0, y0, x1, y1]` as shares of the image.
    pub everywhere: Option<[f64; 4]>,
    /// Images at once; `None` for one per thread of the settings, as far as memory allows.
    pub workers: Option<usize>,
    /// Images whose rows are errors are tried again.
    pub retry_errors: bool,
    /// Rows in the list of those most driven by surroundings, each with a page of its map.
    pub shown: usize,
}

/// How far an audit is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AuditProgress {
    /// Images done, those of earlier runs included.
    pub done: usize,
    /// Of them known from earlier runs.
    pub known: usize,
    /// Of them such that cannot be read now; their rows are kept.
    pub away: usize,
    /// Of them with an error, this time.
    pub failed: usize,
    /// Images in all.
    pub total: usize,
    /// Pages made of those that the report opens, `(made, in all)`; `(0, 0)` before all images are done.
    pub pages: (usize, usize),
    /// Seconds since the first image was begun.
    pub elapsed_secs: f64,
    /// Images judged per second until now.
    pub images_per_sec: f64,
    /// Seconds left at that rate; infinite before the first image.
    pub left_secs: f64,
}

/// Watches an audit from outside.
#[derive(Default)]
pub struct AuditWatch<'a> {
    /// Set to stop: images under way are left, all rows until then are kept.
    pub cancel: Option<&'a AtomicBool>,
    /// Called on the calling thread after every image, and while one is waited for.
    pub progress: Option<&'a mut dyn FnMut(&AuditProgress)>,
}

/// What an audit came to.
#[derive(Clone, Debug)]
pub struct Audited {
    /// What the rows say together.
    pub summary: Summary,
    /// How far it came.
    pub progress: AuditProgress,
    /// Whether every image was done, and every page.
    pub is_complete: bool,
    /// Rows of images that are no longer in the data set: kept in the files, left out of the summary.
    pub strangers: usize,
    /// The summary as JSON, schema `occlude.audit/1`.
    pub json: Value,
    /// The files written beside the rows, the report first.
    pub written: Vec<PathBuf>,
    /// Pages that could not be made, in words.
    pub notes: Vec<String>,
}

/// Images that are tried to make the model ready.
const TRIED: usize = 10;
/// How often the calling thread looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(50);

impl Model {
    /// Audits the model over a data set: judges every image ([`Occlusion::judge`](crate::Occlusion::judge)), keeps a row for each, sums them up, writes a report. Stopped (even killed) and called again it goes on where it was: an image whose content, annotation and
    /// settings have not changed is not judged again.
    ///
    /// ```no_run
    /// # use occlude::audit::{AuditOptions, AuditWatch, Dataset, DatasetOptions, Question};
    /// let model = occlude::Model::open("model.onnx")?;
    /// let birds = Dataset::open("birds.csv", &DatasetOptions::default())?;
    /// let options = AuditOptions::new("birds-audit", Question::default());
    /// let audited = model.audit(&birds, &options, &mut AuditWatch::default())?;
    /// println!("{:?}", audited.summary.verdicts.surroundings_of_clear);
    /// # Ok::<(), occlude::Error>(())
    /// ```
    ///
    /// # Errors
    /// Argument: settings that fit none of the first images, a folder of another audit, judgement options that do not fit together. File: what the system says about the folder. What is wrong with one image is an error in its row.
    pub fn audit(
        &self,
        dataset: &Dataset,
        options: &AuditOptions,
        watch: &mut AuditWatch<'_>,
    ) -> Result<Audited> {
        options.question.judge.thresholds.check()?;
        let everywhere = options.everywhere;
        let (workers, question) = ready(self, dataset, options)?;
        let mut store = Store::open(&options.folder, &asked(self, options), options.retry_errors)?;
        let call = Call { model: self, dataset, question: &question, everywhere };
        let mut progress = call.all(workers, &mut store, watch)?;
        store.finish()?;
        let is_done = progress.done == progress.total;
        let (summary, strangers) = summarize(&store, dataset, options.shown)?;
        let json = report::json(self, dataset, options, &summary, is_done);
        // Few maps, one after the other: all threads for each.
        let question = Question { settings: options.question.settings.clone(), ..question.clone() };
        let call = Call { question: &question, ..call };
        let (written, mut notes, has_all_pages) =
            call.report(options, &summary, &json, is_done, &mut progress, watch)?;
        if progress.away > 0 {
            notes.push(format!("{} images cannot be read now: their rows are kept", progress.away));
        }
        let is_complete = is_done && has_all_pages;
        Ok(Audited { summary, progress, is_complete, strangers, json, written, notes })
    }
}

impl AuditOptions {
    /// With the defaults: all cores, 24 rows shown.
    pub fn new(folder: impl Into<PathBuf>, question: Question) -> Self {
        AuditOptions {
            question,
            folder: folder.into(),
            everywhere: None,
            workers: None,
            retry_errors: false,
            shown: 24,
        }
    }
}

/// What rows hang on beside images and annotations.
fn asked(model: &Model, options: &AuditOptions) -> Value {
    let question = &options.question;
    let changes_nothing = ["threads", "memory-limit"];
    let names_a_file = ["regions", "region-names", "masks", "fill"];
    let settings =
        question.settings.asked().into_iter().filter(|(name, _)| !changes_nothing.contains(&name.as_str()));
    let settings: serde_json::Map<String, Value> = settings
        .map(|(name, value)| {
            let value = if names_a_file.contains(&name.as_str()) { with_content(value) } else { value };
            (name, Value::String(value))
        })
        .collect();
    json!({
        "schema": "occlude.audit-folder/1",
        "version": env!("CARGO_PKG_VERSION"),
        "model": model.file(),
        "preprocess": crate::input::preprocess_to_text(model.preprocess()),
        "settings": settings,
        "judge": question.judge,
        "targets": if question.of_data_set { "classes of the data set" } else { "settings" },
    })
}

/// A setting that names a file hangs on its content.
fn with_content(value: String) -> String {
    let path = value.strip_prefix("image:").unwrap_or(&value);
    match std::fs::read(path) {
        Ok(bytes) => format!("{value} (SHA-256 {})", sha256_hex(&bytes)),
        Err(_) => value,
    }
}

/// Makes the model ready on the first image that can be read, and settles how many are done at once.
fn ready(model: &Model, dataset: &Dataset, options: &AuditOptions) -> Result<(usize, Question)> {
    let settings = &options.question.settings;
    let threads = settings.threads.unwrap_or_else(crate::machine::cores);
    let memory = settings.memory_limit.unwrap_or_else(|| crate::machine::memory_bytes() / 2);
    let mut workers = options.workers.unwrap_or(threads).clamp(1, dataset.items.len().max(1));
    let mut first_error = None;
    for item in dataset.items.iter().filter(|item| item.broken.is_none()).take(TRIED) {
        loop {
            let question = Question {
                settings: Settings {
                    threads: Some((threads / workers).max(1)),
                    memory_limit: Some(memory / workers as u64),
                    ..settings.clone()
                },
                ..options.question.clone()
            };
            match try_one(model, &question, item) {
                Ok(()) => return Ok((workers, question)),
                Err(error)
                    if error.kind() == ErrorKind::Limit && workers > 1 && options.workers.is_none() =>
                {
                    workers /= 2;
                }
                Err(error) => {
                    let is_of_file = error.kind() == ErrorKind::File;
                    if !is_of_file {
                        first_error.get_or_insert(error.in_context(&item.name));
                    }
                    break;
                }
            }
        }
    }
    match first_error {
        // Where all that were tried are broken files, each is a row with its error.
        None => Ok((workers, options.question.clone())),
        Some(error) => Err(error),
    }
}

fn try_one(model: &Model, question: &Question, item: &Item) -> Result<()> {
    let bytes = read(&item.path)?;
    let input = sample_of(item, &bytes, None).read(model)?;
    model.occlusion().with(&question.settings).outlook(&input).map(|_| ())
}

fn sample_of<'s>(item: &'s Item, bytes: &'s [u8], everywhere: Option<[f64; 4]>) -> Sample<'s> {
    Sample {
        name: &item.name,
        bytes,
        path: Some(&item.path),
        classes: &item.classes,
        objects: &item.objects,
        everywhere,
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| Error::io("read", path, &e))
}

/// What the rows of this data set say together, and how many rows are of other images.
fn summarize(store: &Store, dataset: &Dataset, shown: usize) -> Result<(Summary, usize)> {
    let mut names: Vec<&str> = dataset.items.iter().map(|item| item.name.as_str()).collect();
    names.sort_unstable();
    let (mut gathering, mut strangers) = (Gathering::new(shown), 0);
    store.rows(&mut |row| {
        match names.binary_search(&row.path.as_str()) {
            Ok(_) => gathering.add(&row),
            Err(_) => strangers += 1,
        }
        Ok(())
    })?;
    Ok((gathering.summary(), strangers))
}

/// What came of an image.
enum Came {
    /// Its rows are there already.
    Known,
    /// Its rows are there, and it cannot be read now.
    Away,
    /// Its rows, of which one may be an error.
    Rows(Vec<Row>),
}

/// What all images of a call share.
#[derive(Clone, Copy)]
struct Call<'a> {
    model: &'a Model,
    dataset: &'a Dataset,
    question: &'a Question,
    everywhere: Option<[f64; 4]>,
}

impl Call<'_> {
    /// Does all images that are not done.
    fn all(&self, workers: usize, store: &mut Store, watch: &mut AuditWatch<'_>) -> Result<AuditProgress> {
        let items = &self.dataset.items;
        let known = store.known();
        let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
        let mut progress =
            AuditProgress { total: items.len(), left_secs: f64::INFINITY, ..AuditProgress::default() };
        let begun = Instant::now();
        let mut failure = None;
        // As many wait as there are workers, so that a slow disk holds the workers back instead of filling memory.
        let (sender, receiver) = mpsc::sync_channel(workers);
        std::thread::scope(|scope| {
            for _ in 0..workers {
                let (model, sender, known) = (self.model.twin(), sender.clone(), &known);
                let (next, stop) = (&next, &stop);
                scope.spawn(move || {
                    while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let Some(came) = self.one(&model, item, known.get(&item.name), stop) else { break };
                        if !give(&sender, came, stop) {
                            break;
                        }
                    }
                });
            }
            drop(sender);
            loop {
                if watch.cancel.is_some_and(|cancel| cancel.load(Ordering::Relaxed)) {
                    stop.store(true, Ordering::Relaxed);
                }
                match receiver.recv_timeout(LOOK) {
                    Err(RecvTimeoutError::Timeout) => {
                        tell(&mut progress, begun, watch);
                        continue;
                    }
                    Err(RecvTimeoutError::Disconnected) => break,
                    Ok(_) if failure.is_some() => continue,
                    Ok(Came::Known) => progress.known += 1,
                    Ok(Came::Away) => {
                        (progress.known, progress.away) = (progress.known + 1, progress.away + 1)
                    }
                    Ok(Came::Rows(rows)) => {
                        progress.failed += usize::from(rows.iter().any(|row| row.error.is_some()));
                        if let Err(error) = store.add(rows) {
                            failure = Some(error);
                            stop.store(true, Ordering::Relaxed);
                            continue;
                        }
                    }
                }
                progress.done += 1;
                tell(&mut progress, begun, watch);
            }
        });
        match failure {
            Some(error) => Err(error),
            None => Ok(progress),
        }
    }

    /// One image; `None` if it was stopped.
    fn one(&self, model: &Model, item: &Item, known: Option<&Known>, stop: &AtomicBool) -> Option<Came> {
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        let bytes = match &item.broken {
            Some(why) => Err(Error::file(why.clone())),
            None => read(&item.path),
        };
        match bytes {
            Ok(bytes) => {
                let sample = sample_of(item, &bytes, self.everywhere);
                let key = sample.key();
                if known.is_some_and(|known| known.key == key) {
                    return Some(Came::Known);
                }
                let watch = Watch { cancel: Some(stop), ..Watch::default() };
                keyed_rows(model, self.question, &sample, &key, &watch).map(Came::Rows)
            }
            // An image that cannot be read has no content, and an empty key. What is known of it stays: a drive may be away.
            Err(_) if known.is_some_and(|known| known.key.is_empty()) => Some(Came::Known),
            Err(_) if known.is_some() && item.broken.is_none() => Some(Came::Away),
            Err(error) => Some(Came::Rows(vec![Row::failed(&item.name, "", &item.classes, &error)])),
        }
    }

    /// Writes the summary, a page for each row that is shown, and the report. Pages that are there are kept: their names hang on all that their maps hang on.
    fn report(
        &self,
        options: &AuditOptions,
        summary: &Summary,
        json: &Value,
        is_complete: bool,
        progress: &mut AuditProgress,
        watch: &mut AuditWatch<'_>,
    ) -> Result<(Vec<PathBuf>, Vec<String>, bool)> {
        let (mut cards, mut notes, mut pages) = (Vec::new(), Vec::new(), Vec::new());
        let never = AtomicBool::new(false);
        let stop = watch.cancel.unwrap_or(&never);
        let mut has_all = true;
        for (number, shown) in summary.most_surroundings.iter().enumerate() {
            progress.pages = (number, summary.most_surroundings.len());
            if let Some(show) = &mut watch.progress {
                show(progress);
            }
            let page = report::page_of(&options.folder, shown);
            match self.again(shown, !page.exists(), stop) {
                Ok(Some(again)) => {
                    cards.push(report::card(&page, shown, &again)?);
                    pages.push(page);
                }
                Ok(None) => {
                    has_all = false;
                    break;
                }
                Err(error) => notes.push(format!("{} has no page: {error}", shown.path)),
            }
        }
        if !has_all {
            notes.push(format!(
                "stopped after {} of {} pages: the same command makes the others",
                cards.len(),
                summary.most_surroundings.len()
            ));
        }
        let mut written = report::write(&options.folder, self.dataset, summary, json, &cards, is_complete)?;
        written.extend(pages);
        Ok((written, notes, has_all))
    }

    /// What is shown of a row; its map only if it is wanted. `None` if it was stopped.
    fn again(&self, shown: &Shown, wants_map: bool, stop: &AtomicBool) -> Result<Option<Again>> {
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let item = self.dataset.items.iter().find(|item| item.name == shown.path);
        let item = item.ok_or_else(|| Error::file("it is not in the data set"))?;
        let bytes = read(&item.path)?;
        let sample = sample_of(item, &bytes, self.everywhere);
        let watch = Watch { cancel: Some(stop), ..Watch::default() };
        examine_again(self.model, self.question, &sample, shown, wants_map, &watch)
    }
}

/// Hands over what came of an image; false if nobody takes it any more.
fn give(sender: &SyncSender<Came>, came: Came, stop: &AtomicBool) -> bool {
    sender.send(came).is_ok() && !stop.load(Ordering::Relaxed)
}

fn tell(progress: &mut AuditProgress, begun: Instant, watch: &mut AuditWatch<'_>) {
    let judged = progress.done - progress.known;
    progress.elapsed_secs = begun.elapsed().as_secs_f64();
    if judged > 0 && progress.elapsed_secs > 0.0 {
        progress.images_per_sec = judged as f64 / progress.elapsed_secs;
        progress.left_secs = (progress.total - progress.done) as f64 / progress.images_per_sec;
    }
    if let Some(show) = &mut watch.progress {
        show(progress);
    }
}
