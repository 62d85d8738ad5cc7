//! The program among others: exit codes, pipes, Ctrl-C.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::Read;
use std::process::Stdio;

use support::arrays::json;
use support::{COFFEE, DEMO, QUICK, Shell};

#[test]
fn one_bad_input_does_not_stop_the_others() {
    let shell = Shell::new();
    shell.write("bad.jpg", b"no picture");
    let output = shell.run(&format!("map {DEMO} [TMP]/bad.jpg {COFFEE} {QUICK} -o [TMP]/{{stem}}.json"));
    let said = shell.said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.lines().last().unwrap().ends_with("1 of 2 inputs failed: [TMP]/bad.jpg"), "{said}");
    assert_eq!(json(&shell.read("coffee.json"))["complete"], true);
    let output = shell.run(&format!("map {DEMO} [TMP]/bad.jpg nowhere.png {QUICK} -o [TMP]/{{stem}}.npy"));
    let said = shell.said(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("2 of 2 inputs failed: [TMP]/bad.jpg, nowhere.png"), "{said}");
    assert_eq!(shell.files(), ["bad.jpg", "coffee.json"]);
}

/// Runs with standard output closed by the reader before anything was written.
fn with_closed_output(line: &str) {
    let shell = Shell::new();
    let mut child = shell.command(line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), shell.said(&output).as_str()), (Some(0), ""), "{line}");
}

#[test]
fn a_closed_pipe_is_no_failure() {
    with_closed_output(&format!("map {DEMO} {COFFEE} {QUICK} -q -o -"));
    with_closed_output(&format!("map {DEMO} {COFFEE} {QUICK} -q --json"));
    with_closed_output(&format!("inspect -v {DEMO}"));
    with_closed_output(&format!("plan {DEMO} {COFFEE}"));
    with_closed_output("completions zsh");
    with_closed_output("--help");
}

#[test]
fn a_reader_that_leaves_in_the_middle_is_no_failure() {
    let shell = Shell::new();
    let mut child = shell
        .command(&format!("map {DEMO} {COFFEE} {QUICK} --target all -q -o -"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), shell.said(&output).as_str()), (Some(0), ""));
}

#[test]
fn nobody_listening_to_standard_error_is_no_failure() {
    let shell = Shell::new();
    let mut child = shell
        .command(&format!("map {DEMO} {COFFEE} {QUICK} -o [TMP]/m.npy"))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(shell.path("m.npy").exists());
}

#[cfg(unix)]
mod interrupt {
    use super::*;
    use std::time::Duration;
    use support::arrays::{Array, npz};

    /// A window at every pixel takes minutes.
    const LONG: &str = "--window 16 --stride 1";

    fn signal(child: &std::process::Child) {
        let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
        assert!(kill.unwrap().success());
    }

    /// Starts a job, sends Ctrl-C in the middle of its windows, and returns exit code and standard error.
    fn interrupted(shell: &Shell, line: &str) -> (Option<i32>, String) {
        let mut child = shell.command(line).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = Vec::new();
        let mut pipe = child.stderr.take().unwrap();
        let mut byte = [0];
        while !String::from_utf8_lossy(&said).contains("\nplan") && pipe.read(&mut byte).unwrap() == 1 {
            said.push(byte[0]);
        }
        // Time for a first group of windows, also on a busy machine.
        std::thread::sleep(Duration::from_secs(3));
        signal(&child);
        pipe.read_to_end(&mut said).unwrap();
        (child.wait().unwrap().code(), String::from_utf8_lossy(&said).into_owned())
    }

    /// What was computed is saved in every format and marked; its values are those of a complete run, which replaces the files.
    #[test]
    fn an_interrupted_run_keeps_what_it_has() {
        let shell = Shell::new();
        let outputs =
            ["json", "npy", "npz", "html", "png"].map(|ending| format!("-o [TMP]/m.{ending}")).join(" ");
        let job = format!("map {DEMO} {COFFEE} {LONG} {outputs}");
        let (code, said) = interrupted(&shell, &job);
        assert_eq!(code, Some(130), "{said}");
        assert!(said.contains("the map is marked incomplete"), "{said}");
        let map = json(&shell.read("m.json"));
        assert_eq!(map["complete"], false);
        let computed = map["computed"].as_u64().unwrap() as usize;
        let part = Array::read(&shell.read("m.npy"));
        assert_eq!(part.shape, [209, 209]);
        let part = part.f32();
        assert_eq!(part.iter().filter(|v| !v.is_nan()).count(), computed);
        assert!(computed > 0 && computed < part.len(), "{computed} of {}", part.len());
        assert_eq!(npz(&shell.read("m.npz"))["complete"].bytes, [0]);
        assert!(shell.read("m.png").starts_with(b"\x89PNG") && shell.read("m.html").starts_with(b"<!"));
        assert_eq!(shell.files().len(), 5, "{:?}", shell.files());
        // Coarse to fine: what is there is spread over the whole picture.
        let is_in = |i: usize, (y, x): (usize, usize)| i / 209 / 105 == y && i % 209 / 105 == x;
        for quarter in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            assert!(
                (0..part.len()).any(|i| is_in(i, quarter) && !part[i].is_nan()),
                "nothing in quarter {quarter:?}"
            );
        }

        // The job again, for one of the windows that were computed.
        let place = (0..part.len()).rfind(|&i| !part[i].is_nan()).unwrap();
        let centre = [place / 209 + 8, place % 209 + 8];
        let roi = centre.map(|c| format!("{c}:{}", c + 1)).join(",");
        shell.done(&format!("{job} --roi {roi}"));
        let again = npz(&shell.read("m.npz"));
        assert_eq!((again["complete"].bytes[0], &again["map"].shape[..]), (1, &[1, 1][..]));
        assert_eq!(json(&shell.read("m.json"))["complete"], true);
        assert_eq!(again["map"].f32(), [part[place]], "window {place}");
    }

    /// A verification that is stopped says what it compared, and is no success.
    #[test]
    fn an_interrupted_verification_says_how_far_it_went() {
        let shell = Shell::new();
        let job = format!("verify {DEMO} {COFFEE} {LONG} -o [TMP]/both.npz");
        let (code, said) = interrupted(&shell, &job);
        assert_eq!(code, Some(130), "{said}");
        assert!(said.contains(" of 43681 windows were compared"), "{said}");
        let arrays = npz(&shell.read("both.npz"));
        assert_eq!((&arrays["complete"].bytes[..], &arrays["full"].shape[..]), (&[0][..], &[209, 209][..]));
        let compared = |name: &str| arrays[name].f32().iter().filter(|v| !v.is_nan()).count();
        assert_eq!(compared("map"), compared("full"));
    }

    /// What failed before is not forgotten, and what was not begun is counted.
    #[test]
    fn an_interrupted_call_accounts_for_every_input() {
        let shell = Shell::new();
        shell.write("bad.jpg", b"no picture");
        let inputs = format!("[TMP]/bad.jpg {COFFEE} examples/images/rocket.jpg");
        let (code, said) = interrupted(&shell, &format!("map {DEMO} {inputs} {LONG} -o [TMP]/{{stem}}.npy"));
        assert_eq!(code, Some(130), "{said}");
        assert!(said.contains("interrupted: 1 of 3 inputs not begun"), "{said}");
        let last = said.lines().last().unwrap();
        assert!(last.contains("1 of 3 inputs failed") && last.ends_with("bad.jpg"), "{said}");
        assert_eq!(shell.files(), ["bad.jpg", "coffee.npy"]);
    }
}
