//! Bytes packed as a gzip file (RFC 1952): what `.nii.gz` is.
//!
//! In and out: bytes. The deflate stream and its checksum are those that the writer of `.npz` files makes; here is the frame around them. No time is written, so the same bytes give the same file.

use std::io::{Cursor, Read, Write};

use npyz::zip::write::FileOptions;
use npyz::zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::error::{Error, Result};

/// Magic, deflate, no flags, no time, no hint about speed, unknown system.
const HEAD: [u8; 10] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255];

/// Packs them.
///
/// # Errors
/// File: what the packer says.
pub(super) fn pack(bytes: &[u8]) -> Result<Vec<u8>> {
    let refused = |e: &dyn std::fmt::Display| Error::file(format!("the bytes cannot be packed: {e}"));
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = FileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .large_file(bytes.len() > u32::MAX as usize);
    archive.start_file("one", options).map_err(|e| refused(&e))?;
    archive.write_all(bytes).map_err(|e| refused(&e))?;
    let packed = archive.finish().map_err(|e| refused(&e))?;
    let mut archive = ZipArchive::new(packed).map_err(|e| refused(&e))?;
    let mut stream = archive.by_index_raw(0).map_err(|e| refused(&e))?;
    let mut out = HEAD.to_vec();
    stream.read_to_end(&mut out).map_err(|e| refused(&e))?;
    out.extend(stream.crc32().to_le_bytes());
    out.extend((bytes.len() as u32).to_le_bytes());
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_unpacker_gives_the_bytes_back() {
        let bytes: Vec<u8> = (0..100_000u32).map(|i| (i / 700 * 7 % 251) as u8).collect();
        let packed = pack(&bytes).expect("packs");
        assert!(packed.len() < bytes.len() / 10, "{} bytes", packed.len());
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("x.gz");
        std::fs::write(&path, &packed).expect("writes");
        let file = std::io::BufReader::new(std::fs::File::open(&path).expect("opens"));
        let mut back = Vec::new();
        nifti::object::GzDecodedFile::new(file)
            .read_to_end(&mut back)
            .expect("a gzip file with a right checksum");
        assert!(back == bytes);
        assert_eq!(pack(&bytes).expect("packs"), packed);
    }
}
