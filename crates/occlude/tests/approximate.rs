//! Approximate maps of the shipped model: the error that is reported is the one they have, and where nothing may be dropped they are exact.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use occlude::{Map, Model};

/// Maps of one opened model, one after the other.
fn maps(shares: [Option<f64>; 2]) -> [Map; 2] {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let model = Model::open(examples.join("efficientnet-lite0")).unwrap();
    let input = model.read_input(examples.join("images/coffee.jpg")).unwrap();
    shares.map(|share| {
        let occlusion = model.occlusion().window(32).stride(12);
        let occlusion = match share {
            Some(share) => occlusion.approximate(share),
            None => occlusion,
        };
        occlusion.run(&input).unwrap()
    })
}

fn differences(a: &Map, b: &Map) -> Vec<f64> {
    let range = |values: &[f32]| {
        let most = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        f64::from(most - values.iter().copied().fold(f32::INFINITY, f32::min))
    };
    let all = a.sensitivity.iter().zip(&b.sensitivity);
    all.map(|(x, y)| f64::from(x - y).abs() / range(&b.sensitivity)).collect()
}

#[test]
fn an_approximate_map_saves_work_and_has_the_error_it_reports() {
    let [exact, near] = maps([None, Some(0.05)]);
    let found = near.approximation.as_ref().unwrap();
    assert!(found.drop_below > 0.0 && found.rmse < 0.05, "{found:?}");
    assert!(
        found.windows.len() >= 32
            && found.rmse <= found.percentile_95
            && found.percentile_95 <= found.largest
    );
    let differences = differences(&near, &exact);
    let rmse = (differences.iter().map(|d| d * d).sum::<f64>() / differences.len() as f64).sqrt();
    assert!(rmse > 1e-6, "something was dropped");
    // Measured on a part of the windows, so the whole may differ from it, but not by much.
    assert!(rmse < 2.0 * found.rmse && rmse < 0.075, "{rmse} reported as {}", found.rmse);
    assert!(near.work.unwrap().saved() > exact.work.unwrap().saved() + 0.05);
    assert!(near.is_complete() && near.check.is_some());
}

#[test]
fn where_nothing_may_be_dropped_the_map_is_exact() {
    let [exact, near] = maps([None, Some(1e-9)]);
    assert_eq!(near.approximation.as_ref().unwrap().drop_below, 0.0);
    assert!(near.notes.iter().any(|note| note.contains("the map is exact")), "{:?}", near.notes);
    assert!(differences(&near, &exact).into_iter().all(|d| d < 1e-4));
    assert_eq!(exact.approximation, None);
}
