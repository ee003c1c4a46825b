//! The choices in force: a cache's, with a call's or a loader's laid over them.

use std::time::Duration;

use tokio::time::Instant;

use super::options::{EntryOptions, FailSafe, Overdue, Recovery, Skips};

/// The longest time to live in memory; longer ones are cut to it (ticks of 16 ms in 32 bits).
pub(crate) const TIME_TO_LIVE_MAX: Duration = Duration::from_secs(16 * (u32::MAX as u64 / 1_000));

/// The shortest duration that the coarse clock can keep.
pub(crate) const TIME_TO_LIVE_MIN: Duration = Duration::from_millis(16);

/// Every choice, made.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) time_to_live: Duration,
    pub(crate) store_time_to_live: Option<Duration>,
    pub(crate) store_fail_safe: Option<Duration>,
    pub(crate) negative_time_to_live: Option<Duration>,
    pub(crate) jitter: Duration,
    pub(crate) fail_safe: FailSafe,
    pub(crate) soft_timeout: Option<Duration>,
    pub(crate) hard_timeout: Option<Duration>,
    pub(crate) eager_refresh: Option<f64>,
    pub(crate) overdue: Overdue,
    pub(crate) recovery: Recovery,
    pub(crate) skips: Skips,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            time_to_live: Duration::from_secs(30),
            store_time_to_live: None,
            store_fail_safe: None,
            negative_time_to_live: None,
            jitter: Duration::ZERO,
            fail_safe: FailSafe::off(),
            soft_timeout: None,
            hard_timeout: None,
            eager_refresh: None,
            overdue: Overdue::Completes,
            recovery: Recovery::Paced,
            skips: Skips::default(),
        }
    }
}

impl Policy {
    /// These choices, with those of `options` laid over them.
    pub(crate) fn with(&self, options: &EntryOptions) -> Self {
        Self {
            time_to_live: options.time_to_live.unwrap_or(self.time_to_live),
            // A time to live chosen for one value holds on both levels unless the store's is chosen as well.
            store_time_to_live: options
                .store_time_to_live
                .or(options.time_to_live)
                .or(self.store_time_to_live),
            store_fail_safe: options.store_fail_safe.or(self.store_fail_safe),
            negative_time_to_live: options.negative_time_to_live.or(self.negative_time_to_live),
            jitter: options.jitter.unwrap_or(self.jitter),
            fail_safe: options.fail_safe.unwrap_or(self.fail_safe),
            soft_timeout: options.soft_timeout.or(self.soft_timeout),
            hard_timeout: options.hard_timeout.or(self.hard_timeout),
            eager_refresh: options.eager_refresh.or(self.eager_refresh),
            overdue: options.overdue.unwrap_or(self.overdue),
            recovery: self.recovery,
            skips: self.skips.and(options.skips),
        }
    }

    /// How long a value, or a cached nothing, is fresh in memory, without jitter.
    pub(crate) fn memory_life(&self, kind: Kind) -> Duration {
        self.life(kind, self.time_to_live)
    }

    /// How long a value, or a cached nothing, is fresh in the store.
    pub(crate) fn store_life(&self, kind: Kind) -> Duration {
        self.life(kind, self.store_time_to_live.unwrap_or(self.time_to_live))
    }

    /// How long a value that is fresh in the store for so long is kept there.
    pub(crate) fn store_keep(&self, fresh_for: Duration) -> Duration {
        let stale_for = self.fail_safe.duration().map(|in_memory| self.store_fail_safe.unwrap_or(in_memory));
        fresh_for.saturating_add(stale_for.unwrap_or_default())
    }

    fn life(&self, kind: Kind, of_values: Duration) -> Duration {
        match kind {
            Kind::Value => of_values,
            Kind::Nothing => self.negative_time_to_live.unwrap_or(of_values),
        }
    }

    /// What is wrong with these choices, in words.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let lives = [
            ("time to live", Some(self.time_to_live)),
            ("store time to live", self.store_time_to_live),
            ("negative time to live", self.negative_time_to_live),
            ("fail-safe duration", self.fail_safe.duration()),
            ("soft timeout", self.soft_timeout),
            ("hard timeout", self.hard_timeout),
        ];
        for (what, duration) in lives {
            if let Some(duration) = duration
                && duration < TIME_TO_LIVE_MIN
                && (duration.is_zero() || !what.ends_with("timeout"))
            {
                faults.push(format!("{what} of {duration:?} is below the limit of {TIME_TO_LIVE_MIN:?}"));
            }
        }
        if let Some(share) = self.eager_refresh
            && !(share > 0.0 && share < 1.0)
        {
            faults.push(format!("eager refresh at {share} of the time to live is not between 0 and 1"));
        }
        if let (Some(soft), Some(hard)) = (self.soft_timeout, self.hard_timeout)
            && soft >= hard
        {
            faults.push(format!("soft timeout of {soft:?} is not below the hard timeout of {hard:?}"));
        }
        if self.soft_timeout.is_some() && !self.fail_safe.is_on() {
            faults.push(
                "soft timeout without fail-safe: there is never an older value to answer with".to_owned(),
            );
        }
        if self.store_fail_safe.is_some() && !self.fail_safe.is_on() {
            faults.push("fail-safe of the store without fail-safe: nothing stale would be used".to_owned());
        }
        if self.overdue == Overdue::IsDropped && self.hard_timeout.is_none() {
            faults.push("overdue loads are dropped at the hard timeout, and there is none".to_owned());
        }
        faults
    }
}

/// An instant some time after another; one that never comes where that is beyond the clock.
pub(crate) fn later(began: Instant, span: Duration) -> Instant {
    const NEVER: Duration = Duration::from_secs(86_400 * 365 * 30);
    began.checked_add(span.min(NEVER)).unwrap_or(began)
}

/// What is cached under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Value,
    /// That there is none.
    Nothing,
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn a_call_overrides_what_it_names_and_nothing_else() {
        // F12
        let cache =
            Policy { time_to_live: seconds(60), store_time_to_live: Some(seconds(600)), ..Policy::default() };
        let call = cache.with(&EntryOptions::new().negative_time_to_live(seconds(5)));
        assert_eq!(call.memory_life(Kind::Value), seconds(60));
        assert_eq!(call.store_life(Kind::Value), seconds(600));
        assert_eq!(call.memory_life(Kind::Nothing), seconds(5));
        assert_eq!(call.store_life(Kind::Nothing), seconds(5));
    }

    #[test]
    fn a_time_to_live_chosen_for_one_value_holds_on_both_levels() {
        let cache = Policy { store_time_to_live: Some(seconds(600)), ..Policy::default() };
        let call = cache.with(&EntryOptions::new().time_to_live(seconds(3)));
        assert_eq!(call.store_life(Kind::Value), seconds(3));
    }

    #[test]
    fn all_faults_are_named_at_once_with_value_and_limit() {
        let policy = Policy {
            time_to_live: Duration::ZERO,
            eager_refresh: Some(1.5),
            soft_timeout: Some(seconds(2)),
            hard_timeout: Some(seconds(1)),
            ..Policy::default()
        };
        let faults = policy.faults();
        assert_eq!(
            faults,
            [
                "time to live of 0ns is below the limit of 16ms",
                "eager refresh at 1.5 of the time to live is not between 0 and 1",
                "soft timeout of 2s is not below the hard timeout of 1s",
                "soft timeout without fail-safe: there is never an older value to answer with",
            ]
        );
        let dropped = Policy { overdue: Overdue::IsDropped, ..Policy::default() };
        assert_eq!(dropped.faults(), ["overdue loads are dropped at the hard timeout, and there is none"]);
    }
}
