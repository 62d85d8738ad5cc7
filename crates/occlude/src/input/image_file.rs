//! Picture files: PNG, JPEG, WebP, TIFF and BMP to upright 8-bit pixels, with every silent choice said.
//!
//! In: a path. Out: interleaved RGB or grey bytes and notes. What the header claims is checked before anything is decoded. The format is taken from
//! the content, not from the file name. Resizing and normalising are not here (`preprocess`).
//! JPEG decoders are allowed to round differently: libjpeg's pixels differ from these by one or two levels in about one of eight samples.

use std::io::Cursor;
use std::path::Path;

use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageReader};

use super::claimed_size::claimed_size;
use crate::error::{Error, Result};

/// The most pixels that are decoded: 256 million.
pub const MAX_PIXELS: u64 = 256 << 20;
/// The longest side that is decoded.
pub const MAX_SIDE: u32 = 65_536;

/// An upright picture of 8 bits per sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pixels {
    /// `[height, width]`
    pub size: [usize; 2],
    /// `height * width * 3` interleaved bytes.
    pub rgb: Vec<u8>,
    /// What was done to get here, in words.
    pub notes: Vec<String>,
}

/// Reads a picture from the bytes of a file; `path` is for messages.
///
/// # Errors
/// Limit: larger than [`MAX_PIXELS`] or [`MAX_SIDE`]. File: not a picture, a format that is not supported, or damaged.
pub(super) fn decode(bytes: &[u8], path: &Path) -> Result<Pixels> {
    let shown = path.display();
    let reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|e| Error::io("read", path, &e))?;
    let Some(format) = reader.format() else {
        return Err(Error::file(format!(
            "{shown} is not a picture that can be read: {}",
            what_it_looks_like(bytes)
        ))
        .with_hint("inputs are PNG, JPEG, WebP, TIFF or BMP pictures, or .npy tensors"));
    };
    let name = format!("{format:?}").to_uppercase();
    let damaged = |e: image::ImageError| match e {
        image::ImageError::Limits(_) => {
            Error::limit(format!("{shown} needs more memory to decode than is allowed"))
        }
        image::ImageError::Unsupported(_) => {
            Error::file(format!("{shown} is a {name} picture, of a kind that cannot be read"))
                .with_hint("inputs are PNG, JPEG, WebP, TIFF or BMP pictures, or .npy tensors")
        }
        e => Error::file(format!("{shown} is damaged or truncated ({name}): {e}")),
    };
    // The decoders check only their own memory; what the header claims is checked here, before any of it is read.
    if let Some([width, height]) = claimed_size(bytes) {
        check_size(width, height, path)?;
    }
    let mut reader = reader;
    reader.no_limits();
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    check_size(u64::from(width), u64::from(height), path)?;
    if pixels == 0 {
        return Err(Error::file(format!("{shown} has no pixels ({width} x {height})")));
    }
    if format == image::ImageFormat::Jpeg && jpeg_ends_early(bytes) {
        return Err(Error::file(format!("{shown} is truncated (JPEG): its last scan has no end")));
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let colour = decoder.color_type();
    let mut image = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    let mut notes = Vec::new();
    if orientation != Orientation::NoTransforms {
        image.apply_orientation(orientation);
        notes
            .push(format!("turned upright as its EXIF orientation says ({})", orientation_text(orientation)));
    }
    notes.extend(colour_notes(colour));
    let size = [image.height() as usize, image.width() as usize];
    let rgb = if colour.has_alpha() { on_white(&image) } else { image.into_rgb8().into_raw() };
    Ok(Pixels { size, rgb, notes })
}

/// The size `[width, height]` that a picture's header claims, without decoding it; `None` where it is no picture or its header is damaged.
pub fn claimed_pixels(bytes: &[u8]) -> Option<[u64; 2]> {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().ok()?;
    claimed_size(bytes).or_else(|| reader.into_dimensions().ok().map(|(w, h)| [u64::from(w), u64::from(h)]))
}

fn check_size(width: u64, height: u64, path: &Path) -> Result<()> {
    let is_small = |side: u64| side <= u64::from(MAX_SIDE);
    if is_small(width) && is_small(height) && width * height <= MAX_PIXELS {
        return Ok(());
    }
    Err(Error::limit(format!(
        "{} claims {width} x {height} pixels, the limit is {MAX_SIDE} per side and {} million in all",
        path.display(),
        MAX_PIXELS >> 20
    ))
    .with_hint("make a smaller copy of the picture first"))
}

/// Whether no end-of-image marker follows the first scan. The decoder would fill the missing part with grey in silence. Segments before the scan are
/// skipped by their length, since a thumbnail in them has an end of its own.
fn jpeg_ends_early(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some(&[0xFF, marker, high, low]) = bytes.get(at..at + 4) {
        at += 2 + usize::from(u16::from_be_bytes([high, low]));
        if marker == 0xDA {
            return !bytes.get(at..).unwrap_or_default().windows(2).any(|pair| pair == [0xFF, 0xD9]);
        }
    }
    false
}

/// Luma as Pillow's `convert("L")`: ITU-R 601-2 weights in 16-bit fixed point.
pub(super) fn to_grey(rgb: &[u8]) -> Vec<u8> {
    rgb.chunks_exact(3)
        .map(|p| {
            ((u32::from(p[0]) * 19595 + u32::from(p[1]) * 38470 + u32::from(p[2]) * 7471 + 0x8000) >> 16)
                as u8
        })
        .collect()
}

fn colour_notes(colour: ColorType) -> Vec<String> {
    let mut notes = Vec::new();
    let bits = u16::from(colour.bytes_per_pixel()) * 8 / u16::from(colour.channel_count());
    if bits > 8 {
        notes.push(format!("{bits}-bit samples reduced to 8 bits"));
    }
    if colour.has_alpha() {
        notes.push("transparent parts laid on white".to_string());
    }
    if !colour.has_color() {
        notes.push("grey picture: one value for red, green and blue".to_string());
    }
    notes
}

fn on_white(image: &DynamicImage) -> Vec<u8> {
    let blend = |value: u8, alpha: u8| {
        let (value, alpha) = (u32::from(value), u32::from(alpha));
        ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
    };
    image
        .to_rgba8()
        .pixels()
        .flat_map(|p| [blend(p[0], p[3]), blend(p[1], p[3]), blend(p[2], p[3])])
        .collect()
}

fn orientation_text(orientation: Orientation) -> &'static str {
    match orientation {
        Orientation::NoTransforms => "as stored",
        Orientation::Rotate90 => "rotated by 90 degrees",
        Orientation::Rotate180 => "rotated by 180 degrees",
        Orientation::Rotate270 => "rotated by 270 degrees",
        Orientation::FlipHorizontal => "mirrored",
        Orientation::FlipVertical => "upside down and mirrored",
        Orientation::Rotate90FlipH => "rotated by 90 degrees and mirrored",
        Orientation::Rotate270FlipH => "rotated by 270 degrees and mirrored",
    }
}

fn what_it_looks_like(bytes: &[u8]) -> &'static str {
    match bytes {
        [] => "it is empty",
        [b'G', b'I', b'F', ..] => "it is a GIF",
        [b'%', b'P', b'D', b'F', ..] => "it is a PDF",
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => "it is a HEIC, AVIF or video file",
        [b'P', b'K', ..] => "it is a zip archive",
        [0x08, ..] => "it may be an ONNX model",
        _ if bytes.iter().take(64).all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace()) => {
            "it is a text file"
        }
        _ => "its first bytes are of no known picture format",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ImageFormat, Rgba, RgbaImage};

    fn encode(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).expect("encode");
        bytes.into_inner()
    }
    fn read(bytes: &[u8]) -> Result<Pixels> {
        decode(bytes, Path::new("x"))
    }

    #[test]
    fn lossless_formats_keep_pixels() {
        let image = DynamicImage::ImageRgb8(image::RgbImage::from_fn(3, 2, |x, y| {
            image::Rgb([x as u8 * 80, y as u8 * 90, 7])
        }));
        for format in [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::WebP] {
            let pixels = read(&encode(&image, format)).expect("reads");
            assert_eq!(
                (pixels.size, &pixels.rgb[..], pixels.notes.len()),
                ([2, 3], image.as_bytes(), 0),
                "{format:?}"
            );
        }
    }

    #[test]
    fn alpha_depth_and_grey_are_said() {
        let half = DynamicImage::ImageRgba8(RgbaImage::from_pixel(1, 1, Rgba([100, 0, 255, 51])));
        let pixels = read(&encode(&half, ImageFormat::Png)).expect("reads");
        assert_eq!(
            (pixels.rgb, pixels.notes),
            (vec![224, 204, 255], vec!["transparent parts laid on white".to_string()])
        );
        let deep = DynamicImage::ImageLuma16(image::ImageBuffer::from_pixel(1, 1, image::Luma([0x8080])));
        let pixels = read(&encode(&deep, ImageFormat::Png)).expect("reads");
        assert_eq!(pixels.rgb, [128, 128, 128]);
        assert_eq!(pixels.notes.len(), 2, "{:?}", pixels.notes);
        assert_eq!(to_grey(&[255, 255, 255, 255, 0, 0]), [255, 76]);
    }

    #[test]
    fn a_header_that_claims_too_much_is_refused_before_decoding() {
        let mut bytes = encode(&DynamicImage::new_rgb8(1, 1), ImageFormat::Png);
        bytes[16..20].copy_from_slice(&100_000u32.to_be_bytes());
        bytes[20..24].copy_from_slice(&100_000u32.to_be_bytes());
        let crc = crc32fast::hash(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&crc.to_be_bytes());
        let error = read(&bytes).expect_err("too large");
        assert_eq!(error.kind(), crate::ErrorKind::Limit);
        assert!(error.to_string().contains("claims 100000 x 100000 pixels"), "{error}");
    }

    #[test]
    fn bmp_and_tiff_that_are_too_large_are_not_called_damaged() {
        let mut bmp = encode(&DynamicImage::new_rgb8(1, 1), ImageFormat::Bmp);
        bmp[18..22].copy_from_slice(&100_000i32.to_le_bytes());
        bmp[22..26].copy_from_slice(&(-100_000i32).to_le_bytes());
        let mut tiff = encode(&DynamicImage::new_rgb8(1, 1), ImageFormat::Tiff);
        let mut changed = 0;
        for at in 0..tiff.len() - 12 {
            if tiff[at..at + 4] == [0, 1, 4, 0] || tiff[at..at + 4] == [1, 1, 4, 0] {
                tiff[at + 8..at + 12].copy_from_slice(&100_000u32.to_le_bytes());
                changed += 1;
            }
        }
        assert_eq!(changed, 2, "both sizes are LONG");
        for bytes in [bmp, tiff] {
            let error = read(&bytes).expect_err("too large");
            assert_eq!(error.kind(), crate::ErrorKind::Limit, "{error}");
            assert!(error.to_string().contains("claims 100000 x 100000 pixels"), "{error}");
        }
    }

    #[test]
    fn damaged_and_foreign_files_are_named() {
        let bytes = encode(&DynamicImage::new_rgb8(40, 40), ImageFormat::Png);
        assert!(
            read(&bytes[..bytes.len() / 2])
                .expect_err("half")
                .to_string()
                .contains("damaged or truncated (PNG)")
        );
        assert!(read(b"hello, this is text").expect_err("text").to_string().contains("text file"));
        assert!(read(b"").expect_err("empty").to_string().contains("empty"));
        assert!(read(b"GIF89a..").expect_err("gif").to_string().contains("GIF"));
    }

    #[test]
    fn exif_orientation_is_applied() {
        // A JPEG of 2x1 pixels with an APP1 segment that says orientation 6 (rotate by 90 degrees).
        let jpeg = encode(&DynamicImage::new_rgb8(2, 1), ImageFormat::Jpeg);
        let mut exif: Vec<u8> = vec![0xFF, 0xE1, 0, 34];
        exif.extend(b"Exif\0\0MM\0\x2A\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0");
        let mut turned = jpeg[..2].to_vec();
        turned.extend(&exif);
        turned.extend(&jpeg[2..]);
        let pixels = read(&turned).expect("reads");
        assert_eq!(pixels.size, [2, 1]);
        assert!(pixels.notes[0].contains("rotated by 90 degrees"), "{:?}", pixels.notes);
    }
}
