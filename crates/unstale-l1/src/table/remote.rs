//! Acts of other nodes on keys of one table that are looked up by their bytes.

use std::sync::Arc;

use bytes::Bytes;
use unstale_core::{Act, Subject};

use super::{Displaced, Inner};
use crate::fence::{Reach, SubjectRef};
use crate::key::{Borrower, Key, Probe};
use crate::registry::Chunk;

/// Acts whose keys are not built: see [`Key::BORROWS`].
pub(super) struct BytesChunk<K: Key, V> {
    table: Arc<Inner<K, V>>,
    acts: Vec<BytesAct>,
    displaced: Displaced<K::Kept, V>,
    undecodable: usize,
}

struct BytesAct {
    subject: SubjectRef,
    reach: Reach,
    /// Which of the plan's acts it is: its key lies there.
    index: usize,
}

impl<K: Key, V: Send + Sync + 'static> BytesChunk<K, V> {
    pub(super) fn with_room(table: Arc<Inner<K, V>>, acts: usize) -> Self {
        let displaced = Displaced::default();
        Self { table, acts: Vec::with_capacity(acts), displaced, undecodable: 0 }
    }
}

impl<K: Key, V: Send + Sync + 'static> Chunk for BytesChunk<K, V> {
    // Whether there is a key of these bytes shows when it is looked up. If not, its fences were raised for nothing, which harms
    // as little as a key that nobody ever asked for.
    fn add(&mut self, index: usize, bytes: &Bytes, reach: Reach) {
        let subject = self.table.prefetched(self.table.subject_of(bytes));
        self.acts.push(BytesAct { subject, reach, index });
    }

    fn raise(&self, number: u64) {
        for act in &self.acts {
            self.table.shared.fences.raise(act.subject, number, act.reach);
        }
    }

    fn withdraw(&mut self, number: u64, remote: &[Act]) -> usize {
        let Self { table, acts, displaced, undecodable } = self;
        let mut present = 0;
        for BytesAct { reach, index, .. } in acts {
            let Subject::Key { key, .. } = &remote[*index].subject else { continue };
            let withdrawal = Withdrawal { table, number, reach: *reach, displaced };
            match K::borrow(key, withdrawal) {
                Some(was_present) => present += usize::from(was_present),
                None => *undecodable += 1,
            }
        }
        present
    }

    fn undecodable(&self) -> usize {
        self.undecodable
    }
}

/// Drops or marks the entry of a key. Whether there was one.
struct Withdrawal<'a, K: Key, V> {
    table: &'a Inner<K, V>,
    number: u64,
    reach: Reach,
    displaced: &'a mut Displaced<K::Kept, V>,
}

impl<K: Key, V: Send + Sync + 'static> Borrower<K> for Withdrawal<'_, K, V> {
    type Output = bool;

    fn borrow<Q: Probe<K> + ?Sized>(self, key: &Q) -> bool {
        self.table.withdraw(key, self.number, self.reach, self.displaced)
    }
}
