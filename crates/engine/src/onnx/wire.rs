//! The protobuf wire format, as far as ONNX needs it: fields of a message, borrowed from the file's bytes.
//!
//! In: the bytes of a file and a range. Out: field number and payload, one after the other, each checked against the range before
//! anything is allocated. What the fields mean is not known here (see `proto`).

use std::ops::Range;

/// What is wrong with the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum WireError {
    /// The file ends inside this field.
    Truncated {
        /// Where the field's content starts.
        at: usize,
        /// Bytes that it should have.
        needed: u64,
    },
    /// No protobuf message can look like this.
    Invalid {
        /// Byte offset in the file.
        at: usize,
        /// What was found there.
        what: &'static str,
    },
}

pub(super) type WireResult<T> = Result<T, WireError>;

/// The content of one field.
#[derive(Clone, Debug)]
pub(super) enum Payload {
    Varint(u64),
    Fixed32(u32),
    Fixed64(u64),
    /// Place in the file.
    Bytes(Range<usize>),
}

/// Walks the fields of one message.
#[derive(Clone)]
pub(super) struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
    end: usize,
}

impl<'b> Reader<'b> {
    /// A message that lies at `range`, which must be inside `bytes`.
    pub(super) fn new(bytes: &'b [u8], range: Range<usize>) -> Self {
        Reader { bytes, at: range.start, end: range.end.min(bytes.len()) }
    }

    /// The next field, or `None` at the end of the message.
    pub(super) fn field(&mut self) -> WireResult<Option<(u32, Payload)>> {
        if self.at >= self.end {
            return Ok(None);
        }
        let at = self.at;
        let key = self.varint()?;
        let number = u32::try_from(key >> 3).unwrap_or(0);
        if number == 0 || number > 0x1fff_ffff {
            return Err(WireError::Invalid { at, what: "a field number out of range" });
        }
        let payload = match key & 7 {
            0 => Payload::Varint(self.varint()?),
            1 => Payload::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let len = self.varint()?;
                Payload::Bytes(self.take(len)?)
            }
            5 => Payload::Fixed32(u32::from_le_bytes(self.array()?)),
            _ => return Err(WireError::Invalid { at, what: "a field of an unknown kind" }),
        };
        Ok(Some((number, payload)))
    }

    /// One variable-length integer.
    pub(super) fn varint(&mut self) -> WireResult<u64> {
        let start = self.at;
        let mut value = 0u64;
        for shift in (0..70).step_by(7) {
            let Some(&byte) = self.bytes[..self.end].get(self.at) else { return Err(self.short(start, 1)) };
            self.at += 1;
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(WireError::Invalid { at: start, what: "an integer of more than ten bytes" })
    }

    fn array<const N: usize>(&mut self) -> WireResult<[u8; N]> {
        let range = self.take(N as u64)?;
        let mut array = [0; N];
        array.copy_from_slice(&self.bytes[range]);
        Ok(array)
    }

    fn take(&mut self, len: u64) -> WireResult<Range<usize>> {
        let left = (self.end - self.at) as u64;
        if len > left {
            return Err(self.short(self.at, len));
        }
        let range = self.at..self.at + len as usize;
        self.at = range.end;
        Ok(range)
    }

    /// Too few bytes: the file's end at the outermost level, a contradiction inside a message that is complete itself.
    fn short(&self, at: usize, needed: u64) -> WireError {
        if self.end == self.bytes.len() {
            WireError::Truncated { at, needed }
        } else {
            WireError::Invalid { at, what: "a field that is longer than the message around it" }
        }
    }
}

/// Calls `visit` for each element of a packed field of variable-length integers.
pub(super) fn each_varint(bytes: &[u8], range: Range<usize>, mut visit: impl FnMut(u64)) -> WireResult<()> {
    let mut reader = Reader::new(bytes, range);
    while reader.at < reader.end {
        visit(reader.varint()?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> WireResult<Vec<(u32, Payload)>> {
        let mut reader = Reader::new(bytes, 0..bytes.len());
        let mut fields = Vec::new();
        while let Some(field) = reader.field()? {
            fields.push(field);
        }
        Ok(fields)
    }

    #[test]
    fn reads_every_kind_of_field() {
        let bytes =
            [0x08, 0x96, 0x01, 0x12, 2, b'h', b'i', 0x1d, 0, 0, 0x80, 0x3f, 0x21, 1, 0, 0, 0, 0, 0, 0, 0];
        let fields = all(&bytes).unwrap();
        assert!(matches!(fields[0], (1, Payload::Varint(150))));
        assert!(matches!(&fields[1], (2, Payload::Bytes(r)) if bytes[r.clone()] == *b"hi"));
        assert!(matches!(fields[2], (3, Payload::Fixed32(bits)) if f32::from_bits(bits) == 1.0));
        assert!(matches!(fields[3], (4, Payload::Fixed64(1))));
    }

    #[test]
    fn a_negative_integer_has_ten_bytes() {
        let mut bytes = vec![0x08];
        bytes.extend([0xff; 9]);
        bytes.push(1);
        assert!(matches!(all(&bytes).unwrap()[0], (1, Payload::Varint(v)) if v as i64 == -1));
        bytes[10] = 0x81;
        bytes.push(1);
        assert!(matches!(all(&bytes), Err(WireError::Invalid { at: 1, .. })));
    }

    #[test]
    fn an_end_inside_a_field_is_truncated_and_says_how_much_is_missing() {
        assert_eq!(all(&[0x12, 5, b'h']).unwrap_err(), WireError::Truncated { at: 2, needed: 5 });
        assert!(matches!(all(&[0x12, 0xff, 0xff, 0xff, 0xff, 0x0f, 0]), Err(WireError::Truncated { .. })));
        assert!(matches!(all(&[0x08]), Err(WireError::Truncated { .. })));
    }

    #[test]
    fn text_is_invalid() {
        assert!(matches!(all(b"Ceci n'est pas"), Err(WireError::Invalid { .. })));
    }
}
