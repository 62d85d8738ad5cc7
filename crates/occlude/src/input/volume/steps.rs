//! The named steps between a volume's file and the model's input: turn, resample, scale values, crop, resize, pad.
//!
//! In: a [`Volume`] and a step whose sizes are settled. Out: the volume after it, its geometry with it. Each step is that of MONAI 1.6 by the name in its description, with MONAI's defaults where it does not say
//! otherwise; tests compare them with MONAI's own results. Values are in `intensity`, interpolation in `resample`, text in `steps_text`.

use super::affine::{self, Affine, Turned};
use super::{Volume, intensity, resample};
use crate::error::{Error, Result};

/// Which of several frames (of a 4-D NIfTI file, of a DICOM series) is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Frame {
    /// The only one, or, where the model has as many channels as there are frames, all of them as its channels.
    #[default]
    Only,
    /// The one with this number, from 0.
    Number(usize),
    /// All of them, as the model's channels.
    Channels,
}

/// How values between voxels are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    /// The nearest voxel's.
    Nearest,
    /// Trilinear; beyond the outermost centres the outermost values.
    Linear,
    /// The mean over the part of the old grid that a new voxel covers, in whole old voxels (torch's `area`).
    Area,
}

impl Interpolation {
    /// All of them with their names.
    pub const ALL: [(&'static str, Interpolation); 3] = [
        ("nearest", Interpolation::Nearest),
        ("linear", Interpolation::Linear),
        ("area", Interpolation::Area),
    ];
    pub(super) fn name(self) -> &'static str {
        Interpolation::ALL.iter().find(|(_, how)| *how == self).map_or("", |(name, _)| name)
    }
}

/// A size that a step makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepSize {
    /// Voxels along each axis.
    Exact([usize; 3]),
    /// The model's.
    Input,
}

impl StepSize {
    fn settled(self, input: [Option<usize>; 3]) -> Result<StepSize> {
        match (self, input) {
            (StepSize::Input, [Some(i), Some(j), Some(k)]) => Ok(StepSize::Exact([i, j, k])),
            (StepSize::Input, _) => Err(Error::argument(
                "the model's input has no fixed size, which a step of preprocessing is to give",
            )
            .with_hint("give the size in voxels: resize=96x96x96")),
            (exact, _) => Ok(exact),
        }
    }
    fn voxels(self) -> Result<[usize; 3]> {
        match self {
            StepSize::Exact(size) => Ok(size),
            StepSize::Input => StepSize::Input.settled([None; 3]).and(Ok([0; 3])),
        }
    }
}

/// A step, in the order in which they are taken.
#[derive(Clone, Debug, PartialEq)]
pub enum VolumeStep {
    /// Axes exchanged and turned, so that they run to these sides: `Orientation(axcodes)`. Kept as axes of the world, and whether each runs against it.
    Orient([Turned; 3]),
    /// Resampled to voxels of so many millimetres along each axis: `Spacing(pixdim)`, first voxel on first voxel (of tilted volumes middle on middle, see `first_voxel`), padding mode `border`, size rounded.
    Spacing([f64; 3], Interpolation),
    /// Values scaled so that the first range becomes the second: `ScaleIntensityRange`.
    Range {
        /// The range of values.
        from: [f64; 2],
        /// What it becomes.
        to: [f64; 2],
        /// Values beyond it become its ends.
        clip: bool,
    },
    /// Least and greatest value become these: `ScaleIntensity`.
    MinMax([f64; 2]),
    /// Two percentiles become these values: `ScaleIntensityRangePercentiles`.
    Percentiles {
        /// Lower and upper, 0 to 100.
        of: [f64; 2],
        /// What they become.
        to: [f64; 2],
        /// Values beyond them become these.
        clip: bool,
    },
    /// Minus mean, divided by standard deviation (of the population): `NormalizeIntensity`.
    ZScore {
        /// Only over voxels that are not 0, and only they are changed.
        nonzero: bool,
        /// Each channel by itself.
        channel_wise: bool,
    },
    /// Minus the first number, divided by the second: `NormalizeIntensity(subtrahend, divisor)`.
    Shift([f64; 2]),
    /// Cut to the box around values above 0, with so many voxels more on every side (zeros beyond the volume): `CropForeground`.
    CropForeground(usize),
    /// Stretched to a size: `Resize`.
    Resize(StepSize, Interpolation),
    /// Cut around the middle, or padded with zeros on both sides: `ResizeWithPadOrCrop`.
    PadOrCrop(StepSize),
}

impl VolumeStep {
    /// The same step with the model's size in it.
    ///
    /// # Errors
    /// Argument: the model's size is asked for, and it has none.
    pub(super) fn settled(&self, input: [Option<usize>; 3]) -> Result<VolumeStep> {
        Ok(match self {
            VolumeStep::Resize(size, how) => VolumeStep::Resize(size.settled(input)?, *how),
            VolumeStep::PadOrCrop(size) => VolumeStep::PadOrCrop(size.settled(input)?),
            step => step.clone(),
        })
    }

    /// Whether it scales values.
    pub(super) fn changes_values(&self) -> bool {
        use VolumeStep::{MinMax, Percentiles, Range, Shift, ZScore};
        matches!(self, Range { .. } | MinMax(_) | Percentiles { .. } | ZScore { .. } | Shift(_))
    }

    /// Takes the step. Sizes are settled.
    ///
    /// # Errors
    /// Argument: no foreground, axes that are not at right angles. Limit: more voxels than memory holds.
    pub(super) fn apply(&self, volume: &mut Volume) -> Result<()> {
        match self {
            VolumeStep::Orient(axes) => orient(volume, *axes),
            VolumeStep::Spacing(mm, how) => spacing(volume, *mm, *how)?,
            VolumeStep::Range { from, to, clip } => intensity::range(&mut volume.values, *from, *to, *clip)?,
            VolumeStep::MinMax(to) => intensity::min_max(&mut volume.values, *to),
            VolumeStep::Percentiles { of, to, clip } => {
                let from = of.map(|q| intensity::percentile(&volume.values, q));
                intensity::range(&mut volume.values, from, *to, *clip)?;
            }
            VolumeStep::ZScore { nonzero, channel_wise: true } => {
                let places = volume.places().max(1);
                volume.values.chunks_mut(places).for_each(|channel| intensity::z_score(channel, *nonzero));
            }
            VolumeStep::ZScore { nonzero, .. } => intensity::z_score(&mut volume.values, *nonzero),
            VolumeStep::Shift([minus, by]) => intensity::shift(&mut volume.values, *minus, *by),
            VolumeStep::CropForeground(margin) => crop_foreground(volume, *margin)?,
            VolumeStep::Resize(size, how) => resize(volume, size.voxels()?, *how)?,
            VolumeStep::PadOrCrop(size) => pad_or_crop(volume, size.voxels()?)?,
        }
        Ok(())
    }
}

fn orient(volume: &mut Volume, wanted: [Turned; 3]) {
    let axes = affine::turning(&volume.affine(), wanted);
    if axes == [(0, false), (1, false), (2, false)] {
        return;
    }
    let old = volume.size();
    let strides = [old[1] * old[2], old[2], 1];
    volume.geometry.turn(axes);
    let new = volume.size();
    let mut turned = Vec::with_capacity(volume.values.len());
    let at = |axis: usize, i: usize| {
        let (from, is_flipped) = axes[axis];
        strides[from] * if is_flipped { old[from] - 1 - i } else { i }
    };
    for channel in volume.values.chunks(new.iter().product::<usize>().max(1)) {
        for i in 0..new[0] {
            for j in 0..new[1] {
                let line = at(0, i) + at(1, j);
                turned.extend((0..new[2]).map(|k| channel[line + at(2, k)]));
            }
        }
    }
    volume.values = turned;
}

/// How far below 0 a corner may lie to be the lowest one, in new voxels; NumPy's `allclose`.
const SAME_PLACE: f64 = 1e-8;
/// How near a spacing must be to be kept as it is, in millimetres; MONAI's `AFFINE_TOL`.
const SAME_SPACING: f64 = 1e-3;

fn spacing(volume: &mut Volume, wanted: [f64; 3], how: Interpolation) -> Result<()> {
    let affine = volume.affine();
    let is = affine::spacing(&affine);
    for (a, b) in [(0, 1), (0, 2), (1, 2)] {
        let along: f64 = (0..3).map(|row| affine[row][a] * affine[row][b]).sum();
        if along.abs() > 1e-3 * is[a] * is[b] {
            return Err(Error::argument(format!(
                "the axes {a} and {b} of the volume are not at right angles (cosine {:.4}), so that voxels cannot be resampled along them",
                along / (is[a] * is[b])
            ))
            .with_hint("resample the scan to a grid with right angles first, or leave out spacing"));
        }
    }
    let old = volume.size();
    let scale = [0, 1, 2].map(|axis| {
        let (is, wanted) = (is[axis], wanted[axis]);
        if (is - wanted).abs() <= SAME_SPACING { 1.0 } else { wanted / is }
    });
    let size =
        [0, 1, 2].map(|axis| ((old[axis] as f64 - 1.0) / scale[axis] + 1.0).round_ties_even() as usize);
    if size == old && scale.iter().all(|s| (s - 1.0).abs() <= SAME_SPACING) {
        return Ok(());
    }
    super::check_memory(volume.channels.saturating_mul(saturating(size)), 8)?;
    let first = first_voxel(&affine, old, size, scale);
    volume.values = resample::at_steps(&volume.values, old, size, (first, scale), how);
    volume.geometry.resample(&size, &first, &scale);
    Ok(())
}

/// Where the first voxel of a new grid lies, in voxels of the old one: on its first voxel, or so that the middles of both grids coincide where the old one's first corner is not the lowest along every new axis.
/// MONAI's `compute_shape_offset`: that the axes of a tilted volume miss right angles by the rounding of its header is enough for the second.
fn first_voxel(affine: &Affine, old: [usize; 3], new: [usize; 3], scale: [f64; 3]) -> [f64; 3] {
    let dot = |a: usize, b: usize| (0..3).map(|row| affine[row][a] * affine[row][b]).sum::<f64>();
    // Cholesky's factor of what the axes make with each other: how far each axis leans along those before it.
    let along_0 = dot(0, 0).sqrt();
    let (lean_01, lean_02) = (dot(0, 1) / along_0, dot(0, 2) / along_0);
    let along_1 = (dot(1, 1) - lean_01 * lean_01).sqrt();
    let lean_12 = (dot(1, 2) - lean_01 * lean_02) / along_1;
    let spacing = affine::spacing(affine);
    let reach = |axis: usize, lean: f64, other: usize| {
        (lean / (spacing[axis] * scale[axis]) * (old[other] as f64 - 1.0)).min(0.0)
    };
    let lowest = [reach(0, lean_01, 1) + reach(0, lean_02, 2), reach(1, lean_12, 2)];
    if lowest.iter().all(|below| *below >= -SAME_PLACE) {
        return [0.0; 3];
    }
    [0, 1, 2].map(|axis| (old[axis] as f64 - new[axis] as f64 * scale[axis]) / 2.0)
}

fn saturating(size: [usize; 3]) -> usize {
    size.iter().fold(1, |product: usize, n| product.saturating_mul(*n))
}

fn resize(volume: &mut Volume, size: [usize; 3], how: Interpolation) -> Result<()> {
    if size == volume.size() {
        return Ok(());
    }
    super::check_memory(volume.channels.saturating_mul(saturating(size)), 8)?;
    volume.values = resample::stretch(&volume.values, volume.size(), size, how);
    volume.geometry.resize(&size);
    Ok(())
}

fn crop_foreground(volume: &mut Volume, margin: usize) -> Result<()> {
    let size = volume.size();
    let mut bounds: Option<[[usize; 2]; 3]> = None;
    for channel in volume.values.chunks(volume.places().max(1)) {
        for (at, _) in channel.iter().enumerate().filter(|(_, value)| **value > 0.0) {
            let place = [at / (size[1] * size[2]), at / size[2] % size[1], at % size[2]];
            let around = bounds.get_or_insert(place.map(|i| [i, i + 1]));
            for (range, i) in around.iter_mut().zip(place) {
                *range = [range[0].min(i), range[1].max(i + 1)];
            }
        }
    }
    let Some(bounds) = bounds else {
        return Err(Error::argument("no voxel is above 0, so there is no foreground to cut to")
            .with_hint("scale the values first (range=, percentiles=), or leave out crop-foreground"));
    };
    let start = bounds.map(|range| range[0] as isize - margin as isize);
    let size = bounds.map(|range| range[1] - range[0] + 2 * margin);
    cut(volume, start, size)
}

fn pad_or_crop(volume: &mut Volume, size: [usize; 3]) -> Result<()> {
    let old = volume.size();
    let start = [0, 1, 2].map(|axis| {
        let (is, wanted) = (old[axis], size[axis]);
        if wanted <= is {
            (is / 2).saturating_sub(wanted / 2) as isize
        } else {
            -(((wanted - is) / 2) as isize)
        }
    });
    cut(volume, start, size)
}

/// Cuts out a box, with zeros where it reaches beyond the volume.
fn cut(volume: &mut Volume, start: [isize; 3], size: [usize; 3]) -> Result<()> {
    super::check_memory(volume.channels.saturating_mul(saturating(size)), 4)?;
    let old = volume.size();
    let inside = |axis: usize, i: usize| {
        let at = start[axis] + i as isize;
        (at >= 0 && at < old[axis] as isize).then_some(at as usize)
    };
    let first = (-start[2]).clamp(0, size[2] as isize) as usize;
    let last = (old[2] as isize - start[2]).clamp(first as isize, size[2] as isize) as usize;
    let mut made = vec![0.0; volume.channels * saturating(size)];
    let channels = volume.values.chunks(volume.places().max(1));
    for (from, to) in channels.zip(made.chunks_mut(saturating(size).max(1))) {
        for i in 0..size[0] {
            for j in 0..size[1] {
                let (Some(x), Some(y)) = (inside(0, i), inside(1, j)) else { continue };
                let line = (x * old[1] + y) * old[2];
                let z = (first as isize + start[2]).max(0) as usize;
                let out = (i * size[1] + j) * size[2];
                to[out + first..out + last].copy_from_slice(&from[line + z..line + z + last - first]);
            }
        }
    }
    volume.values = made;
    volume.geometry.crop(&start, &size);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::volume::affine::IDENTITY;

    fn counted(size: [usize; 3]) -> Volume {
        let values = (0..size.iter().product::<usize>()).map(|i| i as f32).collect();
        Volume::of_file(size, values, IDENTITY)
    }

    #[test]
    fn a_box_beyond_the_volume_is_zero_there() {
        let mut volume = counted([2, 2, 3]);
        cut(&mut volume, [-1, 0, 1], [3, 1, 4]).expect("fits");
        assert_eq!(volume.values, [0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 0.0, 0.0, 7.0, 8.0, 0.0, 0.0]);
        assert_eq!(volume.geometry.window_in_source(&[0..3, 0..1, 0..4]), [-1.0..2.0, 0.0..1.0, 1.0..5.0]);
        let mut volume = counted([2, 2, 3]);
        cut(&mut volume, [0, 0, 5], [1, 1, 2]).expect("all beyond");
        assert_eq!(volume.values, [0.0, 0.0]);
    }

    #[test]
    fn foreground_has_to_be_there() {
        let mut volume = Volume::of_file([2, 2, 2], vec![-1.0; 8], IDENTITY);
        assert!(crop_foreground(&mut volume, 0).expect_err("none").to_string().contains("no foreground"));
        volume.values[6] = 1.0;
        crop_foreground(&mut volume, 1).expect("one voxel");
        assert_eq!((volume.size(), volume.values[13]), ([3, 3, 3], 1.0));
        assert_eq!(volume.values.iter().filter(|v| **v == -1.0).count(), 7);
    }

    #[test]
    fn axes_that_are_not_at_right_angles_are_not_resampled() {
        let mut sheared = IDENTITY;
        sheared[0][1] = 0.5;
        let mut volume = Volume::of_file([2, 2, 2], vec![0.0; 8], sheared);
        let error =
            VolumeStep::Spacing([2.0; 3], Interpolation::Linear).apply(&mut volume).expect_err("sheared");
        assert!(error.to_string().contains("axes 0 and 1 of the volume are not at right angles"), "{error}");
    }

    #[test]
    fn the_models_size_has_to_be_known() {
        let step = VolumeStep::Resize(StepSize::Input, Interpolation::Area);
        assert!(step.settled([Some(1), None, Some(2)]).is_err());
        let settled = step.settled([Some(4), Some(5), Some(6)]).expect("known");
        assert_eq!(settled, VolumeStep::Resize(StepSize::Exact([4, 5, 6]), Interpolation::Area));
    }
}
