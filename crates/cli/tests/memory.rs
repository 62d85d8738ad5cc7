//! The memory that `plan` names is the most that `map` takes, at several limits, and more windows take no more of it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(target_os = "linux")]

mod support;

use std::process::{Child, Stdio};
use std::time::Duration;

use support::arrays::json;
use support::{COFFEE, DEMO, Shell};

/// The most memory that a process had until now, in bytes; `None` once it has ended.
fn peak(child: &Child) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

/// Runs a command line and returns its peak.
fn peak_of(shell: &Shell, line: &str) -> u64 {
    let mut child = shell.command(line).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut most = 0;
    loop {
        most = peak(&child).unwrap_or(most).max(most);
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{line}");
            return most;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The terms of `plan`: packed weights, kept baseline, in flight, allowance.
fn planned(shell: &Shell, flags: &str) -> [u64; 4] {
    let plan = json(&shell.done(&format!("plan {DEMO} {COFFEE} {flags} --json")).stdout);
    ["weights", "baseline", "in_flight", "allowance"].map(|term| plan["memory"][term].as_u64().unwrap())
}

#[test]
fn a_map_stays_within_the_terms_of_its_plan() {
    let shell = Shell::new();
    for flags in [
        "--window 32 --stride 16",
        "--window 32 --stride 16 --memory-limit 150M",
        "--window 64 --stride 16 --engine gather",
        "--window 64 --stride 32 --engine full",
    ] {
        let terms = planned(&shell, flags);
        let bound: u64 = terms.iter().sum();
        let measured = peak_of(&shell, &format!("map {DEMO} {COFFEE} {flags}"));
        let mib = |bytes: u64| bytes >> 20;
        assert!(
            measured <= bound,
            "{flags}: {} MiB measured, {} planned ({:?} MiB)",
            mib(measured),
            mib(bound),
            terms.map(mib)
        );
        // The weights at least were in memory, or this measured something else.
        assert!(measured > terms[0], "{flags}: {} MiB measured", mib(measured));
    }
    let small = planned(&shell, "--window 32 --stride 16 --memory-limit 150M");
    let large = planned(&shell, "--window 32 --stride 16");
    assert!(small.iter().sum::<u64>() <= 150 << 20, "{small:?}");
    assert!(small[2] < large[2], "fewer windows in flight: {small:?}, {large:?}");
}

#[test]
fn many_windows_take_no_more_memory_than_few() {
    let shell = Shell::new();
    let few = peak_of(&shell, &format!("map {DEMO} {COFFEE} --window 16 --stride 23 --memory-limit 200M"));
    let many = peak_of(&shell, &format!("map {DEMO} {COFFEE} --window 16 --stride 6 --memory-limit 200M"));
    // 100 and 1,296 windows; what grows is the map itself, some kilobytes.
    assert!(many < few + (8 << 20), "{} KiB for many, {} KiB for few", many >> 10, few >> 10);
}
