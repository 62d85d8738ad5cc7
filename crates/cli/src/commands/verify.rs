//! `occlude verify`: the incremental run against the full run on every window, as a check that passes or fails.
//!
//! What was found is data and goes to standard output; what is done is talk. 0 inside the bounds, 1 beyond them (also when stopped: a difference stays one), 130
//! stopped before every window was compared.

use std::path::Path;

use occlude::output::verification;
use occlude::{Difference, Error, Format, Input, Map, Model, OutputPlan, Result, Verification, Watch};

use super::map::talk;
use crate::args::{self, VerifyArguments};
use crate::printer::seconds;
use crate::progress::{Bar, Wait};
use crate::{Outcome, Printer, inputs, interrupt};

pub(crate) fn run(arguments: &VerifyArguments, printer: &Printer) -> Result<Outcome> {
    let settings = args::settings(Some(&arguments.what), &arguments.how)?;
    let is_npz = |name: &str| Path::new(name).extension().is_some_and(|end| end.eq_ignore_ascii_case("npz"));
    if let Some(output) = arguments.output.as_ref().filter(|name| !is_npz(name)) {
        return Err(Error::argument(format!("{output} is no .npz file, the only kind that verify writes"))
            .with_hint("-o FILE.npz keeps both maps and their difference; --json prints the result"));
    }
    let outputs = OutputPlan::prepare(arguments.output.as_slice(), std::slice::from_ref(&arguments.input))?;
    let reading = Wait::new(printer, &format!("reading {}", arguments.model.display()));
    let model = Model::open_with(&arguments.model, &settings)?;
    drop(reading);
    talk::model(&model, printer);
    let input = inputs::read(&model, &arguments.input, &arguments.what)?;
    talk::input(&arguments.input, &input, printer);
    let windows = model.occlusion().with(&settings).hidden(&input)?;
    talk::plan(&windows, &input, &settings, &args::given_what(&arguments.what), printer);

    let bar = Bar::new(printer);
    let mut show = |progress: &occlude::Progress| bar.show(progress);
    let mut watch = Watch { cancel: Some(interrupt::flag()?), progress: Some(&mut show), ..Watch::default() };
    let result = model.occlusion().with(&settings).verify(&input, &mut watch);
    drop(bar);
    let found = result?;

    say_notes(&found.full, &input, printer);
    let compared = found.full.computed;
    if !found.is_complete() {
        printer
            .warn(&format!("interrupted: {compared} of {} windows were compared", found.full.windows.len()));
    }
    if arguments.json {
        printer.line(&verification::value(&found).to_string());
    } else {
        lines(&found).iter().for_each(|line| printer.line(line));
    }
    for written in outputs.write_encoded(0, &|format| match format {
        Format::Npz => verification::npz(&found),
        _ => Err(Error::argument("verify writes .npz files only")),
    })? {
        talk::written(&written, printer);
    }
    Ok(outcome(&found))
}

fn outcome(found: &Verification) -> Outcome {
    match (found.is_within(), found.is_complete()) {
        (false, _) => Outcome::CheckFailed,
        (true, true) => Outcome::Done,
        (true, false) => Outcome::Interrupted,
    }
}

fn say_notes(map: &Map, input: &Input, printer: &Printer) {
    for note in map.notes.iter().filter(|note| !input.notes.contains(note)) {
        printer.say("note", note);
    }
}

fn lines(found: &Verification) -> Vec<String> {
    let row = |word: &str, text: String| format!("{word:<12}{text}");
    let full = &found.full;
    let mut lines = vec![
        row(
            "compared",
            format!(
                "{} of {} windows, {} against {}",
                full.computed,
                full.windows.len(),
                found.map.provenance.runtime,
                full.provenance.runtime
            ),
        ),
        row(
            "time",
            format!(
                "{} against {}, both with the untouched input",
                seconds(found.map_secs),
                seconds(found.full_secs)
            ),
        ),
    ];
    let (of_map, of_outputs) = (&found.of_map, &found.of_outputs);
    let unit = full.targets.iter().find(|t| t.label == of_map.of).map_or("", |t| t.unit.as_str());
    lines.push(row("map", largest(of_map, &format!("range of {:.4} {unit}", of_map.scale))));
    lines.extend(place(of_map, full, &format!("sensitivity of {} is", of_map.of)).map(|at| row("  at", at)));
    if of_map.is_within() && of_map.share > of_map.bound {
        lines.push(row(
            "  note",
            "the map is so flat that f32 cannot hold its scores closer: two steps of f32 are allowed"
                .to_string(),
        ));
    }
    let scale = format!("largest |output| of {:.4} in \"{}\"", of_outputs.scale, of_outputs.of);
    lines.push(row("outputs", largest(of_outputs, &scale)));
    let element = of_outputs.element.map_or(String::new(), |at| format!("element {at} is"));
    lines.extend(place(of_outputs, full, &element).map(|at| row("  at", at)));
    let verdict = match (found.is_within(), found.is_complete()) {
        (true, true) => "inside the bounds",
        (true, false) if full.computed == 0 => "none: no window was compared",
        (true, false) => "inside the bounds as far as it was compared",
        (false, _) => {
            "BEYOND THE BOUNDS: the incremental run is not the full run; please report it with the model"
        }
    };
    lines.push(row("verdict", verdict.to_string()));
    lines
}

/// `largest difference 3.1e-7 of the map's range of 0.62 (bound 1e-4)`
fn largest(one: &Difference, of: &str) -> String {
    format!(
        "largest difference {:.1e}, which is {:.1e} of its {of} (bound {:.0e})",
        one.max_abs_diff, one.share, one.bound
    )
}

/// Where the largest difference is; nothing where nothing differs.
fn place(one: &Difference, map: &Map, what: &str) -> Option<String> {
    if one.max_abs_diff == 0.0 {
        return None;
    }
    let at = one.window.map_or("the untouched input".to_string(), |window| {
        let grid = map.windows.describe(window);
        // Where the input is the tensor itself, the grid has said the place.
        if map.geometry.is_identity() { grid } else { format!("{grid} at {}", talk::place(map, window)) }
    });
    Some(format!("{at}: {what} {:.6} against {:.6}", one.value, one.full))
}

#[cfg(test)]
mod tests {
    use super::*;
    use occlude::{BatchScorer, Job, Layout, Meaning, Outputs, Settings, TensorSpec};

    /// A verification of a sum of four elements against one that is off by this much.
    fn found(off: f32, settings: &Settings) -> Verification {
        let spec = TensorSpec::new("x", &[1, 2, 2], Layout::ChannelsFirst);
        let sum = |off: f32| {
            BatchScorer::new(vec![spec.clone()], 8, "sum", move |x: &[&[f32]], count: usize| {
                let x = x[0];
                let sums = x.chunks(x.len() / count).map(|x| x.iter().sum::<f32>() + x[0] * off).collect();
                Ok(Outputs { names: vec!["y".into()], shapes: vec![vec![1, 1]], values: vec![sums] })
            })
        };
        let scorer = sum(off);
        let job = Job {
            scorer: &scorer,
            meaning: Meaning { class_output: Some(0), ..Meaning::default() },
            settings,
            read_image: None,
            model_file: occlude::FileFact::default(),
            load_secs: 0.0,
        };
        let input = Input::from_tensor(spec.clone(), vec![1.0, 2.0, 3.0, 4.0]).unwrap();
        job.verify(&sum(0.0), &input, &mut Watch::default()).unwrap()
    }

    #[test]
    fn a_difference_is_exit_code_1_with_its_place() {
        let settings = Settings { window: Some(vec![vec![1]]), ..Settings::default() };
        let same = found(0.0, &settings);
        assert_eq!(outcome(&same), Outcome::Done);
        assert!(
            lines(&same).iter().any(|line| line == "verdict     inside the bounds"),
            "{:?}",
            lines(&same)
        );
        assert!(!lines(&same).iter().any(|line| line.starts_with("  at")));
        let wrong = found(0.01, &settings);
        assert_eq!(outcome(&wrong), Outcome::CheckFailed);
        let said = lines(&wrong).join("\n");
        assert!(said.contains("BEYOND THE BOUNDS"), "{said}");
        assert!(said.contains("  at        window [0, 0] of the grid (row 0:1, column 0:1"), "{said}");
    }

    #[test]
    fn stopped_it_is_130_unless_a_difference_was_found() {
        let settings = Settings { window: Some(vec![vec![1]]), ..Settings::default() };
        for (off, expected) in [(0.0, Outcome::Interrupted), (0.01, Outcome::CheckFailed)] {
            let mut stopped = found(off, &settings);
            stopped.full.computed = 1;
            assert_eq!(outcome(&stopped), expected);
        }
    }
}
