//! The command line from outside.

use std::process::{Command, Output};

fn unstale(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_unstale")).args(arguments).output().expect("the command is built")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn help_shows_examples_and_exit_codes() {
    let help = unstale(&["demo", "--help"]);
    assert_eq!(help.status.code(), Some(0));
    let help = text(&help.stdout);
    for part in ["--faults", "--naive", "--json", "Examples:", "Exit codes: 0 coherent, 1 not coherent, 64"] {
        assert!(help.contains(part), "{part} in {help}");
    }
    assert!(!text(&unstale(&["--help"]).stdout).contains("demo-node"));
}

#[test]
fn bad_usage_is_64_and_says_what_is_wrong() {
    for (arguments, part) in [
        (&["demo", "--faults=flood"][..], "`flood`"),
        (&["demo", "--seconds", "5"], "--faults=none"),
        (&["demo", "--nodes", "1"], "1 is not in 2..=16"),
        (&["demo", "--record", "/nowhere/at/all"], "no history can be recorded there"),
        (&["demo", "--record", env!("CARGO_MANIFEST_PATH")], "not a history"),
        (&["audit"], "check"),
        (&["nothing"], "nothing"),
        (&[], "Usage"),
    ] {
        let output = unstale(arguments);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        assert!(text(&output.stderr).contains(part), "{arguments:?}: {}", text(&output.stderr));
    }
}

#[test]
fn completions_know_the_demo() {
    for shell in ["bash", "zsh", "fish"] {
        let output = unstale(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0));
        assert!(text(&output.stdout).contains("naive"), "{shell}");
    }
}

#[test]
fn a_node_without_a_supervisor_ends_at_once() {
    let output = Command::new(env!("CARGO_BIN_EXE_unstale"))
        .arg("demo-node")
        .stdin(std::process::Stdio::null())
        .output()
        .expect("the command is built");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0));
}
