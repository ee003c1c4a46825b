//! Marks of a clear or of tags: what was written before one is ended, what is older than one is refused.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;

/// A point in a store's history: its place in the order of changes, and the highest stamp said up to it.
#[derive(Clone, Copy, Default)]
pub(super) struct Mark {
    pub(super) seq: u64,
    pub(super) stamp: u64,
}

impl Mark {
    /// The least mark that stands for both.
    pub(super) fn and(self, other: Self) -> Self {
        Self { seq: self.seq.max(other.seq), stamp: self.stamp.max(other.stamp) }
    }
}

/// The marks of one cache, or those that hold in every cache.
#[derive(Default)]
pub(super) struct Marks {
    clear: Mark,
    tags: HashMap<Bytes, Mark>,
    /// The tags by their mark's place, oldest first.
    order: BTreeMap<u64, Bytes>,
    /// Stands for the marks that had to be forgotten: for every tag.
    forgotten: Mark,
}

impl Marks {
    pub(super) fn raise(&mut self, tag: Option<Bytes>, mark: Mark, tags_max: usize) {
        let Some(tag) = tag else {
            self.clear = self.clear.and(mark);
            return;
        };
        let before = self.tags.get(&tag).copied().unwrap_or_default();
        self.order.remove(&before.seq);
        self.order.insert(mark.seq, tag.clone());
        self.tags.insert(tag, before.and(mark));
        while self.tags.len() > tags_max {
            let Some((_, oldest)) = self.order.pop_first() else { return };
            self.forgotten = self.forgotten.and(self.tags.remove(&oldest).unwrap_or_default());
        }
    }

    /// The mark that ends something with these tags.
    pub(super) fn over(&self, tags: &[Bytes]) -> Mark {
        let of_tags = tags.iter().filter_map(|tag| self.tags.get(tag)).copied();
        let forgotten = if tags.is_empty() { Mark::default() } else { self.forgotten };
        of_tags.fold(self.clear.and(forgotten), Mark::and)
    }
}
