//! The folder of an audit: what was asked, and every row that is known.
//!
//! In: a folder, what is asked. Out: which images are done, a place for new rows, all rows again. In the folder are `audit.json` (what was asked), `journal` (rows as they come), `rows/*.parquet` (rows that were folded), and later what is made of
//! them. A row is in the journal or in a part, never in both, whenever the program ends: a part is written whole and then renamed, its name says which entries it holds, and entries that a part holds are dropped when the journal is opened.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::journal::Journal;
use super::parts;
use super::row::Row;
use crate::error::{Error, Result};
use crate::output::write_renamed_synced;

/// Entries of the journal that become one part.
const FOLD_AT: usize = 1000;

/// What is known of an image.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Known {
    /// The key of its rows; empty where it could not be read.
    pub(super) key: String,
    /// How many rows came before its own, which follow each other.
    first: u64,
}

/// The folder of an audit, open for one program.
#[derive(Debug)]
pub(super) struct Store {
    folder: PathBuf,
    journal: Journal,
    /// What was known when the store was opened, by the image's name.
    known: Arc<BTreeMap<String, Known>>,
    /// What came since.
    added: BTreeMap<String, Known>,
    /// Rows in all, those of images that have changed since included.
    count: u64,
    /// Whether files hold rows of images that have changed since.
    has_old_rows: bool,
    /// Held while the store is open.
    _lock: File,
}

impl Store {
    /// Opens the folder of an audit, or begins one. `asked` is what the rows hang on; `forget_errors` drops rows with an error, so that their images are tried again.
    ///
    /// # Errors
    /// Argument: the folder belongs to an audit that asked something else (the message says what differs), or holds other things. File: another program is writing there, and what the system says.
    pub(super) fn open(folder: &Path, asked: &Value, forget_errors: bool) -> Result<Store> {
        let manifest = folder.join("audit.json");
        if !manifest.exists() && holds_other_things(folder) {
            return Err(Error::argument(format!("{} is not empty and holds no audit", folder.display()))
                .with_hint("-o names a folder of its own for the audit"));
        }
        std::fs::create_dir_all(folder).map_err(|e| Error::io("make the folder", folder, &e))?;
        let lock_path = folder.join("lock");
        let lock = File::create(&lock_path).map_err(|e| Error::io("write", &lock_path, &e))?;
        if lock.try_lock().is_err() {
            return Err(Error::file(format!("another audit is writing into {}", folder.display()))
                .with_hint("wait for it, or give another folder with -o"));
        }
        if manifest.exists() {
            check_asked(&manifest, asked)?;
        } else {
            write_renamed_synced(&manifest, pretty(asked).as_bytes())?;
        }
        let rows = folder.join("rows");
        std::fs::create_dir_all(&rows).map_err(|e| Error::io("make the folder", &rows, &e))?;
        let folded = part_files(&rows)?.last().map_or(0, |part| part.next);
        let mut journal = Journal::open(&folder.join("journal"), folded)?;
        if journal.first() < folded {
            // Killed between writing a part and beginning the journal anew.
            journal.begin_anew()?;
        }
        let mut store = Store {
            folder: folder.to_path_buf(),
            journal,
            known: Arc::default(),
            added: BTreeMap::new(),
            count: 0,
            has_old_rows: false,
            _lock: lock,
        };
        if forget_errors {
            store.fold()?;
            store.rewrite(&mut |row| row.error.is_none())?;
        }
        store.look()?;
        Ok(store)
    }

    /// Reads what is known of every image.
    fn look(&mut self) -> Result<()> {
        let mut known: BTreeMap<String, Known> = BTreeMap::new();
        let (mut count, mut has_old_rows, mut last) = (0, false, None);
        self.read_all(&mut |row| {
            let this = Some((row.path, row.key));
            if this != last {
                if let Some((path, key)) = this.clone() {
                    has_old_rows |= known.insert(path, Known { key, first: count }).is_some();
                }
                last = this;
            }
            count += 1;
            Ok(())
        })?;
        (self.known, self.added, self.count, self.has_old_rows) =
            (Arc::new(known), BTreeMap::new(), count, has_old_rows);
        Ok(())
    }

    /// The images that were known when the store was opened, by their names.
    pub(super) fn known(&self) -> Arc<BTreeMap<String, Known>> {
        Arc::clone(&self.known)
    }

    fn known_of(&self, name: &str) -> Option<&Known> {
        self.added.get(name).or_else(|| self.known.get(name))
    }

    /// Keeps the rows of an image.
    ///
    /// # Errors
    /// File: what the system says.
    pub(super) fn add(&mut self, rows: Vec<Row>) -> Result<()> {
        let Some((path, key)) = rows.first().map(|row| (row.path.clone(), row.key.clone())) else {
            return Ok(());
        };
        let count = rows.len() as u64;
        self.journal.append(rows)?;
        self.has_old_rows |= self.known_of(&path).is_some();
        self.added.insert(path, Known { key, first: self.count });
        self.count += count;
        if self.journal.entries().len() >= FOLD_AT { self.fold() } else { Ok(()) }
    }

    /// Folds the journal into a part, and drops the rows of images that have changed since.
    ///
    /// # Errors
    /// File: what the system says.
    pub(super) fn finish(&mut self) -> Result<()> {
        self.fold()?;
        if self.has_old_rows {
            let mut place = 0;
            self.rewrite(&mut |row| {
                place += 1;
                self.holds(row, place - 1)
            })?;
            self.look()?;
        }
        Ok(())
    }

    /// Hands over every row that holds, in the order in which they came.
    ///
    /// # Errors
    /// File: what the system says. And what `take` says.
    pub(super) fn rows(&self, take: &mut dyn FnMut(Row) -> Result<()>) -> Result<()> {
        let mut place = 0;
        self.read_all(&mut |row| {
            place += 1;
            if self.holds(&row, place - 1) { take(row) } else { Ok(()) }
        })
    }

    /// Whether the row at this place is one of the last that came of its image.
    fn holds(&self, row: &Row, place: u64) -> bool {
        self.known_of(&row.path).is_some_and(|known| place >= known.first)
    }

    /// The folder of the parts.
    pub(super) fn rows_folder(&self) -> PathBuf {
        self.folder.join("rows")
    }

    fn read_all(&self, take: &mut dyn FnMut(Row) -> Result<()>) -> Result<()> {
        for part in part_files(&self.rows_folder())? {
            parts::read(&part.path, &mut |rows| rows.into_iter().try_for_each(&mut *take))?;
        }
        self.journal.entries().iter().flatten().cloned().try_for_each(take)
    }

    fn fold(&mut self) -> Result<()> {
        let entries = self.journal.entries();
        if entries.is_empty() {
            return Ok(());
        }
        let rows: Vec<Row> = entries.iter().flatten().cloned().collect();
        let (first, next) = (self.journal.first(), self.journal.first() + entries.len() as u64);
        write_renamed_synced(&self.rows_folder().join(part_name(first, next)), &parts::encode(&rows)?)?;
        self.journal.begin_anew()
    }

    /// Writes parts again without the rows that are not to be kept.
    fn rewrite(&self, keep: &mut dyn FnMut(&Row) -> bool) -> Result<()> {
        for part in part_files(&self.rows_folder())? {
            let (mut kept, mut total) = (Vec::new(), 0);
            parts::read(&part.path, &mut |rows| {
                total += rows.len();
                kept.extend(rows.into_iter().filter(|row| keep(row)));
                Ok(())
            })?;
            if total > kept.len() {
                write_renamed_synced(&part.path, &parts::encode(&kept)?)?;
            }
        }
        Ok(())
    }
}

/// Whether a folder has more in it than an audit that was killed at once leaves.
fn holds_other_things(folder: &Path) -> bool {
    let is_other = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.is_ok_and(|entry| {
            let name = entry.file_name();
            name != "lock" && !name.to_string_lossy().starts_with(".audit.json.")
        })
    };
    std::fs::read_dir(folder).is_ok_and(|mut inside| inside.any(is_other))
}

/// A part of the rows: the entries from `first` on, `next` not included.
#[derive(Debug)]
struct Part {
    path: PathBuf,
    first: u64,
    next: u64,
}

fn part_name(first: u64, next: u64) -> String {
    format!("rows-{first:08}-{next:08}.parquet")
}

/// The parts in a folder, in order.
fn part_files(folder: &Path) -> Result<Vec<Part>> {
    let failed = |e: std::io::Error| Error::io("read the folder", folder, &e);
    let mut parts = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let numbers = name.strip_prefix("rows-").and_then(|name| name.strip_suffix(".parquet"));
        let numbers = numbers.and_then(|numbers| numbers.split_once('-'));
        if let Some((first, next)) = numbers
            && let (Ok(first), Ok(next)) = (first.parse(), next.parse())
        {
            parts.push(Part { path, first, next });
        }
    }
    parts.sort_by_key(|part| part.first);
    Ok(parts)
}

/// Hands over the rows of all Parquet files in a folder, whoever wrote them.
///
/// # Errors
/// File: no such file there, and what the system says. And what `take` says.
pub(super) fn read_folder(folder: &Path, take: &mut dyn FnMut(Row) -> Result<()>) -> Result<()> {
    let failed = |e: std::io::Error| Error::io("read the folder", folder, &e);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|ending| ending == "parquet") {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(Error::file(format!("{} holds no .parquet file", folder.display())));
    }
    files.iter().try_for_each(|file| parts::read(file, &mut |rows| rows.into_iter().try_for_each(&mut *take)))
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

/// # Errors
/// Argument: what is asked differs from what the folder was begun with.
fn check_asked(manifest: &Path, asked: &Value) -> Result<()> {
    let text = std::fs::read_to_string(manifest).map_err(|e| Error::io("read", manifest, &e))?;
    let before: Value = serde_json::from_str(&text)
        .map_err(|e| Error::file(format!("{} is damaged: {e}", manifest.display())))?;
    let mut differences = Vec::new();
    differ("", &before, asked, &mut differences);
    if differences.is_empty() {
        return Ok(());
    }
    let folder = manifest.parent().unwrap_or(manifest).display();
    Err(Error::argument(format!(
        "{folder} holds an audit that asked something else: {}",
        differences.join("; ")
    ))
    .with_hint("give the same settings to go on with it, or another folder with -o"))
}

/// Lists what differs between two objects, by name.
fn differ(name: &str, before: &Value, now: &Value, found: &mut Vec<String>) {
    let (Some(a), Some(b)) = (before.as_object(), now.as_object()) else {
        if before != now {
            let said = |value: &Value| match value {
                Value::String(text) => text.clone(),
                Value::Null => "not given".to_string(),
                value => value.to_string(),
            };
            found.push(format!("{name} was {}, now it is {}", said(before), said(now)));
        }
        return;
    };
    let mut names: Vec<&String> = a.keys().chain(b.keys()).collect();
    names.sort();
    names.dedup();
    for inner in names {
        let of = |object: &serde_json::Map<String, Value>| object.get(inner).cloned().unwrap_or(Value::Null);
        let name = if name.is_empty() { inner.clone() } else { format!("{name} {inner}") };
        differ(&name, &of(a), &of(b), found);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(path: &str, key: &str, error: Option<&str>) -> Row {
        Row { path: path.into(), key: key.into(), error: error.map(String::from), ..Row::default() }
    }

    fn all(store: &Store) -> Vec<(String, String)> {
        let mut rows = Vec::new();
        store
            .rows(&mut |row| {
                rows.push((row.path, row.key));
                Ok(())
            })
            .expect("read");
        rows
    }

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect()
    }

    #[test]
    fn rows_are_there_once_whenever_it_ends() {
        let folder = tempfile::tempdir().expect("folder");
        let (path, asked) = (folder.path().join("audit"), json!({"settings": {"window": "8"}}));
        let mut store = Store::open(&path, &asked, false).expect("begun");
        store.add(vec![row("a", "1", None), row("a", "1", None)]).expect("kept");
        store.add(vec![row("b", "1", Some("broken"))]).expect("kept");
        drop(store);
        let mut store = Store::open(&path, &asked, false).expect("goes on");
        let key = |name: &str| store.known_of(name).map(|known| known.key.as_str());
        assert_eq!((key("a"), key("b"), key("c")), (Some("1"), Some("1"), None));
        assert_eq!(all(&store), pairs(&[("a", "1"), ("a", "1"), ("b", "1")]));
        // A part that was written, and a journal that was not begun anew.
        let journal = std::fs::read(path.join("journal")).expect("there");
        store.finish().expect("folded");
        drop(store);
        std::fs::write(path.join("journal"), &journal).expect("written");
        let mut store = Store::open(&path, &asked, false).expect("goes on");
        assert_eq!(all(&store).len(), 3);
        // An image that has changed: only the new rows hold, and only they stay.
        store.add(vec![row("a", "2", None)]).expect("kept");
        assert_eq!(all(&store), pairs(&[("b", "1"), ("a", "2")]));
        store.finish().expect("folded");
        let mut in_files = Vec::new();
        read_folder(&path.join("rows"), &mut |row| {
            in_files.push(row.path);
            Ok(())
        })
        .expect("read");
        assert_eq!(in_files, ["b", "a"]);
        drop(store);
        let store = Store::open(&path, &asked, true).expect("goes on");
        assert_eq!((all(&store), store.known_of("b")), (pairs(&[("a", "2")]), None));
    }

    #[test]
    fn an_image_that_is_changed_back_has_its_last_rows_only() {
        let folder = tempfile::tempdir().expect("folder");
        let mut store = Store::open(folder.path(), &json!({}), false).expect("begun");
        for key in ["1", "2", "1"] {
            store.add(vec![row("a", key, None), row("a", key, None)]).expect("kept");
            store.add(vec![row(&format!("b{key}"), "1", None)]).expect("kept");
        }
        let expected = pairs(&[("b2", "1"), ("a", "1"), ("a", "1"), ("b1", "1")]);
        assert_eq!(all(&store), expected);
        drop(store);
        let mut store = Store::open(folder.path(), &json!({}), false).expect("goes on");
        assert_eq!(all(&store), expected);
        store.finish().expect("folded");
        assert_eq!(all(&store), expected);
        drop(store);
        assert_eq!(all(&Store::open(folder.path(), &json!({}), false).expect("goes on")), expected);
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("audit");
        let store =
            Store::open(&path, &json!({"model": "m", "settings": {"fill": "mean"}}), false).expect("begun");
        let error = Store::open(&path, &json!({"model": "m", "settings": {"fill": "mean"}}), false)
            .expect_err("locked");
        assert!(error.to_string().contains("another audit is writing"), "{error}");
        drop(store);
        let error = Store::open(&path, &json!({"model": "m", "settings": {"fill": "blur"}}), false)
            .expect_err("other");
        assert!(
            error.to_string().ends_with("asked something else: settings fill was mean, now it is blur"),
            "{error}"
        );
        std::fs::write(folder.path().join("x"), b"").expect("written");
        let error = Store::open(folder.path(), &json!({}), false).expect_err("other things");
        assert!(error.to_string().contains("is not empty and holds no audit"), "{error}");
    }

    #[test]
    fn a_long_journal_becomes_parts() {
        let folder = tempfile::tempdir().expect("folder");
        let mut store = Store::open(folder.path(), &json!({}), false).expect("begun");
        for number in 0..FOLD_AT + 3 {
            store.add(vec![row(&number.to_string(), "k", None)]).expect("kept");
        }
        let parts = part_files(&store.rows_folder()).expect("there");
        assert_eq!(
            parts.iter().map(|part| (part.first, part.next)).collect::<Vec<_>>(),
            [(0, FOLD_AT as u64)]
        );
        assert_eq!((store.journal.entries().len(), all(&store).len()), (3, FOLD_AT + 3));
    }
}
