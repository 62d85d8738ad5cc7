//! Audits as a program: killed at any moment it goes on, its exit code is the answer to a bound, its memory does not grow with the data set.
//!
//! The model reads a red mark in the lower right corner and nothing else (`tests/audit/watermark.onnx`); the object is elsewhere.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::process::Stdio;
use std::time::Duration;

use support::Shell;
use support::arrays::{json, npy};

const SIDE: usize = 32;

/// Tensors of a grey scene with the mark in the corner, and their table. No two are alike.
fn scenes(shell: &Shell, count: usize) {
    std::fs::create_dir(shell.path("scenes")).unwrap();
    let mut table = String::from("path,class,x0,y0,x1,y1\n");
    for number in 0..count {
        let value = |at: usize| {
            let (channel, y, x) = (at / SIDE / SIDE, at / SIDE % SIDE, at % SIDE);
            let in_mark = y >= SIDE - 4 && x >= SIDE - 4;
            if in_mark { f32::from(u8::from(channel == 0)) } else { 0.2 + (number % 97) as f32 / 200.0 }
        };
        let values: Vec<f32> = (0..3 * SIDE * SIDE).map(value).collect();
        let name = format!("scenes/{number:05}.npy");
        shell.write(&name, &npy("3, 32, 32", &values));
        table.push_str(&format!("{number:05}.npy,1,{},4,{},12\n", number % 16, number % 16 + 8));
    }
    shell.write("scenes/table.csv", table.as_bytes());
}

fn line(folder: &str, flags: &str) -> String {
    format!(
        "audit tests/audit/watermark.onnx [TMP]/scenes/table.csv -o [TMP]/{folder} --threads 2 --pages 1 {flags}"
    )
}

/// Every row of an audit but for its order, as text.
fn rows(shell: &Shell, folder: &str) -> Vec<String> {
    let mut all = Vec::new();
    occlude::audit::rows(shell.path(folder).join("rows"), &mut |row| {
        all.push(serde_json::to_string(&row).unwrap());
        Ok(())
    })
    .unwrap();
    all.sort();
    all
}

/// Bytes of rows on the disk.
fn size(shell: &Shell, folder: &str) -> u64 {
    let of = |path: std::path::PathBuf| std::fs::metadata(path).map_or(0, |meta| meta.len());
    let parts = std::fs::read_dir(shell.path(folder).join("rows"));
    let parts: u64 = parts.map_or(0, |parts| parts.map(|part| of(part.unwrap().path())).sum());
    parts + of(shell.path(folder).join("journal"))
}

#[test]
fn killed_at_any_moment_it_goes_on_and_loses_nothing() {
    let shell = Shell::new();
    // More than one part.
    scenes(&shell, 1100);
    shell.done(&line("whole", "--window 16 -q --fill 0"));
    let whole = rows(&shell, "whole");
    assert_eq!(whole.len(), 1100);
    // Killed again and again, each time a little later, until it ends by itself.
    let (mut kills, mut before) = (0, 0);
    for wait in (0..).map(|turn| 20 + 60 * turn) {
        let mut child = shell
            .command(&line("killed", "--window 16 -q --fill 0"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(wait));
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success());
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        let after = size(&shell, "killed");
        // What is folded takes less room than in the journal, but no row is lost: the count is checked in the end.
        before = after.max(before);
    }
    assert!(kills > 2 && before > 0, "{kills} kills");
    assert_eq!(rows(&shell, "killed"), whole);
    let said = shell.done(&line("killed", "--window 16 --fill 0"));
    assert!(shell.said(&said).contains("1100 images from earlier runs"), "{}", shell.said(&said));
    assert_eq!(rows(&shell, "killed"), whole);
}

#[test]
fn a_bound_is_an_exit_code() {
    let shell = Shell::new();
    scenes(&shell, 6);
    let output = shell.run(&line("a", "--max-surroundings 0.5 --fill 0"));
    let said = shell.said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("100% of the clear verdicts are surroundings, 50% are allowed"), "{said}");
    assert_eq!(shell.run(&line("a", "--max-surroundings 1 --fill 0")).status.code(), Some(0));
    let summary = json(&shell.done(&line("a", "--json -q --fill 0")).stdout);
    assert_eq!((summary["schema"].as_str(), summary["rows"].as_u64()), (Some("occlude.audit/1"), Some(6)));
    assert_eq!(summary, json(&shell.read("a/summary.json")));
    // The red fill makes the whole picture a mark: nothing is clear, so the bound is not kept.
    let output = shell.run(&line("b", "--max-surroundings 1 --fill 1,0,0"));
    let said = shell.said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("no image has a clear verdict"), "{said}");
    // A broken image fails the check too, unless some are allowed.
    shell.write("scenes/00003.npy", b"broken");
    let output = shell.run(&line("c", "--max-surroundings 1 --fill 0"));
    let said = shell.said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("1 of 6 rows are errors"), "{said}");
    let allowed = shell.run(&line("c", "--max-surroundings 1 --max-errors 0.2 --fill 0"));
    assert_eq!(allowed.status.code(), Some(0));
}

/// The most memory that an audit of so many images takes, in MiB.
#[cfg(target_os = "linux")]
fn peak(count: usize) -> u64 {
    let shell = Shell::new();
    scenes(&shell, count);
    let mut child = shell
        .command(&line("a", "--window 32 --elsewhere 0 -q --fill 0"))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut most = 0;
    loop {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
        most = line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(most).max(most);
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success());
            return most >> 10;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn memory_does_not_grow_with_the_data_set() {
    let (few, many) = (peak(1500), peak(6000));
    // Names and keys stay in memory, 300 bytes an image; rows, maps and images do not.
    assert!(many <= few + 12, "{few} MiB for 1500 images, {many} MiB for 6000");
}
