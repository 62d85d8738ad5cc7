//! A TIFF file of several pages as a volume: one grey page a slice, axes `[page, row, column]`.
//!
//! In: a path. Out: a [`Volume`] without an affine of its own. Pages are decoded by the crate `tiff`, each after its size was checked.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use tiff::ColorType;
use tiff::decoder::{Decoder, DecodingResult, Limits};

use super::Volume;
use crate::error::{Error, Result};

/// Reads all pages; errors do not name the file.
///
/// # Errors
/// File: damaged, pages of different sizes, colours. Limit: more voxels than memory holds.
pub(super) fn read(path: &Path) -> Result<Volume> {
    let file = File::open(path).map_err(|e| Error::io("read", path, &e))?;
    let length = file.metadata().map_or(u64::MAX, |m| m.len());
    let damaged = |e: tiff::TiffError| Error::file(format!("it is a damaged or unsupported TIFF file: {e}"));
    // Sizes are checked before a page is decoded, so the decoder need not.
    let mut decoder = Decoder::new(BufReader::new(file)).map_err(damaged)?.with_limits(Limits::unlimited());
    let mut size: Option<(u32, u32)> = None;
    let mut values: Vec<f32> = Vec::new();
    let mut pages = 0;
    loop {
        let (width, height) = decoder.dimensions().map_err(damaged)?;
        let (first_width, first_height) = *size.get_or_insert((width, height));
        if (width, height) != (first_width, first_height) {
            return Err(Error::file(format!(
                "page {pages} has {width}x{height} pixels, the pages before it {first_width}x{first_height}"
            ))
            .with_hint("a stack has pages of one size; a page may be a thumbnail"));
        }
        match decoder.colortype().map_err(damaged)? {
            ColorType::Gray(_) => {}
            other => {
                return Err(Error::file(format!(
                    "page {pages} has pixels of kind {other:?}, expected grey values"
                )));
            }
        }
        let voxels = (width as usize).saturating_mul(height as usize);
        // No packing of TIFF's makes more of a byte than deflate's.
        if voxels as u64 / 8 > length.saturating_mul(1032) {
            return Err(Error::file(format!(
                "page {pages} claims {width}x{height} pixels, which a file of {length} bytes cannot hold"
            )));
        }
        super::check_memory(values.len().saturating_add(voxels), 4)?;
        let before = values.len();
        extend(&mut values, decoder.read_image().map_err(damaged)?);
        if values.len() - before != voxels {
            return Err(Error::file(format!(
                "page {pages} holds {} of {voxels} pixels",
                values.len() - before
            )));
        }
        pages += 1;
        if !decoder.more_images() {
            break;
        }
        decoder.next_image().map_err(damaged)?;
    }
    let (width, height) = size.unwrap_or_default();
    let mut volume = Volume::of_unplaced([pages, height as usize, width as usize], values);
    volume.notes.push("a TIFF stack has no affine: voxels of 1 mm along x, y and z are assumed".into());
    Ok(volume)
}

fn extend(values: &mut Vec<f32>, page: DecodingResult) {
    match page {
        DecodingResult::U8(all) => values.extend(all.into_iter().map(f32::from)),
        DecodingResult::I8(all) => values.extend(all.into_iter().map(f32::from)),
        DecodingResult::U16(all) => values.extend(all.into_iter().map(f32::from)),
        DecodingResult::I16(all) => values.extend(all.into_iter().map(f32::from)),
        DecodingResult::U32(all) => values.extend(all.into_iter().map(|v| v as f32)),
        DecodingResult::I32(all) => values.extend(all.into_iter().map(|v| v as f32)),
        DecodingResult::U64(all) => values.extend(all.into_iter().map(|v| v as f32)),
        DecodingResult::I64(all) => values.extend(all.into_iter().map(|v| v as f32)),
        DecodingResult::F16(all) => values.extend(all.into_iter().map(f32::from)),
        DecodingResult::F32(all) => values.extend(all),
        DecodingResult::F64(all) => values.extend(all.into_iter().map(|v| v as f32)),
    }
}
