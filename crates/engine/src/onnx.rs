//! From ONNX bytes to a [`Graph`](crate::graph::Graph): parse, check, fold, resolve, lower.

mod foreign;

pub use foreign::Foreign;
