//! Our runs against ONNX Runtime's, in turns: full runs, and whole maps.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use occlude::{EngineChoice, Scorer};

use crate::subject::{Subject, engine, ort, sample};

/// Waits until the threads of a scorer that was timed before have gone to sleep: ONNX Runtime's spin for tens of milliseconds after a run, on the cores that the
/// next run needs.
pub(crate) fn settle() {
    std::thread::sleep(Duration::from_millis(200));
}

/// Seconds per window, on threads that nobody else keeps busy.
pub(crate) fn time(scorer: &dyn Scorer, subject: &Subject, windows: &[usize]) -> f64 {
    settle();
    let started = Instant::now();
    scorer.score(&subject.occluder, windows, &mut |_, _| ControlFlow::Continue(())).unwrap();
    started.elapsed().as_secs_f64() / windows.len() as f64
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

pub(crate) fn dense(subject: &Subject) {
    for threads in [1, 2] {
        let (ours, theirs) = (engine(subject, EngineChoice::Full, threads), ort(subject, threads));
        let once = time(theirs.as_ref(), subject, &sample(subject, 16));
        let windows = sample(subject, 16);
        let rounds = ((4.0 / (once * 32.0)) as usize).clamp(3, 9);
        time(&ours, subject, &windows);
        let pairs: Vec<(f64, f64)> = (0..rounds)
            .map(|_| (time(&ours, subject, &windows), time(theirs.as_ref(), subject, &windows)))
            .collect();
        let (a, b) =
            (median(pairs.iter().map(|p| p.0).collect()), median(pairs.iter().map(|p| p.1).collect()));
        let ratio = median(pairs.iter().map(|p| p.1 / p.0).collect());
        println!(
            "{:22} {threads} thread{}  occlude {:8.2} ms/window  onnxruntime {:8.2} ms/window  throughput ratio {ratio:.2}",
            subject.name,
            if threads == 1 { " " } else { "s" },
            a * 1e3,
            b * 1e3
        );
    }
}

pub(crate) fn map(subject: &Subject) {
    let theirs = ort(subject, 2);
    let all: Vec<usize> = (0..subject.occluder.windows().len()).collect();
    let once = time(theirs.as_ref(), subject, &sample(subject, 16));
    let windows = sample(subject, ((3.0 / once) as usize).clamp(16, 64).next_multiple_of(16));
    let (mut rows, mut checks) = (Vec::new(), Vec::new());
    let (mut saved, mut planned) = (0.0, 0.0);
    for _ in 0..3 {
        // A new scorer each round, so that the baseline pass and the transformed weights are part of the time.
        let fresh = engine(subject, EngineChoice::Incremental, 2);
        let a = time(&fresh, subject, &all);
        rows.push((a, time(theirs.as_ref(), subject, &windows)));
        // The self-check of a run: three windows alone in full.
        let mut input = vec![0.0; subject.spec.len()];
        subject.occluder.occlude_into(all.len() / 2, 0, &mut input);
        let started = Instant::now();
        for _ in 0..3 {
            fresh.baseline(&[&input]).unwrap();
        }
        checks.push(started.elapsed().as_secs_f64());
        settle();
        let (done, work) = (fresh.multiply_adds().unwrap(), fresh.work(&subject.occluder));
        saved = 1.0 - done.done as f64 / (done.full_run as f64 * all.len() as f64);
        planned = work.secs / all.len() as f64;
        if a * all.len() as f64 > 30.0 {
            break;
        }
    }
    let (a, b) = (median(rows.iter().map(|p| p.0).collect()), median(rows.iter().map(|p| p.1).collect()));
    println!(
        "{:22} {:5} windows  occlude {:8.2} ms/window  onnxruntime in full {:8.2} ms/window  ratio {:.2}  (work saved {:.1}%, plan said {:.2} ms/window, self-check {:.2} s)",
        subject.name,
        all.len(),
        a * 1e3,
        b * 1e3,
        median(rows.iter().map(|p| p.1 / p.0).collect()),
        saved * 100.0,
        planned * 1e3,
        median(checks)
    );
}
