//! `occlude completions SHELL`: the script on standard output.

use clap::CommandFactory;
use occlude::Result;

use crate::args::Arguments;
use crate::{Outcome, Printer};

pub(crate) fn run(shell: clap_complete::Shell, printer: &Printer) -> Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "occlude", &mut script);
    printer.data(&script);
    Ok(Outcome::Done)
}
