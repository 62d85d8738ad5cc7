//! Occluded copies of a model's inputs: the only thing a scorer needs to know about windows and fills.
//!
//! In: the inputs, the windows, the resolved fills. Out: the box of a window in an input, and the input with that window hidden. Every element of
//! the box is assigned, and no element outside it is touched; only a shape with a soft edge blends, where it hides a part of an element. Of several inputs, windows may hide one or some; the others stay as they are.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use super::fill::FillValues;
use super::inpaint::Inpaint;
use super::shape::Shape;
use super::unchanged::{Difference, Unchanged};
use super::windows::Windows;
use crate::tensor::{TensorSpec, for_each_run};

/// One of a model's inputs.
#[derive(Clone, Debug)]
pub struct OccludedInput {
    /// What it is.
    pub spec: TensorSpec,
    /// Row-major in the model's order.
    pub values: Vec<f32>,
    /// What is written where a window hides it (a tensor has the shape of `spec`); `None` for an input that is left alone.
    pub fill: Option<FillValues>,
}

/// The inputs of a model with the windows that hide parts of them.
#[derive(Clone, Debug)]
pub struct Occluder {
    inputs: Vec<OccludedInput>,
    /// The input that the windows were laid in.
    lead: usize,
    windows: Windows,
    /// A window laid by hand beside them, as ranges of the input that they were laid in.
    by_hand: Option<Vec<Range<usize>>>,
    shape: Shape,
    /// Per input, where it differs from its fill; `None` where that hangs on the window, or windows are no boxes hidden whole.
    differences: Vec<Option<Difference>>,
    /// The shape's weights by the sizes of a box's spatial axes; nothing for boxes that are hidden whole.
    weights: BTreeMap<Vec<usize>, Vec<f32>>,
}

impl Occluder {
    /// The occluder of a model with one input. `input` and a fill that is a tensor have the shape of `spec`; the windows were laid for it.
    pub fn new(input: Vec<f32>, spec: TensorSpec, windows: Windows, fill: FillValues) -> Self {
        Occluder::of_inputs(
            vec![OccludedInput { spec, values: input, fill: Some(fill) }],
            0,
            windows,
            Shape::Box,
        )
    }
    /// The occluder of a model with these inputs, in the scorer's order. Windows were laid in input number `lead`; the others that have a fill have the same spatial shape and are hidden at
    /// the same places, all channels together. `shape` is what is hidden of each window.
    pub fn of_inputs(inputs: Vec<OccludedInput>, lead: usize, windows: Windows, shape: Shape) -> Self {
        debug_assert!(inputs.iter().all(|input| input.values.len() == input.spec.len()));
        let are_boxes = shape == Shape::Box && !windows.grids().is_empty();
        let difference = |input: &OccludedInput| {
            let fill = input.fill.as_ref().filter(|_| are_boxes)?;
            Difference::of(&input.spec, &input.values, fill)
        };
        let differences = inputs.iter().map(difference).collect();
        let mut occluder =
            Occluder { inputs, lead, windows, by_hand: None, shape, differences, weights: BTreeMap::new() };
        for window in 0..occluder.windows.len() {
            occluder.prepare_weights(window);
        }
        occluder
    }

    /// Lays a window by hand beside the others: `bounds` is a box of the input that they were laid in, one range per axis of its shape. It is hidden like a window of the grid
    /// (same fill, same shape), and is none of them. Returns the number to call it by. A second one takes the first one's place.
    pub fn lay_by_hand(&mut self, bounds: Vec<Range<usize>>) -> usize {
        self.by_hand = Some(bounds);
        let window = self.windows.len();
        self.prepare_weights(window);
        window
    }

    /// The box of a window in the input that windows were laid in.
    fn bounds(&self, window: usize) -> Vec<Range<usize>> {
        match &self.by_hand {
            Some(bounds) if window == self.windows.len() => bounds.clone(),
            _ => self.windows.bounds(window),
        }
    }

    /// Windows have few sizes: the weights of each are made once.
    fn prepare_weights(&mut self, window: usize) {
        if self.shape == Shape::Box {
            return;
        }
        let sizes = self.places_of(&self.bounds(window), self.lead);
        if let (false, Some(weights)) = (self.weights.contains_key(&sizes), self.shape.weights(&sizes)) {
            self.weights.insert(sizes, weights);
        }
    }

    /// Sizes of a box of an input along its spatial axes.
    fn places_of(&self, ranges: &[Range<usize>], input: usize) -> Vec<usize> {
        self.inputs[input].spec.spatial_axes().into_iter().map(|axis| ranges[axis].len()).collect()
    }

    /// The untouched inputs.
    pub fn inputs(&self) -> &[OccludedInput] {
        &self.inputs
    }
    /// The values of the untouched inputs.
    pub fn untouched(&self) -> Vec<&[f32]> {
        self.inputs.iter().map(|input| input.values.as_slice()).collect()
    }
    /// The windows.
    pub fn windows(&self) -> &Windows {
        &self.windows
    }
    /// The box of a window in an input: one half-open range per axis of its shape; `None` where the window leaves it alone.
    pub fn region(&self, window: usize, input: usize) -> Option<Vec<Range<usize>>> {
        self.inputs[input].fill.as_ref()?;
        let bounds = self.bounds(window);
        if input == self.lead {
            return Some(bounds);
        }
        let (lead, spec) = (&self.inputs[self.lead].spec, &self.inputs[input].spec);
        let mut ranges: Vec<Range<usize>> = spec.shape.iter().map(|&n| 0..n).collect();
        for (from, to) in lead.spatial_axes().into_iter().zip(spec.spatial_axes()) {
            ranges[to] = bounds[from].clone();
        }
        Some(ranges)
    }
    /// The part of a window's box in an input that really changes; the whole box where that is not known before, `None` where nothing changes.
    pub fn changed(&self, window: usize, input: usize) -> Option<Vec<Range<usize>>> {
        let region = self.region(window, input)?;
        match &self.differences[input] {
            Some(difference) => difference.tight(&region),
            None => Some(region),
        }
    }
    /// Whether hiding this window is known to change nothing.
    pub fn changes_nothing(&self, window: usize) -> bool {
        (0..self.inputs.len()).all(|input| self.changed(window, input).is_none())
    }
    /// How much of what windows cover is the fill already; `None` where that is not known before.
    pub fn unchanged(&self) -> Option<Unchanged> {
        let hidden = |input: &usize| self.inputs[*input].fill.is_some();
        let inputs: Vec<usize> = (0..self.inputs.len()).filter(hidden).collect();
        if inputs.iter().any(|&input| self.differences[input].is_none()) {
            return None;
        }
        let mut found = Unchanged { of_windows: self.windows.len(), ..Unchanged::default() };
        let volume = |ranges: Option<Vec<Range<usize>>>| -> u64 {
            ranges.map_or(0, |ranges| ranges.iter().map(|range| range.len() as u64).product())
        };
        for window in 0..self.windows.len() {
            let (mut all, mut changed) = (0, 0);
            for &input in &inputs {
                all += volume(self.region(window, input));
                changed += volume(self.changed(window, input));
            }
            found.of_elements += all;
            found.elements += all - changed;
            found.windows += usize::from(changed == 0);
        }
        Some(found)
    }
    /// The windows that need a run: the first of those that hide the same elements, without those that change nothing.
    pub fn runs(&self) -> Vec<usize> {
        self.windows.runs().into_iter().filter(|&window| !self.changes_nothing(window)).collect()
    }
    /// Writes a whole input with this window hidden.
    ///
    /// # Panics
    /// If `out` does not have the input's length.
    pub fn occlude_into(&self, window: usize, input: usize, out: &mut [f32]) {
        out.copy_from_slice(&self.inputs[input].values);
        let Some(ranges) = self.region(window, input) else { return };
        let mut hidden = vec![0.0; ranges.iter().map(Range::len).product()];
        self.write_hidden(window, input, &mut hidden);
        let mut at = 0;
        for_each_run(&self.inputs[input].spec.shape, &ranges, |run| {
            let length = run.len();
            out[run].copy_from_slice(&hidden[at..at + length]);
            at += length;
        });
    }
    /// Writes what stands in a window's box, row-major within it; `out` has the box's length.
    pub fn write_hidden(&self, window: usize, input: usize, out: &mut [f32]) {
        let Some(ranges) = self.region(window, input) else { return };
        self.write_fill(window, &ranges, &self.inputs[input], out);
        let sizes = self.places_of(&ranges, input);
        let Some(weights) = self.share(window, &sizes) else {
            return;
        };
        let spec = &self.inputs[input].spec;
        let places = weights.len();
        // Channels are the first axis of a box or its last.
        let channels = spec.channel_axis.map_or(1, |axis| ranges[axis].len());
        let is_last = spec.channel_axis.is_some_and(|axis| axis > 0);
        let mut at = 0;
        for_each_run(&spec.shape, &ranges, |run| {
            for &kept in &self.inputs[input].values[run] {
                let weight = weights[if is_last { at / channels } else { at % places }];
                // What is hidden whole is assigned, so that a NaN in it does not leak; what is not hidden stays as it is.
                if weight == 0.0 {
                    out[at] = kept;
                } else if weight < 1.0 {
                    out[at] = kept * (1.0 - weight) + out[at] * weight;
                }
                at += 1;
            }
        });
    }

    /// How much of each place of a box is hidden; `None` for boxes that are hidden whole.
    fn share(&self, window: usize, sizes: &[usize]) -> Option<Cow<'_, [f32]>> {
        let of_window = (window < self.windows.len()).then(|| self.windows.share(window)).flatten();
        of_window.or_else(|| self.weights.get(sizes).map(|w| Cow::Borrowed(&w[..])))
    }

    /// Writes a box of `values`, which are the input or its levels, with what is hidden of it inpainted.
    fn inpaint(
        &self,
        window: usize,
        ranges: &[Range<usize>],
        input: &OccludedInput,
        inpaint: &Inpaint,
        values: &[f32],
        out: &mut [f32],
    ) {
        let sizes: Vec<usize> =
            input.spec.spatial_axes().into_iter().map(|axis| ranges[axis].len()).collect();
        let share = self.share(window, &sizes);
        let hidden: Option<Vec<bool>> = share.map(|share| share.iter().map(|&weight| weight > 0.0).collect());
        match inpaint.fill_box(values, &input.spec, ranges, hidden.as_deref()) {
            Ok(inpainted) => out.copy_from_slice(&inpainted),
            // Whether windows can be inpainted is checked before a run; what cannot stays as it is.
            Err(_) => copy_box(&input.spec, values, ranges, out),
        }
    }

    fn write_fill(&self, window: usize, ranges: &[Range<usize>], input: &OccludedInput, out: &mut [f32]) {
        let values = match &input.fill {
            None => return,
            Some(FillValues::Tensor(values)) => {
                let mut at = 0;
                for_each_run(&input.spec.shape, ranges, |run| {
                    out[at..at + run.len()].copy_from_slice(&values[run.clone()]);
                    at += run.len();
                });
                return;
            }
            Some(FillValues::PerChannel(values)) => values.clone(),
            Some(FillValues::Inpaint(inpaint)) => {
                return self.inpaint(window, ranges, input, inpaint, &input.values, out);
            }
            Some(FillValues::InpaintLevels { inpaint, levels, scale }) => {
                self.inpaint(window, ranges, input, inpaint, levels, out);
                let mut at = 0;
                for_each_run(&input.spec.shape, ranges, |run| {
                    for element in run {
                        let (factor, offset) = scale[input.spec.channel_of(element)];
                        out[at] = out[at] * factor + offset;
                        at += 1;
                    }
                });
                return;
            }
            Some(FillValues::PatchMean) => patch_mean(input, ranges),
            Some(FillValues::OverallPatchMean) => {
                let hidden = input.spec.channel_axis.map_or(0..1, |axis| ranges[axis].clone());
                // Channels of a box have as many elements each.
                let sum: f64 = patch_mean(input, ranges)[hidden.clone()].iter().copied().map(f64::from).sum();
                vec![(sum / hidden.len().max(1) as f64) as f32; input.spec.channels()]
            }
        };
        let mut at = 0;
        for_each_run(&input.spec.shape, ranges, |run| {
            for element in run {
                out[at] = values[input.spec.channel_of(element)];
                at += 1;
            }
        });
    }
}

/// What stands in a box untouched.
fn copy_box(spec: &TensorSpec, values: &[f32], ranges: &[Range<usize>], out: &mut [f32]) {
    let mut at = 0;
    for_each_run(&spec.shape, ranges, |run| {
        out[at..at + run.len()].copy_from_slice(&values[run.clone()]);
        at += run.len();
    });
}

/// The mean of each channel over a box; 0 for channels that are not in it.
fn patch_mean(input: &OccludedInput, ranges: &[Range<usize>]) -> Vec<f32> {
    let mut sums = vec![(0.0f64, 0usize); input.spec.channels()];
    for_each_run(&input.spec.shape, ranges, |run| {
        for element in run {
            let sum = &mut sums[input.spec.channel_of(element)];
            sum.0 += f64::from(input.values[element]);
            sum.1 += 1;
        }
    });
    sums.into_iter().map(|(sum, count)| (sum / count.max(1) as f64) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::occlusion::{Border, Fill, Grid};
    use crate::tensor::Layout;
    use proptest::prelude::*;

    fn occluder(shape: &[usize], layout: Layout, window: &[usize], fill: &Fill) -> Occluder {
        let spec = TensorSpec::new("x", shape, layout);
        let input: Vec<f32> = (0..spec.len()).map(|i| ((i * 37) % 101) as f32 / 7.0).collect();
        let stride: Vec<usize> = window.iter().map(|w| w.div_ceil(2)).collect();
        let grid = Grid::new(&spec, window, &stride, Border::Center, None).expect("fits");
        let sizes = &window[window.len() - spec.spatial().len()..];
        let context =
            super::super::fill::FillContext { window: sizes, seed: 1, rgb_to_tensor: None, read_image: None };
        let values = fill.resolve(&input, &spec, &context).expect("resolves");
        Occluder::new(input, spec, Windows::Grid(grid), values)
    }

    #[test]
    fn nan_in_the_hidden_part_does_not_leak() {
        let spec = TensorSpec::new("x", &[1, 1, 4], Layout::ChannelsFirst);
        let grid = Grid::new(&spec, &[1, 2], &[1, 2], Border::Shift, None).expect("fits");
        let occluder = Occluder::new(
            vec![f32::NAN, 1.0, 2.0, 3.0],
            spec,
            Windows::Grid(grid),
            FillValues::PerChannel(vec![9.0]),
        );
        let mut out = [0.0; 4];
        occluder.occlude_into(0, 0, &mut out);
        assert_eq!(out, [9.0, 9.0, 2.0, 3.0]);
    }

    #[test]
    fn opencvs_inpainting_of_a_normalised_picture() {
        use crate::occlusion::reference_data::References;
        let data = References::open("inpaint.npz");
        let shape = data.shape("colour");
        let spec = TensorSpec::new("x", &[shape[0], shape[1], 3], Layout::ChannelsLast);
        let (mean, deviation) = ([0.485f32, 0.456, 0.406], [0.229f32, 0.224, 0.225]);
        let normalised = |level: f32, channel: usize| (level / 255.0 - mean[channel]) / deviation[channel];
        let levels = data.floats("colour");
        let input: Vec<f32> = levels.iter().enumerate().map(|(i, level)| normalised(*level, i % 3)).collect();
        let convert = |rgb: [f32; 3]| (0..3).map(|c| normalised(rgb[c], c)).collect::<Vec<f32>>();
        let mut compared = 0;
        for name in data.stems("_box") {
            // Boxes that are hidden whole are windows as they are.
            if data.values(&format!("{name}_hidden")).contains(&0.0) {
                continue;
            }
            let (at, radius) = (data.sizes(&format!("{name}_box")), data.sizes(&format!("{name}_radius"))[0]);
            let size = [at[1] - at[0], at[3] - at[2]];
            let roi =
                [at[0] + size[0] / 2..at[0] + size[0] / 2 + 1, at[2] + size[1] / 2..at[2] + size[1] / 2 + 1];
            let grid = Grid::new(&spec, &size, &[1, 1], Border::Drop, Some(&roi)).expect("fits");
            let context = super::super::fill::FillContext {
                window: &size,
                seed: 0,
                rgb_to_tensor: Some(&convert),
                read_image: None,
            };
            let fill = Fill::InpaintOpenCv(radius).resolve(&input, &spec, &context).expect("a picture");
            let windows = Windows::Grid(grid);
            let window = (0..windows.len())
                .find(|&w| windows.bounds(w)[..2] == [at[0]..at[1], at[2]..at[3]])
                .expect("the box is a window");
            let mut hidden = vec![0.0; size[0] * size[1] * 3];
            Occluder::new(input.clone(), spec.clone(), windows, fill).write_hidden(window, 0, &mut hidden);
            let expected = data.floats(&format!("{name}_bytes"));
            for (place, (got, level)) in hidden.iter().zip(&expected).enumerate() {
                assert!((got - normalised(*level, place % 3)).abs() < 1e-5, "{name} {place}");
            }
            compared += 1;
        }
        assert!(compared >= 20, "{compared} cases");
    }

    proptest! {
        #[test]
        fn only_the_box_changes_and_by_the_definition(
            c in 1usize..4, h in 1usize..7, w in 1usize..7, wc in 0usize..4, wh in 1usize..7, ww in 1usize..7, which in 0usize..6, first in any::<bool>(),
        ) {
            let fill = [Fill::Value((0..c).map(|i| i as f32 - 50.0).collect()), Fill::PatchMean, Fill::OverallPatchMean, Fill::Noise, Fill::Mean, Fill::Blur][which].clone();
            let (shape, layout) = if first { (vec![c, h, w], Layout::ChannelsFirst) } else { (vec![h, w, c], Layout::ChannelsLast) };
            let mut window = vec![wh.min(h), ww.min(w)];
            if wc > 0 { window.insert(0, wc.min(c)); }
            let occluder = occluder(&shape, layout, &window, &fill);
            let (input, spec) = (&occluder.inputs()[0].values, &occluder.inputs()[0].spec);
            for index in 0..occluder.windows().len() {
                let mut out = vec![f32::NAN; input.len()];
                occluder.occlude_into(index, 0, &mut out);
                let ranges = occluder.region(index, 0).expect("hidden");
                let members = |keep: &dyn Fn(usize) -> bool| {
                    let inside: Vec<f64> = (0..input.len())
                        .filter(|&e| keep(e) && spec.unravel(e).iter().zip(&ranges).all(|(i, r)| r.contains(i)))
                        .map(|e| f64::from(input[e]))
                        .collect();
                    inside.iter().sum::<f64>() / inside.len() as f64
                };
                for (element, &value) in out.iter().enumerate() {
                    let inside = spec.unravel(element).iter().zip(&ranges).all(|(i, r)| r.contains(i));
                    let channel = spec.channel_of(element);
                    if !inside {
                        prop_assert_eq!(value, input[element]);
                    } else if which == 0 {
                        prop_assert_eq!(value, channel as f32 - 50.0);
                    } else if which == 1 {
                        prop_assert!((f64::from(value) - members(&|e| spec.channel_of(e) == channel)).abs() < 1e-5);
                    } else if which == 2 {
                        prop_assert!((f64::from(value) - members(&|_| true)).abs() < 1e-5);
                    } else {
                        prop_assert!(value.is_finite());
                    }
                }
                let mut hidden = vec![f32::NAN; ranges.iter().map(|r| r.len()).product()];
                occluder.write_hidden(index, 0, &mut hidden);
                let mut in_box = Vec::new();
                for_each_run(&spec.shape, &ranges, |run| in_box.extend_from_slice(&out[run]));
                prop_assert_eq!(hidden, in_box);
            }
        }
    }
}
