//! What is found about a read.

use std::fmt;

use crate::history::Read;

/// A promise to a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    /// Not older than a write that returned in this process before.
    OwnWrites,
    /// Not older than the write whose token it had.
    Session,
    /// Answered as proven within a time, and not older than that.
    Proven,
    /// With no fault for a while: as the database says.
    Settled,
    /// Not older than what its session had seen.
    Monotone,
}

impl Promise {
    /// Every promise, in the order in which a read is compared with them: a read that breaks several counts for the first.
    pub const ALL: [Self; 5] = [Self::OwnWrites, Self::Session, Self::Proven, Self::Settled, Self::Monotone];

    /// The word for it in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::OwnWrites => "own_writes",
            Self::Session => "session",
            Self::Proven => "proven",
            Self::Settled => "settled",
            Self::Monotone => "monotone",
        }
    }
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OwnWrites => "this process had written that itself",
            Self::Session => "the read had the token of that write",
            Self::Proven => "the answer was called proven",
            Self::Settled => "no fault was near",
            Self::Monotone => "its session had seen that",
        })
    }
}

/// The version that a read should at least have shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The version.
    pub version: u64,
    /// When it was due: when its write returned, for example. 0 if nobody said.
    pub since: u64,
    /// The record that says so: a write, a read, or a floor. 0 for none.
    pub record: u64,
}

/// How a read compares with its promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// They were kept.
    Kept,
    /// The answer has no version to compare.
    Unversioned,
    /// Older than an announced write by so much, during a fault or where faults are not marked: nobody promises that.
    Stale {
        /// What it missed.
        due: Due,
        /// How long that had been announced when the read began.
        age: u64,
    },
    /// A promise was broken.
    Broken(Promise, Due),
}

/// What is found about a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// How it compares with its promises.
    pub outcome: Outcome,
    /// It began when every fault was over for a while, and what it had to show is known.
    pub settled: bool,
    /// Its session had seen this newer version before.
    pub went_back: Option<Due>,
}

/// What a read asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Whatever there is.
    Plain,
    /// A proof, and it got one.
    Proven,
    /// Not to miss a certain write.
    Session,
}

impl<K, S> Read<K, S> {
    /// What the read asked for. Who has a token and a proof counts as having the token.
    pub const fn asked(&self) -> Asked {
        match (&self.due, &self.token, self.within) {
            (None, None, None) => Asked::Plain,
            (None, None, Some(_)) => Asked::Proven,
            (Some(_), _, _) | (_, Some(_), _) => Asked::Session,
        }
    }
}

/// How many reads were compared with a promise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// Plain reads.
    pub plain: u64,
    /// Reads answered as proven.
    pub proven: u64,
    /// Reads with a session token.
    pub session: u64,
    /// Reads that began when every fault was over for a while.
    pub settled: u64,
}

impl Judged {
    /// Counts a read.
    pub const fn count<K, S>(&mut self, read: &Read<K, S>, judgement: &Judgement) {
        match read.asked() {
            Asked::Plain => self.plain += 1,
            Asked::Proven => self.proven += 1,
            Asked::Session => self.session += 1,
        }
        self.settled += judgement.settled as u64;
    }
}
