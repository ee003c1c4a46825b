//! `unstale doctor`, run on real servers.

mod estates;
mod servers;
mod stores;
mod usage;

use std::process::{Output, Stdio};

use serde_json::Value;
use tokio::process::Command;

/// What a run printed, and how it ended.
pub(crate) struct Examined {
    pub(crate) code: Option<i32>,
    pub(crate) checks: Vec<Value>,
    pub(crate) summary: Value,
    pub(crate) text: String,
}

pub(crate) async fn unstale(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_unstale"));
    command.args(arguments).envs(environment.iter().copied()).stdin(Stdio::null());
    command.output().await.expect("the command is built")
}

/// Runs `unstale doctor --json` with these arguments.
pub(crate) async fn examine(arguments: &[&str], environment: &[(&str, &str)]) -> Examined {
    let output = unstale(&[&["doctor", "--json"], arguments].concat(), environment).await;
    let text = String::from_utf8(output.stdout).expect("text");
    let mut checks: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let summary =
        checks.pop().unwrap_or_else(|| panic!("nothing: {}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(summary["summary"], true, "{text}");
    Examined { code: output.status.code(), checks, summary, text }
}

impl Examined {
    /// The only finding of this name.
    pub(crate) fn check(&self, name: &str) -> &Value {
        self.named(name).next().unwrap_or_else(|| panic!("no {name} in {}", self.text))
    }

    pub(crate) fn named(&self, name: &str) -> impl Iterator<Item = &Value> {
        self.checks.iter().filter(move |check| check["check"] == name)
    }

    pub(crate) fn status(&self, name: &str) -> &str {
        self.check(name)["status"].as_str().expect("a status")
    }

    /// How a right is.
    pub(crate) fn right(&self, name: &str) -> &Value {
        self.named("right")
            .find(|check| check["right"] == name)
            .unwrap_or_else(|| panic!("no {name} in {}", self.text))
    }
}

/// The words of a finding.
pub(crate) fn says(check: &Value) -> &str {
    check["says"].as_str().expect("words")
}
