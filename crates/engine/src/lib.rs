//! The inference engine of `occlude`: ONNX -> graph -> full run. Knows no image, class or colour.
//!
//! Rooms: `onnx` resolves a model file to a `graph`; `passes` fuse it; `exec` runs it for many examples at once; `plan` counts work and memory;
//! `deconv` projects an inner activation back to the input.

pub mod deconv;
mod error;
pub mod exec;
pub mod graph;
pub mod onnx;
mod passes;
pub mod plan;
mod reach;

pub use error::{Error, ErrorKind, Result};
pub use occlude_kernels::Isa;
