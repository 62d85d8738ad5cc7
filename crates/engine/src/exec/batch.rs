//! Many examples over threads: groups handed out from a counter, results handed back as groups finish.
//!
//! Each thread has its own buffers and takes the next group from a counter: no locks in the loop, and the bits of a result do not depend on which
//! thread or group it ran in. The caller's sink runs on the calling thread and may stop the run at any group.

use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};

use crate::Result;

use super::runner::Sink;

/// What a thread computes for a group: the graph's outputs, each `[examples, output length]`.
pub(super) type Work<'a, S> = dyn Fn(&mut S, &[usize]) -> Result<Vec<Vec<f32>>> + Sync + 'a;

/// Hands groups of examples to threads, each with buffers from the pool, and results to the sink.
pub(super) fn run_groups<S: Default + Send>(
    examples: &[usize],
    threads: usize,
    groups: &[Range<usize>],
    pool: &Mutex<Vec<S>>,
    work: &Work<'_, S>,
    sink: &mut Sink<'_>,
) -> Result<()> {
    let groups: Vec<&[usize]> = groups.iter().map(|group| &examples[group.clone()]).collect();
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (sender, receiver) = mpsc::sync_channel(2 * threads);
    std::thread::scope(|scope| {
        for _ in 0..threads.min(groups.len()) {
            let (sender, next, stop, groups) = (sender.clone(), &next, &stop, &groups);
            scope.spawn(move || {
                let mut buffers = pool.lock().ok().and_then(|mut pool| pool.pop()).unwrap_or_default();
                while !stop.load(Ordering::Relaxed) {
                    let Some(group) = groups.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
                    if sender.send((*group, work(&mut buffers, group))).is_err() {
                        break;
                    }
                }
                if let Ok(mut pool) = pool.lock() {
                    pool.push(buffers);
                }
            });
        }
        drop(sender);
        let mut outcome = Ok(());
        for (group, result) in receiver {
            // Groups that were begun before a stop have cost their time already: they are handed over too.
            let stops = match result {
                Ok(outputs) => hand_over(group, &outputs, sink).is_break(),
                Err(error) => {
                    outcome = outcome.and(Err(error));
                    true
                }
            };
            stop.fetch_or(stops, Ordering::Relaxed);
        }
        outcome
    })
}

/// Hands over a whole group, also where the sink wants no further one before its end.
fn hand_over(group: &[usize], outputs: &[Vec<f32>], sink: &mut Sink<'_>) -> ControlFlow<()> {
    let mut flow = ControlFlow::Continue(());
    for (place, example) in group.iter().enumerate() {
        let one = |output: &Vec<f32>| {
            let len = output.len() / group.len();
            place * len..(place + 1) * len
        };
        let outputs: Vec<&[f32]> = outputs.iter().map(|output| &output[one(output)]).collect();
        if sink(*example, &outputs).is_break() {
            flow = ControlFlow::Break(());
        }
    }
    flow
}
