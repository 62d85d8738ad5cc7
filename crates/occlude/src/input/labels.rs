//! Label images: which region each place of an input belongs to, from `.npy`, PNG or (of volumes) NIfTI, and the names of regions.
//!
//! In: a file or an array, the input that it belongs to. Out: one label per place of the input's spatial axes. An image of the source's size goes the way of the picture (resize and crop) by the nearest
//! pixel; one of the tensor's own size is taken as it is. Labels are never interpolated.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;

use super::volume::labels::LabelVolume;
use super::{Input, npy};
use crate::error::{Error, Result};
use crate::settings::GivenArray;
use crate::tensor::shape_text;

/// Reads the labels of an input's places, row-major over its spatial axes.
///
/// # Errors
/// File: missing or damaged, a PNG with colours, labels that are no whole numbers from 0. Argument: a size that is neither the tensor's nor the source's.
pub fn read_labels(path: &Path, input: &Input) -> Result<Vec<u32>> {
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().to_lowercase());
    if name.ends_with(".nii") || name.ends_with(".nii.gz") {
        let volume = LabelVolume::read(path, GREATEST)?;
        return match &input.geometry.placement {
            Some(placement) => Ok(volume.at_places(&input.geometry, placement)),
            None => of_places(&path.display(), &volume.size, volume.labels, input),
        };
    }
    let bytes = std::fs::read(path).map_err(|e| Error::io("read", path, &e))?;
    let (shape, labels) =
        if bytes.starts_with(b"\x93NUMPY") { from_npy(&bytes, path)? } else { from_png(&bytes, path)? };
    of_places(&path.display(), &shape, labels, input)
}

/// The labels of an input's places from an array in memory, by the same rules as from a file; row-major over its spatial axes.
///
/// # Errors
/// Argument: labels that are no whole numbers from 0 to 16777215; a size that is neither the tensor's nor the source's, or both of a volume whose steps make them differ.
pub fn labels_of(array: &GivenArray<i64>, input: &Input) -> Result<Vec<u32>> {
    let shown = GivenArray::<i64>::SHOWN;
    let label = |(at, &value): (usize, &i64)| {
        let label = u32::try_from(value).ok().filter(|label| *label <= GREATEST);
        label.ok_or_else(|| Error::argument(no_label(&shown, &value, at)))
    };
    let labels = array.values().iter().enumerate().map(label).collect::<Result<_>>()?;
    of_places(&shown, array.shape(), labels, input)
}

/// Beyond it f32, which `.npy` files are read as, does not hold every whole number.
const GREATEST: u32 = (1 << 24) - 1;

fn no_label(shown: &dyn Display, value: &dyn Display, at: usize) -> String {
    format!("{shown} has the label {value} (element {at}), expected whole numbers from 0 to {GREATEST}")
}

/// Labels of this shape brought to the input's places.
fn of_places(shown: &dyn Display, shape: &[usize], labels: Vec<u32>, input: &Input) -> Result<Vec<u32>> {
    let wanted = input.spec.spatial();
    let geometry = &input.geometry;
    if shape == wanted {
        // The file's voxels and the input's elements are as many, and are not the same.
        if geometry.placement.as_ref().is_some_and(|file| shape == file.size) && !geometry.is_identity() {
            return Err(Error::argument(format!(
                "{shown} has labels of size {}, which is that of the volume's file and of the model's input, and the steps turn, move or stretch one against the other",
                shape_text(shape)
            ))
            .with_hint("give the labels as a .nii.gz file, which says where it lies"));
        }
        return Ok(labels);
    }
    if let Some(placement) = geometry.placement.as_ref().filter(|placement| shape == placement.size) {
        let volume = LabelVolume { size: placement.size, affine: placement.affine, labels };
        return Ok(volume.at_places(geometry, placement));
    }
    if shape != geometry.source_size || geometry.axes.len() != wanted.len() {
        return Err(Error::argument(format!(
            "{shown} has labels of size {}, the input has {} places{}",
            shape_text(shape),
            shape_text(&wanted),
            if geometry.is_identity() {
                String::new()
            } else {
                format!(", its source {}", shape_text(&geometry.source_size))
            }
        ))
        .with_hint("a label image has one label per pixel of the picture file, or one per element of the model's input; a label volume (.nii.gz) is laid over a scan by its affine"));
    }
    // Per axis, the source pixel nearest to the middle of each element; the padding around a picture has none.
    let sources: Vec<Vec<Option<usize>>> = geometry
        .axes
        .iter()
        .zip(shape)
        .zip(&wanted)
        .map(|((axis, &length), &count)| {
            let pixel = |i: usize| {
                let at = (axis.offset + axis.scale * (i as f64 + 0.5)).floor();
                (at >= 0.0 && at < length as f64).then_some(at as usize)
            };
            (0..count).map(pixel).collect()
        })
        .collect();
    let mut out = vec![0usize; 1];
    let mut outside = vec![false];
    for (axis, &length) in sources.iter().zip(shape) {
        let step =
            |at: &usize| axis.iter().map(move |pixel| at * length + pixel.unwrap_or(0)).collect::<Vec<_>>();
        let lost = |was: &bool| axis.iter().map(move |pixel| *was || pixel.is_none()).collect::<Vec<_>>();
        outside = outside.iter().flat_map(lost).collect();
        out = out.iter().flat_map(step).collect();
    }
    Ok(out.into_iter().zip(outside).map(|(at, lost)| if lost { 0 } else { labels[at] }).collect())
}

fn from_npy(bytes: &[u8], path: &Path) -> Result<(Vec<usize>, Vec<u32>)> {
    let array = npy::parse(bytes, path)?;
    let mut labels = Vec::with_capacity(array.values.len());
    for (at, &value) in array.values.iter().enumerate() {
        if value.fract() != 0.0 || !(0.0..=GREATEST as f32).contains(&value) {
            return Err(Error::file(no_label(&path.display(), &value, at)));
        }
        labels.push(value as u32);
    }
    Ok((array.shape, labels))
}

fn from_png(bytes: &[u8], path: &Path) -> Result<(Vec<usize>, Vec<u32>)> {
    let bad = |what: String| Error::file(format!("{} is no label image: {what}", path.display()));
    let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
    // The index of a palette is the label, not its colour.
    decoder.set_transformations(png::Transformations::IDENTITY);
    let mut reader = decoder.read_info().map_err(|e| {
        bad(e.to_string()).with_hint("label images are .npy files of whole numbers, or PNG files")
    })?;
    let size = reader.output_buffer_size().ok_or_else(|| bad("it claims too many pixels".into()))?;
    let mut data = vec![0; size];
    let frame = reader.next_frame(&mut data).map_err(|e| bad(e.to_string()))?;
    if !matches!(frame.color_type, png::ColorType::Grayscale | png::ColorType::Indexed) {
        return Err(bad(format!("its pixels are {:?}, expected grey values or a palette", frame.color_type))
            .with_hint("colours are no labels: write the label of each pixel as its grey value"));
    }
    let (width, height) = (frame.width as usize, frame.height as usize);
    let mut labels = Vec::with_capacity(width * height);
    for row in data.chunks(frame.line_size).take(height) {
        for x in 0..width {
            labels.push(match frame.bit_depth {
                png::BitDepth::Sixteen => u32::from(row[2 * x]) << 8 | u32::from(row[2 * x + 1]),
                depth => {
                    let bits = depth as usize;
                    let shift = 8 - bits - x * bits % 8;
                    u32::from(row[x * bits / 8] >> shift) & ((1 << bits) - 1)
                }
            });
        }
    }
    Ok((vec![height, width], labels))
}

/// Reads names of regions: a CSV of lines `label,name` (a first line that holds no number is a heading), or a JSON object `{"1": "liver"}`.
///
/// # Errors
/// File: missing, or a line that is neither.
pub fn read_region_names(path: &Path) -> Result<BTreeMap<u32, String>> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::io("read", path, &e))?;
    let bad = |what: String| {
        Error::file(format!("{}: {what}", path.display()))
            .with_hint("names of regions are lines of label,name or a JSON object {\"1\": \"liver\"}")
    };
    if text.trim_start().starts_with('{') {
        let names: BTreeMap<String, String> = serde_json::from_str(&text).map_err(|e| bad(e.to_string()))?;
        let label = |(label, name): (String, String)| {
            Ok((label.trim().parse().map_err(|_| bad(format!("\"{label}\" is no label")))?, name))
        };
        return names.into_iter().map(label).collect();
    }
    let mut names = BTreeMap::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let (label, name) = line
            .split_once([',', '\t', ';'])
            .ok_or_else(|| bad(format!("line {} has no name", number + 1)))?;
        match label.trim().parse::<u32>() {
            Ok(label) => {
                names.insert(label, name.trim().trim_matches('"').to_string());
            }
            Err(_) if number == 0 => {}
            Err(_) => return Err(bad(format!("line {}: \"{}\" is no label", number + 1, label.trim()))),
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::{Layout, TensorSpec};

    fn file(name: &str, bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("writes");
        (folder, path)
    }

    fn png_of(colour: png::ColorType, depth: png::BitDepth, size: [u32; 2], data: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, size[1], size[0]);
        encoder.set_color(colour);
        encoder.set_depth(depth);
        if colour == png::ColorType::Indexed {
            encoder.set_palette(vec![0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255]);
        }
        encoder.write_header().expect("header").write_image_data(data).expect("data");
        bytes
    }

    fn input(spatial: [usize; 2]) -> Input {
        let spec = TensorSpec::new("x", &[1, spatial[0], spatial[1]], Layout::ChannelsFirst);
        let values = vec![0.0; spec.len()];
        Input::from_tensor(spec, values).expect("fits")
    }

    #[test]
    fn labels_of_every_kind_of_file() {
        use png::{BitDepth, ColorType};
        let read = |bytes: &[u8]| {
            let (_folder, path) = file("labels", bytes);
            read_labels(&path, &input([2, 3])).map_err(|e| e.to_string())
        };
        let eight = png_of(ColorType::Grayscale, BitDepth::Eight, [2, 3], &[0, 1, 2, 3, 200, 5]);
        assert_eq!(read(&eight), Ok(vec![0, 1, 2, 3, 200, 5]));
        let sixteen =
            png_of(ColorType::Grayscale, BitDepth::Sixteen, [2, 3], &[0, 1, 1, 0, 0, 2, 0, 0, 0, 0, 0, 3]);
        assert_eq!(read(&sixteen), Ok(vec![1, 256, 2, 0, 0, 3]));
        // Two bits per pixel, rows begin on a byte: 0 1 2 and 3 2 1.
        let palette = png_of(ColorType::Indexed, BitDepth::Two, [2, 3], &[0b0001_1000, 0b1110_0100]);
        assert_eq!(read(&palette), Ok(vec![0, 1, 2, 3, 2, 1]));
        let colours = png_of(ColorType::Rgb, BitDepth::Eight, [2, 3], &[0; 18]);
        assert!(read(&colours).expect_err("colours").contains("pixels are Rgb"));
        assert!(read(b"GIF89a").expect_err("a gif").contains("no label image"));
        let npy = npy::encode(&[2, 3], &[0i64, 1, 2, 3, 4, 5]).expect("encodes");
        assert_eq!(read(&npy), Ok(vec![0, 1, 2, 3, 4, 5]));
        let half = npy::encode(&[2, 3], &[0.5f32; 6]).expect("encodes");
        assert!(read(&half).expect_err("half").contains("the label 0.5 (element 0)"));
        let small = npy::encode(&[2, 2], &[1i64; 4]).expect("encodes");
        assert!(
            read(&small).expect_err("size").contains("labels of size [2, 2], the input has [2, 3] places")
        );
    }

    #[test]
    fn labels_of_the_source_go_the_way_of_the_picture() {
        // A source of 4x8, reduced to 2x4, of which columns 1 to 3 are taken with a row of padding above.
        let mut made = input([3, 3]);
        made.geometry = crate::input::Geometry::identity(&[4, 8]);
        made.geometry.resize(&[2, 4]);
        made.geometry.crop(&[-1, 1], &[3, 3]);
        let labels: Vec<i64> = (0..32).map(|i| i / 8 * 10 + i % 8 + 1).collect();
        let (_folder, path) = file("labels.npy", &npy::encode(&[4, 8], &labels).expect("encodes"));
        let got = read_labels(&path, &made).expect("the source's size");
        assert_eq!(got, [0, 0, 0, 14, 16, 18, 34, 36, 38]);
    }

    #[test]
    fn names() {
        let read = |text: &str| {
            let (_folder, path) = file("names", text.as_bytes());
            read_region_names(&path).map_err(|e| e.to_string())
        };
        let expected = BTreeMap::from([(1, "liver".to_string()), (7, "left kidney".to_string())]);
        assert_eq!(read("label,name\n1,liver\n\n7,\"left kidney\"\n"), Ok(expected.clone()));
        assert_eq!(read("{\"1\": \"liver\", \"7\": \"left kidney\"}"), Ok(expected));
        assert!(read("1,liver\nx,spleen").expect_err("x").contains("line 2: \"x\" is no label"));
    }
}
