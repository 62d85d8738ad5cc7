//! How a model writes boxes: what is said of it (`--boxes`), and what the shapes of its outputs tell.
//!
//! In: text (`cxcywh,scale=unit`), the model's outputs with their shapes, names of classes. Out: [`Boxes`], and the tables that hold boxes and scores: two outputs `[1, N, 4]` and
//! `[1, N, C]` (or `[1, C, N]`), or one `[1, N, 4 + C]`, `[1, N, 5 + C]` (a score for "there is something" in the fifth place) or `[1, 4 + C, N]`. What the shapes do not tell has to be said.
//! How boxes are scored is not here (`detect`).

use std::fmt;

use super::Port;
use crate::error::{Error, Result};
use crate::tensor::shape_text;

/// The meaning of a box's four numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoxForm {
    /// Left, top, right, bottom: torchvision, SSD.
    Corners,
    /// Top, left, bottom, right: TensorFlow.
    RowsFirst,
    /// Centre, then width and height: YOLO, DETR.
    Centre,
    /// Left, top, width, height: COCO.
    CornerSize,
}

impl BoxForm {
    /// All of them with their names.
    pub const ALL: [(&'static str, BoxForm); 4] = [
        ("xyxy", BoxForm::Corners),
        ("yxyx", BoxForm::RowsFirst),
        ("cxcywh", BoxForm::Centre),
        ("xywh", BoxForm::CornerSize),
    ];

    /// Left, top, right, bottom.
    pub(super) fn edges(self, [a, b, c, d]: [f64; 4]) -> [f64; 4] {
        match self {
            BoxForm::Corners => [a, b, c, d],
            BoxForm::RowsFirst => [b, a, d, c],
            BoxForm::Centre => [a - c / 2.0, b - d / 2.0, a + c / 2.0, b + d / 2.0],
            BoxForm::CornerSize => [a, b, a + c, b + d],
        }
    }
}

/// The unit of a box's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoxScale {
    /// Elements of the model's input.
    Pixels,
    /// Shares of its width and height.
    Unit,
}

impl BoxScale {
    /// Both with their names.
    pub const ALL: [(&'static str, BoxScale); 2] = [("pixels", BoxScale::Pixels), ("unit", BoxScale::Unit)];
}

/// What is said of a detector's outputs; `None` leaves it to the shapes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Boxes {
    /// The meaning of the four numbers.
    pub form: Option<BoxForm>,
    /// Their unit.
    pub scale: Option<BoxScale>,
    /// Whether one output of boxes and scores has a score for "there is something" before the classes.
    pub objectness: Option<bool>,
    /// Name of the output with boxes.
    pub boxes: Option<String>,
    /// Name of the output with scores, where it is another one.
    pub scores: Option<String>,
}

const EXPECTED: &str = "a form (xyxy, yxyx, cxcywh, xywh) and, separated by commas, scale=pixels|unit, objectness=yes|no, boxes=NAME, scores=NAME: as in cxcywh,scale=unit";

impl Boxes {
    /// Reads `cxcywh,scale=unit,objectness=no,boxes=NAME,scores=NAME`, in any order and any of them left out.
    ///
    /// # Errors
    /// Argument: a word that is not known.
    pub fn parse(text: &str) -> Result<Boxes> {
        let mut read = Boxes::default();
        for part in text.split(',').map(str::trim) {
            let known = match part.split_once('=') {
                None => find(&BoxForm::ALL, part).map(|form| read.form = Some(form)),
                Some(("scale", value)) => find(&BoxScale::ALL, value).map(|scale| read.scale = Some(scale)),
                Some(("objectness", value)) => {
                    find(&[("yes", true), ("no", false)], value).map(|given| read.objectness = Some(given))
                }
                Some(("boxes", name)) if !name.is_empty() => {
                    read.boxes = Some(name.to_string());
                    Some(())
                }
                Some(("scores", name)) if !name.is_empty() => {
                    read.scores = Some(name.to_string());
                    Some(())
                }
                Some(_) => None,
            };
            if known.is_none() {
                return Err(Error::argument(format!("boxes \"{text}\": \"{part}\" is not understood"))
                    .with_hint(format!("expected {EXPECTED}")));
            }
        }
        Ok(read)
    }

    /// The outputs that hold boxes and, where they are apart, scores.
    pub(super) fn tables<'a>(&'a self, ports: &[Port<'a>], labels: usize) -> Result<Tables<'a>> {
        let named = |name: &Option<String>, port: &Port<'_>| name.as_ref().is_none_or(|n| n == port.name);
        let mut pairs = Vec::new();
        for boxes in ports.iter().filter(|port| named(&self.boxes, port)) {
            let Some(count) = rows_of_four(boxes.shape) else { continue };
            for scores in ports.iter().filter(|p| p.name != boxes.name && named(&self.scores, p)) {
                if let Some((classes, across)) = scores_of(scores.shape, count) {
                    let boxes = Table { name: boxes.name, width: 4, across: false };
                    pairs.push((boxes, Table { name: scores.name, width: classes, across }));
                }
            }
        }
        match pairs[..] {
            [(boxes, scores)] => return Ok(Tables { boxes, scores, first: 0, objectness: None }),
            [] if self.scores.is_none() => {}
            [] => return Err(self.unfit("no two outputs are boxes and their scores", ports)),
            _ => return Err(self.unfit("several outputs may be boxes and their scores", ports)),
        }
        let single: Vec<&Port<'a>> = ports
            .iter()
            .filter(|port| named(&self.boxes, port))
            .filter(|port| matches!(port.shape, [1, a, b] if *a.min(b) >= 5))
            .collect();
        match single[..] {
            [one] => self.single(one, labels),
            [] => Err(self.unfit("no output holds boxes with scores", ports)),
            _ => Err(self.unfit("several outputs may hold boxes with scores", ports)),
        }
    }

    /// One output of boxes and scores. More boxes than numbers per box are taken for granted, unless the names of classes say otherwise.
    fn single<'a>(&self, port: &Port<'a>, labels: usize) -> Result<Tables<'a>> {
        let [_, rows, columns] = *port.shape else { return Err(self.unfit("not one table", &[*port])) };
        let fits = |width: usize| labels > 0 && (width == 4 + labels || width == 5 + labels);
        let (across, width) = match (fits(rows), fits(columns)) {
            (true, false) => (true, rows),
            (false, true) => (false, columns),
            _ if rows == columns => {
                return Err(self.unfit("its shape does not tell boxes from numbers", &[*port]));
            }
            _ => (rows < columns, rows.min(columns)),
        };
        let objectness = match self.objectness {
            Some(said) => said,
            None if fits(width) => width == 5 + labels,
            // [1, 4 + C, N] is YOLOv8's order, which has none.
            None if across => false,
            None => {
                return Err(Error::argument(format!(
                    "the output \"{}\" {} has {width} numbers per box: 4 and {} classes, or 5 and {}",
                    port.name,
                    shape_text(port.shape),
                    width - 4,
                    width - 5
                ))
                .with_hint("say whether the fifth is a score for \"there is something\" (YOLOv5): --boxes objectness=yes or no; the names of classes beside the model would tell it too"));
            }
        };
        let table = Table { name: port.name, width, across };
        let first = 4 + usize::from(objectness);
        if first == width {
            return Err(self.unfit("there is no class behind boxes and objectness", &[*port]));
        }
        Ok(Tables { boxes: table, scores: table, first, objectness: objectness.then_some(4) })
    }

    fn unfit(&self, what: &str, ports: &[Port<'_>]) -> Error {
        let all: Vec<String> =
            ports.iter().map(|p| format!("\"{}\" {}", p.name, shape_text(p.shape))).collect();
        let said = if self.boxes.is_some() || self.scores.is_some() {
            format!(" (boxes {self})")
        } else {
            String::new()
        };
        Error::argument(format!("detection{said}: {what}: {}", all.join(", "))).with_hint(
            "expected [1, N, 4] with [1, N, classes], or one output [1, N, 4 + classes], [1, N, 5 + classes] or [1, 4 + classes, N]; --boxes boxes=NAME,scores=NAME names them",
        )
    }
}

/// Boxes or scores in an output: one row per box, or one column (`across`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Table<'a> {
    pub(super) name: &'a str,
    /// Numbers per box.
    pub(super) width: usize,
    pub(super) across: bool,
}

/// Where boxes and scores are. `first` is the place of class 0 in a row of scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tables<'a> {
    pub(super) boxes: Table<'a>,
    pub(super) scores: Table<'a>,
    pub(super) first: usize,
    pub(super) objectness: Option<usize>,
}

/// Rows of an output of boxes alone: `[1, N, 4]`, `[N, 4]`, `[1, N, 1, 4]`.
fn rows_of_four(shape: &[usize]) -> Option<usize> {
    let (last, others) = shape.split_last()?;
    let one_axis = others.iter().filter(|&&n| n != 1).count() <= 1;
    (*last == 4 && !others.is_empty() && one_axis).then(|| others.iter().product())
}

/// Classes of an output of scores for so many boxes, and whether boxes are its columns.
fn scores_of(shape: &[usize], count: usize) -> Option<(usize, bool)> {
    match *shape {
        [n] | [1, n] | [n, 1] if n == count => Some((1, false)),
        [1, n, classes] | [n, classes] if n == count => Some((classes, false)),
        [1, classes, n] if n == count => Some((classes, true)),
        _ => None,
    }
}

fn find<T: Copy>(all: &[(&str, T)], wanted: &str) -> Option<T> {
    all.iter().find(|(name, _)| *name == wanted.to_lowercase()).map(|(_, found)| *found)
}

fn name_of<T: Copy + PartialEq>(all: &[(&'static str, T)], wanted: T) -> &'static str {
    all.iter().find(|(_, one)| *one == wanted).map_or("", |(name, _)| name)
}

impl fmt::Display for BoxForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name_of(&BoxForm::ALL, *self))
    }
}

impl fmt::Display for BoxScale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name_of(&BoxScale::ALL, *self))
    }
}

impl fmt::Display for Boxes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let objectness = self.objectness.map(|given| if given { "yes" } else { "no" });
        let parts: Vec<String> = [
            self.form.map(|form| form.to_string()),
            self.scale.map(|scale| format!("scale={scale}")),
            objectness.map(|given| format!("objectness={given}")),
            self.boxes.as_ref().map(|name| format!("boxes={name}")),
            self.scores.as_ref().map(|name| format!("scores={name}")),
        ]
        .into_iter()
        .flatten()
        .collect();
        f.write_str(if parts.is_empty() { "default" } else { "" })?;
        f.write_str(&parts.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables(
        said: &str,
        shapes: &[&[usize]],
        labels: usize,
    ) -> Result<(usize, usize, bool, usize, Option<usize>)> {
        let boxes = if said.is_empty() { Boxes::default() } else { Boxes::parse(said).expect(said) };
        let names = ["a", "b", "c"];
        let ports: Vec<Port<'_>> =
            shapes.iter().zip(names).map(|(shape, name)| Port { name, shape }).collect();
        let found = boxes.tables(&ports, labels)?;
        Ok((found.boxes.width, found.scores.width, found.scores.across, found.first, found.objectness))
    }

    #[test]
    fn what_shapes_tell() {
        for (said, shapes, labels, expected) in [
            ("", vec![&[1, 9, 4][..], &[1, 9, 3]], 0, (4, 3, false, 0, None)),
            ("", vec![&[1, 3, 9][..], &[1, 9, 1, 4]], 0, (4, 3, true, 0, None)),
            ("", vec![&[9, 4][..], &[9]], 0, (4, 1, false, 0, None)),
            ("boxes=b,scores=c", vec![&[1, 9, 4][..], &[1, 9, 4], &[1, 9, 2]], 0, (4, 2, false, 0, None)),
            ("", vec![&[1, 84, 8400][..]], 0, (84, 84, true, 4, None)),
            ("objectness=yes", vec![&[1, 25200, 85][..]], 0, (85, 85, false, 5, Some(4))),
            ("", vec![&[1, 25200, 85][..]], 80, (85, 85, false, 5, Some(4))),
            ("", vec![&[1, 25200, 85][..]], 81, (85, 85, false, 4, None)),
            // Fewer boxes than numbers per box: only the names of classes tell.
            ("", vec![&[1, 10, 85][..]], 80, (85, 85, false, 5, Some(4))),
        ] {
            assert_eq!(tables(said, &shapes, labels).expect("told"), expected, "{said} {shapes:?}");
        }
    }

    #[test]
    fn what_they_do_not_tell_is_refused() {
        for (said, shapes, message) in [
            ("", vec![&[1, 25200, 85][..]], "85 numbers per box: 4 and 81 classes, or 5 and 80"),
            ("", vec![&[1, 7, 7][..]], "does not tell boxes from numbers"),
            ("", vec![&[1, 10][..]], "no output holds boxes with scores: \"a\" [1, 10]"),
            ("", vec![&[9, 4][..], &[9], &[9]], "several outputs may be boxes and their scores"),
            ("scores=z", vec![&[1, 9, 4][..], &[1, 9, 3]], "no two outputs are boxes"),
        ] {
            let error = tables(said, &shapes, 0).expect_err(message);
            assert!(error.to_string().contains(message), "{error}");
            assert!(error.hint().is_some());
        }
    }

    #[test]
    fn the_grammar() {
        for text in [
            "cxcywh",
            "xyxy,scale=unit",
            "objectness=no,boxes=b,scores=s",
            "yxyx,scale=pixels,objectness=yes",
        ] {
            assert_eq!(Boxes::parse(text).expect(text).to_string(), text);
        }
        for text in ["xyzw", "scale=mm", "objectness=maybe", "boxes=", "", "cxcywh,"] {
            assert!(Boxes::parse(text).is_err(), "{text}");
        }
        assert_eq!(Boxes::default().to_string(), "default");
    }

    #[test]
    fn four_forms_of_one_box() {
        for (form, numbers) in [
            (BoxForm::Corners, [1.0, 2.0, 5.0, 8.0]),
            (BoxForm::RowsFirst, [2.0, 1.0, 8.0, 5.0]),
            (BoxForm::Centre, [3.0, 5.0, 4.0, 6.0]),
            (BoxForm::CornerSize, [1.0, 2.0, 4.0, 6.0]),
        ] {
            assert_eq!(form.edges(numbers), [1.0, 2.0, 5.0, 8.0], "{form}");
        }
    }
}
