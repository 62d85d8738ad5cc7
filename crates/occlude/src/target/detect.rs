//! Detection: the largest IoU x class score of any box against a chosen box.
//!
//! In: boxes and scores (`boxes` says where), a class and a box, or the best box of the untouched input. Out: a measure in 0 to 1. This is the similarity of D-RISE (Petsiuk et al., "Black-box explanation of object detectors via
//! saliency maps", CVPR 2021: the maximum over the model's boxes of IoU x objectness x likeness of class scores) with the chosen class's own probability as the last factor, in place of the cosine
//! of two vectors of scores. No boxes are suppressed before: the maximum over all of them is that over the best of each heap.

use super::boxes::{BoxForm, BoxScale, Table, Tables};
use super::measure::{Kind, Known, Measure, Resolved};
use super::{Boxes, Pick, Port, Target};
use crate::error::{Error, Result};
use crate::score::{Activation, Classes, Readout, ScoreKind};
use crate::tensor::TensorSpec;

/// Numbers in absolute units exceed this, for any input that is worth detecting in.
const MOST_OF_UNIT: f32 = 2.0;

/// A row per box somewhere in the outputs. The number of boxes may differ from run to run.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rows {
    output: usize,
    width: usize,
    across: bool,
}

impl Rows {
    fn count(&self, outputs: &[&[f32]]) -> usize {
        outputs[self.output].len() / self.width
    }
    fn at(&self, outputs: &[&[f32]], row: usize, column: usize) -> f32 {
        let values = outputs[self.output];
        values
            [if self.across { column * (values.len() / self.width) + row } else { row * self.width + column }]
    }
}

/// How boxes and scores of one run are read.
#[derive(Clone, Debug, PartialEq)]
struct Reader {
    boxes: Rows,
    form: BoxForm,
    /// Input elements per unit of the boxes, along x and y.
    unit: [f64; 2],
    scores: Rows,
    /// Place of class 0 in a row of scores, and how many there are.
    first: usize,
    classes: usize,
    objectness: Option<usize>,
    readout: Readout,
}

impl Reader {
    fn count(&self, outputs: &[&[f32]]) -> usize {
        self.boxes.count(outputs).min(self.scores.count(outputs))
    }

    /// Left, top, right, bottom in input elements.
    fn edges(&self, outputs: &[&[f32]], row: usize) -> [f64; 4] {
        let number = |column: usize| f64::from(self.boxes.at(outputs, row, column));
        let edges = self.form.edges([number(0), number(1), number(2), number(3)]);
        [edges[0] * self.unit[0], edges[1] * self.unit[1], edges[2] * self.unit[0], edges[3] * self.unit[1]]
    }

    /// Probability of a class at a box, times that of "there is something".
    fn probability(&self, outputs: &[&[f32]], row: usize, class: usize) -> f64 {
        let score = |class: usize| self.scores.at(outputs, row, self.first + class);
        let own = if self.readout.is_local() {
            self.readout.score(&[score(class)], 0)
        } else {
            let all: Vec<f32> = (0..self.classes).map(score).collect();
            self.readout.score(&all, class)
        };
        let objectness = self.objectness.map_or(1.0, |column| {
            let alone = Readout { multi_label: true, ..self.readout };
            alone.score(&[self.scores.at(outputs, row, column)], 0)
        });
        f64::from(own) * f64::from(objectness)
    }

    /// Largest IoU x score over all boxes; 0 where there is none.
    fn likeness(&self, outputs: &[&[f32]], class: usize, area: [f64; 4]) -> f64 {
        let of_box = |row: usize| {
            let overlap = iou(self.edges(outputs, row), area);
            if overlap > 0.0 { overlap * self.probability(outputs, row, class) } else { 0.0 }
        };
        (0..self.count(outputs)).map(of_box).fold(0.0, f64::max)
    }
}

/// Intersection over union of two boxes (left, top, right, bottom); 0 where one is empty.
fn iou(a: [f64; 4], b: [f64; 4]) -> f64 {
    let area = |[left, top, right, bottom]: [f64; 4]| (right - left).max(0.0) * (bottom - top).max(0.0);
    let both = area([a[0].max(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].min(b[3])]);
    if both > 0.0 { both / (area(a) + area(b) - both) } else { 0.0 }
}

/// One class and one box, to be looked for in every run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Detection {
    reader: Reader,
    class: usize,
    area: [f64; 4],
}

impl Detection {
    pub(super) fn read(&self, outputs: &[&[f32]]) -> f32 {
        self.reader.likeness(outputs, self.class, self.area) as f32
    }
}

/// Names of the outputs that hold boxes and scores.
pub(crate) fn tensors(boxes: &Boxes, ports: &[Port<'_>], labels: usize) -> Result<Vec<String>> {
    let tables = boxes.tables(ports, labels)?;
    let mut names = vec![tables.boxes.name.to_string()];
    if tables.scores.name != tables.boxes.name {
        names.push(tables.scores.name.to_string());
    }
    Ok(names)
}

pub(super) fn resolve(
    class: Option<&Pick>,
    area: Option<[f32; 4]>,
    known: &Known<'_>,
    found: &mut Resolved,
) -> Result<Measure> {
    let ports = known.ports();
    let tables = known.boxes.tables(&ports, known.labels.len())?;
    let reader = reader(&tables, known, found)?;
    let outputs = known.outputs.slices();
    let class = class.map(|pick| known.class(pick, reader.classes, tables.scores.name)).transpose()?;
    let given = area.map(|area| area.map(f64::from));
    let (class, area) = match (class, given) {
        (Some(class), Some(area)) => (class, area),
        (class, given) => {
            let classes = class.map_or_else(|| choosable(&reader, known), |class| Ok(class..class + 1))?;
            best(&reader, &outputs, classes, given).ok_or_else(|| {
                Error::argument("the model finds no box on the untouched input")
                    .with_hint("check the preprocessing, and --boxes")
            })?
        }
    };
    // As it can be asked for again.
    let area = area.map(|edge| edge as f32);
    let detection = Detection { class, area: area.map(f64::from), reader };
    let label = known.labels.short(class);
    let [left, top, right, bottom] = area.map(|edge| (edge * 10.0).round() / 10.0);
    let place = format!("{label} in the box {left}/{top}/{right}/{bottom}");
    if detection.read(&outputs) <= 0.0 {
        return Err(Error::argument(format!("no box of the untouched input is {place}")).with_hint(format!(
            "boxes are in elements of the model's input {}; detect:{class} takes the best box of this class",
            known.input
        )));
    }
    Ok(Measure {
        label: place,
        spec: Target::Detect { class: Some(Pick::Class(class)), area: Some(area) }.to_string(),
        class: Some(class),
        unit: "IoU x score".to_string(),
        output: detection.reader.boxes.output,
        kind: Kind::Detection(detection),
    })
}

fn reader(tables: &Tables<'_>, known: &Known<'_>, found: &mut Resolved) -> Result<Reader> {
    let rows = |table: &Table<'_>| -> Result<Rows> {
        Ok(Rows { output: known.place(table.name)?, width: table.width, across: table.across })
    };
    let (boxes, scores) = (rows(&tables.boxes)?, rows(&tables.scores)?);
    let outputs = known.outputs.slices();
    let name = tables.boxes.name;
    let Some(form) = known.boxes.form else {
        return Err(Error::argument(format!(
            "the output \"{name}\" has boxes of four numbers, and nothing tells what they mean"
        ))
        .with_hint(
            "say it: --boxes cxcywh (YOLO, DETR), xyxy (torchvision, SSD), yxyx (TensorFlow) or xywh",
        ));
    };
    let count = boxes.count(&outputs);
    let numbers = (0..count).flat_map(|row| (0..4).map(move |column| (row, column)));
    let largest = numbers.map(|(row, column)| boxes.at(&outputs, row, column).abs()).fold(0.0, f32::max);
    let scale =
        known.boxes.scale.unwrap_or(if largest <= MOST_OF_UNIT { BoxScale::Unit } else { BoxScale::Pixels });
    let classes = scores.width - tables.first;
    let readout = readout(tables, &scores, known)?;
    let objectness = if tables.objectness.is_some() { " and objectness" } else { "" };
    let apart = if tables.scores.name == name {
        String::new()
    } else {
        format!(", scores from \"{}\"", tables.scores.name)
    };
    let from = match (readout.activation, readout.multi_label) {
        (Activation::None, true) => "Sigmoid of the scores",
        (Activation::None, false) => "Softmax of the scores",
        _ => "the scores as they are",
    };
    found.note(format!(
        "{count} boxes from \"{name}\" ({form}, {scale}){apart}: {classes} classes{objectness}, probability is {from}"
    ));
    Ok(Reader {
        boxes,
        form,
        unit: unit(scale, known.input)?,
        scores,
        first: tables.first,
        classes,
        objectness: tables.objectness,
        readout,
    })
}

/// Input elements per unit of the boxes, along x and y.
fn unit(scale: BoxScale, input: &TensorSpec) -> Result<[f64; 2]> {
    match (scale, input.spatial()[..].as_ref()) {
        (BoxScale::Pixels, [_, _]) => Ok([1.0, 1.0]),
        (BoxScale::Unit, [height, width]) => Ok([*width as f64, *height as f64]),
        (_, other) => Err(Error::unsupported(format!(
            "detection needs an input with two spatial axes, {input} has {}",
            other.len()
        ))),
    }
}

/// Probabilities as the model gives them, where it ends in them or all of them could be; else what `--classes` says makes them.
fn readout(tables: &Tables<'_>, scores: &Rows, known: &Known<'_>) -> Result<Readout> {
    let outputs = known.outputs.slices();
    let name = tables.scores.name;
    let probability =
        |activation, multi_label| Readout { kind: ScoreKind::Probability, activation, multi_label };
    match known.ending(name) {
        Activation::None => {}
        ending => {
            if let Some(said) = known.said {
                said.check(ending, scores.width - tables.first)?;
            }
            return Ok(probability(ending, ending == Activation::Sigmoid));
        }
    }
    let from = tables.objectness.unwrap_or(tables.first);
    let cells =
        (0..scores.count(&outputs)).flat_map(|row| (from..scores.width).map(move |column| (row, column)));
    let (least, greatest) = cells
        .map(|(row, column)| scores.at(&outputs, row, column))
        .fold((f32::INFINITY, f32::NEG_INFINITY), |(least, greatest), v| (least.min(v), greatest.max(v)));
    let are_probabilities = least >= 0.0 && greatest <= 1.0;
    match known.said {
        _ if are_probabilities => {
            // Rows that sum to one are a Softmax that the end of the graph hides.
            let sum = |row| (tables.first..scores.width).map(|c| scores.at(&outputs, row, c)).sum::<f32>();
            let several = scores.width - tables.first > 1 && scores.count(&outputs) > 0;
            let sum_to_one = several && (0..scores.count(&outputs)).all(|row| (sum(row) - 1.0).abs() < 1e-3);
            Ok(probability(if sum_to_one { Activation::Softmax } else { Activation::Sigmoid }, !sum_to_one))
        }
        Some(said) => Ok(probability(Activation::None, said == Classes::Independent)),
        None => Err(Error::argument(format!(
            "the scores of \"{name}\" go from {least} to {greatest}: they are logits, and nothing tells how they become probabilities"
        ))
        .with_hint("say it: --classes independent (Sigmoid of each: YOLO, RetinaNet) or --classes exclusive (Softmax: SSD, DETR)")),
    }
}

/// Classes among which the best box is looked for. Where classes exclude each other one of them means "nothing here"; the names of classes tell which it is, if it has none.
fn choosable(reader: &Reader, known: &Known<'_>) -> Result<std::ops::Range<usize>> {
    let (classes, named) = (reader.classes, known.labels.len());
    if reader.readout.multi_label || classes == 1 {
        return Ok(0..classes);
    }
    if (1..classes).contains(&named) {
        return Ok(0..named);
    }
    Err(Error::argument("detect:top: the classes exclude each other, so one of them means that there is nothing, and it is not told which")
        .with_hint("name the class: detect:CLASS is its best box"))
}

/// The class and box with the greatest score, or IoU x score against a box that is given.
fn best(
    reader: &Reader,
    outputs: &[&[f32]],
    classes: std::ops::Range<usize>,
    given: Option<[f64; 4]>,
) -> Option<(usize, [f64; 4])> {
    let mut best: Option<(f64, usize, [f64; 4])> = None;
    for row in 0..reader.count(outputs) {
        let edges = reader.edges(outputs, row);
        let overlap = iou(edges, given.unwrap_or(edges));
        if overlap <= 0.0 {
            continue;
        }
        for class in classes.clone() {
            let score = overlap * reader.probability(outputs, row, class);
            if best.is_none_or(|(most, ..)| score > most) {
                best = Some((score, class, given.unwrap_or(edges)));
            }
        }
    }
    best.map(|(_, class, area)| (class, area))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intersection_over_union() {
        let unit = [0.0, 0.0, 2.0, 2.0];
        for (other, expected) in [
            (unit, 1.0),
            ([1.0, 1.0, 3.0, 3.0], 1.0 / 7.0),
            ([0.0, 0.0, 1.0, 2.0], 0.5),
            ([2.0, 0.0, 4.0, 2.0], 0.0),
            ([1.0, 1.0, 1.0, 3.0], 0.0),
            // Left of right is no box.
            ([2.0, 2.0, 0.0, 0.0], 0.0),
        ] {
            assert_eq!((iou(unit, other), iou(other, unit)), (expected, expected), "{other:?}");
        }
    }

    /// Two boxes, two classes: [0, 0, 2, 2] with 0.5 and 0.9, [1, 1, 3, 3] with 0.8 and 0.1.
    #[test]
    fn the_largest_product_counts_not_the_largest_factor() {
        let rows = |width, across, output| Rows { output, width, across };
        let readout =
            Readout { kind: ScoreKind::Probability, activation: Activation::Sigmoid, multi_label: true };
        let mut reader = Reader {
            boxes: rows(4, false, 0),
            form: BoxForm::Corners,
            unit: [1.0, 1.0],
            scores: rows(2, false, 1),
            first: 0,
            classes: 2,
            objectness: None,
            readout,
        };
        let boxes = [0.0, 0.0, 2.0, 2.0, 1.0, 1.0, 3.0, 3.0];
        let scores = [0.5, 0.875, 0.75, 0.125];
        let outputs: [&[f32]; 2] = [&boxes, &scores];
        let chosen = [0.0, 0.0, 2.0, 2.0];
        assert_eq!(reader.likeness(&outputs, 0, chosen), 0.5, "not 0.75 / 7");
        assert_eq!(reader.likeness(&outputs, 1, [1.0, 1.0, 3.0, 3.0]), 0.125, "equal to 0.875 / 7");
        assert_eq!(reader.likeness(&outputs, 0, [5.0, 5.0, 6.0, 6.0]), 0.0);
        assert_eq!(best(&reader, &outputs, 0..2, None), Some((1, chosen)));
        assert_eq!(best(&reader, &outputs, 0..1, None), Some((0, [1.0, 1.0, 3.0, 3.0])));
        assert_eq!(
            best(&reader, &outputs, 0..2, Some([1.0, 1.0, 3.0, 3.0])),
            Some((0, [1.0, 1.0, 3.0, 3.0]))
        );
        // The same numbers in one output across, with objectness 1 and 0.5.
        let across = [0.0, 1.0, 0.0, 1.0, 2.0, 3.0, 2.0, 3.0, 1.0, 0.5, 0.5, 0.75, 0.875, 0.125];
        (reader.boxes, reader.scores) = (rows(7, true, 0), rows(7, true, 0));
        (reader.first, reader.objectness) = (5, Some(4));
        assert_eq!(reader.likeness(&[&across], 0, chosen), 0.5);
        assert_eq!(reader.likeness(&[&across], 0, [1.0, 1.0, 3.0, 3.0]), 0.375, "0.75 x 0.5");
        assert_eq!(reader.likeness(&[&[]], 0, chosen), 0.0, "no box, no likeness");
    }
}
