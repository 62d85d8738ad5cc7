//! `occlude zeiler`: the five panels of the paper's occlusion experiment for one input.
//!
//! Where outputs go, and whether the layer has a way back to the input, is checked before any window runs. An interrupted run keeps what it has computed, marked
//! incomplete. Every silent choice is a line, with the flag that changes it.

use occlude::output::zeiler::{check_format, encode};
use occlude::zeiler::{Strongest, default_window};
use occlude::{Error, Format, Job, Map, Model, OutputPlan, Result, Watch, Zeiler, shape_text};
use serde_json::json;

use super::map::{quoted, talk};
use crate::args::ZeilerArguments;
use crate::printer::windows;
use crate::progress::{Bar, Wait};
use crate::{Outcome, Printer, interrupt};

/// Classes of panel (e) that are named.
const CLASSES: usize = 4;

pub(crate) fn run(arguments: &ZeilerArguments, printer: &Printer) -> Result<Outcome> {
    let mut settings = arguments.settings()?;
    let options = arguments.options()?;
    if arguments.json && arguments.output.iter().any(|o| o == "-") {
        return Err(Error::argument("--json and -o - both write to standard output")
            .with_hint("leave one of them out; -o FILE.json writes the panels to a file"));
    }
    let outputs = OutputPlan::prepare(&arguments.output, std::slice::from_ref(&arguments.input))?;
    let reading = Wait::new(printer, &format!("reading {}", arguments.model.display()));
    let model = Model::open_with(&arguments.model, &settings)?;
    drop(reading);
    talk::model(&model, printer);
    let input = model.read_input(&arguments.input)?;
    for file in outputs.files(0) {
        check_format(Format::of(file)?, &input.spec)?;
    }
    talk::input(&arguments.input, &input, printer);
    settings.window.get_or_insert_with(|| vec![vec![default_window(&input.spec)]]);
    let hidden = Job::windows(&settings, &input)?;
    talk::plan(&hidden, &input, &settings, &arguments.given_windows(), printer);
    let bar = Bar::new(printer);
    let mut show = |progress: &occlude::Progress| bar.show(progress);
    let mut watch = Watch { cancel: Some(interrupt::flag()?), progress: Some(&mut show), ..Watch::default() };
    let result = model.zeiler(&input, &settings, &options, &mut watch);
    drop(bar);
    let mut found = result?;
    if found.map.computed == 0 {
        printer.warn("interrupted before the first window: nothing is written");
        return Ok(Outcome::Interrupted);
    }
    found.map.provenance.command = Some(command(arguments));
    for note in found.map.notes.iter().filter(|note| !input.notes.contains(note)) {
        printer.say("note", note);
    }
    say(&found, arguments, printer);
    if arguments.json {
        printer.line(&summary(&found, arguments).to_string());
    }
    for written in outputs.write_encoded(0, &|format| encode(&found, &input, format))? {
        if let Some(data) = &written.stdout {
            printer.data(data);
        }
        talk::written(&written, printer);
    }
    if arguments.output.is_empty() && !arguments.json {
        printer.say(
            "wrote",
            "nothing: -o panels.html writes a page, -o panels.png a figure, -o panels.npz the numbers",
        );
    }
    Ok(if found.map.is_complete() { Outcome::Done } else { Outcome::Interrupted })
}

fn say(found: &Zeiler, arguments: &ZeilerArguments, printer: &Printer) {
    let map = &found.map;
    if !map.is_complete() {
        printer.warn(&format!(
            "interrupted: {} of {}; the panels are marked incomplete",
            map.computed,
            windows(map.windows.len())
        ));
    }
    talk::ran(map, printer);
    let (layer, seed) = (&found.feature_map, &found.projection.seed);
    let silent: Vec<&str> = [("layer", "--layer"), ("strongest", "--strongest")]
        .iter()
        .filter(|(name, _)| !arguments.given().iter().any(|(given, _)| given == name))
        .map(|(_, flag)| *flag)
        .collect();
    let change = if silent.is_empty() { String::new() } else { format!(" ({} to change)", silent.join(" ")) };
    printer.say("layer", &format!("{} {}{change}", layer.layer, shape_text(&layer.shape)));
    let by = if layer.strongest == Strongest::Sum { "sum" } else { "max" };
    printer.say(
        "strongest",
        &format!(
            "feature map {} of {}, by {by} · sum {}, largest activation {}",
            layer.channel,
            layer.channels,
            figure(layer.total),
            figure(layer.greatest)
        ),
    );
    let (activity, class) = (&map.targets[1], found.class());
    let least = |values: &[f32]| {
        let known = (0..values.len()).filter(|&i| !values[i].is_nan());
        known.reduce(|best, i| if values[i] < values[best] { i } else { best })
    };
    let fall = |values: &[f32]| match least(values) {
        Some(at) => format!("least {} with {} hidden", figure(values[at]), talk::place(map, at)),
        None => "not computed".to_string(),
    };
    printer.say("activity", &format!("{} untouched · {}", figure(activity.baseline), fall(found.activity())));
    let extent = found.projection.extent(&map.input).map_or("nothing".to_string(), |extent| {
        let ranges = map.geometry.window_in_source(&extent);
        let range = |r: &std::ops::Range<f64>| format!("{:.0}-{:.0}", r.start, r.end);
        match &ranges[..] {
            [y, x] => format!("x {} y {} {}", range(x), range(y), map.geometry.unit),
            other => other.iter().map(range).collect::<Vec<_>>().join(" "),
        }
    });
    printer.say(
        "projected",
        &format!(
            "activation {} at {} of {} · reaches {extent}",
            figure(seed.value),
            shape_text(&seed.place),
            seed.tensor
        ),
    );
    let given = arguments.given().iter().any(|(name, _)| *name == "class");
    printer.say(
        "class",
        &format!(
            "{} {:.4} untouched · {}{}",
            class.label,
            class.baseline,
            fall(found.probability()),
            if given { "" } else { " (--class to change)" }
        ),
    );
    let classes = found.classes();
    let mut named: Vec<String> = classes
        .iter()
        .take(CLASSES)
        .map(|&(class, count)| format!("{} at {count}", map.labels.short(class)))
        .collect();
    if classes.len() > CLASSES {
        named.push(format!("{} more classes", classes.len() - CLASSES));
    }
    printer.say("says", &format!("{} of {} positions", named.join(", "), map.computed));
    if let Some(check) = &map.check {
        printer.say(
            "check",
            &format!(
                "{} recomputed alone in full · largest difference {:.1e}, allowed {:.1e}",
                windows(check.windows.len()),
                check.max_abs_diff,
                check.tolerance
            ),
        );
    }
}

/// A number of any size: four decimals, fewer where these would be more than f32 holds.
fn figure(value: f32) -> String {
    let decimals = match value.abs() {
        0.0..100.0 => 4,
        100.0..10_000.0 => 2,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

/// The summary for programs.
fn summary(found: &Zeiler, arguments: &ZeilerArguments) -> serde_json::Value {
    let map: &Map = &found.map;
    let classes: Vec<serde_json::Value> = found
        .classes()
        .iter()
        .map(
            |&(class, count)| json!({ "class": class, "label": map.labels.short(class), "positions": count }),
        )
        .collect();
    json!({
        "schema": "occlude.zeiler-summary/1",
        "input": arguments.input.display().to_string(),
        "complete": map.is_complete(),
        "windows": map.windows.len(),
        "computed": map.computed,
        "class": found.class(),
        "feature_map": found.feature_map,
        "seed": found.projection.seed,
        "projection_extent": found.projection.extent(&map.input),
        "most_probable": classes,
        "check": map.check,
        "work": map.work,
        "notes": map.notes,
        "runtime": map.provenance.runtime,
        "timings": map.provenance.timings,
    })
}

/// The command line that makes these panels again.
fn command(arguments: &ZeilerArguments) -> String {
    let mut words = vec!["occlude".to_string(), "zeiler".to_string()];
    words.extend([&arguments.model, &arguments.input].map(|path| quoted(&path.display().to_string())));
    for (name, value) in arguments.given() {
        words.push(format!("--{name}"));
        words.push(quoted(value));
    }
    words.join(" ")
}
