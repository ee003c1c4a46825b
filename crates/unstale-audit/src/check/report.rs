//! What a check found.

use std::collections::BTreeMap;

use crate::history::{Read, Served};
use crate::judgement::{Due, Judged, Judgement, Outcome, Promise};
use crate::ledger::{Monotone, Terms};

/// One history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct File {
    /// How many records the histories before it have.
    pub(crate) before: u64,
    /// Whole records.
    pub records: u64,
    /// Their bytes, and those of the beginning.
    pub bytes: u64,
    /// Where a half-written last record begins.
    pub torn: Option<u64>,
    /// Whether whoever wrote it has ended in order. Else what it did last may be missing.
    pub ended: bool,
    /// Records that had no room when they were written.
    pub lost: u64,
    /// Records of kinds that this version does not know.
    pub unknown: u64,
    /// Whether it marks faults.
    pub marked: bool,
}

impl File {
    /// Whether nothing is missing, as far as can be seen.
    pub const fn is_complete(&self) -> bool {
        self.ended && self.torn.is_none() && self.lost == 0 && self.unknown == 0
    }
}

/// What a check found.
#[derive(Clone, Debug)]
pub struct Report {
    /// The histories.
    pub files: Vec<File>,
    /// Reads.
    pub reads: u64,
    /// Writes.
    pub writes: u64,
    /// Of these, those that were announced.
    pub announced: u64,
    /// Processes.
    pub processes: usize,
    /// Keys that were read or written.
    pub keys: usize,
    /// Sessions.
    pub sessions: usize,
    /// Clocks: instants of two of them cannot be compared.
    pub clocks: usize,
    /// Marked faults.
    pub faults: u64,
    /// Reads that were compared with a promise.
    pub judged: Judged,
    /// Reads that broke a promise, in the order of [`Promise::ALL`].
    pub violations: [u64; Promise::ALL.len()],
    /// Some of them, with what happened around them.
    pub examples: Vec<Example>,
    /// Plain reads older than an announced write during faults, or where faults are not marked. Nobody promises those.
    pub stale_unpromised: u64,
    /// The greatest age of one of them, in nanoseconds.
    pub stale_unpromised_age_max: u64,
    /// Reads that were older than what their session had seen; a violation only if that was promised.
    pub went_back: u64,
    /// Reads that said that they may be stale.
    pub said_stale: u64,
    /// Of these, those that would have broken a promise, had they not said so.
    pub excused: u64,
    /// Reads whose answer has no version. They cannot be judged.
    pub unversioned: u64,
    /// What was demanded.
    pub terms: Terms,
    /// First and last instant by clock.
    spans: BTreeMap<u32, (u64, u64)>,
}

/// A read that broke a promise, and what happened around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// Which promise.
    pub promise: Promise,
    /// The index of the history.
    pub file: usize,
    /// The read's record there, from 1.
    pub record: u64,
    /// The name of the process that answered.
    pub process: String,
    /// The key, as text; bytes that are no text are shown as hexadecimal numbers.
    pub key: String,
    /// The version that was answered.
    pub version: u64,
    /// What it should at least have been.
    pub due: Due,
    /// What happened to the key, by time. One line is the read, and one what it missed, if that was recorded.
    pub lines: Vec<Line>,
}

/// A record around a broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The index of the history.
    pub file: usize,
    /// The record's number there, from 1.
    pub record: u64,
    /// Its end, in nanoseconds after the beginning of the read, by the clock of its own history.
    pub after: i64,
    /// What happened.
    pub words: String,
}

impl Report {
    pub(super) fn new(terms: Terms) -> Self {
        Self {
            files: Vec::new(),
            reads: 0,
            writes: 0,
            announced: 0,
            processes: 0,
            keys: 0,
            sessions: 0,
            clocks: 0,
            faults: 0,
            judged: Judged::default(),
            violations: [0; Promise::ALL.len()],
            examples: Vec::new(),
            stale_unpromised: 0,
            stale_unpromised_age_max: 0,
            went_back: 0,
            said_stale: 0,
            excused: 0,
            unversioned: 0,
            terms,
            spans: BTreeMap::new(),
        }
    }

    /// Reads that broke a promise.
    pub fn stale_reads(&self) -> u64 {
        self.violations.iter().sum()
    }

    /// Whether no promise was broken, as far as was recorded.
    pub fn is_coherent(&self) -> bool {
        self.stale_reads() == 0
    }

    /// Whether nothing is missing from the histories, as far as can be seen.
    pub fn is_complete(&self) -> bool {
        self.files.iter().all(File::is_complete)
    }

    /// Whether it is known of all plain reads whether a fault was near.
    pub fn is_marked(&self) -> bool {
        !self.files.is_empty() && self.files.iter().all(|file| file.marked)
    }

    /// Whether going back is a violation.
    pub fn is_monotone_promised(&self) -> bool {
        self.terms.monotone == Monotone::Promised
    }

    /// From the first instant to the last, in nanoseconds; of several clocks the longest.
    pub fn span(&self) -> u64 {
        self.spans.values().map(|(first, last)| last - first).max().unwrap_or_default()
    }

    pub(super) fn lasted(&mut self, clock: u32, began: u64, ended: u64) {
        let (first, last) = self.spans.entry(clock).or_insert((began, ended));
        (*first, *last) = ((*first).min(began), (*last).max(ended));
    }

    pub(super) fn count(&mut self, read: &Read, judgement: &Judgement) {
        let has_said_so = read.served == Served::Stale;
        self.said_stale += u64::from(has_said_so);
        match judgement.outcome {
            Outcome::Unversioned => {
                self.unversioned += 1;
                return;
            }
            Outcome::Kept => {}
            Outcome::Stale { age, .. } => {
                self.stale_unpromised += 1;
                self.stale_unpromised_age_max = self.stale_unpromised_age_max.max(age);
            }
            Outcome::Broken(..) if has_said_so => self.excused += 1,
            Outcome::Broken(promise, _) => self.violations[promise as usize] += 1,
        }
        self.judged.count(read, judgement);
        self.went_back += u64::from(judgement.went_back.is_some());
    }
}
