//! `unstale audit check` from outside.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use unstale_audit::{Begin, Clock, Marks, Read, Scribe, Served, Write};

const KEY: &[u8] = b"user 7";

fn check(arguments: &[&str], files: &[&Path]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_unstale"));
    command.args(["audit", "check"]).args(arguments).args(files).output().expect("the command is built")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A history in which a1 reads, proven within 250 ms, `age` ms after b1 announced something newer.
fn history(age: u64) -> Vec<u8> {
    let begin = Begin { clock: Clock::virtual_time(), marks: Marks::EveryFault, at: 0, source: "test" };
    let mut scribe = Scribe::new(Vec::new(), &begin).expect("memory");
    let (a, b) = (scribe.process("a1", 0).expect("memory"), scribe.process("b1", 0).expect("memory"));
    scribe.write(&Write { announced: true, ended: 1_000_000, ..Write::new(b, KEY, 2) }).expect("memory");
    let read = Read { within: Some(250_000_000), session: Some(1), ..Read::new(a, KEY, 2, Served::Hit) };
    scribe.read(&Read { began: 1_000_000, ended: 1_000_001, ..read }).expect("memory");
    let began = (1 + age) * 1_000_000;
    scribe.read(&Read { began, ended: began + 1_000, version: Some(1), ..read }).expect("memory");
    scribe.finish().expect("memory")
}

fn file(folder: &tempfile::TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).expect("written");
    path
}

#[test]
fn a_broken_promise_is_a_no_with_its_record_and_what_happened_around_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = file(&folder, "bad", &history(251));
    let output = check(&[], &[&path]);
    assert_eq!(output.status.code(), Some(1));
    let words = text(&output.stdout);
    assert!(
        words.starts_with("NOT COHERENT\n2 reads and 1 writes (1 announced) of 1 keys by 2 processes"),
        "{words}"
    );
    for part in [
        "1 of 2 were called proven and were older than that",
        "record 7 of ",
        "a1 answered user 7 as version 1 where 2 was due: the answer was called proven.",
        "-251.000 ms  record 5: b1 wrote version 2 (announced, took 1.000 ms)  <- this was due",
        "proven within 250.000 ms, in session 1  <- the read",
    ] {
        assert!(words.contains(part), "{part} in {words}");
    }
}

#[test]
fn what_was_kept_is_a_yes_unless_more_is_demanded() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = file(&folder, "good", &history(200));
    let output = check(&["--json"], &[&path]);
    assert_eq!(output.status.code(), Some(0));
    let verdict: Value = serde_json::from_slice(&output.stdout).expect("one line of JSON");
    assert_eq!((&verdict["verdict"], &verdict["complete"]), (&"coherent".into(), &true.into()));
    assert_eq!((&verdict["judged"]["proven"], &verdict["went_back"]), (&2.into(), &1.into()), "{verdict:#}");

    let output = check(&["--json", "--monotone"], &[&path]);
    assert_eq!(output.status.code(), Some(1));
    let verdict: Value = serde_json::from_slice(&output.stdout).expect("one line of JSON");
    assert_eq!(verdict["stale_by_promise"]["monotone"], 1, "{verdict:#}");
    assert_eq!(
        (&verdict["examples"][0]["promise"], &verdict["examples"][0]["record"]),
        (&"monotone".into(), &7.into())
    );
}

#[test]
fn a_history_that_is_not_complete_says_so_and_is_checked_as_far_as_it_goes() {
    let folder = tempfile::tempdir().expect("a folder");
    let whole = history(200);
    let path = file(&folder, "torn", &whole[..whole.len() - 3]);
    let output = check(&[], &[&path]);
    let words = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{words}");
    assert!(words.starts_with("COHERENT, as far as was recorded\n"), "{words}");
    assert!(words.contains("ends within a record, which begins at byte "), "{words}");
}

#[test]
fn bad_bytes_are_65_and_a_file_that_is_not_there_is_66() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = file(&folder, "other", b"something else");
    let output = check(&[], &[&path]);
    assert_eq!(output.status.code(), Some(65));
    let error = text(&output.stderr);
    assert!(error.contains("at byte 0, record 0: not a history"), "{error}");

    let mut bytes = history(200);
    // The kind of the first record: nobody began.
    bytes[9] = 6;
    let path = file(&folder, "beheaded", &bytes);
    let output = check(&[], &[&path]);
    assert_eq!(output.status.code(), Some(65));
    assert!(text(&output.stderr).contains("at byte 8, record 1: a record before the first begin"));

    for absent in [folder.path().join("absent"), folder.path().to_owned()] {
        let output = check(&[], &[&absent]);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(66), 0), "{}", text(&output.stderr));
    }
    assert_eq!(check(&[], &[]).status.code(), Some(64));
}

#[test]
fn help_shows_examples_and_exit_codes() {
    let help = text(&check(&["--help"], &[]).stdout);
    for part in
        ["--monotone", "--json", "Examples:", "Exit codes: 0 coherent, 1 not coherent, 64 bad usage, 65"]
    {
        assert!(help.contains(part), "{part} in {help}");
    }
}
