//! The `.npz` output: the map with all arrays that belong to it, as NumPy loads them with `np.load`.
//!
//! Keys (`T` targets; the first axis of `map`, `scores` and `attribution` is left out for one target): `map` f32 `[T, grid...]`; `attribution` f32 `[T, axes of the
//! input...]`; `most_probable` i32 `[grid...]`, -1 = not computed (absent without classes); `scores` f32 `[T, grid...]`; `baseline` f32 `[T]`;
//! `starts_0` .. `starts_n` i64, window starts per axis of the grid; `window` i64, one size per axis of the grid; `complete` bool.
//! A zip archive of stored entries with a fixed date: the same map gives the same bytes.

use super::npy_array;
use crate::input::npy;
use crate::map::Map;

pub(super) fn encode(map: &Map) -> Vec<u8> {
    let (shape, values) = npy_array(map);
    let mut entries = vec![("map".to_string(), npy::encode_f32(&shape, values))];
    let attribution = map.attribution();
    let first = usize::from(map.targets.len() == 1);
    entries
        .push(("attribution".to_string(), npy::encode_f32(&attribution.shape[first..], &attribution.values)));
    if let Some(most_probable) = &map.most_probable {
        entries
            .push(("most_probable".to_string(), npy::encode_i32(&map.grid.shape(), &most_probable.windows)));
    }
    entries.push(("scores".to_string(), npy::encode_f32(&shape, &map.scores)));
    let baseline: Vec<f32> = map.targets.iter().map(|t| t.baseline).collect();
    entries.push(("baseline".to_string(), npy::encode_f32(&[baseline.len()], &baseline)));
    for (i, axis) in map.grid.axes.iter().enumerate() {
        let starts: Vec<i64> = axis.starts.iter().map(|&s| s as i64).collect();
        entries.push((format!("starts_{i}"), npy::encode_i64(&[starts.len()], &starts)));
    }
    let window: Vec<i64> = map.grid.axes.iter().map(|a| a.window as i64).collect();
    entries.push(("window".to_string(), npy::encode_i64(&[window.len()], &window)));
    entries.push(("complete".to_string(), npy::encode_bool(map.is_complete())));
    zip(&entries)
}

/// A zip archive of stored (not compressed) `name.npy` entries, dated 1980-01-01.
fn zip(entries: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut directory = Vec::new();
    for (name, data) in entries {
        let name = format!("{name}.npy");
        let offset = bytes.len() as u32;
        // Version 2.0, no flags, stored, time 0, date 1980-01-01.
        let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
        common.extend(crc32(data).to_le_bytes());
        common.extend((data.len() as u32).to_le_bytes());
        common.extend((data.len() as u32).to_le_bytes());
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        bytes.extend(b"PK\x03\x04");
        bytes.extend(&common);
        bytes.extend(name.bytes());
        bytes.extend(data);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&common);
        // No comment, disk 0, no attributes.
        directory.extend([0; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend(name.bytes());
    }
    let (count, start) = (entries.len() as u16, bytes.len() as u32);
    bytes.extend(&directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend(count.to_le_bytes());
    bytes.extend(count.to_le_bytes());
    bytes.extend((directory.len() as u32).to_le_bytes());
    bytes.extend(start.to_le_bytes());
    bytes.extend([0, 0]);
    bytes
}

/// CRC-32 as zip and PNG use it.
pub fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0u32; 256];
        let mut i = 0;
        while i < 256 {
            let mut value = i as u32;
            let mut bit = 0;
            while bit < 8 {
                value = if value & 1 == 1 { 0xEDB8_8320 ^ (value >> 1) } else { value >> 1 };
                bit += 1;
            }
            table[i] = value;
            i += 1;
        }
        table
    };
    !bytes.iter().fold(u32::MAX, |crc, &byte| TABLE[usize::from(crc as u8 ^ byte)] ^ (crc >> 8))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::tests_support::map;

    #[test]
    fn crc_of_the_standard_check_value() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn entries_can_be_found_by_the_directory() {
        let bytes = encode(&map([4, 4], [2, 2], [2, 2], vec![1.0, 2.0, 3.0, 4.0]));
        let u16_at = |at: usize| usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
        let u32_at = |at: usize| u16_at(at) | u16_at(at + 2) << 16;
        let end = bytes.len() - 22;
        assert_eq!(&bytes[end..end + 4], b"PK\x05\x06");
        let mut at = u32_at(end + 16);
        let mut names = Vec::new();
        for _ in 0..u16_at(end + 10) {
            assert_eq!(&bytes[at..at + 4], b"PK\x01\x02");
            let (size, name_len, offset) = (u32_at(at + 24), u16_at(at + 28), u32_at(at + 42));
            let name = String::from_utf8_lossy(&bytes[at + 46..at + 46 + name_len]).into_owned();
            let data = &bytes[offset + 30 + name_len..offset + 30 + name_len + size];
            assert_eq!(&bytes[offset..offset + 4], b"PK\x03\x04");
            assert_eq!(crc32(data) as usize, u32_at(at + 16));
            if name == "attribution.npy" {
                let array = npy::parse(data, std::path::Path::new("x")).expect("an array");
                assert_eq!((array.shape, array.values[0], array.values[15]), (vec![4, 4], 1.0, 4.0));
            }
            names.push(name);
            at += 46 + name_len;
        }
        let expected =
            ["map", "attribution", "scores", "baseline", "starts_0", "starts_1", "window", "complete"]
                .map(|n| format!("{n}.npy"));
        assert_eq!(names, expected);
    }
}
