//! `occlude judge`: does the model read the object, or what is around it?
//!
//! In: a model, an input, the object. Out: per target a sentence and a table on standard output, or JSON; the map to files. A verdict is an answer and no failure. An interrupted run keeps what it has
//! computed, marked incomplete.

use occlude::judge::{Judged, Shares, Spread, number, percent};
use occlude::output::judgement::to_json;
use occlude::{
    Direct, Error, Finding, Findings, Input, Model, Object, OutputPlan, Result, Thresholds, Watch,
};

use super::map::{quoted, talk};
use crate::args::{self, JudgeArguments};
use crate::progress::{Bar, Wait};
use crate::{Outcome, Printer, inputs, interrupt};

pub(crate) fn run(arguments: &JudgeArguments, printer: &Printer) -> Result<Outcome> {
    let settings = args::settings(Some(&arguments.what), &arguments.how)?;
    let (options, boxes) = (arguments.options()?, arguments.boxes()?);
    args::check_stdout(arguments.json, &arguments.output)?;
    let outputs = OutputPlan::prepare(&arguments.output, std::slice::from_ref(&arguments.input))?;
    let reading = Wait::new(printer, &format!("reading {}", arguments.model.display()));
    let model = Model::open_with(&arguments.model, &settings)?;
    drop(reading);
    talk::model(&model, printer);
    let input = inputs::read(&model, &arguments.input, &arguments.what)?;
    talk::input(&arguments.input, &input, printer);
    let mask = arguments.mask(&input)?;
    let Some(object) = boxes.or(mask) else {
        return Err(
            Error::argument("no object is given").with_hint("--object y0:y1,x0:x1, or --object-mask FILE")
        );
    };
    let run = model.occlusion().with(&settings);
    let hidden = run.hidden(&input)?;
    outputs.check(0, &input, &hidden)?;
    talk::plan(&hidden, &input, &settings, &args::given_what(&arguments.what), printer);
    let bar = Bar::new(printer);
    let mut show = |progress: &occlude::Progress| bar.show(progress);
    let mut watch = Watch { cancel: Some(interrupt::flag()?), progress: Some(&mut show), ..Watch::default() };
    let result = run.judge_watched(&input, &object, &options, &mut watch);
    drop(bar);
    let Some(mut found) = result? else {
        printer.warn("interrupted before anything was found: nothing is written");
        return Ok(Outcome::Interrupted);
    };
    found.map.provenance.command = Some(command(arguments));
    tell(&found, &input, arguments, printer);
    if found.map.computed > 0 {
        for written in outputs.write(0, &found.map, &input.picture)? {
            if let Some(data) = &written.stdout {
                printer.data(data);
            }
            talk::written(&written, printer);
            let page = written.path.filter(|path| path.extension().is_some_and(|ending| ending == "html"));
            if let (Some(page), Some(place)) = (page, page_box(&object)) {
                printer
                    .say("page", &format!("{}#box={place} shows it with the object in it", page.display()));
            }
        }
    }
    Ok(if found.map.is_complete() { Outcome::Done } else { Outcome::Interrupted })
}

/// The box as the page's address has it; it shows one, in units of the source.
fn page_box(object: &Object) -> Option<String> {
    let Object::SourceBoxes(boxes) = object else { return None };
    let [one] = &boxes[..] else { return None };
    Some(one.iter().map(|range| format!("{},{}", range.start, range.end)).collect::<Vec<_>>().join(","))
}

fn tell(found: &Findings, input: &Input, arguments: &JudgeArguments, printer: &Printer) {
    let map = &found.map;
    for note in map.notes.iter().filter(|note| !input.notes.contains(note)) {
        printer.say("note", note);
    }
    if !map.is_complete() {
        printer.warn(&format!(
            "interrupted: {} of {} windows; the verdict rests on the direct test and that part of the map",
            map.computed,
            map.windows.len()
        ));
    }
    talk::ran(map, printer);
    if arguments.json {
        return printer.line(&to_json(found).to_string());
    }
    if arguments.output.iter().any(|output| output == "-") {
        return;
    }
    for finding in &found.targets {
        for line in lines(finding, found) {
            printer.line(&line);
        }
    }
    printer.line(&thresholds(&found.options.thresholds));
}

/// What was found about one target.
fn lines(finding: &Finding, found: &Findings) -> Vec<String> {
    let map = &found.map;
    let mut lines = vec![format!("{}: {}", finding.verdict.to_string().to_uppercase(), finding.sentence)];
    lines.extend(finding.reasons.iter().map(|reason| format!("  {reason}")));
    let note = |note: &String| format!("  note: {note}");
    lines.extend(finding.evidence.iter().flat_map(|evidence| evidence.notes.iter().map(note)));
    lines.push(String::new());
    lines.push(format!(
        "  {:<24} {:>11} {:>13}   says",
        "the direct test", finding.target.unit, "of untouched"
    ));
    let direct = &finding.direct;
    let examples = [
        ("untouched", Some(&direct.untouched)),
        ("object hidden", Some(&direct.object_hidden)),
        ("everything else hidden", Some(&direct.object_alone)),
        ("everything hidden", direct.all_hidden.as_ref()),
    ];
    for (name, shown) in examples {
        let Some(shown) = shown else { continue };
        let says = shown.most_probable.as_ref().map_or("-".to_string(), |class| {
            format!("{} {:.4}", map.labels.short(class.class), class.probability)
        });
        let part = shown.of_untouched.map_or("-".to_string(), percent);
        lines.push(format!("  {name:<24} {:>11} {part:>13}   {says}", number(shown.score)));
    }
    lines.push(String::new());
    lines.push(format!("  {:<24} {:>11} {:>13}", "", "the object", "elsewhere"));
    lines.extend(shares(direct));
    lines.push(String::new());
    lines.push(format!("  {:<24} {:>11} {:>13}", "the map", "the object", "by chance"));
    if let Some(evidence) = &finding.evidence {
        let pointing = evidence.pointing.as_ref().map(|pointing| pointing.hit);
        type Row = (&'static str, Option<Judged>, fn(f64) -> String);
        let rows: [Row; 4] = [
            ("evidence inside", evidence.share_inside, percent),
            ("pointing game", pointing, percent),
            ("rank accuracy", evidence.rank_accuracy, percent),
            ("density inside / outside", evidence.density_ratio, |ratio| format!("{ratio:.2}")),
        ];
        for (name, judged, text) in rows {
            let text =
                |of: fn(&Judged) -> f64| judged.as_ref().map_or("-".to_string(), |judged| text(of(judged)));
            lines.push(format!("  {name:<24} {:>11} {:>13}", text(|j| j.value), text(|j| j.uniform)));
        }
    }
    lines.push(String::new());
    lines
}

/// How the score is shared, beside what regions of the same form elsewhere have.
fn shares(direct: &Direct) -> Vec<String> {
    let control = direct.control.as_ref();
    type Row = (&'static str, fn(&Shares) -> f64, Option<Spread>);
    let rows: [Row; 3] = [
        ("lost without it", |s| s.lost_without, control.and_then(|c| c.lost_without)),
        ("kept by it alone", |s| s.kept_alone, control.and_then(|c| c.kept_alone)),
        ("its share", |s| s.share, control.and_then(|c| c.share)),
    ];
    let row = |(name, of, elsewhere): (&str, fn(&Shares) -> f64, Option<Spread>)| {
        let own = direct.shares.as_ref().map_or("-".to_string(), |shares| percent(of(shares)));
        let other = elsewhere.map_or("-".to_string(), |elsewhere| {
            format!("{} ± {}", percent(elsewhere.mean), percent(elsewhere.deviation))
        });
        format!("  {name:<24} {own:>11} {other:>13}")
    };
    let mut lines: Vec<String> = rows.into_iter().map(row).collect();
    if let Some(control) = control {
        lines.push(format!(
            "  elsewhere: {} regions of the object's form and size, {} of them in the object",
            control.regions,
            percent(control.overlap)
        ));
    }
    lines
}

fn thresholds(t: &Thresholds) -> String {
    format!(
        "object from {}, surroundings to {} of the score; unclear below a gain of {}, a probability of {}, {} more than elsewhere",
        percent(t.object_from),
        percent(t.surroundings_to),
        t.least_gain,
        t.least_probability,
        percent(t.beyond_chance)
    )
}

/// The command line that makes this map again.
fn command(arguments: &JudgeArguments) -> String {
    let mut words = vec!["occlude".to_string(), "map".to_string()];
    words.extend([&arguments.model, &arguments.input].map(|path| quoted(&path.display().to_string())));
    for (name, value) in args::given(&arguments.what, &arguments.how) {
        words.push(format!("--{name}"));
        words.push(quoted(&value));
    }
    for (name, value) in args::given_inputs(&arguments.what) {
        words.push(format!("--{name}"));
        words.push(quoted(value));
    }
    words.join(" ")
}
