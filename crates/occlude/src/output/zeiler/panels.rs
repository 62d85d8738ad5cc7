//! What the page and the figure of the five panels share: titles, captions, scales, colours of classes, the projection as a picture, cells.
//!
//! In: a [`Zeiler`] and its [`Input`]. Out: [`Panels`]. Nothing is drawn here.

use crate::colour;
use crate::error::{Error, Result};
use crate::input::{ColourOrder, Input, Picture};
use crate::occlusion::{Border, GridAxis};
use crate::output::words;
use crate::zeiler::{Strongest, Zeiler};

/// A class of panel (e).
pub(in crate::output) struct Shown {
    /// The classes it stands for: one, or all that have no colour of their own.
    pub classes: Vec<usize>,
    pub label: String,
    /// At how many positions.
    pub count: usize,
    pub colour: [u8; 3],
}

/// The five panels in words, ranges and colours.
pub(in crate::output) struct Panels {
    /// The class.
    pub title: String,
    pub lead: String,
    pub names: [&'static str; 5],
    pub captions: [String; 5],
    /// Least and greatest value of (b) and (d), the untouched input's among them.
    pub activity: [f32; 2],
    pub probability: [f32; 2],
    /// Edges of the cells along each axis, in fractions of the picture: one more than there are cells.
    pub rows: Vec<f64>,
    pub cols: Vec<f64>,
    pub legend: Vec<Shown>,
    pub projection: Picture,
    /// The positions of least total activity and of least probability.
    pub least: [Option<usize>; 2],
}

impl Panels {
    /// # Errors
    /// Unsupported: an input without two spatial axes.
    pub(in crate::output) fn of(found: &Zeiler, input: &Input) -> Result<Panels> {
        let map = &found.map;
        let axes: &[GridAxis] = map.windows.grid().map_or(&[], |grid| &grid.axes);
        let [row_axis, col_axis] = axes else {
            return Err(Error::unsupported("the five panels are drawn on one grid of rows and columns"));
        };
        let (class, layer) = (found.class(), &found.feature_map);
        let is_most_probable = map.most_probable.as_ref().is_some_and(|m| class.class == Some(m.baseline));
        let by = match layer.strongest {
            Strongest::Sum => "sum",
            Strongest::Max => "largest activation",
        };
        let lead = format!(
            "probability {} on the untouched input{}; the strongest of the {} feature maps of {} is number {} (by {by})",
            words::number(class.baseline),
            if is_most_probable { ", the most probable class" } else { "" },
            layer.channels,
            layer.layer,
            layer.channel,
        );
        let untouched = |value: f32| format!("{} on the untouched input", words::number(value));
        let seed = &found.projection.seed;
        let (projection, limit) = picture_of(found, input);
        let name =
            if map.provenance.input.name.is_empty() { "the input" } else { &map.provenance.input.name };
        let captions = [
            format!(
                "What the model saw of {name}. Solid frame: the position that lowers (b) most; dashed: the one that lowers (d) most"
            ),
            format!(
                "Sum of feature map {} over all its places, by the position of the occluder; {}. Dark: hiding this place silences the map",
                layer.channel,
                untouched(map.targets[1].baseline)
            ),
            format!(
                "The largest activation of that map ({} at {} of {}) projected back by the deconvnet, all others zero. Grey is nothing, the ends are ±{}",
                words::number(seed.value),
                place_text(&seed.place),
                seed.tensor,
                words::number(limit)
            ),
            format!(
                "Probability of {}, by the position of the occluder; {}. Dark: hiding this place takes the class away",
                class.label,
                untouched(class.baseline)
            ),
            "The class that the model says, by the position of the occluder".to_owned(),
        ];
        let legend = legend(found);
        Ok(Panels {
            title: class.label.clone(),
            lead,
            names: [
                "Input",
                "Strongest feature map",
                "What excites it most",
                "Probability of the class",
                "Most probable class",
            ],
            captions,
            activity: range(found.activity(), map.targets[1].baseline),
            probability: range(found.probability(), class.baseline),
            rows: edges(row_axis, map),
            cols: edges(col_axis, map),
            legend,
            projection,
            least: [least(found.activity()), least(found.probability())],
        })
    }

    /// The colour of a class.
    pub(in crate::output) fn class_colour(&self, class: usize) -> [u8; 3] {
        let shown = self.legend.iter().find(|shown| shown.classes.contains(&class));
        shown.map_or(colour::OTHER_CLASSES, |shown| shown.colour)
    }
}

fn place_text(place: &[usize]) -> String {
    match place {
        [row, column] => format!("row {row}, column {column}"),
        [] => "its only place".to_owned(),
        other => format!("{other:?}"),
    }
}

fn range(values: &[f32], baseline: f32) -> [f32; 2] {
    values.iter().filter(|v| v.is_finite()).fold([baseline; 2], |[low, high], &v| [low.min(v), high.max(v)])
}

fn least(values: &[f32]) -> Option<usize> {
    (0..values.len())
        .filter(|&i| !values[i].is_nan())
        .reduce(|best, i| if values[i] < values[best] { i } else { best })
}

/// Half-way between the positions of neighbouring windows; the outermost cells are as wide as their neighbours, inside the picture.
fn edges(axis: &GridAxis, map: &crate::map::Map) -> Vec<f64> {
    let is_centred = map.windows.grid().is_some_and(|grid| grid.border == Border::Center);
    let length = axis.length as f64;
    let position = |i: usize| {
        let (start, end) = (axis.starts[i] as f64, axis.ends[i] as f64);
        let half = (axis.window / 2) as f64;
        // A window that was cut off still stands for the position that it was centred on.
        match (is_centred, axis.starts[i] == 0) {
            (true, true) => end - (axis.window as f64 - half) + 0.5,
            (true, false) => start + half + 0.5,
            _ => (start + end) / 2.0,
        }
    };
    let count = axis.len();
    let positions: Vec<f64> = (0..count).map(position).collect();
    let step = axis.stride as f64;
    let mut edges = vec![(positions[0] - step / 2.0).max(0.0)];
    edges.extend(positions.windows(2).map(|pair| (pair[0] + pair[1]) / 2.0));
    edges.push((positions[count - 1] + step / 2.0).min(length));
    edges.iter().map(|edge| edge / length).collect()
}

/// The most frequent classes with a colour each, the rest together. The class of the untouched input comes first.
fn legend(found: &Zeiler) -> Vec<Shown> {
    let said = found.map.most_probable.as_ref().map(|m| m.baseline);
    let mut classes = found.classes();
    classes.sort_by_key(|&(class, _)| Some(class) != said);
    let own = if classes.len() > colour::CLASSES.len() { colour::CLASSES.len() } else { classes.len() };
    let mut legend: Vec<Shown> = classes[..own]
        .iter()
        .zip(colour::CLASSES)
        .map(|(&(class, count), colour)| Shown {
            classes: vec![class],
            label: found.map.labels.short(class),
            count,
            colour,
        })
        .collect();
    let rest = &classes[own..];
    if !rest.is_empty() {
        legend.push(Shown {
            classes: rest.iter().map(|(class, _)| *class).collect(),
            label: format!("{} other classes", rest.len()),
            count: rest.iter().map(|(_, count)| count).sum(),
            colour: colour::OTHER_CLASSES,
        });
    }
    legend
}

/// The projection around mid-grey, in colours where the input has three channels, and the value at black and white. That is the 99.9th percentile of the magnitudes that
/// are not zero: single points would leave the rest grey.
fn picture_of(found: &Zeiler, input: &Input) -> (Picture, f32) {
    let (spec, values) = (&input.spec, &found.projection.values);
    let spatial = spec.spatial();
    let (height, width, channels) = (spatial[0], spatial[1], spec.channels());
    let mut sizes: Vec<f32> = values.iter().map(|v| v.abs()).filter(|v| *v > 0.0).collect();
    sizes.sort_by(f32::total_cmp);
    let limit =
        sizes.get((sizes.len() * 999 / 1000).min(sizes.len().saturating_sub(1))).copied().unwrap_or(0.0);
    let byte = |v: f32| {
        let share = if limit > 0.0 { (v / limit).clamp(-1.0, 1.0) } else { 0.0 };
        (127.5 + 127.5 * share).round() as u8
    };
    let is_bgr = input.preprocess.as_ref().is_some_and(|p| p.colours == ColourOrder::Bgr);
    let is_last = spec.channel_axis.is_some_and(|axis| axis > 0);
    let mut rgb = Vec::with_capacity(3 * height * width);
    for pixel in 0..height * width {
        let of = |channel: usize| {
            values[if is_last { pixel * channels + channel } else { channel * height * width + pixel }]
        };
        if channels == 3 {
            let order = if is_bgr { [2, 1, 0] } else { [0, 1, 2] };
            rgb.extend(order.map(|channel| byte(of(channel))));
        } else {
            let mean = (0..channels).map(of).sum::<f32>() / channels.max(1) as f32;
            rgb.extend([byte(mean); 3]);
        }
    }
    (Picture { width, height, rgb, photographic: false, signal: None, volume: None }, limit)
}
