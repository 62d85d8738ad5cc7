//! Volumes from files: NIfTI, a DICOM series, a TIFF stack, `.npy`; through named steps to the model's input, with the way back to the file's grid.
//!
//! In: a path and what the model wants. Out: a `Volume`, read and bounded, then an [`Input`] whose geometry knows the file's affine and every step. Axes are those of the file, as nibabel and
//! MONAI have them: `[i, j, k]` of NIfTI, `[column, row, slice]` of DICOM, `[page, row, column]` of TIFF. What steps do is in `steps`; their text is in `steps_text`.

pub mod affine;
pub(crate) mod bundle;
mod dicom_file;
mod dicom_series;
mod intensity;
pub(super) mod labels;
mod nifti_file;
mod placement;
mod resample;
pub(super) mod slice;
mod steps;
pub(super) mod steps_text;
mod tiff_stack;

use std::path::Path;

pub use placement::Placement;
pub use slice::{PlaneChoice, SliceChoice};
pub use steps::{Frame, Interpolation, StepSize, VolumeStep};

use super::{Geometry, Input, InputPort, Preprocess, npy};
use crate::error::{Error, Result};
use crate::hash::sha256_hex_of_files;
use crate::tensor::{Layout, TensorSpec, shape_text};
use affine::Affine;

/// A volume in memory, with where it lies.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Volume {
    /// Frames or channels.
    pub channels: usize,
    /// Row-major `[channel, i, j, k]`.
    pub values: Vec<f32>,
    /// From its voxels to those of the file; with the placement in the file.
    pub geometry: Geometry,
    /// What was done to get here, in words.
    pub notes: Vec<String>,
}

impl Volume {
    /// A volume as a file has it. The affine can be inverted.
    pub(super) fn of_file(size: [usize; 3], values: Vec<f32>, affine: Affine) -> Volume {
        let places: usize = size.iter().product();
        let mut geometry = Geometry::identity(&size);
        geometry.unit = "voxels".into();
        geometry.placement = Some(Placement::of_file(size, affine));
        Volume { channels: values.len() / places.max(1), values, geometry, notes: Vec::new() }
    }
    /// A volume whose file says nothing of where it lies.
    pub(super) fn of_unplaced(size: [usize; 3], values: Vec<f32>) -> Volume {
        let mut volume = Volume::of_file(size, values, affine::IDENTITY);
        if let Some(placement) = &mut volume.geometry.placement {
            placement.is_assumed = true;
        }
        volume
    }
    pub(super) fn size(&self) -> [usize; 3] {
        [self.geometry.size[0], self.geometry.size[1], self.geometry.size[2]]
    }
    pub(super) fn places(&self) -> usize {
        self.geometry.size.iter().product()
    }
    /// Where a voxel as it is now lies, in millimetres.
    pub(super) fn affine(&self) -> Affine {
        self.geometry.affine().unwrap_or(affine::IDENTITY)
    }
}

/// Endings of files that hold volumes whatever the model wants.
const NIFTI_ENDINGS: [&str; 5] = [".nii", ".nii.gz", ".hdr", ".img", ".hdr.gz"];

/// Whether this file is read as a volume for a model with this input, by its name and its first bytes.
pub(super) fn is_volume(path: &Path, head: &[u8], port: &InputPort) -> bool {
    let name = path.file_name().map_or_else(String::new, |n| n.to_string_lossy().to_lowercase());
    let is_tiff = head.starts_with(b"II\x2A\0") || head.starts_with(b"MM\0\x2A");
    let is_header = [348i32.to_le_bytes(), 348i32.to_be_bytes()].iter().any(|size| head.starts_with(size));
    let is_packed = head.starts_with(&[0x1F, 0x8B]);
    NIFTI_ENDINGS.iter().any(|ending| name.ends_with(ending))
        || head.get(128..132) == Some(b"DICM")
        || (port.dims.len() == 4 && (is_tiff || is_header || is_packed))
}

/// Reads a volume from a file or a folder of DICOM files. `frame` chooses among several; `channels` is what the model wants.
///
/// # Errors
/// File: damaged, truncated, a header that lies, no such format, an affine without a way back, a series with a slice missing or several series. Limit: more voxels than memory holds.
/// Argument: several frames and none chosen.
pub(super) fn read(path: &Path, frame: Frame, channels: Option<usize>) -> Result<Volume> {
    if path.is_dir() {
        return dicom_series::read_folder(path, frame);
    }
    let head = head_of(path)?;
    let in_file = |e: Error| e.in_context(path.display());
    if head.get(128..132) == Some(b"DICM") {
        return dicom_series::read_file(path, frame);
    }
    if head.starts_with(b"II\x2A\0") || head.starts_with(b"MM\0\x2A") {
        return tiff_stack::read(path).map_err(in_file);
    }
    nifti_file::read(path, frame, channels).map_err(in_file)
}

/// The first bytes of a file.
pub(super) fn head_of(path: &Path) -> Result<Vec<u8>> {
    use std::io::Read;
    let mut head = Vec::with_capacity(132);
    let file = std::fs::File::open(path).map_err(|e| Error::io("read", path, &e))?;
    file.take(132).read_to_end(&mut head).map_err(|e| Error::io("read", path, &e))?;
    Ok(head)
}

/// SHA-256 of a volume's file, or of the files of a folder one after the other in the order of their names.
pub(super) fn hash(path: &Path) -> Result<String> {
    let files = if path.is_dir() { dicom_series::files(path)? } else { vec![path.to_path_buf()] };
    sha256_hex_of_files(&files)
}

/// An array of three axes in a `.npy` file, for a model that wants such places and one channel.
pub(super) fn of_array(array: npy::Array) -> Volume {
    let size = [array.shape[0], array.shape[1], array.shape[2]];
    let mut volume = Volume::of_unplaced(size, array.values);
    volume.notes.push("an array without an affine: voxels of 1 mm along x, y and z are assumed".into());
    volume
}

/// Refuses a volume that memory does not hold, before it is read.
///
/// # Errors
/// Limit: with the number of bytes that it takes and that there are.
pub(super) fn check_memory(voxels: usize, bytes_per_voxel_stored: usize) -> Result<()> {
    // Stored bytes, the same as f32, and what the steps make of it.
    let needed = (voxels as u64).saturating_mul(bytes_per_voxel_stored as u64 + 8);
    let limit = crate::machine::memory_bytes() / 2;
    if needed <= limit {
        return Ok(());
    }
    Err(Error::limit(format!(
        "{voxels} voxels take {:.1} GiB to read, half of this machine's memory is {:.1} GiB",
        needed as f64 / f64::from(1 << 30),
        limit as f64 / f64::from(1 << 30)
    ))
    .with_hint("cut or resample the volume first"))
}

/// Takes a volume through the steps to the model's input.
///
/// # Errors
/// Argument: steps that do not fit, another size or number of channels than the model's. Number: NaN or infinity. Limit: a step that would make too many voxels.
pub(super) fn prepare(mut volume: Volume, port: &InputPort, preprocess: &Preprocess) -> Result<Input> {
    let spatial = spatial_dims(port)?;
    let wanted: [Option<usize>; 3] = [spatial[0], spatial[1], spatial[2]];
    let stored = volume.geometry.placement.as_ref().map_or_else(String::new, Placement::describe);
    for step in &preprocess.volume {
        let settled = step.settled(wanted)?;
        settled.apply(&mut volume).map_err(|e| e.in_context(format!("preprocess step {settled}")))?;
        if let Some(placement) = &mut volume.geometry.placement {
            placement.steps.push(settled.to_string());
        }
    }
    let channels = port.channels().unwrap_or(volume.channels);
    if channels != volume.channels {
        return Err(Error::argument(format!(
            "the volume has {} channel{}, the model's input \"{}\" has {channels}",
            volume.channels,
            if volume.channels == 1 { "" } else { "s" },
            port.name
        ))
        .with_hint("a 4-D file gives its frames as channels with --preprocess frame=channels; for others give a .npy tensor"));
    }
    let size = volume.size();
    if size.iter().zip(wanted).any(|(n, want)| want.is_some_and(|want| want != *n)) {
        let wanted: Vec<String> = wanted.iter().map(|d| d.map_or("?".into(), |n| n.to_string())).collect();
        let what = if preprocess.volume.is_empty() { "the volume has" } else { "preprocessing gives" };
        return Err(Error::argument(format!(
            "{what} {} voxels, the model's input \"{}\" has {}",
            size.map(|n| n.to_string()).join("x"),
            port.name,
            wanted.join("x")
        ))
        .with_hint("--preprocess resize=input stretches it, pad-or-crop=input cuts or pads it around its middle; spacing=1x1x1 resamples it to millimetres first"));
    }
    let values = laid_out(&mut volume, port.layout);
    let mut shape = size.to_vec();
    shape.insert(if port.layout == Layout::ChannelsFirst { 0 } else { 3 }, channels);
    let mut input = Input::from_tensor(TensorSpec::new(&port.name, &shape, port.layout), values)?;
    let steps = volume.geometry.placement.as_ref().map_or(String::new(), |p| p.steps.join(", "));
    input.notes.push(match steps.as_str() {
        "" => format!("{stored} -> taken as it is {}", shape_text(&shape)),
        steps => format!("{stored} -> {steps} ({})", preprocess.source),
    });
    input.notes.extend(volume.notes);
    input.geometry = volume.geometry;
    Ok(input)
}

/// Lengths of the three axes of places that the model wants.
fn spatial_dims(port: &InputPort) -> Result<Vec<Option<usize>>> {
    if port.dims.len() != 4 {
        return Err(Error::argument(format!(
            "a volume cannot be the model's input \"{}\", which has {} axes beside the batch; volumes have 4",
            port.name,
            port.dims.len()
        ))
        .with_hint("--preprocess slice=axial:80 takes one slice of a volume for a model of pictures"));
    }
    let channel = if port.layout == Layout::ChannelsFirst { 0 } else { 3 };
    Ok((0..4).filter(|&axis| axis != channel).map(|axis| port.dims[axis]).collect())
}

/// Channels in front or at the end.
fn laid_out(volume: &mut Volume, layout: Layout) -> Vec<f32> {
    if layout == Layout::ChannelsFirst || volume.channels == 1 {
        return std::mem::take(&mut volume.values);
    }
    let (places, channels, values) = (volume.places(), volume.channels, &volume.values);
    (0..places).flat_map(|place| (0..channels).map(move |channel| values[channel * places + place])).collect()
}
