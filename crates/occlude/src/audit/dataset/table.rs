//! A table: a header and a row per image, or per object of an image.
//!
//! In: a CSV file (commas; `.tsv`: tabs). Out: a [`Dataset`]. Columns are found by name, in any order; rows of the same path are objects of one image.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use csv::StringRecord;

use super::{Annotated, Dataset, DatasetForm, Item, images_folder};
use crate::error::{Error, Result};

/// Names that a column may have; the first is ours.
const PATH: [&str; 6] = ["path", "image", "file", "filename", "file_name", "image_path"];
const CLASS: [&str; 4] = ["class", "label", "category", "class_name"];
const BOX: [[&str; 2]; 4] = [["x0", "xmin"], ["y0", "ymin"], ["x1", "xmax"], ["y1", "ymax"]];
const MASK: [&str; 2] = ["mask", "mask_path"];

pub(super) fn open(path: &Path, images: Option<&Path>) -> Result<Dataset> {
    let damaged = |e: csv::Error| Error::file(format!("{} cannot be read as a table: {e}", path.display()));
    let is_tabs = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("tsv"));
    let delimiter = if is_tabs { b'\t' } else { b',' };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .trim(csv::Trim::All)
        .from_path(path)
        .map_err(damaged)?;
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
    for (number, record) in reader.records().enumerate() {
        let record = record.map_err(damaged)?;
        let Some(name) = columns.text(&record, Some(columns.path)) else {
            return Err(Error::file(format!("row {} of {} has no path", number + 2, path.display())));
        };
        let place = *places.entry(name.clone()).or_insert_with(|| {
            items.push(Item { name: name.replace('\\', "/"), path: PathBuf::from(&name), ..Item::default() });
            items.len() - 1
        });
        columns.add(&record, number + 2, &mut items[place]);
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

struct Columns {
    path: usize,
    class: Option<usize>,
    bounds: Option<[usize; 4]>,
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
        let bounds = BOX.map(|names| find(&names));
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
        Ok(Columns { path: of_path, class: find(&CLASS), bounds, mask: find(&MASK) })
    }

    /// The text of a column in a row; none where it is empty.
    fn text(&self, record: &StringRecord, column: Option<usize>) -> Option<String> {
        let text = record.get(column?)?.trim();
        (!text.is_empty()).then(|| text.to_string())
    }

    /// Adds what a row says about an image.
    fn add(&self, record: &StringRecord, line: usize, item: &mut Item) {
        let class = self.text(record, self.class);
        if let Some(class) = &class
            && !item.classes.contains(class)
        {
            item.classes.push(class.clone());
        }
        let mask = self.text(record, self.mask).map(PathBuf::from);
        let corners = self.bounds.map(|columns| columns.map(|column| self.text(record, Some(column))));
        let bounds = match corners {
            None | Some([None, None, None, None]) => None,
            Some(texts) => {
                let numbers = texts.clone().map(|text| text.and_then(|text| text.parse::<f64>().ok()));
                match numbers {
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
