//! The words that readers and writers load and the driver stores: proof and lease.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use unstale_core::{Incarnation, Instant};

use crate::freshness::Proven;

/// What the driver publishes for calls that must not wait for it. On lines of their own: the proof changes ten times a
/// second, and bounded reads load it.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Words {
    proof: AtomicU64,
    announce_until: AtomicU64,
    /// The incarnation that the lease is for.
    incarnation: AtomicU32,
    /// Whether there is anybody to send acts to.
    heard: AtomicBool,
}

impl Words {
    const NEVER: u64 = 0;
    const ALWAYS: u64 = u64::MAX;

    pub(super) const fn new() -> Self {
        Self {
            proof: AtomicU64::new(Proven::NONE.word()),
            announce_until: AtomicU64::new(Self::NEVER),
            incarnation: AtomicU32::new(1),
            heard: AtomicBool::new(false),
        }
    }

    /// The proof, to be loaded after the read's instant was taken and before the entry is (P-14). Pairs with the release
    /// in [`Words::publish_proof`]: whatever the proof covers is visible to what is read next.
    #[inline]
    pub(crate) fn proof(&self) -> Proven {
        Proven::from_word(self.proof.load(Ordering::Acquire))
    }

    pub(super) fn publish_proof(&self, proof: Proven) {
        self.proof.store(proof.word(), Ordering::Release);
    }

    /// Whether the node holds a lease at `now` (P-31).
    pub(super) fn announces_at(&self, now: Instant) -> bool {
        now.0 < self.announce_until.load(Ordering::Acquire)
    }

    /// Whether an act of `incarnation` is announced (P-31), whose number was drawn before this is called; the clock is read
    /// only for a lease that ends. The lease of a later incarnation says nothing about it.
    pub(super) fn announces(&self, incarnation: Incarnation, now: impl FnOnce() -> Instant) -> bool {
        // The lease is loaded first: a new one is seen together with the incarnation that it was published after.
        let holds = match self.lease() {
            Lease::None => false,
            Lease::Until(until) => now() < until,
            Lease::Endless => true,
        };
        holds && incarnation.0 == self.incarnation.load(Ordering::Acquire)
    }

    /// Whether an act has to wake the driver, that is, whether there is a link. To be asked after the act was appended.
    pub(super) fn is_heard(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }

    /// To be said before the acts are drained that may go out on the first link: who appends after the draining sees it,
    /// by the mutex that both take.
    pub(super) fn publish_heard(&self, heard: bool) {
        if self.is_heard() != heard {
            self.heard.store(heard, Ordering::Relaxed);
        }
    }

    /// Withdraws lease and proof, and goes on with another incarnation (P-34).
    pub(super) fn restart(&self, incarnation: Incarnation) {
        self.publish_lease(Lease::None);
        self.publish_proof(Proven::NONE);
        self.incarnation.store(incarnation.0, Ordering::Release);
    }

    /// The end of the lease, if there is one that ends.
    pub(super) fn lease(&self) -> Lease {
        match self.announce_until.load(Ordering::Acquire) {
            Self::NEVER => Lease::None,
            Self::ALWAYS => Lease::Endless,
            until => Lease::Until(Instant(until)),
        }
    }

    pub(super) fn publish_lease(&self, lease: Lease) {
        let word = match lease {
            Lease::None => Self::NEVER,
            Lease::Endless => Self::ALWAYS,
            Lease::Until(until) => until.0,
        };
        self.announce_until.store(word, Ordering::Release);
    }
}

/// Until when this node's acts are announced (P-31).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lease {
    /// They are not.
    None,
    /// Until an instant of this node's clock.
    Until(Instant),
    /// As long as nothing else is said: nobody can be voted out, or nobody else is there.
    Endless,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acts_are_announced_only_before_the_end_of_the_lease() {
        // P-31
        let words = Words::new();
        assert!(!words.announces_at(Instant(0)));
        words.publish_lease(Lease::Until(Instant(100)));
        assert!(words.announces_at(Instant(99)));
        assert!(!words.announces_at(Instant(100)));
        words.publish_lease(Lease::Endless);
        assert!(words.announces_at(Instant(u64::MAX - 1)));
        assert_eq!(words.lease(), Lease::Endless);
    }

    #[test]
    fn the_lease_of_a_later_incarnation_does_not_announce_an_act_of_an_earlier_one() {
        // P-34
        let words = Words::new();
        words.publish_lease(Lease::Endless);
        assert!(words.announces(Incarnation(1), || Instant(5)));
        words.restart(Incarnation(2));
        assert!(!words.announces(Incarnation(2), || Instant(5)));
        words.publish_lease(Lease::Endless);
        assert!(words.announces(Incarnation(2), || Instant(5)));
        assert!(!words.announces(Incarnation(1), || Instant(5)));
    }

    #[test]
    fn a_fresh_node_proves_and_announces_nothing() {
        // P-25
        let words = Words::new();
        assert_eq!(words.proof(), Proven::NONE);
        assert_eq!(words.lease(), Lease::None);
    }
}
