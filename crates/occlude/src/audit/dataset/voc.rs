//! Pascal VOC annotations: a folder with `Annotations/NAME.xml` and `JPEGImages`.
//!
//! In: the folder. Out: a [`Dataset`], images in the order of the annotations' names. VOC counts pixels from 1 and includes the last one (VOC development kit, section on annotation), so a box becomes `[xmin - 1, ymin - 1, xmax, ymax]`.

use std::path::{Path, PathBuf};

use roxmltree::{Document, Node};

use super::{Annotated, Dataset, DatasetForm, ENDINGS, Item, images_folder};
use crate::error::{Error, Result};

pub(super) fn open(root: &Path, images: Option<&Path>) -> Result<Dataset> {
    let folder = root.join("Annotations");
    let failed = |e: std::io::Error| Error::io("read the folder", &folder, &e);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("xml")) {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(Error::file(format!("{} holds no .xml file", folder.display())));
    }
    let mut items = Vec::with_capacity(files.len());
    for file in &files {
        items.push(item(file)?);
    }
    let tried = [root.join("JPEGImages"), root.join("images"), root.to_path_buf()];
    let folder = match images {
        Some(given) => images_folder(Some(given), &[], "")?,
        // That of the first image that is found.
        None => {
            let found = |folder: &&PathBuf| {
                items.iter().zip(&files).any(|(item, file)| find(folder, item, file).is_some())
            };
            let first = items.first().map_or("", |item| &item.name);
            match tried.iter().find(found) {
                Some(folder) => folder.clone(),
                None => images_folder(None, &tried, first)?,
            }
        }
    };
    for (item, file) in items.iter_mut().zip(&files) {
        if let Some(name) = find(&folder, item, file) {
            item.name = name;
        }
        item.path = folder.join(&item.name);
    }
    Ok(Dataset { form: DatasetForm::Voc, path: root.to_path_buf(), items, notes: Vec::new() })
}

/// The name of an annotation's image in a folder: as it says, or, where it says the name on another machine, as the annotation's file is called.
fn find(folder: &Path, item: &Item, annotation: &Path) -> Option<String> {
    let stem = annotation.file_stem()?.to_string_lossy();
    let called = ENDINGS.iter().map(|ending| format!("{stem}.{ending}"));
    std::iter::once(item.name.clone()).chain(called).find(|name| folder.join(name).is_file())
}

/// An image by its annotation; one that cannot be understood is an image that cannot be judged.
fn item(file: &Path) -> Result<Item> {
    let bytes = std::fs::read(file).map_err(|e| Error::io("read", file, &e))?;
    // What is not UTF-8 is Latin-1, whose bytes are the first 256 characters.
    let text = String::from_utf8(bytes)
        .unwrap_or_else(|latin| latin.into_bytes().into_iter().map(char::from).collect());
    let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut item = Item { name: format!("{stem}.jpg"), ..Item::default() };
    let shown = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match Document::parse(&text) {
        Err(error) => item.broken = Some(format!("{shown} is no annotation: {error}")),
        Ok(document) => {
            if let Err(why) = read(document.root_element(), &mut item) {
                item.broken = Some(format!("{shown}: {why}"));
            }
        }
    }
    Ok(item)
}

fn read(annotation: Node<'_, '_>, item: &mut Item) -> Result<(), String> {
    let text = |node: Node<'_, '_>, name: &str| {
        node.children()
            .find(|child| child.has_tag_name(name))
            .and_then(|child| child.text())
            .map(|text| text.trim().to_string())
    };
    if let Some(name) = text(annotation, "filename").filter(|name| !name.is_empty()) {
        item.name = name;
    }
    for object in annotation.children().filter(|child| child.has_tag_name("object")) {
        let class = text(object, "name");
        if let Some(class) = &class
            && !item.classes.contains(class)
        {
            item.classes.push(class.clone());
        }
        let Some(bounds) = object.children().find(|child| child.has_tag_name("bndbox")) else { continue };
        let number = |name: &str| {
            let found = text(bounds, name).unwrap_or_default();
            found.parse::<f64>().map_err(|_| format!("{name} of a box is \"{found}\", expected a number"))
        };
        let bounds = [number("xmin")? - 1.0, number("ymin")? - 1.0, number("xmax")?, number("ymax")?];
        item.objects.push(Annotated { class, bounds: Some(bounds), mask: None });
    }
    Ok(())
}
