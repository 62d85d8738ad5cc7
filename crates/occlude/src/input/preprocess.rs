//! How a picture becomes the model's input: resize, centre crop, scale, mean and standard deviation, channel order. A volume's steps stand beside these, and are taken in `volume`.
//!
//! In: [`Preprocess`], from a model's configuration, from `--preprocess`, or a guess. Out: [`Steps`], resolved against the model's input size, applied to
//! pixels, and said in words. The order is that of Hugging Face's image processors: resize, crop, rescale, normalise. Text forms are in `preprocess_text`.

use super::geometry::Geometry;
use super::resize::{Filter, resize};
use super::volume::{Frame, SliceChoice, VolumeStep};
use crate::error::{Error, Result};
use crate::tensor::{Layout, TensorSpec};

/// ImageNet's mean and standard deviation per channel of pixels scaled to 0..1.
pub const IMAGENET_MEAN: [f64; 3] = [0.485, 0.456, 0.406];
/// See [`IMAGENET_MEAN`].
pub const IMAGENET_STD: [f64; 3] = [0.229, 0.224, 0.225];

/// How large the picture is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ResizeRule {
    /// Not at all.
    Keep,
    /// The shorter side gets this many pixels, the longer one in proportion (rounded down).
    Short(usize),
    /// The shorter side gets the model's shorter side times this, rounded.
    ShortOfInput(f64),
    /// Stretched to `[height, width]`.
    Exact([usize; 2]),
    /// Stretched to the model's size.
    Input,
}

/// What is cut out of the middle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CropRule {
    /// Nothing.
    Keep,
    /// `[height, width]`; zeros (black) are added where the picture is smaller.
    Exact([usize; 2]),
    /// The model's size.
    Input,
}

/// Where a centre crop begins if the margin to share out is an odd number of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CropRounding {
    /// Half a pixel is dropped, as Hugging Face's image processors do.
    Down,
    /// To the even neighbour, as Python's `round`: torchvision's `CenterCrop`, and timm, which uses it.
    Even,
}

impl CropRounding {
    /// First index of a crop of `cropped` out of `size`; negative where it reaches beyond (what is missing is padded on both sides).
    fn start(self, size: usize, cropped: usize) -> isize {
        let margin = size as isize - cropped as isize;
        let down = margin.div_euclid(2);
        match self {
            CropRounding::Down => down,
            // torchvision pads before it crops, with half of what is missing, rounded down, in front.
            CropRounding::Even if margin < 0 => -(-margin / 2),
            CropRounding::Even => down + margin % 2 * (down % 2),
        }
    }
}

/// Order of colours in the tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ColourOrder {
    /// Red first.
    #[default]
    Rgb,
    /// Blue first (Caffe, OpenCV).
    Bgr,
}

/// From picture to tensor: `(pixel * scale - mean) / std`, pixel 0 to 255.
#[derive(Clone, Debug, PartialEq)]
pub struct Preprocess {
    /// First step.
    pub resize: ResizeRule,
    /// How pixels are interpolated.
    pub filter: Filter,
    /// Second step.
    pub crop: CropRule,
    /// Where the crop lies if the margins are odd.
    pub rounding: CropRounding,
    /// Factor on 0..255.
    pub scale: f64,
    /// One value, or one per channel, after scaling, in the tensor's channel order.
    pub mean: Vec<f64>,
    /// One value, or one per channel; none of them 0.
    pub std: Vec<f64>,
    /// Order of colours.
    pub colours: ColourOrder,
    /// Steps of volumes, in the order in which they are taken; pictures do not know them.
    pub volume: Vec<VolumeStep>,
    /// Which of several frames of a volume is read.
    pub frame: Frame,
    /// The slice of a volume that a model of pictures gets.
    pub slice: Option<SliceChoice>,
    /// Who said so, in words: a file name, `--preprocess`, a guess.
    pub source: String,
}

impl Preprocess {
    /// The usual one for ImageNet classifiers, as torchvision does it: short side to 256/224 of the model's size, centre crop, ImageNet mean and deviation, bilinear.
    pub fn imagenet() -> Self {
        Preprocess {
            resize: ResizeRule::ShortOfInput(256.0 / 224.0),
            filter: Filter::Bilinear,
            crop: CropRule::Input,
            rounding: CropRounding::Even,
            scale: 1.0 / 255.0,
            mean: IMAGENET_MEAN.to_vec(),
            std: IMAGENET_STD.to_vec(),
            colours: ColourOrder::Rgb,
            volume: Vec::new(),
            frame: Frame::Only,
            slice: None,
            source: "imagenet".to_string(),
        }
    }
    /// What is assumed of a model that says nothing: [`Preprocess::imagenet`], or plain pixels / 255 for a grey input.
    pub fn guess(channels: Option<usize>) -> Self {
        let source = "a guess: no file beside the model says how; --preprocess to change".to_string();
        let usual = Preprocess { source, ..Preprocess::imagenet() };
        match channels {
            Some(1) => Preprocess { mean: vec![0.0], std: vec![1.0], ..usual },
            _ => usual,
        }
    }
    /// The `[height, width]` that this asks of a model whose size is not fixed; `None` if it depends on the model or on the picture.
    pub fn fixed_size(&self) -> Option<[usize; 2]> {
        match (self.crop, self.resize) {
            (CropRule::Exact(size), _) | (CropRule::Keep, ResizeRule::Exact(size)) => Some(size),
            _ => None,
        }
    }
    /// Settles the sizes for a picture of `source` pixels and a model of `input` elements, both `[height, width]`.
    ///
    /// # Errors
    /// Argument: the result would not have the model's size.
    pub fn steps(&self, source: [usize; 2], input: [usize; 2]) -> Result<Steps> {
        let short = |size: usize| {
            let [height, width] = source;
            // Rounded down, as torchvision and Hugging Face do.
            let long = |long: usize, short: usize| (size as u128 * long as u128 / short as u128) as usize;
            if width <= height {
                [long(height, width).max(1), size]
            } else {
                [size, long(width, height).max(1)]
            }
        };
        let resized = match self.resize {
            ResizeRule::Keep => source,
            ResizeRule::Short(size) => short(size),
            ResizeRule::ShortOfInput(factor) => {
                short((input[0].min(input[1]) as f64 * factor).round().max(1.0) as usize)
            }
            ResizeRule::Exact(size) => size,
            ResizeRule::Input => input,
        };
        let cropped = match self.crop {
            CropRule::Keep => resized,
            CropRule::Exact(size) => size,
            CropRule::Input => input,
        };
        if cropped != input {
            return Err(Error::argument(format!(
                "preprocessing ({}) gives {}x{} pixels (height x width), the model's input is {}x{}",
                self.source, cropped[0], cropped[1], input[0], input[1]
            ))
            .with_hint(format!(
                "for example --preprocess resize={0}x{1},crop=no or --preprocess crop={0}x{1}",
                input[0], input[1]
            )));
        }
        let pixels = resized[0] as u128 * resized[1] as u128;
        if pixels > super::image_file::MAX_PIXELS as u128 {
            return Err(Error::limit(format!(
                "preprocessing would enlarge the picture to {}x{} pixels",
                resized[1], resized[0]
            )));
        }
        Ok(Steps { source, resized, cropped, preprocess: self.clone() })
    }
    /// The tensor value of one pixel component of a channel.
    pub fn value(&self, channel: usize, byte: f64) -> f32 {
        let pick = |values: &[f64], default: f64| {
            if values.len() == 1 { values[0] } else { values.get(channel).copied().unwrap_or(default) }
        };
        ((byte * self.scale - pick(&self.mean, 0.0)) / pick(&self.std, 1.0)) as f32
    }
    /// Checks that mean and deviation fit the number of channels.
    ///
    /// # Errors
    /// Argument: a number of values that is neither 1 nor the number of channels; a deviation of 0.
    pub fn check(&self, channels: usize) -> Result<()> {
        for (name, values) in [("mean", &self.mean), ("std", &self.std)] {
            if values.len() != 1 && values.len() != channels {
                return Err(Error::argument(format!(
                    "preprocessing ({}) has {} values of {name}, the model's input has {channels} channels",
                    self.source,
                    values.len()
                )));
            }
        }
        if self.std.iter().any(|&s| s == 0.0 || !s.is_finite()) {
            return Err(Error::argument(format!("preprocessing ({}) divides by a std of 0", self.source)));
        }
        Ok(())
    }
}

/// A preprocessing with every size settled.
#[derive(Clone, Debug, PartialEq)]
pub struct Steps {
    source: [usize; 2],
    resized: [usize; 2],
    cropped: [usize; 2],
    preprocess: Preprocess,
}

impl Steps {
    /// `600x400 -> resize 336x224 (bicubic), crop 224x224, x * 0.00392 ...` (sizes as width x height, as files have them).
    pub fn describe(&self) -> String {
        let p = &self.preprocess;
        let mut text = format!("{}x{}", self.source[1], self.source[0]);
        if self.resized != self.source {
            text += &format!(" -> resize {}x{} ({})", self.resized[1], self.resized[0], p.filter.name());
        }
        if self.cropped != self.resized {
            text += &format!(" -> crop {}x{}", self.cropped[1], self.cropped[0]);
            if (0..2).any(|axis| self.resized[axis].abs_diff(self.cropped[axis]) % 2 == 1) {
                text += match p.rounding {
                    CropRounding::Down => " (odd margin, rounded down)",
                    CropRounding::Even => " (odd margin, rounded to even)",
                };
            }
        }
        text += &format!(" -> {}", super::preprocess_text::values_text(p));
        text
    }
    /// `[height, width]` after the first step.
    pub(super) fn resized(&self) -> [usize; 2] {
        self.resized
    }
    /// First row and column of the crop in the resized picture; negative where it reaches beyond.
    pub(super) fn crop_start(&self) -> [isize; 2] {
        [0, 1].map(|axis| self.preprocess.rounding.start(self.resized[axis], self.cropped[axis]))
    }
    /// The way back to the source.
    pub fn geometry(&self) -> Geometry {
        let mut geometry = Geometry::identity(&self.source);
        geometry.resize(&self.resized);
        geometry.crop(&self.crop_start(), &self.cropped);
        geometry
    }
    /// Resizes and crops `source` pixels of interleaved bytes; what lies beyond the picture is 0.
    pub fn shape_pixels(&self, pixels: &[u8], channels: usize) -> Vec<u8> {
        let resized = resize(pixels, channels, self.source, self.resized, self.preprocess.filter);
        if self.cropped == self.resized {
            return resized;
        }
        let [top, left] = self.crop_start();
        let [height, width] = self.cropped;
        let mut out = vec![0u8; height * width * channels];
        let first = (-left).max(0) as usize;
        let last = (self.resized[1] as isize - left).clamp(0, width as isize) as usize;
        for y in 0..height {
            let from = y as isize + top;
            if from < 0 || from >= self.resized[0] as isize || first >= last {
                continue;
            }
            let start = (from as usize * self.resized[1] + (first as isize + left) as usize) * channels;
            let run = (last - first) * channels;
            let to = (y * width + first) * channels;
            out[to..to + run].copy_from_slice(&resized[start..start + run]);
        }
        out
    }
    /// Scales and normalises `cropped` pixels of interleaved bytes into a tensor of this spec.
    pub fn tensor(&self, pixels: &[u8], spec: &TensorSpec) -> Vec<f32> {
        let channels = spec.channels();
        let places = pixels.len() / channels.max(1);
        let tables: Vec<Vec<f32>> = (0..channels)
            .map(|c| (0..256).map(|byte| self.preprocess.value(c, f64::from(byte))).collect())
            .collect();
        let mut values = vec![0.0; spec.len()];
        for place in 0..places {
            for (channel, table) in tables.iter().enumerate() {
                let source = match self.preprocess.colours {
                    ColourOrder::Rgb => channel,
                    ColourOrder::Bgr => channels - 1 - channel,
                };
                let at = match spec.layout {
                    Layout::ChannelsFirst => channel * places + place,
                    Layout::ChannelsLast => place * channels + channel,
                };
                values[at] = table[usize::from(pixels[place * channels + source])];
            }
        }
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(resize: ResizeRule, crop: CropRule) -> Preprocess {
        Preprocess { resize, crop, scale: 1.0, mean: vec![0.0], std: vec![1.0], ..Preprocess::imagenet() }
    }

    #[test]
    fn sizes_are_settled_as_torchvision_does() {
        let steps = Preprocess::imagenet().steps([400, 600], [224, 224]).expect("fits");
        assert_eq!((steps.resized, steps.crop_start()), ([256, 384], [16, 80]));
        let steps =
            plain(ResizeRule::Short(224), CropRule::Input).steps([427, 640], [224, 224]).expect("fits");
        assert_eq!((steps.resized, steps.crop_start()), ([224, 335], [0, 56]));
        assert!(
            steps.describe().contains("crop 224x224 (odd margin, rounded to even)"),
            "{}",
            steps.describe()
        );
        let error = plain(ResizeRule::Short(256), CropRule::Keep)
            .steps([400, 600], [224, 224])
            .expect_err("too large");
        assert!(error.to_string().contains("gives 256x384"), "{error}");
    }

    #[test]
    fn odd_margins_as_torchvision_and_as_hugging_face() {
        // Size and crop, then the start by `transforms.CenterCrop` and by `image_transforms.center_crop`; where the picture is smaller, minus the padding in front.
        for (size, crop, torchvision, hugging_face) in [
            (8, 4, 2, 2),
            (5, 4, 0, 0),
            (7, 4, 2, 1),
            (9, 4, 2, 2),
            (11, 4, 4, 3),
            (335, 224, 56, 55),
            (256, 224, 16, 16),
            (4, 4, 0, 0),
            (3, 4, 0, -1),
            (1, 4, -1, -2),
            (2, 4, -1, -1),
        ] {
            let starts = [CropRounding::Even, CropRounding::Down].map(|rule| rule.start(size, crop));
            assert_eq!(starts, [torchvision, hugging_face], "{crop} of {size}");
        }
    }

    #[test]
    fn a_crop_beyond_the_picture_is_black() {
        let mut p = plain(ResizeRule::Keep, CropRule::Exact([4, 1]));
        let steps = p.steps([1, 3], [4, 1]).expect("fits");
        assert_eq!(steps.shape_pixels(&[7, 8, 9], 1), [0, 8, 0, 0]);
        assert_eq!(steps.geometry().window_in_source(&[0..4, 0..1]), [-1.0..3.0, 1.0..2.0]);
        p.rounding = CropRounding::Down;
        let steps = p.steps([1, 3], [4, 1]).expect("fits");
        assert_eq!(steps.shape_pixels(&[7, 8, 9], 1), [0, 0, 8, 0]);
        assert_eq!(steps.geometry().window_in_source(&[0..4, 0..1]), [-2.0..2.0, 1.0..2.0]);
    }

    #[test]
    fn values_layouts_and_colour_order() {
        let mut p = plain(ResizeRule::Keep, CropRule::Keep);
        (p.scale, p.mean, p.std, p.colours) =
            (0.5, vec![1.0, 2.0, 3.0], vec![2.0, 1.0, 1.0], ColourOrder::Bgr);
        let steps = p.steps([1, 2], [1, 2]).expect("fits");
        let pixels = [10, 20, 30, 40, 50, 60];
        let first = steps.tensor(&pixels, &TensorSpec::new("x", &[3, 1, 2], Layout::ChannelsFirst));
        assert_eq!(first, [7.0, 14.5, 8.0, 23.0, 2.0, 17.0]);
        let last = steps.tensor(&pixels, &TensorSpec::new("x", &[1, 2, 3], Layout::ChannelsLast));
        assert_eq!(last, [7.0, 8.0, 2.0, 14.5, 23.0, 17.0]);
        assert!(p.check(3).is_ok() && p.check(4).is_err());
    }
}
