//! Tests of verifications: by scorers that are right, and by scorers that are wrong in one place.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use super::*;
use crate::job::{Meaning, Progress};
use crate::map::FileFact;
use crate::scorer::{BatchScorer, Sink};
use crate::settings::Settings;
use crate::target::Target;
use crate::tensor::{Layout, TensorSpec};

fn spec() -> TensorSpec {
    TensorSpec::new("x", &[1, 8, 8], Layout::ChannelsFirst)
}

fn input() -> Input {
    Input::from_tensor(spec(), (0..64).map(|i| ((i * 29) % 31) as f32 / 8.0 - 1.0).collect()).expect("fits")
}

/// Two outputs, the sum of the left half and of the right half.
fn halves() -> impl Scorer {
    BatchScorer::new(vec![spec()], 4, "halves", |x: &[&[f32]], count: usize| {
        let x = x[0];
        let half = |example: &[f32], right: bool| -> f32 {
            example.iter().enumerate().filter(|(i, _)| (i % 8 >= 4) == right).map(|(_, v)| v).sum()
        };
        let values = x.chunks(x.len() / count).flat_map(|e| [half(e, false), half(e, true)]).collect();
        Ok(Outputs { names: vec!["y".into()], shapes: vec![vec![1, 2]], values: vec![values] })
    })
}

/// Another scorer, whose output at one window (`None`: the untouched input) is off by a factor or an offset.
struct Wrong<S> {
    scorer: S,
    at: Option<usize>,
    change: fn(f32) -> f32,
}

impl<S: Scorer> Scorer for Wrong<S> {
    fn inputs(&self) -> &[TensorSpec] {
        self.scorer.inputs()
    }
    fn runtime(&self) -> String {
        "wrong".into()
    }
    fn baseline(&self, inputs: &[&[f32]]) -> Result<Outputs> {
        let mut outputs = self.scorer.baseline(inputs)?;
        if self.at.is_none() {
            outputs.values[0][1] = (self.change)(outputs.values[0][1]);
        }
        Ok(outputs)
    }
    fn score(&self, occluder: &Occluder, windows: &[usize], sink: &mut Sink<'_>) -> Result<()> {
        self.scorer.score(occluder, windows, &mut |window, outputs| {
            let mut values = outputs[0].to_vec();
            if self.at == Some(window) {
                values[1] = (self.change)(values[1]);
            }
            sink(window, &[&values])
        })
    }
}

fn verify(scorer: &dyn Scorer, watch: &mut Watch<'_>) -> Verification {
    let settings = Settings { window: Some(vec![vec![2]]), target: Target::All, ..Settings::default() };
    let job = Job {
        scorer,
        meaning: Meaning { class_output: Some(0), ..Meaning::default() },
        settings: &settings,
        read_image: None,
        model_file: FileFact::default(),
        load_secs: 0.0,
    };
    job.verify(&halves(), &input(), watch).expect("runs")
}

#[test]
fn two_runs_of_one_model_are_the_same() {
    let found = verify(&halves(), &mut Watch::default());
    assert!(found.is_within() && found.is_complete());
    assert_eq!((found.full.computed, found.full.windows.len()), (49, 49));
    assert_eq!((found.of_map.max_abs_diff, found.of_map.window), (0.0, None));
    assert!(found.output_shares.iter().all(|share| *share == 0.0));
    assert_eq!(found.map.sensitivity, found.full.sensitivity);
    assert!(found.of_map.scale > 0.0 && found.of_outputs.scale > 0.0);
}

#[test]
fn one_wrong_window_is_found_and_named() {
    for at in [0, 24, 48] {
        let wrong = Wrong { scorer: halves(), at: Some(at), change: |v| v + 0.01 };
        let found = verify(&wrong, &mut Watch::default());
        assert!(!found.is_within() && found.is_complete(), "window {at}");
        assert_eq!((found.of_map.window, found.of_map.of.as_str()), (Some(at), "class 1"));
        assert_eq!((found.of_outputs.window, found.of_outputs.element), (Some(at), Some(1)));
        assert!((found.of_map.max_abs_diff - 0.01).abs() < 1e-5, "{:?}", found.of_map);
        assert!((found.of_map.share - 0.01 / found.of_map.scale).abs() < 1e-5);
        let wrong: Vec<usize> = (0..49).filter(|&w| found.output_shares[w] > 1e-5).collect();
        assert_eq!(wrong, [at]);
    }
}

#[test]
fn a_number_that_is_none_is_beyond_any_bound() {
    for change in [|_| f32::NAN, |_| f32::INFINITY] {
        let found = verify(&Wrong { scorer: halves(), at: Some(7), change }, &mut Watch::default());
        assert!(!found.is_within());
        assert_eq!((found.of_outputs.window, found.of_outputs.max_abs_diff), (Some(7), f64::INFINITY));
        assert_eq!((found.of_map.window, found.of_map.max_abs_diff), (Some(7), f64::INFINITY));
    }
}

#[test]
fn a_wrong_baseline_shifts_the_whole_map() {
    let found = verify(&Wrong { scorer: halves(), at: None, change: |v| v + 0.25 }, &mut Watch::default());
    assert!(!found.is_within());
    assert_eq!((found.of_outputs.window, found.of_outputs.element), (None, Some(1)));
    assert!((found.of_map.max_abs_diff - 0.25).abs() < 1e-5);
}

#[test]
fn rounding_is_inside_the_bounds() {
    let found = verify(
        &Wrong { scorer: halves(), at: Some(24), change: |v| v * (1.0 + 3e-7) },
        &mut Watch::default(),
    );
    assert!(found.is_within() && found.of_outputs.max_abs_diff > 0.0, "{:?}", found.of_outputs);
    assert_eq!(found.of_outputs.window, Some(24));
}

#[test]
fn stopped_it_says_what_was_compared() {
    // Groups of four: the second one was computed when it was stopped, and is kept.
    let cancel = AtomicBool::new(false);
    let mut seen = Vec::new();
    let mut progress = |p: &Progress| {
        seen.push((p.done, p.total));
        cancel.store(p.done >= 5, Ordering::Relaxed);
    };
    let found = verify(
        &halves(),
        &mut Watch { cancel: Some(&cancel), progress: Some(&mut progress), ..Watch::default() },
    );
    assert!(found.is_within() && !found.is_complete());
    assert_eq!((found.full.computed, found.map.computed, seen.last()), (8, 8, Some(&(8, 49))));
    assert_eq!(found.output_shares.iter().filter(|share| !share.is_nan()).count(), 8);
    assert_eq!(found.map.sensitivity.iter().filter(|v| !v.is_nan()).count(), 16);
}
