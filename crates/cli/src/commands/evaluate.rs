//! `occlude evaluate`: does the model's answer follow a map?
//!
//! In: a model, an input, maps of it. Out: a table of measures beside those of random maps on standard output, or JSON; curves and numbers to files. An interrupted run tells what it knows.

use occlude::evaluate::{Better, Measured};
use occlude::output::evaluation;
use occlude::{Error, Evaluation, Evidence, Format, Metric, Model, OutputPlan, Result, Watch};

use super::map::talk;
use crate::args::{self, EvaluateArguments};
use crate::printer::{count, seconds};
use crate::progress::{Bar, Wait};
use crate::{Outcome, Printer, inputs, interrupt};

/// Characters of a map's name in the table.
const NAME: usize = 36;

pub(crate) fn run(arguments: &EvaluateArguments, printer: &Printer) -> Result<Outcome> {
    let settings = args::settings(Some(&arguments.what), &arguments.how)?;
    let options = arguments.options()?;
    for output in arguments.output.iter().filter(|output| *output != "-") {
        if !matches!(Format::of(output.as_ref())?, Format::Png | Format::Json) {
            return Err(Error::argument(format!(
                "{output} is no .png or .json file, the kinds that evaluate writes"
            ))
            .with_hint(
                "occlude map writes maps; -o curves.png draws the curves, -o result.json keeps the numbers",
            ));
        }
    }
    let draws = |output: &String| *output != "-" && matches!(Format::of(output.as_ref()), Ok(Format::Png));
    let has_curves = options.metrics.iter().any(|m| matches!(m, Metric::Deletion | Metric::Insertion));
    if let Some(output) = arguments.output.iter().find(|output| draws(output) && !has_curves) {
        return Err(Error::argument(format!("{output} would show curves, and the metrics have none"))
            .with_hint(
                "the figure shows deletion and insertion; without them the numbers are in the .json file",
            ));
    }
    args::check_stdout(arguments.json, &arguments.output)?;
    let outputs = OutputPlan::prepare(&arguments.output, std::slice::from_ref(&arguments.input))?;
    let maps = maps(arguments)?;
    let reading = Wait::new(printer, &format!("reading {}", arguments.model.display()));
    let model = Model::open_with(&arguments.model, &settings)?;
    drop(reading);
    talk::model(&model, printer);
    let input = inputs::read(&model, &arguments.input, &arguments.what)?;
    talk::input(&arguments.input, &input, printer);
    let run = model.occlusion().with(&settings);
    if maps.is_empty() {
        talk::plan(&run.hidden(&input)?, &input, &settings, &args::given_what(&arguments.what), printer);
    }
    let bar = Bar::new(printer);
    let mut show = |progress: &occlude::Progress| bar.show(progress);
    let mut watch = Watch { cancel: Some(interrupt::flag()?), progress: Some(&mut show), ..Watch::default() };
    let result = run.evaluate_watched(&input, &maps, &options, &mut watch);
    drop(bar);
    let Some(found) = result? else {
        printer.warn("interrupted before the map was complete: nothing is evaluated");
        return Ok(Outcome::Interrupted);
    };
    tell(&found, arguments, printer);
    for written in outputs.write_encoded(0, &|format| evaluation::encode(&found, format))? {
        if let Some(data) = &written.stdout {
            printer.data(data);
        }
        talk::written(&written, printer);
    }
    Ok(if found.complete { Outcome::Done } else { Outcome::Interrupted })
}

/// Maps by the names of their files, with folders where two are called the same.
fn maps(arguments: &EvaluateArguments) -> Result<Vec<Evidence>> {
    let target = arguments.map_target.as_deref();
    let mut maps =
        arguments.maps.iter().map(|path| Evidence::read(path, target)).collect::<Result<Vec<_>>>()?;
    if target.is_some() && maps.iter().all(|map| !map.is_map()) {
        return Err(Error::argument("a target is asked for by --map-target, and no MAP knows targets")
            .with_hint(".npy files hold numbers alone; maps are .npz and .json files"));
    }
    let names: Vec<String> = maps.iter().map(|map| map.name.clone()).collect();
    for (map, path) in maps.iter_mut().zip(&arguments.maps) {
        if names.iter().filter(|name| **name == map.name).count() > 1 {
            map.name = path.display().to_string();
        }
    }
    Ok(maps)
}

fn tell(found: &Evaluation, arguments: &EvaluateArguments, printer: &Printer) {
    for note in &found.notes {
        printer.say("note", note);
    }
    if !found.complete {
        printer.warn(&format!(
            "interrupted: {} of {} altered inputs; measures that need the others are left out, others have fewer random maps",
            found.asked, found.of
        ));
    }
    let rate = found.asked as f64 / found.secs.max(1e-9);
    let said =
        format!("{} altered inputs · {} ({rate:.0}/s, {})", found.asked, seconds(found.secs), found.runtime);
    printer.say("asked", &said);
    if let Some(work) = found.work.filter(|work| work.saved() > 0.0) {
        printer.say(
            "work",
            &format!(
                "{} multiply-adds of {} in full: {:.1}% saved",
                count(work.multiply_adds),
                count(work.multiply_adds_in_full),
                100.0 * work.saved()
            ),
        );
    }
    if arguments.json {
        return printer.line(&evaluation::value(found).to_string());
    }
    if arguments.output.iter().any(|output| output == "-") {
        return;
    }
    table(found).iter().for_each(|line| printer.line(line));
}

/// A row per measure, a column per map.
fn table(found: &Evaluation) -> Vec<String> {
    let target = &found.target;
    let mut lines = vec![
        format!("{}: {} {:.4} on the untouched input", target.label, target.unit, target.baseline),
        format!(
            "  places are replaced by {}, brought back into {}",
            found.deletion_fill, found.insertion_fill
        ),
    ];
    let has_random = found.options.random_maps > 0;
    let width = if has_random { NAME } else { 10 };
    let short = |name: &str| name.chars().take(width).collect::<String>();
    let row = |name: &str, cells: Vec<String>| {
        let cells: Vec<String> = cells.iter().map(|cell| format!("{cell:<width$}")).collect();
        format!("  {name:<22}  {}", cells.join("  ")).trim_end().to_string()
    };
    lines.push(String::new());
    lines.push(row("", found.maps.iter().map(|map| short(&map.name)).collect()));
    if has_random {
        let head = format!("{:>8}  {:>17}  {:>7}", "value", "random maps", "beats");
        lines.push(row("", vec![head; found.maps.len()]));
    }
    let Some(first) = found.maps.first() else { return lines };
    for (place, measure) in first.measures.iter().enumerate() {
        let way = if measure.better == Better::Higher { "more" } else { "less" };
        let cells = found.maps.iter().map(|map| cell(&map.measures[place])).collect();
        lines.push(row(&format!("{:<16} {way}", measure.name), cells));
        if measure.name == "sensitivity-n" {
            for (size, at) in first.sensitivity_n.iter().enumerate() {
                let cells = found.maps.iter().map(|map| cell(&map.sensitivity_n[size].correlation)).collect();
                let of: usize = found.cells.iter().product();
                lines.push(row(&format!("  n = {} of {of}", at.n), cells));
            }
        }
    }
    lines.push(String::new());
    if has_random {
        let mut kinds: Vec<&str> = found.maps.iter().map(|map| map.random_maps.as_str()).collect();
        kinds.dedup();
        lines.push(format!(
            "random maps: {} of each, {}; mean ± standard deviation, and how many the map is better than",
            found.options.random_maps,
            kinds.join("; ")
        ));
    }
    lines
}

/// `  0.2134    0.4512 ± 0.0312  19/19`
fn cell(measure: &Measured) -> String {
    let number = |value: f64| format!("{value:.4}");
    let value = measure.value.map_or("-".to_string(), number);
    match &measure.random {
        Some(random) => {
            let spread = format!("{} ± {}", number(random.mean), number(random.deviation));
            let beats = measure
                .value
                .map_or("-".to_string(), |_| format!("{}/{}", random.better_than, random.values.len()));
            format!("{value:>8}  {spread:>17}  {beats:>7}")
        }
        None => format!("{value:>8}"),
    }
}
