//! What is timed: a model with an input and its windows, and the two that run it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use occlude::{
    Border, EngineChoice, EngineOptions, EngineScorer, FillValues, Grid, Layout, Occluder, OrtModel, Scorer,
    TensorSpec, Windows,
};
use occlude_engine::Isa;
use occlude_engine::exec::Program;
use occlude_engine::onnx::{self, ImportOptions};

pub(crate) struct Subject {
    pub(crate) name: String,
    pub(crate) model: PathBuf,
    pub(crate) spec: TensorSpec,
    pub(crate) outputs: Vec<String>,
    pub(crate) occluder: Occluder,
}

pub(crate) fn subject(name: &str) -> Option<Subject> {
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
    let occluder = Occluder::new(
        values,
        spec.clone(),
        Windows::Grid(grid),
        FillValues::PerChannel(vec![0.0; spec.channels()]),
    );
    Some(Subject { name: name.to_string(), model, spec, outputs, occluder })
}

pub(crate) fn engine(subject: &Subject, choice: EngineChoice, threads: usize) -> EngineScorer {
    let file = onnx::read(&subject.model).unwrap();
    let shape = std::iter::once(1).chain(subject.spec.shape.iter().copied()).collect();
    let options = ImportOptions {
        input_shapes: BTreeMap::from([(subject.spec.name.clone(), shape)]),
        ..ImportOptions::default()
    };
    let graph = file.import(&options).unwrap();
    let options = EngineOptions { engine: choice, approximate: false, threads, memory_limit: 16 << 30 };
    EngineScorer::new(graph, vec![subject.spec.clone()], &subject.outputs, options).unwrap()
}

pub(crate) fn ort(subject: &Subject, threads: usize) -> Arc<dyn Scorer + Send + Sync> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let library =
        occlude::find_onnxruntime(variable("ORT_DYLIB_PATH").as_deref(), variable("VIRTUAL_ENV").as_deref())
            .unwrap();
    OrtModel::open(&subject.model, &library, Some(threads))
        .unwrap()
        .scorer(std::slice::from_ref(&subject.spec), &subject.outputs)
        .unwrap()
}

/// `count` windows spread evenly over the grid.
pub(crate) fn sample(subject: &Subject, count: usize) -> Vec<usize> {
    let total = subject.occluder.windows().len();
    (0..count.min(total)).map(|i| i * total / count.min(total)).collect()
}

pub(crate) fn compile(subject: &Subject) -> Program {
    let file = onnx::read(&subject.model).unwrap();
    let shape = std::iter::once(1).chain(subject.spec.shape.iter().copied()).collect();
    let options = ImportOptions {
        input_shapes: BTreeMap::from([(subject.spec.name.clone(), shape)]),
        ..ImportOptions::default()
    };
    Program::compile(file.import(&options).unwrap(), Isa::detect()).unwrap()
}
