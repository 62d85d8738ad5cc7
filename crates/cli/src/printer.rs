//! The only place that prints: data on standard output, talk on standard error.
//!
//! A closed standard output ends the program quietly with success, as programs in a pipe do; a closed standard error is talked into without harm.

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
                talk(&format!("error: cannot write to standard output: {error}"));
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
            let gap = 10_usize.saturating_sub(word.len());
            talk(&format!("{}{:gap$}{text}", self.paint(word, "2"), ""));
        }
    }

    /// A warning, also when quiet.
    pub(crate) fn warn(&self, text: &str) {
        talk(&format!("{}: {text}", self.paint("warning", "33;1")));
    }

    /// An error with its hint.
    pub(crate) fn error(&self, error: &Error) {
        talk(&format!("{}: {error}", self.paint("error", "31;1")));
        if let Some(hint) = error.hint() {
            talk(&format!("\n{}: {hint}", self.paint("hint", "36")));
        }
    }

    fn paint(&self, text: &str, code: &str) -> String {
        if self.colors { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }
}

/// A line on standard error. What cannot be said (nobody listens any more) is no reason to stop.
fn talk(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// The answer to the first Ctrl-C.
pub(crate) fn say_stopping(answer: &str) {
    talk(answer);
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

/// A size of memory in the unit of `--memory-limit`: 12345678 bytes as `11.8 MiB`.
pub(crate) fn memory(count: u64) -> String {
    let mebibytes = count as f64 / f64::from(1 << 20);
    if mebibytes >= 1024.0 {
        format!("{:.2} GiB", mebibytes / 1024.0)
    } else if mebibytes >= 99.95 {
        format!("{mebibytes:.0} MiB")
    } else {
        format!("{mebibytes:.1} MiB")
    }
}

/// 1234567890 multiply-adds as `1.23 G`: three digits.
pub(crate) fn count(value: u64) -> String {
    if value < 10_000 {
        return value.to_string();
    }
    let units = ["", " k", " M", " G", " T", " P", " E"];
    let (mut scaled, mut unit) = (value as f64, 0);
    while scaled >= 999.5 {
        (scaled, unit) = (scaled / 1000.0, unit + 1);
    }
    let digits = if scaled < 9.995 { 2 } else { usize::from(scaled < 99.95) };
    format!("{scaled:.digits$}{}", units[unit])
}

/// `1 window`, `12 windows`
pub(crate) fn windows(count: usize) -> String {
    format!("{count} window{}", if count == 1 { "" } else { "s" })
}

/// A duration in words: `0.35 s`, `12 s`, `3:05`, `1:02:03`.
pub(crate) fn seconds(value: f64) -> String {
    let whole = value.round() as u64;
    match whole {
        0..10 if value.fract() == 0.0 => format!("{whole} s"),
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
        assert_eq!(
            (count(9999), count(123_456_789), count(4_631_000)),
            ("9999".into(), "123 M".into(), "4.63 M".into())
        );
        assert_eq!((memory(12_345_678), memory(3 << 30)), ("11.8 MiB".into(), "3.00 GiB".into()));
        assert_eq!((count(999_499_999), count(999_500_000)), ("999 M".into(), "1.00 G".into()));
        assert_eq!(
            (seconds(0.346), seconds(185.2), seconds(3723.0)),
            ("0.35 s".into(), "3:05".into(), "1:02:03".into())
        );
    }
}
