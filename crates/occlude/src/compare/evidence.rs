//! One side of a comparison, and how two sides are brought onto the same places.
//!
//! In: a [`Map`] with one of its targets, or an array from elsewhere. Out: two lists of numbers over one shape, with what was done to them in words. Reading files is in `read`.

use std::sync::Arc;

use super::Options;
use super::enlarge::enlarge;
use crate::error::{Error, Result};
use crate::map::{Map, Provenance};
use crate::occlusion::{AxisRole, Grid};
use crate::tensor::shape_text;

/// A last axis of at most so many elements behind a longer first one holds channels; three axes with so few in front are channels, rows, columns.
const CHANNELS: usize = 4;

/// What one side of a comparison is: the evidence for one target.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// What it is called: a file, `a`, `b`.
    pub name: String,
    /// The target, where it is known.
    pub target: Option<String>,
    /// The unit, where it is known.
    pub unit: Option<String>,
    /// What was chosen silently, in words.
    pub notes: Vec<String>,
    pub(super) values: Vec<f32>,
    pub(super) shape: Vec<usize>,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// An occlusion map: evidence per place of the input, and of windows on one grid their own numbers.
    Map { cells: Option<Cells> },
    /// Numbers of which nothing is known but their shape.
    Array,
}

/// One number per window of a grid of places.
#[derive(Clone, Debug)]
pub(super) struct Cells {
    pub(super) values: Vec<f32>,
    /// First elements and ends of the windows, per axis.
    pub(super) bounds: Vec<(Vec<usize>, Vec<usize>)>,
}

impl Cells {
    fn shape(&self) -> Vec<usize> {
        self.bounds.iter().map(|(starts, _)| starts.len()).collect()
    }
}

impl Evidence {
    /// One target of a map: its [evidence per place](Map::evidence_of_places), and its sensitivities where windows lie on one grid of places.
    ///
    /// # Errors
    /// Argument: no such target.
    pub fn of_map(map: &Map, target: usize, name: impl Into<String>) -> Result<Evidence> {
        let name = name.into();
        let Some(measured) = map.targets.get(target) else {
            return Err(no_target(&name, &target.to_string(), map.targets.len()));
        };
        let shape = map.input.spatial();
        let is_of_places = |grid: &&Grid| grid.axes.iter().all(|axis| axis.role != AxisRole::Channel);
        let cells = map.windows.grid().filter(is_of_places).map(|grid| Cells {
            values: map.sensitivity_of(target).to_vec(),
            bounds: grid.axes.iter().map(|axis| (axis.starts.clone(), axis.ends.clone())).collect(),
        });
        Ok(Evidence {
            name,
            target: Some(measured.label.clone()),
            unit: Some(measured.unit.clone()),
            notes: Vec::new(),
            values: alone(map, target).evidence_of_places(),
            shape,
            kind: Kind::Map { cells },
        })
    }

    /// A saliency map from elsewhere, row-major: `[places...]`, with a channel axis in front or behind, and axes of length 1 in front. NaN = not known.
    ///
    /// # Errors
    /// Argument: an array without a number, or of another length than its shape. Number: infinite values.
    pub fn of_array(shape: &[usize], values: Vec<f32>, name: impl Into<String>) -> Result<Evidence> {
        let name = name.into();
        let count = shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n));
        if count != Some(values.len()) || values.is_empty() || shape.is_empty() {
            return Err(Error::argument(format!(
                "{name} has {} numbers of shape {}, expected an array with at least one axis and one number",
                values.len(),
                shape_text(shape)
            )));
        }
        Ok(Evidence {
            name,
            target: None,
            unit: None,
            notes: Vec::new(),
            values,
            shape: shape.to_vec(),
            kind: Kind::Array,
        })
    }

    /// Whether it is an occlusion map, not an array from elsewhere.
    pub fn is_map(&self) -> bool {
        matches!(self.kind, Kind::Map { .. })
    }

    fn cells(&self) -> Option<&Cells> {
        match &self.kind {
            Kind::Map { cells } => cells.as_ref(),
            Kind::Array => None,
        }
    }

    /// An array with its channels summed up, so that `rank` axes are left; the other side's shape tells which axis they are.
    fn of_places(&self, rank: usize, other: &Evidence, notes: &mut Vec<String>) -> Result<Evidence> {
        let mut made = self.clone();
        while made.shape.len() > rank && made.shape[0] == 1 {
            made.shape.remove(0);
        }
        if made.shape.len() == rank {
            return Ok(made);
        }
        if made.shape.len() != rank + 1 || self.is_map() {
            let (found, name) = (self.shape.len(), &self.name);
            let axes = |n: usize| if n == 1 { "1 axis".to_string() } else { format!("{n} axes") };
            return Err(Error::argument(format!(
                "{name} has {} ({}), expected {} of places, or one more of channels",
                axes(found),
                shape_text(&self.shape),
                axes(rank)
            ))
            .with_hint(
                "both sides need the same number of spatial axes; of several examples or targets choose one: x[0]",
            ));
        }
        let fits = |shape: &[usize]| {
            shape == other.shape || other.cells().is_some_and(|cells| shape == cells.shape())
        };
        let is_last = match (fits(&made.shape[1..]), fits(&made.shape[..rank])) {
            (false, false) => made.shape[rank] <= CHANNELS && made.shape[0] > CHANNELS,
            (first, last) => last && !first,
        };
        let channels = made.shape.remove(if is_last { rank } else { 0 });
        let places = made.values.len() / channels;
        let (step, inner) = if is_last { (1, channels) } else { (places, 1) };
        let sum = |place: usize| {
            (0..channels).map(|channel| f64::from(self.values[place * inner + channel * step])).sum::<f64>()
                as f32
        };
        made.values = (0..places).map(sum).collect();
        if channels > 1 {
            let which = if is_last { "last" } else { "first" };
            notes.push(format!("{}: summed over its {which} axis, {channels} channels", self.name));
        }
        Ok(made)
    }
}

/// The map of one target, without what evidence is not made of: there may be a thousand targets.
fn alone(map: &Map, target: usize) -> Map {
    Map {
        input: map.input.clone(),
        windows: map.windows.clone(),
        shape: map.shape,
        definition: map.definition,
        score: map.score,
        targets: vec![map.targets[target].clone()],
        is_list: false,
        sensitivity: map.sensitivity_of(target).to_vec(),
        scores: map.scores_of(target).to_vec(),
        most_probable: None,
        labels: Arc::clone(&map.labels),
        noise_spread: None,
        computed: map.computed,
        geometry: map.geometry.clone(),
        notes: Vec::new(),
        check: None,
        approximation: None,
        work: None,
        unchanged: None,
        provenance: Provenance::default(),
    }
}

pub(super) fn no_target(name: &str, asked: &str, count: usize) -> Error {
    let has = if count == 1 { "1 target".to_string() } else { format!("{count} targets") };
    Error::argument(format!("{name} has no target {asked}: it has {has}"))
        .with_hint(format!("targets are counted from 0: expected 0 to {}", count.saturating_sub(1)))
}

/// Both sides on the same places.
pub(super) struct Pair {
    pub(super) shape: Vec<usize>,
    pub(super) a: Vec<f32>,
    pub(super) b: Vec<f32>,
    /// What was done, in words.
    pub(super) done: String,
    pub(super) by_window: bool,
    pub(super) notes: Vec<String>,
}

pub(super) fn pair(a: &Evidence, b: &Evidence, options: &Options) -> Result<Pair> {
    let mut notes = [a, b].iter().flat_map(|side| side.notes.clone()).collect::<Vec<_>>();
    let rank = rank(a, b, options, &mut notes)?;
    let (a, b) = (a.of_places(rank, b, &mut notes)?, b.of_places(rank, a, &mut notes)?);
    for side in [&a, &b] {
        let cells = side.cells().map_or(&[][..], |cells| &cells.values);
        if let Some(v) = side.values.iter().chain(cells).find(|v| v.is_infinite()) {
            return Err(Error::number(format!("{} holds {v}, expected finite numbers", side.name))
                .with_hint("NaN stands for places that are not known; infinity has no rank"));
        }
    }
    let mut pair = match by_window(&a, &b) {
        Some(pair) => pair,
        None => by_place(a, b),
    };
    pair.notes.splice(0..0, notes);
    if options.positive {
        pair.a.iter_mut().chain(&mut pair.b).filter(|v| **v < 0.0).for_each(|v| *v = 0.0);
    }
    Ok(pair)
}

/// How many axes are places: as a map says, else as few as both arrays have.
fn rank(a: &Evidence, b: &Evidence, options: &Options, notes: &mut Vec<String>) -> Result<usize> {
    let of_map = [a, b].into_iter().find(|side| side.is_map()).map(|side| side.shape.len());
    match (options.axes, of_map) {
        (Some(given), Some(found)) if given != found => {
            let axes = if found == 1 { "1 spatial axis" } else { &format!("{found} spatial axes") };
            Err(Error::argument(format!("{given} spatial axes are asked for, the map has {axes}"))
                .with_hint("leave axes out: the map says how many there are"))
        }
        (_, Some(found)) => Ok(found),
        (Some(0), None) => Err(Error::argument("0 spatial axes are asked for, expected at least 1")),
        (Some(given), None) => Ok(given),
        (None, None) => {
            let fewest = a.shape.len().min(b.shape.len());
            let is_picture = fewest == 3 && a.shape[0] <= CHANNELS && b.shape[0] <= CHANNELS;
            if is_picture && (a.shape[0] > 1 || b.shape[0] > 1) {
                notes.push(
                    "the first of the three axes is taken as channels; if it is an axis of places, say that there are 3 (axes)"
                        .into(),
                );
            }
            Ok(if is_picture { 2 } else { fewest.min(3) })
        }
    }
}

/// Windows of one grid, number by number.
fn by_window(a: &Evidence, b: &Evidence) -> Option<Pair> {
    let said = |shape: &[usize]| format!("window by window, on one grid of {}", by(shape));
    let made = |a: &[f32], b: &[f32], shape: Vec<usize>, done, notes| {
        Some(Pair { a: a.to_vec(), b: b.to_vec(), shape, done, by_window: true, notes })
    };
    match (a.cells(), b.cells()) {
        (Some(of_a), Some(of_b)) if a.shape == b.shape && of_a.bounds == of_b.bounds => {
            made(&of_a.values, &of_b.values, of_a.shape(), said(&of_a.shape()), Vec::new())
        }
        (Some(of_a), None) if !b.is_map() && of_a.shape() == b.shape && a.shape != b.shape => {
            let note = as_windows(&b.name, &a.name);
            made(&of_a.values, &b.values, b.shape.clone(), said(&b.shape), vec![note])
        }
        (None, Some(of_b)) if !a.is_map() && of_b.shape() == a.shape && a.shape != b.shape => {
            let note = as_windows(&a.name, &b.name);
            made(&a.values, &of_b.values, a.shape.clone(), said(&a.shape), vec![note])
        }
        _ => None,
    }
}

fn as_windows(array: &str, map: &str) -> String {
    format!("{array} has the shape of {map}'s grid: its numbers are taken as those of the windows")
}

/// Evidence per place; what is coarser is enlarged.
fn by_place(a: Evidence, b: Evidence) -> Pair {
    let shape: Vec<usize> = a.shape.iter().zip(&b.shape).map(|(a, b)| *a.max(b)).collect();
    let what = match (a.is_map(), b.is_map()) {
        (true, true) => "evidence per place of the input",
        (false, false) => "element by element",
        _ => "evidence per place of the input against the array's elements",
    };
    let mut done = format!("{what}, {}", by(&shape));
    let mut brought = |side: Evidence| {
        if side.shape == shape {
            return side.values;
        }
        done += &format!("; {} enlarged linearly from {} to {}", side.name, by(&side.shape), by(&shape));
        enlarge(&side.values, &side.shape, &shape)
    };
    let (shape_a, shape_b) = (a.shape.clone(), b.shape.clone());
    let (values_a, values_b) = (brought(a), brought(b));
    if shape_a != shape_b {
        done += ", both taken to cover the same extent";
    }
    Pair { shape, a: values_a, b: values_b, done, by_window: false, notes: Vec::new() }
}

/// `13 x 13`
pub(super) fn by(shape: &[usize]) -> String {
    shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" x ")
}
