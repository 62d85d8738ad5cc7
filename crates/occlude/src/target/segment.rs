//! Segmentation: the mean score of a class over the places that the model gives to it on the untouched input.
//!
//! In: an output with a score per class and place, `[1, C, places...]` or `[1, places..., C]`, or `[1, places...]` for one class. Out: measures whose mask is fixed by the untouched
//! input, so that a map asks how much the model still believes in what it saw there. The mask: places whose greatest class it is; where classes are independent (one channel, or a final Sigmoid)
//! places with a logit above 0, a probability above 1/2.

use std::sync::Arc;

use super::measure::{Kind, Known, Measure, Resolved};
use super::{Pick, Port, Target};
use crate::error::{Error, Result};
use crate::score::{Activation, Classes, Readout, ScoreKind};
use crate::tensor::{Layout, TensorSpec, shape_text};

/// Mean of a class's score over fixed places.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Segment {
    class: usize,
    readout: Readout,
    scores: Grid,
    mask: Arc<[usize]>,
}

/// Where the scores of a place lie: class `c` of place `p` is element `p * place_step + c * class_step`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Grid {
    classes: usize,
    places: usize,
    class_step: usize,
    place_step: usize,
}

impl Grid {
    fn of(shape: &[usize], input: &TensorSpec) -> Option<Grid> {
        let spatial = input.spatial().len();
        let axis = match shape.len().checked_sub(spatial)? {
            1 => None,
            2 if input.layout == Layout::ChannelsFirst => Some(1),
            2 => Some(shape.len() - 1),
            _ => return None,
        };
        let total: usize = shape.iter().product();
        let classes = axis.map_or(1, |axis| shape[axis]);
        if shape[0] != 1 || total == 0 {
            return None;
        }
        let places = total / classes;
        let (class_step, place_step) = if axis == Some(shape.len() - 1) { (1, classes) } else { (places, 1) };
        Some(Grid { classes, places, class_step, place_step })
    }

    fn at(&self, place: usize, class: usize) -> usize {
        place * self.place_step + class * self.class_step
    }
}

impl Segment {
    pub(super) fn read(&self, values: &[f32]) -> f32 {
        let grid = &self.scores;
        let mut of_place = vec![0.0; grid.classes];
        let score = |&place: &usize| {
            if self.readout.is_local() {
                return f64::from(self.readout.score(&[values[grid.at(place, self.class)]], 0));
            }
            for (class, value) in of_place.iter_mut().enumerate() {
                *value = values[grid.at(place, class)];
            }
            f64::from(self.readout.score(&of_place, self.class))
        };
        (self.mask.iter().map(score).sum::<f64>() / self.mask.len() as f64) as f32
    }
}

/// The output that holds the segmentation: the one that is named, else the only one with places in the input's proportions.
pub(crate) fn output<'a>(named: Option<&'a str>, ports: &[Port<'a>], input: &TensorSpec) -> Result<&'a str> {
    if let Some(name) = named {
        return Ok(name);
    }
    let fits = |port: &&Port<'_>| {
        // A vector of classes is no picture of one line.
        Grid::of(port.shape, input).is_some() && !super::is_vector(port.shape) && is_like(port.shape, input)
    };
    let all: Vec<&Port<'_>> = ports.iter().filter(fits).collect();
    let told = |ports: &[&Port<'_>]| {
        let one = |p: &&Port<'_>| format!("\"{}\" {}", p.name, shape_text(p.shape));
        ports.iter().map(one).collect::<Vec<_>>().join(", ")
    };
    match &all[..] {
        [one] => Ok(one.name),
        [] => Err(Error::unsupported(format!(
            "no output of the model is a segmentation of its input {input}: {}",
            told(&ports.iter().collect::<Vec<_>>())
        ))
        .with_hint("expected scores per class and place, as [1, classes, height, width] (nhwc: [1, height, width, classes]); an output of class numbers (ArgMax) has no scores")),
        several => Err(Error::argument(format!(
            "{} outputs of the model may be the segmentation: {}",
            several.len(),
            told(several)
        ))
        .with_hint(format!("name one: segment:CLASS@{}", several[0].name))),
    }
}

/// Whether the places of an output have the input's proportions, rounding of strides aside: pose angles `[1, 2, 3]` are no picture.
fn is_like(shape: &[usize], input: &TensorSpec) -> bool {
    let spatial = input.spatial();
    let has_classes = shape.len() == spatial.len() + 2;
    let from = 1 + usize::from(has_classes && input.layout == Layout::ChannelsFirst);
    let steps = spatial.iter().zip(&shape[from..]).map(|(&whole, &places)| whole as f64 / places as f64);
    let (least, most) = steps.fold((f64::INFINITY, 0.0f64), |(a, b), step| (a.min(step), b.max(step)));
    most <= 1.25 * least
}

pub(super) fn resolve(
    class: &Pick,
    named: Option<&str>,
    known: &Known<'_>,
    found: &mut Resolved,
) -> Result<Vec<Measure>> {
    let ports = known.ports();
    let name = output(named, &ports, known.input)?;
    let place = known.place(name)?;
    let (shape, values) = (&known.outputs.shapes[place], &known.outputs.values[place]);
    let scores = Grid::of(shape, known.input).ok_or_else(|| {
        Error::unsupported(format!(
            "the output \"{name}\" has shape {}, which is no segmentation of the input {}",
            shape_text(shape),
            known.input
        ))
        .with_hint("expected scores per class and place, as [1, classes, height, width] (nhwc: [1, height, width, classes])")
    })?;
    let readout = readout(name, &scores, values, known, found)?;
    let masks = masks(&scores, values, readout);
    let classes: Vec<usize> = match class {
        Pick::Top(count) => by_size(&masks).into_iter().take(*count).collect(),
        Pick::All => by_size(&masks),
        one => vec![known.class(one, scores.classes, name)?],
    };
    let wanted = if let Pick::Top(count) = class { *count } else { 0 };
    if classes.len() < wanted {
        return Err(Error::argument(format!(
            "target segment:top{wanted} asks for {wanted} classes: {} have a place in \"{name}\" on the untouched input",
            classes.len()
        ))
        .with_hint("segment:all is every class that has one"));
    }
    if let (Pick::Top(1), [first]) = (class, &classes[..]) {
        let others = by_size(&masks);
        if let Some(second) = others.get(1) {
            let (first, second) = (known.labels.short(*first), known.labels.short(*second));
            found.note(format!("segment:top1 is {first}, which has most places; segment:top2 adds {second}"));
        }
    }
    let measure = |class: usize| {
        let mask = &masks[class];
        let label = known.labels.short(class);
        if mask.is_empty() {
            let present: Vec<String> = by_size(&masks)
                .into_iter()
                .take(5)
                .map(|c| format!("{c} ({})", known.labels.short(c)))
                .collect();
            let hint = match present.len() {
                0 => "no class has one; check the preprocessing".to_string(),
                _ => format!("classes with places, most first: {}", present.join(", ")),
            };
            return Err(Error::argument(format!(
                "class {class} ({label}) has no place in \"{name}\" on the untouched input"
            ))
            .with_hint(hint));
        }
        let target = Target::Segment { class: Pick::Class(class), output: named.map(str::to_string) };
        Ok(Measure {
            label: format!("{label} in its {} of {} places", mask.len(), scores.places),
            spec: target.to_string(),
            class: Some(class),
            unit: readout.unit().to_string(),
            output: place,
            kind: Kind::Segment(Segment { class, readout, scores, mask: mask.clone().into() }),
        })
    };
    classes.into_iter().map(measure).collect()
}

/// As asked for, else the output as it is: logits where nothing else is known.
fn readout(
    name: &str,
    scores: &Grid,
    values: &[f32],
    known: &Known<'_>,
    found: &mut Resolved,
) -> Result<Readout> {
    let activation = known.ending(name);
    if let Some(said) = known.said {
        said.check(activation, scores.classes)?;
    }
    let independent = match activation {
        Activation::Sigmoid => true,
        Activation::Softmax | Activation::LogSoftmax => false,
        Activation::None => {
            scores.classes == 1 || known.said.map_or(known.multi_label, |said| said == Classes::Independent)
        }
    };
    let as_it_is = match activation {
        Activation::None | Activation::LogSoftmax => ScoreKind::Logit,
        Activation::Softmax | Activation::Sigmoid => ScoreKind::Probability,
    };
    let told = match activation {
        Activation::None => "taken as logits".to_string(),
        ending => format!("ends in {ending:?}"),
    };
    let rule = match (independent, activation) {
        (false, _) => "a class's places are those where it is the greatest",
        (true, Activation::Sigmoid) => "a class's places are those with a probability above 1/2",
        (true, _) => "a class's places are those with a logit above 0",
    };
    found.note(format!("segmentation from \"{name}\", {told}: {rule} on the untouched input"));
    if activation == Activation::None && independent && values.iter().all(|v| (0.0..=1.0).contains(v)) {
        found.note(format!(
            "all values of \"{name}\" are between 0 and 1: if they are probabilities, not logits, every place with more than 0 is in the mask"
        ));
    }
    Ok(Readout { kind: known.score.unwrap_or(as_it_is), activation, multi_label: independent })
}

/// The places of every class, in order.
fn masks(grid: &Grid, values: &[f32], readout: Readout) -> Vec<Vec<usize>> {
    let mut masks = vec![Vec::new(); grid.classes];
    let threshold = if readout.activation == Activation::Sigmoid { 0.5 } else { 0.0 };
    for place in 0..grid.places {
        let value = |class: usize| values[grid.at(place, class)];
        if readout.multi_label {
            for (class, mask) in masks.iter_mut().enumerate() {
                if value(class) > threshold {
                    mask.push(place);
                }
            }
        } else {
            let best = (1..grid.classes)
                .fold(0, |best, class| if value(class) > value(best) { class } else { best });
            masks[best].push(place);
        }
    }
    masks
}

/// Classes that have a place, most places first.
fn by_size(masks: &[Vec<usize>]) -> Vec<usize> {
    let mut classes: Vec<usize> = (0..masks.len()).filter(|&class| !masks[class].is_empty()).collect();
    classes.sort_by_key(|&class| (std::cmp::Reverse(masks[class].len()), class));
    classes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model_folder::Labels;
    use crate::scorer::Outputs;
    use crate::target::Boxes;

    /// Labels, units and numbers of a target on one untouched output, and on a second run.
    fn read(
        target: &str,
        shape: &[usize],
        layout: Layout,
        ending: Activation,
        score: Option<ScoreKind>,
        runs: [&[f32]; 2],
    ) -> Result<Vec<(String, String, f32, f32)>> {
        read_as(target, shape, layout, ending, (score, false), runs)
    }

    fn read_as(
        target: &str,
        shape: &[usize],
        layout: Layout,
        ending: Activation,
        (score, multi_label): (Option<ScoreKind>, bool),
        runs: [&[f32]; 2],
    ) -> Result<Vec<(String, String, f32, f32)>> {
        let outputs = Outputs {
            names: vec!["out".into()],
            shapes: vec![shape.to_vec()],
            values: vec![runs[0].to_vec()],
        };
        let labels = Labels::new(["sky", "", "cat"].map(String::from).to_vec());
        let known = Known {
            outputs: &outputs,
            classes: None,
            labels: &labels,
            input: &TensorSpec::new(
                "x",
                if layout == Layout::ChannelsFirst { &[1, 2, 2] } else { &[2, 2, 1] },
                layout,
            ),
            channel_axes: &std::collections::BTreeMap::new(),
            endings: &[("out".to_string(), ending)],
            score,
            said: None,
            multi_label,
            boxes: &Boxes::default(),
        };
        let measures = super::super::resolve(&Target::parse(target)?, &known)?.measures;
        let one = |m: &Measure| (m.label.clone(), m.unit.clone(), m.read(&[runs[0]]), m.read(&[runs[1]]));
        Ok(measures.iter().map(one).collect())
    }

    /// Places 0 to 3; class 0 is greatest at 0 and 3, class 2 at 1 and 2 (of equals the first class).
    const FIRST: [f32; 12] = [5.0, 0.0, 1.0, 2.0, 1.0, 1.0, 1.0, 2.0, 0.0, 4.0, 3.0, 2.0];
    const CHANGED: [f32; 12] = [1.0, 0.0, 9.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, -3.0, 7.0];

    #[test]
    fn the_mean_over_the_mask_of_the_untouched_input() {
        let shape = [1, 3, 2, 2];
        let run = |target: &str| {
            read(target, &shape, Layout::ChannelsFirst, Activation::None, None, [&FIRST, &CHANGED])
        };
        let sky = ("sky in its 2 of 4 places".to_string(), "logit".to_string(), 3.5, 1.5);
        let cat = ("cat in its 2 of 4 places".to_string(), "logit".to_string(), 3.5, -1.0);
        assert_eq!(run("segment:0").expect("sky"), std::slice::from_ref(&sky));
        assert_eq!(run("segment:cat").expect("by name"), std::slice::from_ref(&cat));
        assert_eq!(run("segment:top2").expect("two"), [sky.clone(), cat.clone()]);
        assert_eq!(run("segment:all").expect("those with places"), [sky, cat]);
        let error = run("segment:1").expect_err("no place");
        assert!(error.to_string().contains("class 1 (class 1) has no place in \"out\""), "{error}");
        assert_eq!(error.hint(), Some("classes with places, most first: 0 (sky), 2 (cat)"));
    }

    #[test]
    fn a_model_folder_that_says_multi_label_is_believed() {
        let run = |multi_label| {
            let (first, none) = (Layout::ChannelsFirst, Activation::None);
            read_as("segment:0", &[1, 3, 2, 2], first, none, (None, multi_label), [&FIRST, &CHANGED])
        };
        // Its places are those with a logit above 0: 0, 2 and 3.
        let got = run(true).expect("has places");
        assert_eq!((got[0].0.as_str(), got[0].2), ("sky in its 3 of 4 places", 8.0 / 3.0));
        assert_eq!(run(false).expect("has places")[0].2, 3.5);
    }

    #[test]
    fn channels_last_and_other_quantities() {
        let last: Vec<Vec<f32>> = [FIRST, CHANGED]
            .iter()
            .map(|v| (0..4).flat_map(|place| (0..3).map(move |class| v[class * 4 + place])).collect())
            .collect();
        let runs = [&last[0][..], &last[1][..]];
        let shape = [1, 2, 2, 3];
        let got =
            read("segment:2", &shape, Layout::ChannelsLast, Activation::None, None, runs).expect("good");
        assert_eq!((got[0].2, got[0].3), (3.5, -1.0));
        let margin = Some(ScoreKind::Margin);
        let got =
            read("segment:2", &shape, Layout::ChannelsLast, Activation::None, margin, runs).expect("good");
        // 4 - 1 and 3 - 1; then 1 - 0 and -3 - 9.
        assert_eq!((got[0].1.as_str(), got[0].2, got[0].3), ("logit margin", 2.5, -5.5));
    }

    #[test]
    fn one_class_is_there_above_a_threshold() {
        let first = Layout::ChannelsFirst;
        let logits = [&[1.0, -1.0, 0.5, 0.0][..], &[2.0, 8.0, -1.0, 9.0]];
        for shape in [&[1, 1, 2, 2][..], &[1, 2, 2]] {
            let got = read("segment:0", shape, first, Activation::None, None, logits).expect("logits");
            assert_eq!((got[0].2, got[0].3), (0.75, 0.5));
        }
        let shares = [&[0.75, 0.25, 0.5, 1.0][..], &[0.5, 1.0, 1.0, 0.25]];
        let got = read("segment:0", &[1, 1, 2, 2], first, Activation::Sigmoid, None, shares).expect("shares");
        assert_eq!((got[0].1.as_str(), got[0].2, got[0].3), ("probability", 0.875, 0.375));
        let never = [&[-1.0; 4][..], &[-1.0; 4]];
        let error =
            read("segment:0", &[1, 1, 2, 2], first, Activation::None, None, never).expect_err("empty");
        assert_eq!(error.hint(), Some("no class has one; check the preprocessing"));
    }
}
