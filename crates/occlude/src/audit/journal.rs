//! The journal: rows as they come, in a file that is only appended to. What a kill leaves half-written at its end is cut off when it is opened again.
//!
//! In: the rows of an image, as one entry. Out: the entries that are whole. An entry is its length and CRC-32 (each four bytes, little-endian) and a JSON list of rows. Entries are numbered on from the number in the head of the file, so that
//! it is known which of them a Parquet part already holds.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::row::Row;
use crate::error::{Error, Result};
use crate::output::write_renamed_synced;

const MAGIC: &[u8; 8] = b"OCCLJRN1";
const HEAD: usize = MAGIC.len() + 8;

/// A journal that is open for appending.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    /// Number of the first entry.
    first: u64,
    /// The rows of each entry.
    entries: Vec<Vec<Row>>,
}

impl Journal {
    /// Opens a journal, or begins one at entry `first`. A torn end is cut off.
    ///
    /// # Errors
    /// File: no journal, or what the system says.
    pub(super) fn open(path: &Path, first: u64) -> Result<Journal> {
        if !path.exists() {
            write_renamed_synced(path, &head(first))?;
        }
        let failed = |doing: &'static str| move |e: std::io::Error| Error::io(doing, path, &e);
        let mut file = OpenOptions::new().read(true).write(true).open(path).map_err(failed("open"))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed("read"))?;
        let known = bytes.get(..HEAD).filter(|head| head.starts_with(MAGIC));
        let Some(number) = known.and_then(|head| head[MAGIC.len()..].try_into().ok()) else {
            return Err(Error::file(format!("{} is no journal of an audit", path.display())));
        };
        let first = u64::from_le_bytes(number);
        let (entries, whole) = read_entries(&bytes);
        // What was being written when the program was killed.
        file.set_len(whole as u64).map_err(failed("cut off"))?;
        file.seek(SeekFrom::End(0)).map_err(failed("read"))?;
        Ok(Journal { path: path.to_path_buf(), file, first, entries })
    }

    /// Number of the first entry.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// The rows of each entry.
    pub(super) fn entries(&self) -> &[Vec<Row>] {
        &self.entries
    }

    /// Appends the rows of an image; when this returns they survive the end of the program.
    ///
    /// # Errors
    /// File: what the system says. A full disk may leave a torn end, which is cut off when the journal is opened again.
    pub(super) fn append(&mut self, rows: Vec<Row>) -> Result<()> {
        let json = serde_json::to_vec(&rows)
            .map_err(|e| Error::file(format!("a row cannot be written into {}: {e}", self.path.display())))?;
        let length = u32::try_from(json.len()).map_err(|_| {
            Error::limit(format!("the rows of an image are {} bytes, an entry holds 4 GiB", json.len()))
        })?;
        let mut entry = Vec::with_capacity(json.len() + 8);
        entry.extend(length.to_le_bytes());
        entry.extend(crc32fast::hash(&json).to_le_bytes());
        entry.extend(json);
        self.file.write_all(&entry).map_err(|e| Error::io("write", &self.path, &e))?;
        self.entries.push(rows);
        Ok(())
    }

    /// Begins anew behind all entries, whose rows are kept elsewhere now.
    ///
    /// # Errors
    /// File: what the system says.
    pub(super) fn begin_anew(&mut self) -> Result<()> {
        let next = self.first + self.entries.len() as u64;
        write_renamed_synced(&self.path, &head(next))?;
        *self = Journal::open(&self.path, next)?;
        Ok(())
    }
}

fn head(first: u64) -> Vec<u8> {
    [MAGIC.as_slice(), &first.to_le_bytes()].concat()
}

/// The entries that are whole, and where the last of them ends.
fn read_entries(bytes: &[u8]) -> (Vec<Vec<Row>>, usize) {
    let (mut entries, mut at) = (Vec::new(), HEAD);
    while let Some((rows, end)) = entry(bytes, at) {
        entries.push(rows);
        at = end;
    }
    (entries, at)
}

fn entry(bytes: &[u8], at: usize) -> Option<(Vec<Row>, usize)> {
    let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let (length, sum) = (word(at)? as usize, word(at + 4)?);
    let json = bytes.get(at + 8..(at + 8).checked_add(length)?)?;
    if crc32fast::hash(json) != sum {
        return None;
    }
    Some((serde_json::from_slice(json).ok()?, at + 8 + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(path: &str) -> Row {
        Row { path: path.into(), share: Some(0.1), ..Row::default() }
    }

    #[test]
    fn what_was_appended_is_there_again() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("journal");
        let mut journal = Journal::open(&path, 7).expect("new");
        journal.append(vec![row("a"), row("a")]).expect("written");
        journal.append(vec![row("b")]).expect("written");
        let again = Journal::open(&path, 0).expect("there");
        assert_eq!((again.first(), again.entries()), (7, &[vec![row("a"), row("a")], vec![row("b")]][..]));
        journal.begin_anew().expect("written");
        let again = Journal::open(&path, 0).expect("there");
        assert_eq!((again.first(), again.entries().len()), (9, 0));
    }

    /// Cut at any byte, and with any byte changed, only whole entries before the damage come back, and what is appended next is whole.
    #[test]
    fn a_torn_end_is_cut_off() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("journal");
        let mut journal = Journal::open(&path, 0).expect("new");
        let mut ends = vec![HEAD];
        for name in ["a", "b", "c"] {
            journal.append(vec![row(name)]).expect("written");
            ends.push(std::fs::metadata(&path).expect("there").len() as usize);
        }
        let whole = std::fs::read(&path).expect("there");
        for cut in (HEAD..whole.len()).step_by(7) {
            for changed in [false, true] {
                let mut bytes = whole.clone();
                if changed {
                    bytes[cut] ^= 0x10
                } else {
                    bytes.truncate(cut)
                }
                std::fs::write(&path, &bytes).expect("written");
                let mut torn = Journal::open(&path, 0).expect("opens");
                let before = ends.iter().filter(|end| **end <= cut).count() - 1;
                assert_eq!(torn.entries().len(), before, "cut at {cut}, changed: {changed}");
                torn.append(vec![row("d")]).expect("written");
                let again = Journal::open(&path, 0).expect("opens");
                assert_eq!(again.entries().last(), Some(&vec![row("d")]));
                assert_eq!(again.entries().len(), before + 1);
            }
        }
        std::fs::write(&path, b"something else").expect("written");
        assert!(Journal::open(&path, 0).expect_err("no journal").to_string().contains("is no journal"));
    }
}
