//! Acts on keys of one table, ready for the critical section.

use std::sync::Arc;

use bytes::Bytes;
use unstale_core::Act;

use super::{Displaced, Inner};
use crate::fence::{Reach, SubjectRef};
use crate::key::{Kept, Key, Probe};
use crate::mechanism::Mechanism;
use crate::new_entry::Prepared;
use crate::registry::Chunk;

/// Decoded acts, and what they displaced.
pub(crate) struct KeyChunk<K: Key, V> {
    table: Arc<Inner<K, V>>,
    acts: Vec<KeyAct<K::Kept>>,
    /// The values of acts that set one, in their order. Apart, so that the others stay small.
    values: Vec<Prepared<V>>,
    displaced: Displaced<K::Kept, V>,
    undecodable: usize,
}

struct KeyAct<K> {
    key: K,
    subject: SubjectRef,
    deed: Deed,
}

#[derive(Clone, Copy)]
enum Deed {
    Invalidate(Reach),
    /// The next of the values.
    Set,
}

impl<K: Key, V: Send + Sync + 'static> KeyChunk<K, V> {
    pub(crate) fn new(table: Arc<Inner<K, V>>) -> Self {
        let displaced = Displaced::default();
        Self { table, acts: Vec::new(), values: Vec::new(), displaced, undecodable: 0 }
    }

    pub(super) fn with_room(table: Arc<Inner<K, V>>, acts: usize) -> Self {
        let mut chunk = Self::new(table);
        chunk.acts.reserve(acts);
        chunk
    }

    pub(super) fn add_key(&mut self, key: K::Kept, subject: SubjectRef, reach: Reach) {
        self.acts.push(KeyAct { key, subject, deed: Deed::Invalidate(reach) });
    }

    pub(super) fn add_set(&mut self, key: K::Kept, subject: SubjectRef, prepared: Prepared<V>) {
        self.acts.push(KeyAct { key, subject, deed: Deed::Set });
        self.values.push(prepared);
    }
}

impl<K: Key, V: Send + Sync + 'static> Chunk for KeyChunk<K, V> {
    fn add(&mut self, _index: usize, bytes: &Bytes, reach: Reach) {
        match K::decode(bytes) {
            Some(key) => {
                let subject = self.table.prefetched(self.table.subject_of(bytes));
                self.add_key(K::Kept::from_key(key), subject, reach);
            }
            None => self.undecodable += 1,
        }
    }

    fn raise(&self, number: u64) {
        for act in &self.acts {
            match act.deed {
                Deed::Invalidate(reach) => self.table.shared.fences.raise(act.subject, number, reach),
                Deed::Set => self.table.raise_for_set(act.subject, number),
            }
        }
    }

    fn withdraw(&mut self, number: u64, _remote: &[Act]) -> usize {
        let Self { table, acts, values, displaced, .. } = self;
        let mut present = 0;
        let mut values = values.drain(..);
        for KeyAct { key, deed, .. } in acts {
            let was_present = match deed {
                Deed::Invalidate(reach) => table.withdraw(key, number, *reach, displaced),
                Deed::Set => values.next().is_some_and(|value| table.set(key, value, number, displaced)),
            };
            present += usize::from(was_present);
        }
        present
    }

    fn undecodable(&self) -> usize {
        self.undecodable
    }
}

impl<K: Key, V: Send + Sync + 'static> Inner<K, V> {
    /// A set fences older loads and what depends on the old value, and ends that value.
    pub(super) fn raise_for_set(&self, subject: SubjectRef, number: u64) {
        if self.shared.mechanisms.on(Mechanism::SetFences) {
            self.shared.fences.raise(subject, number, Reach::Gone);
        }
    }

    /// Drops or marks the entry of a key. Whether there was one.
    pub(super) fn withdraw<Q: Probe<K> + ?Sized>(
        &self,
        key: &Q,
        number: u64,
        reach: Reach,
        displaced: &mut Displaced<K::Kept, V>,
    ) -> bool {
        match reach {
            // An entry of this very number was set by an earlier act of the same batch.
            Reach::Gone => match self.map.remove_if(key, |resident| resident.head().token <= number) {
                Some((key, slot)) => {
                    displaced.add(Some(key), slot);
                    true
                }
                None => false,
            },
            Reach::Stale => match self.map.peek(key) {
                Some(resident) => {
                    self.mark_stale(&resident, number);
                    displaced.add(None, resident);
                    true
                }
                None => false,
            },
        }
    }

    /// Puts a value in place of whatever there is, or drops that if it cannot be stored. Whether there was one.
    pub(super) fn set(
        &self,
        key: &K::Kept,
        prepared: Prepared<V>,
        number: u64,
        displaced: &mut Displaced<K::Kept, V>,
    ) -> bool {
        if self.unfit(&prepared).is_some() {
            displaced.add(None, prepared.into_slot(number));
            return self.withdraw(key, number, Reach::Gone, displaced);
        }
        let present = self.map.contains_key(key);
        self.put_of_act(key, prepared, number, displaced);
        present
    }

    fn mark_stale(&self, resident: &crate::entry::Slot<V>, number: u64) {
        let head = resident.head();
        let sees = head.is_published() || self.shared.mechanisms.on(Mechanism::ExpireSeesUnpublished);
        if head.token <= number && sees {
            head.mark_stale();
        }
    }
}
