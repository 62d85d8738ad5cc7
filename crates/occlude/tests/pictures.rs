//! A report and a figure of a whole map, made as a user of the crate would, and kept for the browser tests.
//!
//! In: a map over a crop of a photograph, built here from a formula, with five targets, one of whose labels is markup.
//! Out: pages and figures in cargo's folder for test files (`target/tmp`), and beside the pages what the crate judges of boxes
//! (`NAME.judged.json`), where `tests/browser` opens the pages and compares. Here only what needs no browser is checked.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use occlude::colour::Scale;
use occlude::judge::POINTING_TOLERANCE;
use occlude::output::{html, png};
use occlude::{
    Aggregate, Border, Definition, FileFact, Geometry, GreyVolume, Grid, Labels, Layout, Map, MapTarget,
    MostProbable, Object, Picture, Placement, Provenance, ScoreKind, Shape, TensorSpec, Windows,
};

const NAMES: [&str; 5] = [
    "espresso",
    "cup",
    "coffee mug",
    "</script><script>window.broken = 1</script><b>bold</b> & co",
    "eggnog",
];

/// Boxes in pixels of the source: around the bump, across an edge of the crop, around everything.
const BOXES: [&[f64]; 3] =
    [&[100.0, 250.0, 200.0, 350.0], &[30.5, 61.25, 130.0, 470.0], &[0.0, 400.0, 0.0, 600.0]];

/// A 224 x 224 crop of a 400 x 600 picture, windows of 32 every 16, bumps for and against.
fn made(targets: usize) -> Map {
    let input = TensorSpec::new("x", &[3, 224, 224], Layout::ChannelsFirst);
    let grid = Grid::new(&input, &[32, 32], &[16, 16], Border::Shift, None).expect("fits");
    let mut geometry = Geometry::identity(&[400, 600]);
    geometry.resize(&[256, 384]);
    geometry.crop(&[16, 80], &[224, 224]);
    let baselines = [0.943_210_8f32, 0.021_2, 0.011_7, 0.006_2, 0.001_9];
    let (mut scores, mut sensitivity) = (Vec::new(), Vec::new());
    for (t, &baseline) in baselines[..targets].iter().enumerate() {
        for window in 0..grid.len() {
            let (y, x) = ((window / 13) as f32, (window % 13) as f32);
            let bump = |cy: f32, cx: f32| (-((y - cy).powi(2) + (x - cx).powi(2)) / 7.0).exp();
            let grain = ((window * 37 + t * 11) % 17) as f32 / 17.0 - 0.5;
            let fall = baseline * (0.7 * bump(5.2, 6.3 + t as f32) - 0.05 * bump(9.0, 2.0) + 0.01 * grain);
            scores.push(baseline - fall);
            sensitivity.push(baseline - (baseline - fall));
        }
    }
    Map {
        score: ScoreKind::Probability,
        targets: (0..targets)
            .map(|t| MapTarget {
                label: NAMES[t].to_owned(),
                class: Some(t),
                spec: t.to_string(),
                baseline: baselines[t],
                unit: "probability".into(),
            })
            .collect(),
        is_list: targets > 1,
        most_probable: Some(MostProbable {
            baseline: 0,
            windows: (0..grid.len()).map(|window| i32::from(scores[window] < 0.35)).collect(),
        }),
        labels: Arc::new(Labels::new(NAMES.map(str::to_owned).to_vec())),
        computed: grid.len(),
        notes: vec!["resized so that the short side is 256, then the centre 224x224 was cut out".into()],
        check: None,
        approximation: None,
        stability: None,
        work: None,
        unchanged: None,
        provenance: Provenance {
            version: "0.1.0".into(),
            model: FileFact { name: "net.onnx".into(), sha256: "ab".repeat(32) },
            input: FileFact { name: "coffee.jpg".into(), sha256: "cd".repeat(32) },
            arguments: vec![("fill".into(), "mean".into()), ("border".into(), "shift".into())],
            command: Some("occlude map net.onnx coffee.jpg --window 32 -o coffee.html".into()),
            ..Provenance::default()
        },
        scores,
        sensitivity,
        geometry,
        windows: Windows::Grid(grid),
        shape: occlude::Shape::Box,
        definition: Definition::default(),
        noise_spread: None,
        input,
    }
}

fn photograph() -> Picture {
    let side = 350;
    let mut rgb = Vec::with_capacity(side * side * 3);
    for y in 0..side {
        for x in 0..side {
            let away = (((x as f32 - 180.0).powi(2) + (y as f32 - 150.0).powi(2)).sqrt() / 2.0) as usize;
            rgb.extend([220 - away.min(180), 190 - away.min(170), 90 + (x + y) / 8].map(|v| v as u8));
        }
    }
    Picture { width: side, height: side, rgb, photographic: true, signal: None, volume: None }
}

fn keep(name: &str, bytes: &[u8]) {
    fs::write(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name), bytes)
        .expect("the folder for test files can be written");
}

#[test]
fn a_report_of_five_targets_is_one_small_file() {
    let page = html::render(&made(5), &photograph()).unwrap();
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
    let text = String::from_utf8(page).unwrap();
    assert!(!text.contains(NAMES[3]), "a label that is markup must be escaped");
    assert!(text.contains("\\u003c/script>\\u003cscript>window.broken = 1"));
}

#[test]
fn a_report_of_an_incomplete_map_is_kept_too() {
    let mut map = made(1);
    let done = map.windows.coarse_to_fine()[..50].to_vec();
    for window in (0..map.windows.len()).filter(|window| !done.contains(window)) {
        map.sensitivity[window] = f32::NAN;
        map.scores[window] = f32::NAN;
        map.most_probable.as_mut().unwrap().windows[window] = -1;
    }
    map.computed = done.len();
    let page = html::render(&map, &photograph()).unwrap();
    assert!(String::from_utf8_lossy(&page).contains("\"complete\":false,\"computed\":50"));
    keep_judged("incomplete", &map, &photograph(), &BOXES);
    keep("incomplete.png", &png::render(&map, &photograph()).unwrap());
}

#[test]
fn a_report_of_a_joined_map_has_elements() {
    let mut map = made(1);
    map.definition.aggregate = occlude::Aggregate::Mean;
    // A region of interest: what no window covers stays empty.
    let page = html::render(&map, &photograph()).unwrap();
    let text = String::from_utf8_lossy(&page);
    assert!(
        text.contains("\"cells\":\"elements\"") && text.contains("the mean over the windows that cover it")
    );
    assert!(text.contains("\"places\":{\"from\":\"elements\"}"));
}

/// A map whose windows are these, with sensitivities from a formula on where they lie.
fn made_on(windows: Windows, shape: Shape, input: TensorSpec, geometry: Geometry) -> Map {
    let mut map = made(1);
    let size = input.spatial();
    let value = |window: usize| {
        let bounds = windows.bounds(window);
        let axes = input.spatial_axes();
        let away = axes.iter().zip(&size).map(|(&axis, &n)| {
            let middle = (bounds[axis].start + bounds[axis].end) as f32 / 2.0 / n as f32;
            (middle - 0.55).powi(2)
        });
        let channel = if input.shape.len() > axes.len() { bounds[0].start } else { 0 };
        0.6 * (-12.0 * away.sum::<f32>()).exp() - 0.07 - 0.05 * channel as f32
            + 0.02 * ((window * 37) % 17) as f32 / 17.0
    };
    let baseline = map.targets[0].baseline;
    map.scores = (0..windows.len()).map(|window| baseline - value(window)).collect();
    map.sensitivity = map.scores.iter().map(|score| baseline - score).collect();
    map.most_probable.as_mut().unwrap().windows =
        map.scores.iter().map(|score| i32::from(*score < 0.5)).collect();
    (map.computed, map.windows, map.shape, map.input, map.geometry) =
        (windows.len(), windows, shape, input, geometry);
    map
}

fn grid(input: &TensorSpec, window: &[usize], stride: &[usize], border: Border) -> Grid {
    Grid::new(input, window, stride, border, None).expect("fits")
}

/// A page, and beside it what [`Map::judge`] says of boxes, for the browser to compare its own numbers with.
fn keep_judged(name: &str, map: &Map, picture: &Picture, boxes: &[&[f64]]) {
    keep(&format!("{name}.html"), &html::render(map, picture).unwrap());
    let in_source = !map.geometry.is_identity();
    let judged = boxes.iter().map(|edges| {
        let object = if in_source {
            Object::SourceBoxes(vec![edges.chunks(2).map(|pair| pair[0]..pair[1]).collect()])
        } else {
            Object::Boxes(vec![edges.chunks(2).map(|pair| pair[0] as usize..pair[1] as usize).collect()])
        };
        serde_json::json!({ "box": edges, "targets": map.judge(&object, POINTING_TOLERANCE).unwrap() })
    });
    let judged = judged.collect::<Vec<_>>();
    keep(&format!("{name}.judged.json"), serde_json::to_string(&judged).unwrap().as_bytes());
}

#[test]
fn what_is_judged_is_kept_for_the_page_to_agree_with() {
    let boxes = BOXES;
    let picture = photograph();
    keep_judged("report", &made(5), &picture, &boxes);
    let of_made = made(1);
    let (input, geometry) = (of_made.input.clone(), of_made.geometry.clone());
    let on = |windows, shape| made_on(windows, shape, input.clone(), geometry.clone());
    // Joined windows are not the mean that is judged unless the mean is drawn.
    let mut map = made(1);
    map.definition.aggregate = Aggregate::Mean;
    keep_judged("joined", &map, &picture, &boxes);
    map.definition.aggregate = Aggregate::Sum;
    keep_judged("summed", &map, &picture, &boxes);
    let ellipses = Windows::Grid(grid(&input, &[45, 30], &[20, 17], Border::Clip));
    keep_judged("ellipse", &on(ellipses, Shape::Ellipse), &picture, &boxes);
    let scales = [[64, 64], [24, 36]].map(|window| grid(&input, &window, &[20, 20], Border::Shift));
    keep_judged("scales", &on(Windows::Scales(scales.to_vec()), Shape::Soft), &picture, &boxes);
    let channels = Windows::Grid(grid(&input, &[1, 40, 40], &[1, 24, 24], Border::Drop));
    keep_judged("channels", &on(channels, Shape::Box), &picture, &boxes);
    let other = Windows::Grid(grid(&input, &[40, 40], &[24, 24], Border::Clip));
    keep_judged("other", &on(other, Shape::Box), &picture, &boxes);

    let none =
        Picture { width: 0, height: 0, rgb: Vec::new(), photographic: false, signal: None, volume: None };
    let signal = TensorSpec::new("x", &[2, 400], Layout::ChannelsFirst);
    let windows = Windows::Grid(grid(&signal, &[32], &[16], Border::Shift));
    let map = made_on(windows, Shape::Box, signal, Geometry::identity(&[400]));
    keep_judged("signal", &map, &none, &[&[120.0, 260.0], &[399.0, 400.0]]);
    let volume = TensorSpec::new("x", &[1, 20, 24, 28], Layout::ChannelsFirst);
    let windows = Windows::Grid(grid(&volume, &[6, 6, 6], &[4, 4, 4], Border::Shift));
    let map = made_on(windows, Shape::Box, volume, Geometry::identity(&[20, 24, 28]));
    keep_judged("volume", &map, &none, &[&[5.0, 15.0, 6.0, 20.0, 8.0, 26.0]]);
}

/// A picture of a volume whose greys are these.
fn in_grey(size: [usize; 3], grey: impl Fn([usize; 3]) -> u8) -> Picture {
    let places = size.iter().product();
    let at = |place: usize| [place / (size[1] * size[2]), place / size[2] % size[1], place % size[2]];
    let grey = (0..places).map(|place| grey(at(place))).collect();
    let volume = GreyVolume { size, every: [1; 3], grey, black: -1.0, white: 4.0 };
    let rgb = vec![0; 3 * size[1] * size[2]];
    Picture { width: size[2], height: size[1], rgb, photographic: false, signal: None, volume: Some(volume) }
}

/// Every octant has a grey of its own, so that a plane that is turned or mirrored shows; `tests/browser/planes.test.mjs` has the same formula.
fn octants([i, j, k]: [usize; 3]) -> u8 {
    [(i >= 10, 20), (j >= 12, 70), (k >= 14, 130)]
        .iter()
        .map(|(is, value)| if *is { *value } else { 0 })
        .sum()
}

#[test]
fn reports_of_volumes_are_kept_too() {
    let volume = TensorSpec::new("x", &[1, 20, 24, 28], Layout::ChannelsFirst);
    let windows = Windows::Grid(grid(&volume, &[6, 7, 8], &[4, 3, 5], Border::Shift));
    let map = made_on(windows.clone(), Shape::Box, volume.clone(), Geometry::identity(&[20, 24, 28]));
    let picture = in_grey([20, 24, 28], octants);
    keep("planes.html", &html::render(&map, &picture).unwrap());
    // Axes that run nearly to P, I and R, turned by 20 degrees; nibabel's aff2axcodes says so, and its apply_affine where voxels are.
    let mut oblique = map.clone();
    let (sin, cos) = 20f64.to_radians().sin_cos();
    let affine = [
        [2.0 * sin, 0.0, 3.0 * cos, -30.0],
        [-2.0 * cos, 0.0, 3.0 * sin, 12.0],
        [0.0, -1.5, 0.0, 25.0],
        [0.0, 0.0, 0.0, 1.0],
    ];
    let axes = [(0, false), (1, false), (2, false)];
    oblique.geometry.placement = Some(Placement {
        affine,
        size: [20, 24, 28],
        axes,
        slice: None,
        is_assumed: false,
        steps: Vec::new(),
    });
    keep("planes_oblique.html", &html::render(&oblique, &picture).unwrap());
    let mut half = map.clone();
    for window in (0..windows.len()).filter(|window| window % 2 == 1) {
        half.sensitivity[window] = f32::NAN;
        half.scores[window] = f32::NAN;
        half.most_probable.as_mut().unwrap().windows[window] = -1;
    }
    half.computed = windows.len().div_ceil(2);
    keep("planes_incomplete.html", &html::render(&half, &picture).unwrap());
    let mut joined = map;
    joined.definition.aggregate = Aggregate::Mean;
    keep("planes_joined.html", &html::render(&joined, &picture).unwrap());
    let two = TensorSpec::new("x", &[2, 20, 24, 28], Layout::ChannelsFirst);
    let windows = Windows::Grid(grid(&two, &[1, 6, 6, 6], &[1, 6, 6, 6], Border::Drop));
    let map = made_on(windows, Shape::Box, two, Geometry::identity(&[20, 24, 28]));
    keep("planes_channels.html", &html::render(&map, &picture).unwrap());
}

#[test]
fn a_report_of_a_window_at_every_voxel_of_128_cubed_is_below_20_megabytes() {
    let side = 128;
    let volume = TensorSpec::new("x", &[1, side, side, side], Layout::ChannelsFirst);
    let windows = Windows::Grid(grid(&volume, &[9, 9, 9], &[1, 1, 1], Border::Center));
    assert_eq!(windows.len(), side.pow(3));
    let map = made_on(windows, Shape::Box, volume, Geometry::identity(&[side; 3]));
    // Noise takes most bytes.
    let noise = |[i, j, k]: [usize; 3]| {
        let mixed = ((i * side + j) * side + k + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 56) as u8
    };
    let page = html::render(&map, &in_grey([side; 3], noise)).unwrap();
    assert!((16_000_000..20_000_000).contains(&page.len()), "{} bytes", page.len());
    keep("planes_large.html", &page);
}

#[test]
fn a_figure_has_the_colour_of_every_value_and_the_pictures_pixels() {
    let map = made(1);
    let picture = photograph();
    let bytes = png::render(&map, &picture).unwrap();
    keep("figure.png", &bytes);
    keep("figure_of_five.png", &png::render(&made(5), &picture).unwrap());
    let figure = image::load_from_memory(&bytes).unwrap().into_rgb8();
    let seen = |colour: [u8; 3]| figure.pixels().filter(|pixel| pixel.0 == colour).count();
    let scale = Scale::about_zero(map.sensitivity.iter().copied());
    for &value in &map.sensitivity {
        let colour = scale.colour(value).unwrap();
        assert!(seen(colour) > 500, "{value}: {colour:?} is on {} pixels", seen(colour));
    }
    let middle = &picture.rgb[(175 * 350 + 100) * 3..][..3];
    assert!(seen([middle[0], middle[1], middle[2]]) > 0);
}
