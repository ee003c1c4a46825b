//! The command.

use std::process::{Command, Output};

#[test]
fn it_says_in_json_what_it_explored_and_that_every_promise_holds() {
    let output = run(&["--json", "--crashes", "0", "--restarts", "0", "--acts", "2", "--losses", "1"]);
    assert_eq!(output.status.code(), Some(0));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["verdict"], "holds");
    assert_eq!(report["bounds"]["acts"], 2);
    assert!(report["states"].as_u64().is_some_and(|states| states > 30), "{report}");
}

#[test]
fn a_broken_promise_is_exit_code_1_and_a_trace() {
    let output =
        run(&["--without", "goodbye-awaits-tail", "--crashes", "0", "--restarts", "0", "--byes", "1"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(text.contains("P29Bye      A says goodbye"), "{text}");
}

#[test]
fn what_makes_no_sense_is_exit_code_64() {
    for arguments in
        [&["--without", "gravity"][..], &["--nodes", "1"], &["--restarts", "9"], &["--promise", "S9"]]
    {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        assert!(!output.stderr.is_empty());
    }
}

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_unstale-model")).args(arguments).output().expect("it runs")
}
