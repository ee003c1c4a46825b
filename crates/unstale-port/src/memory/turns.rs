//! Turns: who loads a key of a store now.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bytes::Bytes;

use crate::{Lease, Turn};

/// The turns that are taken, at most so many; one more ends the one that would have ended first.
pub(super) struct Turns {
    limit: usize,
    taken: HashMap<Bytes, Taken>,
    /// By when they end.
    order: BTreeMap<(Duration, u64), Bytes>,
    count: u64,
}

struct Taken {
    lease: Lease,
    ends: (Duration, u64),
}

impl Turns {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, taken: HashMap::new(), order: BTreeMap::new(), count: 0 }
    }

    /// Takes the turn, if nobody has it since the last clear, which was change `cleared`.
    pub(super) fn take(
        &mut self,
        cache: &str,
        key: &Bytes,
        lease: Lease,
        cleared: u64,
        now: Duration,
        turn: Duration,
    ) -> Turn {
        while self.order.first_key_value().is_some_and(|((ends, _), _)| *ends <= now) {
            self.end_first();
        }
        let name = name(cache, key);
        if self.taken.get(&name).is_some_and(|taken| taken.lease.0 >= u128::from(cleared)) {
            return Turn::Taken;
        }
        self.end_named(&name);
        if self.taken.len() >= self.limit {
            self.end_first();
        }
        self.count += 1;
        let ends = (now.saturating_add(turn), self.count);
        self.order.insert(ends, name.clone());
        self.taken.insert(name, Taken { lease, ends });
        Turn::Yours
    }

    /// Ends the turn of a key whoever has it.
    pub(super) fn end(&mut self, cache: &str, key: &Bytes) {
        if !self.taken.is_empty() {
            self.end_named(&name(cache, key));
        }
    }

    /// Ends the turn that came with a lease.
    pub(super) fn release(&mut self, cache: &str, key: &Bytes, lease: Lease) {
        let name = name(cache, key);
        if self.taken.get(&name).is_some_and(|taken| taken.lease == lease) {
            self.end_named(&name);
        }
    }

    fn end_named(&mut self, name: &Bytes) {
        if let Some(taken) = self.taken.remove(name) {
            self.order.remove(&taken.ends);
        }
    }

    fn end_first(&mut self) {
        if let Some((_, name)) = self.order.pop_first() {
            self.taken.remove(&name);
        }
    }
}

/// A key of a cache, apart from every other key of any cache: the length of the name comes first.
fn name(cache: &str, key: &Bytes) -> Bytes {
    [&(cache.len() as u64).to_be_bytes()[..], cache.as_bytes(), key].concat().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_turn_too_many_ends_the_one_that_would_have_ended_first() {
        let mut turns = Turns::new(2);
        let mut take = |key: &'static str, seconds| {
            let key = Bytes::from_static(key.as_bytes());
            turns.take("c", &key, Lease(0), 0, Duration::ZERO, Duration::from_secs(seconds))
        };
        assert_eq!([take("a", 9), take("b", 5), take("c", 7)], [Turn::Yours; 3]);
        assert_eq!([take("a", 9), take("c", 7)], [Turn::Taken; 2]);
        assert_eq!(take("b", 5), Turn::Yours);
        assert_eq!((turns.taken.len(), turns.order.len()), (2, 2));
    }
}
