//! Values as bytes and back: the envelope of a map or a picture that is kept or sent to another process of this crate.
//!
//! In: a value with serde's derives. Out: bytes: 8 of magic, the format's version (u32), a CRC-32 of the payload (u32), the payload's length (u64), all little-endian, then the
//! payload in the postcard format, which keeps every bit of a float. Reading checks all of that, so bytes that were cut off or changed on the way are an error. Whether what was read makes sense
//! (lengths that belong together) is checked by its owner (`map/bytes`, `input/picture`), not here. Other programs read `.npz` or `.json` (`output`).

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

const HEADER: usize = 24;

/// What is kept.
pub(crate) struct Format {
    /// The first bytes.
    pub(crate) magic: &'static [u8; 8],
    /// With its article, for messages: `a map`.
    pub(crate) name: &'static str,
    /// To be raised with every change of a field's type, order or number, in whatever the value holds.
    pub(crate) version: u32,
}

impl Format {
    /// The bytes of a value.
    pub(crate) fn write(&self, value: &impl Serialize) -> Vec<u8> {
        let payload = match postcard::to_stdvec(value) {
            Ok(payload) => payload,
            // The writer fails for types that these formats do not hold (sequences of unknown length) and full buffers only.
            Err(error) => unreachable!("{} cannot be written: {error}", self.name),
        };
        let mut bytes = Vec::with_capacity(HEADER + payload.len());
        bytes.extend_from_slice(self.magic);
        bytes.extend(self.version.to_le_bytes());
        bytes.extend(crc32fast::hash(&payload).to_le_bytes());
        bytes.extend((payload.len() as u64).to_le_bytes());
        bytes.extend(payload);
        bytes
    }

    /// The value of such bytes.
    ///
    /// # Errors
    /// File: other bytes, another version, cut off, changed.
    pub(crate) fn read<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T> {
        if !bytes.starts_with(self.magic) {
            let start = &bytes[..bytes.len().min(self.magic.len())];
            return Err(Error::file(format!(
                "not the bytes of {}: they begin with \"{}\", expected \"{}\"",
                self.name,
                start.escape_ascii(),
                self.magic.escape_ascii()
            ))
            .with_hint(
                "only what this crate wrote as bytes can be read as bytes; files are .npz, .json and so on",
            ));
        }
        let Some((header, payload)) = bytes.split_at_checked(HEADER) else {
            return Err(self.damaged(&format!(
                "its header has {HEADER} bytes, {} are there: it was cut off",
                bytes.len()
            )));
        };
        let half =
            |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let version = half(8);
        if version != self.version {
            return Err(Error::file(format!(
                "the bytes of {} have format version {version}, this version of occlude ({}) reads version {}",
                self.name,
                env!("CARGO_PKG_VERSION"),
                self.version
            ))
            .with_hint("read them with the version of occlude that wrote them, or make it again"));
        }
        let length = u64::from(half(16)) | u64::from(half(20)) << 32;
        if payload.len() as u64 != length {
            return Err(
                self.damaged(&format!("{length} bytes follow its header, {} are there", payload.len()))
            );
        }
        if crc32fast::hash(payload) != half(12) {
            return Err(self.damaged("its checksum (CRC-32) is another one: bytes were changed"));
        }
        match postcard::take_from_bytes(payload) {
            Ok((value, [])) => Ok(value),
            Ok((_, rest)) => Err(self.damaged(&format!("bytes are left behind it ({})", rest.len()))),
            Err(error) => Err(self.damaged(&error.to_string())),
        }
    }

    /// What is said of bytes that do not hold together.
    pub(crate) fn damaged(&self, what: &str) -> Error {
        Error::file(format!("the bytes of {} are damaged: {what}", self.name))
            .with_hint("they are read whole, as they were written; send or store them again")
    }
}

/// serde for what several values share; each brings its own back.
pub(crate) mod shared {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<T: Serialize + ?Sized, S: Serializer>(
        value: &Arc<T>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        value.as_ref().serialize(to)
    }
    pub(crate) fn deserialize<'de, T: ?Sized, D: Deserializer<'de>>(from: D) -> Result<Arc<T>, D::Error>
    where
        Box<T>: Deserialize<'de>,
    {
        Box::<T>::deserialize(from).map(Arc::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMAT: Format = Format { magic: b"OCCLTEST", name: "a test", version: 3 };

    #[test]
    fn the_layout_is_as_written_down() {
        let bytes = FORMAT.write(&(7u8, vec![1.0f32]));
        assert_eq!(bytes[..8], *b"OCCLTEST");
        assert_eq!(bytes[8..12], [3, 0, 0, 0]);
        // 7, the length 1, then 1.0f32; its CRC-32 by Python's zlib.crc32.
        assert_eq!(bytes[24..], [7, 1, 0, 0, 128, 63]);
        assert_eq!(bytes[12..16], 0x1c42_0ddd_u32.to_le_bytes());
        assert_eq!(bytes[16..24], 6u64.to_le_bytes());
        assert_eq!(FORMAT.read::<(u8, Vec<f32>)>(&bytes).expect("whole"), (7, vec![1.0]));
    }

    /// The same payload with the header that belongs to it, to get behind the checksum.
    fn sealed_again(bytes: &[u8]) -> Vec<u8> {
        let payload = &bytes[HEADER..];
        let mut sealed = bytes[..12].to_vec();
        sealed.extend(crc32fast::hash(payload).to_le_bytes());
        sealed.extend((payload.len() as u64).to_le_bytes());
        sealed.extend(payload);
        sealed
    }

    #[test]
    fn what_is_wrong_is_said() {
        let bytes = FORMAT.write(&vec![1u8, 2, 3]);
        let error = |bytes: &[u8]| FORMAT.read::<Vec<u8>>(bytes).expect_err("wrong").to_string();
        for length in 0..bytes.len() {
            let said = error(&bytes[..length]);
            let expected = match length {
                0..8 => "not the bytes of a test",
                8..24 => "its header has 24 bytes",
                _ => "4 bytes follow its header",
            };
            assert!(said.contains(expected), "{length}: {said}");
        }
        let changed = |at: usize, value: u8| {
            let mut bytes = bytes.clone();
            bytes[at] = value;
            bytes
        };
        assert!(error(&changed(8, 4)).contains("format version 4, this version of occlude"));
        assert!(error(&changed(25, 9)).contains("checksum"));
        assert!(error(&sealed_again(&changed(24, 200))).contains("damaged"));
        let longer: Vec<u8> = bytes.iter().copied().chain([0]).collect();
        assert!(error(&longer).contains("4 bytes follow its header, 5 are there"));
        assert!(error(&sealed_again(&longer)).contains("bytes are left behind it (1)"));
    }
}
