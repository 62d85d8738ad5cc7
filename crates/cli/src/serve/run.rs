//! One map in the making: what is known of it, who listens, and how it ends.
//!
//! In: the growing map from the thread that computes it. Out: what listeners and downloads want to know, at any moment. A listener keeps a place in the list of scored windows, so a slow one holds
//! nothing back and costs no memory. Computing is in `runs`, the stream of events in `events`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use occlude::output::{self, Format};
use occlude::{Cells, Error, Map, Picture, Progress, Result};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::shelf::KeptInput;

/// The most numbers (targets times windows) that a page is sent.
pub(super) const MOST_NUMBERS: usize = 8 << 20;

/// Windows told at once; a listener that is further behind gets the rest in the next event.
const AT_ONCE: usize = 4096;

/// A map in the making, or a finished one.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) id: String,
    /// The tab that asked for it, and which of its maps it is.
    pub(super) tab: String,
    pub(super) slot: String,
    pub(super) input: Arc<KeptInput>,
    /// Set to stop it.
    pub(super) cancel: AtomicBool,
    state: Mutex<State>,
    /// Counts changes; listeners wait for the next one.
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    /// The map as far as it is; `None` before the untouched input was scored.
    map: Option<Map>,
    tells_windows: bool,
    /// Windows in the order in which they were scored.
    scored: Vec<u32>,
    progress: Option<Progress>,
    /// Why it was asked to stop, the first time.
    stopped_for: Option<&'static str>,
    end: Option<End>,
    listeners: usize,
    /// Counts arrivals, so that a grace period knows whether somebody came and went meanwhile.
    arrivals: u64,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub(super) enum End {
    Done { secs: f64 },
    Stopped { why: &'static str },
    Failed { error: String, hint: Option<String> },
}

/// Windows that a listener has not seen yet.
pub(super) struct News {
    /// For the event `windows`.
    pub(super) windows: Vec<Value>,
    /// Names of the classes that are the most probable ones there, by index.
    pub(super) classes: BTreeMap<String, String>,
    /// Windows told until now, these included.
    pub(super) told: usize,
    pub(super) total: usize,
    pub(super) left_secs: Option<f64>,
}

impl Run {
    pub(super) fn new(id: String, tab: String, slot: String, input: Arc<KeptInput>) -> Run {
        Run {
            id,
            tab,
            slot,
            input,
            cancel: AtomicBool::new(false),
            state: Mutex::new(State::default()),
            changes: watch::Sender::new(0),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    // ---- from the computing thread ------------------------------------------------------------------------------

    /// Takes over what the run has just scored.
    pub(super) fn grow(&self, map: &Map, scored: &[usize]) {
        let mut state = self.state();
        let state = &mut *state;
        match &mut state.map {
            None => {
                state.tells_windows = map.windows.grid().is_some() && map.drawn().cells == Cells::Windows;
                state.map = Some(map.clone());
            }
            Some(kept) => {
                let count = map.windows.len();
                for &window in scored {
                    for at in (window..map.scores.len()).step_by(count.max(1)) {
                        kept.scores[at] = map.scores[at];
                        kept.sensitivity[at] = map.sensitivity[at];
                    }
                    if let (Some(kept), Some(said)) = (&mut kept.most_probable, &map.most_probable) {
                        kept.windows[window] = said.windows[window];
                    }
                }
                kept.computed = map.computed;
            }
        }
        state.scored.extend(scored.iter().map(|&window| window as u32));
        self.changed();
    }

    pub(super) fn progress(&self, progress: &Progress) {
        self.state().progress = Some(*progress);
    }

    /// The end, with the map as far as it got.
    pub(super) fn end(&self, map: Option<Map>, end: End) {
        let mut state = self.state();
        if map.is_some() {
            state.map = map;
        }
        state.end = Some(end);
        drop(state);
        self.changed();
    }

    /// Why it was stopped.
    pub(super) fn stopped_for(&self) -> &'static str {
        self.state().stopped_for.unwrap_or("cancelled")
    }

    // ---- from requests ------------------------------------------------------------------------------------------

    /// Asks it to stop; whether it was still going.
    pub(super) fn stop(&self, why: &'static str) -> bool {
        let mut state = self.state();
        if state.end.is_some() {
            return false;
        }
        state.stopped_for.get_or_insert(why);
        self.cancel.store(true, Ordering::Relaxed);
        true
    }

    /// Whether it was asked to stop.
    pub(super) fn is_stopping(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }

    pub(super) fn is_over(&self) -> bool {
        self.state().end.is_some()
    }

    pub(super) fn has_begun(&self) -> bool {
        self.state().map.is_some()
    }

    pub(super) fn how_it_ended(&self) -> Option<End> {
        self.state().end.clone()
    }

    /// Bytes of numbers that it keeps.
    pub(super) fn bytes(&self) -> usize {
        self.state().map.as_ref().map_or(0, |map| 12 * map.scores.len())
    }

    /// The page's feed of the map as far as it is, and how many windows it tells; `None` before there is a map.
    pub(super) fn feed(&self) -> Option<(Result<Value>, usize)> {
        let (map, told) = {
            let state = self.state();
            (state.map.clone()?, state.scored.len())
        };
        Some((output::html::feed(&map, self.picture()), told))
    }

    /// Whether the page's cells are the windows themselves, one score each, so that they can be told one by one.
    pub(super) fn tells_windows(&self) -> bool {
        self.state().tells_windows
    }

    /// Whether windows were scored that a listener who has seen so many has not.
    pub(super) fn has_more_than(&self, told: usize) -> bool {
        self.state().scored.len() > told
    }

    /// What was scored since a listener had seen so many windows.
    pub(super) fn since(&self, told: usize) -> News {
        let state = self.state();
        let left_secs = state.progress.map(|p| p.left_secs).filter(|secs| secs.is_finite());
        let Some(map) = &state.map else {
            return News { windows: Vec::new(), classes: BTreeMap::new(), told, total: 0, left_secs };
        };
        let count = map.windows.len();
        let new = state.scored.get(told..).unwrap_or_default();
        let new = &new[..new.len().min(AT_ONCE)];
        let window = |&window: &u32| {
            let window = window as usize;
            let occluded: Vec<f32> = (0..map.targets.len()).map(|t| map.scores[t * count + window]).collect();
            let mut told = json!({ "cell": window, "occluded": occluded });
            if let Some(said) = &map.most_probable {
                told["most_probable"] = json!(said.windows[window]);
            }
            told
        };
        let windows = new.iter().map(window).collect();
        let said =
            map.most_probable.iter().flat_map(|said| new.iter().map(|&window| said.windows[window as usize]));
        let classes = said.filter_map(|class| usize::try_from(class).ok());
        let classes = classes.map(|class| (class.to_string(), map.labels.short(class))).collect();
        News { windows, classes, told: told + new.len(), total: count, left_secs }
    }

    /// The map as a file.
    ///
    /// # Errors
    /// Argument: nothing is computed yet. And what the writer says.
    pub(super) fn file(&self, format: Format) -> Result<Vec<u8>> {
        let map = self.state().map.clone().filter(|map| map.computed > 0);
        let map = map.ok_or_else(|| {
            Error::argument("the map has no window yet")
                .with_hint("wait until the first windows are computed")
        })?;
        output::encode(&map, self.picture(), format)
    }

    fn picture(&self) -> &Picture {
        &self.input.input.picture
    }

    // ---- listeners ----------------------------------------------------------------------------------------------

    /// One more listener; it is one less again when the guard goes.
    pub(super) fn listen(self: &Arc<Self>) -> Listening {
        let mut state = self.state();
        state.listeners += 1;
        state.arrivals += 1;
        Listening { run: Arc::clone(self), changes: self.changes.subscribe() }
    }

    /// How often somebody has come, if nobody listens now.
    pub(super) fn deserted(&self) -> Option<u64> {
        let state = self.state();
        (state.listeners == 0 && state.end.is_none()).then_some(state.arrivals)
    }
}

/// Somebody who listens to a run.
pub(super) struct Listening {
    run: Arc<Run>,
    pub(super) changes: watch::Receiver<u64>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.run.state().listeners -= 1;
    }
}
