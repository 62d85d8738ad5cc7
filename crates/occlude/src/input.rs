//! Reading one input: a picture through recorded preprocessing, a volume or a slice of one through named steps, a signal, or a `.npy` file taken as the tensor itself.
//!
//! In: a path, bytes or pixels, and what the model wants. Out: [`Input`]: the tensor, the picture to draw on, the way back to source pixels, and every silent choice in words. Volumes are in `volume`,
//! signals in `signal`.

mod claimed_size;
mod geometry;
mod grey_volume;
mod image_file;
mod labels;
pub mod npy;
mod picture;
mod preprocess;
mod preprocess_text;
mod resize;
mod signal;
pub mod volume;

use std::path::Path;

pub use geometry::{AxisMap, Geometry};
pub use grey_volume::GreyVolume;
pub use image_file::{MAX_PIXELS, MAX_SIDE, claimed_pixels};
pub use labels::{labels_of, read_labels, read_region_names};
pub use picture::{Picture, Signal};
pub use preprocess::{
    ColourOrder, CropRounding, CropRule, IMAGENET_MEAN, IMAGENET_STD, Preprocess, ResizeRule,
};
pub use preprocess_text::{
    PREPROCESS_NAMES, filter as filter_by_name, parse as parse_preprocess, to_text as preprocess_to_text,
};
pub use resize::{Filter, resize};
pub use volume::{Frame, Interpolation, Placement, PlaneChoice, SliceChoice, StepSize, VolumeStep};

use crate::error::{Error, Result};
use crate::hash::sha256_hex;
use crate::map::FileFact;
use crate::tensor::{Layout, TensorSpec, shape_text};

/// The longest side of the picture that maps are drawn on, in pixels.
const PICTURE_SIDE: usize = 1024;

/// What the model says about its input; a dimension that it leaves open is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputPort {
    /// The model's name of it.
    pub name: String,
    /// Dimensions without the batch axis.
    pub dims: Vec<Option<usize>>,
    /// Where the channels are.
    pub layout: Layout,
}

/// One input, ready to be scored.
#[derive(Clone, Debug)]
pub struct Input {
    /// What the tensor is.
    pub spec: TensorSpec,
    /// Row-major in the model's order, all finite.
    pub values: Vec<f32>,
    /// For drawing.
    pub picture: Picture,
    /// From elements to source pixels.
    pub geometry: Geometry,
    /// Silent choices, in words.
    pub notes: Vec<String>,
    /// The file it came from.
    pub file: FileFact,
    /// How source colours become tensor values; `None` for tensors.
    pub preprocess: Option<Preprocess>,
    /// The other inputs of the same model.
    pub beside: Vec<Beside>,
}

/// Another input of the same model.
#[derive(Clone, Debug)]
pub struct Beside {
    /// What the tensor is.
    pub spec: TensorSpec,
    /// Row-major in the model's order, all finite.
    pub values: Vec<f32>,
    /// Windows hide it too, at the same places; else it stays as it is.
    pub is_hidden: bool,
}

impl Input {
    /// An input made elsewhere: a tensor in the model's order.
    ///
    /// # Errors
    /// Argument: a length that is not that of the spec. Number: NaN or infinity, with the index of the first.
    pub fn from_tensor(spec: TensorSpec, values: Vec<f32>) -> Result<Input> {
        if values.len() != spec.len() {
            return Err(Error::argument(format!(
                "the input has {} values, {spec} needs {}",
                values.len(),
                spec.len()
            )));
        }
        if values.is_empty() {
            return Err(Error::argument(format!("the input {spec} has no elements"))
                .with_hint("an axis of length 0 is left when a slice or a mask chose nothing"));
        }
        check_finite(&spec, &values)?;
        let picture = picture_of(&spec, &values);
        let geometry = Geometry { unit: "elements".into(), ..Geometry::identity(&spec.spatial()) };
        Ok(Input {
            spec,
            values,
            picture,
            geometry,
            notes: Vec::new(),
            file: FileFact::default(),
            preprocess: None,
            beside: Vec::new(),
        })
    }
    /// The same input with another one beside it, which windows hide too or leave alone.
    #[must_use]
    pub fn with_beside(mut self, other: Input, is_hidden: bool) -> Input {
        self.notes.extend(other.notes);
        self.beside.push(Beside { spec: other.spec, values: other.values, is_hidden });
        self
    }
    /// The same input with so many elements of a constant around it, per spatial axis on both sides; `values` has one number per channel. Geometry and picture follow.
    #[must_use]
    pub fn padded(&self, around: &[usize], values: &[f32]) -> Input {
        let mut shape = self.spec.shape.clone();
        let mut inner: Vec<std::ops::Range<usize>> = shape.iter().map(|&n| 0..n).collect();
        for (axis, &around) in self.spec.spatial_axes().into_iter().zip(around) {
            shape[axis] += 2 * around;
            inner[axis] = around..around + self.spec.shape[axis];
        }
        let spec = TensorSpec { shape, ..self.spec.clone() };
        let mut padded: Vec<f32> = (0..spec.len()).map(|element| values[spec.channel_of(element)]).collect();
        let mut at = 0;
        crate::tensor::for_each_run(&spec.shape, &inner, |run| {
            let length = run.len();
            padded[run].copy_from_slice(&self.values[at..at + length]);
            at += length;
        });
        let mut geometry = self.geometry.clone();
        let offsets: Vec<isize> = around.iter().map(|&n| -(n as isize)).collect();
        geometry.crop(&offsets, &spec.spatial());
        let picture = picture_of(&spec, &padded);
        Input { spec, values: padded, picture, geometry, ..self.clone() }
    }
    /// The tensor value per channel of a source colour (red, green, blue from 0 to 255); `None` where the input is no picture.
    pub fn tensor_colour(&self, rgb: [f32; 3]) -> Option<Vec<f32>> {
        let preprocess = self.preprocess.as_ref()?;
        let rgb = rgb.map(f64::from);
        let source = match (self.spec.channels(), preprocess.colours) {
            (1, _) => vec![0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]],
            (_, ColourOrder::Rgb) => rgb.to_vec(),
            (_, ColourOrder::Bgr) => rgb.iter().rev().copied().collect(),
        };
        Some(source.into_iter().enumerate().map(|(channel, byte)| preprocess.value(channel, byte)).collect())
    }
}

/// Reads a file as input of a model: a `.npy` tensor as it is, a NIfTI file, a DICOM file or a folder of them, or a TIFF stack as a volume (or one slice of it), a CSV or WAV file as a signal,
/// anything else as a picture.
///
/// # Errors
/// File: missing, damaged or of an unknown format. Argument: a shape that does not fit the model. Limit: a picture or a volume that claims too much.
/// Number: NaN or infinity in a tensor.
pub fn read(path: &Path, port: &InputPort, preprocess: &Preprocess) -> Result<Input> {
    check_one_slice(preprocess)?;
    let mut inputs = read_all(path, port, preprocess)?;
    Ok(inputs.remove(0))
}

/// Reads a file like [`read`]; where all slices of a volume are asked for (`slice=axial`), each of them is an input, the lowest first. The volume is read once.
///
/// # Errors
/// As [`read`].
pub fn read_all(path: &Path, port: &InputPort, preprocess: &Preprocess) -> Result<Vec<Input>> {
    let is_volume = path.is_dir() || volume::is_volume(path, &volume::head_of(path)?, port);
    let name =
        path.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into_owned());
    let (mut inputs, sha256) = if is_volume {
        (of_volume(path, port, preprocess)?, volume::hash(path)?)
    } else {
        let bytes = std::fs::read(path).map_err(|e| Error::io("read", path, &e))?;
        (of_bytes(&bytes, path, port, preprocess)?, sha256_hex(&bytes))
    };
    for input in &mut inputs {
        input.file = FileFact { name: name.clone(), sha256: sha256.clone() };
    }
    Ok(inputs)
}

fn check_one_slice(preprocess: &Preprocess) -> Result<()> {
    match preprocess.slice {
        Some(slice) if slice.number.is_none() => {
            Err(Error::argument(format!("all {slice} slices of a volume are asked for, expected one"))
                .with_hint(format!("give its number: slice={slice}:80")))
        }
        _ => Ok(()),
    }
}

/// Refuses what was asked of volumes, for something else. What a model's folder says is for the volumes that it usually gets.
fn no_volume(preprocess: &Preprocess, what: &str) -> Result<()> {
    let is_asked = preprocess.source == "--preprocess" && !preprocess.volume.is_empty();
    if preprocess.slice.is_none() && !is_asked {
        return Ok(());
    }
    let asked = if preprocess.slice.is_some() { "a slice" } else { "steps of volumes" };
    Err(Error::argument(format!("it is taken as {what}, and --preprocess asks for {asked}"))
        .with_hint("orient, spacing, window and the other steps of volumes, and slice, are for NIfTI, DICOM, TIFF stacks and arrays of three axes"))
}

/// The inputs that a volume's file gives: itself, or slices of it for a model of pictures.
fn of_volume(path: &Path, port: &InputPort, preprocess: &Preprocess) -> Result<Vec<Input>> {
    let in_file = |e: Error| e.in_context(path.display());
    let wants_slices = port.dims.len() == 3;
    let channels = if wants_slices { Some(1) } else { port.channels() };
    let volume = volume::read(path, preprocess.frame, channels)?;
    if wants_slices {
        return volume::slice::prepare(volume, port, preprocess).map_err(in_file);
    }
    if preprocess.slice.is_some() {
        return Err(in_file(
            Error::argument("a slice is asked for, and the model takes whole volumes")
                .with_hint("--slice is for models of pictures; --roi and windows choose places in a volume"),
        ));
    }
    Ok(vec![volume::prepare(volume, port, preprocess).map_err(in_file)?])
}

/// Reads the bytes of such a file, as a data set holds them; `name` is what messages and provenance call it.
///
/// # Errors
/// As [`read`].
pub fn read_bytes(bytes: &[u8], name: &str, port: &InputPort, preprocess: &Preprocess) -> Result<Input> {
    check_one_slice(preprocess)?;
    let mut input = of_bytes(bytes, Path::new(name), port, preprocess)?.remove(0);
    input.file = FileFact { name: name.to_string(), sha256: sha256_hex(bytes) };
    Ok(input)
}

/// Takes an upright picture in memory as input of a model, through the same steps as one that is read from a file. `rgb` has `height * width * 3` bytes (red, green, blue from 0 to 255), row-major.
///
/// # Errors
/// Argument: no pixel, another number of bytes, a model whose input is no picture.
pub fn from_pixels(
    rgb: &[u8],
    height: usize,
    width: usize,
    port: &InputPort,
    preprocess: &Preprocess,
) -> Result<Input> {
    let needed = height.checked_mul(width).and_then(|pixels| pixels.checked_mul(3));
    if needed != Some(rgb.len()) || rgb.is_empty() {
        return Err(Error::argument(format!(
            "a picture of {height} rows and {width} columns with {} bytes, expected at least one pixel and 3 bytes for each",
            rgb.len()
        ))
        .with_hint("pixels are red, green and blue from 0 to 255, one row after the other"));
    }
    let spec = picture_spec(port, preprocess)?;
    preprocess.check(spec.channels())?;
    prepare(rgb, [height, width], Vec::new(), spec, preprocess)
}

/// One input, or all slices of a volume where they are asked for.
fn of_bytes(bytes: &[u8], path: &Path, port: &InputPort, preprocess: &Preprocess) -> Result<Vec<Input>> {
    if bytes.starts_with(b"\x93NUMPY") || path.extension().is_some_and(|e| e.eq_ignore_ascii_case("npy")) {
        return read_tensor(bytes, path, port, preprocess);
    }
    if signal::is_signal(bytes, path, port) {
        return Ok(vec![signal::read(bytes, path, port)?]);
    }
    if volume::is_volume(path, bytes, port) {
        return Err(Error::unsupported(format!(
            "{} is a volume, which is read from its file and not from bytes in memory",
            path.display()
        ))
        .with_hint("give the path of the file; arrays are taken as tensors"));
    }
    let in_file = |e: Error| e.in_context(path.display());
    no_volume(preprocess, "a picture").map_err(in_file)?;
    let spec = picture_spec(port, preprocess).map_err(in_file)?;
    preprocess.check(spec.channels())?;
    let pixels = image_file::decode(bytes, path)?;
    Ok(vec![prepare(&pixels.rgb, pixels.size, pixels.notes, spec, preprocess).map_err(in_file)?])
}

fn read_tensor(bytes: &[u8], path: &Path, port: &InputPort, preprocess: &Preprocess) -> Result<Vec<Input>> {
    let array = npy::parse(bytes, path)?;
    if array.shape.len() == 3
        && !array.values.is_empty()
        && (port.dims.len() == 4 || preprocess.slice.is_some())
    {
        // Three axes where the model wants four, or slices of them: places without channels.
        let volume = volume::of_array(array);
        let made = match preprocess.slice {
            Some(_) => volume::slice::prepare(volume, port, preprocess),
            None => volume::prepare(volume, port, preprocess).map(|input| vec![input]),
        };
        return made.map_err(|e| e.in_context(path.display()));
    }
    no_volume(preprocess, "the tensor itself").map_err(|e| e.in_context(path.display()))?;
    let shape: &[usize] = match array.shape.as_slice() {
        [1, rest @ ..] if rest.len() == port.dims.len() => rest,
        all => all,
    };
    let fits = shape.len() == port.dims.len()
        && shape.iter().zip(&port.dims).all(|(n, want)| want.is_none_or(|w| w == *n) && *n > 0);
    if !fits {
        let wanted: Vec<String> =
            port.dims.iter().map(|d| d.map_or("?".to_string(), |n| n.to_string())).collect();
        return Err(Error::argument(format!(
            "{} has shape {}, the model's input \"{}\" is [{}] (or with a batch axis of 1 in front)",
            path.display(),
            shape_text(&array.shape),
            port.name,
            wanted.join(", ")
        ))
        .with_hint("a .npy file is taken as the tensor itself: neither resized nor normalised"));
    }
    let spec = TensorSpec::new(&port.name, shape, port.layout);
    let mut input = Input::from_tensor(spec, array.values).map_err(|e| e.in_context(path.display()))?;
    let dtype = match array.dtype.trim_matches('\'') {
        "<f4" => String::new(),
        other => format!(", {other} converted to f32"),
    };
    input.notes.push(format!("taken as the tensor itself {}{dtype}", shape_text(&input.spec.shape)));
    Ok(vec![input])
}

/// An upright picture of `size` `[height, width]` through the model's preprocessing to the input of this spec.
fn prepare(
    rgb: &[u8],
    size: [usize; 2],
    mut notes: Vec<String>,
    spec: TensorSpec,
    preprocess: &Preprocess,
) -> Result<Input> {
    let spatial = spec.spatial();
    let steps = preprocess.steps(size, [spatial[0], spatial[1]])?;
    let geometry = steps.geometry();
    notes.push(format!("{} ({})", steps.describe(), preprocess.source));
    let picture = source_picture(rgb, size, &geometry).unwrap_or_else(|| Picture {
        width: spatial[1],
        height: spatial[0],
        rgb: steps.shape_pixels(rgb, 3),
        photographic: true,
        signal: None,
        volume: None,
    });
    let values = if spec.channels() == 1 {
        notes.push("colours reduced to grey (ITU-R 601)".to_string());
        // The order of Pillow's users: convert("L") first, then resize.
        steps.tensor(&steps.shape_pixels(&image_file::to_grey(rgb), 1), &spec)
    } else {
        steps.tensor(&steps.shape_pixels(rgb, 3), &spec)
    };
    Ok(Input {
        spec,
        values,
        picture,
        geometry,
        notes,
        file: FileFact::default(),
        preprocess: Some(preprocess.clone()),
        beside: Vec::new(),
    })
}

/// The spec of a picture input: two spatial axes, one or three channels, open sizes taken from preprocessing.
fn picture_spec(port: &InputPort, preprocess: &Preprocess) -> Result<TensorSpec> {
    if port.dims.len() != 3 {
        return Err(Error::argument(format!(
            "a picture cannot be the model's input \"{}\", which has {} axes beside the batch; pictures have 3",
            port.name,
            port.dims.len()
        ))
        .with_hint(match port.dims.len() {
            4 => "give a volume (.nii.gz, a folder of DICOM files, a TIFF stack), or a .npy tensor of the model's shape",
            _ => "give a .npy tensor of the model's shape",
        }));
    }
    let (channel_axis, spatial) = match port.layout {
        Layout::ChannelsFirst => (0, [1, 2]),
        Layout::ChannelsLast => (2, [0, 1]),
    };
    let channels = port.dims[channel_axis].unwrap_or(3);
    if channels != 1 && channels != 3 {
        return Err(Error::argument(format!(
            "a picture has 3 channels (or 1 in grey), the model's input \"{}\" has {channels} ({} assumed)",
            port.name, port.layout
        ))
        .with_hint(
            "give a .npy tensor, or --layout nchw or nhwc if the channel axis was taken for another",
        ));
    }
    let size = preprocess.fixed_size().unwrap_or([224, 224]);
    let mut shape = [channels; 3];
    for (axis, open) in spatial.into_iter().zip(size) {
        shape[axis] = port.dims[axis].unwrap_or(open);
    }
    Ok(TensorSpec::new(&port.name, &shape, port.layout))
}

/// The source pixels that the tensor covers, made smaller if they are many; `None` if the crop reaches beyond the picture.
fn source_picture(rgb: &[u8], size: [usize; 2], geometry: &Geometry) -> Option<Picture> {
    let whole: Vec<_> = geometry.size.iter().map(|&n| 0..n).collect();
    let covered = geometry.window_in_source(&whole);
    let inside = covered.iter().zip(size).all(|(r, n)| r.start >= -0.5 && r.end <= n as f64 + 0.5);
    if !inside {
        return None;
    }
    let [rows, columns] = [0, 1].map(|axis| {
        let start = (covered[axis].start.round().max(0.0) as usize).min(size[axis] - 1);
        start..(covered[axis].end.round() as usize).clamp(start + 1, size[axis])
    });
    let mut cut = Vec::with_capacity(rows.len() * columns.len() * 3);
    for y in rows.clone() {
        cut.extend_from_slice(&rgb[(y * size[1] + columns.start) * 3..(y * size[1] + columns.end) * 3]);
    }
    let (mut height, mut width) = (rows.len(), columns.len());
    let longest = height.max(width);
    if longest > PICTURE_SIDE {
        let to = [height, width].map(|n| (n * PICTURE_SIDE / longest).max(1));
        cut = resize(&cut, 3, [height, width], to, Filter::Bilinear);
        [height, width] = to;
    }
    Some(Picture { width, height, rgb: cut, photographic: true, signal: None, volume: None })
}

fn check_finite(spec: &TensorSpec, values: &[f32]) -> Result<()> {
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(at) => {
            let what = if values[at].is_nan() { "NaN" } else { "infinity" };
            let count = values.iter().filter(|v| !v.is_finite()).count();
            Err(Error::number(format!(
                "the input holds {what} at {} ({count} of {} values are not finite)",
                shape_text(&spec.unravel(at)),
                values.len()
            ))
            .with_hint("replace such values before, for example with numpy.nan_to_num"))
        }
    }
}

/// A rendering of a tensor: of a volume the middle slice and all of it in grey, of a signal one row.
fn picture_of(spec: &TensorSpec, values: &[f32]) -> Picture {
    let spatial = spec.spatial();
    let (height, width) = match spatial.as_slice() {
        [.., height, width] => (*height, *width),
        [width] => (1, *width),
        [] => (1, 1),
    };
    let mut index = vec![0; spec.shape.len()];
    let axes = spec.spatial_axes();
    for &axis in axes.iter().take(axes.len().saturating_sub(2)) {
        index[axis] = spec.shape[axis] / 2;
    }
    let strides = spec.strides();
    let mut shown = Vec::with_capacity(spec.channels() * height * width);
    for channel in 0..spec.channels() {
        for y in 0..height {
            for x in 0..width {
                if let Some(axis) = spec.channel_axis {
                    index[axis] = channel;
                }
                match axes.as_slice() {
                    [.., row, column] => (index[*row], index[*column]) = (y, x),
                    [column] => index[*column] = x,
                    [] => {}
                }
                shown.push(values[index.iter().zip(&strides).map(|(i, s)| i * s).sum::<usize>()]);
            }
        }
    }
    let picture = Picture::of_tensor(&shown, spec.channels(), height, width);
    let is_signal = axes.len() == 1;
    Picture {
        signal: is_signal.then(|| Signal { channels: spec.channels(), values: shown }),
        volume: GreyVolume::of_tensor(spec, values),
        ..picture
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(dims: &[Option<usize>], layout: Layout) -> InputPort {
        InputPort { name: "x".into(), dims: dims.to_vec(), layout }
    }
    fn save(dir: &Path, name: &str, bytes: &[u8]) -> std::path::PathBuf {
        let path = dir.join(name);
        std::fs::write(&path, bytes).expect("write");
        path
    }

    #[test]
    fn tensors_must_fit_the_model() {
        let dir = tempfile::tempdir().expect("folder");
        let fixed = port(&[Some(1), Some(2), None], Layout::ChannelsFirst);
        let preprocess = Preprocess::imagenet();
        let path = save(
            dir.path(),
            "a.npy",
            &npy::encode::<f32>(&[1, 1, 2, 3], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]).expect("writes"),
        );
        let input = read(&path, &fixed, &preprocess).expect("fits");
        assert_eq!(
            (input.spec.shape.as_slice(), input.values[5], input.picture.width),
            (&[1, 2, 3][..], 5.0, 3)
        );
        assert_eq!(input.file.sha256.len(), 64);
        let wrong = save(dir.path(), "b.npy", &npy::encode::<f32>(&[3, 2, 3], &[0.0; 18]).expect("writes"));
        let error = read(&wrong, &fixed, &preprocess).expect_err("three channels");
        assert!(
            error.to_string().contains("has shape [3, 2, 3], the model's input \"x\" is [1, 2, ?]"),
            "{error}"
        );
        let nan = save(
            dir.path(),
            "c.npy",
            &npy::encode::<f32>(&[1, 2, 2], &[0.0, 1.0, f32::NAN, 3.0]).expect("writes"),
        );
        let error = read(&nan, &fixed, &preprocess).expect_err("NaN");
        assert!(error.to_string().contains("NaN at [0, 1, 0] (1 of 4 values"), "{error}");
        assert_eq!(error.kind(), crate::ErrorKind::Number);
    }

    #[test]
    fn pictures_get_a_tensor_a_picture_and_notes() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("p.png");
        image::RgbImage::from_fn(60, 40, |x, y| image::Rgb([x as u8, y as u8, 200]))
            .save(&path)
            .expect("save");
        let preprocess = parse_preprocess("unit,resize=20,crop=16", &Preprocess::imagenet()).expect("good");
        let open = port(&[Some(3), None, None], Layout::ChannelsFirst);
        let input = read(&path, &open, &preprocess).expect("reads");
        assert_eq!(input.spec.shape, [3, 16, 16]);
        assert_eq!(input.geometry.window_in_source(&[0..16, 0..16]), [4.0..36.0, 14.0..46.0]);
        assert_eq!((input.picture.width, input.picture.height, input.picture.rgb[0]), (32, 32, 14));
        assert!((input.values[2 * 256] - 200.0 / 255.0).abs() < 1e-6);
        assert!(
            input.notes[0].contains("60x40 -> resize 30x20 (bilinear) -> crop 16x16"),
            "{:?}",
            input.notes
        );
        assert_eq!(input.tensor_colour([255.0, 0.0, 51.0]).expect("a picture"), [1.0, 0.0, 0.2]);
        let grey = port(&[None, None, Some(1)], Layout::ChannelsLast);
        let input = read(&path, &grey, &preprocess).expect("reads");
        assert_eq!(input.spec.shape, [16, 16, 1]);
        for (dims, message) in [(&[Some(4), None, None][..], "has 4"), (&[Some(4), None], "which has 2 axes")]
        {
            let error = read(&path, &port(dims, Layout::ChannelsFirst), &preprocess).expect_err("no picture");
            assert!(error.to_string().contains(message), "{error}");
        }
    }

    #[test]
    fn a_picture_in_memory_is_the_picture_of_a_file() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("p.png");
        let image =
            image::RgbImage::from_fn(61, 40, |x, y| image::Rgb([x as u8 * 4, y as u8 * 3, (x * y) as u8]));
        image.save(&path).expect("save");
        let bytes = std::fs::read(&path).expect("read");
        let imagenet = Preprocess::imagenet();
        let small = parse_preprocess("tf,resize=20,crop=16,filter=bicubic", &imagenet).expect("good");
        // Padded: the crop reaches beyond the picture, so that the picture to draw on is made another way.
        let padded = parse_preprocess("caffe,resize=no,crop=64", &imagenet).expect("good");
        let colour = port(&[Some(3), None, None], Layout::ChannelsFirst);
        let grey = port(&[None, None, Some(1)], Layout::ChannelsLast);
        for (port, preprocess) in [(&colour, &small), (&colour, &padded), (&grey, &small)] {
            let by_file = read(&path, port, preprocess).expect("reads");
            let by_bytes = read_bytes(&bytes, "p.png", port, preprocess).expect("reads");
            let by_pixels = from_pixels(image.as_raw(), 40, 61, port, preprocess).expect("takes");
            for other in [&by_bytes, &by_pixels] {
                assert_eq!((&other.spec, &other.values), (&by_file.spec, &by_file.values));
                assert_eq!((&other.picture, &other.geometry), (&by_file.picture, &by_file.geometry));
                assert_eq!((&other.notes, &other.preprocess), (&by_file.notes, &by_file.preprocess));
            }
            assert_eq!((by_bytes.file, by_pixels.file), (by_file.file, FileFact::default()));
        }
        let text = |height, width, port| {
            from_pixels(image.as_raw(), height, width, port, &small).expect_err("refused").to_string()
        };
        assert!(text(40, 60, &colour).contains("40 rows and 60 columns with 7320 bytes"));
        assert!(text(usize::MAX, usize::MAX, &colour).contains("7320 bytes"));
        assert!(text(40, 61, &port(&[Some(4), None, None], Layout::ChannelsFirst)).contains("has 4"));
        assert!(from_pixels(&[], 0, 5, &colour, &small).is_err());
    }

    #[test]
    fn bytes_of_other_files_are_read_and_named() {
        let fixed = port(&[Some(1), Some(2), None], Layout::ChannelsFirst);
        let bytes = npy::encode::<f32>(&[1, 2, 2], &[0.0, 1.0, 2.0, 3.0]).expect("writes");
        let preprocess = Preprocess::imagenet();
        let input = read_bytes(&bytes, "row 7", &fixed, &preprocess).expect("fits");
        assert_eq!((input.values[3], input.file.name.as_str(), input.file.sha256.len()), (3.0, "row 7", 64));
        let error =
            read_bytes(b"hello", "row 8", &port(&[Some(3), None, None], Layout::ChannelsFirst), &preprocess);
        assert!(error.expect_err("text").to_string().starts_with("row 8 is not a picture that can be read"));
    }

    #[test]
    fn a_volume_shows_its_middle_slice() {
        let spec = TensorSpec::new("x", &[1, 3, 1, 2], Layout::ChannelsFirst);
        let input = Input::from_tensor(spec, vec![9.0, 9.0, 0.0, 1.0, 9.0, 9.0]).expect("fits");
        assert_eq!(input.picture.rgb, [0, 0, 0, 255, 255, 255]);
    }
}
