//! Compares every read with what was promised for it, while the run goes on: by the ledger that `unstale audit check` uses.
//!
//! Nodes report late (a paused one by seconds), so reads are held until every node has reported up to the instant at which
//! they began. What a killed node did not report is not known: that makes the check weaker, never wrong.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use unstale_audit::{Fault, Floor, Judged, Ledger, Marks, Outcome, Promise, Terms};

use super::clock::nanos;
use super::database::Version;
use super::line::{Read, Write};
use super::propagation::{histogram, record};

/// How long announced writes are remembered.
const MEMORY: Duration = Duration::from_secs(60);

/// Rows are made with this version.
const FIRST_VERSION: Version = 1;

/// How many violations are kept word by word.
const EXAMPLES_MAX: usize = 20;

/// All nodes have one clock.
const CLOCK: u32 = 0;

/// What is promised to reads of a run. Its readers are no sessions.
pub(crate) const PROMISES: [Promise; 4] =
    [Promise::OwnWrites, Promise::Session, Promise::Proven, Promise::Settled];

/// A read that broke a promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// Which promise.
    pub(crate) promise: Promise,
    /// The index of the node that answered.
    pub(crate) node: usize,
    /// The read.
    pub(crate) read: Read,
    /// The version that it should at least have had.
    pub(crate) due: Version,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { promise, read, due, .. } = self;
        write!(f, "row {} was read as version {} where {due} was due: {promise}", read.row, read.version)
    }
}

/// What the checker found so far.
#[derive(Clone, Debug)]
pub(crate) struct Findings {
    /// Reads that were judged, by what they asked for: plain, proven, with a token.
    pub(crate) judged: Judged,
    /// How many reads broke each promise, in the order of [`PROMISES`].
    pub(crate) violations: [u64; PROMISES.len()],
    /// The first of them.
    pub(crate) examples: Vec<Violation>,
    /// How many there were at each node; shorter than the nodes where the last ones have none.
    pub(crate) at_node: Vec<u64>,
    /// What a .NET node answered, which promises nothing.
    pub(crate) dotnet: Foreign,
    /// Ages of the plain reads during faults that were older than an announced write, in milliseconds. Nobody promises those.
    pub(crate) during_faults: Histogram<u64>,
}

/// The reads of a node that promises nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Foreign {
    /// How many were judged.
    pub(crate) reads: u64,
    /// Of these, those older than a write that was announced before they began.
    pub(crate) stale: u64,
}

impl Findings {
    /// How many reads broke a promise.
    pub(crate) fn stale_reads(&self) -> u64 {
        self.violations.iter().sum()
    }

    fn note(&mut self, violation: Violation) {
        self.violations[violation.promise as usize] += 1;
        let nodes = self.at_node.len().max(violation.node + 1);
        self.at_node.resize(nodes, 0);
        self.at_node[violation.node] += 1;
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(violation);
        }
    }
}

/// Compares reads with writes. Instants are those of one clock for all nodes.
#[derive(Debug)]
pub(crate) struct Checker {
    rows: u32,
    ledger: Ledger,
    held: Vec<(usize, Read)>,
    findings: Findings,
    dotnet: Option<usize>,
    /// By row the newest version that was said: its write has returned.
    said: Vec<Version>,
}

impl Checker {
    /// For a database of `rows` rows; the node with index `dotnet`, if there is one, promises nothing.
    pub(crate) fn new(rows: u32, dotnet: Option<usize>) -> Self {
        let findings = Findings {
            judged: Judged::default(),
            violations: [0; PROMISES.len()],
            examples: Vec::new(),
            at_node: Vec::new(),
            dotnet: Foreign::default(),
            during_faults: histogram(),
        };
        let mut ledger = Ledger::new(Terms::default());
        ledger.marks(CLOCK, Marks::EveryFault);
        let said = vec![FIRST_VERSION; rows as usize];
        Self { rows, ledger, held: Vec::new(), findings, dotnet, said }
    }

    /// A write returned.
    pub(crate) fn write(&mut self, write: &Write) {
        if let Some(said) = self.said.get_mut(write.row as usize) {
            *said = write.version.max(*said);
            // Who wrote does not matter: each read says what its process had written.
            self.ledger.write(CLOCK, &write.in_history(0, write.row, None), 0);
        }
    }

    /// The node with index `node` answered a read.
    pub(crate) fn read(&mut self, node: usize, read: Read) {
        if read.row < self.rows {
            self.held.push((node, read));
        }
    }

    /// A fault began: plain reads promise nothing from now until a while after it was healed.
    pub(crate) fn fault_begins(&mut self, now: u64) -> Fault {
        self.ledger.fault_begins(CLOCK, now)
    }

    /// It was healed.
    pub(crate) fn fault_heals(&mut self, fault: Fault, now: u64) {
        self.ledger.fault_heals(CLOCK, fault, now);
    }

    /// The database held these versions a while before `from`: with everything healed, reads from then on are not older.
    pub(crate) fn settled(&mut self, from: u64, versions: &[Version]) {
        for (key, version) in (0..).zip(versions) {
            self.ledger.floor(CLOCK, Floor { key, version: *version, from }, 0);
        }
    }

    /// What of these versions of the database was ever said: a process that was killed between its commit and its act had
    /// told nobody. Also how many rows are later than that.
    pub(crate) fn said(&self, versions: &[Version]) -> (Vec<Version>, usize) {
        let said: Vec<_> = versions.iter().zip(&self.said).map(|(held, said)| *held.min(said)).collect();
        let unsaid = versions.iter().zip(&said).filter(|(held, said)| held > said).count();
        (said, unsaid)
    }

    /// Judges the reads that began up to `instant`: every write that returned until then was reported.
    pub(crate) fn judge(&mut self, instant: u64) {
        let (due, held) =
            std::mem::take(&mut self.held).into_iter().partition(|(_, read)| read.began <= instant);
        self.held = held;
        for (node, read) in due {
            self.judge_read(node, read);
        }
        self.ledger.forget(instant.saturating_sub(nanos(MEMORY)));
    }

    /// What was found so far.
    pub(crate) const fn findings(&self) -> &Findings {
        &self.findings
    }

    fn judge_read(&mut self, node: usize, read: Read) {
        let judged = read.in_history(0, read.row);
        let judgement = self.ledger.judge(CLOCK, None, &judged);
        if self.dotnet == Some(node) {
            let is_stale = matches!(judgement.outcome, Outcome::Stale { .. } | Outcome::Broken(..));
            self.findings.dotnet.reads += 1;
            self.findings.dotnet.stale += u64::from(is_stale);
            return;
        }
        self.findings.judged.count(&judged, &judgement);
        match judgement.outcome {
            Outcome::Kept | Outcome::Unversioned => {}
            Outcome::Stale { age, .. } => record(&mut self.findings.during_faults, age / 1_000_000),
            Outcome::Broken(promise, due) => {
                self.findings.note(Violation { promise, node, read, due: due.version });
            }
        }
    }
}

#[cfg(test)]
mod tests;
