//! Watching a run from outside: how far it is, the map while it grows, stopping it, and letting others have the machine in between.
//!
//! In: callbacks and flags of a front. Out: what a run tells and asks. Nothing here knows windows or models.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::map::Map;

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Windows scored.
    pub done: usize,
    /// Windows in all.
    pub total: usize,
    /// Seconds since the first window was begun.
    pub elapsed_secs: f64,
    /// Windows per second until now.
    pub windows_per_sec: f64,
    /// Seconds left at that rate.
    pub left_secs: f64,
}

/// Lets several runs share a machine: a run that has had it for a while gives it away between two groups of windows, and goes on when its turn comes again.
pub trait Turns {
    /// Whether this run should give the machine away now. Asked after every window.
    fn is_over(&mut self) -> bool;
    /// Gives it away and returns when this run may go on (or was cancelled). Nothing of the engine is held meanwhile but the model.
    fn pass(&mut self);
}

/// Gets the map as far as it is, and the windows that have just been scored.
pub type Growing<'a> = dyn FnMut(&Map, &[usize]) + 'a;

/// Watches a run from outside.
#[derive(Default)]
pub struct Watch<'a> {
    /// Set to stop at the next group; the map as far as it got is returned, marked incomplete.
    pub cancel: Option<&'a AtomicBool>,
    /// Called on the calling thread after every window, and once before the first.
    pub progress: Option<&'a mut dyn FnMut(&Progress)>,
    /// Called on the calling thread with the map as far as it is and the windows that have just been scored (those that hide the same elements come together): once before the first run of the model for
    /// a window, with those that hide nothing, and then as windows finish. Of several noise samples only the first one's windows are told.
    pub growing: Option<&'a mut Growing<'a>>,
    /// Shares the machine with other runs.
    pub turns: Option<&'a mut dyn Turns>,
}

impl Watch<'_> {
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancel.is_some_and(|cancel| cancel.load(Ordering::Relaxed))
    }

    /// Whether the run should give the machine away.
    pub(super) fn is_turn_over(&mut self) -> bool {
        self.turns.as_mut().is_some_and(|turns| turns.is_over())
    }

    pub(super) fn pass_turn(&mut self) {
        if let Some(turns) = &mut self.turns {
            turns.pass();
        }
    }

    pub(super) fn tell_windows(&mut self, map: &Map, scored: &[usize]) {
        if let Some(growing) = &mut self.growing {
            growing(map, scored);
        }
    }

    pub(super) fn tell_progress(&mut self, done: usize, total: usize, begun: Instant) {
        if let Some(progress) = &mut self.progress {
            let elapsed_secs = begun.elapsed().as_secs_f64();
            let windows_per_sec = if elapsed_secs > 0.0 { done as f64 / elapsed_secs } else { 0.0 };
            let left_secs =
                if windows_per_sec > 0.0 { (total - done) as f64 / windows_per_sec } else { f64::INFINITY };
            progress(&Progress { done, total, elapsed_secs, windows_per_sec, left_secs });
        }
    }
}
