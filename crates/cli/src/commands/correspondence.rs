//! `occlude correspondence`: the paper's correspondence analysis on images with boxes of parts.
//!
//! The result is data and goes to standard output, as a table or as JSON; what is done is talk.

use std::path::Path;

use occlude::output::zeiler::correspondence as as_json;
use occlude::zeiler::{PartsOfImages, elements_of, parse_parts};
use occlude::{Correspondence, Error, Format, Input, Model, OutputPlan, Result};

use super::map::talk;
use crate::args::CorrespondenceArguments;
use crate::progress::Wait;
use crate::{Outcome, Printer};

pub(crate) fn run(arguments: &CorrespondenceArguments, printer: &Printer) -> Result<Outcome> {
    let settings = arguments.settings()?;
    let is_json =
        |name: &str| Path::new(name).extension().is_some_and(|end| end.eq_ignore_ascii_case("json"));
    if let Some(output) = arguments.output.as_ref().filter(|name| !is_json(name)) {
        return Err(Error::argument(format!(
            "{output} is no .json file, the only kind that correspondence writes"
        ))
        .with_hint("-o FILE.json keeps the result; without it a table is printed"));
    }
    let outputs = OutputPlan::prepare(arguments.output.as_slice(), std::slice::from_ref(&arguments.parts))?;
    let table = PartsOfImages::of(parse_parts(&arguments.parts)?)?;
    let reading = Wait::new(printer, &format!("reading {}", arguments.model.display()));
    let model = Model::open_with(&arguments.model, &settings)?;
    drop(reading);
    talk::model(&model, printer);
    let images: Vec<Input> = table
        .images
        .iter()
        .map(|path| {
            let input = model.read_input(path)?;
            talk::input(path, &input, printer);
            Ok(input)
        })
        .collect::<Result<_>>()?;
    let boxes = |parts: &Vec<occlude::Part>| {
        parts.iter().zip(&images).map(|(part, input)| elements_of(part, input)).collect::<Result<Vec<_>>>()
    };
    let parts = table
        .parts
        .iter()
        .map(|(name, parts)| Ok((name.clone(), boxes(parts)?)))
        .collect::<Result<Vec<_>>>()?;
    let mut layers = arguments.layers.clone();
    if layers.is_empty() {
        layers.push(model.top_convolution_layer(&images[0])?);
    }
    let change = if arguments.layers.is_empty() { " (--layer to change)" } else { "" };
    printer.say(
        "plan",
        &format!(
            "{} images · {} · each hidden, and random places of its sizes · {}{change}",
            images.len(),
            counted(parts.len(), "part"),
            layers.join(", ")
        ),
    );
    let waiting = Wait::new(printer, "hiding parts");
    let found = model.correspondence(&images, &parts, &layers, &settings)?;
    drop(waiting);
    if arguments.json {
        printer.line(&as_json(&found).to_string());
    } else {
        lines(&found).iter().for_each(|line| printer.line(line));
    }
    for written in outputs.write_encoded(0, &|format| match format {
        Format::Json => Ok(format!("{}\n", as_json(&found)).into_bytes()),
        _ => Err(Error::argument("correspondence writes .json files only")),
    })? {
        talk::written(&written, printer);
    }
    Ok(Outcome::Done)
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Per layer a table: mean and deviation of the normalised distance, and the paper's sum.
fn lines(found: &Correspondence) -> Vec<String> {
    let pairs = found.images.len() * (found.images.len() - 1);
    let width = found.masks.iter().map(|set| set.name.chars().count()).max().unwrap_or(0).max(12);
    let mut lines = Vec::new();
    for (layer, name) in found.layers.iter().enumerate() {
        let features = found.masks.first().map_or(0, |set| set.layers[layer].features);
        lines.push(format!("{name}: {features} features, {pairs} ordered pairs of images"));
        lines.push(format!("  {:<width$}  mean sign change    sum", "hidden"));
        for set in &found.masks {
            let of = &set.layers[layer];
            lines.push(format!("  {:<width$}  {:.4} ± {:.4}  {:>7}", set.name, of.mean, of.std, of.sum));
        }
    }
    lines.push("lower: the layer changes more alike in all images".to_string());
    lines
}
