//! What is promised, and the breach of it.

use std::fmt;

/// A promise, by its name in PROTOCOL.md (S) and in docs/requirements.md (P).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Promise {
    /// No stale fill.
    P1,
    /// Own writes.
    P2,
    /// Loss is seen and repaired, and nothing is flushed without need.
    P3,
    /// Bounded staleness, provable per read.
    P4,
    /// A batch is seen whole.
    P5,
    /// Relations: what was computed from an ended value ends, too.
    P6,
    /// Nothing is dropped, memory is bounded.
    P7,
    /// Relays are transparent.
    P8,
    /// Failure is chosen; the node recovers by itself.
    P9,
    /// Proof.
    S1,
    /// Count: session tokens rest on it.
    S2,
    /// End of a member.
    S3,
    /// Holes are seen and repaired in time.
    S4,
    /// Every state is bounded.
    S5,
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A promise that was not kept, and how that showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What was promised.
    pub promise: Promise,
    /// What happened instead, in a sentence.
    pub text: String,
}

impl Violation {
    /// A breach of `promise`.
    pub fn new(promise: Promise, text: impl Into<String>) -> Self {
        Self { promise, text: text.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.promise, self.text)
    }
}

impl std::error::Error for Violation {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_violation_begins_with_the_name_of_the_promise() {
        let violation =
            Violation::new(Promise::S1, "n1 read 3, proven within 1 s; 4 was announced 2 s before");
        assert_eq!(violation.to_string(), "S1: n1 read 3, proven within 1 s; 4 was announced 2 s before");
    }
}
