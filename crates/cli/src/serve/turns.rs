//! Taking turns: one run has all cores at a time, and those that wait go in a circle.
//!
//! In: threads that want to compute. Out: a [`Turn`], held until it is dropped or passed on. A run that has had its turn for a while gives it to the next one between two groups of
//! windows; a window that a reader moves by hand is asked for ahead of the maps, but not so often that maps stand still. Knows no models.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use occlude::Turns;

/// How long a map computes while others wait.
const QUANTUM: Duration = Duration::from_millis(120);
/// Windows by hand that go ahead of waiting maps, one after the other.
const AHEAD_IN_A_ROW: usize = 8;

/// Who goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rank {
    /// One window by hand: some milliseconds.
    Probe,
    /// A map, or something that prepares one.
    Map,
}

/// The line of those who want to compute.
#[derive(Debug, Default)]
pub(super) struct Turnstile {
    line: Mutex<Line>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Line {
    probes: VecDeque<u64>,
    maps: VecDeque<u64>,
    holder: Option<u64>,
    last_ticket: u64,
    probes_in_a_row: usize,
}

impl Line {
    /// The ticket that goes next.
    fn next(&self) -> Option<u64> {
        let maps_wait_too_long = self.probes_in_a_row >= AHEAD_IN_A_ROW && !self.maps.is_empty();
        let probe = self.probes.front().filter(|_| !maps_wait_too_long);
        probe.or(self.maps.front()).copied()
    }

    fn leave(&mut self, ticket: u64) {
        self.probes.retain(|waiting| *waiting != ticket);
        self.maps.retain(|waiting| *waiting != ticket);
    }
}

impl Turnstile {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a turn; `None` where it was cancelled before ([`Turnstile::wake`] must be called after setting the flag).
    pub(super) fn wait<'a>(self: &Arc<Self>, rank: Rank, cancel: &'a AtomicBool) -> Option<Turn<'a>> {
        let ticket = {
            let mut line = self.line();
            line.last_ticket += 1;
            line.last_ticket
        };
        let mut turn = Turn { turnstile: Arc::clone(self), ticket, rank, cancel, since: None };
        turn.take();
        turn.since.is_some().then_some(turn)
    }

    /// Maps that wait.
    pub(super) fn waiting(&self) -> usize {
        self.line().maps.len()
    }

    /// Lets those who were cancelled notice it.
    pub(super) fn wake(&self) {
        // Who looks at its flag now has the lock, and would miss a call before it waits.
        drop(self.line());
        self.changed.notify_all();
    }
}

/// The right to compute, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    turnstile: Arc<Turnstile>,
    ticket: u64,
    rank: Rank,
    cancel: &'a AtomicBool,
    /// Held since then; `None` while it is not held.
    since: Option<Instant>,
}

impl Turn<'_> {
    fn take(&mut self) {
        let mut line = self.turnstile.line();
        match self.rank {
            Rank::Probe => line.probes.push_back(self.ticket),
            Rank::Map => line.maps.push_back(self.ticket),
        }
        loop {
            if self.cancel.load(Ordering::Relaxed) {
                line.leave(self.ticket);
                // Whoever stood behind may be the next one now.
                self.turnstile.changed.notify_all();
                return;
            }
            if line.holder.is_none() && line.next() == Some(self.ticket) {
                line.leave(self.ticket);
                line.holder = Some(self.ticket);
                line.probes_in_a_row = if self.rank == Rank::Probe { line.probes_in_a_row + 1 } else { 0 };
                self.since = Some(Instant::now());
                return;
            }
            line = self.turnstile.changed.wait(line).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn give_back(&mut self) {
        if self.since.take().is_some() {
            self.turnstile.line().holder = None;
            self.turnstile.changed.notify_all();
        }
    }
}

impl Turns for Turn<'_> {
    fn is_over(&mut self) -> bool {
        let Some(since) = self.since else { return false };
        let line = self.turnstile.line();
        let is_probe_next = line.next().is_some_and(|next| line.probes.front() == Some(&next));
        is_probe_next || (!line.maps.is_empty() && since.elapsed() >= QUANTUM)
    }

    fn pass(&mut self) {
        self.give_back();
        self.take();
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.give_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    static NEVER: AtomicBool = AtomicBool::new(false);

    /// Starts a thread that waits for a turn and says its name when it has it; returns once it stands in line.
    fn stand_in_line(
        turnstile: &Arc<Turnstile>,
        rank: Rank,
        name: &'static str,
        said: &mpsc::Sender<&'static str>,
    ) {
        let standing = |t: &Turnstile| {
            let line = t.line();
            line.probes.len() + line.maps.len()
        };
        let before = standing(turnstile);
        let (own, said) = (Arc::clone(turnstile), said.clone());
        std::thread::spawn(move || {
            let turn = own.wait(rank, &NEVER);
            said.send(name).unwrap();
            drop(turn);
        });
        while standing(turnstile) == before {
            std::thread::yield_now();
        }
    }

    #[test]
    fn first_come_first_served_and_probes_ahead_of_maps() {
        let turnstile = Arc::new(Turnstile::default());
        let (said, heard) = mpsc::channel();
        let held = turnstile.wait(Rank::Map, &NEVER).expect("nobody before");
        for (rank, name) in
            [(Rank::Map, "map 1"), (Rank::Map, "map 2"), (Rank::Probe, "probe 1"), (Rank::Probe, "probe 2")]
        {
            stand_in_line(&turnstile, rank, name, &said);
        }
        assert_eq!(turnstile.waiting(), 2);
        drop(held);
        let order: Vec<&str> = heard.iter().take(4).collect();
        assert_eq!(order, ["probe 1", "probe 2", "map 1", "map 2"]);
    }

    #[test]
    fn maps_do_not_stand_still_for_probes() {
        let turnstile = Arc::new(Turnstile::default());
        let (said, heard) = mpsc::channel();
        let held = turnstile.wait(Rank::Map, &NEVER).expect("nobody before");
        stand_in_line(&turnstile, Rank::Map, "map", &said);
        for _ in 0..AHEAD_IN_A_ROW + 3 {
            stand_in_line(&turnstile, Rank::Probe, "probe", &said);
        }
        drop(held);
        let order: Vec<&str> = heard.iter().take(AHEAD_IN_A_ROW + 4).collect();
        assert_eq!(order.iter().position(|name| *name == "map"), Some(AHEAD_IN_A_ROW));
    }

    #[test]
    fn a_turn_is_over_at_once_for_a_probe_and_never_alone() {
        let turnstile = Arc::new(Turnstile::default());
        let (said, heard) = mpsc::channel();
        let mut held = turnstile.wait(Rank::Map, &NEVER).expect("nobody before");
        assert!(!held.is_over());
        stand_in_line(&turnstile, Rank::Probe, "probe", &said);
        assert!(held.is_over());
        held.pass();
        assert_eq!(heard.recv(), Ok("probe"));
        assert!(held.since.is_some() && !held.is_over());
    }

    #[test]
    fn who_is_cancelled_leaves_the_line() {
        let turnstile = Arc::new(Turnstile::default());
        let held = turnstile.wait(Rank::Map, &NEVER).expect("nobody before");
        let cancel = Arc::new(AtomicBool::new(false));
        let waiting = std::thread::spawn({
            let (turnstile, cancel) = (Arc::clone(&turnstile), Arc::clone(&cancel));
            move || turnstile.wait(Rank::Map, &cancel).is_none()
        });
        while turnstile.waiting() == 0 {
            std::thread::yield_now();
        }
        cancel.store(true, Ordering::Relaxed);
        turnstile.wake();
        assert!(waiting.join().unwrap());
        drop(held);
        assert!(turnstile.wait(Rank::Map, &NEVER).is_some());
    }
}
