//! Arrays in files, read and written without the program's own code: `.npy`, stored `.npz`, nested JSON arrays.
//!
//! Only what the program promises to write is read: version 1 headers, row-major, little-endian, entries that are not compressed.

use std::collections::BTreeMap;

/// An array: its element type as NumPy writes it, its shape, its bytes.
pub(crate) struct Array {
    pub(crate) descr: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) bytes: Vec<u8>,
}

impl Array {
    /// Reads a `.npy` file; bytes behind the array are not looked at.
    pub(crate) fn read(file: &[u8]) -> Array {
        assert!(file.starts_with(b"\x93NUMPY\x01\x00"), "no version 1 .npy file");
        let end = 10 + usize::from(u16::from_le_bytes([file[8], file[9]]));
        let header = std::str::from_utf8(&file[10..end]).unwrap();
        assert!(header.contains("'fortran_order': False"), "{header}");
        let between = |from: &str, to: &str| {
            let rest = &header[header.find(from).unwrap() + from.len()..];
            rest[..rest.find(to).unwrap()].to_string()
        };
        let descr = between("'descr': '", "'");
        let shape: Vec<usize> = between("'shape': (", ")")
            .split(',')
            .filter(|n| !n.trim().is_empty())
            .map(|n| n.trim().parse().unwrap())
            .collect();
        let width: usize = descr[2..].parse().unwrap();
        let bytes = &file[end..][..shape.iter().product::<usize>() * width];
        Array { descr, shape, bytes: bytes.to_vec() }
    }

    pub(crate) fn f32(&self) -> Vec<f32> {
        assert_eq!(self.descr, "<f4");
        self.bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
    }

    pub(crate) fn i32(&self) -> Vec<i32> {
        assert_eq!(self.descr, "<i4");
        self.bytes.chunks_exact(4).map(|b| i32::from_le_bytes(b.try_into().unwrap())).collect()
    }

    pub(crate) fn i64(&self) -> Vec<i64> {
        assert_eq!(self.descr, "<i8");
        self.bytes.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap())).collect()
    }
}

/// A `.npy` file of f32; the shape as Python writes it, without brackets.
pub(crate) fn npy(shape: &str, values: &[f32]) -> Vec<u8> {
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({shape}), }}");
    while (header.len() + 11) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    bytes.extend(values.iter().flat_map(|v| v.to_le_bytes()));
    bytes
}

/// The entries of a zip archive by name, found through its central directory.
pub(crate) fn entries(zip: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let u16_at = |at: usize| usize::from(u16::from_le_bytes([zip[at], zip[at + 1]]));
    let u32_at = |at: usize| u32::from_le_bytes(zip[at..at + 4].try_into().unwrap()) as usize;
    let end = zip.windows(4).rposition(|w| w == b"PK\x05\x06").expect("no zip archive");
    let mut at = u32_at(end + 16);
    let mut entries = BTreeMap::new();
    for _ in 0..u16_at(end + 10) {
        assert_eq!(&zip[at..at + 4], b"PK\x01\x02");
        assert_eq!(u16_at(at + 10), 0, "an entry is compressed");
        let (size, name_length) = (u32_at(at + 24), u16_at(at + 28));
        let name = String::from_utf8(zip[at + 46..][..name_length].to_vec()).unwrap();
        let local = u32_at(at + 42);
        let start = local + 30 + u16_at(local + 26) + u16_at(local + 28);
        entries.insert(name, zip[start..start + size].to_vec());
        at += 46 + name_length + u16_at(at + 30) + u16_at(at + 32);
    }
    entries
}

/// The arrays of an `.npz` file by name.
pub(crate) fn npz(file: &[u8]) -> BTreeMap<String, Array> {
    entries(file)
        .into_iter()
        .map(|(name, bytes)| (name.strip_suffix(".npy").unwrap().to_string(), Array::read(&bytes)))
        .collect()
}

pub(crate) fn json(file: &[u8]) -> serde_json::Value {
    serde_json::from_slice(file).unwrap()
}

/// The numbers of a nested JSON array in order; `null` is NaN.
pub(crate) fn flat(value: &serde_json::Value) -> Vec<f32> {
    match value {
        serde_json::Value::Array(items) => items.iter().flat_map(flat).collect(),
        other => vec![other.as_f64().map_or(f32::NAN, |v| v as f32)],
    }
}

/// Bits, so that NaN equals NaN and 0 does not equal -0.
pub(crate) fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

/// Largest difference of two maps as a share of the second one's range.
pub(crate) fn difference_of_range(map: &[f32], reference: &[f32]) -> f32 {
    assert_eq!(map.len(), reference.len());
    assert!(map.iter().chain(reference).all(|v| v.is_finite()));
    let greatest = reference.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let least = reference.iter().copied().fold(f32::INFINITY, f32::min);
    assert!(greatest > least, "a map without a range shows nothing");
    let largest = map.iter().zip(reference).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    largest / (greatest - least)
}
