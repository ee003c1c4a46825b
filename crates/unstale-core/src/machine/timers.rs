//! Deadlines, each with its reason.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Instant, LinkId, Stream};

/// Why a machine wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WakeReason {
    /// A beat to all is due.
    Beat,
    /// A beat after a burst is due on this link.
    Tail(LinkId),
    /// A hello on this link was not answered.
    Hello(LinkId),
    /// Numbers of this stream that were under way should have come.
    Grace(Stream),
    /// A repair of this stream was not answered.
    Answer(Stream),
    /// This member may be silent.
    Silence(Stream),
    /// A join window is over.
    Join,
    /// A slot may be vacant.
    Vacancy,
    /// Votes are repeated.
    Votes,
    /// A member that this node voted on is heard again.
    Regret,
    /// An exchange takes too long.
    Exchange,
    /// The longest transaction of an ended stream is over.
    Transaction(Stream),
    /// An ended stream is forgotten.
    Forget,
    /// The register is read.
    Register,
    /// A round is opened or repeated.
    Round,
    /// A beat after a burst is due on the common link.
    CommonTail,
}

/// At most one deadline for each reason.
#[derive(Debug, Default)]
pub(super) struct Timers {
    at: BTreeMap<WakeReason, Instant>,
    due: BTreeSet<(Instant, WakeReason)>,
}

impl Timers {
    pub(super) fn set(&mut self, reason: WakeReason, at: Instant) {
        self.clear(reason);
        self.at.insert(reason, at);
        self.due.insert((at, reason));
    }

    /// Keeps a deadline that is set already.
    pub(super) fn set_if_none(&mut self, reason: WakeReason, at: Instant) {
        if !self.at.contains_key(&reason) {
            self.set(reason, at);
        }
    }

    pub(super) fn clear(&mut self, reason: WakeReason) {
        if let Some(at) = self.at.remove(&reason) {
            self.due.remove(&(at, reason));
        }
    }

    pub(super) fn first(&self) -> Option<(Instant, WakeReason)> {
        self.due.first().copied()
    }

    /// Takes the first deadline out if it is due.
    pub(super) fn pop(&mut self, now: Instant) -> Option<WakeReason> {
        let (at, reason) = self.first()?;
        if at > now {
            return None;
        }
        self.clear(reason);
        Some(reason)
    }
}
