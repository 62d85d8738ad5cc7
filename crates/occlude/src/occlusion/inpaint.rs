//! Inpainting: a hidden region of a picture filled from its surroundings by fast marching (Telea, "An Image Inpainting Technique Based on the Fast
//! Marching Method", Journal of Graphics Tools 9(1), 2004).
//!
//! In: a tensor with two spatial axes, a box, which places of the box are hidden. Out: what stands in the box. Places are filled from the rim inwards,
//! in the order of their distance to it; each is a weighted mean of what is known within a radius. The order and the weights depend on the mask alone,
//! so that all channels share them. The work is local: nothing further than the radius and two elements from the box is looked at.
//! OpenCV's `cv2.inpaint(..., INPAINT_TELEA)` differs from the paper in its formula and at the borders: [`InpaintFormula`] and [`InpaintEdges`] say how. Versions
//! before 4.10 differ from those after it (they leave the first row and column as they are); the later ones are meant.

mod marching;

use std::ops::Range;

use self::marching::{Field, box_places};
use crate::error::{Error, Result};
use crate::tensor::{TensorSpec, shape_text};

/// How the value of a place follows from the known places around it. `w` are Telea's weights, the sums run over the known places `q` within the
/// radius of `p`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum InpaintFormula {
    /// `sum w (I(q) + grad I(q) . (p - q)) / sum w`, the paper's first-order formula, then kept between the least and the greatest of the `I(q)`: without that,
    /// extrapolation from what was itself extrapolated runs away on holes of many pixels. In any unit: scaling and shifting the input does the same to the result.
    #[default]
    Telea,
    /// OpenCV on 32-bit floats: `sum w I(q) / sum w + (Jx + Jy) / |J|`, `J` the sum of `w` times the negated slopes. The second term is a direction, of a size of at
    /// most 1.42 whatever the picture's unit, so this makes sense only for values of a range of hundreds, as 0 to 255.
    OpenCvFloat,
    /// As `OpenCvFloat` with 1/2 added, each value rounded (halves to even) and kept in 0 to 255 before it is used further: OpenCV on 8-bit pictures of one or three
    /// channels. The half is OpenCV's; it makes the filled part half a level brighter.
    OpenCvByte,
}

/// What happens at the borders of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum InpaintEdges {
    /// As elsewhere; slopes look only at what is in the picture.
    #[default]
    Filled,
    /// As OpenCV does: the nothing around the picture is known, at a distance of a million, and slopes in the first row and column are those one further in, even if
    /// that is hidden (so that hidden values reach the result through the signs of slopes). Only for comparison.
    OpenCv,
}

/// The settings of a fill by inpainting.
///
/// ```
/// use occlude::{Inpaint, Layout, TensorSpec};
/// let spec = TensorSpec::new("x", &[1, 4, 5], Layout::ChannelsFirst);
/// let ramp: Vec<f32> = (0..20).map(|i| (i % 5) as f32).collect();
/// let filled = Inpaint { radius: 1, ..Inpaint::default() }.fill_box(&ramp, &spec, &[0..1, 1..3, 2..3], None)?;
/// assert!(filled.iter().all(|v| (v - 2.0).abs() < 1e-6));
/// # Ok::<(), occlude::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inpaint {
    /// How far known places are looked at, in elements; 1 to 100.
    pub radius: usize,
    /// The arithmetic.
    pub formula: InpaintFormula,
    /// The borders.
    pub edges: InpaintEdges,
}

impl Default for Inpaint {
    fn default() -> Self {
        Inpaint { radius: 3, formula: InpaintFormula::default(), edges: InpaintEdges::default() }
    }
}

impl Inpaint {
    /// Largest radius, in elements; OpenCV's limit too.
    pub const MAX_RADIUS: usize = 100;

    /// What stands in the box after inpainting: row-major within the box, in the model's order of axes.
    ///
    /// `ranges` is one half-open range per axis of the spec's shape; channels outside of it are not looked at. `hidden` tells for each place of the box
    /// (row-major over the two spatial axes, the same for all channels) whether it is hidden, `None` is all of them; the others keep their values and count as known.
    ///
    /// # Errors
    /// Unsupported: an input without exactly two spatial axes. Argument: a radius out of range, a box outside the input, a `hidden` of another length,
    /// an input of which nothing is left to see.
    pub fn fill_box(
        &self,
        input: &[f32],
        spec: &TensorSpec,
        ranges: &[Range<usize>],
        hidden: Option<&[bool]>,
    ) -> Result<Vec<f32>> {
        self.fill_within(input, spec, ranges, hidden, self.radius + 2)
    }

    /// [`Inpaint::fill_box`] with a margin of places around the box that are looked at; radius + 2 suffice.
    fn fill_within(
        &self,
        input: &[f32],
        spec: &TensorSpec,
        ranges: &[Range<usize>],
        hidden: Option<&[bool]>,
        margin: usize,
    ) -> Result<Vec<f32>> {
        self.check(spec, input.len(), ranges)?;
        let axes = spec.spatial_axes();
        let size = [spec.shape[axes[0]], spec.shape[axes[1]]];
        let spatial_box = [ranges[axes[0]].clone(), ranges[axes[1]].clone()];
        let places = spatial_box[0].len() * spatial_box[1].len();
        if hidden.is_some_and(|h| h.len() != places) {
            return Err(Error::argument(format!(
                "the mask of the inpainting has {} places, its box has {}x{}",
                hidden.map_or(0, <[bool]>::len),
                spatial_box[0].len(),
                spatial_box[1].len()
            )));
        }
        let channels = spec.channel_axis.map_or(0..1, |axis| ranges[axis].clone());
        let strides = spec.strides();
        let channel_stride = spec.channel_axis.map_or(0, |axis| strides[axis]);
        let mut field = Field::new(size, &spatial_box, hidden, margin);
        if field.is_all_hidden() {
            return Err(Error::argument(format!(
                "inpainting hides the whole input ({}x{}), nothing is left to fill it from",
                size[0], size[1]
            ))
            .with_hint("use a smaller window, or another fill, for example mean"));
        }
        let mut planes: Vec<Vec<f32>> = channels
            .clone()
            .map(|channel| {
                let at = |[y, x]: [usize; 2]| {
                    channel * channel_stride + y * strides[axes[0]] + x * strides[axes[1]]
                };
                field.places().map(|place| input[at(place)]).collect()
            })
            .collect();
        field.march_outside(self.radius);
        field.march_inside(|field, place| {
            let weights = self.weights(field, place);
            for plane in &mut planes {
                plane[field.index(place)] = self.value(field, plane, &weights);
            }
        });
        let mut out = Vec::with_capacity(places * channels.len());
        let channel_is_last = spec.channel_axis.is_some_and(|axis| axis > axes[1]);
        if channel_is_last {
            for place in box_places(&spatial_box) {
                out.extend(planes.iter().map(|plane| plane[field.index(place)]));
            }
        } else {
            for plane in &planes {
                out.extend(box_places(&spatial_box).map(|place| plane[field.index(place)]));
            }
        }
        Ok(out)
    }

    fn check(&self, spec: &TensorSpec, length: usize, ranges: &[Range<usize>]) -> Result<()> {
        let axes = spec.spatial_axes();
        if axes.len() != 2 {
            return Err(Error::unsupported(format!(
                "inpainting (Telea) is for two spatial axes, the input {spec} has {}",
                axes.len()
            ))
            .with_hint("for signals and volumes use another fill, for example mean or blur"));
        }
        if !(1..=Self::MAX_RADIUS).contains(&self.radius) {
            return Err(Error::argument(format!(
                "inpainting has a radius of {} elements, expected 1 to {}",
                self.radius,
                Self::MAX_RADIUS
            )));
        }
        if length != spec.len() {
            return Err(Error::argument(format!(
                "the input has {length} values, {spec} needs {}",
                spec.len()
            )));
        }
        let fits = ranges.len() == spec.shape.len()
            && ranges.iter().zip(&spec.shape).all(|(r, &n)| r.start <= r.end && r.end <= n);
        if !fits {
            let shown: Vec<String> = ranges.iter().map(|r| format!("{}:{}", r.start, r.end)).collect();
            return Err(Error::argument(format!(
                "the box to inpaint is {}, the input has shape {}",
                shown.join(", "),
                shape_text(&spec.shape)
            )));
        }
        Ok(())
    }
}

/// One known place around a place to fill.
struct Weighted {
    place: [usize; 2],
    /// From that place to the one to fill: rows, columns.
    step: [f32; 2],
    weight: f32,
}

/// A difference from the values before, at and after a place, of those that are known: `central` times the one across, or the one-sided one, or 0.
fn slope(before: Option<f32>, here: f32, after: Option<f32>, central: f32) -> f32 {
    match (before, after) {
        (Some(before), Some(after)) => (after - before) * central,
        (None, Some(after)) => after - here,
        (Some(before), None) => here - before,
        (None, None) => 0.0,
    }
}

impl Inpaint {
    /// The known places within the radius of a place with Telea's weights: nearness x likeness of distance x alignment with the march.
    fn weights(&self, field: &Field, place: [usize; 2]) -> Vec<Weighted> {
        let cell = field.cell(place);
        let distance = field.distance[cell];
        let known = |c: usize| {
            // OpenCV takes the nothing around the picture as known, at the distance that stands for never.
            let exists = self.edges == InpaintEdges::OpenCv || field.is_in_part(c);
            (exists && !field.hidden[c]).then(|| field.distance[c])
        };
        let normal = [0, 1].map(|axis| {
            let [before, after] = field.around(cell, axis);
            slope(known(before), distance, known(after), 0.5)
        });
        let reach = [0, 1].map(|axis| {
            place[axis].saturating_sub(self.radius)..(place[axis] + self.radius + 1).min(field.size[axis])
        });
        let mut found = Vec::new();
        for other in box_places(&reach) {
            let step = [0, 1].map(|axis| place[axis] as f32 - other[axis] as f32);
            let square = step[1] * step[1] + step[0] * step[0];
            let other_cell = field.cell(other);
            if field.hidden[other_cell] || square > (self.radius * self.radius) as f32 {
                continue;
            }
            // The paper's 1 / |r|^2 times r . grad T / |r|.
            let square = f64::from(square);
            let nearness = (1.0 / (square * square.sqrt())) as f32;
            let likeness = (1.0 / (1.0 + f64::from((field.distance[other_cell] - distance).abs()))) as f32;
            let mut along = step[1] * normal[1] + step[0] * normal[0];
            if f64::from(along.abs()) <= 0.01 {
                along = 0.000_001;
            }
            found.push(Weighted { place: other, step, weight: (nearness * likeness * along).abs() });
        }
        found
    }

    /// The value of a place from its weighted surroundings.
    fn value(&self, field: &Field, plane: &[f32], weights: &[Weighted]) -> f32 {
        let mut total = 1.0e-20f32;
        let (mut mean, mut across, mut down) = (0.0f32, 0.0f32, 0.0f32);
        let (mut least, mut most) = (f32::INFINITY, f32::NEG_INFINITY);
        for Weighted { place, step, weight } in weights {
            let (value, [slope_down, slope_across]) = match self.edges {
                InpaintEdges::Filled => self.read(field, plane, *place),
                InpaintEdges::OpenCv => self.read_as_opencv(field, plane, *place),
            };
            mean += weight * value;
            across -= weight * (slope_across * step[1]);
            down -= weight * (slope_down * step[0]);
            total += weight;
            least = least.min(value);
            most = most.max(value);
        }
        let turned = (across + down) / ((across * across + down * down).sqrt() + 1.0e-20);
        match self.formula {
            InpaintFormula::Telea => ((mean - (across + down)) / total).max(least).min(most),
            InpaintFormula::OpenCvFloat => mean / total + turned,
            InpaintFormula::OpenCvByte => (mean / total + turned + 0.5).round_ties_even().clamp(0.0, 255.0),
        }
    }

    /// Factor of a difference across two steps: the paper halves it, OpenCV doubles it.
    fn central(&self) -> f32 {
        if self.formula == InpaintFormula::Telea { 0.5 } else { 2.0 }
    }

    /// Value and slopes (rows, columns) at a known place.
    fn read(&self, field: &Field, plane: &[f32], place: [usize; 2]) -> (f32, [f32; 2]) {
        let cell = field.cell(place);
        let here = plane[field.index(place)];
        let known =
            |c: usize| (field.is_in_part(c) && !field.hidden[c]).then(|| plane[field.index(field.place(c))]);
        let slopes = [0, 1].map(|axis| {
            let [before, after] = field.around(cell, axis);
            slope(known(before), here, known(after), self.central())
        });
        (here, slopes)
    }

    /// The same as OpenCV reads it: slopes of the first row and column are read one further in, and what lies beyond the picture counts as known.
    fn read_as_opencv(&self, field: &Field, plane: &[f32], place: [usize; 2]) -> (f32, [f32; 2]) {
        let cell = field.cell(place);
        let last = field.size.map(|n| n - 1);
        let low = [0, 1].map(|axis| place[axis].max(1).min(last[axis]));
        let high = [0, 1].map(|axis| place[axis].min(last[axis].saturating_sub(1)));
        let slopes = [0, 1].map(|axis| {
            let at = |along: usize| {
                let mut spot = low;
                spot[axis] = along;
                plane[field.index(spot)]
            };
            let [before, after] = field.around(cell, axis).map(|c| !field.hidden[c]);
            let (next, previous) = ((high[axis] + 1).min(last[axis]), low[axis].saturating_sub(1));
            match (before, after) {
                (true, true) => (at(next) - at(previous)) * self.central(),
                (false, true) => at(next) - at(low[axis]),
                (true, false) => at(high[axis]) - at(previous),
                (false, false) => 0.0,
            }
        });
        (plane[field.index(place)], slopes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::occlusion::reference_data::References;
    use crate::tensor::Layout;
    use proptest::prelude::*;

    struct Case {
        name: String,
        radius: usize,
        ranges: [Range<usize>; 2],
        hidden: Vec<bool>,
    }

    fn cases(data: &References) -> Vec<Case> {
        let read = |name: String| {
            let at = data.sizes(&format!("{name}_box"));
            Case {
                radius: data.sizes(&format!("{name}_radius"))[0],
                ranges: [at[0]..at[1], at[2]..at[3]],
                hidden: data.values(&format!("{name}_hidden")).iter().map(|&v| v != 0.0).collect(),
                name,
            }
        };
        data.stems("_box").into_iter().map(read).collect()
    }
    fn gray_spec(data: &References) -> TensorSpec {
        let shape = data.shape("gray");
        TensorSpec::new("x", &[1, shape[0], shape[1]], Layout::ChannelsFirst)
    }

    fn fill(inpaint: Inpaint, input: &[f32], spec: &TensorSpec, case: &Case) -> Vec<f32> {
        let [rows, columns] = case.ranges.clone();
        let ranges = match spec.layout {
            Layout::ChannelsFirst => [0..spec.channels(), rows, columns],
            Layout::ChannelsLast => [rows, columns, 0..spec.channels()],
        };
        inpaint.fill_box(input, spec, &ranges, Some(&case.hidden)).unwrap()
    }
    fn worst(a: &[f32], b: &[f32]) -> f32 {
        assert_eq!(a.len(), b.len());
        a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn floats_equal_opencv() {
        let data = References::open("inpaint.npz");
        let (gray, spec) = (data.floats("gray"), gray_spec(&data));
        let (edges, formula) = (InpaintEdges::OpenCv, InpaintFormula::OpenCvFloat);
        let cases = cases(&data);
        assert_eq!(cases.len(), 51);
        for case in &cases {
            let got = fill(Inpaint { radius: case.radius, formula, edges }, &gray, &spec, case);
            let off = worst(&got, &data.floats(&format!("{}_float", case.name)));
            assert!(off <= 2e-4, "{}: {off} of 255", case.name);
        }
    }

    #[test]
    fn bytes_equal_opencv() {
        let data = References::open("inpaint.npz");
        let shape = data.shape("colour");
        let spec = TensorSpec::new("x", &[shape[0], shape[1], 3], Layout::ChannelsLast);
        let (edges, formula) = (InpaintEdges::OpenCv, InpaintFormula::OpenCvByte);
        let mut unequal = 0;
        for case in &cases(&data) {
            let got =
                fill(Inpaint { radius: case.radius, formula, edges }, &data.floats("colour"), &spec, case);
            let expected = data.floats(&format!("{}_bytes", case.name));
            unequal += got.iter().zip(&expected).filter(|(a, b)| a != b).count();
        }
        assert_eq!(unequal, 0, "bytes");
    }

    #[test]
    fn away_from_the_borders_both_edges_are_one() {
        let data = References::open("inpaint.npz");
        let (gray, spec) = (data.floats("gray"), gray_spec(&data));
        let mut compared = 0;
        for case in &cases(&data) {
            let near = case.radius + 1;
            let inner = [near..spec.shape[1] - near, near..spec.shape[2] - near];
            if (0..2)
                .any(|a| case.ranges[a].start < inner[a].start.max(1) || case.ranges[a].end > inner[a].end)
            {
                continue;
            }
            let formula = InpaintFormula::OpenCvFloat;
            let filled = Inpaint { radius: case.radius, formula, edges: InpaintEdges::Filled };
            let off = worst(&fill(filled, &gray, &spec, case), &data.floats(&format!("{}_float", case.name)));
            assert!(off <= 2e-4, "{}: {off}", case.name);
            compared += 1;
        }
        assert!(compared >= 15, "{compared}");
    }

    #[test]
    fn the_first_order_formula_continues_a_ramp() {
        let spec = TensorSpec::new("x", &[1, 12, 15], Layout::ChannelsFirst);
        let ramp: Vec<f32> = (0..180).map(|i| 3.0 + 0.5 * (i % 15) as f32 - 0.25 * (i / 15) as f32).collect();
        for (rows, columns) in [(4..6, 5..8), (3..4, 3..11), (5..7, 5..7)] {
            let ranges = [0..1, rows, columns];
            let inpaint = Inpaint { radius: 4, ..Inpaint::default() };
            let got = inpaint.fill_box(&ramp, &spec, &ranges, None).unwrap();
            let mut expected = Vec::new();
            crate::tensor::for_each_run(&spec.shape, &ranges, |run| expected.extend_from_slice(&ramp[run]));
            assert!(worst(&got, &expected) < 0.05, "{ranges:?}: {got:?} {expected:?}");
        }
    }

    #[test]
    fn what_is_not_two_dimensional_is_refused() {
        let of = |shape: &[usize], ranges: &[Range<usize>], inpaint: Inpaint| {
            let spec = TensorSpec::new("x", shape, Layout::ChannelsFirst);
            inpaint.fill_box(&vec![1.0; spec.len()], &spec, ranges, None).unwrap_err()
        };
        let volume = of(&[1, 4, 4, 4], &[0..1, 0..2, 0..2, 0..2], Inpaint::default());
        assert_eq!(volume.kind(), crate::ErrorKind::Unsupported);
        assert_eq!(
            volume.to_string(),
            "inpainting (Telea) is for two spatial axes, the input \"x\" [1, 4, 4, 4] has 3"
        );
        assert!(of(&[2, 9], &[0..2, 0..2], Inpaint::default()).to_string().contains("has 1"));
        let plane = [1, 4, 4];
        let far = Inpaint { radius: 101, ..Inpaint::default() };
        assert!(of(&plane, &[0..1, 0..2, 0..2], far).to_string().contains("radius of 101"));
        let all = of(&plane, &[0..1, 0..4, 0..4], Inpaint::default());
        assert!(all.to_string().contains("hides the whole input (4x4)") && all.hint().is_some());
        let outside = of(&plane, &[0..1, 0..5, 0..4], Inpaint::default());
        assert_eq!(outside.to_string(), "the box to inpaint is 0:1, 0:5, 0:4, the input has shape [1, 4, 4]");
    }

    fn noise(count: usize, seed: u64) -> Vec<f32> {
        (0..count).map(|i| crate::occlusion::noise::standard_normal(seed, i as u64) as f32).collect()
    }

    proptest! {
        #[test]
        fn hidden_values_do_not_show_and_the_work_is_local(
            h in 3usize..24, w in 3usize..24, y in 0usize..24, x in 0usize..24, bh in 1usize..9, bw in 1usize..9,
            radius in 1usize..6, seed in any::<u64>(), which in 0usize..3, first in any::<bool>(), holes in any::<bool>(),
        ) {
            let rows = y % h..(y % h + bh).min(h);
            let columns = x % w..(x % w + bw).min(w);
            prop_assume!((rows.len(), columns.len()) != (h, w));
            let formula = [InpaintFormula::Telea, InpaintFormula::OpenCvFloat, InpaintFormula::OpenCvByte][which];
            let hidden: Vec<bool> = noise(rows.len() * columns.len(), seed ^ 1).iter().map(|v| !holes || *v > 0.0).collect();
            let case = Case { name: String::new(), radius, ranges: [rows.clone(), columns.clone()], hidden: hidden.clone() };
            let (shape, layout) = if first { (vec![2, h, w], Layout::ChannelsFirst) } else { (vec![h, w, 2], Layout::ChannelsLast) };
            let spec = TensorSpec::new("x", &shape, layout);
            let input: Vec<f32> = noise(spec.len(), seed).iter().map(|v| v * 40.0 + 120.0).collect();
            let inpaint = Inpaint { radius, formula, edges: InpaintEdges::Filled };
            let got = fill(inpaint, &input, &spec, &case);
            let ranges = if first { [0..2, rows, columns] } else { [rows, columns, 0..2] };
            // The whole picture as margin gives the same bits.
            prop_assert_eq!(&inpaint.fill_within(&input, &spec, &ranges, Some(&hidden), h + w).unwrap(), &got);
            // Each channel by itself, too.
            for channel in 0..2 {
                let mut one = ranges.clone();
                one[if first { 0 } else { 2 }] = channel..channel + 1;
                let alone = inpaint.fill_box(&input, &spec, &one, Some(&hidden)).unwrap();
                let of_channel: Vec<f32> = if first {
                    got[channel * alone.len()..][..alone.len()].to_vec()
                } else {
                    got.iter().copied().skip(channel).step_by(2).collect()
                };
                prop_assert_eq!(alone, of_channel);
            }
            // Other values under the mask change nothing; the elements beside it are the input's.
            let mut other = input.clone();
            let mut at = 0;
            let places = hidden.len();
            let mut kept = true;
            crate::tensor::for_each_run(&shape, &ranges, |run| {
                for element in run {
                    let place = if first { at % places } else { at / 2 };
                    if hidden[place] { other[element] = f32::NAN } else { kept &= got[at] == input[element] }
                    at += 1;
                }
            });
            prop_assert!(kept);
            prop_assert_eq!(&fill(inpaint, &other, &spec, &case), &got);
            if formula == InpaintFormula::Telea {
                let low = other.iter().copied().filter(|v| v.is_finite()).fold(f32::INFINITY, f32::min);
                let high = other.iter().copied().filter(|v| v.is_finite()).fold(f32::NEG_INFINITY, f32::max);
                prop_assert!(got.iter().all(|v| (low..=high).contains(v)));
                // In another unit: a power of two scales exactly.
                let scaled: Vec<f32> = input.iter().map(|v| v / 64.0).collect();
                let back: Vec<f32> = fill(inpaint, &scaled, &spec, &case).iter().map(|v| v * 64.0).collect();
                prop_assert_eq!(&back, &got);
            }
        }
    }
}
