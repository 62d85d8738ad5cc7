//! The object in a picture or tensor, as boxes or as a mask, brought to places of the input.
//!
//! In: an [`Object`], the input's axes, the way back to its source. Out: one truth value per place. Where an annotation comes from (COCO, Pascal VOC) is not here.

use std::fmt::Display;
use std::ops::Range;

use crate::error::{Error, Result};
use crate::input::{AxisMap, Geometry};
use crate::tensor::{TensorSpec, for_each_run, shape_text};

/// Where the object is. Several boxes are joined.
#[derive(Clone, Debug, PartialEq)]
pub enum Object {
    /// Boxes in the source's unit (pixels of the picture file, upright), each one half-open range per spatial axis: rows before columns. An element of the input lies in a box if its middle does; what the crop has cut off is not seen.
    SourceBoxes(Vec<Vec<Range<f64>>>),
    /// Boxes in elements of the input, each one half-open range per spatial axis: rows before columns.
    Boxes(Vec<Vec<Range<usize>>>),
    /// One value per place of the input's spatial axes, row-major; true = object.
    Mask(Vec<bool>),
}

impl Object {
    /// Which places of the input belong to the object, row-major over its spatial axes; at least one does.
    ///
    /// # Errors
    /// Argument: no box, one with another number of ranges than the input has spatial axes, an empty one, one in elements that reaches beyond the input; boxes that hold no element's middle; a mask of another length or
    /// without a place.
    pub fn places(&self, input: &TensorSpec, geometry: &Geometry) -> Result<Vec<bool>> {
        let spatial = input.spatial();
        let total: usize = spatial.iter().product();
        let mut inside = vec![false; total];
        match self {
            Object::Mask(mask) => {
                if mask.len() != total {
                    return Err(Error::argument(format!(
                        "the mask of the object has {} values, the input has {} places",
                        mask.len(),
                        shape_text(&spatial)
                    ))
                    .with_hint(
                        "a mask has one value per element of the model's input, after resizing and cropping",
                    ));
                }
                inside.copy_from_slice(mask);
            }
            Object::Boxes(boxes) => {
                for (number, one) in boxes.iter().enumerate() {
                    check_box(number, one, &spatial)?;
                    if let Some((range, length)) = one.iter().zip(&spatial).find(|(r, n)| r.end > **n) {
                        return Err(Error::argument(format!(
                            "box {number} of the object reaches to {} of an axis of {length} elements",
                            range.end
                        ))
                        .with_hint(format!(
                            "the input is {}, in elements; boxes of the picture file are given in its pixels",
                            shape_text(&spatial)
                        )));
                    }
                    mark(&mut inside, &spatial, one);
                }
            }
            Object::SourceBoxes(boxes) => {
                if geometry.axes.len() != spatial.len() {
                    return Err(Error::argument(format!(
                        "the way back to the source has {} axes, the input has {} places",
                        geometry.axes.len(),
                        shape_text(&spatial)
                    )));
                }
                for (number, one) in boxes.iter().enumerate() {
                    check_box(number, one, &spatial)?;
                    mark(&mut inside, &spatial, &elements(one, geometry, &spatial));
                }
            }
        }
        if inside.contains(&true) { Ok(inside) } else { Err(self.without_places(geometry, &spatial)) }
    }

    /// What is said of an object that no place belongs to.
    fn without_places(&self, geometry: &Geometry, spatial: &[usize]) -> Error {
        let boxes = match self {
            Object::SourceBoxes(boxes) if !boxes.is_empty() => boxes,
            Object::Mask(_) => {
                return Error::argument("the object is empty: its mask holds no place")
                    .with_hint("places of the object are true");
            }
            // A box in elements that passed the checks holds some.
            Object::SourceBoxes(_) | Object::Boxes(_) => {
                return Error::argument("the object is empty: it has no box")
                    .with_hint("give at least one box");
            }
        };
        let seen = geometry.window_in_source(&spatial.iter().map(|&n| 0..n).collect::<Vec<_>>());
        let touches =
            |(range, seen): (&Range<f64>, &Range<f64>)| range.start < seen.end && seen.start < range.end;
        let why = if boxes.iter().any(|one| one.iter().zip(&seen).all(touches)) {
            "is too small: no element of the input has its middle in it"
        } else {
            "lies outside what the model sees"
        };
        let seen: Vec<String> = seen.iter().map(|range| format!("{}:{}", range.start, range.end)).collect();
        let (seen, unit) = (seen.join(", "), &geometry.unit);
        Error::argument(format!("the object {why}; the input holds {seen} of the source, in {unit}, rows before columns"))
            .with_hint("what is seen is decided by resizing and cropping (preprocess); boxes are in pixels of the upright picture file")
    }
}

/// The elements whose middles lie in a box of the source, per axis.
fn elements(one: &[Range<f64>], geometry: &Geometry, spatial: &[usize]) -> Vec<Range<usize>> {
    let along = |((range, axis), &length): ((&Range<f64>, &AxisMap), &usize)| {
        let mut inside =
            (0..length).filter(|&i| range.contains(&(axis.offset + axis.scale * (i as f64 + 0.5))));
        let first = inside.next();
        first.map_or(0..0, |first| first..inside.next_back().unwrap_or(first) + 1)
    };
    one.iter().zip(&geometry.axes).zip(spatial).map(along).collect()
}

fn mark(inside: &mut [bool], spatial: &[usize], one: &[Range<usize>]) {
    for_each_run(spatial, one, |run| inside[run].fill(true));
}

fn check_box<T: PartialOrd + Display>(number: usize, one: &[Range<T>], spatial: &[usize]) -> Result<()> {
    if one.len() != spatial.len() {
        return Err(Error::argument(format!(
            "box {number} of the object has {} ranges, the input has {} spatial axes ({})",
            one.len(),
            spatial.len(),
            shape_text(spatial)
        ))
        .with_hint("a box has one range start:end per spatial axis, rows before columns"));
    }
    // A range with NaN is no such range either.
    if let Some(range) = one.iter().find(|range| range.is_empty()) {
        return Err(Error::argument(format!(
            "box {number} of the object is empty: {}:{} along one axis",
            range.start, range.end
        ))
        .with_hint("ends are exclusive: start:end with start below end"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Layout;

    fn spec() -> TensorSpec {
        TensorSpec::new("x", &[3, 4, 5], Layout::ChannelsFirst)
    }

    /// The places of an object in an input of 4 x 5, as text of `#` and `.`.
    fn drawn(object: &Object, geometry: &Geometry) -> String {
        let places = object.places(&spec(), geometry).expect("some");
        let rows = places.chunks(5).map(|row| row.iter().map(|p| if *p { '#' } else { '.' }).collect());
        rows.collect::<Vec<String>>().join(" ")
    }

    #[test]
    fn boxes_and_masks() {
        let whole = Geometry::identity(&[4, 5]);
        let boxes = Object::Boxes(vec![vec![0..2, 1..3], vec![1..4, 4..5]]);
        assert_eq!(drawn(&boxes, &whole), ".##.. .##.# ....# ....#");
        let mask = Object::Mask((0..20).map(|i| i % 7 == 0).collect());
        assert_eq!(drawn(&mask, &whole), "#.... ..#.. ....# .....");
    }

    #[test]
    fn boxes_of_the_source_take_the_elements_whose_middles_they_hold() {
        // 20 x 20 pixels, resized to 10 x 10, rows 3 to 6 and columns 4 to 8 cut out: an element is 2 x 2 pixels, the first middle at 7, 9.
        let mut geometry = Geometry::identity(&[20, 20]);
        geometry.resize(&[10, 10]);
        geometry.crop(&[3, 4], &[4, 5]);
        let source = |rows, columns| Object::SourceBoxes(vec![vec![rows, columns]]);
        assert_eq!(drawn(&source(0.0..20.0, 0.0..9.5), &geometry), "#.... #.... #.... #....");
        assert_eq!(drawn(&source(9.0..9.1, 11.0..15.0), &geometry), "..... .##.. ..... .....");
        let error = |object: &Object| object.places(&spec(), &geometry).expect_err("refused").to_string();
        assert!(
            error(&source(0.0..5.9, 0.0..20.0))
                .contains("outside what the model sees; the input holds 6:14, 8:18")
        );
        assert!(error(&source(7.2..8.8, 8.0..18.0)).contains("too small"));
    }

    #[test]
    fn what_is_no_object() {
        let error = |object: &Object| {
            object.places(&spec(), &Geometry::identity(&[4, 5])).expect_err("refused").to_string()
        };
        assert!(error(&Object::Mask(vec![false; 20])).contains("empty: its mask"));
        assert!(error(&Object::Mask(vec![true; 60])).contains("has 60 values, the input has [4, 5] places"));
        assert!(error(&Object::Boxes(vec![])).contains("it has no box"));
        assert!(error(&Object::SourceBoxes(vec![])).contains("it has no box"));
        assert!(
            error(&Object::Boxes(vec![vec![0..1, 2..6]]))
                .contains("box 0 of the object reaches to 6 of an axis of 5")
        );
        assert!(
            error(&Object::Boxes(vec![vec![0..1, 2..3], vec![3..3, 0..1]]))
                .contains("box 1 of the object is empty: 3:3")
        );
        assert!(
            error(&Object::Boxes(vec![vec![0..1]])).contains("has 1 ranges, the input has 2 spatial axes")
        );
        assert!(error(&Object::SourceBoxes(vec![vec![0.0..f64::NAN, 0.0..1.0]])).contains("0:NaN"));
    }
}
