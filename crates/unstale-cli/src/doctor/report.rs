//! What was found, for people and for programs.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use crate::exit::Exit;
use crate::terminal::plain;

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Ok,
    /// It works, and can hurt.
    Warn,
    /// It does not work.
    Fail,
}

/// One finding.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Check {
    /// What was looked at.
    pub(super) name: &'static str,
    pub(super) status: Status,
    /// What is so, and what to do about it.
    pub(super) says: String,
    /// The figures behind it.
    facts: Map<String, Value>,
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

impl Check {
    pub(super) fn new(name: &'static str, status: Status, says: impl Into<String>) -> Self {
        Self { name, status, says: says.into(), facts: Map::new() }
    }

    pub(super) fn ok(name: &'static str, says: impl Into<String>) -> Self {
        Self::new(name, Status::Ok, says)
    }

    pub(super) fn warn(name: &'static str, says: impl Into<String>) -> Self {
        Self::new(name, Status::Warn, says)
    }

    pub(super) fn fail(name: &'static str, says: impl Into<String>) -> Self {
        Self::new(name, Status::Fail, says)
    }

    /// With a figure.
    pub(super) fn fact(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.facts.insert(name.to_owned(), value.into());
        self
    }

    fn words(&self) -> String {
        let node = self
            .facts
            .get("node")
            .and_then(Value::as_str)
            .map(|node| format!("{node}: "))
            .unwrap_or_default();
        plain(&format!("  {:<5} {:<12} {node}{}", self.status.word(), self.name, self.says)) + "\n"
    }

    fn json(&self, url: &str) -> String {
        let mut line =
            json!({ "url": url, "check": self.name, "status": self.status.word(), "says": self.says });
        if let Value::Object(line) = &mut line {
            line.extend(self.facts.clone());
        }
        format!("{line}\n")
    }
}

/// Prints findings as they come, and counts them.
#[derive(Debug)]
pub(super) struct Report {
    is_json: bool,
    url: String,
    urls: usize,
    ok: usize,
    warn: usize,
    fail: usize,
    unreachable: usize,
}

impl Report {
    pub(super) fn new(is_json: bool) -> Self {
        Self { is_json, url: String::new(), urls: 0, ok: 0, warn: 0, fail: 0, unreachable: 0 }
    }

    /// What follows is of this deployment.
    pub(super) fn begin(&mut self, url: &str) {
        url.clone_into(&mut self.url);
        self.urls += 1;
        if !self.is_json {
            print(&format!("{url}\n"));
        }
    }

    pub(super) fn add(&mut self, check: &Check) {
        let count = match check.status {
            Status::Ok => &mut self.ok,
            Status::Warn => &mut self.warn,
            Status::Fail => &mut self.fail,
        };
        *count += 1;
        print(&if self.is_json { check.json(&self.url) } else { check.words() });
    }

    /// A failure that leaves nothing else to be found.
    pub(super) fn unreachable(&mut self, check: &Check) {
        self.unreachable += 1;
        self.add(check);
    }

    /// The counts, and what they mean.
    pub(super) fn finish(&self) -> Exit {
        let Self { urls, ok, warn, fail, unreachable, .. } = self;
        let (exit, verdict) = match (*unreachable, *fail, *warn) {
            (0, 0, 0) => (Exit::Fine, "ok"),
            (0, 0, _) => (Exit::Fine, "warn"),
            (0, ..) => (Exit::No, "fail"),
            _ => (Exit::Unavailable, "fail"),
        };
        print(&if self.is_json {
            let line = json!({ "summary": true, "verdict": verdict, "urls": urls, "ok": ok, "warn": warn, "fail": fail,
                "unreachable": unreachable });
            format!("{line}\n")
        } else {
            format!("{ok} ok, {warn} to think about, {fail} failed\n")
        });
        exit
    }
}

fn print(text: &str) {
    let mut out = io::stdout().lock();
    // Where the reader has gone the exit code still tells.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_named_moves_no_cursor() {
        let check = Check::ok("channel", "a\u{1b}[2J\r").fact("node", "b\u{7}");
        let words = check.words();
        assert!(words.ends_with('\n') && !words.trim_end().contains(char::is_control), "{words:?}");
    }
}
