//! A folder of masks beside a data set: for `a/b.jpg` the file `a/b.png` or `a/b.npy` in it.
//!
//! In: a [`Dataset`], the folder. Out: the same with the mask as the object of each image that has one.

use std::path::Path;

use super::{Annotated, Dataset};
use crate::error::{Error, Result};

pub(super) fn attach(dataset: &mut Dataset, masks: &Path) -> Result<()> {
    if !masks.is_dir() {
        return Err(Error::file(format!("--object-masks {} is no folder", masks.display())));
    }
    let mut without = 0;
    for item in &mut dataset.items {
        let base = masks.join(&item.name);
        let found =
            ["png", "npy"].map(|ending| base.with_extension(ending)).into_iter().find(|p| p.is_file());
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
            .with_hint(format!(
                "for {first} it would be {}",
                masks.join(first).with_extension("png").display()
            )));
    }
    if without > 0 {
        dataset.notes.push(format!("{without} of {} images have no mask", dataset.items.len()));
    }
    Ok(())
}
