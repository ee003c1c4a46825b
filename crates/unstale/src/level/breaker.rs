//! The circuit breaker of the store: after some failures in a row nobody waits for it for a while.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::cache::later;

/// When the node stops asking its store, and for how long.
///
/// After so many failures in a row the breaker *opens*: calls of the store fail at once, so that nobody waits for a store that
/// is down, and it is not kept down by those who ask. After its rest one call is let through: if that goes well the
/// breaker closes, else it rests twice as long, at most 30 s.
///
/// ```
/// use std::time::Duration;
/// use unstale::StoreBreaker;
///
/// let breaker = StoreBreaker::after(10).rest(Duration::from_secs(3));
/// # let _ = (breaker, StoreBreaker::off());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreBreaker {
    failures: u32,
    rest: Duration,
}

impl StoreBreaker {
    /// Opens after so many failures in a row, at least one.
    pub const fn after(failures: u32) -> Self {
        Self { failures: if failures == 0 { 1 } else { failures }, rest: Duration::from_secs(1) }
    }

    /// Never opens.
    pub const fn off() -> Self {
        Self { failures: u32::MAX, rest: Duration::ZERO }
    }

    /// How long it rests at first. Default: 1 s.
    #[must_use]
    pub const fn rest(self, rest: Duration) -> Self {
        Self { rest, ..self }
    }
}

impl Default for StoreBreaker {
    /// After 5 failures, for 1 s.
    fn default() -> Self {
        Self::after(5)
    }
}

/// The longest rest.
const REST_MAX: Duration = Duration::from_secs(30);

/// The breaker at work.
#[derive(Debug)]
pub(crate) struct Breaker {
    options: StoreBreaker,
    /// In a row; at the limit it is not closed.
    failures: AtomicU32,
    open: Mutex<Open>,
}

#[derive(Debug)]
struct Open {
    until: Instant,
    rest: Duration,
    is_probed: bool,
}

/// What a change of the breaker was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turned {
    Opened,
    Closed,
}

/// The right to make one call; to be given back with what came of it.
#[derive(Debug)]
pub(crate) struct Pass<'a> {
    breaker: &'a Breaker,
    is_probe: bool,
    is_over: bool,
}

impl Breaker {
    pub(crate) fn new(options: StoreBreaker) -> Self {
        let open = Open { until: Instant::now(), rest: options.rest, is_probed: false };
        Self { options, failures: AtomicU32::new(0), open: Mutex::new(open) }
    }

    /// Whether calls are let through.
    pub(crate) fn is_closed(&self) -> bool {
        self.failures.load(Ordering::Acquire) < self.options.failures
    }

    /// Lets a call through, or not.
    pub(crate) fn pass(&self) -> Option<Pass<'_>> {
        if self.is_closed() {
            return Some(Pass { breaker: self, is_probe: false, is_over: false });
        }
        let mut open = self.lock();
        if self.is_closed() {
            return Some(Pass { breaker: self, is_probe: false, is_over: false });
        }
        if open.is_probed || Instant::now() < open.until {
            return None;
        }
        open.is_probed = true;
        Some(Pass { breaker: self, is_probe: true, is_over: false })
    }

    /// When the next call may be let through; nothing if any is.
    pub(crate) fn opens_at(&self) -> Option<Instant> {
        if self.is_closed() { None } else { Some(self.lock().until) }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) -> Option<Turned> {
        let was_open = self.failures.swap(0, Ordering::AcqRel) >= self.options.failures;
        if !was_open {
            return None;
        }
        let mut open = self.lock();
        (open.rest, open.is_probed) = (self.options.rest, false);
        Some(Turned::Closed)
    }

    fn fail(&self, is_probe: bool) -> Option<Turned> {
        let mut open = self.lock();
        let before = self.failures.load(Ordering::Acquire);
        self.failures.store(before.saturating_add(1), Ordering::Release);
        let limit = self.options.failures;
        if is_probe {
            open.rest = open.rest.saturating_mul(2).min(REST_MAX.max(self.options.rest));
            (open.until, open.is_probed) = (later(Instant::now(), open.rest), false);
            return None;
        }
        if before >= limit || before + 1 < limit {
            return None;
        }
        open.rest = self.options.rest;
        (open.until, open.is_probed) = (later(Instant::now(), open.rest), false);
        Some(Turned::Opened)
    }
}

impl Pass<'_> {
    /// The call was answered.
    pub(crate) fn succeeded(mut self) -> Option<Turned> {
        self.is_over = true;
        if !self.is_probe && self.breaker.failures.load(Ordering::Relaxed) == 0 {
            return None;
        }
        // A call from before it opened says nothing of now.
        if !self.is_probe && !self.breaker.is_closed() {
            return None;
        }
        self.breaker.close()
    }

    /// The store failed.
    pub(crate) fn failed(mut self) -> Option<Turned> {
        self.is_over = true;
        self.breaker.fail(self.is_probe)
    }
}

impl Drop for Pass<'_> {
    /// A call that was given up says nothing; the next one is let through in its place.
    fn drop(&mut self) {
        if self.is_probe && !self.is_over {
            self.breaker.lock().is_probed = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing(breaker: &Breaker) -> Option<Turned> {
        breaker.pass().expect("it lets calls through").failed()
    }

    #[tokio::test(start_paused = true)]
    async fn it_opens_after_failures_in_a_row_lets_one_call_through_and_closes() {
        // F15
        let breaker = Breaker::new(StoreBreaker::after(3));
        assert_eq!([failing(&breaker), failing(&breaker)], [None, None]);
        assert_eq!(breaker.pass().unwrap().succeeded(), None, "the row is broken");
        assert_eq!(
            [failing(&breaker), failing(&breaker), failing(&breaker)],
            [None, None, Some(Turned::Opened)]
        );
        assert!(breaker.pass().is_none());
        tokio::time::advance(Duration::from_secs(1)).await;
        let probe = breaker.pass().unwrap();
        assert!(breaker.pass().is_none(), "one call, not all");
        assert_eq!(probe.failed(), None);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(breaker.pass().is_none(), "it rests twice as long");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(breaker.pass().unwrap().succeeded(), Some(Turned::Closed));
        assert!(breaker.is_closed());
        assert_eq!(
            [failing(&breaker), failing(&breaker), failing(&breaker)],
            [None, None, Some(Turned::Opened)]
        );
        tokio::time::advance(Duration::from_secs(1)).await;
        drop(breaker.pass().unwrap());
        assert!(breaker.pass().is_some(), "a call that was given up leaves its place to the next");
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_to_a_call_from_before_does_not_close_it() {
        let breaker = Breaker::new(StoreBreaker::after(1));
        let early = breaker.pass().unwrap();
        assert_eq!(failing(&breaker), Some(Turned::Opened));
        assert_eq!(early.succeeded(), None);
        assert!(!breaker.is_closed());
    }

    #[tokio::test(start_paused = true)]
    async fn it_can_rest_for_good() {
        let breaker = Breaker::new(StoreBreaker::after(1).rest(Duration::MAX));
        assert_eq!(failing(&breaker), Some(Turned::Opened));
        tokio::time::advance(Duration::from_secs(86_400 * 365)).await;
        assert!(breaker.pass().is_none());
    }

    #[test]
    fn it_can_be_off() {
        let breaker = Breaker::new(StoreBreaker::off());
        assert!((0..1_000).all(|_| failing(&breaker).is_none()));
    }
}
