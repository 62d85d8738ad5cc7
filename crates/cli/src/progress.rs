//! The progress bar of a run: windows done, rate, time left, on standard error and only in a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use occlude::Progress;

use crate::printer::{Printer, seconds};

/// A bar for one input.
pub(crate) struct Bar(ProgressBar);

impl Bar {
    pub(crate) fn new(printer: &Printer) -> Self {
        let target = if printer.shows_progress() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(None, target);
        let style = ProgressStyle::with_template("          {bar:32} {pos}/{len} {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("█▉▊▋▌▍▎▏ "));
        Bar(bar)
    }

    pub(crate) fn show(&self, progress: &Progress) {
        self.0.set_length(progress.total as u64);
        self.0.set_position(progress.done as u64);
        if progress.done > 0 {
            self.0.set_message(format!(
                "· {:.0}/s · {} left",
                progress.windows_per_sec,
                seconds(progress.left_secs)
            ));
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
