//! The inputs of a run as they are given on the command line: the file in its place for the model's first input, `--with NAME=FILE` for others, `--hide` for what windows hide.

use std::path::Path;

use occlude::{Error, Input, Model, Result};

use crate::args::WhatFlags;

/// Reads all inputs of the model; the one that windows are laid in is in front, the others are beside it.
pub(crate) fn read(model: &Model, path: &Path, what: &WhatFlags) -> Result<Input> {
    let first = model.port().name.as_str();
    let mut files: Vec<(&str, &Path)> = vec![(first, path)];
    for given in &what.with {
        let (name, file) = given
            .split_once('=')
            .filter(|(name, file)| !name.is_empty() && !file.is_empty())
            .ok_or_else(|| {
                Error::argument(format!("--with \"{given}\" is not understood"))
                    .with_hint("expected the model's name of the input and a file: --with t2=t2.npy")
            })?;
        if files.iter().any(|(known, _)| *known == name) {
            return Err(Error::argument(format!("the input \"{name}\" is given twice"))
                .with_hint(format!("the file without a name is \"{first}\", the model's first input")));
        }
        files.push((name, Path::new(file)));
    }
    let hidden: Vec<&str> = match &what.hide {
        None => vec![first],
        Some(names) => names.split(',').map(str::trim).collect(),
    };
    if let Some(unknown) = hidden.iter().find(|name| files.iter().all(|(given, _)| given != *name)) {
        let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
        return Err(Error::argument(format!(
            "--hide names \"{unknown}\", which is not among the inputs given"
        ))
        .with_hint(format!("given are {}", names.join(", "))));
    }
    let lead = files.iter().position(|(name, _)| hidden.contains(name)).unwrap_or(0);
    let read = |(name, file): &(&str, &Path)| {
        if *name == first { model.read_input(file) } else { model.read_input_of(name, file) }
    };
    let mut input = read(&files[lead])?;
    for (place, file) in files.iter().enumerate().filter(|(place, _)| *place != lead) {
        input = input.with_beside(read(file)?, hidden.contains(&files[place].0));
    }
    Ok(input)
}
