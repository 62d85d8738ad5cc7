//! A table: a header and a row per image, or per object of an image.
//!
//! In: a CSV file (commas, semicolons or tabs). Out: a [`Dataset`]. Columns are found by name, in any order; rows of the same path are objects of one image.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use csv::StringRecord;

use super::{Annotated, Dataset, DatasetForm, Item, images_folder};
use crate::error::{Error, Result};

/// Names that a column may have; the first is ours.
const PATH: [&str; 6] = ["path", "image", "file", "filename", "file_name", "image_path"];
const CLASS: [&str; 4] = ["class", "label", "category", "class_name"];
const BOX: [[&str; 2]; 4] = [["x0", "xmin"], ["y0", "ymin"], ["x1", "xmax"], ["y1", "ymax"]];
/// Or, where there are no corners: the upper left corner with width and height.
const SIZES: [[&str; 2]; 4] = [["x", "left"], ["y", "top"], ["width", "w"], ["height", "h"]];
const MASK: [&str; 2] = ["mask", "mask_path"];

pub(super) fn open(path: &Path, images: Option<&Path>) -> Result<Dataset> {
    let damaged = |e: csv::Error| Error::file(format!("{} cannot be read as a table: {e}", path.display()));
    let bytes = std::fs::read(path).map_err(|e| Error::io("read", path, &e))?;
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(
            Error::file(format!("{} is empty", path.display())).with_hint("the first line names the columns")
        );
    }
    let delimiter = delimiter(&bytes);
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).trim(csv::Trim::All).from_reader(bytes.as_slice());
    // A byte order mark belongs to nobody's column.
    let header: Vec<String> = reader
        .headers()
        .map_err(damaged)?
        .iter()
        .map(|name| name.trim_start_matches('\u{feff}').to_lowercase())
        .collect();
    let columns = Columns::find(&header, path)?;
    let mut items: Vec<Item> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for record in reader.records() {
        let record = record.map_err(damaged)?;
        let line = record.position().map_or(0, |at| line_of(&bytes, at));
        let Some(name) = columns.text(&record, Some(columns.path)) else {
            return Err(Error::file(format!("line {line} of {} has no path", path.display())));
        };
        // As Windows writes them.
        let name = name.replace('\\', "/");
        let place = *places.entry(name.clone()).or_insert_with(|| {
            items.push(Item { name: name.clone(), path: PathBuf::from(&name), ..Item::default() });
            items.len() - 1
        });
        columns.add(&record, line, &mut items[place]);
    }
    let Some(first) = items.first() else {
        return Err(Error::file(format!("{} has a header and no row", path.display())));
    };
    let beside = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_path_buf();
    let root = if images.is_none() && first.path.is_absolute() {
        beside
    } else {
        images_folder(images, &[beside, PathBuf::from(".")], &first.name)?
    };
    for item in &mut items {
        item.path = root.join(&item.path);
        for object in &mut item.objects {
            if let Some(mask) = &mut object.mask {
                *mask = root.join(&*mask);
            }
        }
    }
    Ok(Dataset { form: DatasetForm::Csv, path: path.to_path_buf(), items, notes: Vec::new() })
}

/// What stands between columns: of comma, semicolon and tab the one that the first line has most of.
fn delimiter(bytes: &[u8]) -> u8 {
    let line = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let count = |delimiter: u8| line.iter().filter(|&&byte| byte == delimiter).count();
    // Of equals the last counts: a comma.
    [b'\t', b';', b','].into_iter().max_by_key(|&delimiter| count(delimiter)).unwrap_or(b',')
}

/// The line of a record, from 1; it begins behind empty lines.
fn line_of(bytes: &[u8], at: &csv::Position) -> u64 {
    let rest = bytes.get(at.byte() as usize..).unwrap_or_default();
    let empty = rest.iter().take_while(|byte| b"\r\n".contains(byte)).filter(|byte| **byte == b'\n').count();
    at.line() + empty as u64
}

struct Columns {
    path: usize,
    class: Option<usize>,
    bounds: Option<[usize; 4]>,
    /// The last two of the box are its width and height.
    has_sizes: bool,
    mask: Option<usize>,
}

impl Columns {
    fn find(header: &[String], path: &Path) -> Result<Columns> {
        let find = |names: &[&str]| header.iter().position(|name| names.contains(&name.as_str()));
        let Some(of_path) = find(&PATH) else {
            return Err(Error::file(format!(
                "{} has the columns {}, none of them a path",
                path.display(),
                header.join(", ")
            ))
            .with_hint(
                "the first line names the columns: path, and of class, x0, y0, x1, y1, mask what is known",
            ));
        };
        let corners = BOX.map(|names| find(&names));
        let sizes = SIZES.map(|names| find(&names));
        let has_sizes = corners == [None; 4] && !sizes.contains(&None);
        let bounds = if has_sizes { sizes } else { corners };
        let bounds = match bounds {
            [Some(x0), Some(y0), Some(x1), Some(y1)] => Some([x0, y0, x1, y1]),
            [None, None, None, None] => None,
            some => {
                let missing: Vec<&str> =
                    BOX.iter().zip(some).filter(|(_, at)| at.is_none()).map(|(names, _)| names[0]).collect();
                return Err(Error::file(format!(
                    "{} has some columns of a box, but not {}",
                    path.display(),
                    missing.join(", ")
                ))
                .with_hint(
                    "a box has the columns x0, y0, x1, y1, in pixels of the upright image, ends excluded",
                ));
            }
        };
        Ok(Columns { path: of_path, class: find(&CLASS), bounds, has_sizes, mask: find(&MASK) })
    }

    /// The text of a column in a row; none where it is empty.
    fn text(&self, record: &StringRecord, column: Option<usize>) -> Option<String> {
        let text = record.get(column?)?.trim();
        (!text.is_empty()).then(|| text.to_string())
    }

    /// Adds what a row says about an image.
    fn add(&self, record: &StringRecord, line: u64, item: &mut Item) {
        let class = self.text(record, self.class);
        if let Some(class) = &class
            && !item.classes.contains(class)
        {
            item.classes.push(class.clone());
        }
        let mask = self.text(record, self.mask).map(|mask| PathBuf::from(mask.replace('\\', "/")));
        let corners = self.bounds.map(|columns| columns.map(|column| self.text(record, Some(column))));
        let bounds = match corners {
            None | Some([None, None, None, None]) => None,
            Some(texts) => {
                let numbers = texts.clone().map(|text| text.and_then(|text| text.parse::<f64>().ok()));
                match numbers {
                    [Some(x), Some(y), Some(width), Some(height)] if self.has_sizes => {
                        Some([x, y, x + width, y + height])
                    }
                    [Some(x0), Some(y0), Some(x1), Some(y1)] => Some([x0, y0, x1, y1]),
                    _ => {
                        let texts = texts.map(Option::unwrap_or_default);
                        item.broken = Some(format!(
                            "line {line}: the box \"{}\" is not four numbers",
                            texts.join(", ")
                        ));
                        return;
                    }
                }
            }
        };
        if mask.is_some() || bounds.is_some() {
            item.objects.push(Annotated { class, bounds, mask });
        }
    }
}
