//! Concrete shapes for a model's inputs.
//!
//! In: the file's dimensions, some of them names or nothing, and what the caller gives. Out: one shape per input with batch 1, or an
//! error that says what must be given.

use super::file::{Dim, ImportOptions, ModelFile, PortInfo};
use super::layout::check_size;
use super::proto::AttributeValue;
use crate::{Error, Result};

/// Shapes in the order of the model's inputs.
pub(super) fn resolve(file: &ModelFile, options: &ImportOptions) -> Result<Vec<Vec<usize>>> {
    let inputs = file.inputs();
    for name in options.input_shapes.keys() {
        let is_only = name.is_empty() && inputs.len() == 1;
        if !is_only && !inputs.iter().any(|i| &i.name == name) {
            let names: Vec<&str> = inputs.iter().map(|i| i.name.as_str()).collect();
            return Err(Error::argument(format!("the model has no input \"{name}\"; it has {names:?}")));
        }
    }
    let given = |name: &str| {
        let only = if inputs.len() == 1 { options.input_shapes.get("") } else { None };
        options.input_shapes.get(name).or(only)
    };
    inputs
        .iter()
        .map(|info| {
            let shape = match given(&info.name) {
                Some(shape) => check(info, shape)?,
                None => guess(file, info, options)?,
            };
            check_size(&shape).map_err(|e| Error::new(e.kind(), format!("input \"{}\": {e}", info.name)))?;
            Ok(shape)
        })
        .collect()
}

fn check(info: &PortInfo, shape: &[usize]) -> Result<Vec<usize>> {
    let name = &info.name;
    if shape.contains(&0) {
        return Err(Error::argument(format!("input \"{name}\": shape {shape:?} has a zero")));
    }
    let Some(dims) = &info.dims else { return Ok(shape.to_vec()) };
    let fits = dims.len() == shape.len()
        && dims.iter().zip(shape).all(|(dim, &given)| !matches!(dim, Dim::Fixed(n) if *n != given));
    if !fits {
        let text = text(dims);
        if let Some(Dim::Fixed(n)) = dims.first()
            && dims.len() == shape.len()
            && *n > 1
            && shape[0] == 1
        {
            return Err(baked_in(info, *n));
        }
        return Err(Error::argument(format!("input \"{name}\": found shape {shape:?}, expected {text}")));
    }
    if shape.len() > 1 && shape[0] != 1 {
        return Err(Error::argument(format!(
            "input \"{name}\": shape {shape:?} has a batch of {}, expected 1",
            shape[0]
        )));
    }
    Ok(shape.to_vec())
}

fn guess(file: &ModelFile, info: &PortInfo, options: &ImportOptions) -> Result<Vec<usize>> {
    let name = &info.name;
    let Some(dims) = &info.dims else {
        return Err(Error::argument(format!("input \"{name}\" has no shape in the file"))
            .with_hint(give(name, "1,3,224,224")));
    };
    let mut shape: Vec<Option<usize>> = dims
        .iter()
        .map(|dim| match dim {
            Dim::Fixed(n) => Some(*n),
            _ => None,
        })
        .collect();
    if dims.len() > 1 {
        match shape[0] {
            Some(1) => {}
            Some(n) => return Err(baked_in(info, n)),
            None => shape[0] = Some(1),
        }
    }
    let open = |shape: &[Option<usize>]| (0..shape.len()).filter(|&i| shape[i].is_none()).collect::<Vec<_>>();
    if let Some(spatial) = &options.default_spatial {
        if dims.len() == spatial.len() + 2 && shape[1].is_none() && shape[dims.len() - 1].is_none() {
            shape[1] = first_channels(file, name);
        }
        let axes = open(&shape);
        if axes.len() == spatial.len() {
            for (&axis, &size) in axes.iter().zip(spatial) {
                shape[axis] = Some(size);
            }
        }
    }
    let closed: Option<Vec<usize>> = shape.iter().copied().collect();
    closed.ok_or_else(|| {
        let example: Vec<String> = shape.iter().map(|d| d.map_or("N".into(), |n| n.to_string())).collect();
        Error::argument(format!("input \"{name}\" has the open shape {}", text(dims)))
            .with_hint(give(name, &example.join(",")))
    })
}

fn give(name: &str, example: &str) -> String {
    format!("give the shape of \"{name}\", for example {example}")
}

fn baked_in(info: &PortInfo, batch: usize) -> Error {
    let dims = info.dims.as_deref().map_or(String::new(), text);
    Error::unsupported(format!(
        "input \"{}\" has the shape {dims}: a batch of {batch} is baked in",
        info.name
    ))
    .with_hint("export the model with batch 1 or a dynamic batch, or use --runtime ort")
}

/// `[batch, 3, ?, 224]`.
fn text(dims: &[Dim]) -> String {
    let parts: Vec<String> = dims
        .iter()
        .map(|dim| match dim {
            Dim::Fixed(n) => n.to_string(),
            Dim::Symbolic(name) => name.clone(),
            Dim::Unknown => "?".to_string(),
        })
        .collect();
    format!("[{}]", parts.join(", "))
}

/// Channels that a convolution directly behind the input wants.
fn first_channels(file: &ModelFile, input: &str) -> Option<usize> {
    let conv = file
        .graph
        .nodes
        .iter()
        .find(|n| n.op_type == "Conv" && n.inputs.first().is_some_and(|i| i == input))?;
    let weight = file.graph.initializers.iter().find(|t| Some(&t.name) == conv.inputs.get(1))?;
    let groups = conv.attributes.iter().find(|a| a.name == "group").map_or(1, |a| match a.value {
        AttributeValue::Int(n) => n,
        _ => 1,
    });
    usize::try_from(weight.dims.get(1)? * groups).ok()
}
