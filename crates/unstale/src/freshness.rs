//! How fresh an answer has to be, and what to do when that cannot be proven (P-13 to P-15).

use std::time::Duration;

use unstale_core::Instant;

/// What one read demands: to reflect every write that was announced anywhere up to `d` before the read, and what to do
/// when the node cannot prove it.
///
/// Without an `or_…` an unproven answer is bypassed: loaded anew for this caller.
///
/// ```
/// use std::time::Duration;
/// use unstale::{Freshness, Otherwise};
///
/// let freshness = Freshness::within(Duration::from_millis(250)).or_error();
/// assert_eq!(freshness.duration(), Duration::from_millis(250));
/// assert_eq!(freshness.otherwise(), Otherwise::Error);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    within: Duration,
    exchange: Exchange,
    otherwise: Otherwise,
}

/// What happens to a read that cannot be proven fresh enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Otherwise {
    /// The value is loaded by a load that begins after the request arrived.
    Bypass,
    /// The call returns [`crate::ErrorKind::NotProven`].
    Error,
    /// What is cached is served, and the answer says that it is not proven.
    Flag,
}

/// Whether a read may ask the other nodes before it gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Exchange {
    /// One round trip to all members, shared by all readers that wait.
    Ask,
    /// No.
    Never,
}

impl Freshness {
    /// At most `within` old. On a mesh with its default beat 250 ms is what can be proven all the time (P-16); less
    /// needs [`Freshness::or_wait`], young entries, or a bypass.
    pub const fn within(within: Duration) -> Self {
        Self { within, exchange: Exchange::Never, otherwise: Otherwise::Bypass }
    }

    /// Not provable: load anew.
    #[must_use]
    pub const fn or_bypass(self) -> Self {
        Self { otherwise: Otherwise::Bypass, ..self }
    }

    /// Not provable: return [`crate::ErrorKind::NotProven`].
    #[must_use]
    pub const fn or_error(self) -> Self {
        Self { otherwise: Otherwise::Error, ..self }
    }

    /// Not provable: serve what is cached, and say so in the answer.
    #[must_use]
    pub const fn or_flag(self) -> Self {
        Self { otherwise: Otherwise::Flag, ..self }
    }

    /// Not provable at once: ask all members for one exchange (a round trip, shared by all waiting readers; with it even
    /// `within(0)` can be proven), and only then do what the other `or_…` says.
    #[must_use]
    pub const fn or_wait(self) -> Self {
        Self { exchange: Exchange::Ask, ..self }
    }

    /// The age that was demanded.
    pub const fn duration(&self) -> Duration {
        self.within
    }

    /// What happens when it cannot be proven.
    pub const fn otherwise(&self) -> Otherwise {
        self.otherwise
    }

    pub(crate) const fn exchange(&self) -> Exchange {
        self.exchange
    }
}

/// What a node knows about the acts of all its members: one reading of the proof word.
///
/// A read takes its instant first, then this, then the entry (P-14); [`crate::node::Shared::proof`] is an acquire load. The
/// word is an instant, or lies so far before or after all instants that one subtraction and one comparison say all: this is
/// on the path of a hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Proven(i64);

impl Proven {
    /// Later than every instant, and twice the longest demand: 146 years.
    const BEYOND: i64 = 1 << 62;
    /// Nothing is proven.
    pub(crate) const NONE: Self = Self(-Self::BEYOND);
    /// There is no other member: every instant is proven.
    pub(crate) const PRESENT: Self = Self(Self::BEYOND);

    /// Everything announced up to `instant` is applied here.
    pub(crate) const fn until(instant: Instant) -> Self {
        Self(signed(instant))
    }

    pub(crate) const fn from_word(word: u64) -> Self {
        Self(word.cast_signed())
    }

    pub(crate) const fn word(self) -> u64 {
        self.0.cast_unsigned()
    }

    /// Whether everything announced more than `within` before `at` is reflected by whatever is read after this.
    #[inline]
    pub(crate) const fn covers(self, at: Instant, within: Duration) -> bool {
        self.age(at).0 <= span(within)
    }

    /// How old the proof is for a read at `at`.
    #[inline]
    pub(crate) const fn age(self, at: Instant) -> ProofAge {
        ProofAge(signed(at) - self.0)
    }
}

/// The age of a proof in nanoseconds: below zero for the present, beyond every demand without a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProofAge(i64);

impl ProofAge {
    /// There was no proof.
    pub(crate) const NONE: Self = Self(Proven::BEYOND);

    /// The same as a duration; nothing if there was no proof.
    pub(crate) const fn duration(self) -> Option<Duration> {
        match self.0 {
            Proven::BEYOND.. => None,
            ..0 => Some(Duration::ZERO),
            nanos => Some(Duration::from_nanos(nanos.cast_unsigned())),
        }
    }
}

impl Default for ProofAge {
    fn default() -> Self {
        Self::NONE
    }
}

/// Whether a value whose load from the authority began at `began` is fresh without any proof (P-13).
#[inline]
pub(crate) const fn is_young(began: Instant, at: Instant, within: Duration) -> bool {
    began.0 != 0 && signed(at) - signed(began) <= span(within)
}

/// An instant as a number that can be subtracted; instants end 146 years after the clock's epoch.
#[inline]
const fn signed(instant: Instant) -> i64 {
    (instant.0 & (Proven::BEYOND.cast_unsigned() - 1)).cast_signed()
}

/// Nanoseconds; 68 years for longer times, [`Duration::MAX`] among them.
#[inline]
const fn span(within: Duration) -> i64 {
    const SECONDS_MAX: u64 = 1 << 31;
    let seconds = if within.as_secs() < SECONDS_MAX { within.as_secs() } else { SECONDS_MAX };
    (seconds * 1_000_000_000 + within.subsec_nanos() as u64).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Instant {
        Instant(n * 1_000_000)
    }

    #[test]
    fn a_proof_covers_reads_up_to_its_instant_plus_the_demand() {
        // streams S1, P-14
        let proof = Proven::until(ms(1_000));
        let quarter = Duration::from_millis(250);
        assert!(proof.covers(ms(1_250), quarter));
        assert!(!proof.covers(ms(1_251), quarter));
        assert_eq!(proof.age(ms(1_250)).duration(), Some(quarter));
        assert_eq!(proof.age(ms(900)).duration(), Some(Duration::ZERO));
    }

    #[test]
    fn no_proof_covers_nothing_and_the_present_covers_everything() {
        assert!(!Proven::NONE.covers(ms(1), Duration::MAX));
        assert_eq!(Proven::NONE.age(ms(1)).duration(), None);
        assert!(!Proven::NONE.covers(Instant(u64::MAX >> 2), Duration::MAX));
        assert!(Proven::PRESENT.covers(ms(u64::from(u32::MAX)), Duration::ZERO));
        assert!(Proven::PRESENT.covers(Instant(u64::MAX >> 2), Duration::ZERO));
        assert_eq!(Proven::from_word(Proven::NONE.word()), Proven::NONE);
        assert_eq!(Proven::from_word(Proven::PRESENT.word()), Proven::PRESENT);
        assert_eq!(Proven::PRESENT.age(ms(5)).duration(), Some(Duration::ZERO));
        assert!(
            !Proven::until(ms(1)).covers(ms(2), Duration::ZERO)
                && Proven::until(ms(1)).covers(ms(2), Duration::MAX)
        );
    }

    #[test]
    fn a_young_entry_needs_no_proof_and_one_of_unknown_age_is_never_young() {
        // P-13
        assert!(is_young(ms(900), ms(1_000), Duration::from_millis(100)));
        assert!(!is_young(ms(899), ms(1_000), Duration::from_millis(100)));
        assert!(!is_young(Instant::ZERO, ms(1), Duration::MAX));
    }

    #[test]
    fn the_last_choice_of_each_kind_counts() {
        let freshness = Freshness::within(Duration::ZERO).or_wait().or_error().or_flag();
        assert_eq!(freshness.otherwise(), Otherwise::Flag);
        assert_eq!(freshness.exchange(), Exchange::Ask);
    }
}
