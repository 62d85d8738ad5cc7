//! Where the time goes, step by step, on one thread.

use std::collections::BTreeMap;

use occlude::Occluder;
use occlude_engine::exec::{Changes, Form, Runner, Schedule};

use crate::subject::{Subject, compile, sample};

/// The subject's windows as the engine wants them: the batch axis in front.
pub(crate) struct Hidden<'a>(&'a Occluder);

impl Changes for Hidden<'_> {
    fn len(&self) -> usize {
        self.0.windows().len()
    }
    fn region(&self, window: usize, input: usize) -> Option<Vec<std::ops::Range<usize>>> {
        Some(std::iter::once(0..1).chain(self.0.region(window, input)?).collect())
    }
    fn write(&self, window: usize, input: usize, values: &mut [f32]) {
        self.0.write_hidden(window, input, values);
    }
}

/// Where the time of an incremental run goes, one thread: the steps that take most, and all of them by kind.
pub(crate) fn profile(subject: &Subject) {
    let runner = Runner::new(compile(subject));
    let input = subject.occluder.untouched()[0];
    let baseline = runner.baseline(Form::Delta, &|_, _, buffer| buffer.copy_from_slice(input)).unwrap();
    let schedule = Schedule::fit(runner.program(), Some(Form::Delta), 0, 1, 16 << 30).unwrap();
    let windows = sample(subject, 192);
    let changes = Hidden(&subject.occluder);
    runner.profile(&baseline, &changes, &windows[..schedule.group], schedule).unwrap();
    let mut steps = runner.profile(&baseline, &changes, &windows, schedule).unwrap();
    let total: f64 = steps.iter().map(|s| s.secs).sum();
    println!("{}: {:.2} ms/window on one thread", subject.name, total * 1e3 / windows.len() as f64);
    let mut kinds: BTreeMap<&str, f64> = BTreeMap::new();
    for step in &steps {
        *kinds.entry(step.label.split(' ').next().unwrap_or_default()).or_default() += step.secs;
    }
    for (kind, secs) in kinds {
        println!("  {:5.1}%  {kind}", secs / total * 100.0);
    }
    steps.sort_by(|a, b| b.secs.total_cmp(&a.secs));
    for step in &steps[..steps.len().min(24)] {
        println!(
            "  {:5.1}%  {:8.3} ms  {}",
            step.secs / total * 100.0,
            step.secs * 1e3 / windows.len() as f64,
            step.label
        );
    }
}

/// Where the time of a full run goes, one thread: every step that takes 1% or more, with its speed.
pub(crate) fn full_profile(subject: &Subject) {
    let program = compile(subject);
    let schedule = Schedule::fit(&program, None, 0, 1, 16 << 30).unwrap();
    let input = subject.occluder.untouched()[0];
    let steps = program.profile(schedule.group, 7, &|_, _, buffer| buffer.copy_from_slice(input)).unwrap();
    let total: f64 = steps.iter().map(|s| s.secs).sum();
    let work: f64 = steps.iter().map(|s| s.multiply_adds).sum();
    println!(
        "{}: {:.2} ms/window on one thread in groups of {}, {:.1} GFLOP/s",
        subject.name,
        total * 1e3,
        schedule.group,
        2e-9 * work / total
    );
    for step in steps.iter().filter(|step| step.secs > 0.01 * total) {
        println!(
            "  {:5.1}%  {:8.3} ms  {:6.1} GFLOP/s  {:5.1} GB/s  {:?}  {}",
            step.secs / total * 100.0,
            step.secs * 1e3,
            2e-9 * step.multiply_adds / step.secs,
            1e-9 * step.bytes / step.secs,
            step.output,
            step.label
        );
    }
}

/// Seconds of every step beside its planned work, one line each: what the constants of the engine's time model are fitted to.
pub(crate) fn features(subject: &Subject) {
    let runner = Runner::new(compile(subject));
    let input = subject.occluder.untouched()[0];
    let baseline = runner.baseline(Form::Delta, &|_, _, buffer| buffer.copy_from_slice(input)).unwrap();
    let schedule = Schedule::fit(runner.program(), Some(Form::Delta), 0, 1, 16 << 30).unwrap();
    let windows = sample(subject, 64);
    let changes = Hidden(&subject.occluder);
    runner.profile(&baseline, &changes, &windows[..schedule.group], schedule).unwrap();
    let rate = occlude_engine::plan::peak_rate(runner.program().isa());
    for step in runner.profile(&baseline, &changes, &windows, schedule).unwrap() {
        let units: Vec<String> = step.planned.units().iter().map(u64::to_string).collect();
        println!(
            "{},{},{},{}",
            subject.name,
            step.secs * rate,
            units.join(","),
            step.label.replace(',', " ")
        );
    }
}
