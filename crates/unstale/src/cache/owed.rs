//! What the store is owed: removals that it did not take. Until they are made good, this node reads nothing of it that
//! they concern.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// The most keys, and the most tags, that are owed one by one. Beyond it the whole cache is owed: keys -> cache.
const OWED_MAX: usize = 4_096;

/// One removal that the store has to make good.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Debt {
    Key(Bytes),
    Tag(Bytes),
    Cache,
}

/// Removals of one cache that failed, with the newest stamp of each.
#[derive(Debug, Default)]
pub(crate) struct Owed {
    any: AtomicBool,
    debts: Mutex<BTreeMap<Debt, u64>>,
}

impl Owed {
    /// The store did not take this removal.
    pub(crate) fn owe(&self, debt: Debt, stamp: u64) {
        let mut debts = self.debts();
        if debts.contains_key(&Debt::Cache) || (debts.len() >= OWED_MAX && !debts.contains_key(&debt)) {
            let newest = debts.values().copied().max().unwrap_or_default().max(stamp);
            debts.clear();
            debts.insert(Debt::Cache, newest);
        } else {
            let newest = debts.entry(debt).or_default();
            *newest = stamp.max(*newest);
        }
        self.any.store(true, Ordering::Release);
    }

    /// What has to be made good before any of `keys` is read: these keys, and all tags, since nobody knows what carries
    /// them. Costs one load while nothing is owed.
    pub(crate) fn before_reading(&self, keys: &[Bytes]) -> Vec<(Debt, u64)> {
        if !self.any.load(Ordering::Acquire) {
            return Vec::new();
        }
        let debts = self.debts();
        let concerns = |debt: &Debt| match debt {
            Debt::Key(key) => keys.contains(key),
            Debt::Tag(_) | Debt::Cache => true,
        };
        debts.iter().filter(|(debt, _)| concerns(debt)).map(|(debt, stamp)| (debt.clone(), *stamp)).collect()
    }

    /// The store took the removal with this stamp.
    pub(crate) fn settle(&self, debt: &Debt, stamp: u64) {
        let mut debts = self.debts();
        if debts.get(debt).is_some_and(|owed| *owed <= stamp) {
            debts.remove(debt);
        }
        self.any.store(!debts.is_empty(), Ordering::Release);
    }

    fn debts(&self) -> MutexGuard<'_, BTreeMap<Debt, u64>> {
        self.debts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &'static str) -> Bytes {
        Bytes::from_static(name.as_bytes())
    }

    #[test]
    fn a_key_is_owed_until_a_removal_that_is_not_older_was_taken() {
        let owed = Owed::default();
        owed.owe(Debt::Key(key("a")), 5);
        owed.owe(Debt::Key(key("a")), 3);
        assert_eq!(owed.before_reading(&[key("b")]), []);
        owed.settle(&Debt::Key(key("a")), 4);
        assert_eq!(owed.before_reading(&[key("a")]), [(Debt::Key(key("a")), 5)]);
        owed.settle(&Debt::Key(key("a")), 5);
        assert_eq!(owed.before_reading(&[key("a")]), []);
    }

    #[test]
    fn an_owed_tag_stands_before_every_key() {
        let owed = Owed::default();
        owed.owe(Debt::Tag(key("t")), 1);
        assert_eq!(owed.before_reading(&[key("b")]), [(Debt::Tag(key("t")), 1)]);
    }

    #[test]
    fn too_many_debts_become_one_for_the_whole_cache() {
        let owed = Owed::default();
        for n in 0..=OWED_MAX as u64 {
            owed.owe(Debt::Key(Bytes::copy_from_slice(&n.to_be_bytes())), n);
        }
        assert_eq!(owed.before_reading(&[]), [(Debt::Cache, OWED_MAX as u64)]);
        owed.owe(Debt::Key(key("a")), 9_999);
        assert_eq!(owed.before_reading(&[]), [(Debt::Cache, 9_999)]);
    }
}
