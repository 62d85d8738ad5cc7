//! Running the binary, and comparing what it said with a golden transcript.
//!
//! A transcript is the command line, standard output, standard error and the exit code. Times, rates, sizes, memory and the instruction set differ between
//! machines: their numbers are shown as `#`; scores keep two of four decimals. The temporary folder is `[TMP]`.
//! `UPDATE=1 cargo test --release -p occlude-cli --test transcripts` rewrites the goldens.

#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod arrays;
pub(crate) mod served;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub(crate) const DEMO: &str = "examples/efficientnet-lite0";
pub(crate) const COFFEE: &str = "examples/images/coffee.jpg";
/// Nine windows.
pub(crate) const QUICK: &str = "--window 112 --stride 56";

/// A temporary folder, and the binary run from the repository's root.
pub(crate) struct Shell {
    folder: tempfile::TempDir,
}

impl Shell {
    pub(crate) fn new() -> Self {
        Shell { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        std::fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// The files in the temporary folder, sorted.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Words are separated by spaces; `[TMP]` in a word stands for the temporary folder, `~` for a space.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_occlude"));
        let tmp = self.folder.path().to_string_lossy().into_owned();
        let words = line.split(' ').filter(|word| !word.is_empty());
        command.args(words.map(|word| word.replace("[TMP]", &tmp).replace('~', " ")));
        command.current_dir(root()).env_remove("ORT_DYLIB_PATH").env("NO_COLOR", "1").env("COLUMNS", "100");
        command
    }

    pub(crate) fn run(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    /// Runs what must succeed.
    pub(crate) fn done(&self, line: &str) -> Output {
        let output = self.run(line);
        assert!(output.status.success(), "{line}\n{}", self.said(&output));
        output
    }

    /// The map of the demo as a `.npy` file of f32.
    pub(crate) fn map_of(&self, flags: &str) -> Vec<u8> {
        self.done(&format!("map {DEMO} {COFFEE} {flags} -q -o [TMP]/map_of.npy"));
        self.read("map_of.npy")
    }

    /// Standard error of a run, its temporary folder as `[TMP]`.
    pub(crate) fn said(&self, output: &Output) -> String {
        self.text(&output.stderr)
    }

    fn text(&self, bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).replace(&*self.folder.path().to_string_lossy(), "[TMP]")
    }

    /// What a run said, masked.
    pub(crate) fn transcript(&self, line: &str) -> String {
        let output = self.run(line);
        format!(
            "$ occlude {line}\n----- stdout\n{}----- stderr\n{}----- exit {}\n",
            mask(&self.text(&output.stdout)),
            mask(&self.said(&output)),
            output.status.code().unwrap_or(-1)
        )
    }
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Replaces what depends on the machine, and nothing else.
fn mask(text: &str) -> String {
    let text = text.replace(env!("CARGO_PKG_VERSION"), "[VERSION]");
    let instruction_sets = ["avx512", "avx2", "neon", "scalar"];
    let text = instruction_sets.iter().fold(text, |text, name| text.replace(name, "[isa]"));
    text.lines().map(|line| masked_line(line) + "\n").collect()
}

fn masked_line(line: &str) -> String {
    let after = |marker: &str| {
        line.find(marker).map(|at| {
            let (kept, rest) = line.split_at(at + marker.len());
            kept.to_string() + &without_numbers(rest)
        })
    };
    let masked = match line.split_whitespace().next().unwrap_or_default() {
        // Of slices, how long they took follows without a rate.
        "windows" if line.contains(" slices · ") => after(" · "),
        "windows" | "asked" => line.contains("/s, ").then(|| after(" · ")).flatten(),
        "check" => after("difference"),
        "wrote" => after(" ("),
        "memory" | "time" => Some(without_numbers(line).replace("# window in", "# windows in")),
        // `verify`: how large a difference is depends on the instruction set, and so does which window has it.
        "map" | "outputs" => after("largest difference"),
        "at" => Some(format!("{} [...]", &line[..line.find("at").unwrap_or(0) + 2])),
        "sha256" => Some("sha256      [...]".to_string()),
        "target" | "for" | "against" | "class" | "spearman" | "pearson" | "ssim" | "top" => {
            Some(with_two_decimals(line))
        }
        // Activations are of any size; so are the signs of rounding errors in `correspondence`.
        "strongest" | "activity" | "projected" => Some(without_decimals(line)),
        _ if line.contains(" ± ") => Some(without_numbers(line)),
        "error:" => after("this model needs"),
        "hint:" => after("--memory-limit"),
        _ => None,
    };
    masked.unwrap_or_else(|| line.to_string())
}

/// `4.8e-7, 16 windows` as `#, # windows`.
fn without_numbers(text: &str) -> String {
    let mut masked = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        masked.push_str(&rest[..at]);
        masked.push('#');
        let number = |c: char| c.is_ascii_digit() || c == '.' || c == 'e' || c == '-';
        rest = rest[at..].trim_start_matches(number);
    }
    masked + rest
}

/// `+0.6229` as `+0.62..`: the last digits are not the same on every instruction set.
fn with_two_decimals(line: &str) -> String {
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let word = |word: &str| match word.split_once('.') {
        Some((_, decimals)) if decimals.len() == 4 && is_digits(decimals) => {
            format!("{}..", &word[..word.len() - 2])
        }
        _ => word.to_string(),
    };
    line.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// `162.9583,` as `162..,`
fn without_decimals(line: &str) -> String {
    let word = |word: &str| match word.split_once('.') {
        Some((whole, decimals)) if !whole.is_empty() && whole.bytes().all(|b| b.is_ascii_digit()) => {
            format!("{whole}..{}", decimals.trim_start_matches(|c: char| c.is_ascii_digit()))
        }
        _ => word.to_string(),
    };
    line.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// Compares transcripts with their goldens, all of them, and reports every one that differs.
pub(crate) fn compare(cases: &[(String, String)]) {
    let update = std::env::var_os("UPDATE").is_some();
    let mut differing = Vec::new();
    for (name, got) in cases {
        let golden = goldens().join(format!("{name}.txt"));
        if update {
            std::fs::write(&golden, got).unwrap();
        }
        let expected = std::fs::read_to_string(&golden).unwrap_or_default();
        if expected != *got {
            differing.push(format!("== {name}: expected\n{expected}== got\n{got}"));
        }
    }
    assert!(
        differing.is_empty(),
        "{} transcripts differ (UPDATE=1 rewrites):\n{}",
        differing.len(),
        differing.join("\n")
    );
}

pub(crate) fn goldens() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts")
}
