//! A series of DICOM files as one volume: sorted by position, rescaled, its spacing and directions as an affine.
//!
//! In: a folder, or one file. Out: a [`Volume`] with axes `[column, row, slice]` and the affine of MONAI's and dcm2niix's readers: DICOM's LPS turned to RAS+. Slices go along the normal of their plane, the
//! lowest position first. Headers are read and compared before any pixel is; how a file is read is in `dicom_file`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::affine::{self, Affine};
use super::dicom_file::{Slice, pixels};
use super::{Frame, Volume};
use crate::error::{Error, Result};

/// A folder with the files of one series; files that are no DICOM are left alone and said.
///
/// # Errors
/// File: no DICOM file, several series, slices of different sizes, spacings or directions, a slice missing, damage. Argument: several frames and none chosen. Limit: more voxels than memory holds.
pub(super) fn read_folder(folder: &Path, frame: Frame) -> Result<Volume> {
    let mut slices = Vec::new();
    let mut others = 0;
    for path in files(folder)? {
        let is_index = path.file_name().is_some_and(|name| name.eq_ignore_ascii_case("DICOMDIR"));
        if is_index || super::head_of(&path)?.get(128..132) != Some(b"DICM") {
            others += 1;
            continue;
        }
        match Slice::read(&path)? {
            Some(slice) => slices.push(slice),
            // A report, a plan: they lie beside their series.
            None => others += 1,
        }
    }
    let named = folder.display().to_string();
    let in_folder = |e: Error| if e.to_string().contains(&named) { e } else { e.in_context(&named) };
    if slices.is_empty() {
        return Err(Error::file(format!("{} holds no DICOM file ({others} others)", folder.display()))
            .with_hint(
                "name the files of other formats, as in folder/*.jpg; a folder is read as a DICOM series",
            ));
    }
    one_series(&slices).map_err(in_folder)?;
    let mut volume = of_slices(slices, frame).map_err(in_folder)?;
    if others > 0 {
        volume.notes.push(format!("{others} files of the folder are no DICOM images and were left out"));
    }
    Ok(volume)
}

/// One file as a volume of one slice.
///
/// # Errors
/// As [`read_folder`].
pub(super) fn read_file(path: &Path, frame: Frame) -> Result<Volume> {
    let named = path.display().to_string();
    let in_file = |e: Error| if e.to_string().contains(&named) { e } else { e.in_context(&named) };
    let slice = Slice::read(path)?.ok_or_else(|| {
        Error::file(format!("{}: a DICOM file without an image (no rows and columns)", path.display()))
    })?;
    of_slices(vec![slice], frame).map_err(in_file)
}

/// The files of a folder, by name.
///
/// # Errors
/// File: what the system says.
pub(super) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(|e| Error::io("list", folder, &e))?;
    let mut paths: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|p| p.is_file()).collect();
    paths.sort();
    Ok(paths)
}

fn one_series(slices: &[Slice]) -> Result<()> {
    let mut series: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
    for slice in slices {
        series.entry(&slice.series).or_insert((0, &slice.description)).0 += 1;
    }
    if series.len() < 2 {
        return Ok(());
    }
    let listed: Vec<String> = series
        .iter()
        .take(5)
        .map(|(uid, (count, said))| format!("{count} files of {}", if said.is_empty() { uid } else { said }))
        .collect();
    let more = if series.len() > 5 { ", ..." } else { "" };
    Err(Error::file(format!(
        "the folder holds {} series, expected one: {}{more}",
        series.len(),
        listed.join(", ")
    ))
    .with_hint("put the files of one series into a folder of their own"))
}

/// The slices must lie in one stack; what differs is named with both files.
fn alike(slices: &[Slice]) -> Result<()> {
    let first = &slices[0];
    let near = |a: &[f64], b: &[f64], least: f64| a.iter().zip(b).all(|(a, b)| (a - b).abs() <= least);
    for slice in &slices[1..] {
        let differs = if (slice.rows, slice.columns) != (first.rows, first.columns) {
            Some(format!("sizes {}x{} and {}x{}", first.columns, first.rows, slice.columns, slice.rows))
        } else {
            match (first.spacing, slice.spacing, first.directions, slice.directions) {
                (Some(a), Some(b), ..) if !near(&a, &b, 1e-3) => {
                    Some(format!("pixel spacings {a:?} and {b:?}"))
                }
                (_, _, Some(a), Some(b)) if !near(a.as_flattened(), b.as_flattened(), 1e-3) => {
                    Some(format!("directions {a:?} and {b:?}"))
                }
                _ => None,
            }
        };
        if let Some(differs) = differs {
            return Err(Error::file(format!(
                "slices of one series differ: {differs} ({} and {})",
                first.name(),
                slice.name()
            ))
            .with_hint(
                "put the files of one stack into a folder of their own; a localiser often shares it",
            ));
        }
    }
    Ok(())
}

/// The product across two directions.
fn normal_of([row, column]: [[f64; 3]; 2]) -> [f64; 3] {
    [0, 1, 2].map(|i| row[(i + 1) % 3] * column[(i + 2) % 3] - row[(i + 2) % 3] * column[(i + 1) % 3])
}

fn of_slices(mut slices: Vec<Slice>, frame: Frame) -> Result<Volume> {
    alike(&slices)?;
    let directions = slices[0].directions.unwrap_or([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]);
    let normal = normal_of(directions);
    let mut notes = Vec::new();
    if slices.len() > 1 {
        if let Some(lost) = slices.iter().find(|s| s.position.is_none() || s.directions.is_none()) {
            return Err(Error::file(format!(
                "{} has no position and orientation of its slice, so that slices cannot be put in order",
                lost.name()
            )));
        }
        slices.sort_by(|a, b| a.height(normal).total_cmp(&b.height(normal)).then(a.number.cmp(&b.number)));
    } else if slices[0].position.is_none() {
        notes.push("the file does not say where its slice lies: it is put at 0".to_string());
    }
    if normal.iter().map(|n| n * n).sum::<f64>() < 0.5 {
        return Err(Error::file(format!(
            "{} has directions of rows and columns that are no two directions: {directions:?}",
            slices[0].name()
        )));
    }
    let stack = Stack::of(slices, normal)?;
    stack.check_straight()?;
    notes.extend(stack.left_out());
    let chosen = match frame {
        Frame::Only if stack.frames == 1 => 0..1,
        Frame::Channels => 0..stack.frames,
        Frame::Number(number) if number < stack.frames => number..number + 1,
        Frame::Number(number) => {
            return Err(Error::argument(format!(
                "frame {number} is asked for, there are {} (from 0)",
                stack.frames
            )));
        }
        Frame::Only => {
            return Err(Error::argument(format!(
                "every place has {} slices (a time series, or several contrasts), expected one",
                stack.frames
            ))
            .with_hint(
                "--preprocess frame=0 takes the first, frame=channels all of them as the model's channels",
            ));
        }
    };
    if stack.frames > 1 {
        notes.push(format!("frames {}..{} of {} (from 0)", chosen.start, chosen.end, stack.frames));
    }
    let first = &stack.slices[0];
    let size = [first.columns, first.rows, stack.depth()];
    super::check_memory(size.iter().product::<usize>().saturating_mul(chosen.len()), 2)?;
    let affine = stack.affine(directions);
    affine::check(&affine)?;
    let mut values = vec![0.0; size.iter().product::<usize>() * chosen.len()];
    let mut inverted = 0;
    for (channel, frame) in chosen.enumerate() {
        for k in 0..size[2] {
            let slice = &stack.slices[k * stack.frames + frame];
            let (pixels, is_inverted) = pixels(slice)?;
            inverted += usize::from(is_inverted);
            for (row, line) in pixels.chunks(size[0]).enumerate() {
                for (column, value) in line.iter().enumerate() {
                    values[((channel * size[0] + column) * size[1] + row) * size[2] + k] = *value;
                }
            }
        }
    }
    if inverted > 0 {
        notes.push("MONOCHROME1: stored values were turned over, so that large ones are bright".into());
    }
    if first.spacing.is_none() {
        notes.push("the files give no pixel spacing: 1 mm is assumed".into());
    }
    let mut volume = Volume::of_file(size, values, affine);
    volume.notes = notes;
    Ok(volume)
}

/// Slices in order, `frames` of them at each place.
struct Stack {
    slices: Vec<Slice>,
    frames: usize,
}

/// Slices nearer than this are at one place, in millimetres.
const SAME_PLACE: f64 = 1e-3;

impl Stack {
    fn of(slices: Vec<Slice>, normal: [f64; 3]) -> Result<Stack> {
        let mut places: Vec<(f64, Vec<&Slice>)> = Vec::new();
        for slice in &slices {
            let height = slice.height(normal);
            match places.last_mut() {
                Some((at, here)) if height - *at <= SAME_PLACE => here.push(slice),
                _ => places.push((height, vec![slice])),
            }
        }
        let frames = places[0].1.len();
        if let Some((at, here)) = places.iter().find(|(_, here)| here.len() != frames) {
            return Err(Error::file(format!(
                "slices are missing or given twice: {} at {:.2} mm, {frames} at {:.2} mm along the stack",
                here.len(),
                at,
                places[0].0
            )));
        }
        let gaps: Vec<f64> = places.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
        let mut sorted = gaps.clone();
        sorted.sort_by(f64::total_cmp);
        if let Some(&usual) = sorted.get(sorted.len() / 2) {
            let is_odd = |gap: &f64| (gap - usual).abs() > 0.02 * usual + 0.01;
            if let Some(at) = gaps.iter().position(is_odd) {
                let (before, after) = (&places[at], &places[at + 1]);
                return Err(Error::file(format!(
                    "a slice is missing: {} lies at {:.2} mm and the next one, {}, at {:.2} mm, {:.2} mm apart; the others are {usual:.2} mm apart",
                    before.1[0].name(),
                    before.0,
                    after.1[0].name(),
                    after.0,
                    gaps[at]
                ))
                .with_hint("copy the whole series, or resample it to even steps first"));
            }
        }
        Ok(Stack { slices, frames })
    }

    /// # Errors
    /// File: a slice that does not lie on the line through the first and the last.
    fn check_straight(&self) -> Result<()> {
        let Some(first) = self.slices[0].position else { return Ok(()) };
        let steps = (self.depth() - 1).max(1) as f64;
        let last = self.slices[(self.depth() - 1) * self.frames].position.unwrap_or(first);
        for (number, slice) in self.slices.iter().enumerate() {
            let along = (number / self.frames) as f64 / steps;
            let at = slice.position.unwrap_or(first);
            let aside = [0, 1, 2].map(|i| at[i] - first[i] - along * (last[i] - first[i]));
            let distance = aside.iter().map(|d| d * d).sum::<f64>().sqrt();
            let step = [0, 1, 2].map(|i| (last[i] - first[i]) / steps);
            let usual = step.iter().map(|d| d * d).sum::<f64>().sqrt();
            if distance > 0.05 * usual + 0.05 {
                return Err(Error::file(format!(
                    "{} lies {distance:.2} mm beside the line through the other slices",
                    slice.name()
                ))
                .with_hint(
                    "slices of one volume lie in a straight stack with even steps; resample the series first",
                ));
            }
        }
        Ok(())
    }

    /// What instance numbers say of slices that are not there, as a note: gaps can be meant.
    fn left_out(&self) -> Option<String> {
        let numbers: Vec<i64> = self.slices.iter().map(|slice| slice.number.1).collect();
        let steps: Vec<u64> = numbers.windows(2).map(|pair| pair[0].abs_diff(pair[1])).collect();
        let least = steps.iter().copied().min().filter(|_| self.frames == 1)?;
        (least > 1).then(|| {
            format!("instance numbers go in steps of {least}: slices between may have been left out, and voxels are as long as the gaps")
        })
    }

    fn depth(&self) -> usize {
        self.slices.len() / self.frames
    }

    /// Indices `[column, row, slice]` to millimetres in RAS+.
    fn affine(&self, directions: [[f64; 3]; 2]) -> Affine {
        let (first, depth) = (&self.slices[0], self.depth());
        let [between_rows, between_columns] = first.spacing.unwrap_or([1.0; 2]);
        let at = first.position.unwrap_or_default();
        let across = if depth > 1 {
            let last = self.slices[(depth - 1) * self.frames].position.unwrap_or_default();
            [0, 1, 2].map(|i| (last[i] - at[i]) / (depth - 1) as f64)
        } else {
            normal_of(directions).map(|n| n * first.thickness.filter(|t| *t > 0.0).unwrap_or(1.0))
        };
        let mut affine = affine::IDENTITY;
        for (i, row) in affine.iter_mut().take(3).enumerate() {
            // LPS to RAS: left and back become right and front.
            let sign = if i < 2 { -1.0 } else { 1.0 };
            *row = [directions[0][i] * between_columns, directions[1][i] * between_rows, across[i], at[i]]
                .map(|v| sign * v);
        }
        affine
    }
}
