//! How many examples run at once, so that they fit the memory they are given: threads, groups, and batches that run the head together.

use std::ops::Range;

use occlude_kernels::SOURCE_SHIFT;

use crate::{Error, Result};

use super::baseline::Form;
use super::compile::Program;

/// Examples run together as rows of one product, where memory allows: enough to read weights rarely.
const GROUP: usize = 8;

/// Windows that run the head of an incremental run together, where memory allows: as many rows as pass under the weights of a linear layer while these
/// come from memory once.
const BATCH: usize = 192;

/// Memory for the activations of a batch in the head, per thread: more than it takes to read weights rarely is not worth having.
const BATCH_BYTES: usize = 64 << 20;

/// Multiply-adds of the full runs that a batch stands for, at most: results come, and a stop is noticed, batch by batch.
const BATCH_WORK: u64 = 1_500_000_000_000;

/// How many examples to run together, at most `most`: while their activations take less room than the weights that they share. Beyond that a larger group saves
/// less reading of weights than it costs in activations that leave the caches (MobileNetV2 runs 1.4 times as fast one by one as by eights).
fn balanced(weight_bytes: usize, bytes_per_example: usize, most: usize) -> usize {
    (weight_bytes / bytes_per_example.max(1)).clamp(1, most)
}

/// Memory that is granted beside weights, baseline and activations (buffers of the threads, tables, code).
pub const ALLOWANCE_BYTES: usize = 64 << 20;

/// What a thread holds beside the activations of its examples.
fn scratch_bytes(tile_bytes: usize) -> usize {
    if tile_bytes > 0 { occlude_kernels::WINOGRAD_SCRATCH_BYTES } else { 0 }
}

/// How many examples run at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Threads.
    pub threads: usize,
    /// Examples that run as rows of one product: in the back of a full run, or in the body of an incremental one.
    pub group: usize,
    /// Windows that wait for each other and run the head of an incremental run together; at least `group`. No meaning for full runs.
    pub batch: usize,
}

impl Schedule {
    /// As many examples as pay and fit: at most 8 per group and 192 per batch, fewer threads if even one example each does not fit.
    ///
    /// `form` is that of incremental runs, `None` for full runs; `tile_bytes` are those of the transformed weights that an incremental run takes
    /// ([`super::ChangeWork`]). `limit_bytes` bounds all weights + kept baseline + activations of the examples in flight + 64 MiB.
    ///
    /// # Errors
    /// `Limit` if one example does not fit, with the bytes it needs.
    pub fn fit(
        program: &Program,
        form: Option<Form>,
        tile_bytes: usize,
        threads: usize,
        limit_bytes: usize,
    ) -> Result<Self> {
        let kept_bytes = program.baseline_bytes(form);
        let weight_bytes = program.weight_bytes() + tile_bytes;
        let fixed = weight_bytes + kept_bytes + ALLOWANCE_BYTES;
        let (body, head) = (program.bytes_per_example(form), program.head_bytes_per_example(form));
        let (each, per_thread) = ((body + head).max(1), scratch_bytes(tile_bytes));
        let least = each + per_thread;
        let free = limit_bytes.saturating_sub(fixed);
        if free < least {
            let mib = |bytes: usize| bytes.div_ceil(1 << 20);
            return Err(Error::limit(format!(
                "a memory limit of {} MiB is too small: this model needs {} MiB (weights {}, baseline {}, one window in flight {}, allowance {})",
                limit_bytes >> 20,
                mib(fixed + least),
                mib(weight_bytes),
                mib(kept_bytes),
                mib(least),
                mib(ALLOWANCE_BYTES),
            ))
            .with_hint(format!("`--memory-limit {}M` or more", mib(fixed + least))));
        }
        let threads = threads.clamp(1, free / least);
        let of_thread = free / threads - per_thread;
        if form.is_none() {
            // The front runs one example after the other.
            let group = balanced(program.head_weight_bytes(form), head, GROUP);
            let group = group.min((of_thread - body) / head.max(1)).max(1);
            return Ok(Schedule { threads, group, batch: group });
        }
        let by_work = (BATCH_WORK / program.full_multiply_adds().max(1)) as usize;
        let wanted = balanced(program.head_weight_bytes(form), head, BATCH).min(BATCH_BYTES / head.max(1));
        let wanted = wanted.min(by_work.max(GROUP)).max(1);
        // The boxes of a group lie in one buffer, which entries of index tables must reach.
        let reachable = ((1 << SOURCE_SHIFT) - 1) / program.largest_tensor().max(1);
        let group = (of_thread / each).min(GROUP).min(wanted).min(reachable.max(1));
        let batch = ((of_thread - group * body) / head.max(1)).min(wanted) / group * group;
        Ok(Schedule { threads, group, batch })
    }

    /// Bytes of activations of all examples in flight, and what each thread needs beside them.
    pub fn bytes(&self, program: &Program, form: Option<Form>, tile_bytes: usize) -> usize {
        let (body, head) = (program.bytes_per_example(form), program.head_bytes_per_example(form));
        let in_front = if form.is_some() { self.group } else { 1 };
        self.threads * (in_front * body + self.batch * head + scratch_bytes(tile_bytes))
    }

    /// Cuts `count` examples of a full run into groups: small jobs are spread over all threads rather than filling one group.
    pub(super) fn groups(&self, count: usize) -> Vec<Range<usize>> {
        let group = self.group.min(count.div_ceil(self.threads)).max(1);
        (0..count).step_by(group).map(|start| start..(start + group).min(count)).collect()
    }

    /// Cuts `count` windows of an incremental run into batches: small ones first, so that something is there soon, and small ones last, so that all
    /// threads end together.
    pub(super) fn batches(&self, count: usize) -> Vec<Range<usize>> {
        let mut batches: Vec<Range<usize>> = Vec::new();
        let mut start = 0;
        while start < count {
            let left = count - start;
            let group = self.group.min(left.div_ceil(self.threads)).max(1);
            let grown = group << (batches.len() / self.threads).min(16);
            let shared = (left.div_ceil(2 * self.threads)).next_multiple_of(group);
            let len = grown.min(shared).min(self.batch.max(1)).min(left);
            batches.push(start..start + len);
            start += len;
        }
        batches
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_grow_then_shrink_and_cover_all() {
        let schedule = Schedule { threads: 2, group: 8, batch: 64 };
        let lens = |count| schedule.batches(count).iter().map(|b| b.len()).collect::<Vec<_>>();
        assert_eq!(lens(1), [1]);
        assert_eq!(lens(5), [3, 1, 1]);
        let all = lens(729);
        assert_eq!(all[..6], [8, 8, 16, 16, 32, 32]);
        assert_eq!(all.iter().max(), Some(&64));
        assert!(all[all.len() - 2..].iter().all(|&len| len <= 8), "{all:?}");
        for count in [0, 1, 7, 100, 729] {
            assert_eq!(lens(count).iter().sum::<usize>(), count);
        }
    }
}
