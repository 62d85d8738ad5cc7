//! Tensors in NumPy's `.npy` files (format 1 to 3), read as f32 and written as f32.
//!
//! In: bytes of a file, of any integer, boolean or float type up to 64 bits, either byte order, either memory order. Out: shape and row-major values.
//! The format is read and written by the crate `npyz`; here are the conversion to f32 and errors that say what was found.

use std::path::Path;

use npyz::{NpyFile, NpyHeader, Order, TypeChar, WriterBuilder};

use crate::error::{Error, Result};
use crate::tensor::shape_text;

/// A tensor read from a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Lengths of the axes.
    pub shape: Vec<usize>,
    /// Row-major.
    pub values: Vec<f32>,
    /// NumPy's type code as found, for example `'<f8'`.
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
    let mut data = bytes;
    let header = NpyHeader::from_reader(&mut data).map_err(|e| bad(&e.to_string()))?;
    let dtype = header.dtype().descr();
    let npyz::DType::Plain(plain) = header.dtype() else { return Err(no_number(path, &dtype)) };
    let shape: Vec<usize> =
        header.shape().iter().map(|&n| usize::try_from(n).unwrap_or(usize::MAX)).collect();
    let count = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    let size = plain.num_bytes().unwrap_or(0);
    let needed = count.and_then(|n| n.checked_mul(size)).ok_or_else(|| bad("its shape is too large"))?;
    if data.len() != needed {
        let shape = shape_text(&shape);
        return Err(bad(&format!("shape {shape} of {dtype} needs {needed} bytes, {} are there", data.len())));
    }
    let order = header.order();
    let file = NpyFile::with_header(header, data);
    use TypeChar::{Bool, Float, Int, Uint};
    let stored = match (plain.type_char(), size) {
        (Float, 4) => file.into_vec::<f32>(),
        (Float, 8) => as_f32(file, |v: f64| v as f32),
        (Float, 2) => as_f32(file, half::f16::to_f32),
        (Bool, 1) => as_f32(file, |v: bool| f32::from(u8::from(v))),
        (Uint, 1) => as_f32(file, |v: u8| f32::from(v)),
        (Int, 1) => as_f32(file, |v: i8| f32::from(v)),
        (Uint, 2) => as_f32(file, |v: u16| f32::from(v)),
        (Int, 2) => as_f32(file, |v: i16| f32::from(v)),
        (Uint, 4) => as_f32(file, |v: u32| v as f32),
        (Int, 4) => as_f32(file, |v: i32| v as f32),
        (Uint, 8) => as_f32(file, |v: u64| v as f32),
        (Int, 8) => as_f32(file, |v: i64| v as f32),
        _ => return Err(no_number(path, &dtype)),
    };
    let stored = stored.map_err(|e| bad(&e.to_string()))?;
    let values = if order == Order::Fortran { from_fortran(&stored, &shape) } else { stored };
    Ok(Array { shape, values, dtype })
}

fn no_number(path: &Path, dtype: &str) -> Error {
    Error::file(format!(
        "{} holds elements of type {dtype}, expected numbers (float, integer or boolean up to 64 bits)",
        path.display()
    ))
    .with_hint("convert it with numpy: x.astype(\"float32\")")
}

fn as_f32<T: npyz::Deserialize>(
    file: NpyFile<&[u8]>,
    convert: impl Fn(T) -> f32,
) -> std::io::Result<Vec<f32>> {
    Ok(file.into_vec::<T>()?.into_iter().map(convert).collect())
}

/// The first axis runs fastest in `stored`; in the result the last one does.
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

/// The bytes of a `.npy` file of little-endian elements, row-major.
///
/// # Errors
/// File: what the writer says (a number of values that is not that of the shape).
pub fn encode<T: npyz::AutoSerialize + Copy>(shape: &[usize], values: &[T]) -> Result<Vec<u8>> {
    let shape: Vec<u64> = shape.iter().map(|&n| n as u64).collect();
    let mut bytes = Vec::new();
    let mut write = || -> std::io::Result<()> {
        let mut writer =
            npyz::WriteOptions::new().default_dtype().shape(&shape).writer(&mut bytes).begin_nd()?;
        writer.extend(values.iter().copied())?;
        writer.finish()
    };
    write().map_err(|e| Error::file(format!("cannot write an array: {e}")))?;
    Ok(bytes)
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
    fn fortran_order_is_turned() {
        assert_eq!(from_fortran(&[1.0, 4.0, 2.0, 5.0, 3.0, 6.0], &[2, 3]), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    }

    #[test]
    fn shapes_that_overflow_are_refused() {
        let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999999, 9999999999999), }\n";
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.bytes());
        assert!(read(&bytes).expect_err("too large").to_string().contains("too large"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(shape in proptest::collection::vec(0usize..5, 0..4), seed in any::<u32>()) {
            let count: usize = shape.iter().product();
            let values: Vec<f32> = (0..count).map(|i| f32::from_bits(seed.wrapping_mul(i as u32 + 1)) ).map(|v| if v.is_nan() { 0.0 } else { v }).collect();
            let bytes = encode(&shape, &values).expect("writes");
            prop_assert_eq!((bytes.len() - count * 4) % 64, 0);
            let array = read(&bytes).expect("its own format");
            prop_assert_eq!(array.shape, shape);
            prop_assert_eq!(array.values, values);
        }
    }
}
