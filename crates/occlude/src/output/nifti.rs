//! The `.nii` and `.nii.gz` outputs: the map on the grid of the scan, with its affine, so that 3D Slicer, ITK-SNAP and niivue lay it over the scan.
//!
//! In: the map of a volume, or maps of slices of one. Out: NIfTI-1, f32, one frame per target. Every voxel of the scan has the value of the element of the model's input that its centre lies in (nearest
//! neighbour back through resampling, resizing, cropping and turning: nothing is interpolated). Elements have the mean sensitivity of the windows that cover them, or what the map's definition joins. Voxels
//! that the model did not see, and those under windows that were not computed, are 0.

use crate::error::{Error, Result};
use crate::input::volume::affine;
use crate::input::{Geometry, Placement};
use crate::map::{Cells, Map};
use crate::tensor::shape_text;

/// Bytes before the voxels: header and the four bytes that say that nothing follows it.
const BEFORE: usize = 352;

/// The bytes of the file, not packed.
///
/// # Errors
/// Argument: a map of something that is no volume, maps of different volumes or targets.
pub(super) fn encode(maps: &[&Map]) -> Result<Vec<u8>> {
    let Some(first) = maps.first() else { return Err(Error::argument("there is no map to write")) };
    let place = placement(first)?;
    let (mut values, frames) = (Vec::new(), elements(first)?.1);
    if frames > LONGEST {
        return Err(Error::limit(format!("the map has {frames} targets, NIfTI-1 holds {LONGEST} frames")));
    }
    let voxels: usize = place.size.iter().product();
    values.resize(voxels * frames, 0.0f32);
    for map in maps {
        let here = placement(map)?;
        if (here.size, here.affine) != (place.size, place.affine) || elements(map)?.1 != frames {
            return Err(Error::argument(
                "maps of different volumes, or of different numbers of targets, are not one volume",
            ));
        }
        paint(map, &here, &mut values)?;
    }
    let mut bytes = header(first, &place, frames, &values);
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    Ok(bytes)
}

/// Where the map's input lies; an array of three axes lies at voxels of 1 mm.
fn placement(map: &Map) -> Result<Placement> {
    let spatial = map.input.spatial();
    check(&map.geometry, &spatial)?;
    let size = [0, 1, 2].map(|axis| spatial.get(axis).copied().unwrap_or(1));
    Ok(map.geometry.placement.clone().unwrap_or_else(|| Placement::of_file(size, affine::IDENTITY)))
}

/// A header has sizes as 16-bit numbers with a sign.
const LONGEST: usize = 32_767;

/// Whether maps of inputs with this geometry and these places are volumes.
///
/// # Errors
/// Argument: pictures, signals and vectors, which are none. Limit: an axis that is too long for the format.
pub(super) fn check(geometry: &Geometry, spatial: &[usize]) -> Result<()> {
    if geometry.placement.is_some() || spatial.len() == 3 {
        let size = geometry.placement.as_ref().map_or_else(|| spatial.to_vec(), |place| place.size.to_vec());
        if let Some(length) = size.iter().find(|length| **length > LONGEST) {
            return Err(Error::limit(format!(
                "the volume has {length} voxels along an axis, NIfTI-1 holds {LONGEST}"
            ))
            .with_hint("write the map as .npz or .npy"));
        }
        return Ok(());
    }
    Err(Error::argument(format!(
        "a map of an input with {} spatial ax{} is no volume",
        spatial.len(),
        if spatial.len() == 1 { "is" } else { "es" }
    ))
    .with_hint("-o map.npz holds its numbers, -o map.png shows them"))
}

/// `[frames, spatial axes...]` over the input's elements, NaN = not known, and the number of frames.
fn elements(map: &Map) -> Result<(Vec<f32>, usize)> {
    let spatial = map.input.spatial();
    let places: usize = spatial.iter().product();
    let view = map.view();
    let is_joined =
        view.cells == Cells::Elements && view.grid.shape() == spatial && !map.definition.is_plain();
    let values = if is_joined { view.values.into_owned() } else { map.attribution().values };
    if places == 0 || values.len() % places != 0 {
        return Err(Error::argument(format!(
            "{} numbers do not lie on places {}",
            values.len(),
            shape_text(&spatial)
        )));
    }
    let frames = values.len() / places;
    Ok((values, frames))
}

/// Writes a map's values into the voxels of the file, whose first axis runs fastest.
fn paint(map: &Map, place: &Placement, out: &mut [f32]) -> Result<()> {
    let (values, frames) = elements(map)?;
    let spatial = map.input.spatial();
    let voxels: usize = place.size.iter().product();
    let places: usize = spatial.iter().product();
    // Per axis as counted, the element that each voxel of the file lies in.
    let element = |axis: usize, voxel: usize| -> Option<usize> {
        let (file, is_flipped) = place.axes[axis];
        let counted = if is_flipped { place.size[file] - 1 - voxel } else { voxel };
        let middle = counted as f64 + 0.5;
        let Some(along) = map.geometry.axes.get(axis) else {
            // Through a slice.
            let [start, end] = place.slice?;
            return (start..end).contains(&middle).then_some(0);
        };
        let at = (middle - along.offset) / along.scale;
        (at >= 0.0 && at < spatial[axis] as f64).then_some(at as usize)
    };
    let tables: Vec<Vec<Option<usize>>> = (0..3)
        .map(|axis| (0..place.size[place.axes[axis].0]).map(|voxel| element(axis, voxel)).collect())
        .collect();
    let strides: Vec<usize> = {
        let lengths: Vec<usize> = (0..3).map(|axis| spatial.get(axis).copied().unwrap_or(1)).collect();
        vec![lengths[1] * lengths[2], lengths[2], 1]
    };
    // Per axis of the file, the part of the element's number.
    let mut of_file: [Vec<Option<usize>>; 3] = Default::default();
    for axis in 0..3 {
        of_file[place.axes[axis].0] = tables[axis].iter().map(|at| at.map(|at| at * strides[axis])).collect();
    }
    for k in 0..place.size[2] {
        for j in 0..place.size[1] {
            let line = place.size[0] * (j + place.size[1] * k);
            let (Some(b), Some(c)) = (of_file[1][j], of_file[2][k]) else { continue };
            for (i, a) in of_file[0].iter().enumerate() {
                let Some(a) = a else { continue };
                for frame in 0..frames {
                    let value = values[frame * places + a + b + c];
                    if !value.is_nan() {
                        out[frame * voxels + line + i] = value;
                    }
                }
            }
        }
    }
    Ok(())
}

/// Header and the four bytes after it, little-endian.
fn header(map: &Map, place: &Placement, frames: usize, values: &[f32]) -> Vec<u8> {
    let mut bytes = vec![0u8; BEFORE];
    let mut put = |at: usize, part: &[u8]| bytes[at..at + part.len()].copy_from_slice(part);
    let short = |v: usize| (v as i16).to_le_bytes();
    put(0, &348i32.to_le_bytes());
    put(38, b"r");
    let rank = if frames > 1 { 4 } else { 3 };
    for (axis, length) in
        [rank, place.size[0], place.size[1], place.size[2], frames, 1, 1, 1].into_iter().enumerate()
    {
        put(40 + 2 * axis, &short(length));
    }
    // f32, 32 bits.
    put(70, &short(16));
    put(72, &short(32));
    let spacing = affine::spacing(&place.affine);
    for (axis, length) in
        [1.0, spacing[0], spacing[1], spacing[2], 1.0, 1.0, 1.0, 1.0].into_iter().enumerate()
    {
        put(76 + 4 * axis, &(length as f32).to_le_bytes());
    }
    put(108, &(BEFORE as f32).to_le_bytes());
    put(112, &1.0f32.to_le_bytes());
    // Millimetres and seconds.
    put(123, &[2 | 8]);
    let most = values.iter().fold(0.0f32, |most, v| most.max(v.abs()));
    put(124, &most.to_le_bytes());
    put(128, &(-most).to_le_bytes());
    let unit = map.targets.first().map_or("", |target| target.unit.as_str());
    let state = if map.is_complete() { "" } else { ", incomplete" };
    put(148, &cut(&format!("occlude {}: fall of {unit} when hidden{state}", map.provenance.version), 79));
    // The affine is that of the scan, as a scanner's.
    put(254, &short(1));
    for (row, line) in place.affine[..3].iter().enumerate() {
        for (column, value) in line.iter().enumerate() {
            put(280 + 16 * row + 4 * column, &(*value as f32).to_le_bytes());
        }
    }
    put(328, &cut(unit, 15));
    put(344, b"n+1\0");
    bytes
}

/// ASCII of at most so many bytes.
fn cut(text: &str, most: usize) -> Vec<u8> {
    text.chars()
        .map(|c| if c.is_ascii() && !c.is_ascii_control() { c as u8 } else { b'?' })
        .take(most)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::tests_support::map;

    #[test]
    fn a_picture_is_no_volume() {
        let made = map([4, 4], [2, 2], [2, 2], vec![0.0; 4]);
        let error = encode(&[&made]).expect_err("no volume");
        assert!(error.to_string().contains("2 spatial axes is no volume"), "{error}");
        assert!(encode(&[]).is_err());
    }

    #[test]
    fn a_slice_stands_in_its_place() {
        // A picture of 2x2 elements that was row 3 to 1 and column 1 to 3 of the second of three slices, with rows along the file's second axis, turned.
        let mut made = map([2, 2], [1, 1], [1, 1], vec![1.0, 2.0, 3.0, f32::NAN]);
        let mut place = Placement::of_file([4, 5, 3], affine::IDENTITY);
        place.axes = [(1, true), (0, false), (2, false)];
        place.slice = Some([1.0, 2.0]);
        made.geometry.source_size = vec![5, 4];
        made.geometry.placement = Some(place);
        made.geometry.axes[0].offset = 1.0;
        made.geometry.axes[1].offset = 1.0;
        let bytes = encode(&[&made]).expect("a volume");
        let value = |i: usize, j: usize, k: usize| {
            let at = 352 + 4 * (i + 4 * (j + 5 * k));
            f32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        // Row 0 is counted 1, which is voxel 3 of the file's axis 1.
        assert_eq!([value(1, 3, 1), value(2, 3, 1), value(1, 2, 1), value(2, 2, 1)], [1.0, 2.0, 3.0, 0.0]);
        let all: f32 = (0..60).map(|v| value(v % 4, v / 4 % 5, v / 20)).sum();
        assert_eq!((all, bytes.len()), (6.0, 352 + 240));
    }
}
