//! Tests of the five panels' files: values, cells, legend, escaping, size, refusals. What a browser makes of the page is in `tests/browser`.

use std::sync::Arc;

use super::*;
use crate::map::MostProbable;
use crate::map::tests_support::map;
use crate::model_folder::Labels;
use crate::tensor::{Layout, TensorSpec};
use crate::zeiler::{FeatureMap, Projection, Seed, Strongest};

/// A picture of 4 x 6 elements, six positions.
fn sample() -> (Zeiler, Input) {
    let mut map = map([4, 6], [2, 2], [2, 2], vec![0.0; 12]);
    map.scores = vec![0.5, 0.25, f32::NAN, 0.75, 0.5, 0.5, 3.0, 1.0, f32::NAN, 4.0, 5.0, 6.0];
    map.targets[0].baseline = 0.875;
    map.targets[1].baseline = 7.0;
    map.labels = Arc::new(Labels::new(vec!["cat".into(), "</script><b>".into()]));
    map.most_probable = Some(MostProbable { baseline: 0, windows: vec![1, 0, -1, 1, 1, 0] });
    map.computed = 5;
    let seed =
        Seed { tensor: "pool".into(), channel: 3, place: vec![1, 2], switch: Some(vec![2, 5]), value: 2.5 };
    let mut values = vec![0.0; 24];
    (values[0], values[7]) = (1.0, -2.0);
    let feature_map = FeatureMap {
        layer: "relu5".into(),
        shape: vec![1, 8, 3, 3],
        channel: 3,
        channels: 8,
        strongest: Strongest::Sum,
        total: 7.0,
        greatest: 2.5,
    };
    let found = Zeiler { map, feature_map, projection: Projection { seed, values } };
    let spec = TensorSpec::new("x", &[1, 4, 6], Layout::ChannelsFirst);
    (found, Input::from_tensor(spec, (0..24).map(|v| v as f32).collect()).expect("fits"))
}

#[test]
fn json_and_arrays_hold_every_panel() {
    let (found, input) = sample();
    let bytes = encode(&found, &input, Format::Json).expect("writes");
    let value: Value = serde_json::from_slice(&bytes).expect("JSON");
    assert_eq!(value["total_activity"], json!([[3.0, 1.0, null], [4.0, 5.0, 6.0]]));
    assert_eq!(value["probability"][1][0], 0.75);
    assert_eq!(value["most_probable"], json!([[1, 0, null], [1, 1, 0]]));
    assert_eq!(value["projection"][0][1], json!([0.0, -2.0, 0.0, 0.0, 0.0, 0.0]));
    assert_eq!(value["projection_extent"][1], json!({ "start": 0, "end": 2 }));
    assert_eq!(
        (&value["seed"]["switch"], &value["map"]["schema"]),
        (&json!([2, 5]), &json!("occlude.map/1"))
    );
    let bytes = encode(&found, &input, Format::Npz).expect("writes");
    let mut archive = npyz::npz::NpzArchive::new(std::io::Cursor::new(bytes)).expect("an archive");
    let mut array = |name: &str| -> Vec<f32> {
        archive.by_name(name).expect("reads").expect("there").into_vec().expect("f32")
    };
    assert_eq!(array("total_activity")[3..], [4.0, 5.0, 6.0]);
    assert_eq!((array("projection")[7], array("probability_untouched")[0]), (-2.0, 0.875));
    let error = encode(&found, &input, Format::Npy).expect_err("one array");
    assert!(error.hint().expect("a hint").contains(".npz"));
}

#[test]
fn the_page_holds_its_numbers_and_no_label_leaves_its_place() {
    let (found, input) = sample();
    let page = String::from_utf8(encode(&found, &input, Format::Html).expect("writes")).expect("UTF-8");
    let from = page.find("id=\"feed\">").expect("a feed") + "id=\"feed\">".len();
    let to = from + page[from..].find("</script>").expect("an end");
    let feed: Value = serde_json::from_str(&page[from..to]).expect("JSON");
    assert_eq!(feed["schema"], "occlude.zeiler-page/1");
    assert_eq!(
        (&feed["activity"]["range"], &feed["probability"]["range"]),
        (&json!([1.0, 7.0]), &json!([0.25, 0.875]))
    );
    assert_eq!((&feed["rows"], &feed["least"]), (&json!([0.0, 0.5, 1.0]), &json!([1, 1])));
    // The class of the untouched input comes first, then by frequency.
    assert_eq!(
        (&feed["legend"][0]["label"], &feed["legend"][1]["label"]),
        (&json!("cat"), &json!("</script><b>"))
    );
    assert_eq!(feed["legend"][1]["count"], 3);
    assert_eq!(page.matches("</script>").count(), 2);
    assert!(!page.contains("http://") && !page.contains("https://"), "no network");
    assert!(feed["incomplete"].as_str().expect("text").starts_with("Incomplete: 5 of 6"));
}

#[test]
fn the_figure_has_a_cell_of_each_class_colour_and_is_the_same_every_time() {
    let (found, input) = sample();
    let bytes = encode(&found, &input, Format::Png).expect("draws");
    assert_eq!(bytes, encode(&found, &input, Format::Png).expect("draws"));
    let image = image::load_from_memory(&bytes).expect("a picture").to_rgb8();
    let count = |colour: [u8; 3]| image.pixels().filter(|pixel| pixel.0 == colour).count();
    let [cat, other] = [crate::colour::CLASSES[0], crate::colour::CLASSES[1]];
    let (two, three) = (count(cat) as f64, count(other) as f64);
    assert!((three / two - 1.5).abs() < 0.03, "two cells and three, and a swatch each: {two} {three}");
    // The projection's strongest elements are at both ends, most of it is grey.
    assert!(count([128; 3]) > 20_000 && count([0; 3]) > 1000);
}

#[test]
fn positions_of_centred_windows_are_the_middles_of_their_cells() {
    let (mut found, input) = sample();
    let grid =
        crate::occlusion::Grid::new(&input.spec, &[3, 3], &[1, 2], crate::occlusion::Border::Center, None)
            .expect("fits");
    found.map.windows = crate::occlusion::Windows::Grid(grid);
    found.map.scores = vec![1.0; 24];
    found.map.most_probable = Some(MostProbable { baseline: 0, windows: vec![0; 12] });
    let panels = panels::Panels::of(&found, &input).expect("a picture");
    assert_eq!(panels.rows, [0.0, 0.25, 0.5, 0.75, 1.0]);
    // Centred on the columns 0, 2 and 4.
    let columns: Vec<f64> = panels.cols.iter().map(|edge| edge * 6.0).collect();
    assert_eq!(columns, [0.0, 1.5, 3.5, 5.5]);
}

#[test]
fn more_classes_than_colours_share_the_last_one() {
    let (mut found, input) = sample();
    found.map.windows = {
        let grid =
            crate::occlusion::Grid::new(&input.spec, &[1, 1], &[1, 1], crate::occlusion::Border::Clip, None);
        crate::occlusion::Windows::Grid(grid.expect("fits"))
    };
    found.map.scores = vec![1.0; 48];
    found.map.most_probable = Some(MostProbable {
        baseline: 9,
        windows: (0..24).map(|i| if i < 4 { 9 } else { i % 10 }).collect(),
    });
    let panels = panels::Panels::of(&found, &input).expect("a picture");
    assert_eq!(panels.legend.len(), 8);
    assert_eq!((panels.legend[0].classes[0], panels.legend[7].label.as_str()), (9, "3 other classes"));
    assert_eq!(panels.legend.iter().map(|shown| shown.count).sum::<usize>(), 24);
    assert_eq!(panels.class_colour(panels.legend[7].classes[1]), crate::colour::OTHER_CLASSES);
}

#[test]
fn a_signal_has_no_figure() {
    let (mut found, input) = sample();
    let spec = TensorSpec::new("x", &[1, 8], Layout::ChannelsFirst);
    let grid =
        crate::occlusion::Grid::new(&spec, &[2], &[2], crate::occlusion::Border::Clip, None).expect("fits");
    found.map.windows = crate::occlusion::Windows::Grid(grid);
    let error = encode(&found, &input, Format::Html).expect_err("a signal");
    assert_eq!(error.kind(), crate::error::ErrorKind::Unsupported);
    assert!(error.hint().expect("a hint").contains(".npz"));
}
