//! The binary `occlude`: reads arguments, runs one command, maps the outcome to an exit code.
//!
//! 0 done; 1 some of several inputs failed, or a check that was asked for did; 2 bad arguments, file or model; 130 interrupted. A closed pipe on
//! standard output is no failure. What is computed is in the library `occlude`; here is only what a terminal needs.

mod args;
mod commands;
mod inputs;
mod interrupt;
mod printer;
mod progress;
mod serve;

use std::process::ExitCode;

use clap::Parser;

use args::{Arguments, Command};
use printer::Printer;

/// How a command ended, as an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// 0
    Done,
    /// 1: some of several inputs failed; each was named.
    SomeFailed,
    /// 1: a check that was asked for failed; the result says where.
    CheckFailed,
    /// 2: nothing could be done; the error was printed.
    Failed,
    /// 130: stopped by the user; what was computed is saved.
    Interrupted,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let printer = Printer::new(&arguments.global);
    let outcome = match &arguments.command {
        Command::Map(map) => commands::map::run(map, &printer),
        Command::Inspect(inspect) => commands::inspect::run(inspect, &printer),
        Command::Plan(plan) => commands::plan::run(plan, &printer),
        Command::Verify(verify) => commands::verify::run(verify, &printer),
        Command::Judge(judge) => commands::judge::run(judge, &printer),
        Command::Audit(audit) => commands::audit::run(audit, &printer),
        Command::Serve(serve) => commands::serve::run(serve, &printer),
        Command::Zeiler(zeiler) => commands::zeiler::run(zeiler, &printer),
        Command::Correspondence(correspondence) => commands::correspondence::run(correspondence, &printer),
        Command::Compare(compare) => commands::compare::run(compare, &printer),
        Command::Evaluate(evaluate) => commands::evaluate::run(evaluate, &printer),
        Command::Completions { shell } => commands::completions::run(*shell, &printer),
    };
    let outcome = outcome.unwrap_or_else(|error| {
        printer.error(&error);
        Outcome::Failed
    });
    ExitCode::from(match outcome {
        Outcome::Done => 0,
        Outcome::SomeFailed | Outcome::CheckFailed => 1,
        Outcome::Failed => 2,
        Outcome::Interrupted => 130,
    })
}
