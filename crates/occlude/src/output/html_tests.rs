//! Tests of the report's bytes: exact values, escaping, size, no network, incomplete maps. What a browser makes of the page
//! is tested in `tests/browser/report.test.mjs`.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::*;
use crate::map::MostProbable;
use crate::map::tests_support::map;
use crate::model_folder::Labels;

fn picture(width: usize, height: usize, photographic: bool) -> Picture {
    let rgb = (0..width * height * 3).map(|i| ((i * 2_654_435_761) >> 13) as u8).collect();
    Picture { width, height, rgb, photographic, signal: None, volume: None }
}

/// The feed as the page would parse it.
fn feed_of(page: &str) -> Value {
    let from = page.find("id=\"feed\">").unwrap() + "id=\"feed\">".len();
    let to = from + page[from..].find("</script>").unwrap();
    serde_json::from_str(&page[from..to]).unwrap()
}

fn decoded(text: &Value) -> Vec<u32> {
    let bytes = BASE64.decode(text.as_str().unwrap()).unwrap();
    bytes.chunks(4).map(|b| u32::from_le_bytes(b.try_into().unwrap())).collect()
}

fn html(map: &Map, picture: &Picture) -> String {
    String::from_utf8(render(map, picture).unwrap()).unwrap()
}

#[test]
fn every_score_is_in_the_page_bit_for_bit() {
    let mut made = map([4, 6], [2, 2], [2, 2], vec![0.1, -0.25, 1e-30, f32::NAN, 0.3, 7.5]);
    made.targets[0].baseline = 0.943_210_8;
    made.scores = vec![0.843_210_8, 1.193_210_8, 0.943_210_8, f32::NAN, 0.1 + 0.2, -6.5];
    made.sensitivity = made.scores.iter().map(|score| 0.943_210_8 - score).collect();
    let feed = feed_of(&html(&made, &picture(6, 4, true)));
    let target = &feed["targets"][0];
    assert_eq!(target["baseline"].as_f64(), Some(f64::from(0.943_210_8f32)));
    assert_eq!(decoded(&target["occluded"]), made.scores.iter().map(|v| v.to_bits()).collect::<Vec<_>>());
    assert!(target.get("sensitivity").is_none());

    made.sensitivity[1] = -0.5;
    let feed = feed_of(&html(&made, &picture(6, 4, true)));
    let sent = decoded(&feed["targets"][0]["sensitivity"]);
    assert_eq!(sent, made.sensitivity.iter().map(|v| v.to_bits()).collect::<Vec<_>>());
}

#[test]
fn text_from_labels_cannot_leave_its_place() {
    let evil = "</script><script>alert(1)</script><!-- <img src=x onerror=alert(2)> \" ' & \u{2028}";
    let mut made = map([4, 4], [2, 2], [2, 2], vec![0.5, 0.25, 0.0, -0.5]);
    made.targets[0].label = evil.to_owned();
    made.labels = Arc::new(Labels::new(vec![evil.to_owned(), evil.to_owned()]));
    made.most_probable = Some(MostProbable { baseline: 0, windows: vec![0, 1, 0, 0] });
    made.provenance.input.name = evil.to_owned();
    made.provenance.command = Some(evil.to_owned());
    made.notes = vec![evil.to_owned()];
    let page = html(&made, &picture(4, 4, true));
    let plain = html(&map([4, 4], [2, 2], [2, 2], vec![0.5, 0.25, 0.0, -0.5]), &picture(4, 4, true));
    for token in ["<script", "</script", "<!--", "<img"] {
        assert_eq!(page.matches(token).count(), plain.matches(token).count(), "{token}");
    }
    assert_eq!(feed_of(&page)["targets"][0]["label"], evil);
}

#[test]
fn nothing_is_fetched_and_only_the_inlined_script_may_run() {
    let page = html(&map([4, 4], [2, 2], [2, 2], vec![0.5, 0.25, 0.0, -0.5]), &picture(4, 4, true));
    for token in ["http:", "https:", "href=\"page", "src=\"feed", "@import", "url(", "fetch(", "innerHTML"] {
        assert!(!page.contains(token), "{token}");
    }
    let policy =
        page.split("Content-Security-Policy\" content=\"").nth(1).unwrap().split("\">").next().unwrap();
    assert!(policy.starts_with("default-src 'none'; img-src data:;"), "{policy}");
    for (name, open, close) in [("script-src", "<script>", "</script>"), ("style-src", "<style>", "</style>")]
    {
        let texts = page.split(open).skip(1).map(|rest| rest.split(close).next().unwrap());
        let hashes = texts.map(|text| format!(" 'sha256-{}'", BASE64.encode(Sha256::digest(text))));
        let hashes: String = hashes.collect();
        assert!(hashes.len() > 40 && policy.contains(&format!("{name}{hashes};")), "{policy}");
    }
}

#[test]
fn a_map_of_five_targets_with_a_photograph_is_below_a_megabyte() {
    let made = |stride: usize| {
        let side = (224 - 16) / stride + 1;
        let values = (0..5 * side * side).map(|i| ((i * 7919) % 1000) as f32 / 997.0 - 0.4).collect();
        let mut made = map([224, 224], [16, 16], [stride, stride], values);
        assert_eq!(made.windows.len(), side * side);
        // As a run makes them, so that the page need not be told both.
        made.sensitivity = made.scores.iter().map(|score| 1.0 - score).collect();
        made.most_probable = Some(MostProbable { baseline: 3, windows: vec![3; side * side] });
        made
    };
    // Noise is the picture that takes most bytes.
    for stride in [8, 4, 2] {
        let page = html(&made(stride), &picture(224, 224, true));
        assert!(page.len() < 1_000_000, "stride {stride}: {} bytes", page.len());
    }
    // Every window 4 bytes a target and 1 for the class, as base64: 43681 windows do not fit into a megabyte.
    let page = html(&made(1), &picture(224, 224, true));
    assert!((1_000_000..2_000_000).contains(&page.len()), "stride 1: {} bytes", page.len());
    let page = html(&made(8), &Picture { rgb: vec![90; 1500 * 1000 * 3], ..picture(1500, 1000, true) });
    assert!(page.contains("data:image/jpeg;base64,") && page.len() < 1_000_000, "{} bytes", page.len());
}

#[test]
fn classes_take_a_byte_a_window_where_they_are_few() {
    let sent = class_of_cells(&[7, -1, 7, 300]);
    assert_eq!(sent, json!({ "classes": [-1, 7, 300], "which": BASE64.encode([1, 0, 1, 2]) }));
    let many: Vec<i32> = (0..257).rev().collect();
    assert_eq!(decoded(&class_of_cells(&many)), many.iter().map(|v| *v as u32).collect::<Vec<_>>());
    assert_eq!(class_of_cells(&many[1..])["classes"].as_array().unwrap().len(), 256);
}

#[test]
fn the_page_is_told_where_evidence_per_place_comes_from() {
    let values = vec![0.5, 0.25, 0.0, -0.5];
    let places = |map: &Map| feed_of(&html(map, &picture(4, 4, true)))["places"].clone();
    let mut made = map([4, 4], [3, 3], [2, 2], values.clone());
    assert_eq!(places(&made), json!({ "from": "cells", "weights": [] }));
    // Clipped windows have sizes of their own, each with weights.
    made.shape = crate::occlusion::Shape::Ellipse;
    let found = places(&made);
    let sizes: Vec<&Value> = found["weights"].as_array().unwrap().iter().map(|w| &w["sizes"]).collect();
    assert_eq!(sizes, [&json!([2, 2]), &json!([2, 3]), &json!([3, 2]), &json!([3, 3])]);
    // Values that were scaled are not the map's own: the windows come with theirs.
    let mut scaled = map([4, 4], [2, 2], [2, 2], values.clone());
    scaled.definition.normalize = crate::map::Normalize::MaxAbs;
    let found = places(&scaled);
    assert_eq!((&found["from"], &found["grids"][0][0]["starts"]), (&json!("windows"), &json!([0, 2])));
    assert_eq!(decoded(&found["sensitivity"][0]), values.iter().map(|v| v.to_bits()).collect::<Vec<_>>());
}

#[test]
fn the_view_of_scores_is_named_after_what_is_measured() {
    let mut made = map([4, 4], [2, 2], [2, 2], vec![0.5, 0.25, 0.0, -0.5]);
    let title = |map: &Map| feed_of(&html(map, &picture(4, 4, true)))["targets"][0]["score_title"].clone();
    assert_eq!(title(&made), "logit with the window hidden");
    made.targets[0].spec = "node:relu5:sum".into();
    made.targets[0].label = "relu5 sum".into();
    assert_eq!(title(&made), "activity of relu5 sum with the window hidden");
}

#[test]
fn an_incomplete_map_and_one_without_a_picture_are_told() {
    let made = map([4, 4], [2, 4], [2, 4], vec![0.5, f32::NAN]);
    let feed = feed_of(&html(
        &made,
        &Picture { width: 0, height: 0, rgb: Vec::new(), photographic: false, signal: None, volume: None },
    ));
    assert_eq!((&feed["complete"], &feed["computed"]), (&json!(false), &json!(1)));
    assert_eq!(feed["picture"], Value::Null);
    let broken =
        Picture { width: 3, height: 3, rgb: vec![0; 5], photographic: true, signal: None, volume: None };
    let error = render(&made, &broken).unwrap_err().to_string();
    assert!(error.contains("5 bytes for 3 × 3 pixels"), "{error}");
}
