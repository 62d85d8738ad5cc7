//! Windows per second of the engine against ONNX Runtime, interleaved in one run: `bench [dense|map|profile|full-profile] [MODEL...]`.
//!
//! `dense`: full runs of both, 1 and 2 threads. `map`: all windows of the map (window 16, stride 8; volumes stride 8), baseline pass included,
//! incremental against ONNX Runtime in full, which is timed on a sample of the same windows. Models are `models/NAME.onnx` with
//! their `NAME.npz` (`make models`). Prints medians of paired rounds, as ratios; the machine is named by its instruction set only.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program that prints a table")]

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use occlude::{
    Border, EngineChoice, EngineOptions, EngineScorer, FillValues, Grid, Layout, Occluder, OrtModel, Scorer,
    TensorSpec,
};
use occlude_engine::Isa;
use occlude_engine::exec::{Changes, Form, Program, Runner, Schedule};
use occlude_engine::onnx::{self, ImportOptions};

const MODELS: [&str; 13] = [
    "resnet50",
    "vgg16",
    "densenet121",
    "mobilenet_v2",
    "efficientnet_lite0",
    "efficientnet_b0",
    "inception_v3",
    "convnext_tiny",
    "vit_b_16",
    "monai_resnet18_3d",
    "monai_densenet121_3d",
    "squeezenet1_1",
    "regnet_y_400mf",
];

struct Subject {
    name: String,
    model: PathBuf,
    spec: TensorSpec,
    outputs: Vec<String>,
    occluder: Occluder,
}

fn subject(name: &str) -> Option<Subject> {
    let model = Path::new("models").join(format!("{name}.onnx"));
    let (model, x) = if name == "efficientnet_lite0" {
        (PathBuf::from("examples/efficientnet-lite0/model.onnx"), None)
    } else {
        (model.clone(), Some(model.with_extension("npz")))
    };
    if !model.exists() {
        println!("{name:22} not there (make models)");
        return None;
    }
    let file = onnx::read(&model).unwrap();
    let (shape, values) = match x {
        Some(path) => {
            let mut archive = npyz::npz::NpzArchive::open(path).unwrap();
            let x = archive.by_name("x").unwrap().unwrap();
            let shape: Vec<usize> = x.shape().iter().map(|&n| n as usize).collect();
            (shape, x.into_vec::<f32>().unwrap())
        }
        None => {
            let wave = |i: usize| ((i % 224) as f32 * 0.11).sin() + ((i / 224 % 224) as f32 * 0.07).cos();
            (vec![1, 3, 224, 224], (0..3 * 224 * 224).map(wave).collect())
        }
    };
    let spec = TensorSpec::new(file.inputs()[0].name.clone(), &shape[1..], Layout::ChannelsFirst);
    let rank = shape.len() - 2;
    let grid = Grid::new(&spec, &vec![16; rank], &vec![8; rank], Border::Shift, None).unwrap();
    let outputs = vec![file.outputs()[0].name.clone()];
    let occluder =
        Occluder::new(values, spec.clone(), grid, FillValues::PerChannel(vec![0.0; spec.channels()]));
    Some(Subject { name: name.to_string(), model, spec, outputs, occluder })
}

fn engine(subject: &Subject, choice: EngineChoice, threads: usize) -> EngineScorer {
    let file = onnx::read(&subject.model).unwrap();
    let shape = std::iter::once(1).chain(subject.spec.shape.iter().copied()).collect();
    let options = ImportOptions {
        input_shapes: BTreeMap::from([(subject.spec.name.clone(), shape)]),
        ..ImportOptions::default()
    };
    let graph = file.import(&options).unwrap();
    let options = EngineOptions { engine: choice, approximate: false, threads, memory_limit: 16 << 30 };
    EngineScorer::new(graph, subject.spec.clone(), &subject.outputs, options).unwrap()
}

fn ort(subject: &Subject, threads: usize) -> Arc<dyn Scorer + Send + Sync> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let library =
        occlude::find_onnxruntime(variable("ORT_DYLIB_PATH").as_deref(), variable("VIRTUAL_ENV").as_deref())
            .unwrap();
    OrtModel::open(&subject.model, &library, Some(threads))
        .unwrap()
        .scorer(&subject.spec, &subject.outputs)
        .unwrap()
}

/// Waits until the threads of a scorer that was timed before have gone to sleep: ONNX Runtime's spin for tens of milliseconds after a run, on the cores that the
/// next run needs.
fn settle() {
    std::thread::sleep(Duration::from_millis(200));
}

/// Seconds per window, on threads that nobody else keeps busy.
fn time(scorer: &dyn Scorer, subject: &Subject, windows: &[usize]) -> f64 {
    settle();
    let started = Instant::now();
    scorer.score(&subject.occluder, windows, &mut |_, _| ControlFlow::Continue(())).unwrap();
    started.elapsed().as_secs_f64() / windows.len() as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// `count` windows spread evenly over the grid.
fn sample(subject: &Subject, count: usize) -> Vec<usize> {
    let total = subject.occluder.grid().len();
    (0..count.min(total)).map(|i| i * total / count.min(total)).collect()
}

fn dense(subject: &Subject) {
    for threads in [1, 2] {
        let (ours, theirs) = (engine(subject, EngineChoice::Full, threads), ort(subject, threads));
        let once = time(theirs.as_ref(), subject, &sample(subject, 16));
        let windows = sample(subject, 16);
        let rounds = ((4.0 / (once * 32.0)) as usize).clamp(3, 9);
        time(&ours, subject, &windows);
        let pairs: Vec<(f64, f64)> = (0..rounds)
            .map(|_| (time(&ours, subject, &windows), time(theirs.as_ref(), subject, &windows)))
            .collect();
        let (a, b) =
            (median(pairs.iter().map(|p| p.0).collect()), median(pairs.iter().map(|p| p.1).collect()));
        let ratio = median(pairs.iter().map(|p| p.1 / p.0).collect());
        println!(
            "{:22} {threads} thread{}  occlude {:8.2} ms/window  onnxruntime {:8.2} ms/window  throughput ratio {ratio:.2}",
            subject.name,
            if threads == 1 { " " } else { "s" },
            a * 1e3,
            b * 1e3
        );
    }
}

fn map(subject: &Subject) {
    let theirs = ort(subject, 2);
    let ours = engine(subject, EngineChoice::Incremental, 2);
    let all: Vec<usize> = (0..subject.occluder.grid().len()).collect();
    let once = time(theirs.as_ref(), subject, &sample(subject, 16));
    let windows = sample(subject, ((3.0 / once) as usize).clamp(16, 64).next_multiple_of(16));
    let mut rows = Vec::new();
    for _ in 0..3 {
        // A new scorer each round, so that the baseline pass is part of the time.
        let fresh = engine(subject, EngineChoice::Incremental, 2);
        let a = time(&fresh, subject, &all);
        rows.push((a, time(theirs.as_ref(), subject, &windows)));
        if a * all.len() as f64 > 40.0 {
            break;
        }
    }
    drop(ours);
    let (a, b) = (median(rows.iter().map(|p| p.0).collect()), median(rows.iter().map(|p| p.1).collect()));
    println!(
        "{:22} {:5} windows  occlude {:8.2} ms/window  onnxruntime in full {:8.2} ms/window  ratio {:.2}",
        subject.name,
        all.len(),
        a * 1e3,
        b * 1e3,
        median(rows.iter().map(|p| p.1 / p.0).collect())
    );
}

/// The subject's windows as the engine wants them: the batch axis in front.
struct Hidden<'a>(&'a Occluder);

impl Changes for Hidden<'_> {
    fn len(&self) -> usize {
        self.0.grid().len()
    }
    fn region(&self, window: usize) -> Vec<std::ops::Range<usize>> {
        std::iter::once(0..1).chain(self.0.window_in_input(window)).collect()
    }
    fn write(&self, window: usize, values: &mut [f32]) {
        self.0.write_hidden(window, values);
    }
}

fn compile(subject: &Subject) -> Program {
    let file = onnx::read(&subject.model).unwrap();
    let shape = std::iter::once(1).chain(subject.spec.shape.iter().copied()).collect();
    let options = ImportOptions {
        input_shapes: BTreeMap::from([(subject.spec.name.clone(), shape)]),
        ..ImportOptions::default()
    };
    Program::compile(file.import(&options).unwrap(), Isa::detect()).unwrap()
}

/// Where the time of an incremental run goes, one thread: the steps that take most, and all of them by kind.
fn profile(subject: &Subject) {
    let runner = Runner::new(compile(subject));
    let input = subject.occluder.input();
    let baseline = runner.baseline(Form::Delta, &|_, _, buffer| buffer.copy_from_slice(input)).unwrap();
    let schedule = Schedule::fit(runner.program(), Some(Form::Delta), 0, 1, 16 << 30).unwrap();
    let windows = sample(subject, 192);
    let changes = Hidden(&subject.occluder);
    runner.profile(&baseline, &changes, &windows[..schedule.group], schedule).unwrap();
    let mut steps = runner.profile(&baseline, &changes, &windows, schedule).unwrap();
    let total: f64 = steps.iter().map(|s| s.secs).sum();
    println!("{}: {:.2} ms/window on one thread", subject.name, total * 1e3 / windows.len() as f64);
    let mut kinds: BTreeMap<&str, f64> = BTreeMap::new();
    for step in &steps {
        *kinds.entry(step.label.split(' ').next().unwrap_or_default()).or_default() += step.secs;
    }
    for (kind, secs) in kinds {
        println!("  {:5.1}%  {kind}", secs / total * 100.0);
    }
    steps.sort_by(|a, b| b.secs.total_cmp(&a.secs));
    for step in &steps[..steps.len().min(24)] {
        println!(
            "  {:5.1}%  {:8.3} ms  {}",
            step.secs / total * 100.0,
            step.secs * 1e3 / windows.len() as f64,
            step.label
        );
    }
}

/// Where the time of a full run goes, one thread: every step that takes 1% or more, with its speed.
fn full_profile(subject: &Subject) {
    let program = compile(subject);
    let schedule = Schedule::fit(&program, None, 0, 1, 16 << 30).unwrap();
    let input = subject.occluder.input();
    let steps = program.profile(schedule.group, 7, &|_, _, buffer| buffer.copy_from_slice(input)).unwrap();
    let total: f64 = steps.iter().map(|s| s.secs).sum();
    let work: f64 = steps.iter().map(|s| s.multiply_adds).sum();
    println!(
        "{}: {:.2} ms/window on one thread in groups of {}, {:.1} GFLOP/s",
        subject.name,
        total * 1e3,
        schedule.group,
        2e-9 * work / total
    );
    for step in steps.iter().filter(|step| step.secs > 0.01 * total) {
        println!(
            "  {:5.1}%  {:8.3} ms  {:6.1} GFLOP/s  {:5.1} GB/s  {:?}  {}",
            step.secs / total * 100.0,
            step.secs * 1e3,
            2e-9 * step.multiply_adds / step.secs,
            1e-9 * step.bytes / step.secs,
            step.output,
            step.label
        );
    }
}

fn main() {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let kinds = ["dense", "map", "profile", "full-profile"];
    let kind = match arguments.first() {
        Some(first) if kinds.contains(&first.as_str()) => arguments.remove(0),
        _ => "dense".into(),
    };
    let names: Vec<String> = if arguments.is_empty() { MODELS.map(String::from).to_vec() } else { arguments };
    println!(
        "# {kind}, instruction set {}, batch 16 for ONNX Runtime, window 16, stride 8",
        Isa::detect().name()
    );
    for subject in names.iter().filter_map(|name| subject(name)) {
        match kind.as_str() {
            "map" => map(&subject),
            "profile" => profile(&subject),
            "full-profile" => full_profile(&subject),
            _ => dense(&subject),
        }
    }
}
