//! The size that the header of a BMP or TIFF file claims, read without its decoder.
//!
//! In: the bytes of a file. Out: width and height, or nothing where the header is no such header. Their decoders refuse sizes beyond what they handle, or that the rest of the
//! file cannot hold, as damage; a user with a picture that is too large must be told so. The other formats' decoders hand out the size first.

/// `[width, height]` in pixels; a BMP that is stored from the top down has a positive height too.
pub(super) fn claimed_size(bytes: &[u8]) -> Option<[u64; 2]> {
    match bytes {
        [b'B', b'M', ..] => bmp(bytes),
        [b'I', b'I', 42, 0, ..] => tiff(bytes, false),
        [b'M', b'M', 0, 42, ..] => tiff(bytes, true),
        _ => None,
    }
}

fn bmp(bytes: &[u8]) -> Option<[u64; 2]> {
    let field = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(i32::from_le_bytes);
    // Headers of 12 bytes (OS/2) have sizes of 16 bits, which are never too large.
    if field(14)? < 16 {
        return None;
    }
    Some([field(18)?, field(22)?].map(|side| u64::from(side.unsigned_abs())))
}

/// ImageWidth (256) and ImageLength (257) of the first directory, SHORT (3) or LONG (4).
fn tiff(bytes: &[u8], is_big_endian: bool) -> Option<[u64; 2]> {
    let short = |at: usize| {
        let two = bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if is_big_endian { u16::from_be_bytes(two) } else { u16::from_le_bytes(two) })
    };
    let long = |at: usize| {
        let four = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if is_big_endian { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) })
    };
    let directory = long(4)? as usize;
    let mut size = [None, None];
    for entry in 0..usize::from(short(directory)?) {
        let at = directory + 2 + 12 * entry;
        let side = match short(at)? {
            256 => 0,
            257 => 1,
            _ => continue,
        };
        size[side] = match short(at + 2)? {
            3 => Some(u64::from(short(at + 8)?)),
            4 => Some(u64::from(long(at + 8)?)),
            _ => None,
        };
    }
    Some([size[0]?, size[1]?])
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{DynamicImage, ImageFormat};

    use super::*;

    #[test]
    fn what_an_encoder_writes_is_read_back() {
        for format in [ImageFormat::Bmp, ImageFormat::Tiff] {
            let mut bytes = Cursor::new(Vec::new());
            DynamicImage::new_rgb8(300, 20).write_to(&mut bytes, format).expect("encodes");
            let bytes = bytes.into_inner();
            assert_eq!(claimed_size(&bytes), Some([300, 20]), "{format:?}");
            for cut in 0..60.min(bytes.len()) {
                let _ = claimed_size(&bytes[..cut]);
            }
        }
        assert_eq!(claimed_size(b"MM\0\x2A\0\0\0\x08\0\x02\x01\x00\0\x03\0\0\0\x01\0\x07\0\0\x01\x01\0\x04\0\0\0\x01\0\x01\0\0"), Some([7, 65536]));
        assert_eq!(claimed_size(b"II\x2A\0\xFF\xFF\xFF\xFF"), None);
        assert_eq!(claimed_size(b"BM"), None);
    }
}
