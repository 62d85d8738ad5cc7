//! Running the binary and comparing what it said with a golden transcript.
//!
//! A transcript is the command line, standard output, standard error and the exit code. Times, sizes, memory and the instruction set differ between
//! machines and are masked; the temporary folder is `[TMP]`. `UPDATE=1 cargo test` rewrites the goldens.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

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

    /// `[TMP]` in an argument stands for the temporary folder.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_occlude"));
        let tmp = self.folder.path().to_string_lossy().into_owned();
        command.args(
            line.split(' ')
                .filter(|w| !w.is_empty())
                .map(|word| word.replace("[TMP]", &tmp).replace('~', " ")),
        );
        command.current_dir(root()).env_remove("ORT_DYLIB_PATH").env("NO_COLOR", "1").env("COLUMNS", "100");
        command
    }

    pub(crate) fn run(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    /// What a run said, masked.
    pub(crate) fn transcript(&self, line: &str) -> String {
        let output = self.run(line);
        let text = |bytes: &[u8]| {
            mask(&String::from_utf8_lossy(bytes).replace(&*self.folder.path().to_string_lossy(), "[TMP]"))
        };
        format!(
            "$ occlude {line}\n----- stdout\n{}----- stderr\n{}----- exit {}\n",
            text(&output.stdout),
            text(&output.stderr),
            output.status.code().unwrap_or(-1)
        )
    }
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Lines that say time, size or memory keep only what does not depend on the machine.
fn mask(text: &str) -> String {
    let keep =
        |line: &str, marker: &str| line.find(marker).map(|at| format!("{}{marker} [...]", &line[..at]));
    let line = |line: &str| {
        let word = line.split_whitespace().next().unwrap_or_default();
        let masked = match word {
            "windows" if line.contains("/s, builtin") => {
                line.rfind(" · ").map(|at| format!("{} · [...]", &line[..at]))
            }
            "check" => keep(line, "difference"),
            "wrote" => keep(line, " ("),
            "memory" | "time" | "sha256" => keep(line, word),
            _ if line.contains("is too small: this model needs") => keep(line, "this model needs"),
            _ if line.starts_with("hint: `--memory-limit") => Some("hint: `--memory-limit [...]".to_string()),
            _ => None,
        };
        masked.unwrap_or_else(|| line.to_string()) + "\n"
    };
    text.lines().map(line).collect()
}

/// Compares transcripts with their goldens, all of them, and reports every one that differs.
pub(crate) fn compare(cases: &[(&str, String)]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let update = std::env::var_os("UPDATE").is_some();
    let mut differing = Vec::new();
    for (name, got) in cases {
        let golden = folder.join(format!("{name}.txt"));
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
