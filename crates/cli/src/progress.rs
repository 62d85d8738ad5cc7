//! What moves while the program works: a spinner while a model is read, then a bar of windows done with rate and time left.
//!
//! On standard error and only in a terminal; both vanish when dropped. Drawing is throttled by `indicatif`, so they may be fed after every window.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use occlude::Progress;
use occlude::audit::AuditProgress;

use crate::printer::{Printer, seconds};

/// A spinner with a word of what is being waited for.
pub(crate) struct Wait(ProgressBar);

impl Wait {
    pub(crate) fn new(printer: &Printer, text: &str) -> Self {
        let wait = hidden_or_shown(printer);
        wait.set_style(style("          {spinner} {msg}"));
        wait.set_message(text.to_string());
        if printer.shows_progress() {
            wait.enable_steady_tick(Duration::from_millis(80));
        }
        Wait(wait)
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// A bar for one input; until the first window it says that the model is made ready.
pub(crate) struct Bar(Wait);

impl Bar {
    pub(crate) fn new(printer: &Printer) -> Self {
        Bar(Wait::new(printer, "making the model ready"))
    }

    pub(crate) fn show(&self, progress: &Progress) {
        let bar = &self.0.0;
        // A command may have several things to count, one after the other.
        if bar.length() != Some(progress.total as u64) {
            bar.set_style(style("          {bar:32} {pos}/{len}{msg}").progress_chars("█▉▊▋▌▍▎▏ "));
            bar.set_length(progress.total as u64);
            bar.set_message("");
        }
        bar.set_position(progress.done as u64);
        if progress.done > 0 {
            let left = seconds(progress.left_secs.ceil());
            bar.set_message(format!(" · {:.0}/s · {left} left", progress.windows_per_sec));
        }
    }
}

impl Bar {
    /// A bar of images.
    pub(crate) fn show_images(&self, progress: &AuditProgress) {
        let bar = &self.0.0;
        if bar.length().is_none() {
            bar.set_style(style("          {bar:32} {pos}/{len} images{msg}").progress_chars("█▉▊▋▌▍▎▏ "));
            bar.set_length(progress.total as u64);
        }
        bar.set_position(progress.done as u64);
        let mut message = String::new();
        if progress.left_secs.is_finite() {
            let left = seconds(progress.left_secs.ceil());
            message = format!(" · {:.1}/s · {left} left", progress.images_per_sec);
        }
        if progress.pages.1 > 0 {
            message = format!(" · page {} of {}", progress.pages.0 + 1, progress.pages.1);
        }
        if progress.failed > 0 {
            message.push_str(&format!(" · {} failed", progress.failed));
        }
        bar.set_message(message);
    }
}

fn hidden_or_shown(printer: &Printer) -> ProgressBar {
    let shown = printer.shows_progress();
    let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    ProgressBar::with_draw_target(None, target)
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
