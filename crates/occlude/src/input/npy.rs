//! Tensors in NumPy's `.npy` files (format 1 to 3), read as f32 and written as f32.
//!
//! In: bytes of a file, of any integer, boolean or float type up to 64 bits, either byte order, either memory order. Out: shape and row-major values.
//! Written by hand because the header is one line and the errors should say what was found; `.npz` is in `output`.

use std::path::Path;

use crate::error::{Error, Result};
use crate::tensor::shape_text;

/// A tensor read from a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Lengths of the axes.
    pub shape: Vec<usize>,
    /// Row-major.
    pub values: Vec<f32>,
    /// NumPy's type code as found, for example `<f8`.
    pub dtype: String,
}

/// Reads the bytes of a `.npy` file; `path` is for messages.
///
/// # Errors
/// File: not a `.npy` file, truncated, or of a type that is no number (complex, objects, text).
pub fn parse(bytes: &[u8], path: &Path) -> Result<Array> {
    let shown = path.display();
    let bad = |what: &str| Error::file(format!("{shown} is not a valid .npy file: {what}"));
    if !bytes.starts_with(b"\x93NUMPY") {
        return Err(bad("it does not begin with \\x93NUMPY"));
    }
    let (length, start): (usize, usize) = match (bytes.get(6), bytes.len()) {
        (Some(1), 10..) => (usize::from(u16::from_le_bytes([bytes[8], bytes[9]])), 10),
        (Some(2 | 3), 12..) => (u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]) as usize, 12),
        (Some(version @ (1..=3)), _) => {
            return Err(bad(&format!("its header of version {version} is cut off")));
        }
        (Some(version), _) => return Err(bad(&format!("unknown version {version}"))),
        (None, _) => return Err(bad("its header is cut off")),
    };
    let header = start
        .checked_add(length)
        .and_then(|end| bytes.get(start..end))
        .ok_or_else(|| bad("its header is cut off"))?;
    let header = String::from_utf8_lossy(header);
    let dtype =
        text_value(&header, "descr").ok_or_else(|| bad("its header has no plain 'descr'"))?.to_string();
    let fortran = value_of(&header, "fortran_order")
        .ok_or_else(|| bad("its header has no 'fortran_order'"))?
        .starts_with("True");
    let shape = shape_value(&header).ok_or_else(|| bad("its header has no valid 'shape'"))?;
    let (order, code) = dtype.split_at(dtype.len().min(1));
    let size: usize = code.get(1..).and_then(|n| n.parse().ok()).unwrap_or(0);
    let read: fn([u8; 8]) -> f32 = reader(code).ok_or_else(|| {
        Error::file(format!("{shown} holds elements of type {dtype}, expected numbers (float, integer or boolean up to 64 bits)"))
            .with_hint("convert it with numpy: x.astype(\"float32\")")
    })?;
    let count = shape
        .iter()
        .try_fold(1usize, |n, &d| n.checked_mul(d))
        .ok_or_else(|| bad("its shape is too large"))?;
    let needed = count.checked_mul(size).ok_or_else(|| bad("its shape is too large"))?;
    let data = &bytes[start + length..];
    if data.len() != needed {
        return Err(bad(&format!(
            "shape {} of {dtype} needs {needed} bytes, {} are there",
            shape_text(&shape),
            data.len()
        )));
    }
    let stored: Vec<f32> = data
        .chunks_exact(size.max(1))
        .map(|chunk| {
            let mut word = [0u8; 8];
            word[..size].copy_from_slice(chunk);
            if order == ">" {
                word[..size].reverse();
            }
            read(word)
        })
        .collect();
    let values = if fortran { from_fortran(&stored, &shape) } else { stored };
    Ok(Array { shape, values, dtype })
}

/// The bytes of a `.npy` file of little-endian f32 (format 1.0, header padded to 64 bytes as NumPy does).
pub fn encode_f32(shape: &[usize], values: &[f32]) -> Vec<u8> {
    encode("<f4", shape, values.iter().flat_map(|v| v.to_le_bytes()))
}

/// The bytes of a `.npy` file of little-endian i32.
pub fn encode_i32(shape: &[usize], values: &[i32]) -> Vec<u8> {
    encode("<i4", shape, values.iter().flat_map(|v| v.to_le_bytes()))
}

/// The bytes of a `.npy` file of little-endian i64.
pub fn encode_i64(shape: &[usize], values: &[i64]) -> Vec<u8> {
    encode("<i8", shape, values.iter().flat_map(|v| v.to_le_bytes()))
}

/// The bytes of a `.npy` file of one boolean (shape `()`).
pub fn encode_bool(value: bool) -> Vec<u8> {
    encode("|b1", &[], std::iter::once(u8::from(value)))
}

fn encode(dtype: &str, shape: &[usize], data: impl Iterator<Item = u8>) -> Vec<u8> {
    let shape = match shape {
        [] => "()".to_string(),
        [one] => format!("({one},)"),
        several => format!("({})", several.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")),
    };
    let mut header = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    bytes.extend(data);
    bytes
}

/// How 8 little-endian bytes (the rest zero) of this type become f32.
fn reader(code: &str) -> Option<fn([u8; 8]) -> f32> {
    fn low4(b: [u8; 8]) -> [u8; 4] {
        [b[0], b[1], b[2], b[3]]
    }
    Some(match code {
        "f4" => |b| f32::from_le_bytes(low4(b)),
        "f8" => |b| f64::from_le_bytes(b) as f32,
        "f2" => |b| half::f16::from_le_bytes([b[0], b[1]]).to_f32(),
        "b1" => |b| f32::from(u8::from(b[0] != 0)),
        "u1" => |b| f32::from(b[0]),
        "i1" => |b| f32::from(b[0] as i8),
        "u2" => |b| f32::from(u16::from_le_bytes([b[0], b[1]])),
        "i2" => |b| f32::from(i16::from_le_bytes([b[0], b[1]])),
        "u4" => |b| u32::from_le_bytes(low4(b)) as f32,
        "i4" => |b| i32::from_le_bytes(low4(b)) as f32,
        "u8" => |b| u64::from_le_bytes(b) as f32,
        "i8" => |b| i64::from_le_bytes(b) as f32,
        _ => return None,
    })
}

/// What follows `'key':` in the header, without leading blanks.
fn value_of<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    let place = header.find(&format!("'{key}'")).or_else(|| header.find(&format!("\"{key}\"")))?;
    Some(header[place + key.len() + 2..].trim_start().strip_prefix(':')?.trim_start())
}

fn text_value<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    let rest = value_of(header, key)?;
    let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    rest[1..].split(quote).next()
}

fn shape_value(header: &str) -> Option<Vec<usize>> {
    let inner = value_of(header, "shape")?.strip_prefix('(')?;
    let inner = &inner[..inner.find(')')?];
    inner
        .split(',')
        .map(str::trim)
        .filter(|s| !s.is_empty())
        .map(|s| s.trim_end_matches('L').parse().ok())
        .collect()
}

fn from_fortran(stored: &[f32], shape: &[usize]) -> Vec<f32> {
    let mut values = vec![0.0; stored.len()];
    let mut index = vec![0usize; shape.len()];
    for &value in stored {
        let at = index.iter().zip(shape).fold(0, |at, (i, n)| at * n + i);
        values[at] = value;
        for (i, n) in index.iter_mut().zip(shape) {
            *i += 1;
            if *i < *n {
                break;
            }
            *i = 0;
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> Result<Array> {
        parse(bytes, Path::new("x.npy"))
    }

    #[test]
    fn every_number_type_and_both_orders() {
        let with = |dtype: &str, data: &[u8]| {
            let mut header = format!("{{'descr': '{dtype}', 'fortran_order': True, 'shape': (1, 2), }}\n");
            header.insert_str(header.len() - 1, "   ");
            let mut bytes = b"\x93NUMPY\x02\x00".to_vec();
            bytes.extend((header.len() as u32).to_le_bytes());
            bytes.extend(header.bytes());
            bytes.extend(data);
            bytes
        };
        for (dtype, data) in [
            ("<f4", [1.5f32, -2.0].iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>()),
            (">f8", [1.5f64, -2.0].iter().flat_map(|v| v.to_be_bytes()).collect()),
            ("<f2", vec![0x00, 0x3E, 0x00, 0xC0]),
        ] {
            assert_eq!(read(&with(dtype, &data)).expect(dtype).values, [1.5, -2.0], "{dtype}");
        }
        for (dtype, data) in [
            ("|u1", vec![3u8, 200]),
            (">i2", vec![0, 3, 0, 200]),
            ("<i4", vec![3, 0, 0, 0, 200, 0, 0, 0]),
            ("<u8", vec![3, 0, 0, 0, 0, 0, 0, 0, 200, 0, 0, 0, 0, 0, 0, 0]),
        ] {
            assert_eq!(read(&with(dtype, &data)).expect(dtype).values, [3.0, 200.0], "{dtype}");
        }
        assert_eq!(read(&with("|i1", &[255, 1])).expect("i1").values, [-1.0, 1.0]);
        assert_eq!(read(&with("|b1", &[1, 0])).expect("b1").values, [1.0, 0.0]);
        assert!(read(&with("<c8", &[0; 16])).expect_err("complex").to_string().contains("<c8"));
        assert!(read(&with("|O", &[])).is_err());
        assert!(
            read(&with("<f4", &[0; 7]))
                .expect_err("short")
                .to_string()
                .contains("needs 8 bytes, 7 are there")
        );
        assert!(
            read(b"hello").is_err()
                && read(b"\x93NUMPY").is_err()
                && read(b"\x93NUMPY\x01\x00\xff\xff").is_err()
        );
        let huge = with("<f4", &[]).iter().map(|b| *b as char).collect::<String>();
        assert!(huge.contains("(1, 2)"));
    }

    #[test]
    fn shapes_that_overflow_are_refused() {
        let mut bytes = encode_f32(&[1], &[0.0]);
        let text = b"(9999999999999, 9999999999999)";
        let place = bytes.windows(4).position(|w| w == b"(1,)").expect("shape");
        bytes.splice(place..place + 30, text.iter().copied());
        assert!(read(&bytes).expect_err("too large").to_string().contains("too large"));
    }

    #[test]
    fn fortran_order_is_turned() {
        assert_eq!(from_fortran(&[1.0, 4.0, 2.0, 5.0, 3.0, 6.0], &[2, 3]), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(shape in proptest::collection::vec(0usize..5, 0..4), seed in any::<u32>()) {
            let count: usize = shape.iter().product();
            let values: Vec<f32> = (0..count).map(|i| f32::from_bits(seed.wrapping_mul(i as u32 + 1)) ).map(|v| if v.is_nan() { 0.0 } else { v }).collect();
            let bytes = encode_f32(&shape, &values);
            prop_assert_eq!((bytes.len() - count * 4) % 64, 0);
            let array = read(&bytes).expect("its own format");
            prop_assert_eq!(array.shape, shape);
            prop_assert_eq!(array.values, values);
        }
    }
}
