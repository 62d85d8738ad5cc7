//! One corpus, every configuration: each small model of `tests/corpus/ops` against what ONNX Runtime answered.
//!
//! For every case and instruction set: the untouched input, the occluded input, and both in one group of three examples on one and two
//! threads, which must have the bits of the run alone; and the incremental run of the window, which must have them too. Bound: 1e-4 of the largest |output|. All failing cases are listed, not the first.
//! `CORPUS_ONLY=text` runs the cases whose name contains the text.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

mod common;

use common::{Archive, is_inside};
use occlude_engine::exec::{Changes, Form, Program, Runner, Schedule};
use occlude_engine::onnx::{self, ImportOptions};
use occlude_kernels::Isa;

const TOLERANCE: f32 = 1e-4;

struct Case {
    name: String,
    model: PathBuf,
    shape: Vec<usize>,
    x: Vec<f32>,
    window: Vec<std::ops::Range<usize>>,
    fill: f32,
    occluded: Vec<f32>,
    expected: Vec<Vec<f32>>,
    expected_occluded: Vec<Vec<f32>>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus/ops")
}

fn load(model: PathBuf) -> Case {
    let name = model.file_stem().unwrap().to_string_lossy().into_owned();
    let mut archive = Archive::open(&model.with_extension("npz"));
    let (shape, x) = archive.array::<f32>("x").unwrap();
    let (_, window) = archive.array::<i64>("window").unwrap();
    let (_, fill) = archive.array::<f32>("fill").unwrap();
    let outputs = |archive: &mut Archive, suffix: &str| {
        (0..)
            .map_while(|i| archive.array::<f32>(&format!("y{i}{suffix}")))
            .map(|(_, y)| y)
            .collect::<Vec<_>>()
    };
    let (expected, expected_occluded) = (outputs(&mut archive, ""), outputs(&mut archive, "_occluded"));
    let (starts, sizes) = window.split_at(shape.len());
    let hide = |(place, &value): (usize, &f32)| {
        if is_inside(&shape, place, starts, sizes) { fill[0] } else { value }
    };
    let occluded = x.iter().enumerate().map(hide).collect();
    let window = starts.iter().zip(sizes).map(|(&s, &n)| s as usize..(s + n) as usize).collect();
    Case { name, model, shape, x, window, fill: fill[0], occluded, expected, expected_occluded }
}

fn compare(what: &str, got: &[Vec<f32>], expected: &[Vec<f32>]) -> Result<(), String> {
    if got.len() != expected.len() {
        return Err(format!("{what}: {} outputs, expected {}", got.len(), expected.len()));
    }
    for (index, (got, expected)) in got.iter().zip(expected).enumerate() {
        if got.len() != expected.len() {
            return Err(format!(
                "{what}: output {index} has {} values, expected {}",
                got.len(),
                expected.len()
            ));
        }
        let largest = expected.iter().fold(1e-6_f32, |m, v| if v.is_finite() { m.max(v.abs()) } else { m });
        for (at, (g, e)) in got.iter().zip(expected).enumerate() {
            let same = g == e || (g.is_nan() && e.is_nan());
            if !same && ((g - e).abs() > TOLERANCE * largest || (g - e).is_nan()) {
                return Err(format!("{what}: output {index}[{at}] is {g}, expected {e} (largest {largest})"));
            }
        }
    }
    Ok(())
}

impl Changes for Case {
    fn len(&self) -> usize {
        1
    }
    fn region(&self, _: usize, input: usize) -> Option<Vec<std::ops::Range<usize>>> {
        (input == 0).then(|| self.window.clone())
    }
    fn write(&self, _: usize, _: usize, values: &mut [f32]) {
        values.fill(self.fill);
    }
}

fn same_bits(a: &[f32], b: &[f32]) -> bool {
    a.iter().map(|v| v.to_bits()).eq(b.iter().map(|v| v.to_bits()))
}

fn check(case: &Case, isa: Isa) -> Result<(), String> {
    let file = onnx::read(&case.model).map_err(|e| format!("read: {e}"))?;
    let options = ImportOptions {
        input_shapes: BTreeMap::from([("x".to_string(), case.shape.clone())]),
        ..ImportOptions::default()
    };
    let graph = file.import(&options).map_err(|e| format!("import: {e}"))?;
    let program = Program::compile(graph, isa).map_err(|e| format!("compile: {e}"))?;
    let runner = Runner::new(program);
    let examples = [&case.x, &case.occluded, &case.x];
    let alone =
        |x: &[f32]| runner.run_one(&|_, _, input| input.copy_from_slice(x)).map_err(|e| format!("run: {e}"));
    let (base, occluded) = (alone(&case.x)?, alone(&case.occluded)?);
    compare("baseline", &base, &case.expected)?;
    compare("occluded", &occluded, &case.expected_occluded)?;
    for form in [Form::Gather, Form::Delta] {
        let baseline = runner
            .baseline(form, &|_, _, input| input.copy_from_slice(&case.x))
            .map_err(|e| format!("baseline: {e}"))?;
        let mut incremental = Vec::new();
        let mut keep = |_: usize, outputs: &[&[f32]]| {
            incremental = outputs.iter().map(|o| o.to_vec()).collect();
            ControlFlow::Continue(())
        };
        let schedule = Schedule { threads: 1, group: 1, batch: 1 };
        let run = runner.run_changes(&baseline, case, &[0], schedule, &mut keep);
        run.map_err(|e| format!("{form:?}: {e}"))?;
        compare(&format!("{form:?}"), &incremental, &occluded)?;
        if form == Form::Gather && !incremental.iter().zip(&occluded).all(|(a, b)| same_bits(a, b)) {
            return Err("gather form: other bits than the full run".to_string());
        }
    }
    for schedule in [Schedule { threads: 1, group: 3, batch: 6 }, Schedule { threads: 2, group: 2, batch: 4 }]
    {
        let mut differs = None;
        let write = |example: usize, _: usize, input: &mut [f32]| input.copy_from_slice(examples[example]);
        let mut sink = |example: usize, outputs: &[&[f32]]| {
            let expected = [&base, &occluded, &base][example];
            let same_bits =
                |a: &[f32], b: &[f32]| a.iter().map(|v| v.to_bits()).eq(b.iter().map(|v| v.to_bits()));
            if !outputs.iter().zip(expected).all(|(a, b)| same_bits(a, b)) {
                differs = Some(example);
            }
            ControlFlow::Continue(())
        };
        runner.run(&[0, 1, 2], schedule, &write, &mut sink).map_err(|e| format!("group run: {e}"))?;
        if let Some(example) = differs {
            return Err(format!("{schedule:?}: example {example} has other bits than alone"));
        }
    }
    Ok(())
}

#[test]
fn every_case_equals_onnx_runtime() {
    let only = std::env::var("CORPUS_ONLY").unwrap_or_default();
    let mut models: Vec<PathBuf> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "onnx"))
        .filter(|path| path.file_stem().is_some_and(|s| s.to_string_lossy().contains(&only)))
        .collect();
    models.sort();
    assert!(!models.is_empty(), "no case in {} contains {only:?}", folder().display());
    if only.is_empty() {
        assert!(models.len() > 500, "{} cases found: the corpus is not all there", models.len());
    }
    let mut failures = Vec::new();
    for model in models {
        let case = load(model);
        for isa in Isa::available() {
            let outcome = std::panic::catch_unwind(|| check(&case, isa)).unwrap_or_else(|panic| {
                let text = panic.downcast_ref::<String>().cloned();
                Err(format!(
                    "panic: {}",
                    text.or_else(|| panic.downcast_ref::<&str>().map(|s| s.to_string())).unwrap_or_default()
                ))
            });
            if let Err(message) = outcome {
                failures.push(format!("{} [{}] {message}", case.name, isa.name()));
            }
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}
