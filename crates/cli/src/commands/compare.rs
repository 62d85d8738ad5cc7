//! `occlude compare`: how alike two maps are.
//!
//! The result is data and goes to standard output, as lines or as JSON; nothing is run.

use std::path::Path;

use occlude::compare::{Options, compare};
use occlude::output::comparison;
use occlude::{Comparison, Correlation, Error, Evidence, Format, OutputPlan, Result, Side, Written};

use super::map::talk;
use crate::args::CompareArguments;
use crate::{Outcome, Printer};

pub(crate) fn run(arguments: &CompareArguments, printer: &Printer) -> Result<Outcome> {
    let is_json =
        |name: &str| Path::new(name).extension().is_some_and(|end| end.eq_ignore_ascii_case("json"));
    if let Some(output) = arguments.output.as_ref().filter(|name| !is_json(name)) {
        return Err(Error::argument(format!("{output} is no .json file, the only kind that compare writes"))
            .with_hint("-o FILE.json keeps the result; --json prints it"));
    }
    let outputs = OutputPlan::prepare(arguments.output.as_slice(), std::slice::from_ref(&arguments.a))?;
    let target = arguments.target.as_deref();
    let target_b = arguments.target_b.as_deref().or(target);
    let (mut a, mut b) = (Evidence::read(&arguments.a, target)?, Evidence::read(&arguments.b, target_b)?);
    if !a.is_map() && !b.is_map() && target_b.is_some() {
        return Err(Error::argument("a target is asked for, and neither file knows targets")
            .with_hint(".npy files hold numbers alone; --target is for maps (.npz, .json)"));
    }
    if a.name == b.name && arguments.a != arguments.b {
        (a.name, b.name) = (arguments.a.display().to_string(), arguments.b.display().to_string());
    }
    let options = Options { positive: arguments.positive, axes: arguments.axes, seed: arguments.seed };
    let found = compare(&a, &b, &options)?;
    if arguments.json {
        printer.line(&comparison::value(&found).to_string());
    } else {
        lines(&found).iter().for_each(|line| printer.line(line));
    }
    let written: Vec<Written> = outputs.write_encoded(0, &|format| match format {
        Format::Json => Ok(comparison::encode(&found)),
        _ => Err(Error::argument("compare writes .json files only")),
    })?;
    written.iter().for_each(|written| talk::written(written, printer));
    Ok(Outcome::Done)
}

fn lines(found: &Comparison) -> Vec<String> {
    let row = |word: &str, text: String| format!("{word:<10}{text}");
    let side = |side: &Side| {
        let kind = if side.kind == "map" { "occlusion map" } else { "array" };
        let mut said = vec![side.name.clone(), kind.to_string()];
        said.extend(side.target.clone());
        said.extend(side.unit.clone());
        said.join(" · ")
    };
    let what = if found.by_window { "windows" } else { "places" };
    let mut all =
        vec![row("A", side(&found.a)), row("B", side(&found.b)), row("compared", found.compared.clone())];
    let total = found.n + found.left_out;
    let positive = if found.positive { ", numbers below 0 taken as 0" } else { "" };
    all.push(row(what, format!("{} of {total} known to both{positive}", found.n)));
    let none = || "none".to_string();
    all.push(row("spearman", found.spearman.as_ref().map_or_else(none, correlation)));
    all.push(row("pearson", found.pearson.as_ref().map_or_else(none, correlation)));
    let ssim = found.ssim.map_or_else(none, |ssim| {
        let scaled = if ssim.scaled { ", each side divided by its largest magnitude" } else { "" };
        let windows = if ssim.n == 1 { "1 position".to_string() } else { format!("{} positions", ssim.n) };
        format!("{:>7.4}  mean of {windows} of its window{scaled}", ssim.value)
    });
    all.push(row("ssim", ssim));
    for top in &found.top {
        let word = format!("top {:.0} %", top.share * 100.0);
        let (k, n) = (top.k, top.n);
        all.push(row(
            &word,
            format!(
                "{:>7.4}  of {k} {what} in common; chance gives {:.4} ({k} of {n})",
                top.value, top.chance
            ),
        ));
    }
    all.extend(found.notes.iter().map(|note| row("note", note.clone())));
    all
}

/// `+0.6123   p = 0.0004, by 4999 of 50175 shifts`
fn correlation(found: &Correlation) -> String {
    let p = found.p.map_or("no p-value: no shift gives a correlation".to_string(), |p| {
        let shifts = if found.shifts == found.all_shifts {
            format!("all {} shifts", found.shifts)
        } else {
            format!("{} of {} shifts", found.shifts, found.all_shifts)
        };
        format!("p = {p:.4}, by {shifts}")
    });
    format!("{:+.4}  {p}", found.value)
}
