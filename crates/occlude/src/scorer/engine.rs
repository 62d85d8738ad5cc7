//! The engine of this project behind the seam: full runs, or only what a window can reach.
//!
//! In: a resolved graph, the tensors wanted, how to run. Out: a [`Scorer`]. The activations of the untouched input are kept between the calls for one input, so
//! that windows, fills and targets can change without running it again. How the engine works is in `occlude-engine`.

mod full;

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

pub use full::FullRuns;
use occlude_engine::Isa;
use occlude_engine::exec::{Baseline, Changes, Form, Program, Runner, Schedule};
use occlude_engine::graph::{Graph, TensorId};

use super::{MultiplyAdds, Outputs, Scorer, Sink};
use crate::error::{Error, Result};
use crate::occlusion::Occluder;
use crate::settings::EngineChoice;
use crate::tensor::TensorSpec;

/// How the engine runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EngineOptions {
    /// Incremental, gather form, or full.
    pub engine: EngineChoice,
    /// Incremental runs may drop small changes when asked to ([`Scorer::score_approximately`]).
    pub approximate: bool,
    /// Threads.
    pub threads: usize,
    /// Bound on packed weights, kept baseline and activations in flight, in bytes.
    pub memory_limit: u64,
}

/// What a job holds in memory, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct MemoryPlan {
    /// Packed weights, constants and index tables.
    pub weights: u64,
    /// Kept activations of the untouched input.
    pub baseline: u64,
    /// Activations of the windows in flight.
    pub in_flight: u64,
    /// Granted for everything else.
    pub allowance: u64,
    /// Windows computed at once.
    pub windows_in_flight: usize,
}

/// Windows that stand for all where their work is foretold.
const SAMPLE: usize = 256;

/// What windows cost, foretold.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct WorkPlan {
    /// Multiply-adds of a full run.
    pub full: u64,
    /// Multiply-adds of one window, on average.
    pub per_window: f64,
    /// Seconds for all windows and the untouched input, from what this machine's arithmetic can do and what runs on another one reached of that.
    pub secs: f64,
    /// Seconds if every window were a full run.
    pub secs_in_full: f64,
}

/// The untouched inputs that were run last, with what was kept of them.
struct Kept {
    inputs: Vec<Vec<f32>>,
    baseline: Arc<Baseline>,
}

/// Scores windows with the engine.
pub struct EngineScorer {
    specs: Vec<TensorSpec>,
    names: Vec<String>,
    shapes: Vec<Vec<usize>>,
    runner: Runner,
    options: EngineOptions,
    schedule: Schedule,
    kept: Mutex<Option<Kept>>,
    /// Multiply-adds of incremental runs until now.
    done: AtomicU64,
}

impl std::fmt::Debug for EngineScorer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EngineScorer")
            .field("specs", &self.specs)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl EngineScorer {
    /// Compiles a graph for inputs of these specs, in the graph's order; `outputs` are the names of outputs or inner tensors to return.
    ///
    /// # Errors
    /// Argument: a name that no tensor has. Limit: memory that does not hold one window. Unsupported: another number of inputs, and what the engine says.
    pub fn new(
        mut graph: Graph,
        specs: Vec<TensorSpec>,
        outputs: &[String],
        options: EngineOptions,
    ) -> Result<Self> {
        if graph.inputs.len() != specs.len() {
            let names: Vec<&str> = graph.inputs.iter().map(|id| graph.tensor(*id).name.as_str()).collect();
            return Err(Error::unsupported(format!(
                "the model has {} inputs ({}), {} are given",
                names.len(),
                names.join(", "),
                specs.len()
            )));
        }
        graph.outputs = outputs.iter().map(|name| tensor_of(&graph, name)).collect::<Result<_>>()?;
        let shapes = graph.outputs.iter().map(|id| graph.tensor(*id).model_shape()).collect();
        let program = Program::compile(graph, Isa::detect())?;
        let limit = usize::try_from(options.memory_limit).unwrap_or(usize::MAX);
        let schedule = Schedule::fit(&program, form_of(options), 0, options.threads, limit)?;
        Ok(EngineScorer {
            specs,
            names: outputs.to_vec(),
            shapes,
            runner: Runner::new(program),
            options,
            schedule,
            kept: Mutex::new(None),
            done: AtomicU64::new(0),
        })
    }

    /// What a job of this scorer holds in memory at most; the windows, if known, tell which weights incremental runs hold in another form too.
    ///
    /// # Errors
    /// Limit: memory that does not hold one window with these weights.
    pub fn memory(&self, occluder: Option<&Occluder>) -> Result<MemoryPlan> {
        let (program, form) = (self.runner.program(), form_of(self.options));
        let tiles = match (form, occluder) {
            (Some(form), Some(occluder)) => self.runner.work(form, &Hidden(occluder), &[]).weight_bytes,
            _ => 0,
        };
        let schedule = self.schedule_beside(tiles)?;
        Ok(MemoryPlan {
            weights: (program.weight_bytes() + tiles) as u64,
            baseline: program.baseline_bytes(form) as u64,
            in_flight: schedule.bytes(program, form, tiles) as u64,
            allowance: occlude_engine::exec::ALLOWANCE_BYTES as u64,
            windows_in_flight: schedule.threads * schedule.group,
        })
    }

    /// What windows cost, from their boxes alone; up to `SAMPLE` of them, spread over all, stand for all. Windows that hide the same elements are run once.
    pub fn work(&self, occluder: &Occluder) -> WorkPlan {
        let runs = occluder.runs();
        let total = runs.len();
        let count = total.min(SAMPLE);
        let windows: Vec<usize> = (0..count).map(|i| runs[(2 * i + 1) * total / (2 * count)]).collect();
        let work =
            self.runner.work(form_of(self.options).unwrap_or(Form::Gather), &Changed(occluder), &windows);
        let rate = occlude_engine::plan::peak_rate(self.runner.program().isa());
        let secs =
            |windows: f64| (windows + work.full.peak_multiply_adds()) / (rate * self.options.threads as f64);
        let all = |sampled: f64| sampled * total as f64 / count.max(1) as f64;
        let full = work.full.multiply_adds();
        let is_full = form_of(self.options).is_none();
        let sampled =
            if is_full { full as f64 * count as f64 } else { work.incremental.multiply_adds() as f64 };
        let peak_full = work.full.peak_multiply_adds();
        let peak = if is_full { peak_full * count as f64 } else { work.incremental.peak_multiply_adds() };
        WorkPlan {
            full,
            per_window: sampled / count.max(1) as f64,
            secs: secs(all(peak)),
            secs_in_full: secs(peak_full * total as f64),
        }
    }

    /// As many windows at once as fit beside so many bytes of transformed weights.
    fn schedule_beside(&self, tile_bytes: usize) -> Result<Schedule> {
        let limit = usize::try_from(self.options.memory_limit).unwrap_or(usize::MAX);
        let form = form_of(self.options);
        Ok(Schedule::fit(self.runner.program(), form, tile_bytes, self.options.threads, limit)?)
    }

    /// Name of the instruction set that is used: `scalar`, `avx2`, `avx512`, `neon`.
    pub fn instruction_set(&self) -> &'static str {
        self.runner.program().isa().name()
    }

    /// The kept baseline of these inputs, run now if they are other ones than last time.
    fn baseline_of(&self, inputs: &[&[f32]], form: Form) -> Result<Arc<Baseline>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = kept.as_ref().filter(|kept| same_bits(&kept.inputs, inputs)) {
            return Ok(Arc::clone(&kept.baseline));
        }
        // Two baselines are never held at once.
        *kept = None;
        let write = |_: usize, input: usize, buffer: &mut [f32]| buffer.copy_from_slice(inputs[input]);
        let baseline = Arc::new(self.runner.baseline(form, &write)?);
        let inputs = inputs.iter().map(|values| values.to_vec()).collect();
        *kept = Some(Kept { inputs, baseline: Arc::clone(&baseline) });
        Ok(baseline)
    }

    fn outputs(&self, values: Vec<Vec<f32>>) -> Outputs {
        Outputs { names: self.names.clone(), shapes: self.shapes.clone(), values }
    }
}

/// NaN equals itself here: the question is whether they are the same inputs.
fn same_bits(a: &[Vec<f32>], b: &[&[f32]]) -> bool {
    let same =
        |a: &[f32], b: &[f32]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits());
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
}

fn form_of(options: EngineOptions) -> Option<Form> {
    match options.engine {
        EngineChoice::Incremental if options.approximate => Some(Form::Truncated),
        EngineChoice::Incremental => Some(Form::Delta),
        EngineChoice::Gather => Some(Form::Gather),
        EngineChoice::Full => None,
    }
}

pub(crate) fn tensor_of(graph: &Graph, name: &str) -> Result<TensorId> {
    graph.find(name).ok_or_else(|| {
        Error::argument(format!("the model has no tensor \"{name}\"")).with_hint(format!(
            "{}names of tensors are those in the model file; `occlude inspect -v` lists them",
            nearest_tensor(graph, name)
        ))
    })
}

/// `did you mean "relu5"? `, or nothing where no name is like it.
fn nearest_tensor(graph: &Graph, name: &str) -> String {
    let low = name.to_lowercase();
    let near = graph
        .tensors
        .iter()
        .filter(|t| t.constant.is_none())
        .map(|t| (strsim::normalized_damerau_levenshtein(&t.name.to_lowercase(), &low), &t.name))
        .filter(|(similarity, _)| *similarity >= 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    near.map_or(String::new(), |(_, name)| format!("did you mean \"{name}\"? "))
}

impl EngineScorer {
    /// Incremental runs, dropping changes below this share (0 in exact runs).
    fn score_changes(
        &self,
        occluder: &Occluder,
        windows: &[usize],
        drop_below: f32,
        sink: &mut Sink<'_>,
    ) -> Result<()> {
        let Some(form) = form_of(self.options) else { return Ok(()) };
        let hidden = Hidden(occluder);
        let schedule = self.schedule_beside(self.runner.work(form, &hidden, &[]).weight_bytes)?;
        let baseline = self.baseline_of(&occluder.untouched(), form)?;
        let done = self.runner.run_truncated(&baseline, &hidden, windows, drop_below, schedule, sink)?;
        self.done.fetch_add(done, Ordering::Relaxed);
        Ok(())
    }
}

/// Windows as the engine wants them: the model's axes with the batch axis in front.
struct Hidden<'a>(&'a Occluder);

impl Changes for Hidden<'_> {
    fn len(&self) -> usize {
        self.0.windows().len()
    }
    fn region(&self, window: usize, input: usize) -> Option<Vec<Range<usize>>> {
        let region = self.0.region(window, input)?;
        Some(std::iter::once(0..1).chain(region).collect())
    }
    fn write(&self, window: usize, input: usize, values: &mut [f32]) {
        self.0.write_hidden(window, input, values);
    }
}

/// The same for foretelling work: boxes as small as the engine will find them.
struct Changed<'a>(&'a Occluder);

impl Changes for Changed<'_> {
    fn len(&self) -> usize {
        self.0.windows().len()
    }
    fn region(&self, window: usize, input: usize) -> Option<Vec<Range<usize>>> {
        let region = self.0.changed(window, input)?;
        Some(std::iter::once(0..1).chain(region).collect())
    }
    /// Work is foretold without values.
    fn write(&self, _: usize, _: usize, _: &mut [f32]) {}
}

impl Scorer for EngineScorer {
    fn inputs(&self) -> &[TensorSpec] {
        &self.specs
    }
    fn runtime(&self) -> String {
        let engine = match self.options.engine {
            EngineChoice::Incremental => "incremental",
            EngineChoice::Gather => "gather",
            EngineChoice::Full => "full",
        };
        format!("builtin, {engine}, {}", self.instruction_set())
    }
    fn baseline(&self, inputs: &[&[f32]]) -> Result<Outputs> {
        let values = self.runner.run_one(&|_, input, buffer| buffer.copy_from_slice(inputs[input]))?;
        Ok(self.outputs(values))
    }
    fn untouched(&self, inputs: &[&[f32]]) -> Result<Outputs> {
        let Some(form) = form_of(self.options) else { return self.baseline(inputs) };
        let baseline = self.baseline_of(inputs, form)?;
        let values = baseline.outputs(self.runner.program()).into_iter().map(<[f32]>::to_vec).collect();
        Ok(self.outputs(values))
    }
    fn score(&self, occluder: &Occluder, windows: &[usize], sink: &mut Sink<'_>) -> Result<()> {
        match form_of(self.options) {
            Some(_) => self.score_changes(occluder, windows, 0.0, sink)?,
            None => {
                let write = |window: usize, input: usize, buffer: &mut [f32]| {
                    occluder.occlude_into(window, input, buffer);
                };
                self.runner.run(windows, self.schedule, &write, sink)?;
            }
        }
        Ok(())
    }
    fn score_approximately(
        &self,
        occluder: &Occluder,
        windows: &[usize],
        drop_below: f32,
        sink: &mut Sink<'_>,
    ) -> Result<()> {
        if form_of(self.options) != Some(Form::Truncated) {
            return self.score(occluder, windows, sink);
        }
        self.score_changes(occluder, windows, drop_below, sink)
    }
    fn can_approximate(&self) -> bool {
        form_of(self.options) == Some(Form::Truncated)
    }
    fn multiply_adds(&self) -> Option<MultiplyAdds> {
        form_of(self.options)?;
        let full = self.runner.program().full_multiply_adds();
        Some(MultiplyAdds { done: self.done.load(Ordering::Relaxed), full_run: full })
    }
}
