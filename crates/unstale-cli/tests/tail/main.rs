//! `unstale tail`, run on real servers.

mod dotnet;
mod ends;
mod messages;
mod native;

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;
use unstale_servers::Redis;

/// Far beyond anything that passes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running `unstale tail --json`.
pub(crate) struct Tail {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Tail {
    /// Starts it, and waits until it listens.
    pub(crate) async fn start(redis: &Redis, arguments: &[&str]) -> Self {
        let mut tail = Self::of(&redis.url(), arguments);
        let listening = tail.next().await;
        assert_eq!(listening["event"], "listening", "{listening}");
        tail
    }

    pub(crate) fn of(url: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_unstale"));
        command.args(["tail", "--json", url]).args(arguments).kill_on_drop(true);
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("the command is built");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        Self { child, lines }
    }

    /// The next line.
    pub(crate) async fn next(&mut self) -> Value {
        let line = timeout(PATIENCE, self.lines.next_line()).await.expect("a line in time");
        let line = line.expect("text").expect("it goes on");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// The next line of this event, past all others.
    pub(crate) async fn until(&mut self, event: &str) -> Value {
        loop {
            let line = self.next().await;
            if line["event"] == event {
                return line;
            }
        }
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let id =
            self.child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed())).expect("it runs");
        rustix::process::kill_process(id, signal).expect("it runs");
    }

    pub(crate) async fn end(mut self) -> ExitStatus {
        timeout(PATIENCE, self.child.wait()).await.expect("it ends").expect("it ends")
    }
}

/// Publishes bytes that need not be text.
pub(crate) async fn publish(redis: &Redis, channel: &str, payload: &[u8]) {
    let words: Vec<String> = payload.iter().map(|byte| format!("\\{byte:03}")).collect();
    let literal = words.concat();
    // Lua takes any byte in decimal digits, the harness only text.
    let script = format!("return redis.call('PUBLISH', ARGV[1], '{literal}')");
    redis.command(&["EVAL", &script, "0", channel]).await.expect("published");
}
