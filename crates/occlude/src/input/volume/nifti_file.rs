//! NIfTI-1 files, `.nii` and `.nii.gz`: values as nibabel scales them, the affine that nibabel chooses.
//!
//! In: a path, the frame that is wanted. Out: a [`Volume`]. The header is read by the crate `nifti`; what it claims is compared with the file and with memory before anything is allocated. Values are read here, since
//! only one frame of several is kept. A compressed file is unpacked as it is read, never further than its header says.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use nifti::{Endianness, NiftiHeader, NiftiType, Unit};

use super::affine::{self, Affine};
use super::{Frame, Volume};
use crate::error::{Error, Result};

/// Bytes of a NIfTI-1 header.
const HEADER: usize = 348;
/// Where values begin at the earliest: after the header and the four bytes that say whether more follows.
const FIRST_VALUE: u64 = 352;
/// Deflate packs no more than this many bytes into one.
const MOST_PER_PACKED_BYTE: u64 = 1032;

/// What is read and how.
struct Shape {
    size: [usize; 3],
    frames: usize,
}

/// Reads a file; errors do not name it.
///
/// # Errors
/// File: no NIfTI-1, a pair of files, a header that does not fit the file, a truncated file, values that are no real numbers, an affine without a way back. Limit: more voxels than memory holds.
/// Argument: a frame that is not there, several and none chosen.
pub(super) fn read(path: &Path, frame: Frame, channels: Option<usize>) -> Result<Volume> {
    let (mut source, length, is_packed) = open(path)?;
    let header = header(&mut source)?;
    let shape = shape(&header)?;
    let kind = header.data_type().map_err(|_| unknown_kind(&header.datatype.to_string()))?;
    let bytes = bytes_of(kind)?;
    let chosen = frames(&shape, frame, channels)?;
    let voxels: usize = shape.size.iter().product();
    let begin = first_value(&header)?;
    check_claim(&shape, bytes, begin, length, is_packed)?;
    super::check_memory(voxels.saturating_mul(chosen.len()), bytes)?;

    let in_frame = (voxels * bytes) as u64;
    skip(&mut source, begin - HEADER as u64 + chosen.start as u64 * in_frame)?;
    let mut raw = Vec::with_capacity(voxels * bytes * chosen.len());
    let wanted = in_frame * chosen.len() as u64;
    source.by_ref().take(wanted).read_to_end(&mut raw).map_err(|e| broken(&e))?;
    if raw.len() as u64 != wanted {
        return Err(Error::file(format!(
            "it is truncated: {wanted} bytes of voxels are expected, {} are there",
            raw.len()
        ))
        .with_hint("the file was not written or copied to its end"));
    }
    if is_packed {
        // The end of a packed file has its checksum.
        let left = (shape.frames - chosen.end) as u64 * in_frame;
        std::io::copy(&mut source.take(left + FIRST_VALUE), &mut std::io::sink()).map_err(|e| broken(&e))?;
    }
    let values = file_order(&decode(&raw, kind, &header), shape.size);
    let affine = affine_of(&header, shape.size)?;
    affine::check(&affine)?;
    let mut volume = Volume::of_file(shape.size, values, affine);
    volume.notes = notes(&header, &shape, &chosen);
    Ok(volume)
}

/// A source of the unpacked bytes, the file's length, and whether it is packed (which its first bytes say, not its name).
fn open(path: &Path) -> Result<(Box<dyn Read>, u64, bool)> {
    let refused = |e: std::io::Error| Error::io("read", path, &e);
    let file = File::open(path).map_err(refused)?;
    let length = file.metadata().map_err(refused)?.len();
    let is_packed = super::head_of(path)?.starts_with(&[0x1F, 0x8B]);
    let file = BufReader::new(file);
    Ok((if is_packed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) }, length, is_packed))
}

fn broken(error: &std::io::Error) -> Error {
    let what = match error.kind() {
        std::io::ErrorKind::UnexpectedEof => "it is truncated: its packed bytes end early".to_string(),
        _ => format!("it is damaged: {error}"),
    };
    Error::file(what).with_hint("the file was not written or copied to its end, or changed on the way")
}

fn header(source: &mut dyn Read) -> Result<NiftiHeader> {
    let mut bytes = Vec::with_capacity(HEADER);
    source.take(HEADER as u64).read_to_end(&mut bytes).map_err(|e| broken(&e))?;
    let hint = "volumes are .nii or .nii.gz (NIfTI-1), a folder of DICOM files, a TIFF stack or .npy";
    let said = |text: &str| Error::file(format!("it is no NIfTI-1 file: {text}")).with_hint(hint);
    let Some(first) = bytes.first_chunk::<4>() else { return Err(said("it is too short for a header")) };
    let size = [i32::from_le_bytes(*first), i32::from_be_bytes(*first)];
    if size.contains(&540) {
        return Err(Error::file("it is a NIfTI-2 file, which cannot be read")
            .with_hint("write it as NIfTI-1: nibabel.Nifti1Image.from_image(nibabel.load(FILE)).to_filename(\"scan.nii.gz\")"));
    }
    if !size.contains(&(HEADER as i32)) {
        return Err(said(&format!("its header says to be {} bytes long, expected {HEADER}", size[0])));
    }
    if bytes.len() < HEADER {
        return Err(said(&format!("its header ends after {} of {HEADER} bytes", bytes.len())));
    }
    let header = NiftiHeader::from_reader(bytes.as_slice()).map_err(|e| said(&e.to_string()))?;
    if &header.magic == b"ni1\0" {
        return Err(Error::file("it is one of a pair of files (.hdr and .img), which cannot be read")
            .with_hint("write it as one file, scan.nii.gz"));
    }
    Ok(header)
}

fn shape(header: &NiftiHeader) -> Result<Shape> {
    let rank = usize::from(header.dim[0]);
    let dims = &header.dim[1..];
    let shown: Vec<String> = header.dim.iter().map(|&n| (n as i16).to_string()).collect();
    let bad = |what: &str| Error::file(format!("its header lies: {what} (dim is {})", shown.join(", ")));
    if rank == 0 || rank > 7 {
        return Err(bad("the number of axes is not from 1 to 7"));
    }
    if dims[..rank].iter().any(|&n| n == 0 || n > i16::MAX as u16) {
        return Err(bad("an axis has no voxels"));
    }
    let length = |axis: usize| if axis < rank { usize::from(dims[axis]) } else { 1 };
    let frames = (3..7).try_fold(1usize, |product, axis| product.checked_mul(length(axis)));
    let size = [length(0), length(1), length(2)];
    let frames = frames.ok_or_else(|| bad("so many frames cannot be"))?;
    Ok(Shape { size, frames })
}

/// The frames that are read.
fn frames(shape: &Shape, frame: Frame, channels: Option<usize>) -> Result<std::ops::Range<usize>> {
    match frame {
        Frame::Number(number) if number < shape.frames => Ok(number..number + 1),
        Frame::Number(number) => {
            Err(Error::argument(format!("frame {number} is asked for, there are {} (from 0)", shape.frames)))
        }
        Frame::Channels => Ok(0..shape.frames),
        Frame::Only if shape.frames == 1 || channels == Some(shape.frames) => Ok(0..shape.frames),
        Frame::Only => Err(Error::argument(format!(
            "it has {} frames (a time series, or several channels), expected one",
            shape.frames
        ))
        .with_hint(
            "--preprocess frame=0 takes the first, frame=channels all of them as the model's channels",
        )),
    }
}

fn first_value(header: &NiftiHeader) -> Result<u64> {
    let offset = f64::from(header.vox_offset);
    match offset {
        0.0 => Ok(FIRST_VALUE),
        _ if offset >= FIRST_VALUE as f64 && offset.fract() == 0.0 && offset < 1e15 => Ok(offset as u64),
        _ => Err(Error::file(format!(
            "its header lies: voxels begin at byte {offset}, expected a whole number from {FIRST_VALUE}"
        ))),
    }
}

/// Compares what the header claims with how long the file is.
fn check_claim(shape: &Shape, bytes: usize, begin: u64, length: u64, is_packed: bool) -> Result<()> {
    let voxels = shape.size.iter().chain([&shape.frames]).try_fold(1u64, |n, &d| n.checked_mul(d as u64));
    let needed = voxels.and_then(|n| n.checked_mul(bytes as u64)).and_then(|n| n.checked_add(begin));
    let most = if is_packed { length.saturating_mul(MOST_PER_PACKED_BYTE) } else { length };
    if needed.is_some_and(|needed| needed <= most) {
        return Ok(());
    }
    let claimed = shape.size.map(|n| n.to_string()).join("x");
    let frames = if shape.frames == 1 { String::new() } else { format!(", {} frames", shape.frames) };
    let needed = needed.map_or("more than 2^64".to_string(), |n| n.to_string());
    let holds = if is_packed {
        format!("{length} packed bytes hold no more than {most}")
    } else {
        format!("there are {length}")
    };
    Err(Error::file(format!(
        "its header claims {claimed} voxels of {bytes} bytes{frames}, {needed} bytes in all; {holds}"
    ))
    .with_hint("the file is truncated, or its header lies"))
}

fn skip(source: &mut dyn Read, count: u64) -> Result<()> {
    let skipped = std::io::copy(&mut source.take(count), &mut std::io::sink()).map_err(|e| broken(&e))?;
    if skipped == count { Ok(()) } else { Err(broken(&std::io::ErrorKind::UnexpectedEof.into())) }
}

fn unknown_kind(what: &str) -> Error {
    Error::file(format!("its voxels are of type {what}, expected whole or floating numbers of up to 64 bits"))
        .with_hint("write it again as float32")
}

fn bytes_of(kind: NiftiType) -> Result<usize> {
    use NiftiType::{Float32, Float64, Int8, Int16, Int32, Int64, Uint8, Uint16, Uint32, Uint64};
    match kind {
        Uint8 | Int8 | Uint16 | Int16 | Uint32 | Int32 | Float32 | Uint64 | Int64 | Float64 => {
            Ok(kind.size_of())
        }
        other => Err(unknown_kind(&format!("{other:?}"))),
    }
}

/// Values as f32: stored value times slope plus intercept, computed in f64; a slope of 0 or none stands for stored values.
fn decode(raw: &[u8], kind: NiftiType, header: &NiftiHeader) -> Vec<f32> {
    let (slope, plus) = (f64::from(header.scl_slope), f64::from(header.scl_inter));
    let is_scaled = slope != 0.0 && slope.is_finite() && (slope, plus) != (1.0, 0.0);
    let plus = if plus.is_finite() { plus } else { 0.0 };
    let scaled = |value: f64| if is_scaled { (value * slope + plus) as f32 } else { value as f32 };
    let is_little = header.endianness == Endianness::Little;
    macro_rules! all {
        ($kind:ty) => {
            raw.chunks_exact(size_of::<$kind>())
                .map(|chunk| {
                    let bytes = chunk.try_into().unwrap_or_default();
                    let value =
                        if is_little { <$kind>::from_le_bytes(bytes) } else { <$kind>::from_be_bytes(bytes) };
                    scaled(value as f64)
                })
                .collect()
        };
    }
    match kind {
        NiftiType::Uint8 => all!(u8),
        NiftiType::Int8 => all!(i8),
        NiftiType::Uint16 => all!(u16),
        NiftiType::Int16 => all!(i16),
        NiftiType::Uint32 => all!(u32),
        NiftiType::Int32 => all!(i32),
        NiftiType::Uint64 => all!(u64),
        NiftiType::Int64 => all!(i64),
        NiftiType::Float64 => all!(f64),
        _ => all!(f32),
    }
}

/// The file has its first axis run fastest; here the last one does.
fn file_order(stored: &[f32], size: [usize; 3]) -> Vec<f32> {
    let mut values = Vec::with_capacity(stored.len());
    for frame in stored.chunks(size.iter().product::<usize>().max(1)) {
        for i in 0..size[0] {
            for j in 0..size[1] {
                values.extend((0..size[2]).map(|k| frame[i + size[0] * (j + size[1] * k)]));
            }
        }
    }
    values
}

/// nibabel's choice: the sform if its code is not 0, else the qform, else voxel sizes about the middle with x turned.
fn affine_of(header: &NiftiHeader, size: [usize; 3]) -> Result<Affine> {
    let mut affine = affine::IDENTITY;
    if header.sform_code > 0 {
        for (row, stored) in affine.iter_mut().zip([&header.srow_x, &header.srow_y, &header.srow_z]) {
            *row = stored.map(f64::from);
        }
        return Ok(affine);
    }
    let rank = usize::from(header.dim[0]);
    // Sizes have no sign, and one of 0 is not known: nibabel's repairs.
    let zoom = |axis: usize| f64::from(header.pixdim[axis].abs());
    let zooms = [1, 2, 3].map(|axis| if axis <= rank && zoom(axis) != 0.0 { zoom(axis) } else { 1.0 });
    if header.qform_code > 0 {
        return q_form(header, zooms);
    }
    for axis in 0..3 {
        affine[axis][axis] = if axis == 0 { -zooms[0] } else { zooms[axis] };
        affine[axis][3] = -affine[axis][axis] * (size[axis] as f64 - 1.0) / 2.0;
    }
    Ok(affine)
}

fn q_form(header: &NiftiHeader, zooms: [f64; 3]) -> Result<Affine> {
    let [b, c, d] = [header.quatern_b, header.quatern_c, header.quatern_d].map(f64::from);
    let rest = 1.0 - (b * b + c * c + d * d);
    // As much as rounding to f32 takes; nibabel's threshold.
    let least = 3.0 * f64::from(f32::EPSILON);
    if rest <= -least || !rest.is_finite() {
        return Err(Error::file(format!("its header lies: the quaternion {b}, {c}, {d} is longer than 1")));
    }
    let a = if rest < least { 0.0 } else { rest.sqrt() };
    let by = 2.0 / (a * a + b * b + c * c + d * d);
    let rotation = [
        [1.0 - by * (c * c + d * d), by * (b * c - a * d), by * (b * d + a * c)],
        [by * (b * c + a * d), 1.0 - by * (b * b + d * d), by * (c * d - a * b)],
        [by * (b * d - a * c), by * (c * d + a * b), 1.0 - by * (b * b + c * c)],
    ];
    let facing = if header.pixdim[0] == -1.0 { -1.0 } else { 1.0 };
    let zooms = [zooms[0], zooms[1], zooms[2] * facing];
    let at = [header.quatern_x, header.quatern_y, header.quatern_z].map(f64::from);
    let mut affine = affine::IDENTITY;
    for row in 0..3 {
        for column in 0..3 {
            affine[row][column] = rotation[row][column] * zooms[column];
        }
        affine[row][3] = at[row];
    }
    Ok(affine)
}

fn notes(header: &NiftiHeader, shape: &Shape, chosen: &std::ops::Range<usize>) -> Vec<String> {
    let mut notes = Vec::new();
    if shape.frames > 1 && chosen.len() == 1 {
        notes.push(format!("frame {} of {} (from 0)", chosen.start, shape.frames));
    } else if shape.frames > 1 {
        notes.push(format!("{} frames taken as the model's channels", shape.frames));
    }
    let rank = usize::from(header.dim[0]).min(3);
    if header.sform_code <= 0 && header.pixdim[1..=rank].iter().any(|zoom| *zoom <= 0.0) {
        notes.push("the header has voxel sizes of 0 or below: taken as 1 mm and without the sign, as nibabel takes them".into());
    }
    if header.sform_code <= 0 && header.qform_code <= 0 {
        notes.push("the header has no affine: voxel sizes about the middle of the volume, first axis to the left, as nibabel takes it".into());
    }
    match header.xyzt_to_space() {
        Ok(Unit::Meter) => notes.push(
            "the header says metres: its numbers are taken as millimetres, as nibabel takes them".into(),
        ),
        Ok(Unit::Micron) => notes.push(
            "the header says micrometres: its numbers are taken as millimetres, as nibabel takes them".into(),
        ),
        _ => {}
    }
    notes
}
