//! `docs/definitions.md` and its pictures are what the code does: every preset run on one small example, written by `UPDATE=1 cargo test --release -p occlude --test definitions`, and compared here.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use occlude::colour::Scale;
use occlude::{
    BatchScorer, Cells, Input, Job, Layout, Map, Masks, Meaning, Outputs, Preset, Settings, TensorSpec, Watch,
};

const HEIGHT: usize = 48;
const WIDTH: usize = 64;
/// Screen pixels per element of the input.
const ZOOM: usize = 4;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

/// A bright ring left of the middle, a bar in the right upper corner, on a dark ground.
fn picture() -> Vec<f32> {
    let value = |r: usize, c: usize| {
        let distance = ((r as f32 - 26.0).powi(2) + (c as f32 - 24.0).powi(2)).sqrt();
        let (ring, bar) = ((9.0..14.0).contains(&distance), (4..10).contains(&r) && (44..60).contains(&c));
        if ring {
            1.0
        } else if bar {
            0.8
        } else {
            0.1
        }
    };
    (0..HEIGHT * WIDTH).map(|i| value(i / WIDTH, i % WIDTH)).collect()
}

/// "Ring" or "bar": logits from the light in the ring's place and in the bar's, so that the truth is known. Padding around the picture counts for nothing.
fn model(x: &[f32], shape: &[usize]) -> [f32; 2] {
    let (top, left) = ((shape[1] - HEIGHT) / 2, (shape[2] - WIDTH) / 2);
    let (mut ring, mut bar) = (0.0f64, 0.0f64);
    for r in 0..HEIGHT {
        for c in 0..WIDTH {
            let value = f64::from(x[(r + top) * shape[2] + c + left]);
            let distance = ((r as f64 - 26.0).powi(2) + (c as f64 - 24.0).powi(2)).sqrt();
            if (9.0..14.0).contains(&distance) {
                // Its upper half matters twice.
                ring += value * if r < 26 { 2.0 } else { 1.0 };
            }
            if (4..10).contains(&r) && (44..60).contains(&c) {
                bar += value;
            }
        }
    }
    let logit = 0.012 * ring - 0.025 * bar - 2.2;
    let p = 1.0 / (1.0 + (-logit).exp());
    [p as f32, 1.0 - p as f32]
}

fn settings(preset: Preset) -> Settings {
    let mut settings = Settings::default();
    settings.take_preset(preset);
    // The window of the example; an odd one where the origin needs that.
    let size = match preset {
        Preset::Monai09 | Preset::Nolearn | Preset::Kazuto1011 => 13,
        _ => 12,
    };
    if preset == Preset::Rise {
        settings.masks = Some(Masks::Drawn { count: 500, cells: 7, keep: 0.5 });
    } else if preset != Preset::MindSporeXai {
        settings.window = Some(vec![vec![size]]);
    }
    if preset == Preset::Xaitk || preset == Preset::Xplique {
        settings.stride = Some(vec![vec![5]]);
    }
    if preset == Preset::TfExplain {
        // Its fill is for pictures from 0 to 255.
        settings.set("fill", "0.5").unwrap();
    }
    settings
}

fn run(settings: &Settings) -> Map {
    let spec = TensorSpec::new("x", &[1, HEIGHT, WIDTH], Layout::ChannelsFirst);
    let mut input = Input::from_tensor(spec, picture()).unwrap();
    if settings.padded {
        let around = settings.windows_for(&input.spec).unwrap()[0][0] / 2;
        input = input.padded(&[around, around], &[0.0]);
    }
    let shape = input.spec.shape.clone();
    let scorer = BatchScorer::new(vec![input.spec.clone()], 64, "example", |x: &[&[f32]], count: usize| {
        let values = x[0].chunks(x[0].len() / count).flat_map(|x| model(x, &shape)).collect();
        Ok(Outputs { names: vec!["p".into()], shapes: vec![vec![1, 2]], values: vec![values] })
    });
    let job = Job {
        scorer: &scorer,
        meaning: Meaning {
            class_output: Some(0),
            activation: occlude::Activation::Softmax,
            ..Meaning::default()
        },
        settings,
        read_image: None,
        model_file: occlude::FileFact::default(),
        load_secs: 0.0,
    };
    job.run(&input, &mut Watch::default()).unwrap()
}

/// The map as the definition says, in the colours of every map: its numbers, or, where they are scores and not differences, their difference from the untouched one.
fn drawn(map: &Map) -> Vec<u8> {
    let view = map.drawn();
    let scale = Scale::about_zero(view.of(0).iter().copied());
    let (rows, columns) = {
        let axes = &view.grid.axes[view.grid.axes.len() - 2..];
        (&axes[0], &axes[1])
    };
    let (height, width) = (rows.length, columns.length);
    let mut image = image::RgbImage::from_pixel(
        (width * ZOOM) as u32,
        (height * ZOOM) as u32,
        image::Rgb([250, 250, 248]),
    );
    let nearest = |axis: &occlude::GridAxis, at: f64| {
        let off = |i: usize| ((axis.starts[i] + axis.ends[i]) as f64 / 2.0 - at).abs();
        (0..axis.len()).fold(0, |best, i| if off(i) < off(best) { i } else { best })
    };
    for y in 0..height * ZOOM {
        for x in 0..width * ZOOM {
            let at = |p: usize| (p as f64 + 0.5) / ZOOM as f64;
            let (r, c) = (nearest(rows, at(y)), nearest(columns, at(x)));
            let inside = |axis: &occlude::GridAxis, i: usize, p: f64| {
                view.cells == Cells::Windows || (axis.starts[i] as f64 <= p && p < axis.ends[i] as f64)
            };
            if inside(rows, r, at(y))
                && inside(columns, c, at(x))
                && let Some(colour) = scale.colour(view.of(0)[r * columns.len() + c])
            {
                image.put_pixel(x as u32, y as u32, image::Rgb(colour));
            }
        }
    }
    png(&image)
}

fn png(image: &image::RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoder = image::codecs::png::PngEncoder::new(&mut bytes);
    image::ImageEncoder::write_image(
        encoder,
        image,
        image.width(),
        image.height(),
        image::ExtendedColorType::Rgb8,
    )
    .unwrap();
    bytes
}

fn input_picture() -> Vec<u8> {
    let values = picture();
    png(&image::RgbImage::from_fn((WIDTH * ZOOM) as u32, (HEIGHT * ZOOM) as u32, |x, y| {
        let grey = (values[y as usize / ZOOM * WIDTH + x as usize / ZOOM] * 235.0) as u8;
        image::Rgb([grey; 3])
    }))
}

const HEAD: &str = "# Definitions

<!-- Written by `UPDATE=1 cargo test --release -p occlude --test definitions`; the same test fails where this page and the code differ. -->

Hide a part of the input, ask the model again, see how the answer changes: every library writes that down in its own way, and no two agree. Here each definition in use has a name.
`--preset NAME` (in the crate `Preset`, `Settings::take_preset`) sets everything that the definition fixes; every flag given beside it replaces one choice. Without a preset the map
is the plain one: the fall of the score on a grid of windows, nothing joined, scaled or made absolute.

All presets below see the same small picture: a bright ring and a bar. The model is a function whose truth is known: it answers \"ring\" from the light in the ring (its upper half counts
twice) and against the light in the bar. The window is 12 elements (13 where the origin needs an odd one), the stride each origin's default (5 for Xplique and xaitk, whose defaults are for
larger pictures).

![The input](definitions/input.png)

Pictures always show how much the score falls: red holds evidence for the ring, blue against it. Files (`.npy`, `.npz`, `.json`) hold the origin's own numbers, which for some are the
score itself; `lowest` and `highest` below are those.

";

const TAIL: &str = "
## Where an origin shows a defect

Every number that `tests/conformance/peer_vectors.json` keeps of the peers is a test, on the incremental engine and through a function. These show a defect; here the documented meaning
is computed instead:

| vector | origin | what it does | what is done here |
|---|---|---|---|
| v041 | MONAI 1.6.1 | `mean_patch` multiplies the patch by its mean | the patch is replaced by its mean |
| v048 | MONAI 1.6.1 | a whole number as `mode` is a TypeError | it is a fill |
| v049 | MONAI 1.6.1 | a function as `mode` always raises | what it returns is the fill |
| v070 | PAIR 0.2.1 | pictures of whole numbers fail | they are converted |
| v083 | tf-explain 0.3.1 | rows and columns are swapped on pictures that are not square | they are not |
| v084 | kazuto1011 | columns start at the second one | they start at the first |

Reproduced as they are, because their users have these numbers:

| vector | origin | what to know |
|---|---|---|
| v032 | MONAI 0.9.1 | `per_channel=False` without a box hides the first channel only (the shape that windows are cut off at is overwritten); `--preset monai-0.9 --channels joint` hides all of them, as documented |
| v085, v086 | nolearn | the square lies one element before the place that it is written to |
| v090, v091, v092 | MindSpore-XAI | biased: sums are divided by one more than the number of windows, and the sign is lost |

None is left out. v035, v036 and v050 are refused here as there; v076 has scores and no model, and is a test of its own.
";

#[test]
fn the_page_is_what_the_code_does() {
    let mut page = String::from(HEAD);
    let mut table = String::from(
        "| preset | borders | channels | written down | joined | uncovered | scaled | enlarged |\n|---|---|---|---|---|---|---|---|\n",
    );
    let mut sections = String::new();
    let mut files: Vec<(PathBuf, Vec<u8>)> = vec![("definitions/input.png".into(), input_picture())];
    for (name, preset) in Preset::ALL {
        let settings = settings(preset);
        let map = run(&settings);
        let arguments = settings.arguments(&map.input, map.score);
        let said = |name: &str| arguments.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v.as_str());
        let border = if preset == Preset::Rise { "masks" } else { said("border") };
        writeln!(
            table,
            "| [`{name}`](#{}) | {border} | {} | {} | {} | {} | {} | {} |",
            name.replace('.', ""),
            said("channels"),
            said("value"),
            if preset == Preset::Rise { "RISE's estimator" } else { said("aggregate") },
            said("uncovered"),
            said("normalize"),
            said("upsample")
        )
        .unwrap();
        let view = map.view();
        let known: Vec<f32> = view.of(0).iter().copied().filter(|v| !v.is_nan()).collect();
        let (low, high) = known.iter().fold((f32::MAX, f32::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
        let file = format!("definitions/{name}.png");
        let windows = if preset == Preset::Rise {
            format!("{} random masks", map.windows.len())
        } else {
            format!("window {}, stride {}, {} windows", said("window"), said("stride"), map.windows.len())
        };
        let runs = map.windows.runs().len();
        let runs = if runs < map.windows.len() { format!(" ({runs} runs)") } else { String::new() };
        writeln!(sections, "## {name}\n\n{}.\n\n![{name}]({file})\n\n{}\n", preset.origin(), preset.choose())
            .unwrap();
        writeln!(
            sections,
            "On the example: {windows}{runs}, fill {}, score {}; lowest {low:.4}, highest {high:.4}, map of {}.",
            said("fill"),
            said("score"),
            view.grid.shape().iter().map(usize::to_string).collect::<Vec<_>>().join(" x ")
        )
        .unwrap();
        if !preset.repairs().is_empty() {
            writeln!(sections, "\nRepaired: {}.", preset.repairs()).unwrap();
        }
        sections.push('\n');
        files.push((file.into(), drawn(&map)));
    }
    write!(page, "{table}\n{sections}").unwrap();
    page.push_str(TAIL.trim_start());
    files.push(("definitions.md".into(), page.into_bytes()));
    for (file, bytes) in files {
        let path = folder().join(&file);
        if std::env::var_os("UPDATE").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &bytes).unwrap();
        }
        let kept = std::fs::read(&path).unwrap_or_default();
        assert!(
            kept == bytes,
            "{} is stale: UPDATE=1 cargo test --release -p occlude --test definitions",
            path.display()
        );
    }
}
