//! SHA-256 as hexadecimal text, for provenance.

use std::io::Read;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// 64 lower-case hexadecimal digits.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The same of the parts of a longer text, in order.
pub(crate) fn sha256_hex_of<const N: usize>(parts: impl Iterator<Item = [u8; N]>) -> String {
    let mut hash = Sha256::new();
    let mut chunk = Vec::with_capacity(1 << 16);
    for part in parts {
        chunk.extend(part);
        // The hash is fast on long pieces only.
        if chunk.len() + N > chunk.capacity() {
            hash.update(&chunk);
            chunk.clear();
        }
    }
    hash.update(&chunk);
    hex(&hash.finalize())
}

/// The same of files one after the other, never held whole.
///
/// # Errors
/// File: what the system says.
pub(crate) fn sha256_hex_of_files(files: &[PathBuf]) -> Result<String> {
    let mut hash = Sha256::new();
    let mut chunk = vec![0; 1 << 20];
    for path in files {
        let refused = |e: std::io::Error| Error::io("read", path, &e);
        let mut file = std::fs::File::open(path).map_err(refused)?;
        loop {
            let count = file.read(&mut chunk).map_err(refused)?;
            if count == 0 {
                break;
            }
            hash.update(&chunk[..count]);
        }
    }
    Ok(hex(&hash.finalize()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn parts_are_one_text() {
        let text: Vec<u8> = (0..200_004u32).map(|i| (i * i % 251) as u8).collect();
        let parts = text.chunks_exact(4).map(|part| [part[0], part[1], part[2], part[3]]);
        assert_eq!(super::sha256_hex_of(parts), super::sha256_hex(&text));
    }
    #[test]
    fn the_empty_text() {
        assert_eq!(
            super::sha256_hex(b""),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }
}
