//! One seed, one history.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;
use std::process::Command;

/// The last line of a run, without what differs from run to run.
fn line(args: &[&str]) -> serde_json::Value {
    let output = Command::new(Path::new(env!("CARGO_BIN_EXE_unstale-sim"))).args(args).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut line: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let keys = line.as_object_mut().unwrap();
    keys.retain(|key, _| !key.ends_with("_per_s") && !key.ends_with("_seconds"));
    line
}

#[test]
fn two_runs_of_one_seed_print_the_same_line() {
    for world in ["small", "mesh"] {
        for seed in ["1", "2", "7"] {
            let args = ["--world", world, "--seed", seed, "--json"];
            let one = line(&args);
            assert_eq!(one, line(&args), "{world} {seed}");
            assert_eq!(one["violations"], 0, "{world} {seed}: {one}");
            assert!(one["reads_checked"].as_u64().unwrap() > 1_000, "{one}");
        }
    }
}

#[test]
fn the_number_of_jobs_changes_no_history() {
    assert_eq!(
        line(&["--seeds", "4", "--jobs", "1", "--json"]),
        line(&["--seeds", "4", "--jobs", "3", "--json"])
    );
}

#[test]
fn wrong_usage_is_told_from_a_broken_promise() {
    let code = |args: &[&str]| {
        Command::new(Path::new(env!("CARGO_BIN_EXE_unstale-sim"))).args(args).output().unwrap().status.code()
    };
    assert_eq!(code(&["--without", "nonsense"]), Some(64));
    assert_eq!(code(&["--seeds", "many"]), Some(64));
    assert_eq!(code(&["--help"]), Some(0));
    assert_eq!(code(&["--list-faults"]), Some(0));
}
