//! How fast a cache loads while it is in doubt or recovers: a node that comes back after a cut finds much of what it holds
//! suspect, or removed, at one instant. Its database is not to see more than twice what it usually does.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Revalidations of suspects per second that are always allowed.
const SUSPECTS_PER_S_MIN: f64 = 16.0;

/// Loads per second that never wait.
const LOADS_PER_S_MIN: f64 = 64.0;

/// How many times the usual rate all loads together may reach. With [`BURST_US`] and the usual rate being an estimate, that is at most twice in any second.
const LOADS_OVER_USUAL: f64 = 1.5;

/// What was not used before may be made up for at once, as far as it is worth this long.
const BURST_US: u64 = 125_000;

/// The longest that a load waits for its turn.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// The usual rate is the median of so many of the last seconds with any loads: the filling of a new cache or one
/// storm does not move it, and a pause does not make a node forget how much its database bears.
const SECONDS: usize = 32;

/// With fewer seconds than this nobody knows what is usual: the least is, and no load waits.
const SECONDS_MIN: usize = 3;

/// Paces the loads of one cache.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    state: Mutex<State>,
}

/// What a load is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A suspect is revalidated: no load that is usual.
    Suspect,
    /// Anything else.
    Usual,
}

/// Whether a load waits for its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manners {
    /// It waits.
    Waits,
    /// It goes ahead, and nobody waits longer for it.
    GoesAhead,
}

#[derive(Debug)]
struct State {
    /// Usual loads of this second.
    second: u64,
    loads: u32,
    /// Of earlier seconds.
    seconds: VecDeque<u32>,
    usual_per_s: f64,
    /// Between two loads at the highest rate that all of them may reach.
    gap_us: u64,
    /// What is left for suspects.
    all: Turns,
    suspects: Turns,
    /// Those that wait stand in this queue.
    queue: Turns,
}

impl Pace {
    /// Whether one more suspect may be revalidated now: not more of them, by the second, than are usually loaded, and
    /// only while all loads together stay below twice that. A yes is spent.
    pub(crate) fn allows_suspect(&self, now_ms: u64) -> bool {
        let now_us = now_ms * 1_000;
        let mut state = self.lock();
        state.roll(now_ms);
        let allowed = state.all.is_open(now_us) && state.suspects.is_open(now_us);
        if allowed {
            let gap_us = gap_us(state.usual_per_s.max(SUSPECTS_PER_S_MIN));
            state.suspects.take(now_us, gap_us);
        }
        allowed
    }

    /// A load begins. Says how long it waits for its turn.
    pub(crate) fn turn(&self, now_ms: u64, purpose: Purpose, manners: Manners) -> Duration {
        let mut state = self.lock();
        state.roll(now_ms);
        if purpose == Purpose::Usual {
            state.loads = state.loads.saturating_add(1);
        }
        let (now_us, gap_us) = (now_ms * 1_000, state.gap_us);
        state.all.take(now_us, gap_us);
        state.all.due_us = state.all.due_us.min(now_us + BURST_US);
        match manners {
            Manners::Waits if state.seconds.len() >= SECONDS_MIN => state.queue.take(now_us, gap_us),
            Manners::Waits | Manners::GoesAhead => Duration::ZERO,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for State {
    fn default() -> Self {
        Self {
            second: 0,
            loads: 0,
            // All at once: what a cache takes does not grow with time.
            seconds: VecDeque::with_capacity(SECONDS),
            usual_per_s: 0.0,
            gap_us: gap_us(LOADS_PER_S_MIN),
            all: Turns::default(),
            suspects: Turns::default(),
            queue: Turns::default(),
        }
    }
}

impl State {
    fn roll(&mut self, now_ms: u64) {
        let second = now_ms / 1_000;
        if second <= self.second {
            return;
        }
        self.second = second;
        let loads = std::mem::take(&mut self.loads);
        if loads > 0 {
            if self.seconds.len() == SECONDS {
                self.seconds.pop_front();
            }
            self.seconds.push_back(loads);
            let mut sorted: Vec<_> = self.seconds.iter().copied().collect();
            sorted.sort_unstable();
            let is_known = sorted.len() >= SECONDS_MIN;
            self.usual_per_s = if is_known { f64::from(sorted[sorted.len() / 2]) } else { 0.0 };
            self.gap_us = gap_us((self.usual_per_s * LOADS_OVER_USUAL).max(LOADS_PER_S_MIN));
        }
    }
}

fn gap_us(per_s: f64) -> u64 {
    (1_000_000.0 / per_s) as u64
}

/// Turns that come so many a second.
#[derive(Debug, Default)]
struct Turns {
    /// When the next one is due.
    due_us: u64,
}

impl Turns {
    const fn is_open(&self, now_us: u64) -> bool {
        self.due_us <= now_us
    }

    /// Takes the next turn, and says how far off it is.
    fn take(&mut self, now_us: u64, gap_us: u64) -> Duration {
        let wait_max = WAIT_MAX.as_micros() as u64;
        let turn = self.due_us.max(now_us.saturating_sub(BURST_US)).min(now_us + wait_max);
        self.due_us = turn + gap_us;
        Duration::from_micros(turn.saturating_sub(now_us))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000;

    /// One usual load every `every` milliseconds.
    fn usual(pace: &Pace, from_ms: u64, until_ms: u64, every: usize) {
        for now in (from_ms..until_ms).step_by(every) {
            pace.turn(now, Purpose::Usual, Manners::GoesAhead);
        }
    }

    /// Suspects that are revalidated in a second in which ten are read each millisecond.
    fn revalidated(pace: &Pace, from_ms: u64) -> usize {
        let read = |now| {
            let allowed = pace.allows_suspect(now);
            if allowed {
                pace.turn(now, Purpose::Suspect, Manners::GoesAhead);
            }
            allowed
        };
        (from_ms..from_ms + SECOND).map(|now| (0..10).filter(|_| read(now)).count()).sum()
    }

    #[test]
    fn an_idle_cache_revalidates_sixteen_suspects_per_second() {
        let pace = Pace::default();
        let most = (10..20).map(|second| revalidated(&pace, second * SECOND)).max().expect("ten seconds");
        assert!((16..=18).contains(&most), "{most}");
    }

    #[test]
    fn a_busy_cache_revalidates_as_many_as_it_loads_even_after_a_pause() {
        let pace = Pace::default();
        usual(&pace, 10_000, 60_000, 1);
        let allowed = revalidated(&pace, 70_000);
        assert!((900..=1_150).contains(&allowed), "{allowed} for 1,000 loads per second before a pause");
    }

    #[test]
    fn with_its_usual_loads_a_cache_in_doubt_loads_at_most_twice_as_much_in_any_second() {
        let pace = Pace::default();
        usual(&pace, 10_000, 30_000, 10);
        for second in 30..60 {
            let allowed = std::cell::Cell::new(0);
            for now in second * SECOND..(second + 1) * SECOND {
                if now % 10 == 0 {
                    pace.turn(now, Purpose::Usual, Manners::GoesAhead);
                    allowed.set(allowed.get() + 1);
                }
                while pace.allows_suspect(now) {
                    pace.turn(now, Purpose::Suspect, Manners::GoesAhead);
                    allowed.set(allowed.get() + 1);
                }
            }
            assert!((140..=200).contains(&allowed.get()), "{} in second {second}", allowed.get());
        }
    }

    #[test]
    fn what_would_be_more_than_twice_the_usual_waits_but_not_for_ever() {
        let pace = Pace::default();
        usual(&pace, 10_000, 30_000, 10);
        let waits: Vec<_> = (0..400).map(|_| pace.turn(30_000, Purpose::Usual, Manners::Waits)).collect();
        assert!(waits.is_sorted());
        let within = |millis| waits.iter().filter(|wait| **wait < Duration::from_millis(millis)).count();
        assert!((150..=200).contains(&within(1_000)), "{} in a second", within(1_000));
        assert_eq!(waits.last(), Some(&WAIT_MAX));
    }

    #[test]
    fn the_filling_of_a_new_cache_waits_for_nothing_and_is_not_what_is_usual() {
        let pace = Pace::default();
        assert!((0..5_000).all(|_| pace.turn(10_000, Purpose::Usual, Manners::Waits).is_zero()));
        usual(&pace, 11_000, 30_000, 10);
        assert!((15..=120).contains(&revalidated(&pace, 30_000)));
    }

    #[test]
    fn revalidations_do_not_raise_their_own_limit() {
        let pace = Pace::default();
        for second in 10..60 {
            assert!(revalidated(&pace, second * SECOND) <= 18);
        }
    }

    #[test]
    fn who_goes_ahead_keeps_nobody_waiting() {
        let pace = Pace::default();
        usual(&pace, 10_000, 30_000, 10);
        for _ in 0..10_000 {
            pace.turn(30_000, Purpose::Suspect, Manners::GoesAhead);
        }
        let wait = pace.turn(30_000, Purpose::Usual, Manners::Waits);
        assert_eq!(wait, Duration::ZERO);
        assert!(!pace.allows_suspect(30_000), "but no suspect is let in besides");
    }
}
