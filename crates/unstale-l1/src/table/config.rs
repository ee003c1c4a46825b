//! How a table is set up, and what its entries weigh.

use std::fmt;
use std::sync::Arc;

use quick_cache::{Options, OptionsBuilder};

use crate::key::Key;

/// Bytes that an entry takes beside its key's and value's own: header, counts, slab and index.
pub const ENTRY_OVERHEAD_BYTES: u64 = 120;

/// How a table is set up.
pub struct TableConfig<K: Key, V> {
    /// The most entries that it holds.
    pub entries_max: u64,
    /// The most bytes that it holds, and what a key and its value take (without [`ENTRY_OVERHEAD_BYTES`]; a negative entry
    /// has no value). At least the share of one entry in `entries_max` is reckoned for each, so that both bounds hold.
    pub bytes_max: Option<(u64, Weigher<K, V>)>,
    /// How many locks the table is divided by, a power of two; four for each core if it is not said.
    pub shards: Option<usize>,
}

/// What a key and its value take, in bytes. Asked once for each entry, outside of all locks.
pub type Weigher<K, V> = Arc<dyn Fn(&<K as Key>::Kept, Option<&V>) -> u64 + Send + Sync>;

impl<K: Key, V> Default for TableConfig<K, V> {
    fn default() -> Self {
        Self { entries_max: 100_000, bytes_max: None, shards: None }
    }
}

impl<K: Key, V> fmt::Debug for TableConfig<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes_max = self.bytes_max.as_ref().map(|(bytes, _)| bytes);
        f.debug_struct("TableConfig")
            .field("entries_max", &self.entries_max)
            .field("bytes_max", &bytes_max)
            .field("shards", &self.shards)
            .finish()
    }
}

impl<K: Key, V> TableConfig<K, V> {
    /// What a new entry weighs: its share of the bytes, or 1 if only entries are counted. Never nothing: the map does not
    /// evict what weighs nothing.
    pub(super) fn weight(&self, key: &K::Kept, value: Option<&V>) -> u32 {
        let bytes = self
            .bytes_max
            .as_ref()
            .map_or(0, |(_, weigh)| weigh(key, value).saturating_add(ENTRY_OVERHEAD_BYTES));
        let share = self.capacity() / self.entries_max.max(1);
        u32::try_from(bytes.max(share).max(1)).unwrap_or(u32::MAX)
    }

    pub(super) fn options(&self) -> Options {
        let mut options = OptionsBuilder::new();
        options.estimated_items_capacity(self.entries_max.max(1) as usize).weight_capacity(self.capacity());
        if let Some(shards) = self.shards {
            options.shards(shards);
        }
        options.build().expect("options of the map are complete")
    }

    fn capacity(&self) -> u64 {
        self.bytes_max.as_ref().map_or(self.entries_max, |(bytes, _)| *bytes).max(1)
    }
}
