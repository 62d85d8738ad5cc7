//! One slice of a volume as input of a model of pictures: which plane, how it is turned, and its values as pixels.
//!
//! In: a volume after its steps, the slice that is wanted, the model's preprocessing of pictures. Out: an [`Input`] whose geometry knows where the slice lies in the file. A slice is laid as scanners show it: rows run
//! to the back (axial) or down, columns to the patient's left (axial, coronal) or back (sagittal). Its values from 0 to 1 count as pixels from 0 to 255.

use std::fmt;

use super::affine::{Turned, orientation};
use super::{Interpolation, Placement, Volume, VolumeStep, resample};
use crate::error::{Error, Result};
use crate::input::{Geometry, Input, InputPort, Picture, Preprocess, picture_spec};
use crate::tensor::Layout;

/// A plane of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaneChoice {
    /// Across the body.
    Axial,
    /// From ear to ear.
    Coronal,
    /// From front to back.
    Sagittal,
}

impl PlaneChoice {
    /// All of them with their names.
    pub const ALL: [(&'static str, PlaneChoice); 3] = [
        ("axial", PlaneChoice::Axial),
        ("coronal", PlaneChoice::Coronal),
        ("sagittal", PlaneChoice::Sagittal),
    ];
    /// Rows, columns and the way through, as axes of the world and whether each runs against it.
    fn axes(self) -> [Turned; 3] {
        match self {
            PlaneChoice::Axial => [(1, true), (0, true), (2, false)],
            PlaneChoice::Coronal => [(2, true), (0, true), (1, false)],
            PlaneChoice::Sagittal => [(2, true), (1, true), (0, false)],
        }
    }
}

/// Which slice: `axial:80`, counted from 0 at the lowest, hindmost or leftmost one; without a number all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SliceChoice {
    /// The plane.
    pub plane: PlaneChoice,
    /// The number; `None` for all.
    pub number: Option<usize>,
}

impl SliceChoice {
    /// Reads it from text.
    ///
    /// # Errors
    /// Argument: no such plane, no number.
    pub fn parse(text: &str) -> Result<SliceChoice> {
        let (plane, number) =
            text.split_once(':').map_or((text, None), |(plane, number)| (plane, Some(number)));
        let found = PlaneChoice::ALL.iter().find(|(name, _)| name.eq_ignore_ascii_case(plane.trim()));
        let number = number.map(|n| n.trim().parse().ok());
        match (found, number) {
            (Some((_, plane)), None) => Ok(SliceChoice { plane: *plane, number: None }),
            (Some((_, plane)), Some(Some(number))) => Ok(SliceChoice { plane: *plane, number: Some(number) }),
            _ => Err(Error::argument(format!("slice \"{text}\" is not understood")).with_hint(
                "expected axial, coronal or sagittal, and the number of the slice from 0: axial:80",
            )),
        }
    }
}

impl fmt::Display for SliceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name =
            PlaneChoice::ALL.iter().find(|(_, plane)| *plane == self.plane).map_or("", |(name, _)| name);
        match self.number {
            Some(number) => write!(f, "{name}:{number}"),
            None => f.write_str(name),
        }
    }
}

/// The slices that are asked for, all of a plane or one, each as an input.
///
/// # Errors
/// Argument: a model that takes no picture, a number that is not there, a volume of several slices and none chosen. Those of the steps.
pub(in crate::input) fn prepare(
    mut volume: Volume,
    port: &InputPort,
    preprocess: &Preprocess,
) -> Result<Vec<Input>> {
    let stored = volume.geometry.placement.as_ref().map_or_else(String::new, Placement::describe);
    let choice = match preprocess.slice {
        Some(choice) => choice,
        None => SliceChoice { plane: only_plane(&volume)?, number: Some(0) },
    };
    if volume.channels != 1 {
        return Err(Error::argument(format!("a slice of {} channels, expected one", volume.channels))
            .with_hint("--preprocess frame=0 takes the first frame"));
    }
    let turn = VolumeStep::Orient(choice.plane.axes());
    let scale = VolumeStep::MinMax([0.0, 1.0]);
    let mut notes = std::mem::take(&mut volume.notes);
    let is_scaled = preprocess.volume.iter().any(VolumeStep::changes_values);
    if !is_scaled {
        notes.push("values from the least to the greatest of the volume count as pixels from 0 to 255 (--preprocess window=400/40, range=, percentiles= to change)".into());
    }
    let mut taken = Vec::new();
    for step in preprocess.volume.iter().chain((!is_scaled).then_some(&scale)).chain([&turn]) {
        let settled = step.settled([None; 3])?;
        settled.apply(&mut volume).map_err(|e| e.in_context(format!("preprocess step {settled}")))?;
        taken.push(settled.to_string());
    }
    // The way the slice lies is said by its name.
    taken.pop();
    let count = volume.size()[2];
    let numbers = match choice.number {
        Some(number) if number < count => number..number + 1,
        Some(number) => {
            return Err(Error::argument(format!(
                "slice {number} of the {} plane is asked for, there are {count} (from 0)",
                SliceChoice { number: None, ..choice }
            )));
        }
        None => 0..count,
    };
    let one = |number: usize| {
        let here = SliceChoice { number: Some(number), ..choice };
        let mut steps = taken.clone();
        steps.push(format!("slice={here}"));
        let mut input = of_slice(&volume, number, port, preprocess)?;
        let shown = input.notes.join(" -> ");
        input.notes = vec![format!("{stored} -> {} -> {shown} ({})", steps.join(", "), preprocess.source)];
        input.notes.extend(notes.iter().cloned());
        if let Some(placement) = &mut input.geometry.placement {
            placement.steps = steps;
        }
        Ok(input)
    };
    numbers.map(one).collect()
}

/// The plane of a volume of one slice.
fn only_plane(volume: &Volume) -> Result<PlaneChoice> {
    let Some(axis) = (0..3).find(|&axis| volume.size()[axis] == 1) else {
        return Err(Error::argument(format!(
            "a volume of {} voxels for a model that takes pictures",
            volume.size().map(|n| n.to_string()).join("x")
        ))
        .with_hint("--preprocess slice=axial:80 takes one slice, and slice=axial all of them"));
    };
    let world = orientation(&volume.affine())[axis].0;
    Ok([PlaneChoice::Sagittal, PlaneChoice::Coronal, PlaneChoice::Axial][world])
}

/// A slice of a volume that was turned so that its last axis goes through the slices.
fn of_slice(volume: &Volume, number: usize, port: &InputPort, preprocess: &Preprocess) -> Result<Input> {
    let spec = picture_spec(port, preprocess)?;
    preprocess.check(spec.channels())?;
    let [rows, columns, depth] = volume.size();
    let pixels: Vec<f32> = (0..rows * columns).map(|place| volume.values[place * depth + number]).collect();
    let spatial = spec.spatial();
    let steps = preprocess.steps([rows, columns], [spatial[0], spatial[1]])?;
    let (resized, start) = (steps.resized(), steps.crop_start());
    let is_smaller = resized[0] <= rows && resized[1] <= columns;
    let how = if is_smaller { Interpolation::Area } else { Interpolation::Linear };
    let mut geometry = of_plane(&volume.geometry, number);
    let pixels = resample::stretch(&pixels, [1, rows, columns], [1, resized[0], resized[1]], how);
    geometry.resize(&resized);
    geometry.crop(&start, &spatial);
    let [height, width] = [spatial[0], spatial[1]];
    let mut cut = vec![0.0f32; height * width];
    for (at, value) in cut.iter_mut().enumerate() {
        let (y, x) = ((at / width) as isize + start[0], (at % width) as isize + start[1]);
        if (0..resized[0] as isize).contains(&y) && (0..resized[1] as isize).contains(&x) {
            *value = pixels[y as usize * resized[1] + x as usize];
        }
    }
    let channels = spec.channels();
    let of = |channel: usize, value: f32| preprocess.value(channel, f64::from(value) * 255.0);
    let values = match spec.layout {
        Layout::ChannelsFirst => (0..channels).flat_map(|c| cut.iter().map(move |v| of(c, *v))).collect(),
        Layout::ChannelsLast => cut.iter().flat_map(|v| (0..channels).map(move |c| of(c, *v))).collect(),
    };
    let mut input = Input::from_tensor(spec, values)?;
    let rgb = cut.iter().flat_map(|v| [(v * 255.0).round().clamp(0.0, 255.0) as u8; 3]).collect();
    input.picture = Picture { rgb, photographic: true, ..Picture::of_tensor(&cut, 1, height, width) };
    input.geometry = geometry;
    let method = if resized == [rows, columns] {
        ""
    } else if is_smaller {
        " (mean over area)"
    } else {
        " (linear)"
    };
    input.notes = vec![format!("{}{method}", steps.describe())];
    Ok(input)
}

/// The geometry of a slice's rows and columns.
fn of_plane(geometry: &Geometry, number: usize) -> Geometry {
    let mut plane = geometry.clone();
    let through = geometry.axes[2];
    plane.source_size.truncate(2);
    plane.size.truncate(2);
    plane.axes.truncate(2);
    if let Some(placement) = &mut plane.placement {
        let edge = |n: usize| through.offset + through.scale * n as f64;
        placement.slice = Some([edge(number), edge(number + 1)]);
    }
    plane
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::parse_preprocess;
    use crate::input::volume::affine::IDENTITY;

    fn port(channels: usize) -> InputPort {
        InputPort { name: "x".into(), dims: vec![Some(channels), None, None], layout: Layout::ChannelsFirst }
    }

    fn said(text: &str) -> Preprocess {
        parse_preprocess(text, &Preprocess::guess(Some(1))).expect("good")
    }

    #[test]
    fn slices_lie_as_scanners_show_them() {
        // Voxel [x, y, z] of RAS holds 100 x + 10 y + z.
        let size = [2, 3, 4];
        let values = (0..24).map(|i| (100 * (i / 12) + 10 * (i / 4 % 3) + i % 4) as f32).collect();
        let volume = Volume::of_file(size, values, IDENTITY);
        let of = |text: &str| {
            let mut all =
                prepare(volume.clone(), &port(1), &said(&format!("unit,shift=0/1,resize=no,crop=no,{text}")))
                    .expect(text);
            all.remove(0)
        };
        let input = |text: &str, size: [usize; 2]| {
            let text = format!("resize={0}x{1},{text}", size[0], size[1]);
            let input = of(&text);
            assert_eq!(input.spec.shape, [1, size[0], size[1]]);
            input
        };
        let axial = input("slice=axial:1", [3, 2]);
        assert_eq!(axial.values, [121.0, 21.0, 111.0, 11.0, 101.0, 1.0]);
        assert_eq!(axial.geometry.placement.as_ref().and_then(|p| p.slice), Some([1.0, 2.0]));
        assert_eq!(input("slice=coronal:0", [4, 2]).values, [103.0, 3.0, 102.0, 2.0, 101.0, 1.0, 100.0, 0.0]);
        let sagittal = input("slice=sagittal:1", [4, 3]);
        assert_eq!(sagittal.values[..3], [123.0, 113.0, 103.0]);
        assert_eq!(
            prepare(volume.clone(), &port(1), &said("resize=3x2,crop=no,slice=axial")).expect("all").len(),
            4
        );
        let error = |text: &str| prepare(volume.clone(), &port(1), &said(text)).expect_err(text).to_string();
        assert!(error("slice=axial:4").contains("slice 4 of the axial plane is asked for, there are 4"));
        assert!(error("resize=no").contains("a volume of 2x3x4 voxels for a model that takes pictures"));
        assert!(SliceChoice::parse("axle:3").is_err() && SliceChoice::parse("axial:x").is_err());
    }

    #[test]
    fn values_count_as_pixels() {
        let volume = Volume::of_file([2, 2, 1], vec![-1000.0, 40.0, 240.0, 1000.0], IDENTITY);
        let input = prepare(volume.clone(), &port(3), &said("imagenet,resize=2x2,crop=no,window=400/40"))
            .expect("one slice");
        // Rows run to the back, columns to the left: the first pixel is voxel [1, 1].
        let value = |v: f32, c: usize| (v - [0.485, 0.456, 0.406][c]) / [0.229, 0.224, 0.225][c];
        let expected = [1.0, 0.5, 1.0, 0.0];
        for (place, want) in expected.into_iter().enumerate() {
            for channel in 0..3 {
                let got = input[0].values[channel * 4 + place];
                assert!((got - value(want, channel)).abs() < 1e-6, "{place} {channel}: {got}");
            }
        }
        assert_eq!(input[0].picture.rgb[..6], [255, 255, 255, 128, 128, 128]);
        let input = prepare(volume, &port(1), &said("resize=2x2,crop=no")).expect("scaled");
        assert!((input[0].values[1] - 1040.0 / 2000.0).abs() < 1e-6, "{:?}", input[0].values);
        assert!(input[0].notes.iter().any(|note| note.contains("from the least to the greatest")));
    }
}
