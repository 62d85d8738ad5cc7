//! Ctrl-C: the first stops the run at the next group and what was computed is saved; the second ends the program at once.
//!
//! Installed only where there is something to save; elsewhere Ctrl-C ends the program as usual.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use occlude::{Error, Result};

use crate::printer;

static STOP: AtomicBool = AtomicBool::new(false);
static HANDLER: OnceLock<()> = OnceLock::new();

/// Installs the handler and returns the flag that it sets.
pub(crate) fn flag() -> Result<&'static AtomicBool> {
    flag_saying("\nstopping at the next group; what is computed is kept (Ctrl-C again to quit at once)")
}

/// The same with another answer to the first Ctrl-C, below the line that a terminal shows it on.
pub(crate) fn flag_saying(answer: &'static str) -> Result<&'static AtomicBool> {
    if HANDLER.set(()).is_ok() {
        ctrlc::set_handler(move || {
            if STOP.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
            printer::say_stopping(answer);
        })
        .map_err(|e| Error::argument(format!("cannot listen for Ctrl-C: {e}")))?;
    }
    Ok(&STOP)
}
