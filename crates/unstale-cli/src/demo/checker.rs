//! Compares every read with what was promised for it.
//!
//! Nodes report late (a paused one by seconds), so reads are held until every node has reported up to the instant at which
//! they began. What a killed node did not report is not known: that makes the check weaker, never wrong.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::clock::nanos;
use super::database::Version;
use super::line::{How, Read, Write};
use super::propagation::{histogram, record};
use super::schedule::SETTLING;

/// How much older than the newest announced write a plain read may be while nothing is wrong: a lost frame is repaired
/// within this time.
const CALM_AGE_MAX: Duration = Duration::from_secs(1);

/// How long announced writes are remembered.
const MEMORY: Duration = Duration::from_secs(60);

/// How many violations are kept word by word.
const EXAMPLES_MAX: usize = 20;

/// The promise that a read broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Promise {
    /// Not older than a write that returned on this node before.
    OwnWrites,
    /// Not older than the write whose token it had.
    Session,
    /// Answered as proven within a time, and not older than that.
    Proven,
    /// With no fault for a while: as the database says.
    Settled,
}

impl Promise {
    /// Every promise, in the order of the counts in [`Findings::violations`].
    pub(crate) const ALL: [Self; 4] = [Self::OwnWrites, Self::Session, Self::Proven, Self::Settled];
}

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
        write!(f, "row {} was read as version {} where {due} was due: ", read.row, read.version)?;
        match promise {
            Promise::OwnWrites => write!(f, "this node had written that itself"),
            Promise::Session => write!(f, "the read had the token of that write"),
            Promise::Proven => write!(f, "the answer was called proven"),
            Promise::Settled => write!(f, "no fault had happened for {} s", SETTLING.as_secs()),
        }
    }
}

/// What the checker found so far.
#[derive(Clone, Debug)]
pub(crate) struct Findings {
    /// Reads that were judged, by what they asked for: plain, proven, with a token.
    pub(crate) judged: Judged,
    /// How many reads broke each promise, in the order of [`Promise::ALL`].
    pub(crate) violations: [u64; Promise::ALL.len()],
    /// The first of them.
    pub(crate) examples: Vec<Violation>,
    /// How many there were at each node; shorter than the nodes where the last ones have none.
    pub(crate) at_node: Vec<u64>,
    /// Ages of the plain reads during faults that were older than an announced write, in milliseconds. Nobody promises those.
    pub(crate) during_faults: Histogram<u64>,
}

/// How many reads were compared with a promise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Judged {
    /// Plain reads.
    pub(crate) plain: u64,
    /// Reads answered as proven.
    pub(crate) proven: u64,
    /// Reads with a session token.
    pub(crate) session: u64,
    /// Reads that began when every fault was over for a while.
    pub(crate) settled: u64,
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

/// A time in which a node had a fault, and what followed it.
#[derive(Clone, Copy, Debug)]
struct Trouble {
    began: u64,
    healed: Option<u64>,
}

/// A fault that began, for [`Checker::fault_heals`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct TroubleId(usize);

/// Compares reads with writes. Instants are those of one clock for all nodes.
#[derive(Debug)]
pub(crate) struct Checker {
    /// Per row: versions that were announced, and when.
    announced: Vec<BTreeMap<Version, u64>>,
    held: Vec<(usize, Read)>,
    troubles: Vec<Trouble>,
    /// From an instant on every read is at least as new as these versions of the rows.
    floors: Vec<(u64, Vec<Version>)>,
    findings: Findings,
}

impl Checker {
    /// For a database of `rows` rows.
    pub(crate) fn new(rows: u32) -> Self {
        let during_faults = histogram();
        let findings = Findings {
            judged: Judged::default(),
            violations: [0; Promise::ALL.len()],
            examples: Vec::new(),
            at_node: Vec::new(),
            during_faults,
        };
        Self {
            announced: vec![BTreeMap::new(); rows as usize],
            held: Vec::new(),
            troubles: Vec::new(),
            floors: Vec::new(),
            findings,
        }
    }

    /// A write returned.
    pub(crate) fn write(&mut self, write: &Write) {
        if let (true, Some(row)) = (write.announced, self.announced.get_mut(write.row as usize)) {
            row.insert(write.version, write.returned);
        }
    }

    /// The node with index `node` answered a read.
    pub(crate) fn read(&mut self, node: usize, read: Read) {
        if (read.row as usize) < self.announced.len() {
            self.held.push((node, read));
        }
    }

    /// A fault began: plain reads promise nothing from now until a while after it was healed.
    pub(crate) fn fault_begins(&mut self, now: u64) -> TroubleId {
        self.troubles.push(Trouble { began: now, healed: None });
        TroubleId(self.troubles.len() - 1)
    }

    /// It was healed.
    pub(crate) fn fault_heals(&mut self, trouble: TroubleId, now: u64) {
        self.troubles[trouble.0].healed = Some(now);
    }

    /// The database held these versions a while before `from`: with everything healed, reads from then on are not older.
    pub(crate) fn settled(&mut self, from: u64, versions: Vec<Version>) {
        self.floors.push((from, versions));
    }

    /// Judges the reads that began up to `instant`: every write that returned until then was reported.
    pub(crate) fn judge(&mut self, instant: u64) {
        let (due, held) =
            std::mem::take(&mut self.held).into_iter().partition(|(_, read)| read.began <= instant);
        self.held = held;
        for (node, read) in due {
            self.judge_read(node, read);
        }
        let forgotten = instant.saturating_sub(nanos(MEMORY));
        for row in &mut self.announced {
            let old = row.iter().rev().find(|(_, at)| **at < forgotten).map(|(version, _)| *version);
            if let Some(old) = old {
                *row = row.split_off(&old);
            }
        }
    }

    /// What was found so far.
    pub(crate) const fn findings(&self) -> &Findings {
        &self.findings
    }

    fn judge_read(&mut self, node: usize, read: Read) {
        let judged = &mut self.findings.judged;
        match read.how {
            How::Plain => judged.plain += 1,
            How::Within(_) => judged.proven += 1,
            How::Session(_) => judged.session += 1,
        }
        if self.floors.iter().any(|(from, _)| *from <= read.began) {
            self.findings.judged.settled += 1;
        }
        let Some((promise, due)) = self.broken(&read) else { return };
        let Some(promise) = promise else {
            let age = read.began.saturating_sub(self.announced[read.row as usize][&due]);
            return record(&mut self.findings.during_faults, age / 1_000_000);
        };
        self.findings.note(Violation { promise, node, read, due });
    }

    /// The promise that the read broke, or none for a stale one that nothing was promised for, and the version that was due.
    fn broken(&self, read: &Read) -> Option<(Option<Promise>, Version)> {
        if read.version < read.own {
            return Some((Some(Promise::OwnWrites), read.own));
        }
        if let How::Session(version) = read.how
            && read.version < version
        {
            return Some((Some(Promise::Session), version));
        }
        let newer = self.announced[read.row as usize].range(read.version + 1..);
        // The longest missed write, since versions may have been announced in another order than they were committed.
        let missed =
            newer.min_by_key(|(_, at)| **at).map(|(version, at)| (*version, read.began.saturating_sub(*at)));
        if let (How::Within(length), Some((version, age))) = (read.how, missed)
            && age > length
        {
            return Some((Some(Promise::Proven), version));
        }
        for (_, versions) in self.floors.iter().filter(|(from, _)| *from <= read.began) {
            let floor = versions[read.row as usize];
            if read.version < floor {
                return Some((Some(Promise::Settled), floor));
            }
        }
        let (version, age) = missed.filter(|(_, age)| *age > 0)?;
        if self.in_trouble(read.began) {
            return (read.how == How::Plain).then_some((None, version));
        }
        (age > nanos(CALM_AGE_MAX)).then_some((Some(Promise::Settled), version))
    }

    fn in_trouble(&self, instant: u64) -> bool {
        self.troubles.iter().any(|trouble| {
            let over = trouble.healed.map_or(u64::MAX, |healed| healed + nanos(SETTLING));
            (trouble.began..over).contains(&instant)
        })
    }
}

#[cfg(test)]
mod tests;
