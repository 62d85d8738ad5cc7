//! The `.npz` output: the map with all arrays that belong to it, as NumPy loads them with `np.load`.
//!
//! Keys (`T` targets; the first axis of `map`, `scores` and `attribution` is left out for one target): `map` f32 `[T, grid...]`; `attribution` f32 `[T, spatial axes of the
//! input...]`; `most_probable` i32 `[grid...]`, -1 = not computed (absent without classes); `scores` f32 `[T, grid...]`; `baseline` f32 `[T]`;
//! `starts_0` .. `starts_n` i64, window starts per axis of the grid; `window` i64, one size per axis of the grid; `complete` bool.
//! A zip archive of stored entries with a fixed date: the same map gives the same bytes.

use std::io::{Cursor, Write};

use npyz::AutoSerialize;
use npyz::zip::write::FileOptions;
use npyz::zip::{CompressionMethod, DateTime, ZipWriter};

use super::npy_array;
use crate::error::{Error, Result};
use crate::input::npy;
use crate::map::Map;

pub(super) fn encode(map: &Map) -> Result<Vec<u8>> {
    let mut archive = Archive(ZipWriter::new(Cursor::new(Vec::new())));
    let (shape, values) = npy_array(map);
    archive.add("map", &shape, values)?;
    let attribution = map.attribution();
    let first = usize::from(map.targets.len() == 1);
    archive.add("attribution", &attribution.shape[first..], &attribution.values)?;
    if let Some(most_probable) = &map.most_probable {
        archive.add("most_probable", &map.grid.shape(), &most_probable.windows)?;
    }
    archive.add("scores", &shape, &map.scores)?;
    let baseline: Vec<f32> = map.targets.iter().map(|t| t.baseline).collect();
    archive.add("baseline", &[baseline.len()], &baseline)?;
    for (i, axis) in map.grid.axes.iter().enumerate() {
        let starts: Vec<i64> = axis.starts.iter().map(|&s| s as i64).collect();
        archive.add(&format!("starts_{i}"), &[starts.len()], &starts)?;
    }
    let window: Vec<i64> = map.grid.axes.iter().map(|a| a.window as i64).collect();
    archive.add("window", &[window.len()], &window)?;
    archive.add("complete", &[], &[map.is_complete()])?;
    archive.finish()
}

struct Archive(ZipWriter<Cursor<Vec<u8>>>);

impl Archive {
    fn add<T: AutoSerialize + Copy>(&mut self, name: &str, shape: &[usize], values: &[T]) -> Result<()> {
        let options = FileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(DateTime::default());
        let array = npy::encode(shape, values)?;
        let refused = |e: std::io::Error| Error::file(format!("cannot write the archive: {e}"));
        let name = npyz::npz::file_name_from_array_name(name);
        self.0.start_file(name, options).map_err(|e| refused(e.into()))?;
        self.0.write_all(&array).map_err(refused)
    }

    fn finish(mut self) -> Result<Vec<u8>> {
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
        let attribution = archive.by_name("attribution").expect("reads").expect("is there");
        assert_eq!(attribution.shape(), [4, 4]);
        let values = attribution.into_vec::<f32>().expect("f32");
        assert_eq!((values[0], values[15]), (1.0, 4.0));
    }
}
