//! Maps as bytes and back: every kind of windows through a real run, bit for bit; bytes that were cut off or changed are an error or still a map that everything can draw and write.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use occlude::{
    BatchScorer, Direction, FileFact, Format, Input, Job, Labels, Layout, Map, Meaning, Model, Outputs,
    Picture, Placement, Settings, TensorSpec, Watch, Windows,
};

/// Bytes before the payload.
const HEADER: usize = 24;

fn spec() -> TensorSpec {
    TensorSpec::new("x", &[2, 6, 7], Layout::ChannelsFirst)
}

/// A run of a linear function of two outputs; after `stop` windows it is cancelled.
fn run_until(settings: &[(&str, &str)], stop: usize) -> (Map, Picture) {
    let mut all = Settings::default();
    for (name, value) in settings {
        all.set(name, value).unwrap();
    }
    let scorer = BatchScorer::new(vec![spec()], 1, "linear", |x: &[&[f32]], count: usize| {
        let sum = |x: &[f32]| -> f32 { x.iter().enumerate().map(|(i, v)| (i % 13) as f32 * v).sum() };
        let values = x[0].chunks(x[0].len() / count).flat_map(|x| [sum(x), 100.0 - sum(x)]).collect();
        Ok(Outputs { names: vec!["y".into()], shapes: vec![vec![1, 2]], values: vec![values] })
    });
    let labels = Labels::new(vec!["cat".into(), "\u{72ac}".into()]);
    let job = Job {
        scorer: &scorer,
        meaning: Meaning { class_output: Some(0), labels: labels.into(), ..Meaning::default() },
        settings: &all,
        read_image: None,
        model_file: FileFact { name: "net.onnx".into(), sha256: "ab".repeat(32) },
        load_secs: 0.25,
    };
    let input = Input::from_tensor(spec(), (0..84).map(|i| (i * 29 % 31) as f32 / 8.0).collect()).unwrap();
    let cancel = AtomicBool::new(false);
    let mut progress = |progress: &occlude::Progress| cancel.store(progress.done >= stop, Ordering::Relaxed);
    let map = job
        .run(&input, &mut Watch { cancel: Some(&cancel), progress: Some(&mut progress), ..Watch::default() })
        .unwrap();
    (map, input.picture)
}

fn run(settings: &[(&str, &str)]) -> Map {
    run_until(settings, usize::MAX).0
}

/// One map of every kind of windows, and of what else a map may hold.
fn kinds() -> Vec<(&'static str, Map)> {
    let folder = tempfile::tempdir().unwrap();
    let save = |name: &str, bytes: Vec<u8>| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_string()
    };
    let labels: Vec<i64> = (0..42).map(|i| [0, 4, 9][(i / 7 * 2 + i % 7) % 3]).collect();
    let labels = save("labels.npy", occlude::input::npy::encode(&[6, 7], &labels).unwrap());
    let names = save("names.csv", b"label,name\n9,liver\n".to_vec());
    let kept: Vec<f32> = (0..126).map(|i| (i % 5) as f32 / 4.0).collect();
    let kept = save("masks.npy", occlude::input::npy::encode(&[3, 6, 7], &kept).unwrap());
    let all = ("target", "all");
    vec![
        ("grid", run(&[("window", "3"), ("stride", "2"), all])),
        ("mindspore", run(&[("preset", "mindspore"), ("border", "margin"), ("fill", "0")])),
        ("soft", run(&[("window", "2x4x3"), ("shape", "soft"), ("aggregate", "gaussian"), all])),
        ("scales", run(&[("window", "2,3x4"), ("stride", "2,3")])),
        ("regions", run(&[("regions", &labels), ("region-names", &names), all])),
        ("drawn masks", run(&[("preset", "rise"), ("masks", "9:3:0.25"), ("seed", "7"), all])),
        ("read masks", run(&[("masks", &kept), ("aggregate", "mean")])),
        ("noise", run(&[("window", "3"), ("fill", "noise"), ("samples", "3"), all])),
        ("gaps", run(&[("window", "1"), ("stride", "3"), ("border", "drop"), ("roi", "0:4,2:7")])),
        ("stopped", run_until(&[("window", "2"), ("stride", "1")], 5).0),
    ]
}

/// Everything that a map can be asked for or written as, for files all but what draws.
fn use_all(map: &Map) {
    let (view, drawn, attribution) = (map.view(), map.drawn(), map.attribution());
    for target in 0..map.targets.len() {
        let _ =
            (map.summary(target), view.of(target).len(), drawn.of(target).len(), attribution.values.len());
        map.top_windows(target, Direction::For, 5);
    }
    for window in 0..map.windows.len() {
        let _ = (map.windows.describe(window), map.windows.title(window), map.windows.share(window));
    }
    let _ = (map.windows.coarse_to_fine(), map.windows.runs(), map.max_abs());
    let picture = Picture::of_tensor(&[0.5; 42], 1, 6, 7);
    for format in [Format::Npy, Format::Npz, Format::Json] {
        occlude::output::encode(map, &picture, format).unwrap();
    }
}

/// The bytes with the checksum and length that belong to them.
fn sealed_again(mut bytes: Vec<u8>) -> Vec<u8> {
    let (hash, length) = (crc32fast::hash(&bytes[HEADER..]), (bytes.len() - HEADER) as u64);
    bytes[12..16].copy_from_slice(&hash.to_le_bytes());
    bytes[16..24].copy_from_slice(&length.to_le_bytes());
    bytes
}

#[test]
fn every_kind_of_windows_comes_back() {
    for (kind, map) in kinds() {
        let bytes = map.to_bytes();
        let again = Map::from_bytes(&bytes).unwrap();
        // Every field; floats are written so that they differ if their bits do, but for the bits of a NaN, which the bytes show.
        assert_eq!(format!("{again:?}"), format!("{map:?}"), "{kind}");
        assert_eq!(again.to_bytes(), bytes, "{kind}");
        let picture = Picture::of_tensor(&[0.5; 42], 1, 6, 7);
        for format in [Format::Npy, Format::Json, Format::Png, Format::Html] {
            let encode = |map| occlude::output::encode(map, &picture, format).unwrap();
            assert_eq!(encode(&again), encode(&map), "{kind} {format:?}");
        }
        use_all(&again);
    }
    let kinds = kinds();
    let of = |name: &str| &kinds.iter().find(|(kind, _)| *kind == name).unwrap().1;
    assert!(matches!(of("scales").windows, Windows::Scales(_)));
    assert!(matches!(of("regions").windows, Windows::Regions(_)));
    assert!(matches!(of("drawn masks").windows, Windows::Masks(..)));
    assert!(matches!(of("read masks").windows, Windows::Masks(..)));
    assert!(of("noise").noise_spread.is_some());
    assert!(!of("stopped").is_complete() && of("stopped").scores.iter().any(|v| v.is_nan()));
    assert_eq!(Map::from_bytes(&of("grid").to_bytes()).unwrap().labels.name(1), "\u{72ac}");
}

#[test]
fn a_map_of_a_picture_by_the_engine_comes_back_with_its_picture() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.png");
    image::RgbImage::from_fn(60, 40, |x, y| image::Rgb([x as u8, y as u8, 200])).save(&path).unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/models/softmax.onnx");
    let mut settings = Settings::default();
    settings.set("approximate", "0.1").unwrap();
    let model = Model::open_with(file, &settings).unwrap();
    let input = model.read_input(&path).unwrap();
    let map = model.occlusion().window(2).stride(2).run(&input).unwrap();
    assert!(map.check.is_some() && map.work.is_some() && map.approximation.is_some());
    assert!(!map.geometry.is_identity() && map.geometry.unit == "px");
    let again = Map::from_bytes(&map.to_bytes()).unwrap();
    assert_eq!(format!("{again:?}"), format!("{map:?}"));
    let picture = Picture::from_bytes(&input.picture.to_bytes()).unwrap();
    assert_eq!(picture, input.picture);
    let page = |map, picture| occlude::output::encode(map, picture, Format::Html).unwrap();
    assert!(page(&again, &picture) == page(&map, &input.picture));
}

#[test]
fn the_bits_of_a_nan_and_of_zero_survive() {
    let mut map = run(&[("window", "3")]);
    for (at, bits) in [0x7fc0_1234u32, 0xffc0_0001, 0x8000_0000, 1].into_iter().enumerate() {
        map.sensitivity[at] = f32::from_bits(bits);
    }
    let again = Map::from_bytes(&map.to_bytes()).unwrap();
    let bits = |map: &Map| map.sensitivity.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&again), bits(&map));
}

#[test]
fn bytes_cut_off_anywhere_are_an_error() {
    for (kind, map) in kinds() {
        let bytes = map.to_bytes();
        for length in 0..bytes.len() {
            assert!(Map::from_bytes(&bytes[..length]).is_err(), "{kind}: {length} of {} bytes", bytes.len());
            if length >= HEADER {
                let sealed = sealed_again(bytes[..length].to_vec());
                assert!(Map::from_bytes(&sealed).is_err(), "{kind}: {length} bytes, sealed again");
            }
        }
    }
}

#[test]
fn changed_bytes_are_an_error_or_a_map_that_can_be_used() {
    let (mut refused, mut taken) = (0, 0);
    for (kind, map) in kinds() {
        let bytes = map.to_bytes();
        let mut random = 0x2545_f491_4f6c_dd1du64;
        for at in 0..bytes.len() {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            for value in [bytes[at] ^ 1 << (random % 8), bytes[at].wrapping_add(1)] {
                let mut changed = bytes.clone();
                changed[at] = value;
                if value == bytes[at] {
                    continue;
                }
                assert!(Map::from_bytes(&changed).is_err(), "{kind}: byte {at} is {value}");
                if at < HEADER {
                    continue;
                }
                match Map::from_bytes(&sealed_again(changed)) {
                    Err(_) => refused += 1,
                    Ok(map) => {
                        taken += 1;
                        use_all(&map);
                        // Drawing takes longer.
                        if taken % 500 == 0 {
                            let picture = Picture::of_tensor(&[0.5; 42], 1, 6, 7);
                            occlude::output::encode(&map, &picture, Format::Html).unwrap();
                        }
                    }
                }
            }
        }
    }
    assert!(refused > 1000 && taken > 1000, "{refused} refused, {taken} taken");
}

#[test]
fn a_map_that_does_not_hold_together_is_named() {
    let map = run(&[("window", "3"), ("stride", "3"), ("target", "all")]);
    assert_eq!((map.targets.len(), map.windows.len()), (2, 6));
    let error = |change: &dyn Fn(&mut Map)| {
        let mut changed = map.clone();
        change(&mut changed);
        let error = Map::from_bytes(&changed.to_bytes()).unwrap_err();
        assert_eq!(error.kind(), occlude::ErrorKind::File);
        assert!(error.hint().is_some());
        error.to_string()
    };
    let grid = |map: &mut Map, change: &dyn Fn(&mut occlude::Grid)| match &mut map.windows {
        Windows::Grid(grid) => change(grid),
        _ => unreachable!("a grid"),
    };
    type Change<'a> = &'a dyn Fn(&mut Map);
    let slice = |change: &dyn Fn(&mut Placement)| {
        let axes = [(0, false), (2, true), (1, false)];
        let affine = [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]];
        let mut placement = Placement {
            affine,
            size: [6, 3, 7],
            axes,
            slice: Some([1.0, 2.0]),
            is_assumed: false,
            steps: Vec::new(),
        };
        change(&mut placement);
        Some(placement)
    };
    let mut sound = map.clone();
    sound.geometry.placement = slice(&|_| {});
    use_all(&Map::from_bytes(&sound.to_bytes()).unwrap());
    occlude::output::encode(&sound, &Picture::of_tensor(&[0.5; 42], 1, 6, 7), Format::NiftiGz).unwrap();
    let cases: [(Change<'_>, &str); 16] = [
        (&|map| map.geometry.placement = slice(&|p| p.axes[0].0 = 2), "it lies along the axes"),
        (
            &|map| map.geometry.placement = slice(&|p| p.size[1] = 1 << 40),
            "of a volume of [6, 1099511627776, 7] voxels",
        ),
        (&|map| map.geometry.placement = slice(&|p| p.slice = None), "its input has 2 axes of places"),
        (&|map| map.geometry.placement = slice(&|p| p.affine[1][2] = f64::NAN), "the affine of its volume"),
        (
            &|map| map.sensitivity.truncate(11),
            "sensitivity has 11 numbers, its 2 targets and 6 windows need 12",
        ),
        (&|map| map.scores.push(0.0), "scores has 13 numbers"),
        (&|map| map.most_probable.as_mut().unwrap().windows.clear(), "most_probable has 0 numbers"),
        (&|map| map.noise_spread = Some(vec![]), "noise_spread has 0 numbers"),
        (&|map| map.targets.clear(), "no target or no window"),
        (&|map| map.computed = 5, "5 windows were computed, 6 have a score"),
        (&|map| map.check.as_mut().unwrap().windows[0] = 6, "names window 6 of 6"),
        (&|map| map.input.shape = vec![1 << 40, 1 << 40, 7], "expected 1 to 1073741824 elements"),
        (&|map| map.geometry.size = vec![6], "its geometry is of [6]"),
        (&|map| map.geometry.axes[0].offset = f64::NAN, "no number"),
        (&|map| grid(map, &|grid| grid.axes[0].ends[0] = 7), "axis 1 of its grid has 0:7 of 6 elements"),
        (&|map| grid(map, &|grid| grid.axes.truncate(1)), "its grid has the axes"),
    ];
    for (change, expected) in cases {
        let said = error(change);
        assert!(said.starts_with("the bytes of a map are damaged: ") && said.contains(expected), "{said}");
    }
    let mut newer = map.to_bytes();
    newer[8] = 4;
    let said = Map::from_bytes(&newer).unwrap_err();
    assert!(said.to_string().contains("format version 4, this version of occlude"), "{said}");
}
