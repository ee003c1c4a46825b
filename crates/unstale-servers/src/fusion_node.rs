//! A live .NET FusionCache node, driven by lines of JSON.

use std::io;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::pipe;
use tokio::time::timeout;

use crate::program::Program;

/// How long an answer may take; the node's own benches run for seconds.
const ANSWER_MAX: Duration = Duration::from_secs(120);

/// A running FusionCache node on one Redis; killed when dropped. What it can be asked is described beside the program.
#[derive(Debug)]
pub struct FusionNode {
    child: Child,
    requests: pipe::Sender,
    answers: BufReader<pipe::Receiver>,
    ready: Value,
}

impl FusionNode {
    /// Starts it on the Redis at `address`, `HOST:PORT`, with further arguments such as `--serializer messagepack`, and
    /// waits until it has subscribed.
    ///
    /// # Errors
    /// If the program is not there, dies, or says nothing within 120 s.
    pub async fn start(address: &str, arguments: &[&str]) -> io::Result<Self> {
        let program = Program::FusionNode;
        let path =
            program.path().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, program.missing()))?;
        let mut command = Command::new(path);
        command.arg("--redis").arg(address).args(arguments);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn()?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (requests, answers) = pipes.ok_or(io::ErrorKind::BrokenPipe)?;
        let requests = pipe::Sender::from_owned_fd(requests.into())?;
        let answers = BufReader::new(pipe::Receiver::from_owned_fd(answers.into())?);
        let mut node = Self { child, requests, answers, ready: Value::Null };
        node.ready = node.line().await?;
        if node.ready["ready"] == true { Ok(node) } else { Err(io::Error::other(node.ready.to_string())) }
    }

    /// Its first line: `instance_id`, `fusioncache` (its version), `channel`.
    pub fn ready(&self) -> &Value {
        &self.ready
    }

    /// Sends one request and waits for its answer.
    ///
    /// # Errors
    /// If the node has died, answers nothing within 120 s, or answers with an error.
    pub async fn ask(&mut self, request: &Value) -> io::Result<Value> {
        self.requests.write_all(format!("{request}\n").as_bytes()).await?;
        let answer = self.line().await?;
        if answer.get("error").is_some_and(|error| !error.is_null()) {
            return Err(io::Error::other(format!("{request}: {answer}")));
        }
        Ok(answer)
    }

    /// `kill -9`, and waits for its end. Every later request fails.
    pub fn kill(&mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a killed child ends");
    }

    async fn line(&mut self) -> io::Result<Value> {
        let mut line = String::new();
        timeout(ANSWER_MAX, self.answers.read_line(&mut line)).await??;
        if line.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        serde_json::from_str(&line).map_err(io::Error::other)
    }
}

impl Drop for FusionNode {
    fn drop(&mut self) {
        self.kill();
    }
}
