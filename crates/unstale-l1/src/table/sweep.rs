//! Looking through a table: for inspection, and to give back the memory of the dead.

use std::fmt;

use super::{Displaced, Inner, SlotWeight, Table, Verdict};
use crate::entry::{Found, Slot};
use crate::key::{Key, Probe};

type MapIter<'a, K, V> = crate::shim::map::Iter<
    'a,
    <K as Key>::Kept,
    Slot<V>,
    SlotWeight,
    foldhash::fast::SeedableRandomState,
    super::Displacement,
>;

/// One pass over a table that drops what nobody may be served any more: see [`Table::sweep`].
pub struct Sweep<'a, K: Key, V> {
    table: &'a Inner<K, V>,
    entries: MapIter<'a, K, V>,
}

/// What a step of a [`Sweep`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Entries looked at; fewer than the budget when the pass is over.
    pub seen: usize,
    /// Entries dropped.
    pub dropped: usize,
}

impl<K: Key, V: Send + Sync + 'static> Table<K, V> {
    /// The entries that may be used, in no order. Entries that come or go meanwhile may be seen or not. Each step takes the read
    /// lock of one shard.
    pub fn iter(&self) -> impl Iterator<Item = (K, Found<V>)> + '_ {
        let fresh = |(key, slot): (K::Kept, Slot<V>)| {
            let found = slot.found();
            self.inner.is_fresh(slot.head(), &key, self.inner.bounds()).then(|| (key.to_key(), found))
        };
        self.inner.map.iter().filter_map(fresh)
    }

    /// Begins a pass that drops what is too old even for fail-safe, and what is gone. Call [`Sweep::step`] until it sees
    /// fewer entries than its budget; nothing is held between the steps.
    pub fn sweep(&self) -> Sweep<'_, K, V> {
        Sweep { table: &self.inner, entries: self.inner.map.iter() }
    }
}

impl<K: Key, V: Send + Sync + 'static> Sweep<'_, K, V> {
    /// Looks at up to `budget` entries; about 200 ns for each.
    pub fn step(&mut self, budget: usize) -> Swept {
        let mut swept = Swept::default();
        let mut displaced = Displaced::default();
        for (key, slot) in self.entries.by_ref().take(budget) {
            swept.seen += 1;
            let head = slot.head();
            if head.is_published() && self.table.judge(head, &key, self.table.bounds()) == Verdict::Dead {
                // The same entry only: another one may have come meanwhile.
                if let Some((key, slot)) = self.table.map.remove_if(&key, |resident| resident.is(&slot)) {
                    displaced.add(Some(key), slot);
                    swept.dropped += 1;
                }
            }
        }
        swept
    }
}

impl<K: Key, V> fmt::Debug for Sweep<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sweep").finish_non_exhaustive()
    }
}
