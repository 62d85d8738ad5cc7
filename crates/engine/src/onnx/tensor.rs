//! Constants of a model: element types, decoding of stored tensors, and the value type that folding works on.
//!
//! In: a tensor message and its little-endian bytes. Out: a [`Constant`] in the model's own axis order, floats of every width as
//! f32, integers and booleans as i64. Lengths are checked against the shape before anything is allocated.

use std::sync::Arc;

use half::{bf16, f16};

use super::proto;
use crate::{Error, Result};

/// Element type of a model's value. All are computed in f32; the type decides rounding and what other operators do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the element types")]
#[non_exhaustive]
pub enum DType {
    F32,
    F16,
    Bf16,
    F64,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    Bool,
}

impl DType {
    pub(super) fn from_code(code: i32) -> Result<Self> {
        Ok(match code {
            1 => DType::F32,
            2 => DType::U8,
            3 => DType::I8,
            4 => DType::U16,
            5 => DType::I16,
            6 => DType::I32,
            7 => DType::I64,
            9 => DType::Bool,
            10 => DType::F16,
            11 => DType::F64,
            12 => DType::U32,
            13 => DType::U64,
            16 => DType::Bf16,
            _ => {
                let name = match code {
                    0 => "undefined",
                    8 => "string",
                    14 | 15 => "complex",
                    17..=20 => "float8",
                    21 | 22 => "4-bit integer",
                    23 => "4-bit float",
                    _ => return Err(Error::model(format!("element type {code} is none that ONNX defines"))),
                };
                return Err(Error::unsupported(format!("element type {name} (ONNX code {code})")));
            }
        })
    }

    pub(super) fn code(self) -> i32 {
        match self {
            DType::F32 => 1,
            DType::U8 => 2,
            DType::I8 => 3,
            DType::U16 => 4,
            DType::I16 => 5,
            DType::I32 => 6,
            DType::I64 => 7,
            DType::Bool => 9,
            DType::F16 => 10,
            DType::F64 => 11,
            DType::U32 => 12,
            DType::U64 => 13,
            DType::Bf16 => 16,
        }
    }

    /// Bytes of one element in a file.
    fn size(self) -> usize {
        match self {
            DType::U8 | DType::I8 | DType::Bool => 1,
            DType::U16 | DType::I16 | DType::F16 | DType::Bf16 => 2,
            DType::F32 | DType::I32 | DType::U32 => 4,
            DType::F64 | DType::I64 | DType::U64 => 8,
        }
    }

    /// Whether it is a floating point type of any width.
    pub fn is_float(self) -> bool {
        matches!(self, DType::F32 | DType::F16 | DType::Bf16 | DType::F64)
    }

    /// The smallest and largest integer of the type; `None` for floats and 64 bits.
    pub(super) fn integer_range(self) -> Option<(i64, i64)> {
        match self {
            DType::I8 => Some((i8::MIN.into(), i8::MAX.into())),
            DType::I16 => Some((i16::MIN.into(), i16::MAX.into())),
            DType::I32 => Some((i32::MIN.into(), i32::MAX.into())),
            DType::U8 => Some((0, u8::MAX.into())),
            DType::U16 => Some((0, u16::MAX.into())),
            DType::U32 => Some((0, u32::MAX.into())),
            DType::Bool => Some((0, 1)),
            _ => None,
        }
    }
}

/// Elements of a constant.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Data {
    Float(Arc<Vec<f32>>),
    Int(Arc<Vec<i64>>),
}

/// A value that does not depend on the input, row-major in the model's axis order.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Constant {
    pub(super) dtype: DType,
    pub(super) shape: Vec<usize>,
    pub(super) data: Data,
}

impl Constant {
    pub(super) fn floats(shape: Vec<usize>, values: Vec<f32>) -> Self {
        Constant { dtype: DType::F32, shape, data: Data::Float(Arc::new(values)) }
    }

    pub(super) fn ints(dtype: DType, shape: Vec<usize>, values: Vec<i64>) -> Self {
        Constant { dtype, shape, data: Data::Int(Arc::new(values)) }
    }

    pub(super) fn vector(values: Vec<i64>) -> Self {
        Self::ints(DType::I64, vec![values.len()], values)
    }

    pub(super) fn len(&self) -> usize {
        match &self.data {
            Data::Float(values) => values.len(),
            Data::Int(values) => values.len(),
        }
    }

    /// All elements as f32; shared where they already are.
    pub(super) fn to_f32(&self) -> Arc<Vec<f32>> {
        match &self.data {
            Data::Float(values) => values.clone(),
            Data::Int(values) => Arc::new(values.iter().map(|&v| v as f32).collect()),
        }
    }

    /// Takes the elements as f32 without a copy where nobody else holds them.
    pub(super) fn into_f32(self) -> Vec<f32> {
        match self.data {
            Data::Float(values) => Arc::try_unwrap(values).unwrap_or_else(|shared| shared.to_vec()),
            Data::Int(values) => values.iter().map(|&v| v as f32).collect(),
        }
    }

    /// All elements as integers.
    ///
    /// # Errors
    /// `Model` if they are floats.
    pub(super) fn to_i64(&self) -> Result<Arc<Vec<i64>>> {
        match &self.data {
            Data::Int(values) => Ok(values.clone()),
            Data::Float(_) => Err(Error::model(format!("expected integers, found {:?}", self.dtype))),
        }
    }

    /// The only element, as f32.
    pub(super) fn scalar(&self) -> Option<f32> {
        match &self.data {
            Data::Float(values) if values.len() == 1 => Some(values[0]),
            Data::Int(values) if values.len() == 1 => Some(values[0] as f32),
            _ => None,
        }
    }
}

/// Number of elements of a shape from a file.
///
/// # Errors
/// `Model` for negative dimensions and for more elements than 2^40.
pub(super) fn checked_len(dims: &[i64]) -> Result<usize> {
    let mut len = 1usize;
    for &dim in dims {
        let dim = usize::try_from(dim)
            .map_err(|_| Error::model(format!("shape {dims:?} has a negative dimension")))?;
        len = len.checked_mul(dim).filter(|&n| n < 1 << 40).ok_or_else(|| {
            Error::model(format!("shape {dims:?} claims more elements than any file holds"))
        })?;
    }
    Ok(len)
}

/// Decodes a tensor message. `bytes` are its raw bytes, from the file or from beside it, if it has any.
pub(super) fn decode(tensor: &proto::Tensor, bytes: Option<&[u8]>) -> Result<Constant> {
    let named = |e: Error| {
        let hint = e.hint().map(str::to_owned);
        let error = Error::new(e.kind(), format!("tensor \"{}\": {e}", tensor.name));
        hint.map_or(error.clone(), |h| error.with_hint(h))
    };
    decode_unnamed(tensor, bytes).map_err(named)
}

/// Bytes that a tensor of this message must have in raw form.
pub(super) fn raw_len(tensor: &proto::Tensor) -> Result<usize> {
    Ok(checked_len(&tensor.dims)? * DType::from_code(tensor.data_type)?.size())
}

fn decode_unnamed(tensor: &proto::Tensor, bytes: Option<&[u8]>) -> Result<Constant> {
    let dtype = DType::from_code(tensor.data_type)?;
    let len = checked_len(&tensor.dims)?;
    let shape: Vec<usize> = tensor.dims.iter().map(|&d| d as usize).collect();
    let expect = |found: usize, unit: &str, expected: usize| {
        if found == expected {
            return Ok(());
        }
        let dims = &tensor.dims;
        Err(Error::model(format!(
            "found {found} {unit}, expected {expected} for {dtype:?} of shape {dims:?}"
        ))
        .with_hint("the file is damaged, or was written by a broken exporter"))
    };
    let data = if let Some(bytes) = bytes {
        expect(bytes.len(), "bytes", len * dtype.size())?;
        from_bytes(dtype, bytes)
    } else if !tensor.floats.is_empty() {
        expect(tensor.floats.len(), "values", len)?;
        Data::Float(Arc::new(tensor.floats.clone()))
    } else if !tensor.doubles.is_empty() {
        expect(tensor.doubles.len(), "values", len)?;
        Data::Float(Arc::new(tensor.doubles.iter().map(|&v| v as f32).collect()))
    } else {
        expect(tensor.ints.len(), "values", len)?;
        from_ints(dtype, &tensor.ints)
    };
    if dtype.is_float() != matches!(data, Data::Float(_)) {
        return Err(Error::model(format!("its values are stored as another type than {dtype:?}")));
    }
    Ok(Constant { dtype, shape, data })
}

/// Integer fields also carry the bits of 16-bit floats.
fn from_ints(dtype: DType, values: &[i64]) -> Data {
    match dtype {
        DType::F16 => float(values.iter().map(|&v| f16::from_bits(v as u16).to_f32())),
        DType::Bf16 => float(values.iter().map(|&v| bf16::from_bits(v as u16).to_f32())),
        DType::F32 | DType::F64 => float(values.iter().map(|&v| v as f32)),
        // 32-bit values may be stored sign-extended or not.
        DType::I32 => int(values.iter().map(|&v| i64::from(v as i32))),
        DType::U32 => int(values.iter().map(|&v| i64::from(v as u32))),
        DType::Bool => int(values.iter().map(|&v| i64::from(v != 0))),
        _ => int(values.iter().copied()),
    }
}

fn float(values: impl Iterator<Item = f32>) -> Data {
    Data::Float(Arc::new(values.collect()))
}

fn int(values: impl Iterator<Item = i64>) -> Data {
    Data::Int(Arc::new(values.collect()))
}

fn from_bytes(dtype: DType, bytes: &[u8]) -> Data {
    fn each<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
        bytes.chunks_exact(N).map(|chunk| {
            let mut array = [0; N];
            array.copy_from_slice(chunk);
            array
        })
    }
    match dtype {
        DType::F32 => float(each(bytes).map(f32::from_le_bytes)),
        DType::F16 => float(each(bytes).map(|b| f16_to_f32(u16::from_le_bytes(b)))),
        DType::Bf16 => float(each(bytes).map(|b| bf16::from_le_bytes(b).to_f32())),
        DType::F64 => float(each(bytes).map(|b| f64::from_le_bytes(b) as f32)),
        DType::I8 => int(each(bytes).map(|b| i8::from_le_bytes(b).into())),
        DType::I16 => int(each(bytes).map(|b| i16::from_le_bytes(b).into())),
        DType::I32 => int(each(bytes).map(|b| i32::from_le_bytes(b).into())),
        DType::I64 => int(each(bytes).map(i64::from_le_bytes)),
        DType::U8 => int(each(bytes).map(|b: [u8; 1]| b[0].into())),
        DType::U16 => int(each(bytes).map(|b| u16::from_le_bytes(b).into())),
        DType::U32 => int(each(bytes).map(|b| u32::from_le_bytes(b).into())),
        DType::U64 => int(each(bytes).map(|b| u64::from_le_bytes(b) as i64)),
        DType::Bool => int(each(bytes).map(|b: [u8; 1]| i64::from(b[0] != 0))),
    }
}

/// Branch-free for normal numbers, so that millions of weights convert at memory speed.
fn f16_to_f32(bits: u16) -> f32 {
    let exponent = bits & 0x7c00;
    if exponent == 0x7c00 || exponent == 0 {
        return f16::from_bits(bits).to_f32();
    }
    let sign = u32::from(bits & 0x8000) << 16;
    f32::from_bits(sign | ((u32::from(bits & 0x7fff) << 13) + (112 << 23)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(data_type: i32, dims: &[i64]) -> proto::Tensor {
        proto::Tensor { name: "w".into(), dims: dims.to_vec(), data_type, ..Default::default() }
    }

    #[test]
    fn every_half_decodes_as_the_half_crate_says() {
        for bits in 0..=u16::MAX {
            let (ours, theirs) = (f16_to_f32(bits), f16::from_bits(bits).to_f32());
            assert!(ours.to_bits() == theirs.to_bits() || (ours.is_nan() && theirs.is_nan()), "{bits:#x}");
        }
    }

    #[test]
    fn raw_bytes_of_each_type() {
        let cases: [(i32, &[u8], Data); 6] = [
            (1, &[0, 0, 0x80, 0x3f], Data::Float(Arc::new(vec![1.0]))),
            (10, &[0, 0xc0], Data::Float(Arc::new(vec![-2.0]))),
            (16, &[0x40, 0x40], Data::Float(Arc::new(vec![3.0]))),
            (7, &[0xff; 8], Data::Int(Arc::new(vec![-1]))),
            (2, &[200], Data::Int(Arc::new(vec![200]))),
            (9, &[7], Data::Int(Arc::new(vec![1]))),
        ];
        for (code, bytes, expected) in cases {
            assert_eq!(decode(&tensor(code, &[1]), Some(bytes)).unwrap().data, expected, "code {code}");
        }
    }

    #[test]
    fn a_wrong_length_says_both_numbers_and_allocates_nothing() {
        let error = decode(&tensor(1, &[1 << 20, 1 << 15]), Some(&[0; 8])).unwrap_err();
        assert!(error.to_string().contains("found 8 bytes, expected 137438953472"), "{error}");
        let error = decode(&tensor(1, &[2, -3]), None).unwrap_err();
        assert!(error.to_string().contains("negative"), "{error}");
        assert!(decode(&tensor(1, &[i64::MAX, i64::MAX]), None).is_err());
        assert!(decode(&tensor(8, &[1]), None).unwrap_err().to_string().contains("string"));
    }

    #[test]
    fn half_floats_in_the_integer_field() {
        let mut t = tensor(10, &[2]);
        t.ints = vec![0x3c00, 0xbc00];
        assert_eq!(decode(&t, None).unwrap().data, Data::Float(Arc::new(vec![1.0, -1.0])));
    }
}
