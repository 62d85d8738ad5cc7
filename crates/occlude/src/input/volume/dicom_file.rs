//! One DICOM file: what its header says of its slice, and its pixels, rescaled.
//!
//! In: a path. Out: a [`Slice`], read without its pixels, and later [`pixels`]. Files are read by the crate `dicom-object`, pixels unpacked by `dicom-pixeldata`; bits that are not stored, the sign, slope and
//! intercept, and MONOCHROME1 are seen to here. How slices make a volume is in `dicom_series`.

use std::path::{Path, PathBuf};

use dicom_object::{DefaultDicomObject, OpenFileOptions, Tag};
use dicom_pixeldata::PixelDecoder;

use crate::error::{Error, Result};

const ACQUISITION_NUMBER: Tag = Tag(0x0020, 0x0012);
const BITS_ALLOCATED: Tag = Tag(0x0028, 0x0100);
const BITS_STORED: Tag = Tag(0x0028, 0x0101);
const COLUMNS: Tag = Tag(0x0028, 0x0011);
const INSTANCE_NUMBER: Tag = Tag(0x0020, 0x0013);
const NUMBER_OF_FRAMES: Tag = Tag(0x0028, 0x0008);
const ORIENTATION: Tag = Tag(0x0020, 0x0037);
const PHOTOMETRIC: Tag = Tag(0x0028, 0x0004);
const PIXEL_DATA: Tag = Tag(0x7FE0, 0x0010);
const PIXEL_SPACING: Tag = Tag(0x0028, 0x0030);
const IMAGER_SPACING: Tag = Tag(0x0018, 0x1164);
const POSITION: Tag = Tag(0x0020, 0x0032);
const REPRESENTATION: Tag = Tag(0x0028, 0x0103);
const RESCALE_INTERCEPT: Tag = Tag(0x0028, 0x1052);
const RESCALE_SLOPE: Tag = Tag(0x0028, 0x1053);
const ROWS: Tag = Tag(0x0028, 0x0010);
const SAMPLES: Tag = Tag(0x0028, 0x0002);
const SERIES: Tag = Tag(0x0020, 0x000E);
const SERIES_DESCRIPTION: Tag = Tag(0x0008, 0x103E);
const SLICE_SPACING: Tag = Tag(0x0018, 0x0088);
const SLICE_THICKNESS: Tag = Tag(0x0018, 0x0050);

/// What the header of one file says.
#[derive(Clone, Debug)]
pub(super) struct Slice {
    pub(super) path: PathBuf,
    pub(super) series: String,
    pub(super) description: String,
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Millimetres between rows, between columns.
    pub(super) spacing: Option<[f64; 2]>,
    pub(super) position: Option<[f64; 3]>,
    /// Direction along a row, direction along a column, in LPS.
    pub(super) directions: Option<[[f64; 3]; 2]>,
    /// Acquisition and instance, which order files at one place.
    pub(super) number: (i64, i64),
    pub(super) thickness: Option<f64>,
}

fn damaged(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::file(format!("{} is a damaged or truncated DICOM file: {error}", path.display()))
}

fn text(object: &DefaultDicomObject, tag: Tag) -> Option<String> {
    let text = object.get(tag)?.to_str().ok()?;
    Some(text.trim_matches(|c: char| c.is_whitespace() || c == '\0').to_string()).filter(|t| !t.is_empty())
}

fn number(object: &DefaultDicomObject, tag: Tag) -> Option<f64> {
    text(object, tag)?
        .parse()
        .ok()
        .or_else(|| object.get(tag)?.to_float64().ok())
        .filter(|v: &f64| v.is_finite())
}

fn numbers<const N: usize>(object: &DefaultDicomObject, tag: Tag) -> Option<[f64; N]> {
    let all = object.get(tag)?.to_multi_float64().ok()?;
    <[f64; N]>::try_from(all).ok().filter(|all| all.iter().all(|v| v.is_finite()))
}

impl Slice {
    /// Reads the header; `None` for files without an image, as reports are.
    ///
    /// # Errors
    /// File: damage, several frames, colours.
    pub(super) fn read(path: &Path) -> Result<Option<Slice>> {
        let object =
            OpenFileOptions::new().read_until(PIXEL_DATA).open_file(path).map_err(|e| damaged(path, &e))?;
        let bad = |what: &str| Error::file(format!("{}: {what}", path.display()));
        let size = |tag| number(&object, tag).filter(|n| (1.0..=65535.0).contains(n)).map(|n| n as usize);
        let (Some(rows), Some(columns)) = (size(ROWS), size(COLUMNS)) else {
            return Ok(None);
        };
        if number(&object, NUMBER_OF_FRAMES).is_some_and(|n| n > 1.0) {
            return Err(bad("a DICOM file of several frames, which cannot be read")
                .with_hint("convert it: dcm2niix makes a .nii.gz of it"));
        }
        if number(&object, SAMPLES).is_some_and(|n| n != 1.0) {
            return Err(bad("a DICOM file in colours, expected grey values"));
        }
        let directions = numbers::<6>(&object, ORIENTATION).map(|d| [[d[0], d[1], d[2]], [d[3], d[4], d[5]]]);
        let order = |tag| number(&object, tag).map_or(0, |n| n as i64);
        Ok(Some(Slice {
            path: path.to_path_buf(),
            series: text(&object, SERIES).unwrap_or_default(),
            description: text(&object, SERIES_DESCRIPTION).unwrap_or_default(),
            rows,
            columns,
            spacing: numbers(&object, PIXEL_SPACING).or_else(|| numbers(&object, IMAGER_SPACING)),
            position: numbers(&object, POSITION),
            directions,
            number: (order(ACQUISITION_NUMBER), order(INSTANCE_NUMBER)),
            thickness: number(&object, SLICE_SPACING).or_else(|| number(&object, SLICE_THICKNESS)),
        }))
    }

    /// The name of its file.
    pub(super) fn name(&self) -> String {
        self.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }

    /// Along the normal of its plane, in millimetres.
    pub(super) fn height(&self, normal: [f64; 3]) -> f64 {
        self.position.unwrap_or_default().iter().zip(normal).map(|(p, n)| p * n).sum()
    }
}

/// The values of a slice row by row, and whether they were turned over.
///
/// # Errors
/// File: damage, pixels that cannot be unpacked, fewer than the header says.
pub(super) fn pixels(slice: &Slice) -> Result<(Vec<f32>, bool)> {
    let path = &slice.path;
    let object = dicom_object::open_file(path).map_err(|e| damaged(path, &e))?;
    let bits = |tag, usual: f64| number(&object, tag).unwrap_or(usual);
    let allocated = bits(BITS_ALLOCATED, 16.0) as u32;
    let stored = bits(BITS_STORED, f64::from(allocated)) as u32;
    if ![8, 16, 32].contains(&allocated) || stored == 0 || stored > allocated {
        return Err(Error::file(format!(
            "{} has {stored} of {allocated} bits a pixel, expected 8, 16 or 32",
            path.display()
        )));
    }
    let decoded = object.decode_pixel_data().map_err(|e| {
        Error::file(format!("the pixels of {} cannot be unpacked: {e}", path.display())).with_hint(
            "uncompressed, RLE and baseline JPEG are read; unpack others first: gdcmconv --raw IN OUT",
        )
    })?;
    let width = (allocated / 8) as usize;
    let count = slice.rows * slice.columns;
    let data = decoded.data();
    if data.len() < count * width {
        return Err(Error::file(format!(
            "{} is truncated: {}x{} pixels of {width} bytes need {}, {} are there",
            path.display(),
            slice.columns,
            slice.rows,
            count * width,
            data.len()
        )));
    }
    let is_signed = bits(REPRESENTATION, 0.0) == 1.0;
    let unused = 64 - stored;
    let raw = |chunk: &[u8]| -> i64 {
        let wide = match *chunk {
            [a] => u64::from(a),
            [a, b] => u64::from(u16::from_ne_bytes([a, b])),
            [a, b, c, d] => u64::from(u32::from_ne_bytes([a, b, c, d])),
            _ => 0,
        };
        // Bits beyond those that are stored do not count.
        let high = wide << unused;
        if is_signed { high as i64 >> unused } else { (high >> unused) as i64 }
    };
    let is_inverted = text(&object, PHOTOMETRIC).is_some_and(|p| p.eq_ignore_ascii_case("MONOCHROME1"));
    let top = if is_signed { -1 } else { (1i64 << stored) - 1 };
    let (slope, plus) = (bits(RESCALE_SLOPE, 1.0), bits(RESCALE_INTERCEPT, 0.0));
    let value = |chunk: &[u8]| {
        let stored = if is_inverted { top - raw(chunk) } else { raw(chunk) };
        (stored as f64 * slope + plus) as f32
    };
    Ok((data[..count * width].chunks_exact(width).map(value).collect(), is_inverted))
}
