//! Acts of other nodes on keys of one table that are looked up by their bytes.

use std::sync::Arc;

use bytes::Bytes;

use super::{Displaced, Inner};
use crate::fence::{Reach, SubjectRef};
use crate::key::{Borrower, Key, Probe};
use crate::registry::Chunk;

/// Acts whose keys are not built: see [`Key::BORROWS`].
pub(super) struct BytesChunk<K, V> {
    table: Arc<Inner<K, V>>,
    acts: Vec<BytesAct>,
    /// All keys, one after the other.
    bytes: Vec<u8>,
    displaced: Displaced<K, V>,
    undecodable: usize,
}

struct BytesAct {
    subject: SubjectRef,
    reach: Reach,
    /// Where its key ends.
    end: usize,
}

impl<K: Key, V: Send + Sync + 'static> BytesChunk<K, V> {
    pub(super) fn with_room(table: Arc<Inner<K, V>>, acts: usize) -> Self {
        let displaced = Displaced::default();
        Self { table, acts: Vec::with_capacity(acts), bytes: Vec::new(), displaced, undecodable: 0 }
    }
}

impl<K: Key, V: Send + Sync + 'static> Chunk for BytesChunk<K, V> {
    // Whether there is a key of these bytes shows when it is looked up. If not, its fences were raised for nothing, which harms
    // as little as a key that nobody ever asked for.
    fn add(&mut self, bytes: &Bytes, reach: Reach) {
        self.bytes.extend_from_slice(bytes);
        let subject = self.table.subject_of(bytes);
        self.acts.push(BytesAct { subject, reach, end: self.bytes.len() });
    }

    fn touch(&self) {
        for act in &self.acts {
            self.table.shared.fences.touch(act.subject);
        }
    }

    fn raise(&self, number: u64) {
        for act in &self.acts {
            self.table.shared.fences.raise(act.subject, number, act.reach);
        }
    }

    fn withdraw(&mut self, number: u64) -> usize {
        let Self { table, acts, bytes, displaced, undecodable } = self;
        let (mut present, mut begin) = (0, 0);
        for BytesAct { reach, end, .. } in acts {
            let withdrawal = Withdrawal { table, number, reach: *reach, displaced };
            match K::borrow(&bytes[begin..*end], withdrawal) {
                Some(was_present) => present += usize::from(was_present),
                None => *undecodable += 1,
            }
            begin = *end;
        }
        present
    }

    fn undecodable(&self) -> usize {
        self.undecodable
    }
}

/// Drops or marks the entry of a key. Whether there was one.
struct Withdrawal<'a, K, V> {
    table: &'a Inner<K, V>,
    number: u64,
    reach: Reach,
    displaced: &'a mut Displaced<K, V>,
}

impl<K: Key, V: Send + Sync + 'static> Borrower<K> for Withdrawal<'_, K, V> {
    type Output = bool;

    fn borrow<Q: Probe<K> + ?Sized>(self, key: &Q) -> bool {
        self.table.withdraw(key, self.number, self.reach, self.displaced)
    }
}
