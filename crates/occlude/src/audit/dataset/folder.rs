//! Folders: of images, or of one folder of images per class, by the name of the class.
//!
//! In: a folder. Out: a [`Dataset`] without objects. Hidden files and folders are passed over; links to folders are followed once.

use std::path::Path;

use super::{Dataset, DatasetForm, Item, is_image, name_below};
use crate::error::{Error, Result};

pub(super) fn open(root: &Path) -> Result<Dataset> {
    let mut items = Vec::new();
    let mut folders = Vec::new();
    for path in sorted(root)? {
        if path.is_dir() {
            folders.push(path);
        } else if is_image(&path) {
            items.push(item(&path, root, None));
        }
    }
    let form = if items.is_empty() { DatasetForm::ClassFolders } else { DatasetForm::Folder };
    let mut notes = Vec::new();
    if form == DatasetForm::Folder && !folders.is_empty() {
        notes.push(format!("{} folders beside the images are not looked into", folders.len()));
    }
    if form == DatasetForm::ClassFolders {
        for folder in folders {
            let class = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            collect(&folder, root, &class, &mut items)?;
        }
    }
    if items.is_empty() {
        return Err(Error::file(format!("{} holds no image", root.display()))
            .with_hint("images are PNG, JPEG, WebP, TIFF, BMP or .npy files, in the folder itself or in one folder per class"));
    }
    Ok(Dataset { form, path: root.to_path_buf(), items, notes })
}

/// All images below the folder of a class.
fn collect(folder: &Path, root: &Path, class: &str, items: &mut Vec<Item>) -> Result<()> {
    for path in sorted(folder)? {
        if path.is_dir() {
            // A link back up would never end.
            if !path.is_symlink() {
                collect(&path, root, class, items)?;
            }
        } else if is_image(&path) {
            items.push(item(&path, root, Some(class)));
        }
    }
    Ok(())
}

fn item(path: &Path, root: &Path, class: Option<&str>) -> Item {
    Item {
        name: name_below(path, root),
        path: path.to_path_buf(),
        classes: class.map(str::to_string).into_iter().collect(),
        ..Item::default()
    }
}

/// What lies in a folder, by name; hidden files left out.
fn sorted(folder: &Path) -> Result<Vec<std::path::PathBuf>> {
    let failed = |e: std::io::Error| Error::io("read the folder", folder, &e);
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}
