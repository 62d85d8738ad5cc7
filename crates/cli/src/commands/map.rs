//! `occlude map`: one map per input, written and summed up in words.
//!
//! Where outputs go is checked before the work starts. A bad input is named and does not stop the others; an interrupted or failed run keeps what it
//! has computed, marked incomplete.

use std::path::Path;
use std::sync::atomic::Ordering;

use occlude::occlusion::sizes_text;
use occlude::{Direction, Error, Input, Map, Model, OutputPlan, Result, Settings, Watch};
use serde_json::json;

use crate::args::{self, MapArguments};
use crate::printer::{bytes, seconds};
use crate::progress::Bar;
use crate::{Outcome, Printer, interrupt};

/// Windows listed for and against a target.
const TOP: usize = 3;

pub(crate) fn run(arguments: &MapArguments, printer: &Printer) -> Result<Outcome> {
    let settings = args::settings(Some(&arguments.what), &arguments.how)?;
    let stdout_is_taken = arguments.json && arguments.output.iter().any(|o| o == "-");
    if stdout_is_taken {
        return Err(Error::argument("--json and -o - both write to standard output")
            .with_hint("leave one of them out"));
    }
    let outputs = OutputPlan::prepare(&arguments.output, &arguments.inputs)?;
    let model = Model::open_with(&arguments.model, &settings)?;
    say_model(&model, printer);
    let stop = interrupt::flag()?;
    let mut failures = Vec::new();
    for (index, path) in arguments.inputs.iter().enumerate() {
        let job = Job { arguments, settings: &settings, model: &model, outputs: &outputs, index, path };
        match job.run(printer) {
            Ok(()) if stop.load(Ordering::Relaxed) => return Ok(Outcome::Interrupted),
            Ok(()) => {}
            Err(error) => failures.push((path, error)),
        }
    }
    let [(_, error)] = &failures[..] else {
        for (path, error) in &failures {
            printer.error(&error.clone().in_context(path.display()));
        }
        return Ok(match failures.len() {
            0 => Outcome::Done,
            n if n == arguments.inputs.len() => Outcome::Failed,
            _ => Outcome::SomeFailed,
        });
    };
    printer.error(error);
    Ok(if arguments.inputs.len() == 1 { Outcome::Failed } else { Outcome::SomeFailed })
}

/// One input of the call.
struct Job<'a> {
    arguments: &'a MapArguments,
    settings: &'a Settings,
    model: &'a Model,
    outputs: &'a OutputPlan,
    index: usize,
    path: &'a Path,
}

impl Job<'_> {
    fn run(&self, printer: &Printer) -> Result<()> {
        let input = self.model.read_input(self.path)?;
        say_input(self.path, &input, printer);
        let bar = Bar::new(printer);
        let mut show = |progress: &occlude::Progress| bar.show(progress);
        let mut watch = Watch { cancel: Some(interrupt::flag()?), progress: Some(&mut show) };
        let result = self.model.occlusion().with(self.settings).run_watched(&input, &mut watch);
        drop(bar);
        match result {
            Ok(map) => self.finish(map, &input, printer),
            Err(error) => {
                if let Some(map) = error.partial_map() {
                    printer.warn(&format!(
                        "{} of {} windows were computed before the error and are kept",
                        map.computed,
                        map.grid.len()
                    ));
                    self.write(map, &input, printer)?;
                }
                Err(error)
            }
        }
    }

    fn finish(&self, mut map: Map, input: &Input, printer: &Printer) -> Result<()> {
        map.provenance.command = Some(self.command());
        for note in map.notes.iter().filter(|note| !input.notes.contains(note)) {
            printer.say("note", note);
        }
        say_map(&map, printer);
        if self.arguments.json {
            printer.line(&summary(&map, self.path).to_string());
        }
        self.write(&map, input, printer)
    }

    fn write(&self, map: &Map, input: &Input, printer: &Printer) -> Result<()> {
        for written in self.outputs.write(self.index, map, &input.picture)? {
            if let Some(data) = &written.stdout {
                printer.data(data);
            }
            if let Some(path) = &written.path {
                printer.say("wrote", &format!("{} ({})", path.display(), bytes(written.bytes as u64)));
            }
        }
        Ok(())
    }

    /// The command line that makes this map again.
    fn command(&self) -> String {
        let mut words = vec!["occlude".into(), "map".into()];
        words.push(quoted(&self.arguments.model.display().to_string()));
        words.push(quoted(&self.path.display().to_string()));
        for (name, value) in args::given(&self.arguments.what, &self.arguments.how) {
            words.push(format!("--{name}"));
            words.push(quoted(&value));
        }
        words.join(" ")
    }
}

/// A word as a POSIX shell reads it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./,:=+@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_string();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

fn say_model(model: &Model, printer: &Printer) {
    let port = model.port();
    let dims: Vec<String> = port.dims.iter().map(|d| d.map_or("?".to_string(), |n| n.to_string())).collect();
    printer.say(
        "model",
        &format!(
            "{} · input \"{}\" [{}] {}",
            model.path().display(),
            port.name,
            dims.join(", "),
            port.layout
        ),
    );
}

fn say_input(path: &Path, input: &Input, printer: &Printer) {
    printer.say("input", &format!("{} · {}", path.display(), input.spec));
    for note in &input.notes {
        printer.say("note", note);
    }
}

fn say_map(map: &Map, printer: &Printer) {
    let window = sizes_text(&map.grid.axes.iter().map(|a| a.window).collect::<Vec<_>>());
    let stride = sizes_text(&map.grid.axes.iter().map(|a| a.stride).collect::<Vec<_>>());
    let times = &map.provenance.timings;
    let rate = if times.windows_secs > 0.0 { map.computed as f64 / times.windows_secs } else { 0.0 };
    printer.say(
        "windows",
        &format!(
            "{} of {} · window {window}, stride {stride} · {} ({rate:.0}/s, {})",
            map.computed,
            map.grid.len(),
            seconds(times.windows_secs),
            map.provenance.runtime
        ),
    );
    for (index, target) in map.targets.iter().enumerate() {
        printer.say("target", &format!("{} · {} {:.4}", target.label, target.unit, target.baseline));
        for (direction, word) in [(Direction::For, "for"), (Direction::Against, "against")] {
            for top in map.top_windows(index, direction, if map.targets.len() > 1 { 1 } else { TOP }) {
                let place = if map.geometry.source_size.is_empty() {
                    map.grid.describe(top.window)
                } else {
                    place_in_source(&top.window_in_source)
                };
                printer.say(word, &format!("{:+.4} {} when {place} is hidden", top.sensitivity, target.unit));
            }
        }
    }
    if let Some(flips) = map.summary(0).and_then(|s| s.label_flips).filter(|&n| n > 0) {
        printer.say(
            "flips",
            &format!("{flips} of {} windows make another class the most probable one", map.computed),
        );
    }
    if let Some(check) = &map.check {
        printer.say(
            "check",
            &format!(
                "{} window{} recomputed alone in full · largest difference {:.1e}, allowed {:.1e}",
                check.windows.len(),
                if check.windows.len() == 1 { "" } else { "s" },
                check.max_abs_diff,
                check.tolerance
            ),
        );
    }
    if !map.is_complete() {
        printer.warn(&format!(
            "interrupted: {} of {} windows; the map is marked incomplete",
            map.computed,
            map.grid.len()
        ));
    }
}

/// `x 96-112 y 72-88 px` for pictures, ranges by axis for everything else.
fn place_in_source(ranges: &[std::ops::Range<f64>]) -> String {
    let range = |r: &std::ops::Range<f64>| format!("{:.0}-{:.0}", r.start, r.end);
    match ranges {
        [y, x] => format!("x {} y {} px", range(x), range(y)),
        _ => ranges.iter().map(range).collect::<Vec<_>>().join(" x "),
    }
}

/// The summary for programs, schema `occlude.map-summary/1`.
fn summary(map: &Map, path: &Path) -> serde_json::Value {
    let target = |(index, target): (usize, &occlude::MapTarget)| {
        json!({
            "label": target.label, "class": target.class, "unit": target.unit, "baseline": target.baseline,
            "summary": map.summary(index),
            "for": map.top_windows(index, Direction::For, TOP),
            "against": map.top_windows(index, Direction::Against, TOP),
        })
    };
    json!({
        "schema": "occlude.map-summary/1",
        "input": path.display().to_string(),
        "complete": map.is_complete(),
        "windows": map.grid.len(),
        "computed": map.computed,
        "targets": map.targets.iter().enumerate().map(target).collect::<Vec<_>>(),
        "check": map.check,
        "notes": map.notes,
        "runtime": map.provenance.runtime,
        "timings": map.provenance.timings,
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(super::quoted("a/b-c.jpg"), "a/b-c.jpg");
        assert_eq!(super::quoted("my cat's.jpg"), "'my cat'\\''s.jpg'");
        assert_eq!(super::quoted(""), "''");
    }
}
