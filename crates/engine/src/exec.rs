//! The full run: a graph compiled for one instruction set, run for a group of examples at once.
//!
//! `compile` turns each node into a kernel with packed weights and index tables; `slots` gives every tensor a reusable buffer; `step`
//! runs one kernel for all examples of a group; `batch` feeds groups to threads. Every tensor of a group is `[examples, stored shape...]`,
//! so the rows of all examples form one matrix product. Pure: the same input gives the same bits at any thread count and group size.

mod baseline;
mod batch;
mod change;
mod compile;
mod delta;
mod gather;
mod kernel;
mod slots;
mod step;
mod tables;

pub use baseline::{Baseline, Form};
pub use batch::{ALLOWANCE_BYTES, Runner, Schedule, Sink, Write};
pub use change::Changes;
pub use compile::Program;
