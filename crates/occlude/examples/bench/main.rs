//! Windows per second of the engine against ONNX Runtime, interleaved in one run: `bench [KIND] [MODEL...]`.
//!
//! `dense`: full runs of both, 1 and 2 threads. `map`: all windows of the map (window 16, stride 8), baseline pass included, incremental against ONNX Runtime in full, which
//! is timed on a sample of the same windows. `growth`: with windows, threads and input size. `approximate`: against the exact map. `profile`, `full-profile`: where time
//! goes. `features`: what the time model is fitted to. Models are `models/NAME.onnx` with their `NAME.npz` (`make models`). Prints medians of paired rounds, as
//! ratios; the machine is named by its instruction set only.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program that prints a table")]

mod against;
mod growth;
mod profile;
mod subject;

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

fn main() {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let kinds = ["dense", "map", "growth", "approximate", "profile", "full-profile", "features"];
    let kind = match arguments.first() {
        Some(first) if kinds.contains(&first.as_str()) => arguments.remove(0),
        _ => "dense".into(),
    };
    let isa = occlude_engine::Isa::detect();
    println!("# {kind}, instruction set {}, batch 16 for ONNX Runtime, window 16, stride 8", isa.name());
    if kind == "growth" {
        return growth::growth();
    }
    let names: Vec<String> = if arguments.is_empty() { MODELS.map(String::from).to_vec() } else { arguments };
    for subject in names.iter().filter_map(|name| subject::subject(name)) {
        match kind.as_str() {
            "map" => against::map(&subject),
            "approximate" => growth::approximate(&subject),
            "profile" => profile::profile(&subject),
            "full-profile" => profile::full_profile(&subject),
            "features" => profile::features(&subject),
            _ => against::dense(&subject),
        }
    }
}
