//! Models that are well-formed files and still cannot be run: each is refused by node and reason, not computed wrongly.
//!
//! The models are written here, field by field, so that each test shows all that its model says.

use std::collections::BTreeMap;

use occlude_engine::onnx::{ImportOptions, ModelFile};
use occlude_engine::{Error, ErrorKind};

/// One protobuf message under construction.
#[derive(Clone, Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
    fn int(mut self, field: u64, value: i64) -> Self {
        self.varint(field << 3);
        self.varint(value as u64);
        self
    }
    fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
        self
    }
    fn text(self, field: u64, text: &str) -> Self {
        self.bytes(field, text.as_bytes())
    }
    fn message(self, field: u64, message: &Message) -> Self {
        self.bytes(field, &message.0)
    }
    fn each<T>(self, items: &[T], add: impl Fn(Self, &T) -> Self) -> Self {
        items.iter().fold(self, add)
    }
}

fn port(name: &str, dims: &[i64]) -> Message {
    let shape = Message::default().each(dims, |m, &d| m.message(1, &Message::default().int(1, d)));
    let tensor = Message::default().int(1, 1).message(2, &shape);
    Message::default().text(1, name).message(2, &Message::default().message(1, &tensor))
}

fn node(op: &str, inputs: &[&str], outputs: &[&str]) -> Message {
    let node = Message::default().text(3, &format!("/{op}")).text(4, op);
    node.each(inputs, |m, s| m.text(1, s)).each(outputs, |m, s| m.text(2, s))
}

fn with_int(node: Message, name: &str, value: i64) -> Message {
    node.message(5, &Message::default().text(1, name).int(3, value).int(20, 2))
}

fn weight(name: &str, dims: &[i64], values: &[f32]) -> Message {
    let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    Message::default().each(dims, |m, &d| m.int(1, d)).int(2, 1).text(8, name).bytes(9, &raw)
}

fn graph(nodes: &[Message], inputs: &[Message], weights: &[Message]) -> Message {
    let graph = Message::default().each(nodes, |m, n| m.message(1, n)).each(weights, |m, w| m.message(5, w));
    graph.each(inputs, |m, i| m.message(11, i)).message(12, &port("y", &[]))
}

fn model(graph: &Message) -> Message {
    Message::default().int(1, 8).message(8, &Message::default().int(2, 17)).message(7, graph)
}

fn refusal(model: Message) -> Error {
    let imported =
        ModelFile::from_bytes(model.0, None).and_then(|file| file.import(&ImportOptions::default()));
    imported.expect_err("the model is refused")
}

fn check(model: Message, kind: ErrorKind, node: Option<&str>, text: &str) {
    let error = refusal(model);
    let fits = error.kind() == kind && error.node() == node && error.to_string().contains(text);
    assert!(fits, "{:?} at {:?}: {error}", error.kind(), error.node());
}

fn image() -> [Message; 1] {
    [port("x", &[1, 2, 4, 4])]
}

#[test]
fn a_good_model_is_taken() {
    let good = model(&graph(&[node("Relu", &["x"], &["y"])], &image(), &[]));
    let graph = ModelFile::from_bytes(good.0, None).unwrap().import(&ImportOptions::default()).unwrap();
    assert_eq!(graph.tensor(graph.outputs[0]).model_shape(), [1, 2, 4, 4]);
}

#[test]
fn graphs_that_contradict_themselves() {
    let relu = |inputs: &[&str], outputs: &[&str]| node("Relu", inputs, outputs);
    let at = Some("Relu \"/Relu\"");
    check(
        model(&graph(&[relu(&["z"], &["y"])], &image(), &[])),
        ErrorKind::Model,
        at,
        "\"z\" is not defined",
    );
    check(model(&graph(&[relu(&["y"], &["y"])], &image(), &[])), ErrorKind::Model, at, "cycle");
    check(model(&graph(&[relu(&["x"], &["z"])], &image(), &[])), ErrorKind::Model, None, "output \"y\"");
    let twice = [relu(&["x"], &["y"]), relu(&["x"], &["y"])];
    check(model(&graph(&twice, &image(), &[])), ErrorKind::Model, None, "written twice");
    let same_inputs = [port("x", &[1, 2]), port("x", &[1, 2])];
    check(
        model(&graph(&[relu(&["x"], &["y"])], &same_inputs, &[])),
        ErrorKind::Model,
        None,
        "two values are called \"x\"",
    );
    check(
        model(&graph(&[relu(&["x"], &["y"])], &[], &[weight("x", &[1], &[1.0])])),
        ErrorKind::Model,
        None,
        "no inputs",
    );
    let short = weight("w", &[2, 2, 1, 1], &[1.0; 3]);
    let conv = node("Conv", &["x", "w"], &["y"]);
    let at = Some("Conv \"/Conv\"");
    check(
        model(&graph(std::slice::from_ref(&conv), &image(), &[short])),
        ErrorKind::Model,
        at,
        "found 12 bytes, expected 16",
    );
    let wrong = weight("w", &[2, 3, 1, 1], &[1.0; 6]);
    check(model(&graph(&[conv], &image(), &[wrong])), ErrorKind::Model, at, "[1, 2, 4, 4] has 2 channels");
    let add = node("Add", &["x", "w"], &["y"]);
    let unfit = weight("w", &[3], &[1.0; 3]);
    check(
        model(&graph(&[add], &image(), &[unfit])),
        ErrorKind::Model,
        Some("Add \"/Add\""),
        "do not broadcast",
    );
}

#[test]
fn a_batch_that_is_baked_in() {
    let batch = model(&graph(&[node("Relu", &["x"], &["y"])], &[port("x", &[4, 2, 4, 4])], &[]));
    let error = refusal(batch);
    assert!(
        error.kind() == ErrorKind::Unsupported && error.to_string().contains("batch of 4 is baked in"),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("--runtime ort"));
    // A dynamic batch whose reshape says 4.
    let shape = Message::default()
        .int(1, 2)
        .int(2, 7)
        .text(8, "s")
        .bytes(9, &[4_i64, 32].map(i64::to_le_bytes).concat());
    let reshape = node("Reshape", &["x", "s"], &["y"]);
    let error = refusal(model(&graph(&[reshape], &image(), &[shape])));
    assert!(
        error.to_string().contains("cannot become [4, 32]") && error.hint().unwrap().contains("batch"),
        "{error}"
    );
}

#[test]
fn what_is_not_computed_is_not_guessed() {
    let one = |node: Message| model(&graph(&[node], &image(), &[weight("w", &[2], &[1.0; 2])]));
    let unsupported = ErrorKind::Unsupported;
    let training =
        with_int(node("BatchNormalization", &["x", "w", "w", "w", "w"], &["y"]), "training_mode", 1);
    check(one(training), unsupported, Some("BatchNormalization \"/BatchNormalization\""), "training mode");
    check(
        one(node("RandomNormalLike", &["x"], &["y"])),
        unsupported,
        Some("RandomNormalLike \"/RandomNormalLike\""),
        "random",
    );
    check(
        one(node("QLinearConv", &["x", "w"], &["y"])),
        unsupported,
        Some("QLinearConv \"/QLinearConv\""),
        "8-bit",
    );
    check(one(node("Loop", &["", "", "x"], &["y"])), unsupported, Some("Loop \"/Loop\""), "loop");
    check(one(node("NonZero", &["x"], &["y"])), unsupported, Some("NonZero \"/NonZero\""), "NonZero");
    check(one(node("If", &["x"], &["y"])), unsupported, Some("If \"/If\""), "depends on the picture");
    let shape_of_values = node("Reshape", &["x", "x"], &["y"]);
    check(one(shape_of_values), unsupported, Some("Reshape \"/Reshape\""), "must be constant");
}

#[test]
fn functions_without_end_are_refused() {
    let call = node("F", &["x"], &["y"]).text(7, "local");
    let function =
        Message::default().text(1, "F").text(4, "x").text(5, "y").message(7, &call).text(10, "local");
    let endless = model(&graph(&[call], &image(), &[])).message(25, &function);
    check(endless, ErrorKind::Model, Some("local::F \"/F\""), "without end");
}

#[test]
fn shapes_may_be_given_without_a_name() {
    let open = model(&graph(&[node("Relu", &["x"], &["y"])], &[port("x", &[-1, 2, -1, 4])], &[]));
    let file = ModelFile::from_bytes(open.0, None).unwrap();
    let options = |shape: &[usize]| ImportOptions {
        input_shapes: BTreeMap::from([(String::new(), shape.to_vec())]),
        ..ImportOptions::default()
    };
    let graph = file.import(&options(&[1, 2, 9, 4])).unwrap();
    assert_eq!(graph.tensor(graph.inputs[0]).shape, [1, 2, 9, 4]);
    let error = file.import(&options(&[1, 3, 9, 4])).unwrap_err();
    assert!(error.to_string().contains("found shape [1, 3, 9, 4], expected [?, 2, ?, 4]"), "{error}");
    let error = file.import(&options(&[1, 2, 1 << 20, 4 << 20])).unwrap_err();
    assert!(error.to_string().contains("expected [") || error.to_string().contains("2^30"), "{error}");
}
