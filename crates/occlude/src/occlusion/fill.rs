//! The fills: what is written where a window hides the input.
//!
//! In: the fill as asked for, the input tensor, the window's nominal size. Out: [`FillValues`], resolved once per input: one value per channel, a whole
//! tensor of values, or the rule "mean of the patch". Values are assigned, never blended, so nothing of the input leaks through.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::inpaint::{Inpaint, InpaintEdges, InpaintFormula};
use super::noise::standard_normal;
use crate::error::{Error, Result};
use crate::tensor::{TensorSpec, shape_text};

/// What replaces the hidden values.
#[derive(Clone, Debug, PartialEq, Default)]
pub enum Fill {
    /// 0 in tensor space (for a normalised picture: the mean colour of the training set).
    Zero,
    /// One number for all channels, or one per channel, in tensor space.
    Value(Vec<f32>),
    /// A colour in source pixels, 0 to 255 per component, pushed through the same scaling and normalisation as the picture.
    Rgb([f32; 3]),
    /// Mean of each channel over the whole input.
    #[default]
    Mean,
    /// Mean of each channel over the window itself.
    PatchMean,
    /// Mean of the whole input, all channels together: MONAI's `mean_img`.
    OverallMean,
    /// Mean of the window, all channels together: MONAI's `mean_patch` as it is documented.
    OverallPatchMean,
    /// The input blurred by a Gaussian with sigma = half the window along each spatial axis (cut off at 4 sigma, borders mirrored as
    /// `scipy.ndimage.gaussian_filter` does by default).
    Blur,
    /// One normal image with each channel's mean and (population) standard deviation, drawn from the seed and the index of the element in channels-first order.
    Noise,
    /// Least value of each channel over the whole input.
    Min,
    /// The value that occurs most often on the border of each channel (the smallest of them on a tie): the black around a scan.
    Background,
    /// What stood around the window, carried into it by Telea's inpainting with this radius in elements; pictures only.
    Inpaint(usize),
    /// The same as OpenCV does it (`cv2.inpaint(..., INPAINT_TELEA)`, 4.10 and later), on the pictures' levels from 0 to 255 before scaling and normalisation; pictures only.
    InpaintOpenCv(usize),
    /// Another picture or `.npy` tensor, read and preprocessed like the input.
    Image(PathBuf),
    /// Values for every element, row-major in the model's order: Captum's baselines.
    Tensor(Vec<f32>),
}

/// Reads a picture as a tensor like the input.
pub type ReadImage<'a> = dyn Fn(&Path) -> Result<Vec<f32>> + 'a;

/// What a fill needs to know beside the input tensor.
pub struct FillContext<'a> {
    /// The nominal size of the windows in elements, one per spatial axis; blur needs it.
    pub window: &'a [usize],
    /// For `noise`.
    pub seed: u64,
    /// Turns a source colour (0 to 255) into one tensor value per channel; `None` where the input never was a picture.
    pub rgb_to_tensor: Option<&'a dyn Fn([f32; 3]) -> Vec<f32>>,
    /// Reads another picture as a tensor of the input's shape.
    pub read_image: Option<&'a ReadImage<'a>>,
}

/// A fill resolved for one input.
#[derive(Clone, Debug, PartialEq)]
pub enum FillValues {
    /// One value per channel.
    PerChannel(Vec<f32>),
    /// A tensor of the input's shape.
    Tensor(Vec<f32>),
    /// Mean of each channel over the window.
    PatchMean,
    /// Mean over the window, all channels together.
    OverallPatchMean,
    /// Inpainted from what is around the window.
    Inpaint(Inpaint),
    /// Inpainted as OpenCV does it, on levels.
    InpaintLevels {
        /// OpenCV's arithmetic.
        inpaint: Inpaint,
        /// The input as whole numbers from 0 to 255, row-major in the model's order.
        levels: Vec<f32>,
        /// Per channel: a level times the first, plus the second, is a value of the tensor.
        scale: Vec<(f32, f32)>,
    },
}

impl Fill {
    /// Computes the values for one input.
    ///
    /// # Errors
    /// Argument: a number of values that is not 1 or the number of channels; a colour for an input that is no picture. File: an image that cannot be read.
    pub fn resolve(&self, input: &[f32], spec: &TensorSpec, context: &FillContext<'_>) -> Result<FillValues> {
        let channels = spec.channels();
        Ok(match self {
            Fill::Zero => FillValues::PerChannel(vec![0.0; channels]),
            Fill::Value(values) if values.len() == 1 => FillValues::PerChannel(vec![values[0]; channels]),
            Fill::Value(values) if values.len() == channels => FillValues::PerChannel(values.clone()),
            Fill::Value(values) => {
                return Err(Error::argument(format!(
                    "fill has {} values, the input has {channels} channels",
                    values.len()
                ))
                .with_hint("give one number, or one per channel"));
            }
            Fill::Rgb(rgb) => {
                match context.rgb_to_tensor {
                    Some(convert) => FillValues::PerChannel(convert(*rgb)),
                    None => {
                        return Err(Error::argument("fill rgb:... needs a picture as input: a tensor has no source colours")
                        .with_hint("give the values in tensor space instead, for example --fill 0 or --fill 0.5,0.5,0.5"));
                    }
                }
            }
            Fill::Mean => FillValues::PerChannel(
                moments(input, spec).into_iter().map(|(mean, _)| mean as f32).collect(),
            ),
            Fill::PatchMean => FillValues::PatchMean,
            Fill::OverallMean => {
                let sum: f64 = input.iter().copied().map(f64::from).sum();
                FillValues::PerChannel(vec![(sum / input.len().max(1) as f64) as f32; channels])
            }
            Fill::OverallPatchMean => FillValues::OverallPatchMean,
            Fill::Inpaint(radius) => FillValues::Inpaint(Inpaint { radius: *radius, ..Inpaint::default() }),
            Fill::InpaintOpenCv(radius) => {
                let Some(convert) = context.rgb_to_tensor else {
                    return Err(Error::argument(
                        "fill inpaint-opencv needs a picture as input: a tensor has no levels from 0 to 255",
                    )
                    .with_hint("--fill inpaint works in any unit"));
                };
                let (black, white) = (convert([0.0; 3]), convert([255.0; 3]));
                let scale: Vec<(f32, f32)> = black
                    .iter()
                    .zip(&white)
                    .map(|(black, white)| ((white - black) / 255.0, *black))
                    .collect();
                let level = |(element, value): (usize, &f32)| {
                    let (factor, offset) = scale[spec.channel_of(element)];
                    ((value - offset) / factor).round().clamp(0.0, 255.0)
                };
                let levels = input.iter().enumerate().map(level).collect();
                let inpaint = Inpaint {
                    radius: *radius,
                    formula: InpaintFormula::OpenCvByte,
                    edges: InpaintEdges::OpenCv,
                };
                FillValues::InpaintLevels { inpaint, levels, scale }
            }
            Fill::Min => {
                let mut least = vec![f32::INFINITY; channels];
                for_each_element(spec, |element, channel, _| {
                    least[channel] = least[channel].min(input[element])
                });
                FillValues::PerChannel(least)
            }
            Fill::Background => FillValues::PerChannel(background(input, spec)),
            Fill::Noise => {
                let moments = moments(input, spec);
                let mut values = vec![0.0; input.len()];
                for_each_element(spec, |element, channel, canonical| {
                    let (mean, deviation) = moments[channel];
                    values[element] =
                        (mean + deviation * standard_normal(context.seed, canonical as u64)) as f32;
                });
                FillValues::Tensor(values)
            }
            Fill::Blur => FillValues::Tensor(blur(input, spec, context.window)),
            Fill::Tensor(values) if values.len() == spec.len() => {
                if let Some(at) = values.iter().position(|value| !value.is_finite()) {
                    let what = if values[at].is_nan() { "NaN" } else { "infinity" };
                    return Err(Error::argument(format!(
                        "the fill holds {what} at {}, expected finite numbers",
                        shape_text(&spec.unravel(at))
                    )));
                }
                FillValues::Tensor(values.clone())
            }
            Fill::Tensor(values) => {
                return Err(Error::argument(format!(
                    "the fill is a tensor of {} values, {spec} needs {}",
                    values.len(),
                    spec.len()
                )));
            }
            Fill::Image(path) => {
                match context.read_image {
                    Some(read) => FillValues::Tensor(read(path)?),
                    None => {
                        return Err(Error::argument("fill image:... is not available here: there is no reader for pictures")
                        .with_hint("give the fill as numbers, or occlude through a model that was opened from a file"));
                    }
                }
            }
        })
    }
}

impl fmt::Display for Fill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |values: &[f32]| values.iter().map(f32::to_string).collect::<Vec<_>>().join(",");
        match self {
            Fill::Zero => f.write_str("zero"),
            Fill::Value(values) => f.write_str(&list(values)),
            Fill::Rgb(rgb) => write!(f, "rgb:{}", list(rgb)),
            Fill::Mean => f.write_str("mean"),
            Fill::PatchMean => f.write_str("patch-mean"),
            Fill::OverallMean => f.write_str("overall-mean"),
            Fill::OverallPatchMean => f.write_str("overall-patch-mean"),
            Fill::Blur => f.write_str("blur"),
            Fill::Inpaint(radius) => write!(f, "inpaint:{radius}"),
            Fill::InpaintOpenCv(radius) => write!(f, "inpaint-opencv:{radius}"),
            Fill::Noise => f.write_str("noise"),
            Fill::Min => f.write_str("min"),
            Fill::Background => f.write_str("background"),
            Fill::Tensor(values) => write!(f, "tensor of {} values", values.len()),
            Fill::Image(path) => write!(f, "image:{}", path.display()),
        }
    }
}

/// Calls `visit(flat index, channel, flat index in channels-first order)` for every element.
fn for_each_element(spec: &TensorSpec, mut visit: impl FnMut(usize, usize, usize)) {
    let channels = spec.channels();
    let places = spec.len() / channels.max(1);
    let last = spec.channel_axis.is_some_and(|axis| axis + 1 == spec.shape.len() && axis > 0);
    for element in 0..spec.len() {
        let (channel, place) = if last {
            (element % channels, element / channels)
        } else {
            (element / places, element % places)
        };
        visit(element, channel, channel * places + place);
    }
}

/// Mean and population standard deviation of each channel.
fn moments(input: &[f32], spec: &TensorSpec) -> Vec<(f64, f64)> {
    let count = (spec.len() / spec.channels().max(1)) as f64;
    let mut sums = vec![0.0f64; spec.channels()];
    for_each_element(spec, |element, channel, _| sums[channel] += f64::from(input[element]));
    let means: Vec<f64> = sums.iter().map(|s| s / count).collect();
    let mut squares = vec![0.0f64; spec.channels()];
    for_each_element(spec, |element, channel, _| {
        squares[channel] += (f64::from(input[element]) - means[channel]).powi(2)
    });
    means.into_iter().zip(squares).map(|(mean, square)| (mean, (square / count).sqrt())).collect()
}

fn background(input: &[f32], spec: &TensorSpec) -> Vec<f32> {
    let most = |counts: &BTreeMap<u32, usize>| {
        counts
            .iter()
            .map(|(bits, count)| (*count, f32::from_bits(*bits)))
            .max_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)))
            .map_or(0.0, |(_, value)| value)
    };
    border_counts(input, spec).iter().map(most).collect()
}

/// On which part of the border each channel has its value of these; the least over channels, 0 to 1.
pub(crate) fn border_share(input: &[f32], spec: &TensorSpec, values: &[f32]) -> f64 {
    let share = |(counts, value): (&BTreeMap<u32, usize>, &f32)| {
        let of = counts.values().sum::<usize>().max(1);
        counts.get(&(value + 0.0).to_bits()).copied().unwrap_or(0) as f64 / of as f64
    };
    border_counts(input, spec).iter().zip(values).map(share).fold(1.0, f64::min)
}

/// How often each value occurs on the border of each channel.
fn border_counts(input: &[f32], spec: &TensorSpec) -> Vec<BTreeMap<u32, usize>> {
    let mut counts: Vec<BTreeMap<u32, usize>> = vec![BTreeMap::new(); spec.channels()];
    let strides = spec.strides();
    let axes: Vec<(usize, usize)> =
        spec.spatial_axes().into_iter().map(|axis| (strides[axis], spec.shape[axis])).collect();
    for_each_element(spec, |element, channel, _| {
        let is_end = |&(stride, length): &(usize, usize)| {
            let index = element / stride % length;
            index == 0 || index + 1 == length
        };
        if axes.iter().any(is_end) {
            // Adding 0 makes one zero of the two.
            *counts[channel].entry((input[element] + 0.0).to_bits()).or_default() += 1;
        }
    });
    counts
}

fn blur(input: &[f32], spec: &TensorSpec, window: &[usize]) -> Vec<f32> {
    let mut values = input.to_vec();
    let strides = spec.strides();
    for (axis, &window) in spec.spatial_axes().into_iter().zip(window) {
        if window == 0 {
            continue;
        }
        let weights = gaussian(window as f64 / 2.0);
        let (stride, length) = (strides[axis], spec.shape[axis]);
        let mut line = vec![0.0f64; length];
        for start in (0..values.len()).filter(|i| i / stride % length == 0) {
            for (i, slot) in line.iter_mut().enumerate() {
                *slot = f64::from(values[start + i * stride]);
            }
            for i in 0..length {
                let sum: f64 = weights
                    .iter()
                    .enumerate()
                    .map(|(k, w)| {
                        w * line[mirror(i as isize + k as isize - (weights.len() / 2) as isize, length)]
                    })
                    .sum();
                values[start + i * stride] = sum as f32;
            }
        }
    }
    values
}

/// Normalised weights from `-radius` to `radius`, `radius = round(4 sigma)`.
fn gaussian(sigma: f64) -> Vec<f64> {
    let radius = (4.0 * sigma + 0.5) as isize;
    let weights: Vec<f64> = (-radius..=radius).map(|i| (-0.5 * (i as f64 / sigma).powi(2)).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|w| w / sum).collect()
}

/// `d c b a | a b c d | d c b a`
fn mirror(i: isize, length: usize) -> usize {
    let period = 2 * length as isize;
    let i = i.rem_euclid(period);
    (if i < length as isize { i } else { period - 1 - i }) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Layout;

    fn resolve(fill: &Fill, input: &[f32], spec: &TensorSpec, window: &[usize]) -> Result<FillValues> {
        fill.resolve(input, spec, &FillContext { window, seed: 7, rgb_to_tensor: None, read_image: None })
    }

    #[test]
    fn per_channel_fills_in_both_layouts() {
        let first = TensorSpec::new("x", &[2, 2, 3], Layout::ChannelsFirst);
        let last = TensorSpec::new("x", &[2, 3, 2], Layout::ChannelsLast);
        let a = [1.0, 1.0, 5.0, 1.0, 2.0, 5.0, -4.0, -3.0, -3.0, 0.0, 0.0, -8.0];
        let mut b = [0.0; 12];
        for place in 0..6 {
            (b[place * 2], b[place * 2 + 1]) = (a[place], a[6 + place]);
        }
        for (fill, expected) in [
            (Fill::Zero, [0.0, 0.0]),
            (Fill::Value(vec![2.5]), [2.5, 2.5]),
            (Fill::Value(vec![1.0, 2.0]), [1.0, 2.0]),
            (Fill::Mean, [2.5, -3.0]),
            (Fill::OverallMean, [-0.25, -0.25]),
            (Fill::Min, [1.0, -8.0]),
            // Ties go to the smaller value: -3 and 0 both occur twice.
            (Fill::Background, [1.0, -3.0]),
        ] {
            let expected = FillValues::PerChannel(expected.to_vec());
            assert_eq!(resolve(&fill, &a, &first, &[1, 1]).expect("fits"), expected, "{fill}");
            assert_eq!(resolve(&fill, &b, &last, &[1, 1]).expect("fits"), expected, "{fill}");
        }
        let (FillValues::Tensor(x), FillValues::Tensor(y)) = (
            resolve(&Fill::Noise, &a, &first, &[1, 1]).expect("fits"),
            resolve(&Fill::Noise, &b, &last, &[1, 1]).expect("fits"),
        ) else {
            panic!("noise is a tensor")
        };
        assert!(
            (0..6).all(|p| x[p] == y[2 * p] && x[6 + p] == y[2 * p + 1]),
            "the same noise in both layouts"
        );
        assert!(
            resolve(&Fill::Value(vec![1.0; 3]), &a, &first, &[1, 1])
                .expect_err("three")
                .to_string()
                .contains("3 values")
        );
        assert!(resolve(&Fill::Rgb([0.0; 3]), &a, &first, &[1, 1]).is_err());
    }

    #[test]
    fn blur_is_the_separable_gaussian_by_the_definition() {
        let spec = TensorSpec::new("x", &[1, 2, 4], Layout::ChannelsFirst);
        let input = [0.0, 1.0, 5.0, 2.0, 3.0, 3.0, 0.0, 9.0];
        let FillValues::Tensor(got) = resolve(&Fill::Blur, &input, &spec, &[1, 2]).expect("fits") else {
            panic!("a tensor")
        };
        let weights = [gaussian(0.5), gaussian(1.0)];
        assert_eq!((weights[0].len(), weights[1].len()), (5, 9));
        for y in 0..2usize {
            for x in 0..4usize {
                let mut expected = 0.0;
                for (dy, wy) in weights[0].iter().enumerate() {
                    for (dx, wx) in weights[1].iter().enumerate() {
                        let at = |i: isize, n: isize| {
                            // Mirror by walking, not by the formula under test.
                            let mut i = i;
                            while i < 0 || i >= n {
                                i = if i < 0 { -1 - i } else { 2 * n - 1 - i };
                            }
                            i as usize
                        };
                        let (sy, sx) =
                            (at(y as isize + dy as isize - 2, 2), at(x as isize + dx as isize - 4, 4));
                        expected += wy * wx * f64::from(input[sy * 4 + sx]);
                    }
                }
                assert!((f64::from(got[y * 4 + x]) - expected).abs() < 1e-6);
            }
        }
        let mean = |v: &[f32]| v.iter().sum::<f32>() / v.len() as f32;
        assert!((mean(&got) - mean(&input)).abs() < 1e-6, "mirrored borders keep the mean");
    }
}
