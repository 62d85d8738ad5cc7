//! A compiled program with the buffers and weights that its runs share: full runs, baselines, and incremental runs beside them.
//!
//! Runs are pure: the same input gives the same bits at any thread count, group size and memory limit. Buffers and transformed weights are kept between runs.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use occlude_kernels::{Winograd, WinogradTile};

use crate::Result;
use crate::graph::Region;

use super::baseline::{Baseline, Form};
use super::batch::run_groups;
use super::change::{Changes, hidden};
use super::compile::Program;
use super::cost::{self, StepWork};
use super::incremental::reached;
use super::kernel::Kernel;
use super::schedule::Schedule;
use super::stages::FullRun;
use super::strategy::{self, Algorithm, Strategy};
use super::window_batch::WindowBatch;

/// Writes one input of one example: `(example, input number, buffer)`, the buffer f32 in the graph input's stored order.
pub type Write<'a> = dyn Fn(usize, usize, &mut [f32]) + Sync + 'a;

/// Receives the graph's outputs of one example: `(example, outputs)`, each f32 in the model's axis order.
pub type Sink<'a> = dyn FnMut(usize, &[&[f32]]) -> ControlFlow<()> + 'a;

/// What one step of an incremental run took, beside its plan; all windows together.
#[derive(Clone, Debug, PartialEq)]
pub struct StepTime {
    /// Operator and name as the model has them.
    pub label: String,
    /// Seconds.
    pub secs: f64,
    /// Multiply-adds done.
    pub multiply_adds: u64,
    /// The work that [`Runner::work`] foretells.
    pub planned: StepWork,
}

/// What an incremental run of some windows will do.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ChangeWork {
    /// All windows together.
    pub incremental: StepWork,
    /// One full run.
    pub full: StepWork,
    /// Bytes of transformed weights that it takes beside the packed ones.
    pub weight_bytes: usize,
}

/// The tile of every step of the body, and the sampled windows that they were chosen for.
type Chosen = (Vec<Vec<Option<Region>>>, Vec<Option<WinogradTile>>);

/// Keeps a program's buffers between runs.
#[derive(Debug)]
pub struct Runner {
    program: Arc<Program>,
    full: Mutex<Vec<FullRun>>,
    changes: Mutex<Vec<WindowBatch>>,
    /// Transformed weights by step and tile, made when first needed.
    winograd: Mutex<BTreeMap<(usize, WinogradTile), Arc<Winograd>>>,
    /// The tiles chosen last, with the windows that they were chosen for.
    chosen: Mutex<Option<Chosen>>,
}

impl Runner {
    /// A runner of this program.
    pub fn new(program: Program) -> Self {
        Runner::of(Arc::new(program))
    }

    /// Another runner of the same program, its weights shared, with buffers of its own: for another thread that runs other inputs.
    #[must_use]
    pub fn twin(&self) -> Self {
        Runner::of(Arc::clone(&self.program))
    }

    fn of(program: Arc<Program>) -> Self {
        Runner {
            program,
            full: Mutex::default(),
            changes: Mutex::default(),
            winograd: Mutex::default(),
            chosen: Mutex::default(),
        }
    }

    /// What it runs.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Runs these examples in full.
    ///
    /// `write` writes the inputs of an example and is called from several threads; `sink` receives the outputs on this thread, as groups
    /// finish (not in order), and may stop the run. Examples are numbers that mean something to the caller.
    ///
    /// # Errors
    /// The first error of a step; results of groups that finished before it have been handed to the sink.
    pub fn run(
        &self,
        examples: &[usize],
        schedule: Schedule,
        write: &Write<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<()> {
        let work = |run: &mut FullRun, examples: &[usize]| run.run(&self.program, examples, write, &mut []);
        run_groups(examples, schedule.threads, &schedule.groups(examples.len()), &self.full, &work, sink)
    }

    /// Runs these windows incrementally, beside a baseline of this program; the sink's number is the window's. Returns the multiply-adds done, those of changed values
    /// only.
    ///
    /// # Errors
    /// See [`Runner::run`].
    pub fn run_changes(
        &self,
        baseline: &Baseline,
        changes: &dyn Changes,
        windows: &[usize],
        schedule: Schedule,
        sink: &mut Sink<'_>,
    ) -> Result<u64> {
        self.run_truncated(baseline, changes, windows, 0.0, schedule, sink)
    }

    /// The same, approximately: beside a baseline of the truncated form, changes of a place that are shorter than `drop_below` times the mean length of the tensor's
    /// places are dropped in front of every convolution that is done tap by tap. With 0, what did not change at all is dropped, and the run is exact.
    ///
    /// # Errors
    /// See [`Runner::run`].
    pub fn run_truncated(
        &self,
        baseline: &Baseline,
        changes: &dyn Changes,
        windows: &[usize],
        drop_below: f32,
        schedule: Schedule,
        sink: &mut Sink<'_>,
    ) -> Result<u64> {
        let strategy = Strategy { drop_below, ..self.strategy(baseline.form(), changes) };
        let done = AtomicU64::new(0);
        let work = |batch: &mut WindowBatch, windows: &[usize]| {
            let before = batch.multiply_adds();
            let outputs = batch.run(&self.program, baseline, &strategy, changes, windows, schedule.group)?;
            done.fetch_add(batch.multiply_adds() - before, Ordering::Relaxed);
            Ok(outputs)
        };
        let batches = schedule.batches(windows.len());
        run_groups(windows, schedule.threads, &batches, &self.changes, &work, sink)?;
        Ok(done.into_inner())
    }

    /// What these windows of an incremental run of this form will cost, from their boxes alone (what a fill leaves as it was is not known here and costs less).
    /// The algorithm of each step is chosen for all windows of `changes`.
    pub fn work(&self, form: Form, changes: &dyn Changes, windows: &[usize]) -> ChangeWork {
        let tiles = self.tiles(form, changes);
        let mut work = ChangeWork::default();
        for &window in windows {
            for of_step in self.work_of_window(form, &tiles, changes, window) {
                work.incremental += of_step;
            }
        }
        for step in 0..self.program.steps.len() {
            work.full += cost::of_whole_step(&self.program, step);
        }
        let bytes = |(step, tile): (usize, &Option<WinogradTile>)| {
            let (product, map) = self.program.delta_product(form, step)?;
            Some(Winograd::bytes_of((*tile)?, map.input.len(), product.in_channels, product.out_channels))
        };
        work.weight_bytes = tiles.iter().enumerate().filter_map(bytes).sum();
        work
    }

    /// Runs these windows on this thread and says what each step took and did.
    ///
    /// # Errors
    /// See [`Runner::run`].
    pub fn profile(
        &self,
        baseline: &Baseline,
        changes: &dyn Changes,
        windows: &[usize],
        schedule: Schedule,
    ) -> Result<Vec<StepTime>> {
        let (form, strategy) = (baseline.form(), self.strategy(baseline.form(), changes));
        let mut space = WindowBatch::default();
        for batch in windows.chunks(schedule.batch) {
            space.run(&self.program, baseline, &strategy, changes, batch, schedule.group)?;
        }
        let mut planned = vec![StepWork::default(); self.program.steps.len()];
        let tiles = self.tiles(form, changes);
        for &window in windows {
            let of_window = self.work_of_window(form, &tiles, changes, window);
            planned.iter_mut().zip(of_window).for_each(|(planned, work)| *planned += work);
        }
        let steps = self.program.steps.iter().zip(space.tallies()).zip(planned);
        let of_step =
            |((step, tally), planned): ((&super::compile::Step, &super::window_batch::Tally), _)| StepTime {
                label: step.label.clone(),
                secs: tally.secs,
                multiply_adds: tally.multiply_adds,
                planned,
            };
        Ok(steps.map(of_step).collect())
    }

    /// Runs the untouched input and keeps every activation, and what incremental runs of this form need.
    ///
    /// # Errors
    /// What a step reports.
    pub fn baseline(&self, form: Form, write: &Write<'_>) -> Result<Baseline> {
        Baseline::run(&self.program, form, write)
    }

    /// Runs one example alone; see [`Runner::run`]. Returns the outputs in the model's axis order.
    ///
    /// # Errors
    /// What a step reports.
    pub fn run_one(&self, write: &Write<'_>) -> Result<Vec<Vec<f32>>> {
        let mut outputs = Vec::new();
        let schedule = Schedule { threads: 1, group: 1, batch: 1 };
        self.run(&[0], schedule, write, &mut |_, values| {
            outputs = values.iter().map(|v| v.to_vec()).collect();
            ControlFlow::Continue(())
        })?;
        Ok(outputs)
    }

    fn tiles(&self, form: Form, changes: &dyn Changes) -> Vec<Option<WinogradTile>> {
        if form == Form::Gather {
            return vec![None; self.program.head.first];
        }
        let sample = strategy::sample(changes, self.program.graph.inputs.len());
        let mut chosen = self.chosen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, tiles)) = chosen.as_ref().filter(|(of, _)| *of == sample) {
            return tiles.clone();
        }
        let tiles = strategy::choose(&self.program, &sample);
        *chosen = Some((sample, tiles.clone()));
        tiles
    }

    fn work_of_window(
        &self,
        form: Form,
        tiles: &[Option<WinogradTile>],
        changes: &dyn Changes,
        window: usize,
    ) -> Vec<StepWork> {
        let (program, head) = (&self.program, &self.program.head);
        let regions = reached(program, &hidden(changes, window, program.graph.inputs.len()));
        let reaches_head = head.inputs.iter().any(|id| regions[id.0].is_some());
        let of_step = |step: usize| match tiles.get(step) {
            Some(tile) => cost::of_body_step(program, form, step, *tile, &regions),
            None if reaches_head => cost::of_whole_step(program, step),
            None => StepWork::default(),
        };
        (0..program.steps.len()).map(of_step).collect()
    }

    /// How these windows are computed, with the weights that it takes; those of other windows are let go.
    fn strategy(&self, form: Form, changes: &dyn Changes) -> Strategy {
        let tiles = self.tiles(form, changes);
        let mut kept = self.winograd.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(step, tile), _| tiles.get(*step) == Some(&Some(*tile)));
        let algorithm = |(step, tile): (usize, Option<WinogradTile>)| {
            let (Kernel::Product(product), Some(tile)) = (&self.program.steps[step].kernel, tile) else {
                return Algorithm::Direct;
            };
            let make = || Arc::new(product.winograd(self.program.isa, tile));
            Algorithm::Winograd(Arc::clone(kept.entry((step, tile)).or_insert_with(make)))
        };
        Strategy { drop_below: 0.0, algorithms: tiles.into_iter().enumerate().map(algorithm).collect() }
    }
}
