//! The runs of all tabs: begun, replaced, deserted, forgotten; and the thread that computes one.
//!
//! In: what a tab asks for. Out: a [`Run`] that grows. A tab has one run a slot: asking again stops the one before. A run that nobody listens to is stopped. Finished maps are kept within bounds, for
//! downloads. Whose turn it is to compute is decided in `turns`.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use occlude::{Error, Map, Result, Settings, Watch};

use super::answers::Refusal;
use super::asked;
use super::run::{End, Run};
use super::shelf::{KeptInput, KeptModel};
use super::turns::{Rank, Turnstile};

/// Runs that are not over, of all tabs.
const UNDER_WAY: usize = 64;
/// Runs kept, those under way included, and the bytes of their numbers.
const KEPT: usize = 256;
const KEPT_BYTES: usize = 256 << 20;
/// How long a run goes on while nobody listens: a tab that lost its connection comes back.
const GRACE: Duration = Duration::from_secs(6);

/// What a tab asks for.
pub(super) struct Asked {
    pub(super) model: Arc<KeptModel>,
    pub(super) input: Arc<KeptInput>,
    pub(super) settings: Settings,
    pub(super) tab: String,
    pub(super) slot: String,
    /// The command line that makes the same map.
    pub(super) command: String,
}

/// All runs.
#[derive(Debug, Default)]
pub(super) struct Runs {
    held: Mutex<Held>,
    pub(super) turnstile: Arc<Turnstile>,
}

#[derive(Debug, Default)]
struct Held {
    last: usize,
    /// Oldest first.
    runs: VecDeque<Arc<Run>>,
    is_closed: bool,
}

impl Runs {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn find(&self, id: &str) -> Option<Arc<Run>> {
        self.held().runs.iter().find(|run| run.id == id).cloned()
    }

    /// Begins a run; the one before of the same tab and slot is stopped.
    pub(super) fn begin(self: &Arc<Self>, asked: Asked) -> Result<Arc<Run>, Refusal> {
        let run = {
            let mut held = self.held();
            if held.is_closed {
                return Err(Refusal::busy("runs: the server is stopping"));
            }
            for before in held.runs.iter().filter(|run| run.tab == asked.tab && run.slot == asked.slot) {
                before.stop("replaced");
            }
            let under_way = held.runs.iter().filter(|run| !run.is_over() && !run.is_stopping()).count();
            if under_way >= UNDER_WAY {
                self.turnstile.wake();
                return Err(Refusal::busy("maps"));
            }
            held.last += 1;
            let id = format!("r{}", held.last);
            let run = Arc::new(Run::new(id, asked.tab.clone(), asked.slot.clone(), Arc::clone(&asked.input)));
            held.runs.push_back(Arc::clone(&run));
            forget(&mut held.runs);
            run
        };
        self.turnstile.wake();
        let (runs, for_thread) = (Arc::clone(self), Arc::clone(&run));
        let thread = std::thread::Builder::new().name(format!("map {}", run.id));
        if thread.spawn(move || runs.compute(&for_thread, &asked)).is_err() {
            run.end(None, End::Failed { error: "no thread can be started for the map".into(), hint: None });
        }
        self.stop_if_deserted(&run);
        Ok(run)
    }

    pub(super) fn stop(&self, run: &Run, why: &'static str) {
        if run.stop(why) {
            self.turnstile.wake();
        }
    }

    /// Stops all, for good.
    pub(super) fn close(&self) {
        let runs = {
            let mut held = self.held();
            held.is_closed = true;
            held.runs.clone()
        };
        for run in &runs {
            self.stop(run, "closed");
        }
    }

    /// Stops a run after a while if nobody has come to listen until then. Must be called from within the server's runtime.
    pub(super) fn stop_if_deserted(self: &Arc<Self>, run: &Arc<Run>) {
        let Some(arrivals) = run.deserted() else { return };
        let (runs, run) = (Arc::clone(self), Arc::clone(run));
        tokio::spawn(async move {
            tokio::time::sleep(GRACE).await;
            if run.deserted() == Some(arrivals) {
                runs.stop(&run, "closed");
            }
        });
    }

    /// Computes a run, in its turns.
    fn compute(&self, run: &Run, asked: &Asked) {
        let Some(mut turn) = self.turnstile.wait(Rank::Map, &run.cancel) else {
            return run.end(None, End::Stopped { why: run.stopped_for() });
        };
        let begun = Instant::now();
        let mut too_large = None;
        let mut grow = |map: &Map, scored: &[usize]| {
            if map.computed == scored.len() && too_large.is_none() {
                // How many targets there are is known only now.
                too_large = asked::check_size(map.windows.len(), map.targets.len()).err();
            }
            if too_large.is_some() {
                run.stop("too large");
                return;
            }
            run.grow(map, scored);
        };
        let mut progress = |progress: &occlude::Progress| run.progress(progress);
        let result = {
            let mut watch = Watch {
                cancel: Some(&run.cancel),
                progress: Some(&mut progress),
                growing: Some(&mut grow),
                turns: Some(&mut turn),
            };
            let occlusion = asked.model.model.occlusion().with(&asked.settings);
            catch_unwind(AssertUnwindSafe(|| occlusion.run_watched(&asked.input.input, &mut watch)))
                .unwrap_or_else(|panic| Err(of_panic(&*panic)))
        };
        drop(turn);
        let with_command = |mut map: Map| {
            map.provenance.command = Some(asked.command.clone());
            map
        };
        match (too_large.map_or(result, Err), begun.elapsed().as_secs_f64()) {
            (Ok(map), secs) if map.is_complete() && !run.is_stopping() => {
                run.end(Some(with_command(map)), End::Done { secs })
            }
            (Ok(map), _) => run.end(Some(with_command(map)), End::Stopped { why: run.stopped_for() }),
            (Err(error), _) => {
                let (message, hint) = (error.to_string(), error.hint().map(str::to_string));
                let partial = error.partial_map().cloned().map(with_command);
                run.end(partial, End::Failed { error: message, hint });
            }
        }
    }
}

/// Forgets the oldest runs that are over, beyond the bounds.
fn forget(runs: &mut VecDeque<Arc<Run>>) {
    let bytes = |runs: &VecDeque<Arc<Run>>| runs.iter().map(|run| run.bytes()).sum::<usize>();
    while runs.len() > KEPT || bytes(runs) > KEPT_BYTES {
        let Some(oldest) = runs.iter().position(|run| run.is_over()) else { return };
        runs.remove(oldest);
    }
}

/// What a panic said, as an error: one map fails, the server goes on.
pub(super) fn of_panic(panic: &(dyn Any + Send)) -> Error {
    let said = panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned());
    Error::model(format!("the run broke off: {}", said.unwrap_or_else(|| "no reason is known".to_string())))
        .with_hint("this is a defect of occlude; the same command with occlude map shows where")
}
