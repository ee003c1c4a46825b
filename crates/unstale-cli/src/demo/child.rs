//! A node's process, as its supervisor sees it.

use std::io;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;

use super::line::{Order, Report, to_line};

/// How many orders may wait for a node that does not read them, as a paused one does not.
const ORDERS: usize = 4_096;

/// Which life of which node says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Life {
    /// The index of the node.
    pub(crate) node: usize,
    /// Counts its processes.
    pub(crate) number: u32,
}

/// What comes from a process.
#[derive(Debug)]
pub(crate) enum Heard {
    /// A report.
    Report(Box<Report>),
    /// A line that is no report.
    Garbled(String),
    /// Its last word: the process has closed its output.
    End,
}

/// Where everything that is heard goes.
pub(crate) type Ear = mpsc::Sender<(Life, Heard)>;

/// A running process; it is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Child {
    process: tokio::process::Child,
    orders: mpsc::Sender<Order>,
}

impl Child {
    /// Starts this very program as a node.
    pub(crate) fn spawn(life: Life, ear: Ear) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("demo-node").stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        // Ctrl-C is for the supervisor alone; it ends its nodes itself.
        command.process_group(0);
        let mut process = command.spawn()?;
        let gone = || io::Error::other("a pipe to the node is missing");
        let (stdin, stdout) =
            (process.stdin.take().ok_or_else(gone)?, process.stdout.take().ok_or_else(gone)?);
        let (orders, queue) = mpsc::channel(ORDERS);
        tokio::spawn(say(stdin, queue));
        tokio::spawn(hear(life, stdout, ear));
        Ok(Self { process, orders })
    }

    /// Tells the node something. An order that finds the queue full is not given; `false` says so.
    pub(crate) fn order(&self, order: Order) -> bool {
        self.orders.try_send(order).is_ok()
    }

    /// Ends the process without a warning, and waits for its end.
    pub(crate) async fn kill(&mut self) -> io::Result<()> {
        self.process.kill().await
    }

    /// Stops the process where it is.
    pub(crate) fn pause(&self) -> io::Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) -> io::Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        let id = self.process.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let id = id.ok_or_else(|| io::Error::other("the node has ended"))?;
        Ok(kill_process(id, signal)?)
    }
}

async fn say(mut stdin: ChildStdin, mut orders: mpsc::Receiver<Order>) {
    while let Some(order) = orders.recv().await {
        let Ok(line) = to_line(&order) else { return };
        if stdin.write_all(&line).await.is_err() || stdin.flush().await.is_err() {
            return;
        }
    }
}

async fn hear(life: Life, stdout: ChildStdout, ear: Ear) {
    let mut lines = BufReader::with_capacity(64 * 1024, stdout).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let heard = match serde_json::from_str(&line) {
            Ok(report) => Heard::Report(Box::new(report)),
            Err(error) => Heard::Garbled(format!("{error} in {line:.100}")),
        };
        if ear.send((life, heard)).await.is_err() {
            return;
        }
    }
    let _ = ear.send((life, Heard::End)).await;
}
