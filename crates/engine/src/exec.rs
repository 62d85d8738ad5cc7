//! Runs: a graph compiled for one instruction set, run in full or only where a window can reach, for a group of examples at once.
//!
//! `compile` turns each node into a `kernel` with packed weights and index `tables`; `slots` gives every tensor a reusable buffer; `batch` feeds groups to
//! threads. Full: `step` runs one kernel for all examples, every tensor being `[examples, stored shape...]`. Incremental: `baseline` keeps the untouched
//! input's activations, `incremental` carries changed boxes (`change`) from node to node, and `work` computes them, convolutions by `gather` or `delta`.
//! Pure: the same input gives the same bits at any thread count and group size.

mod baseline;
mod batch;
mod change;
mod compile;
mod cost;
mod delta;
mod difference;
mod gather;
mod head;
mod incremental;
mod joined;
mod kernel;
mod lines;
mod profile;
mod runner;
mod schedule;
mod slots;
mod stages;
mod step;
mod strategy;
pub(crate) mod tables;
mod taps;
mod unchanged;
mod window_batch;
mod winograd;
mod work;

pub use baseline::{Baseline, Form};
pub use change::Changes;
pub use compile::Program;
pub use cost::StepWork;
pub use profile::StepProfile;
pub use runner::{ChangeWork, Runner, Sink, StepTime, Write};
pub use schedule::{ALLOWANCE_BYTES, Schedule};
