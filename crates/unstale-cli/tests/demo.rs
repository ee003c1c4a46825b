//! The demo as a user runs it: real processes, faults, a verdict.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;

fn demo(arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_unstale"));
    command.arg("demo").args(arguments).env("TMPDIR", folder).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs it to its end: the exit code and the lines, which are JSON objects.
fn run(arguments: &[&str]) -> (Option<i32>, Vec<Value>) {
    let folder = tempfile::tempdir().expect("a folder");
    let output = demo(arguments, folder.path()).output().expect("the command is built");
    let left: Vec<_> = folder.path().read_dir().expect("the folder").flatten().collect();
    assert!(left.is_empty(), "{left:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    let lines = text.lines().map(|line| serde_json::from_str(line).expect("a line is an object")).collect();
    eprintln!("{}", String::from_utf8_lossy(&output.stderr));
    (output.status.code(), lines)
}

/// Judges the history of a run again: the exit code and the verdict.
fn check(history: &Path) -> (Option<i32>, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_unstale"));
    let output =
        command.args(["audit", "check", "--json"]).arg(history).output().expect("the command is built");
    eprintln!("{}", String::from_utf8_lossy(&output.stderr));
    (output.status.code(), serde_json::from_slice(&output.stdout).expect("one line of JSON"))
}

#[test]
fn a_run_with_every_fault_ends_coherent_and_its_history_says_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let history = folder.path().join("history");
    let record = history.to_str().expect("text");
    let (code, lines) = run(&["--json", "--seconds", "16", "--seed", "1", "--record", record]);
    let verdict = lines.last().expect("a verdict");
    assert_eq!(
        (code, &verdict["verdict"], &verdict["stale_reads"]),
        (Some(0), &"coherent".into(), &0.into()),
        "{verdict:#}"
    );
    assert_eq!(verdict["nodes"], 6);
    for kind in ["kill", "pause", "cut"] {
        assert!(verdict["faults"][kind].as_u64() >= Some(1), "{verdict:#}");
    }
    // The verdict rests on something.
    for judged in ["plain", "proven", "session", "settled"] {
        assert!(verdict["judged"][judged].as_u64() > Some(100), "{judged} in {verdict:#}");
    }
    assert!(verdict["frames_lost"].as_u64() > Some(0), "{verdict:#}");
    assert!(verdict["propagation_us_p50"].as_u64() > Some(0), "{verdict:#}");
    assert!(lines.len() >= 15, "a line per second");

    let (code, checked) = check(&history);
    assert_eq!((code, &checked["stale_reads"]), (Some(0), &0.into()), "{checked:#}");
    assert_eq!(
        (&checked["complete"], &checked["faults_marked"]),
        (&true.into(), &true.into()),
        "{checked:#}"
    );
    for same in ["judged", "reads", "writes"] {
        assert_eq!(checked[same], verdict[same], "{same} in {checked:#}");
    }
}

#[test]
fn a_naive_cache_is_found_out_even_without_faults() {
    let folder = tempfile::tempdir().expect("a folder");
    let history = folder.path().join("history");
    let record = history.to_str().expect("text");
    for faults in ["none", "kill,pause,cut"] {
        // Two writes to one row within the time that a load is under way are what it takes. With the usual 20 a second some runs
        // see none.
        let mut arguments = vec!["--json", "--naive", "--seconds", "10", "--writes", "100"];
        arguments.extend(["--record", record, "--faults", faults]);
        let (code, lines) = run(&arguments);
        let verdict = lines.last().expect("a verdict");
        assert_eq!((code, &verdict["verdict"]), (Some(1), &"not coherent".into()), "{verdict:#}");
        assert!(verdict["stale_reads"].as_u64() > Some(0), "{verdict:#}");
        let (code, checked) = check(&history);
        assert_eq!((code, &checked["verdict"]), (Some(1), &"not coherent".into()), "{checked:#}");
        assert!(
            checked["examples"][0]["around"].as_array().is_some_and(|lines| lines.len() > 1),
            "{checked:#}"
        );
    }
}

#[test]
fn an_interrupted_run_leaves_no_process_and_no_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut supervisor = demo(&["--naive", "--seconds", "60"], folder.path()).spawn().expect("built");
    // The first line says that it starts, the next ones come while it runs.
    let mut lines = BufReader::new(supervisor.stdout.take().expect("piped")).lines();
    assert!(lines.nth(1).is_some());
    let nodes = children(&supervisor);
    assert_eq!(nodes.len(), 6);
    kill_process(pid(supervisor.id()), Signal::INT).expect("it runs");
    assert_eq!(supervisor.wait().expect("it ends").code(), Some(130));
    assert!(nodes.iter().all(|node| test_kill_process(*node).is_err()), "no node is left");
    assert_eq!(folder.path().read_dir().expect("the folder").count(), 0);
}

#[test]
fn nodes_end_by_themselves_when_their_supervisor_is_killed() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut supervisor = demo(&["--naive", "--seconds", "60"], folder.path()).spawn().expect("built");
    let mut stderr = supervisor.stderr.take().expect("piped");
    let mut lines = BufReader::new(supervisor.stdout.take().expect("piped")).lines();
    assert!(lines.nth(1).is_some());
    assert_eq!(children(&supervisor).len(), 6);
    supervisor.kill().expect("it runs");
    supervisor.wait().expect("it ends");
    // Every node has inherited this pipe: it ends when the last of them does.
    stderr.read_to_end(&mut Vec::new()).expect("the end");
}

fn pid(id: u32) -> Pid {
    Pid::from_raw(id.cast_signed()).expect("a process")
}

/// The processes that `supervisor` has started.
fn children(supervisor: &Child) -> Vec<Pid> {
    let processes = Path::new("/proc").read_dir().expect("processes").flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let parent = |id: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // After the name in parentheses: state, parent.
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse::<u32>().ok()
    };
    ids.filter(|id| parent(*id) == Some(supervisor.id())).map(pid).collect()
}
