//! Comparisons of maps: against SciPy, scikit-image and NumPy (`data/compare.json`); p-values that are uniform where nothing agrees; maps of real runs, in memory and from their files.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::path::Path;

use occlude::compare::{Comparison, Evidence, Options, compare};
use occlude::{
    BatchScorer, ErrorKind, FileFact, Format, Input, Job, Layout, Map, Meaning, Outputs, Picture, Settings,
    TensorSpec, Watch, output,
};

fn array(shape: &[usize], values: &[f32], name: &str) -> Evidence {
    Evidence::of_array(shape, values.to_vec(), name).unwrap()
}

/// Whether two maps are one, but for rounding.
fn is_one(found: &Comparison) -> bool {
    found.pearson.is_some_and(|r| (r.value - 1.0).abs() < 1e-12)
        && found.spearman.is_some_and(|r| (r.value - 1.0).abs() < 1e-12)
}

fn compared(a: &Evidence, b: &Evidence) -> Comparison {
    compare(a, b, &Options::default()).unwrap()
}

#[test]
fn scipy_and_scikit_image_say_the_same() {
    let cases: Vec<serde_json::Value> = serde_json::from_str(include_str!("data/compare.json")).unwrap();
    let numbers = |list: &serde_json::Value| -> Vec<f64> {
        list.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
    };
    let narrow = |list: &serde_json::Value| numbers(list).iter().map(|&v| v as f32).collect::<Vec<f32>>();
    let shape = |list: &serde_json::Value| numbers(list).iter().map(|&n| n as usize).collect::<Vec<usize>>();
    let (mut similar, mut ranks) = (0, Vec::new());
    for case in &cases {
        let name = case["name"].as_str().unwrap();
        let near = |got: f64, expected: &serde_json::Value, what: &str| {
            let expected = expected.as_f64().unwrap();
            assert!((got - expected).abs() < 1e-6, "{name}, {what}: {got}, expected {expected}");
        };
        let places = shape(&case["shape"]);
        let (a, b) = (array(&places, &narrow(&case["a"]), "a"), array(&places, &narrow(&case["b"]), "b"));
        // Three axes of places, not channels.
        let options = Options { axes: Some(places.len()), ..Options::default() };
        let found = compare(&a, &b, &options).unwrap();
        let (spearman, pearson) = (found.spearman.unwrap(), found.pearson.unwrap());
        near(spearman.value, &case["spearman"], "spearman");
        near(pearson.value, &case["pearson"], "pearson");
        assert_eq!((spearman.shifts, spearman.n), (found.n - 1, found.n), "{name}: all shifts are tried");
        near(spearman.p.unwrap(), &case["shifted"][0], "p of spearman");
        near(pearson.p.unwrap(), &case["shifted"][1], "p of pearson");
        match found.ssim {
            Some(ssim) => {
                near(ssim.value, &case["ssim"], "ssim");
                similar += 1;
            }
            None => assert!(case["ssim"].is_null() && found.notes.iter().any(|n| n.contains("window of 11"))),
        }
        let small = array(&shape(&case["small_shape"]), &narrow(&case["small"]), "small");
        let enlarged = compare(&small, &a, &options).unwrap();
        near(enlarged.pearson.unwrap().value, &case["enlarged"], "enlarged");
        assert!(enlarged.compared.contains("small enlarged linearly from"), "{}", enlarged.compared);
        ranks.push(places.len());
    }
    assert!(cases.len() == 9 && similar == 8 && [1, 2, 3].iter().all(|rank| ranks.contains(rank)));
}

/// Numbers from -1 to 1 (SplitMix64).
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }
    /// A smooth map of `side` x `side`, on a torus: noise, three times the mean over 5 x 5.
    fn smooth(&mut self, side: usize) -> Vec<f32> {
        let mut map: Vec<f64> = (0..side * side).map(|_| self.next()).collect();
        for step in [1, side, 1, side, 1, side] {
            let moved = |at: usize, by: usize| {
                let (row, column) = (at / side, at % side);
                if step == 1 { row * side + (column + by) % side } else { (row + by) % side * side + column }
            };
            map = (0..map.len()).map(|at| (0..5).map(|by| map[moved(at, by)]).sum::<f64>() / 5.0).collect();
        }
        map.into_iter().map(|v| v as f32).collect()
    }
}

fn cropped(map: &[f32], from: usize, side: usize) -> Vec<f32> {
    (0..side * side).map(|at| map[at / side * from + at % side]).collect()
}

/// The largest distance between the distribution of these numbers and the uniform one (Kolmogorov, Smirnov).
fn distance_from_uniform(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let n = numbers.len() as f64;
    let at = |(i, p): (usize, &f64)| (p - i as f64 / n).abs().max(((i + 1) as f64 / n - p).abs());
    numbers.iter().enumerate().map(at).fold(0.0, f64::max)
}

/// The textbook's two-sided p-value of a correlation of n independent pairs (Fisher's transformation).
fn textbook(r: f64, n: usize) -> f64 {
    libm::erfc((r.atanh() * (n as f64 - 3.0).sqrt()).abs() / std::f64::consts::SQRT_2)
}

#[test]
fn p_values_of_unrelated_smooth_maps_are_uniform_and_the_textbook_s_are_not() {
    const MAPS: usize = 300;
    // 1 % of samples of a uniform distribution are further away.
    let bound = 1.63 / (MAPS as f64).sqrt();
    let mut draw = Draw(7);
    for on_torus in [true, false] {
        let mut map = || if on_torus { draw.smooth(16) } else { cropped(&draw.smooth(48), 48, 16) };
        let (mut by_shifts, mut by_textbook) = (Vec::new(), Vec::new());
        for _ in 0..MAPS {
            let found = compared(&array(&[16, 16], &map(), "a"), &array(&[16, 16], &map(), "b"));
            for correlation in [found.spearman.unwrap(), found.pearson.unwrap()] {
                by_shifts.push(correlation.p.unwrap());
                by_textbook.push(textbook(correlation.value, found.n));
            }
        }
        let rejected = |p: &[f64]| p.iter().filter(|p| **p <= 0.05).count() as f64 / p.len() as f64;
        // Spearman's and Pearson's of one pair of maps are nearly the same number: each counts by itself.
        for first in [0, 1] {
            let of = |p: &[f64]| p.iter().skip(first).step_by(2).copied().collect::<Vec<f64>>();
            let (shifts, textbook) = (of(&by_shifts), of(&by_textbook));
            let (right, wrong) =
                (distance_from_uniform(shifts.clone()), distance_from_uniform(textbook.clone()));
            let said = format!(
                "torus {on_torus}: {right:.3} and {wrong:.3}, bound {bound:.3}; {:.3} and {:.3} below 0.05",
                rejected(&shifts),
                rejected(&textbook)
            );
            // Maps that are no torus get a seam where they wrap, and are rejected somewhat too often; the textbook rejects most.
            let (furthest, most) = if on_torus { (bound, 0.08) } else { (2.0 * bound, 0.15) };
            assert!(right < furthest && rejected(&shifts) < most, "{said}");
            assert!(wrong > 3.0 * bound && rejected(&textbook) > 0.5, "{said}");
        }
    }
}

#[test]
fn p_values_of_maps_that_agree_are_as_small_as_they_can_be() {
    let mut draw = Draw(3);
    for _ in 0..20 {
        let a = draw.smooth(16);
        let other = draw.smooth(16);
        let b: Vec<f32> = a.iter().zip(&other).map(|(a, other)| 2.0 * a + 0.5 * other - 1.0).collect();
        let found = compared(&array(&[16, 16], &a, "a"), &array(&[16, 16], &b, "b"));
        assert!(found.spearman.unwrap().p.is_some_and(|p| p < 0.05), "{found:?}");
        let same = compared(&array(&[16, 16], &a, "a"), &array(&[16, 16], &a, "b"));
        assert_eq!(
            (same.spearman.unwrap().p, same.pearson.unwrap().p),
            (Some(1.0 / 256.0), Some(1.0 / 256.0))
        );
        assert!(found.top.iter().all(|top| top.value > top.chance), "{:?}", found.top);
    }
    // Of many places a sample of shifts is drawn, by the seed.
    let large: Vec<f32> = draw.smooth(96);
    let of = |seed: u64| {
        let other = cropped(&Draw(9).smooth(96), 96, 96);
        let options = Options { seed, ..Options::default() };
        compare(&array(&[96, 96], &large, "a"), &array(&[96, 96], &other, "b"), &options)
            .unwrap()
            .spearman
            .unwrap()
    };
    assert_eq!((of(1).shifts, of(1).all_shifts), (4999, 96 * 96 - 1));
    assert_eq!(of(1), of(1));
    assert!((of(1).p.unwrap() - of(2).p.unwrap()).abs() < 0.05);
}

/// A map of the model that answers a weighted sum and the mean of the channel in front; the input is a pattern, hidden is 0.
fn map(shape: &[usize], settings: &[(&str, &str)]) -> Map {
    let mut all = Settings::default();
    for (name, value) in [("fill", "0"), ("target", "all"), ("score", "raw")].iter().chain(settings) {
        all.set(name, value).unwrap();
    }
    let spec = TensorSpec::new("x", shape, Layout::ChannelsFirst);
    let scorer = BatchScorer::new(vec![spec.clone()], 16, "by hand", |x: &[&[f32]], count: usize| {
        let both = |x: &[f32]| {
            let weighted = x.iter().enumerate().map(|(i, v)| v * ((i * 7 % 23) as f32 - 9.0)).sum::<f32>();
            [weighted, x[..x.len() / 2].iter().sum::<f32>()]
        };
        let values = x[0].chunks(x[0].len() / count).flat_map(both).collect();
        Ok(Outputs { names: vec!["y".into()], shapes: vec![vec![1, 2]], values: vec![values] })
    });
    let job = Job {
        scorer: &scorer,
        meaning: Meaning { class_output: Some(0), ..Meaning::default() },
        settings: &all,
        read_image: None,
        model_file: FileFact::default(),
        load_secs: 0.0,
    };
    let values = (0..shape.iter().product()).map(|i: usize| ((i * 13 % 31) as f32 - 11.0) / 10.0).collect();
    job.run(&Input::from_tensor(spec, values).unwrap(), &mut Watch::default()).unwrap()
}

fn of(map: &Map, target: usize) -> Evidence {
    Evidence::of_map(map, target, "map").unwrap()
}

fn file(map: &Map, format: Format, name: &str, target: Option<&str>) -> occlude::Result<Evidence> {
    let picture =
        Picture { width: 1, height: 1, rgb: vec![0; 3], photographic: false, signal: None, volume: None };
    Evidence::parse(&output::encode(map, &picture, format).unwrap(), Path::new(name), target)
}

#[test]
fn files_hold_what_the_map_holds() {
    let windows: [&[(&str, &str)]; 6] = [
        &[("window", "3"), ("stride", "2")],
        &[("window", "1x3x4"), ("stride", "1x2x2")],
        &[("window", "3,5")],
        &[("window", "4"), ("shape", "ellipse")],
        &[("preset", "captum"), ("window", "2x4x4"), ("stride", "2x3x3")],
        &[("masks", "40")],
    ];
    for settings in windows {
        let map = map(&[2, 13, 12], settings);
        let other = array(&[13, 12], &(0..156).map(|i| (i * 29 % 37) as f32).collect::<Vec<f32>>(), "other");
        for target in [0, 1] {
            let expected = of(&map, target);
            let text = target.to_string();
            let npz = file(&map, Format::Npz, "m.npz", Some(&text)).unwrap();
            let json = file(&map, Format::Json, "m.json", Some(&text));
            let is_on_grid = map.windows.grid().is_some() && !settings.contains(&("shape", "ellipse"));
            match &json {
                Ok(json) => assert_eq!(
                    (json.target.as_deref(), json.unit.as_deref()),
                    (expected.target.as_deref(), Some("output"))
                ),
                Err(error) => {
                    assert_eq!((error.kind(), is_on_grid), (ErrorKind::Unsupported, false), "{error}")
                }
            }
            for read in [Some(npz), json.ok()].into_iter().flatten() {
                let same = compared(&expected, &read);
                assert!(is_one(&same), "{settings:?}");
                assert_eq!(
                    (same.ssim.is_some(), same.by_window),
                    (!same.by_window, map.windows.grid().is_some_and(|g| g.axes.len() == 2)),
                    "{settings:?} {:?}",
                    same.notes
                );
                let (found, expected) = (compared(&read, &other), compared(&expected, &other));
                assert_eq!(
                    (found.spearman, found.pearson, found.ssim, found.top),
                    (expected.spearman, expected.pearson, expected.ssim, expected.top),
                    "{settings:?}"
                );
            }
        }
    }
    // A volume's grid of three axes is not one of channels and two.
    let volume = map(&[1, 6, 7, 5], &[("window", "2"), ("stride", "2")]);
    let read = file(&volume, Format::Npz, "m.npz", None).unwrap();
    let found = compared(&of(&volume, 0), &read);
    assert!(found.by_window && found.shape.len() == 3 && is_one(&found));
    assert!(
        found.notes.iter().any(|note| note.contains("m.npz: the first of 2 targets")),
        "{:?}",
        found.notes
    );
    let signal = map(&[3, 40], &[("window", "1x4"), ("stride", "1x2")]);
    let read = file(&signal, Format::Npz, "m.npz", Some("1")).unwrap();
    assert_eq!(compared(&of(&signal, 1), &read).shape, [40]);
}

#[test]
fn what_is_brought_together_is_said() {
    let fine = map(&[2, 13, 12], &[("window", "3"), ("stride", "1")]);
    let coarse = map(&[2, 13, 12], &[("window", "3"), ("stride", "2")]);
    let found = compared(&of(&fine, 0), &of(&fine, 1));
    assert_eq!(found.compared, "window by window, on one grid of 11 x 10");
    assert_eq!((found.n, found.left_out, found.shape), (110, 0, vec![11, 10]));
    let found = compared(&of(&fine, 0), &of(&coarse, 0));
    assert_eq!(found.compared, "evidence per place of the input, 13 x 12");
    assert!(found.spearman.unwrap().value > 0.3);

    let cam = array(&[1, 4, 6], &(0..24).map(|i| (i % 5) as f32).collect::<Vec<f32>>(), "cam.npy");
    let found = compared(&of(&fine, 0), &cam);
    assert_eq!(
        found.compared,
        "evidence per place of the input against the array's elements, 13 x 12; cam.npy enlarged linearly from 4 x 6 to 13 x 12, both taken to cover the same extent"
    );
    assert!(found.ssim.unwrap().scaled && found.notes.iter().any(|note| note.contains("Grad-CAM's authors")));
    // Numbers of the grid, as .npy files hold them, are those of its windows.
    let grid = array(&[11, 10], fine.sensitivity_of(0), "grid.npy");
    let found = compared(&grid, &of(&fine, 0));
    assert!(found.by_window && is_one(&found));
    assert!(found.notes[0].contains("grid.npy has the shape of map's grid"), "{:?}", found.notes);
}

#[test]
fn channels_are_summed_up_and_said() {
    let places: Vec<f32> = (0..20).map(|i| (i * 7 % 20) as f32).collect();
    let plain = array(&[4, 5], &places, "plain");
    let first: Vec<f32> = places.iter().map(|v| v * 0.25).chain(places.iter().map(|v| v * 0.75)).collect();
    let last: Vec<f32> = places.iter().flat_map(|v| [v * 0.25, v * 0.75]).collect();
    let sums = |found: &Comparison| found.notes.iter().filter(|note| note.contains("summed over")).count();
    for (shape, values) in [(vec![2, 4, 5], &first), (vec![1, 2, 4, 5], &first), (vec![4, 5, 2], &last)] {
        let found = compared(&plain, &array(&shape, values, "b"));
        assert!(is_one(&found) && sums(&found) == 1, "{shape:?} {:?}", found.notes);
    }
    // Where no shape fits, a short last axis behind a longer first one holds the channels.
    let found = compared(&array(&[12, 10], &[0.5; 120], "a"), &array(&[6, 5, 2], &[1.0; 60], "b"));
    assert!(
        sums(&found) == 1 && found.compared.contains("b enlarged linearly from 6 x 5 to 12 x 10"),
        "{found:?}"
    );
    let both = compared(&array(&[2, 4, 5], &first, "a"), &array(&[1, 4, 5], &places, "b"));
    assert!(both.shape == [4, 5] && is_one(&both) && sums(&both) == 1);
    let options = Options { axes: Some(3), ..Options::default() };
    let volumes =
        compare(&array(&[2, 4, 5], &first, "a"), &array(&[2, 4, 5], &first, "b"), &options).unwrap();
    assert_eq!((volumes.shape.clone(), sums(&volumes)), (vec![2, 4, 5], 0));
}

#[test]
fn unknown_places_constants_and_signs() {
    let nan = f32::NAN;
    let a = array(&[2, 4], &[1.0, 2.0, nan, 3.0, 9.0, 4.0, 7.0, nan], "a");
    let b = array(&[2, 4], &[1.0, nan, 5.0, 2.0, 8.0, 3.0, 4.0, nan], "b");
    let found = compared(&a, &b);
    assert_eq!((found.n, found.left_out, found.a.known, found.b.known), (5, 3, 6, 6));
    assert!(found.notes.iter().any(|note| note.contains("3 of 8 places are left out: a knows 6, b knows 6")));
    // 1, 3, 9, 4, 7 and 1, 2, 8, 3, 4 have the same ranks.
    assert!((found.spearman.unwrap().value - 1.0).abs() < 1e-12);
    assert!(
        found.notes.iter().any(|note| note.contains("shifts wrap around within the box")),
        "{:?}",
        found.notes
    );
    assert!(found.spearman.unwrap().p.is_some_and(|p| p > 0.0 && p <= 1.0));

    let flat = compared(&a, &array(&[2, 4], &[2.0; 8], "flat"));
    assert_eq!((flat.spearman, flat.pearson), (None, None));
    assert!(flat.notes.iter().any(|note| note.contains("flat is constant")), "{:?}", flat.notes);
    assert!((flat.top[2].value - flat.top[2].chance).abs() < 1e-12, "a constant map has no preference");

    let signed = array(&[6], &[3.0, -9.0, 2.0, -1.0, 0.0, 1.0], "signed");
    let cam = array(&[6], &[3.0, 0.0, 2.0, 0.0, 0.0, 1.0], "cam");
    let positive = Options { positive: true, ..Options::default() };
    assert!(compared(&signed, &cam).pearson.unwrap().value < 0.9);
    let found = compare(&signed, &cam, &positive).unwrap();
    assert!(found.positive && (found.pearson.unwrap().value - 1.0).abs() < 1e-12);
    let against =
        compare(&array(&[3], &[-1.0, -2.0, -3.0], "against"), &array(&[3], &[1.0, 2.0, 3.0], "b"), &positive);
    assert!(
        against
            .unwrap()
            .notes
            .iter()
            .any(|note| note.contains("against is constant where both are known (numbers below 0"))
    );
    let text = serde_json::to_string(&found).unwrap();
    assert_eq!(serde_json::from_str::<Comparison>(&text).unwrap(), found);
}

#[test]
fn what_cannot_be_compared() {
    let error =
        |a: &Evidence, b: &Evidence| compare(a, b, &Options::default()).expect_err("refused").to_string();
    let line = array(&[6], &[1.0; 6], "line");
    let map = map(&[2, 13, 12], &[("window", "3")]);
    assert!(error(&line, &of(&map, 0)).contains("line has 1 axis ([6]), expected 2 axes of places"));
    let many = array(&[2, 3, 4, 5], &[1.0; 120], "many");
    assert!(error(&of(&map, 0), &many).contains("many has 4 axes ([2, 3, 4, 5])"));
    assert!(error(&line, &array(&[6], &[f32::NAN; 6], "b")).contains("line knows 6 and b knows 0"));
    assert!(error(&line, &array(&[6], &[f32::INFINITY; 6], "b")).contains("b holds inf"));
    assert!(
        Evidence::of_map(&map, 2, "m")
            .expect_err("two")
            .to_string()
            .contains("m has no target 2: it has 2 targets")
    );
    assert!(
        Evidence::of_array(&[0, 3], vec![], "e")
            .expect_err("empty")
            .to_string()
            .contains("e has 0 numbers of shape [0, 3]")
    );
    let options = Options { axes: Some(1), ..Options::default() };
    assert!(
        compare(&of(&map, 0), &line, &options)
            .expect_err("rank")
            .to_string()
            .contains("the map has 2 spatial axes")
    );

    let parse = |bytes: &[u8], name: &str, target| {
        Evidence::parse(bytes, Path::new(name), target).expect_err("refused").to_string()
    };
    assert!(parse(b"hello", "a.npz", None).contains("a.npz is not a valid .npz file"));
    assert!(parse(b"hello", "a.json", None).contains("a.json is not a valid .json file"));
    assert!(
        parse(b"{\"schema\": \"other/1\"}", "a.json", None)
            .contains("it has the schema other/1, expected occlude.map/1")
    );
    assert!(parse(b"[]", "a.json", None).contains("it has no schema"));
    let npz = file(&map, Format::Npz, "m.npz", Some("5")).expect_err("five").to_string();
    assert!(npz.contains("m.npz has no target 5: it has 2 targets"), "{npz}");
    assert!(
        file(&map, Format::Npz, "m.npz", Some("cat"))
            .expect_err("name")
            .to_string()
            .contains("does not know its targets by name: cat")
    );
    let json = file(&map, Format::Json, "m.json", Some("cat")).expect_err("cat").to_string();
    assert!(json.contains("m.json has no target cat: it has "), "{json}");
    let mut bytes = output::encode(
        &map,
        &Picture { width: 1, height: 1, rgb: vec![0; 3], photographic: false, signal: None, volume: None },
        Format::Json,
    )
    .unwrap();
    let text = String::from_utf8(std::mem::take(&mut bytes)).unwrap();
    for (from, to, said) in [
        ("\"starts\": [0,", "\"starts\": [90,", "of 13 elements"),
        ("\"sensitivity\": [", "\"sensitivity\": [1,", "sensitivity has"),
        ("\"sensitivity\": [", "\"sensitivity\": [\"x\",", "its sensitivity holds \"x\""),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        assert!(
            parse(changed.as_bytes(), "m.json", None).contains(said),
            "{said}: {}",
            parse(changed.as_bytes(), "m.json", None)
        );
    }
}
