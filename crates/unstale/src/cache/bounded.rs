//! What a bounded read knows before it reads (P-14), and how it judges what it read.

use std::time::Duration;

use unstale_core::Instant;

use super::call::ReadProof;
use super::fetch::Fetched;
use super::terms::StoreUse;
use super::value::Served;
use crate::freshness::{Proven, is_young};
use crate::metrics::BoundedOutcome;
use crate::node::Shared;

/// The instant that a read refers to, what it demands, and the proof that was read before any entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    pub(crate) at: Instant,
    pub(crate) within: Duration,
    pub(crate) proof: Proven,
    is_beyond_proof: bool,
    /// How a hit is called that the proof covers.
    covered: BoundedOutcome,
}

impl Bound {
    pub(crate) const fn new(at: Instant, within: Duration, proof: Proven) -> Self {
        Self { at, within, proof, is_beyond_proof: false, covered: BoundedOutcome::Proven }
    }

    /// Of a cache that others write.
    pub(crate) const fn beyond_proof(self, is_beyond_proof: bool) -> Self {
        Self { is_beyond_proof, ..self }
    }

    /// With the proof that an exchange brought (P-15).
    pub(crate) const fn exchanged(self, proof: Proven) -> Self {
        Self { proof, covered: BoundedOutcome::Exchanged, ..self }
    }

    pub(crate) fn is_covered(&self) -> bool {
        self.proof.covers(self.at, self.within)
    }

    /// What the store has is as good as the proof; without one only the authority will do.
    pub(crate) fn store(&self) -> StoreUse {
        if self.is_covered() { StoreUse::Used } else { StoreUse::Bypassed }
    }

    /// How an answer is fresh enough, if it is; the answer says so from then on.
    pub(crate) fn judge<V>(&self, shared: &Shared, fetched: &mut Fetched<V>) -> Option<BoundedOutcome> {
        let outcome = if fetched.answer.served == Served::Stale {
            None
        } else if fetched.is_new {
            Some(BoundedOutcome::Loaded)
        } else if self.is_covered() {
            Some(self.covered)
        } else {
            let began = shared.instant_of(fetched.began);
            is_young(began, self.at, self.within).then_some(BoundedOutcome::Young)
        };
        fetched.answer.proof = ReadProof {
            proven: outcome.is_some(),
            age: self.proof.age(self.at),
            is_foreign: self.is_beyond_proof,
        };
        outcome
    }
}
