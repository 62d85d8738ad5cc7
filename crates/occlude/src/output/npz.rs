//! The `.npz` output: the map with all arrays that belong to it, as NumPy loads them with `np.load`.
//!
//! Keys (`T` targets, whose axis is left out for one target that was not asked for as a list; `windows...` is the shape of the grid, or the number of windows where they are none): `map` f32, as its definition says: `[T, windows...]`,
//! or `[T, elements...]` where windows are joined; `sensitivity` f32 `[T, windows...]` where that is something else; `attribution` f32 `[T, spatial axes of the input...]`; `most_probable` i32
//! `[windows...]`, -1 = not computed (absent without classes); `places` i64, lengths of the spatial axes of the input; `map_most_probable` i32 `[elements...]`, the class with the greatest number of a map of scores, where all classes are targets; `scores` f32
//! `[T, windows...]`; `spread` f32 `[T, windows...]`, their standard deviation over several noise fills; `agreement` f32 and `sign_depends` bool `[T, windows...]`, where other fills, windows and seeds were tried: the share of these maps whose sign is this one's, and whether two of them contradict each other; `baseline` f32 `[T]`; `starts_0` .. `starts_n` and `ends_0` .. `ends_n` i64, first element and end
//! (exclusive) of the windows per axis of the grid, cut off at the border as they were run; `window` i64, one size per axis of the grid; `boxes` i64 `[windows, axes of the input, 2]` instead of these where
//! windows are no grid, and `labels` i64 `[windows]` of regions; `complete` bool.
//! A zip archive of stored entries with a fixed date: the same map gives the same bytes.

use std::io::{Cursor, Write};

use npyz::AutoSerialize;
use npyz::zip::write::FileOptions;
use npyz::zip::{CompressionMethod, DateTime, ZipWriter};

use super::shape_of_windows;
use crate::error::{Error, Result};
use crate::input::npy;
use crate::map::{Cells, Map};
use crate::occlusion::Windows;

pub(super) fn encode(map: &Map) -> Result<Vec<u8>> {
    let mut archive = Archive::new();
    let (view, shape) = (map.view(), shape_of_windows(map));
    archive.add("map", &view.shape(), &view.values)?;
    if !map.definition.is_plain() || map.windows.grid().is_none() {
        archive.add("sensitivity", &shape, &map.sensitivity)?;
    }
    let attribution = map.attribution();
    let first = usize::from(!map.has_target_axis());
    archive.add("attribution", &attribution.shape[first..], &attribution.values)?;
    if let Some(most_probable) = &map.most_probable {
        archive.add("most_probable", &map.windows.shape(), &most_probable.windows)?;
    }
    if let (Cells::Elements, Some(classes)) = (view.cells, &view.most_probable) {
        archive.add("map_most_probable", &view.grid.shape(), classes)?;
    }
    let places: Vec<i64> = map.input.spatial().iter().map(|&n| n as i64).collect();
    archive.add("places", &[places.len()], &places)?;
    archive.add("scores", &shape, &map.scores)?;
    if let Some(spread) = &map.noise_spread {
        archive.add("spread", &shape, spread)?;
    }
    if let Some(found) = &map.stability {
        archive.add("agreement", &shape, &found.agreement)?;
        archive.add("sign_depends", &shape, &found.depends)?;
    }
    let baseline: Vec<f32> = map.targets.iter().map(|t| t.baseline).collect();
    archive.add("baseline", &[baseline.len()], &baseline)?;
    archive.add_windows(map)?;
    archive.finish()
}

pub(super) struct Archive(ZipWriter<Cursor<Vec<u8>>>);

impl Archive {
    pub(super) fn new() -> Self {
        Archive(ZipWriter::new(Cursor::new(Vec::new())))
    }

    /// Where the windows are, and whether all of them were computed.
    pub(super) fn add_windows(&mut self, map: &Map) -> Result<()> {
        let whole = |values: &[usize]| values.iter().map(|&v| v as i64).collect::<Vec<i64>>();
        let Some(grid) = map.windows.grid() else {
            let boxes: Vec<i64> = (0..map.windows.len())
                .flat_map(|window| map.windows.bounds(window))
                .flat_map(|range| [range.start as i64, range.end as i64])
                .collect();
            if let Windows::Regions(regions) = &map.windows {
                let labels: Vec<i64> = regions.parts.iter().map(|part| i64::from(part.label)).collect();
                self.add("labels", &[labels.len()], &labels)?;
            }
            self.add("boxes", &[map.windows.len(), map.input.shape.len(), 2], &boxes)?;
            return self.add("complete", &[], &[map.is_complete()]);
        };
        for (i, axis) in grid.axes.iter().enumerate() {
            self.add(&format!("starts_{i}"), &[axis.len()], &whole(&axis.starts))?;
            self.add(&format!("ends_{i}"), &[axis.len()], &whole(&axis.ends))?;
        }
        let window: Vec<i64> = grid.axes.iter().map(|a| a.window as i64).collect();
        self.add("window", &[window.len()], &window)?;
        self.add("complete", &[], &[map.is_complete()])
    }

    pub(super) fn add<T: AutoSerialize + Copy>(
        &mut self,
        name: &str,
        shape: &[usize],
        values: &[T],
    ) -> Result<()> {
        let options = FileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(DateTime::default());
        let array = npy::encode(shape, values)?;
        let refused = |e: std::io::Error| Error::file(format!("cannot write the archive: {e}"));
        let name = npyz::npz::file_name_from_array_name(name);
        self.0.start_file(name, options).map_err(|e| refused(e.into()))?;
        self.0.write_all(&array).map_err(refused)
    }

    pub(super) fn finish(mut self) -> Result<Vec<u8>> {
        let refused = |e: npyz::zip::result::ZipError| Error::file(format!("cannot write the archive: {e}"));
        Ok(self.0.finish().map_err(refused)?.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::tests_support::map;

    #[test]
    fn the_archive_holds_the_arrays_of_the_contract_and_is_the_same_every_time() {
        let map = map([4, 4], [2, 2], [2, 2], vec![1.0, 2.0, 3.0, 4.0]);
        let bytes = encode(&map).expect("writes");
        assert_eq!(bytes, encode(&map).expect("writes"));
        let mut archive = npyz::npz::NpzArchive::new(Cursor::new(bytes)).expect("an archive");
        let names: Vec<String> = archive.array_names().map(str::to_string).collect();
        for name in ["map", "attribution", "scores", "baseline", "starts_0", "starts_1", "window", "complete"]
        {
            assert!(names.contains(&name.to_string()), "{name} is missing in {names:?}");
        }
        let ends = archive.by_name("ends_1").expect("reads").expect("is there");
        assert_eq!(ends.into_vec::<i64>().expect("i64"), [2, 4]);
        let attribution = archive.by_name("attribution").expect("reads").expect("is there");
        assert_eq!(attribution.shape(), [4, 4]);
        let values = attribution.into_vec::<f32>().expect("f32");
        assert_eq!((values[0], values[15]), (1.0, 4.0));
    }

    #[test]
    fn windows_that_are_cut_off_say_where_they_end() {
        let map = map([4, 5], [2, 2], [2, 2], vec![0.0; 6]);
        let mut archive =
            npyz::npz::NpzArchive::new(Cursor::new(encode(&map).expect("writes"))).expect("an archive");
        let mut read =
            |name: &str| archive.by_name(name).expect("reads").expect(name).into_vec::<i64>().expect("i64");
        assert_eq!((read("starts_1"), read("ends_1")), (vec![0, 2, 4], vec![2, 4, 5]));
    }
}
