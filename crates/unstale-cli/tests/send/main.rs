//! `unstale send`, run on real servers.

mod dotnet;
mod fusion;
mod native;
mod usage;

use std::process::{Output, Stdio};

use serde_json::Value;
use tokio::process::Command;
use unstale_servers::Redis;

/// Runs `unstale send --codec fusion` with these arguments.
pub(crate) async fn run(url: &str, arguments: &[&str]) -> Output {
    run_codec("fusion", url, arguments).await
}

/// The same with any codec.
pub(crate) async fn run_codec(codec: &str, url: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_unstale"));
    command.args(["send", url, "--codec", codec]).args(arguments).stdin(Stdio::null());
    command.output().await.expect("the command is built")
}

/// The same with `--json`, which has to go well.
pub(crate) async fn send(redis: &Redis, arguments: &[&str]) -> Value {
    let output = run(&redis.url(), &[arguments, &["--json"]].concat()).await;
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one line of JSON")
}
