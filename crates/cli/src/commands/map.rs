//! `occlude map`: one map per input, written and summed up in words.
//!
//! Where outputs go is checked before the work starts. A bad input is named at once and again at the end, and does not stop the others; an interrupted or
//! failed run keeps what it has computed, marked incomplete. The words of the summary are in `talk`.

mod slices;
pub(super) mod talk;

use std::path::Path;
use std::sync::atomic::Ordering;

use occlude::{Error, Input, Map, Model, OutputPlan, Result, Settings, Watch};

use crate::args::{self, MapArguments};
use crate::progress::{Bar, Wait};
use crate::{Outcome, Printer, inputs, interrupt};

pub(crate) fn run(arguments: &MapArguments, printer: &Printer) -> Result<Outcome> {
    let settings = args::settings(Some(&arguments.what), &arguments.how)?;
    args::check_stdout(arguments.json, &arguments.output)?;
    let outputs = OutputPlan::prepare(&arguments.output, &arguments.inputs)?;
    let reading = Wait::new(printer, &format!("reading {}", arguments.model.display()));
    let model = Model::open_with(&arguments.model, &settings)?;
    drop(reading);
    talk::model(&model, printer);
    let call = Call { arguments, settings: &settings, model: &model, outputs: &outputs };
    let outcome = call.all_inputs(printer)?;
    if arguments.output.is_empty() && !arguments.json && outcome == Outcome::Done {
        printer
            .say("wrote", "nothing: -o map.html writes a page, -o map.png a figure, -o map.npz the numbers");
    }
    Ok(outcome)
}

/// What all inputs of a call share.
struct Call<'a> {
    arguments: &'a MapArguments,
    settings: &'a Settings,
    model: &'a Model,
    outputs: &'a OutputPlan,
}

impl Call<'_> {
    fn all_inputs(&self, printer: &Printer) -> Result<Outcome> {
        let stop = interrupt::flag()?;
        let inputs = &self.arguments.inputs;
        let mut failed = Vec::new();
        for (index, path) in inputs.iter().enumerate() {
            if let Err(error) = self.one_input(index, path, printer) {
                printer.error(&naming(error, path, inputs.len()));
                failed.push(path.display().to_string());
            }
            if stop.load(Ordering::Relaxed) {
                let left = inputs.len() - index - 1;
                if left > 0 {
                    printer.warn(&format!("interrupted: {left} of {} inputs not begun", inputs.len()));
                }
                say_failed(&failed, inputs.len(), printer);
                return Ok(Outcome::Interrupted);
            }
        }
        say_failed(&failed, inputs.len(), printer);
        Ok(match failed.len() {
            0 => Outcome::Done,
            n if n == inputs.len() => Outcome::Failed,
            _ => Outcome::SomeFailed,
        })
    }

    fn one_input(&self, index: usize, path: &Path, printer: &Printer) -> Result<()> {
        if self.model.preprocess().slice.is_some_and(|slice| slice.number.is_none()) {
            return self.all_slices(index, path, printer);
        }
        let input = inputs::read(self.model, path, &self.arguments.what)?;
        talk::input(path, &input, printer);
        let windows = self.model.occlusion().with(self.settings).hidden(&input)?;
        self.outputs.check(index, &input, &windows)?;
        let given = args::given_what(&self.arguments.what);
        talk::plan(&windows, &input, self.settings, &given, printer);
        let bar = Bar::new(printer);
        let mut show = |progress: &occlude::Progress| bar.show(progress);
        let mut watch =
            Watch { cancel: Some(interrupt::flag()?), progress: Some(&mut show), ..Watch::default() };
        let result = self.model.occlusion().with(self.settings).run_watched(&input, &mut watch);
        drop(bar);
        match result {
            Ok(map) => self.finish(index, map, &input, printer),
            Err(error) => {
                if let Some(map) = error.partial_map() {
                    printer.warn(&format!(
                        "{} of {} windows were computed before the error{}",
                        map.computed,
                        map.windows.len(),
                        if self.arguments.output.is_empty() {
                            ""
                        } else {
                            " and are kept, marked incomplete"
                        }
                    ));
                    self.write(index, map, &input, printer)?;
                }
                Err(error)
            }
        }
    }

    fn finish(&self, index: usize, mut map: Map, input: &Input, printer: &Printer) -> Result<()> {
        if map.computed == 0 {
            printer.warn("interrupted before the first window: nothing is written");
            return Ok(());
        }
        let path = &self.arguments.inputs[index];
        map.provenance.command = Some(self.command(path));
        for note in map.notes.iter().filter(|note| !input.notes.contains(note)) {
            printer.say("note", note);
        }
        let given = args::given_what(&self.arguments.what);
        talk::map(&map, given.iter().any(|(name, _)| *name == "target"), printer);
        if self.arguments.json {
            printer.line(&talk::summary(&map, path).to_string());
        }
        self.write(index, &map, input, printer)
    }

    fn write(&self, index: usize, map: &Map, input: &Input, printer: &Printer) -> Result<()> {
        for written in self.outputs.write(index, map, &input.picture)? {
            if let Some(data) = &written.stdout {
                printer.data(data);
            }
            talk::written(&written, printer);
        }
        Ok(())
    }

    /// The command line that makes this map again.
    fn command(&self, path: &Path) -> String {
        let mut words = vec!["occlude".into(), "map".into()];
        words.push(quoted(&self.arguments.model.display().to_string()));
        words.push(quoted(&path.display().to_string()));
        for (name, value) in args::given(&self.arguments.what, &self.arguments.how) {
            words.push(format!("--{name}"));
            words.push(quoted(&value));
        }
        for (name, value) in args::given_inputs(&self.arguments.what) {
            words.push(format!("--{name}"));
            words.push(quoted(value));
        }
        words.join(" ")
    }
}

/// Of several inputs, the error says which one it is about.
fn naming(error: Error, path: &Path, inputs: usize) -> Error {
    let shown = path.display().to_string();
    if inputs == 1 || error.to_string().contains(&shown) { error } else { error.in_context(shown) }
}

/// The list at the end; a single input was named by its own error.
fn say_failed(failed: &[String], inputs: usize, printer: &Printer) {
    if !failed.is_empty() && inputs > 1 {
        printer.warn(&format!("{} of {inputs} inputs failed: {}", failed.len(), failed.join(", ")));
    }
}

/// A word as a POSIX shell reads it.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./,:=+@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_string();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quoted("a/b-c.jpg"), "a/b-c.jpg");
        assert_eq!(quoted("my cat's.jpg"), "'my cat'\\''s.jpg'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn an_error_of_one_of_several_inputs_names_it_once() {
        let path = Path::new("a/cat.jpg");
        let text = |message: &str, inputs| naming(Error::file(message), path, inputs).to_string();
        assert_eq!(text("window too large", 1), "window too large");
        assert_eq!(text("window too large", 2), "a/cat.jpg: window too large");
        assert_eq!(text("cannot read a/cat.jpg", 2), "cannot read a/cat.jpg");
    }
}
