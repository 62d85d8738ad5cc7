//! The only place that prints: data on standard output, talk on standard error.
//!
//! A closed standard output ends the program quietly with success, as programs in a pipe do.

#![allow(clippy::print_stderr, reason = "this is where the program talks")]

use std::io::{IsTerminal, Write};

use crate::args::Global;
use occlude::Error;

/// Knows how much to say and whether colours are wanted.
#[derive(Debug)]
pub(crate) struct Printer {
    quiet: bool,
    pub(crate) verbose: bool,
    colors: bool,
}

impl Printer {
    pub(crate) fn new(global: &Global) -> Self {
        let colors = match global.color.as_str() {
            "always" => true,
            "never" => false,
            _ => std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
        };
        Printer { quiet: global.quiet, verbose: global.verbose, colors }
    }

    /// Whether a progress bar makes sense.
    pub(crate) fn shows_progress(&self) -> bool {
        !self.quiet && std::io::stderr().is_terminal()
    }

    /// Bytes of data.
    pub(crate) fn data(&self, bytes: &[u8]) {
        let mut out = std::io::stdout().lock();
        if let Err(error) = out.write_all(bytes).and_then(|()| out.flush()) {
            let code = if error.kind() == std::io::ErrorKind::BrokenPipe { 0 } else { 2 };
            if code != 0 {
                eprintln!("error: cannot write to standard output: {error}");
            }
            std::process::exit(code);
        }
    }

    /// A line of data.
    pub(crate) fn line(&self, text: &str) {
        self.data(format!("{text}\n").as_bytes());
    }

    /// A line of talk: a word and what it says.
    pub(crate) fn say(&self, word: &str, text: &str) {
        if !self.quiet {
            eprintln!("{}{:width$}{text}", self.dim(word), "", width = 10_usize.saturating_sub(word.len()));
        }
    }

    /// A warning, also when quiet.
    pub(crate) fn warn(&self, text: &str) {
        eprintln!("{}: {text}", self.paint("warning", "33;1"));
    }

    /// An error with its hint.
    pub(crate) fn error(&self, error: &Error) {
        eprintln!("{}: {error}", self.paint("error", "31;1"));
        if let Some(hint) = error.hint() {
            eprintln!("\n{}: {hint}", self.paint("hint", "36"));
        }
    }

    fn dim(&self, text: &str) -> String {
        self.paint(text, "2")
    }

    fn paint(&self, text: &str, code: &str) -> String {
        if self.colors { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }
}

/// 1234567 bytes as `1.2 MB`.
pub(crate) fn bytes(count: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let (mut value, mut unit) = (count as f64, 0);
    while value >= 999.5 && unit + 1 < units.len() {
        (value, unit) = (value / 1000.0, unit + 1);
    }
    if unit == 0 || value >= 99.5 {
        format!("{value:.0} {}", units[unit])
    } else {
        format!("{value:.1} {}", units[unit])
    }
}

/// 1234567890 multiply-adds as `1.23 G`.
pub(crate) fn count(value: u64) -> String {
    match value {
        0..10_000 => value.to_string(),
        10_000..10_000_000 => format!("{:.1} k", value as f64 / 1e3),
        10_000_000..1_000_000_000 => format!("{:.1} M", value as f64 / 1e6),
        1_000_000_000..1_000_000_000_000 => format!("{:.2} G", value as f64 / 1e9),
        _ => format!("{:.2} T", value as f64 / 1e12),
    }
}

/// A duration in words: `0.35 s`, `12 s`, `3:05`, `1:02:03`.
pub(crate) fn seconds(value: f64) -> String {
    let whole = value.round() as u64;
    match whole {
        0..10 => format!("{value:.2} s"),
        10..60 => format!("{whole} s"),
        60..3600 => format!("{}:{:02}", whole / 60, whole % 60),
        _ => format!("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_said_with_few_digits() {
        assert_eq!(
            (bytes(999), bytes(1500), bytes(999_600)),
            ("999 B".into(), "1.5 kB".into(), "1.0 MB".into())
        );
        assert_eq!((count(9999), count(123_456_789)), ("9999".into(), "123.5 M".into()));
        assert_eq!(
            (seconds(0.346), seconds(185.2), seconds(3723.0)),
            ("0.35 s".into(), "3:05".into(), "1:02:03".into())
        );
    }
}
