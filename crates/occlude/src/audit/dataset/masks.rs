//! A folder of masks beside a data set: for `a/b.jpg` the file `a/b.png` or `a/b.npy` in it, for volumes also `a/b.nii.gz`.
//!
//! In: a [`Dataset`], the folder. Out: the same with the mask as the object of each image that has one.

use std::path::{Component, Path, PathBuf};

use super::{Annotated, Dataset, PACKED};
use crate::error::{Error, Result};

const ENDINGS_OF_MASKS: [&str; 4] = ["png", "npy", "nii.gz", "nii"];

pub(super) fn attach(dataset: &mut Dataset, masks: &Path) -> Result<()> {
    if !masks.is_dir() {
        return Err(Error::file(format!("--object-masks {} is no folder", masks.display())));
    }
    let mut without = 0;
    for item in &mut dataset.items {
        let found = ENDINGS_OF_MASKS
            .iter()
            .map(|ending| place(masks, &item.name, ending))
            .find(|path| path.is_file() && *path != item.path);
        match found {
            Some(mask) => {
                let class = if let [class] = &item.classes[..] { Some(class.clone()) } else { None };
                item.objects = vec![Annotated { class, bounds: None, mask: Some(mask) }];
            }
            None => without += 1,
        }
    }
    if without == dataset.items.len() {
        let first = &dataset.items[0].name;
        return Err(Error::file(format!("--object-masks {} holds a mask for no image", masks.display()))
            .with_hint(format!("for {first} it would be {}", place(masks, first, "png").display())));
    }
    if without > 0 {
        dataset.notes.push(format!("{without} of {} images have no mask", dataset.items.len()));
    }
    Ok(())
}

/// Where the mask of an image would be, with this ending: below the folder, whatever the name of the image is.
fn place(masks: &Path, name: &str, ending: &str) -> PathBuf {
    let below: PathBuf =
        Path::new(name).components().filter(|part| matches!(part, Component::Normal(_))).collect();
    let name = below.to_string_lossy();
    match name.strip_suffix(PACKED) {
        Some(stem) => masks.join(format!("{stem}.{ending}")),
        None => masks.join(&below).with_extension(ending),
    }
}
