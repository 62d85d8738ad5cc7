//! `occlude audit`: object or surroundings, over a data set.
//!
//! In: a model, a data set. Out: rows, summary, report and pages in a folder; the summary in words on standard output, or JSON. The work is the library's (`occlude::audit`).

use occlude::audit::{
    AuditOptions, AuditProgress, AuditWatch, Audited, AverageMap, Dataset, Question, Share, Summary, Verdicts,
};
use occlude::judge::percent;
use occlude::{Error, Model, Result};

use super::map::talk;
use crate::args::{self, AuditArguments};
use crate::progress::{Bar, Wait};
use crate::{Outcome, Printer, interrupt};

/// Lines of the lists on standard output.
const LISTED: usize = 5;

pub(crate) fn run(arguments: &AuditArguments, printer: &Printer) -> Result<Outcome> {
    let settings = args::settings(Some(&arguments.what), &arguments.how)?;
    let (judge, bounds) = (arguments.verdict.options()?, arguments.bounds()?);
    let dataset_options = arguments.dataset_options()?;
    if let Some((flag, _)) = args::given_inputs(&arguments.what).first() {
        return Err(Error::argument(format!("--{flag} is given: an audit feeds a model with one input"))
            .with_hint("judge takes models with several"));
    }
    let reading = Wait::new(printer, &format!("reading {}", arguments.dataset.display()));
    let dataset = Dataset::open(&arguments.dataset, &dataset_options)?;
    drop(reading);
    let is_judged = dataset.has_objects() || dataset_options.everywhere.is_some();
    if bounds.is_some() && !is_judged {
        return Err(Error::argument(
            "--max-surroundings is given, but no image has an object to judge it by",
        )
        .with_hint("boxes or masks in the data set, --object-masks, or --object for all images"));
    }
    let reading = Wait::new(printer, &format!("reading {}", arguments.model.display()));
    let model = Model::open_with(&arguments.model, &settings)?;
    drop(reading);
    talk::model(&model, printer);
    say_dataset(&dataset, is_judged, printer);
    let question = Question { settings, judge, of_data_set: arguments.truth };
    let options = AuditOptions {
        everywhere: dataset_options.everywhere,
        workers: arguments.workers.map(usize::from),
        retry_errors: arguments.retry_errors,
        shown: arguments.pages,
        ..AuditOptions::new(arguments.folder(), question)
    };
    let stop = interrupt::flag_saying(
        "\nstopping; all rows are kept, and the same command goes on (Ctrl-C again to quit at once)",
    )?;
    let bar = Bar::new(printer);
    let mut show = |progress: &AuditProgress| bar.show_images(progress);
    let mut watch = AuditWatch { cancel: Some(stop), progress: Some(&mut show) };
    let audited = model.audit(&dataset, &options, &mut watch);
    drop(bar);
    tell(&audited?, arguments, bounds, printer)
}

fn say_dataset(dataset: &Dataset, is_judged: bool, printer: &Printer) {
    let without = dataset.items.iter().filter(|item| item.objects.is_empty()).count();
    let objects = match without {
        0 => "all with objects".to_string(),
        without if without < dataset.items.len() => format!("{without} without an object"),
        _ if is_judged => "one object for all".to_string(),
        _ => "no object is known, so there are no verdicts".to_string(),
    };
    printer.say(
        "data",
        &format!("{}: {}, {} images, {objects}", dataset.path.display(), dataset.form, dataset.items.len()),
    );
    for note in &dataset.notes {
        printer.say("note", note);
    }
}

fn tell(
    audited: &Audited,
    arguments: &AuditArguments,
    bounds: Option<[f64; 2]>,
    printer: &Printer,
) -> Result<Outcome> {
    let (summary, progress) = (&audited.summary, &audited.progress);
    if progress.known > 0 {
        printer.say("known", &format!("{} images from earlier runs", progress.known));
    }
    if audited.strangers > 0 {
        printer.say(
            "note",
            &format!(
                "{} rows are of images that are no longer in the data set: kept, and left out here",
                audited.strangers
            ),
        );
    }
    if summary.errors > 0 {
        printer.warn(&format!(
            "{} of {} rows are errors: rows/*.parquet says why, --retry-errors tries them again",
            summary.errors, summary.rows
        ));
        for [path, error] in summary.first_errors.iter().take(LISTED) {
            printer.say("", &format!("{path}: {error}"));
        }
    }
    if summary.unknown_classes > 0 {
        printer.say(
            "note",
            &format!(
                "images whose class is none of the model's: {}; whether the model is right there is not known",
                summary.unknown_classes
            ),
        );
    }
    for note in &audited.notes {
        printer.say("note", note);
    }
    for path in audited.written.iter().take(2) {
        printer.say("wrote", &path.display().to_string());
    }
    if audited.written.len() > 2 {
        printer.say("", &format!("and {} pages that the report opens", audited.written.len() - 2));
    }
    if !audited.is_complete {
        printer.warn(&format!(
            "interrupted: {} of {} images are done, the same command goes on",
            progress.done, progress.total
        ));
    }
    if arguments.json {
        printer.line(&audited.json.to_string());
    } else {
        lines(summary).iter().for_each(|line| printer.line(line));
    }
    if !audited.is_complete {
        return Ok(Outcome::Interrupted);
    }
    if summary.rows > 0 && summary.errors == summary.rows {
        return Ok(Outcome::Failed);
    }
    let Some([most, most_errors]) = bounds else { return Ok(Outcome::Done) };
    let errors = summary.errors as f64 / summary.rows.max(1) as f64;
    let failed = match summary.verdicts.surroundings_of_clear.share {
        _ if errors > most_errors => format!(
            "{} of {} rows are errors: what the others say does not stand for the data set (--max-errors allows some)",
            summary.errors, summary.rows
        ),
        Some(share) if share <= most => return Ok(Outcome::Done),
        Some(share) => {
            format!(
                "{} of the clear verdicts are surroundings, {} are allowed",
                percent(share),
                percent(most)
            )
        }
        None => "no image has a clear verdict: whether the bound holds cannot be said".into(),
    };
    printer.warn(&failed);
    Ok(Outcome::CheckFailed)
}

fn lines(summary: &Summary) -> Vec<String> {
    let mut lines = vec![headline(summary)];
    if summary.verdicts.judged > 0 {
        lines.extend(table(summary));
    }
    if summary.rows > summary.images {
        lines.push(format!(
            "  {} rows of {} images: intervals take rows as independent, and are too narrow",
            summary.rows, summary.images
        ));
    }
    if let Some(difference) = &summary.wrong_less_correct {
        let [low, high] = difference.interval.map(|share| format!("{:+.1}", share * 100.0));
        lines.push(format!(
            "  surroundings have {:+.1} points in the clear verdicts of wrong predictions, compared with those of right ones ({low} to {high})",
            difference.difference * 100.0
        ));
    }
    if !summary.most_surroundings.is_empty() {
        lines.push(String::new());
        lines.push("  most driven by surroundings, by the object's share of the score".into());
        for shown in summary.most_surroundings.iter().take(LISTED) {
            lines.push(format!(
                "  {:>6}  {:<12}  {}: {}",
                percent(shown.share),
                shown.verdict,
                shown.path,
                shown.target
            ));
        }
    }
    let driven: Vec<&occlude::audit::OfClass> = summary
        .classes
        .iter()
        .filter(|class| class.verdicts.surroundings_of_clear.count > 0)
        .take(LISTED)
        .collect();
    if summary.classes.len() > 1 && !driven.is_empty() {
        lines.push(String::new());
        lines.push("  classes most driven by surroundings".into());
        for class in driven {
            let share = &class.verdicts.surroundings_of_clear;
            lines.push(format!("  {:<30}  {}", class.class, interval(share, "clear verdicts")));
        }
    }
    if let Some(average) = &summary.average {
        lines.extend(places(average));
    }
    lines
}

fn headline(summary: &Summary) -> String {
    let clear = &summary.verdicts.surroundings_of_clear;
    let Share { count, of, share, .. } = summary.correct;
    let right = share.map_or(String::new(), |share| {
        format!("; the model is right on {count} of {of}, {}", percent(share))
    });
    match clear.share {
        Some(_) => format!("SURROUNDINGS: {}{right}", interval(clear, "clear verdicts")),
        None if summary.verdicts.judged > 0 => format!("UNCLEAR: no image has a clear verdict{right}"),
        None if summary.rows == 0 => "no image was done".into(),
        None if summary.errors == summary.rows => "no image could be judged".into(),
        None => format!("{} images without objects to judge by{right}", summary.rows),
    }
}

/// `12 of 50 clear verdicts, 24% (14% to 37%)`
fn interval(share: &Share, what: &str) -> String {
    match (share.share, share.interval) {
        (Some(value), Some([low, high])) => {
            let (value, low, high) = (percent(value), percent(low), percent(high));
            format!("{} of {} {what}, {value} ({low} to {high})", share.count, share.of)
        }
        _ => "-".into(),
    }
}

fn table(summary: &Summary) -> Vec<String> {
    let groups = [
        ("all", &summary.verdicts),
        ("prediction right", &summary.when_correct),
        ("prediction wrong", &summary.when_wrong),
    ];
    let mut lines = vec![
        String::new(),
        format!(
            "  {:<18} {:>7} {:>9} {:>9} {:>13} {:>9}   {}",
            "", "judged", "object", "both", "surroundings", "unclear", "object's share"
        ),
    ];
    let cell = |share: &Share| share.share.map_or("-".to_string(), percent);
    for (name, verdicts) in groups {
        let Verdicts { judged, object, both, surroundings, unclear, share, .. } = verdicts;
        if *judged == 0 {
            continue;
        }
        let mean = match (share.mean, share.interval) {
            (Some(mean), Some([low, high])) => {
                format!("{} ({} to {})", percent(mean), percent(low), percent(high))
            }
            (Some(mean), None) => percent(mean),
            _ => "-".into(),
        };
        lines.push(format!(
            "  {name:<18} {judged:>7} {:>9} {:>9} {:>13} {:>9}   {mean}",
            cell(object),
            cell(both),
            cell(surroundings),
            cell(unclear)
        ));
    }
    lines
}

/// Places of the frame that draw evidence across images.
fn places(average: &AverageMap) -> Vec<String> {
    if average.drawing.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![String::new(), "  places of the frame that draw evidence in most images".into()];
    for &cell in average.drawing.iter().take(LISTED) {
        lines.push(format!(
            "  {}: {:.1} times an even share, above it in {} of the images",
            average.place(cell),
            average.density[cell],
            percent(average.above_uniform[cell])
        ));
    }
    lines
}
