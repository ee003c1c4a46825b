//! A server process that this process owns: killed, waited for, paused, started again.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// How to start a server, and the process while it runs.
#[derive(Debug)]
pub(crate) struct Process {
    program: PathBuf,
    arguments: Vec<OsString>,
    /// Its log, whose end says why it died.
    log: PathBuf,
    child: Option<Child>,
}

impl Process {
    pub(crate) fn new(program: PathBuf, arguments: Vec<OsString>, log: PathBuf) -> Self {
        Self { program, arguments, log, child: None }
    }

    /// Starts it, unless it runs.
    pub(crate) fn spawn(&mut self) -> io::Result<()> {
        if self.child.is_none() {
            let mut command = Command::new(&self.program);
            command.args(&self.arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            self.child = Some(command.spawn()?);
        }
        Ok(())
    }

    /// An error with the end of its log, if it does not run.
    pub(crate) fn check_alive(&mut self) -> io::Result<()> {
        let status = match &mut self.child {
            Some(child) => child.try_wait()?,
            None => None,
        };
        if self.child.is_some() && status.is_none() {
            return Ok(());
        }
        self.child = None;
        let program = self.program.display();
        let status = status.map_or_else(|| "was not started".to_owned(), |status| format!("ended: {status}"));
        Err(io::Error::other(format!("{program} {status}\n{}", self.last_lines())))
    }

    /// Kills it with SIGKILL, paused or not, and waits for its end. Nothing happens if it does not run.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("a child can be killed");
            child.wait().expect("a killed child ends");
        }
    }

    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
    }

    pub(crate) fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Its process id, while it runs.
    pub(crate) fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("only a running server is paused or resumed");
        kill_process(Pid::from_child(child), signal).expect("a child can be sent a signal");
    }

    fn last_lines(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(10)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
