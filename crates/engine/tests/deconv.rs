//! The deconvnet against Captum's `Deconvolution` (`tools/make_deconv_cases.py`), and what it refuses.
//!
//! For every layer of every network of `tests/deconv`: the same element, the same projection, at every instruction set. Bound: 1e-5 of the largest |value|.
//! Linear models of the operators' corpus need no reference: there the projection, over the activation, is a row of the model's matrix.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

#[allow(dead_code, reason = "other tests of this crate use more of it")]
mod common;

use common::Archive;
use occlude_engine::ErrorKind;
use occlude_engine::deconv::{Deconvnet, pooled, top_convolution};
use occlude_engine::graph::{Graph, Op, PoolKind, ReduceKind};
use occlude_engine::onnx::{self, ImportOptions};
use occlude_kernels::{Isa, Pointwise};

fn import(path: &str, shape: &[usize]) -> Graph {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests").join(path);
    let options =
        ImportOptions { input_shapes: [(String::new(), shape.to_vec())].into(), ..ImportOptions::default() };
    onnx::read(&path).unwrap().import(&options).unwrap()
}

#[test]
fn the_projection_is_captums() {
    for (name, layers) in [
        ("vgg", &["conv1", "pool1", "conv3", "pool2", "hidden", "logits"][..]),
        ("resnet", &["stem", "block1", "block2", "joined", "pooled", "logits"]),
        ("line", &["up", "scores"]),
        ("volume", &["conv2", "scores"]),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/deconv/{name}.npz"));
        let mut archive = Archive::open(&path);
        let (shape, x) = archive.array::<f32>("x").unwrap();
        let graph = import(&format!("deconv/{name}.onnx"), &shape);
        let stored = |buffer: &mut [f32]| buffer.copy_from_slice(&x);
        assert!(graph.tensor(graph.inputs[0]).is_model_order());
        for layer in layers {
            let deconvnet = Deconvnet::new(&graph, graph.find(layer).unwrap()).unwrap();
            let element = archive.array::<i64>(&format!("{layer}.element")).unwrap().1[0] as usize;
            let value = archive.array::<f32>(&format!("{layer}.value")).unwrap().1[0];
            let (_, expected) = archive.array::<f32>(&format!("{layer}.projection")).unwrap();
            let largest = expected.iter().fold(0.0_f32, |max, v| max.max(v.abs()));
            assert!(largest > 0.0);
            for isa in Isa::available() {
                let activations = deconvnet.forward(isa, &|_, _, buffer| stored(buffer)).unwrap();
                assert!((activations.values[element] - value).abs() <= 1e-5 * value.abs(), "{name} {layer}");
                let got = deconvnet.project(isa, &activations, element).unwrap();
                assert_eq!((got.len(), got[0].len()), (1, expected.len()));
                for (at, (g, e)) in got[0].iter().zip(&expected).enumerate() {
                    assert!((g - e).abs() <= 1e-5 * largest, "{name} {layer} [{at}]: {g}, expected {e}");
                }
            }
        }
    }
}

/// A model without ReLU and maximum is `A x + b`, and element k's projection over its value is row k of A: `value = row . x + f(0)`.
#[test]
fn the_projection_of_a_linear_model_is_a_row_of_its_matrix() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus/ops");
    let (mut checked, mut refused) = (0, 0);
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let Some(name) = path.file_name().and_then(|n| n.to_str()).filter(|n| n.ends_with(".onnx")) else {
            continue;
        };
        let (shape, x) = Archive::open(&path.with_extension("npz")).array::<f32>("x").unwrap();
        let graph = import(&format!("corpus/ops/{name}"), &shape);
        let deconvnet = match Deconvnet::new(&graph, graph.outputs[0]) {
            Ok(deconvnet) => deconvnet,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Unsupported, "{name}: {error}");
                assert!(error.node().is_some() && error.hint().is_some(), "{name}: {error}");
                refused += 1;
                continue;
            }
        };
        let is_linear = graph.nodes.iter().all(|node| match &node.op {
            Op::Pointwise(f) => matches!(f, Pointwise::Identity | Pointwise::Neg | Pointwise::Affine { .. }),
            Op::Pool(pool) => pool.kind != PoolKind::Max,
            Op::Reduce { kind, .. } => *kind != ReduceKind::Max,
            Op::Lrn { .. } => false,
            _ => true,
        });
        if !is_linear || graph.inputs.len() != 1 {
            continue;
        }
        let isa = Isa::detect();
        let run = |x: &[f32]| deconvnet.forward(isa, &|_, _, buffer| buffer.copy_from_slice(x)).unwrap();
        let (here, zero) = (run(&x), run(&vec![0.0; x.len()]));
        for element in [0, here.values.len() / 2, here.values.len().saturating_sub(1)] {
            let Some(&value) = here.values.get(element).filter(|v| v.is_finite() && v.abs() > 1e-3) else {
                continue;
            };
            let projection = deconvnet.project(isa, &here, element).unwrap();
            let products = || projection[0].iter().zip(&x).map(|(p, x)| f64::from(*p) * f64::from(*x));
            let expected = products().sum::<f64>() / f64::from(value) + f64::from(zero.values[element]);
            let size = products().map(f64::abs).sum::<f64>() / f64::from(value.abs());
            let scale = size + f64::from(zero.values[element].abs());
            assert!(
                (f64::from(value) - expected).abs() <= 1e-5 * scale,
                "{name} [{element}]: {value}, {expected}"
            );
            checked += 1;
        }
    }
    assert!(checked > 300 && refused > 100, "{checked} elements checked, {refused} models refused");
}

fn refusal(model: &str, shape: &[usize], layer: Option<&str>) -> (String, String) {
    let graph = import(model, shape);
    let layer = layer.map_or(graph.outputs[0], |name| graph.find(name).unwrap());
    let error = Deconvnet::new(&graph, layer).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    (error.to_string(), error.hint().unwrap().to_string())
}

#[test]
fn what_has_no_way_back_is_refused_by_name() {
    let shape = [1, 3, 8, 8];
    for (model, named) in [
        ("small_cnn_softmax", "Softmax"),
        ("squeeze_excite_conv", "multiplies or divides two tensors"),
        ("layernorm_op", "LayerNormalization"),
        ("instancenorm", "InstanceNormalization"),
        ("prelu_per_channel", "PRelu"),
        ("swish_decomposed", "multiplies or divides two tensors"),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/corpus/ops/{model}.npz"));
        let (shape, _) = Archive::open(&path).array::<f32>("x").unwrap_or((shape.to_vec(), Vec::new()));
        let (text, hint) = refusal(&format!("corpus/ops/{model}.onnx"), &shape, None);
        assert!(text.contains(named) && text.contains("the deconvnet has no way back through"), "{text}");
        assert!(hint.contains("convolution"), "{hint}");
    }
}

#[test]
fn the_top_convolution_is_found_behind_its_activation() {
    for (model, shape, layer, pool) in [
        ("deconv/vgg.onnx", &[1, 3, 21, 19][..], "conv3", Some("pool2")),
        ("deconv/resnet.onnx", &[1, 3, 24, 20], "block2", None),
        ("deconv/line.onnx", &[1, 4, 40], "/relu2/Relu_output_0", None),
        ("deconv/volume.onnx", &[1, 1, 9, 10, 11], "conv2", None),
    ] {
        let graph = import(model, shape);
        let top = top_convolution(&graph).unwrap();
        assert_eq!(graph.tensor(top).name, layer);
        assert_eq!(pooled(&graph, top).map(|id| graph.tensor(id).name.as_str()), pool);
    }
}
