//! Counts: plain, striped for the hit path, and by reason.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};

use super::stripe::{self, STRIPES};

/// A count that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn increment(&self) {
        self.add(1);
    }

    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn total(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that goes up and down.
#[derive(Debug, Default)]
pub(crate) struct Gauge(AtomicU64);

impl Gauge {
    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    pub(crate) fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A count for the hit path. A thread that has a stripe to itself counts without a locked instruction, which would hold up
/// every later load of its processor; threads beyond [`STRIPES`] share one.
#[derive(Debug, Default)]
pub(crate) struct StripedCounter([Stripe; STRIPES]);

/// What one thread counts, on a line of its own: as many counts as there is room for.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Stripe([AtomicU64; COUNTS]);

/// Counts in a stripe.
const COUNTS: usize = 8;

/// The stripe of a counter that the calling thread writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnStripe<'c> {
    count: &'c AtomicU64,
    is_shared: bool,
}

impl StripedCounter {
    /// The stripe of this thread. A hit finds it before it looks for the entry: behind the entry's reference count, which is
    /// a barrier, each step would be waited for.
    #[inline]
    pub(crate) fn own(&self) -> OwnStripe<'_> {
        OwnStripe::of(&self.0, 0)
    }

    #[inline]
    pub(crate) fn increment(&self) {
        self.own().increment();
    }

    pub(crate) fn total(&self) -> u64 {
        total(&self.0, 0)
    }
}

fn total(stripes: &[Stripe; STRIPES], index: usize) -> u64 {
    stripes.iter().map(|stripe| stripe.0[index].load(Ordering::Relaxed)).sum()
}

impl<'c> OwnStripe<'c> {
    #[inline]
    fn of(stripes: &'c [Stripe; STRIPES], index: usize) -> Self {
        let stripe = stripe::mine();
        Self { count: &stripes[stripe % STRIPES].0[index], is_shared: stripe == stripe::SHARED }
    }

    /// Counts one. Not from another thread than the one that found the stripe.
    #[inline]
    pub(crate) fn increment(self) {
        if self.is_shared {
            self.count.fetch_add(1, Ordering::Relaxed);
        } else {
            // Nobody else writes it while this thread has it, so nothing is lost.
            self.count.store(self.count.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        }
    }
}

/// A closed set of label values.
pub(crate) trait Reason: Copy + 'static {
    /// Every value, in the order of [`Reason::index`].
    const ALL: &'static [Self];

    /// Its place in [`Reason::ALL`].
    fn index(self) -> usize;

    /// The label's value: lower case, with dashes.
    fn as_label(self) -> &'static str;
}

/// Counts by reason.
#[derive(Debug)]
pub(crate) struct CounterBy<R> {
    counts: Box<[Counter]>,
    reasons: PhantomData<fn(R)>,
}

impl<R: Reason> Default for CounterBy<R> {
    fn default() -> Self {
        Self { counts: R::ALL.iter().map(|_| Counter::default()).collect(), reasons: PhantomData }
    }
}

impl<R: Reason> CounterBy<R> {
    pub(crate) fn increment(&self, reason: R) {
        self.add(reason, 1);
    }

    pub(crate) fn add(&self, reason: R, count: u64) {
        self.counts[reason.index()].add(count);
    }

    pub(crate) fn of(&self, reason: R) -> u64 {
        self.counts[reason.index()].total()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        R::ALL.iter().map(|&reason| (reason.as_label(), self.of(reason)))
    }
}

/// Counts by reason on the path of a load or of a write, as [`StripedCounter`]; at most eight reasons.
#[derive(Debug)]
pub(crate) struct StripedCounterBy<R> {
    stripes: Box<[Stripe; STRIPES]>,
    reasons: PhantomData<fn(R)>,
}

impl<R: Reason> Default for StripedCounterBy<R> {
    fn default() -> Self {
        const { assert!(R::ALL.len() <= COUNTS, "a stripe has room for eight counts") };
        Self { stripes: Box::default(), reasons: PhantomData }
    }
}

impl<R: Reason> StripedCounterBy<R> {
    pub(crate) fn increment(&self, reason: R) {
        OwnStripe::of(&self.stripes, reason.index()).increment();
    }

    pub(crate) fn of(&self, reason: R) -> u64 {
        total(&self.stripes, reason.index())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        R::ALL.iter().map(|&reason| (reason.as_label(), self.of(reason)))
    }
}

/// Declares a fieldless enum that is a [`Reason`]: variants, their docs and their label values stand side by side.
macro_rules! reasons {
    ($(#[$doc:meta])* $visibility:vis enum $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $label:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        $visibility enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// The word for it in metrics and logs: lower case, with dashes.
            $visibility const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $label,)+ }
            }
        }

        impl $crate::metrics::Reason for $name {
            const ALL: &'static [Self] = &[$(Self::$variant,)+];

            fn index(self) -> usize {
                self as usize
            }

            fn as_label(self) -> &'static str {
                self.as_str()
            }
        }
    };
}
pub(crate) use reasons;

#[cfg(test)]
mod tests {
    use super::*;

    reasons! {
        enum Colour {
            Red = "red",
            Green = "light-green",
        }
    }

    #[test]
    fn counts_are_kept_by_reason() {
        let counts = CounterBy::<Colour>::default();
        counts.increment(Colour::Green);
        counts.add(Colour::Red, 3);
        assert_eq!(counts.iter().collect::<Vec<_>>(), [("red", 3), ("light-green", 1)]);
    }

    #[test]
    fn striped_counts_by_reason_lose_nothing_between_threads() {
        let counts = StripedCounterBy::<Colour>::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1_000).for_each(|_| counts.increment(Colour::Green)));
            }
        });
        counts.increment(Colour::Red);
        assert_eq!(counts.iter().collect::<Vec<_>>(), [("red", 1), ("light-green", 4_000)]);
    }

    #[test]
    fn a_striped_count_loses_nothing_between_threads() {
        let counter = StripedCounter::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1_000).for_each(|_| counter.increment()));
            }
        });
        assert_eq!(counter.total(), 4_000);
    }
}
