//! The data set of an audit: its images in a fixed order, what class each shows and where its objects are.
//!
//! In: a folder, a folder of one folder per class, a CSV file, COCO annotations, a Pascal VOC folder. Out: a [`Dataset`]. Annotations are read whole; images are not opened here. One file per form; which form it is, the path says
//! ([`Dataset::open`]).

mod coco;
mod folder;
mod masks;
mod table;
mod voc;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// In which form a data set came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DatasetForm {
    /// A folder of images.
    Folder,
    /// A folder with one folder per class.
    ClassFolders,
    /// A table: a row per image, or per object.
    Csv,
    /// COCO's `instances_*.json`.
    Coco,
    /// Pascal VOC's `Annotations/*.xml` beside `JPEGImages`.
    Voc,
}

impl fmt::Display for DatasetForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DatasetForm::Folder => "a folder of images",
            DatasetForm::ClassFolders => "a folder per class",
            DatasetForm::Csv => "a table",
            DatasetForm::Coco => "COCO annotations",
            DatasetForm::Voc => "Pascal VOC annotations",
        })
    }
}

/// An object in an image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Annotated {
    /// Its class, as the data set calls it.
    pub class: Option<String>,
    /// Its box, `[x0, y0, x1, y1]` in pixels of the upright image, ends excluded.
    pub bounds: Option<[f64; 4]>,
    /// A file with its mask, as large as the image or the model's input; other than 0 is the object. Beside it the box is not used.
    pub mask: Option<PathBuf>,
}

/// An image of a data set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Item {
    /// Its name in the data set: the path below the root, with `/` between parts.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// The classes that it shows, as the data set calls them.
    pub classes: Vec<String>,
    /// Its objects; none where the data set does not say where they are.
    pub objects: Vec<Annotated>,
    /// Why it cannot be judged, where its annotation is broken.
    pub broken: Option<String>,
}

/// A data set: what there is to audit.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// In which form it came.
    pub form: DatasetForm,
    /// As it was given.
    pub path: PathBuf,
    /// Its images, in the order of their names (of annotations: of the file).
    pub items: Vec<Item>,
    /// Silent choices, in words.
    pub notes: Vec<String>,
}

/// Where the parts of a data set are that its path does not say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DatasetOptions {
    /// The folder that names of images in annotations are relative to.
    pub images: Option<PathBuf>,
    /// A folder of masks: for `a/b.jpg` the file `a/b.png` or `a/b.npy` in it.
    pub masks: Option<PathBuf>,
    /// The object of every image that has none of its own: `[x0, y0, x1, y1]` as shares of the image's width and height, 0 to 1.
    pub everywhere: Option<[f64; 4]>,
}

impl Dataset {
    /// Opens a data set. A `.json` file is COCO, a `.csv` file a table (columns `path`, and of `class`, `x0`, `y0`, `x1`, `y1`, `mask` what is known), a folder with `Annotations` in it Pascal VOC, one with images a folder of images, one with folders
    /// of images a folder per class.
    ///
    /// # Errors
    /// File: nothing there, no image in it, annotations that are damaged or lack what they must have. Argument: options that do not fit the form.
    pub fn open(path: impl AsRef<Path>, options: &DatasetOptions) -> Result<Dataset> {
        let path = path.as_ref();
        let meta = std::fs::metadata(path).map_err(|e| Error::io("open the data set", path, &e))?;
        let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        let images = options.images.as_deref();
        let mut dataset = match ending.as_deref() {
            _ if meta.is_dir() && path.join("Annotations").is_dir() => voc::open(path, images)?,
            _ if meta.is_dir() => folder::open(path)?,
            Some("csv" | "tsv") => table::open(path, images)?,
            Some("json") => coco::open(path, images)?,
            _ => {
                return Err(Error::argument(format!("{} is no data set", path.display())).with_hint(
                    "a data set is a folder of images, a folder per class, a .csv file, COCO's .json or Pascal VOC's folder with Annotations in it",
                ));
            }
        };
        if meta.is_dir() && !path.join("Annotations").is_dir() && images.is_some() {
            return Err(Error::argument("--images is given beside a folder, which is its images' own")
                .with_hint("--images says where the images of a .csv or .json file are"));
        }
        join_equal_names(&mut dataset);
        if let Some(masks) = &options.masks {
            masks::attach(&mut dataset, masks)?;
        }
        if let Some(shares) = options.everywhere {
            check_shares(shares)?;
        }
        if dataset.items.is_empty() {
            return Err(Error::file(format!("{} holds no image", path.display())));
        }
        Ok(dataset)
    }

    /// Whether any image has an object of its own.
    pub fn has_objects(&self) -> bool {
        self.items.iter().any(|item| !item.objects.is_empty())
    }
}

/// A name is what rows are known by: an image that is listed more than once is one image, with the objects of all its entries.
fn join_equal_names(dataset: &mut Dataset) {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut items: Vec<Item> = Vec::with_capacity(dataset.items.len());
    let mut joined = 0;
    for item in std::mem::take(&mut dataset.items) {
        let Some(&place) = places.get(&item.name) else {
            places.insert(item.name.clone(), items.len());
            items.push(item);
            continue;
        };
        joined += 1;
        let one = &mut items[place];
        let classes = item.classes.into_iter().filter(|class| !one.classes.contains(class));
        let classes: Vec<String> = classes.collect();
        one.classes.extend(classes);
        let objects: Vec<Annotated> =
            item.objects.into_iter().filter(|object| !one.objects.contains(object)).collect();
        one.objects.extend(objects);
        one.broken = one.broken.take().or(item.broken);
    }
    if joined > 0 {
        dataset
            .notes
            .push(format!("{joined} entries name an image that was named before: their objects are joined"));
    }
    dataset.items = items;
}

fn check_shares([x0, y0, x1, y1]: [f64; 4]) -> Result<()> {
    let is_range = |start: f64, end: f64| 0.0 <= start && start < end && end <= 1.0;
    if is_range(x0, x1) && is_range(y0, y1) {
        return Ok(());
    }
    Err(Error::argument(format!(
        "the object of every image is {y0}:{y1} of the height and {x0}:{x1} of the width, expected shares from 0 to 1"
    ))
    .with_hint("--object 25%:75%,25%:75%, rows before columns"))
}

/// Endings of images, tensors and volumes that are audited.
const ENDINGS: [&str; 10] = ["png", "jpg", "jpeg", "webp", "tif", "tiff", "bmp", "npy", "jpe", "nii"];
/// The ending of a packed volume.
const PACKED: &str = ".nii.gz";

fn is_image(path: &Path) -> bool {
    let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str())) || is_packed(path)
}

fn is_packed(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().to_lowercase().ends_with(PACKED))
}

/// Whether a file is a volume, which is read from its path.
pub(super) fn is_volume(path: &Path) -> bool {
    is_packed(path) || path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("nii"))
}

/// A path below a root as the data set names it.
fn name_below(path: &Path, root: &Path) -> String {
    let below = path.strip_prefix(root).unwrap_or(path);
    below.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// The folder that annotated images are in: the one given, or the first of these in which the first image lies.
fn images_folder(given: Option<&Path>, tried: &[PathBuf], first: &str) -> Result<PathBuf> {
    if let Some(given) = given {
        if !given.is_dir() {
            return Err(Error::file(format!("--images {} is no folder", given.display())));
        }
        return Ok(given.to_path_buf());
    }
    tried.iter().find(|folder| folder.join(first).exists()).cloned().ok_or_else(|| {
        let shown: Vec<String> = tried.iter().map(|folder| folder.display().to_string()).collect();
        Error::file(format!("the first image, {first}, is in none of {}", shown.join(", ")))
            .with_hint("--images FOLDER says where the images are")
    })
}

#[cfg(test)]
mod tests;
