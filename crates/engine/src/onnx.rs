//! From ONNX bytes to a [`Graph`](crate::graph::Graph): parse, check, fold, resolve, lower.
//!
//! `wire` and `proto` read the file format, `file` and `external` check what is read, `importer` walks the nodes, `fold` evaluates
//! what is constant, `lower` turns the rest into nodes of the graph in stored orders that `layout` keeps track of, and `foreign` runs
//! operators that the graph has none for. Nothing here runs a model.

mod external;
mod file;
mod fold;
mod foreign;
mod importer;
mod layout;
mod lower;
mod ports;
mod proto;
mod regroup;
mod site;
mod sort;
mod tensor;
mod value;
mod wire;

pub use file::{Dim, ImportOptions, ModelFile, ModelSummary, PortInfo, read};
pub use foreign::Foreign;
pub use tensor::DType;
