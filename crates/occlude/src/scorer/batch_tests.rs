//! Batches: who calls, what is built while the model runs, what is kept when something fails.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::thread::ThreadId;
use std::time::Duration;

use super::*;
use crate::occlusion::{Border, FillValues, Grid, Windows};
use crate::tensor::Layout;

const SIZE: usize = 24;

fn spec() -> TensorSpec {
    TensorSpec::new("x", &[SIZE], Layout::ChannelsFirst)
}

/// One element hidden at a time, by 0; element `i` is `i + 1`.
fn occluder() -> Occluder {
    let grid = Grid::new(&spec(), &[1], &[1], Border::Drop, None).expect("fits");
    let values = (0..SIZE).map(|i| i as f32 + 1.0).collect();
    Occluder::new(values, spec(), Windows::Grid(grid), FillValues::PerChannel(vec![0.0]))
}

fn sums(inputs: &[&[f32]]) -> Outputs {
    let sums: Vec<f32> = inputs[0].chunks(SIZE).map(|x| x.iter().sum()).collect();
    Outputs { names: vec!["y".into()], shapes: vec![vec![1]], values: vec![sums] }
}

/// What every window's outputs are, by window.
fn scores(scorer: &dyn Scorer) -> Vec<f32> {
    let mut found = vec![f32::NAN; SIZE];
    let windows: Vec<usize> = (0..SIZE).collect();
    scorer
        .score(&occluder(), &windows, &mut |window, outputs| {
            found[window] = outputs[0][0];
            ControlFlow::Continue(())
        })
        .expect("scores");
    found
}

#[test]
fn every_window_once_with_any_batch_and_any_number_of_workers() {
    let whole = (SIZE * (SIZE + 1) / 2) as f32;
    let expected: Vec<f32> = (0..SIZE).map(|i| whole - (i as f32 + 1.0)).collect();
    for batch in [1, 5, 24, 100] {
        for workers in [1, 3, 40] {
            let largest = AtomicUsize::new(0);
            let scorer = BatchScorer::new(vec![spec()], batch, "sums", |x: &[&[f32]], count: usize| {
                assert_eq!(x[0].len(), count * SIZE);
                largest.fetch_max(count, Ordering::Relaxed);
                Ok(sums(x))
            })
            .with_workers(workers);
            assert_eq!(scores(&scorer), expected, "batch {batch}, workers {workers}");
            assert_eq!(largest.into_inner(), batch.min(SIZE));
        }
    }
}

/// A runner that counts its memory, and says from which threads it was called.
#[derive(Default)]
struct Counting {
    buffers: AtomicUsize,
    callers: Mutex<Vec<ThreadId>>,
    fillers: Mutex<Vec<ThreadId>>,
    slow: bool,
}

impl RunBatch for &Counting {
    type Buffer = Vec<f32>;
    fn buffer(&self, elements: usize) -> Result<Vec<f32>> {
        self.buffers.fetch_add(1, Ordering::Relaxed);
        Ok(vec![f32::NAN; elements])
    }
    fn fill(&self, buffer: &mut Vec<f32>, write: &mut (dyn FnMut(&mut [f32]) + Send)) -> Result<()> {
        self.fillers.lock().expect("alone").push(std::thread::current().id());
        write(buffer);
        Ok(())
    }
    fn run(&self, inputs: &mut [Vec<f32>], _: usize) -> Result<Outputs> {
        self.callers.lock().expect("alone").push(std::thread::current().id());
        if self.slow {
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(sums(&[&inputs[0]]))
    }
}

#[test]
fn one_worker_calls_from_the_scoring_thread_and_builds_in_two_buffers_on_another() {
    let counting = Counting::default();
    scores(&BatchScorer::new(vec![spec()], 2, "counting", &counting));
    let here = std::thread::current().id();
    assert_eq!(counting.buffers.load(Ordering::Relaxed), 2, "memory is used again");
    let (callers, fillers) =
        (counting.callers.lock().expect("alone"), counting.fillers.lock().expect("alone"));
    assert_eq!((callers.len(), fillers.len()), (SIZE / 2, SIZE / 2));
    assert!(callers.iter().all(|&id| id == here) && fillers.iter().all(|&id| id != here));
}

#[test]
fn workers_call_side_by_side_with_memory_of_their_own() {
    let counting = Counting { slow: true, ..Counting::default() };
    scores(&BatchScorer::new(vec![spec()], 2, "counting", &counting).with_workers(3));
    let callers: BTreeSet<String> =
        counting.callers.lock().expect("alone").iter().map(|id| format!("{id:?}")).collect();
    assert_eq!((callers.len(), counting.buffers.load(Ordering::Relaxed)), (3, 3));
}

#[test]
fn what_was_computed_before_an_error_is_handed_over_and_nothing_is_begun_after_it() {
    for workers in [1, 2] {
        let calls = AtomicUsize::new(0);
        let scorer = BatchScorer::new(vec![spec()], 4, "fails", |x: &[&[f32]], _: usize| {
            match calls.fetch_add(1, Ordering::Relaxed) {
                2 => Err(Error::model("no answer")),
                _ => Ok(sums(x)),
            }
        })
        .with_workers(workers);
        let (windows, mut seen): (Vec<usize>, _) = ((0..SIZE).collect(), 0);
        let result = scorer.score(&occluder(), &windows, &mut |_, _| {
            seen += 1;
            ControlFlow::Continue(())
        });
        assert_eq!(result.expect_err("fails").to_string(), "no answer");
        let calls = calls.load(Ordering::Relaxed);
        assert_eq!(seen, 4 * (calls - 1), "all that answered");
        assert!(calls < SIZE / 4 || workers > 1, "{calls} calls");
    }
}

#[test]
fn a_sink_stops_the_run() {
    for workers in [1, 2] {
        let scorer = BatchScorer::new(vec![spec()], 1, "sums", |x: &[&[f32]], _: usize| {
            std::thread::sleep(Duration::from_millis(1));
            Ok(sums(x))
        })
        .with_workers(workers);
        let (windows, mut seen): (Vec<usize>, _) = ((0..SIZE).collect(), 0);
        let stops = scorer.score(&occluder(), &windows, &mut |_, _| {
            seen += 1;
            ControlFlow::Break(())
        });
        assert!(stops.is_ok() && seen <= 2 * workers, "{seen} windows");
    }
}
