//! A live FusionCache node of .NET, driven by lines of JSON, over the same database.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::source::{Row, Source};
use crate::demo::clock;
use crate::demo::line::{ActNumber, Start};

/// How long it may take to start on a machine that is busy.
const STARTING: Duration = Duration::from_secs(30);
/// How long an answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Longer than a run: whatever leaves the cache was invalidated.
const DURATION_MS: u64 = 4 * 3_600_000;

/// The node, which answers one request after the other.
#[derive(Debug)]
pub(super) struct Dotnet {
    pipes: Mutex<Pipes>,
    source: Arc<Source>,
    name: String,
    number: AtomicU64,
    /// Killed with this process, or at the end of its standard input.
    _child: Child,
}

#[derive(Debug)]
struct Pipes {
    requests: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Dotnet {
    /// Starts it, and waits until it has subscribed.
    pub(super) async fn start(program: &Path, start: &Start, source: Arc<Source>) -> io::Result<Self> {
        let spoke = start.hub.as_ref().ok_or_else(|| io::Error::other("a node of .NET needs a Redis"))?;
        let name = spoke.name();
        let mut command = Command::new(program);
        command.args(["--redis", &spoke.address.to_string(), "--cache-name", &name, "--serializer", "stj"]);
        command.args(["--key-prefix", &format!("{name}:")]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (requests, answers) = pipes.ok_or_else(|| io::Error::other("a pipe to the node is missing"))?;
        let mut pipes = Pipes { requests, answers: BufReader::new(answers).lines() };
        let ready = timeout(STARTING, pipes.answer()).await??;
        if ready["ready"] != true {
            return Err(io::Error::other(format!("the node of .NET is not ready: {ready}")));
        }
        Ok(Self {
            pipes: Mutex::new(pipes),
            source,
            name: start.name.clone(),
            number: AtomicU64::new(0),
            _child: child,
        })
    }

    /// What it holds, else what the database says. Its factory is given what the database said just before: a load that
    /// began then.
    pub(super) async fn get_or_load(&self, row: u32) -> Result<Row, Failure> {
        let mut pipes = self.pipes.lock().await;
        let held =
            pipes.ask(&json!({ "op": "get", "key": row.to_string(), "duration_ms": DURATION_MS })).await?;
        if let Some(row) = held["value"].as_str().and_then(parse) {
            return Ok(row);
        }
        let loaded = self.source.load(row).await?;
        let request = json!({
            "op": "get_or_set", "key": row.to_string(), "value": loaded.to_string(), "duration_ms": DURATION_MS,
        });
        let answer = pipes.ask(&request).await?;
        answer["value"].as_str().and_then(parse).ok_or_else(|| format!("no row: {answer}").into())
    }

    /// Removes a row on every node.
    pub(super) async fn remove(&self, row: u32) -> Result<ActNumber, Failure> {
        let mut pipes = self.pipes.lock().await;
        pipes.ask(&json!({ "op": "remove", "key": row.to_string(), "duration_ms": DURATION_MS })).await?;
        let number = self.number.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(ActNumber { stream: format!("{}@{}", self.name, clock::now()), number })
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

impl Pipes {
    async fn ask(&mut self, request: &Value) -> io::Result<Value> {
        self.requests.write_all(format!("{request}\n").as_bytes()).await?;
        self.requests.flush().await?;
        let answer = timeout(ANSWER_MAX, self.answer()).await??;
        match answer.get("error") {
            Some(error) if !error.is_null() => Err(io::Error::other(error.to_string())),
            _ => Ok(answer),
        }
    }

    async fn answer(&mut self) -> io::Result<Value> {
        let line = self.answers.next_line().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        serde_json::from_str(&line).map_err(io::Error::other)
    }
}

/// A row as both kinds of node write it.
fn parse(text: &str) -> Option<Row> {
    text.parse().ok()
}
