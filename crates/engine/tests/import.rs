//! Import of whole files: what is refused and how, and what the graph looks like afterwards.
//!
//! Files come from `tests/corpus`; values are the corpus test's matter.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use occlude_engine::graph::{Graph, Op};
use occlude_engine::onnx::{self, Dim, ImportOptions, ModelFile};
use occlude_engine::{Error, ErrorKind};

fn corpus(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus").join(file)
}

fn options(shape: &[usize]) -> ImportOptions {
    ImportOptions {
        input_shapes: BTreeMap::from([(String::new(), shape.to_vec())]),
        ..ImportOptions::default()
    }
}

fn import(name: &str, shape: &[usize]) -> Graph {
    let path = corpus(&format!("ops/{name}.onnx"));
    onnx::read(&path).and_then(|file| file.import(&options(shape))).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn refusal(file: &str) -> Error {
    let opened = onnx::read(&corpus(&format!("bad/{file}")));
    opened.and_then(|file| file.import(&ImportOptions::default())).expect_err(file)
}

/// Permutations that the outputs need.
fn moves(graph: &Graph) -> usize {
    let mut needed: Vec<bool> = vec![false; graph.tensors.len()];
    graph.outputs.iter().for_each(|id| needed[id.0] = true);
    let mut count = 0;
    for node in graph.nodes.iter().rev() {
        if needed[node.output.0] {
            node.inputs.iter().for_each(|id| needed[id.0] = true);
            count += usize::from(matches!(node.op, Op::Permute { .. }));
        }
    }
    count
}

#[test]
fn broken_files_are_refused_with_a_reason() {
    let cases = [
        ("truncated.onnx", ErrorKind::File, "truncated"),
        ("truncated_in_header.onnx", ErrorKind::File, "truncated"),
        ("zero_bytes.onnx", ErrorKind::File, "0 bytes"),
        ("not_a_model.onnx", ErrorKind::File, "PyTorch checkpoint"),
        ("text.onnx", ErrorKind::File, "not an ONNX model"),
        ("external_data_missing.onnx", ErrorKind::File, "nowhere.bin"),
        ("external_data_parent_folder.onnx", ErrorKind::Model, "outside the model's folder"),
        ("external_data_hidden_parent_folder.onnx", ErrorKind::Model, "outside the model's folder"),
        ("external_data_absolute.onnx", ErrorKind::Model, "outside the model's folder"),
        ("external_data_too_short.onnx", ErrorKind::File, "has 64 bytes, expected at least 432"),
        ("custom_operator.onnx", ErrorKind::Unsupported, "HologramPool of the domain com.example.custom"),
        ("unknown_operator.onnx", ErrorKind::Unsupported, "HologramPool"),
        ("opset_99.onnx", ErrorKind::Unsupported, "operator set 99, expected 7 to 24"),
        ("opset_6.onnx", ErrorKind::Unsupported, "operator set 6, expected 7 to 24"),
    ];
    for (file, kind, text) in cases {
        let error = refusal(file);
        assert!(
            error.kind() == kind && error.to_string().contains(text),
            "{file}: {:?} {error}",
            error.kind()
        );
    }
    for file in ["custom_operator.onnx", "unknown_operator.onnx"] {
        let error = refusal(file);
        assert!(error.node().unwrap().contains("\"/features/node0\""), "{error}");
        assert!(error.hint().unwrap().contains("--runtime ort"), "{error}");
    }
    assert_eq!(onnx::read(Path::new("nowhere.onnx")).unwrap_err().kind(), ErrorKind::File);
}

/// A model cut anywhere is refused, and no damaged byte brings the importer down or makes it ask for all memory.
#[test]
fn damage_is_an_error_and_not_a_crash() {
    let bytes = std::fs::read(corpus("ops/small_cnn_opset17.onnx")).unwrap();
    for len in (0..bytes.len()).step_by(7) {
        assert!(ModelFile::from_bytes(bytes[..len].to_vec(), None).is_err(), "cut at {len}");
    }
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(corpus("ops")).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "onnx"));
    files.sort();
    let mut state = 1_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let (mut tried, mut refused) = (0, 0);
    for path in files {
        let bytes = std::fs::read(&path).unwrap();
        if bytes.len() > 20_000 {
            continue;
        }
        for _ in 0..15 {
            let mut damaged = bytes.clone();
            for _ in 0..1 + random(3) {
                damaged[random(bytes.len())] ^= 1 << random(8);
            }
            let import = |file: ModelFile| file.import(&ImportOptions::default());
            tried += 1;
            refused += usize::from(ModelFile::from_bytes(damaged, path.parent()).and_then(import).is_err());
        }
    }
    assert!(tried > 5_000 && refused > tried / 10, "{refused} of {tried} damaged models were refused");
}

#[test]
fn open_shapes_are_resolved_or_asked_for() {
    let file = onnx::read(&corpus("ops/small_cnn_dynamic_everything.onnx")).unwrap();
    let [input] = file.inputs() else { panic!("{:?}", file.inputs()) };
    assert!(input.dims.as_ref().unwrap().iter().any(|d| matches!(d, Dim::Symbolic(_))), "{input:?}");
    let error = file.import(&ImportOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Argument);
    assert!(error.to_string().contains("open shape") && error.hint().unwrap().contains("\"x\""), "{error}");

    let guess = ImportOptions { default_spatial: Some(vec![24, 20]), ..ImportOptions::default() };
    let graph = file.import(&guess).unwrap();
    assert_eq!(graph.tensor(graph.inputs[0]).shape, [1, 3, 24, 20]);

    let error = file.import(&options(&[2, 3, 24, 20])).unwrap_err();
    assert!(error.to_string().contains("batch of 2, expected 1"), "{error}");
    let error = file.import(&options(&[1, 3, 24])).unwrap_err();
    assert!(error.to_string().contains("found shape [1, 3, 24], expected ["), "{error}");
    let unknown =
        ImportOptions { input_shapes: BTreeMap::from([("z".into(), vec![1])]), ..ImportOptions::default() };
    assert!(file.import(&unknown).unwrap_err().to_string().contains("no input \"z\""));
}

/// Every name that the file gives a computed value can be found, with the axes that the model says it has.
#[test]
fn names_of_the_model_stay() {
    let graph = import("attention_heads_torch", &[1, 15, 24]);
    let file = onnx::read(&corpus("ops/attention_heads_torch.onnx")).unwrap();
    let outputs: Vec<&str> = file.outputs().iter().map(|o| o.name.as_str()).collect();
    let ids: Vec<&str> = graph.outputs.iter().map(|&id| graph.tensor(id).name.as_str()).collect();
    assert_eq!(ids, outputs);
    // A transpose moves nothing, and still has a tensor of its own with its own shape.
    let transposed = graph.nodes.iter().find(|n| n.label.starts_with("Transpose")).expect("a transpose");
    let tensor = graph.tensor(transposed.output);
    assert!(!tensor.name.contains('#') && graph.find(&tensor.name) == Some(transposed.output), "{tensor:?}");
    assert!(matches!(transposed.op, Op::Reshape), "{transposed:?}");
    let source = graph.tensor(transposed.inputs[0]);
    assert!(source.shape == tensor.shape && source.order != tensor.order, "{source:?} {tensor:?}");

    let ports = onnx::read(&corpus("ops/initializer_as_input_first.onnx")).unwrap();
    assert_eq!(ports.inputs().len(), 1);
}

#[test]
fn moves_are_few() {
    // One from the picture's order to channels-last; everything after it stays there.
    let cases: [(&str, &[usize], usize); 9] = [
        ("conv_relu_maxpool_conv_avgpool", &[1, 5, 13, 11], 1),
        ("conv_residual_relu", &[1, 5, 13, 11], 1),
        // Both halves of the picture, and the shuffle itself.
        ("channel_shuffle", &[1, 8, 9, 7], 3),
        ("vgg_like_flatten", &[1, 3, 20, 16], 1),
        ("nhwc_classifier", &[1, 9, 7, 3], 0),
        ("squeeze_excite_conv", &[1, 8, 9, 7], 1),
        ("layernorm_convnext_permute", &[1, 8, 9, 7], 1),
        // Queries, keys and values of each head are brought together, the heads apart again.
        ("attention_heads_torch", &[1, 15, 24], 4),
        ("window_attention_swin", &[1, 8, 8, 12], 6),
    ];
    for (name, shape, expected) in cases {
        let found = moves(&import(name, shape));
        assert!(found <= expected, "{name}: {found} permutations, expected at most {expected}");
    }
}

/// Weights are brought into the order in which a flattened tensor is stored, and zero padding into the convolution behind it.
#[test]
fn nodes_disappear_where_others_can_do_their_work() {
    let graph = import("vgg_like_flatten", &[1, 3, 20, 16]);
    let linear = graph.nodes.iter().find(|n| matches!(n.op, Op::Linear(_))).expect("a linear layer");
    let reshape = graph.nodes.iter().find(|n| n.output == linear.inputs[0]).expect("its input");
    assert!(matches!(reshape.op, Op::Reshape), "{reshape:?}");
    let image = graph.tensor(reshape.inputs[0]);
    assert_eq!(image.order, [0, 2, 3, 1], "{image:?}");

    let graph = import("pad_before_conv_folds", &[1, 6, 9, 7]);
    let conv = graph.nodes.iter().find(|n| matches!(n.op, Op::Conv(_))).expect("a convolution");
    let reads_pad = graph.nodes.iter().any(|n| n.output == conv.inputs[0] && matches!(n.op, Op::Pick { .. }));
    assert!(!reads_pad, "{conv:?}");
}

/// Files of the zoo (`make models`), one line each: time, nodes, moves, foreign operators.
#[test]
#[ignore = "needs the exported models"]
fn report_of_the_zoo() {
    let folder = corpus("../../models");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.push(corpus("../../examples/efficientnet-lite0/model.onnx"));
    files.sort();
    let only = std::env::var("ZOO_ONLY").unwrap_or_default();
    files.retain(|path| path.to_string_lossy().contains(&only));
    for path in files.iter().filter(|p| p.extension().is_some_and(|e| e == "onnx")) {
        let started = std::time::Instant::now();
        let name = path.file_name().unwrap().to_string_lossy();
        let mut read_secs = 0.0;
        let imported = onnx::read(path).and_then(|file| {
            read_secs = started.elapsed().as_secs_f64();
            let guess = if name.contains("inception") { 299 } else { 224 };
            file.import(&ImportOptions { default_spatial: Some(vec![guess; 2]), ..ImportOptions::default() })
        });
        let elapsed_secs = started.elapsed().as_secs_f64();
        match imported {
            Ok(graph) => {
                let foreign = graph.nodes.iter().filter(|n| matches!(n.op, Op::Foreign(_))).count();
                let (nodes, moves) = (graph.nodes.len(), moves(&graph));
                println!(
                    "{name:28} read {read_secs:7.3} s  all {elapsed_secs:7.3} s  {nodes:5} nodes  {moves:3} moves  {foreign:3} foreign"
                );
            }
            Err(e) => println!("{name:40} {e}"),
        }
    }
}
