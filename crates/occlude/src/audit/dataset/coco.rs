//! COCO annotations: `images`, `annotations` with boxes, `categories`.
//!
//! In: `instances_*.json`. Out: a [`Dataset`], images in the file's order. Boxes are COCO's `[x, y, width, height]` (<https://cocodataset.org/#format-data>); groups (`iscrowd`) are no object, since their boxes hold more than they name. Segmentations are not read.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::Deserialize;

use super::{Annotated, Dataset, DatasetForm, Item, images_folder};
use crate::error::{Error, Result};

#[derive(Deserialize)]
struct File {
    images: Vec<Image>,
    #[serde(default)]
    annotations: Vec<Annotation>,
    #[serde(default)]
    categories: Vec<Category>,
}

/// Numbers, or texts where another program wrote them.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(untagged)]
enum Id {
    Number(u64),
    Text(String),
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Id::Number(id) => id.fmt(f),
            Id::Text(id) => id.fmt(f),
        }
    }
}

#[derive(Deserialize)]
struct Image {
    id: Id,
    file_name: String,
}

#[derive(Deserialize)]
struct Annotation {
    image_id: Id,
    category_id: Id,
    #[serde(default)]
    bbox: Vec<f64>,
    #[serde(default)]
    iscrowd: u8,
}

#[derive(Deserialize)]
struct Category {
    id: Id,
    name: String,
}

pub(super) fn open(path: &Path, images: Option<&Path>) -> Result<Dataset> {
    let bytes = std::fs::read(path).map_err(|e| Error::io("read", path, &e))?;
    let file: File = serde_json::from_slice(&bytes).map_err(|e| {
        Error::file(format!("{} is no COCO file: {e}", path.display()))
            .with_hint("expected an object with images (id, file_name), annotations (image_id, category_id, bbox) and categories (id, name)")
    })?;
    drop(bytes);
    let names: BTreeMap<Id, String> = file.categories.into_iter().map(|c| (c.id, c.name)).collect();
    let mut items: Vec<Item> = Vec::with_capacity(file.images.len());
    let mut places = BTreeMap::new();
    for image in file.images {
        places.insert(image.id, items.len());
        items.push(Item { name: image.file_name.replace('\\', "/"), ..Item::default() });
    }
    let (mut crowds, mut strangers, mut boxless) = (0, 0, 0);
    for annotation in file.annotations {
        let Some(item) = places.get(&annotation.image_id).map(|&place| &mut items[place]) else {
            strangers += 1;
            continue;
        };
        let class = names.get(&annotation.category_id).cloned();
        let class = class.unwrap_or_else(|| format!("category {}", annotation.category_id));
        if !item.classes.contains(&class) {
            item.classes.push(class.clone());
        }
        if annotation.iscrowd != 0 {
            crowds += 1;
            continue;
        }
        match annotation.bbox[..] {
            [x, y, width, height] => {
                let bounds = Some([x, y, x + width, y + height]);
                item.objects.push(Annotated { class: Some(class), bounds, mask: None });
            }
            _ => boxless += 1,
        }
    }
    let mut notes = Vec::new();
    if crowds > 0 {
        notes.push(format!("{crowds} annotations are groups (iscrowd) and no objects"));
    }
    if boxless > 0 {
        notes.push(format!("{boxless} annotations have no box of four numbers and are no objects"));
    }
    if strangers > 0 {
        notes.push(format!("{strangers} annotations belong to images that the file does not list"));
    }
    let first = items.first().ok_or_else(|| Error::file(format!("{} lists no image", path.display())))?;
    let root = images_folder(images, &likely(path), &first.name)?;
    for item in &mut items {
        item.path = root.join(&item.name);
    }
    Ok(Dataset { form: DatasetForm::Coco, path: path.to_path_buf(), items, notes })
}

/// Where images of an annotation file are usually: beside it, in `images`, or, for `annotations/instances_val2017.json`, in `val2017` beside `annotations`.
fn likely(path: &Path) -> Vec<std::path::PathBuf> {
    let here = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_path_buf();
    let above = here.join("..");
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let set = stem.rsplit_once('_').map_or(stem.clone(), |(_, set)| set.to_string());
    vec![
        here.clone(),
        here.join("images"),
        here.join(&set),
        above.join(&set),
        above.join("images").join(&set),
        above.join("images"),
    ]
}
