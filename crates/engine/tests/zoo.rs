//! The model zoo (`make models`) against ONNX Runtime: outputs and the map, on the windows that its references hold.
//!
//! Ignored by default: the models are exported, not shipped. Bounds: outputs within 1e-4 of the largest |output|, the map within 1e-3 of its range, the
//! incremental map within 1e-4 of the full run's; where ONNX Runtime differs from itself with optimisations off by more than 1e-5, three times that. `ZOO_ONLY=text` chooses models by name.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use common::{Archive, is_inside};
use occlude_engine::exec::{Changes, Form, Program, Runner, Schedule};
use occlude_engine::onnx::{self, ImportOptions};
use occlude_kernels::Isa;

fn largest(values: impl IntoIterator<Item = f32>) -> f32 {
    values.into_iter().fold(0.0, |m, v| if v.is_nan() { f32::NAN } else { m.max(v.abs()) })
}

fn range(values: &[f32]) -> f32 {
    let (lo, hi) =
        values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(lo, hi), &v| (lo.min(v), hi.max(v)));
    hi - lo
}

/// One line of the table; `Err` holds it too, with what went wrong.
fn check(model: &Path) -> Result<String, String> {
    let name = model.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut archive = Archive::open(&model.with_extension("npz"));
    let (shape, x) = archive.array::<f32>("x").unwrap();
    let (_, y) = archive.array::<f32>("y").unwrap();
    let (_, fill) = archive.array::<f32>("fill").unwrap();
    let (grid, windows) = archive.array::<i64>("ref_windows").unwrap();
    let (_, expected) = archive.array::<f32>("ref_outputs").unwrap();
    let (_, expected_noopt) = archive.array::<f32>("ref_outputs_noopt").unwrap();
    let (_, y_noopt) = archive.array::<f32>("y_noopt").unwrap();

    let started = Instant::now();
    let file = onnx::read(model).map_err(|e| format!("{name}: read: {e}"))?;
    let input = file.inputs()[0].name.clone();
    let options =
        ImportOptions { input_shapes: BTreeMap::from([(input, shape.clone())]), ..ImportOptions::default() };
    let graph = file.import(&options).map_err(|e| format!("{name}: import: {e}"))?;
    drop(file);
    let foreign = occlude_engine::plan::work(&graph).iter().filter(|n| n.is_foreign).count();
    let macs: u64 = occlude_engine::plan::work(&graph).iter().map(|n| n.macs).sum();
    let program = Program::compile(graph, Isa::detect()).map_err(|e| format!("{name}: compile: {e}"))?;
    let load_secs = started.elapsed().as_secs_f64();
    let runner = Runner::new(program);

    let (rank, classes) = (grid[1] / 2, y.len());
    // Windows cover the spatial axes; which ones those are follows from the layout: channels first unless the last axis is the smallest.
    let first_axis =
        if shape.len() == rank + 2 && shape[shape.len() - 1] < shape[1] { 1 } else { shape.len() - rank };
    let whole = |window: &[i64]| {
        let mut starts = vec![0; shape.len()];
        let mut sizes: Vec<i64> = shape.iter().map(|&n| n as i64).collect();
        starts[first_axis..first_axis + rank].copy_from_slice(&window[..rank]);
        sizes[first_axis..first_axis + rank].copy_from_slice(&window[rank..]);
        (starts, sizes)
    };
    let count = grid[0];
    let mut got = vec![0.0; (count + 1) * classes];
    let write = |example: usize, _: usize, input: &mut [f32]| {
        input.copy_from_slice(&x);
        if example < count {
            let (starts, sizes) = whole(&windows[example * 2 * rank..(example + 1) * 2 * rank]);
            for (place, value) in input.iter_mut().enumerate() {
                if is_inside(&shape, place, &starts, &sizes) {
                    *value = fill[0];
                }
            }
        }
    };
    let mut sink = |example: usize, outputs: &[&[f32]]| {
        got[example * classes..(example + 1) * classes].copy_from_slice(outputs[0]);
        ControlFlow::Continue(())
    };
    let started = Instant::now();
    let schedule =
        Schedule::fit(runner.program(), None, 0, 2, 12 << 30).map_err(|e| format!("{name}: {e}"))?;
    runner
        .run(&(0..=count).collect::<Vec<_>>(), schedule, &write, &mut sink)
        .map_err(|e| format!("{name}: run: {e}"))?;
    let per_window_ms = started.elapsed().as_secs_f64() * 1e3 / (count + 1) as f64;

    // The incremental run of the same windows, against our own full run.
    let hidden = Hidden {
        windows: (0..count).map(|w| whole(&windows[w * 2 * rank..(w + 1) * 2 * rank])).collect(),
        fill: fill[0],
    };
    let mut incremental = vec![0.0; count * classes];
    let started = Instant::now();
    let baseline = runner
        .baseline(Form::Delta, &|_, _, input| input.copy_from_slice(&x))
        .map_err(|e| format!("{name}: baseline: {e}"))?;
    let mut keep = |window: usize, outputs: &[&[f32]]| {
        incremental[window * classes..(window + 1) * classes].copy_from_slice(outputs[0]);
        ControlFlow::Continue(())
    };
    let all: Vec<usize> = (0..count).collect();
    runner
        .run_changes(&baseline, &hidden, &all, schedule, &mut keep)
        .map_err(|e| format!("{name}: incremental: {e}"))?;
    let incremental_ms = started.elapsed().as_secs_f64() * 1e3 / count as f64;

    let target = (0..classes).max_by(|&a, &b| y[a].total_cmp(&y[b])).unwrap_or(0);
    let map = |base: &[f32], outputs: &[f32]| -> Vec<f32> {
        outputs.chunks(classes).map(|o| base[target] - o[target]).collect()
    };
    let (base, occluded) = (&got[count * classes..], &got[..count * classes]);
    let (map_got, map_ort, map_noopt) =
        (map(base, occluded), map(&y, &expected), map(&y_noopt, &expected_noopt));
    let scale = largest(y.iter().copied());
    let apart = |a: &[f32], b: &[f32]| largest(a.iter().zip(b).map(|(a, b)| a - b));
    let outputs = apart(occluded, &expected).max(apart(base, &y)) / scale;
    let outputs_self = apart(&expected, &expected_noopt).max(apart(&y, &y_noopt)) / scale;
    let map_range = range(&map_ort);
    let (maps, maps_self) = (apart(&map_got, &map_ort) / map_range, apart(&map_ort, &map_noopt) / map_range);
    let own_range = range(&map_got);
    let own = apart(&map(base, &incremental), &map_got) / own_range;
    let bound = |bound: f32, own: f32| if own > 1e-5 { bound.max(3.0 * own) } else { bound };
    let is_exact = outputs <= bound(1e-4, outputs_self) && maps <= bound(1e-3, maps_self) && own <= 1e-4;
    let line = format!(
        "{name:22} {:7.2} GMAC  load {load_secs:5.2} s  {per_window_ms:8.1} ms/window  whole-tensor nodes {foreign}  outputs {outputs:.1e} (ort itself {outputs_self:.1e})  map {maps:.1e} (ort itself {maps_self:.1e})  incremental {incremental_ms:8.1} ms/window, map {own:.1e} from the full run's  map range {:.3} of the largest output",
        macs as f64 / 1e9,
        map_range / scale
    );
    if is_exact { Ok(line) } else { Err(format!("{line}  NOT EXACT")) }
}

struct Hidden {
    windows: Vec<(Vec<i64>, Vec<i64>)>,
    fill: f32,
}

impl Changes for Hidden {
    fn len(&self) -> usize {
        self.windows.len()
    }
    fn region(&self, window: usize, _: usize) -> Option<Vec<std::ops::Range<usize>>> {
        let (starts, sizes) = &self.windows[window];
        Some(starts.iter().zip(sizes).map(|(&s, &n)| s as usize..(s + n) as usize).collect())
    }
    fn write(&self, _: usize, _: usize, values: &mut [f32]) {
        values.fill(self.fill);
    }
}

#[test]
#[ignore = "needs the exported models: make models"]
fn zoo_equals_onnx_runtime() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    let only = std::env::var("ZOO_ONLY").unwrap_or_default();
    let entries = std::fs::read_dir(&folder)
        .unwrap_or_else(|e| panic!("{}: {e}; `make models` makes it", folder.display()));
    let mut models: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "onnx"))
        .collect();
    models.retain(|path| path.to_string_lossy().contains(&only) && path.with_extension("npz").exists());
    models.sort();
    assert!(!models.is_empty(), "no model in {} contains {only:?}", folder.display());
    let mut failures = 0;
    for model in models {
        match check(&model) {
            Ok(line) => println!("{line}"),
            Err(line) => {
                failures += 1;
                println!("{line}");
            }
        }
    }
    assert_eq!(failures, 0, "models that failed");
}
