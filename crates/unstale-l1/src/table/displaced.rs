//! What the map is told about entries: their weight, and where those go that it displaces.

use quick_cache::{Lifecycle, Weighter};

use crate::entry::Slot;

/// The weight that an entry was given when it was made: the map asks for it under its locks and needs it to be stable.
#[derive(Clone, Debug)]
pub(crate) struct SlotWeight;

impl<K, V> Weighter<K, Slot<V>> for SlotWeight {
    #[inline]
    fn weight(&self, _key: &K, slot: &Slot<V>) -> u64 {
        u64::from(slot.weight())
    }
}

/// Takes what the map displaces out of its locks: destructors are the user's.
#[derive(Clone, Debug)]
pub(crate) struct Displacement;

/// What was displaced, to be dropped outside of all locks. One is the rule and needs no allocation.
pub(crate) struct Displaced<K, V> {
    first: Option<(Option<K>, Slot<V>)>,
    more: Vec<(Option<K>, Slot<V>)>,
}

impl<K, V> Displaced<K, V> {
    pub(super) fn add(&mut self, key: Option<K>, slot: Slot<V>) {
        if self.first.is_none() {
            self.first = Some((key, slot));
        } else {
            self.more.push((key, slot));
        }
    }
}

impl<K, V> Default for Displaced<K, V> {
    fn default() -> Self {
        Self { first: None, more: Vec::new() }
    }
}

impl<K, V> Lifecycle<K, Slot<V>> for Displacement {
    type RequestState = Displaced<K, V>;

    fn on_evict(&self, displaced: &mut Displaced<K, V>, key: K, slot: Slot<V>) {
        displaced.add(Some(key), slot);
    }
}
