//! The contract of a store: the shared second level (L2).

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;

use crate::Error;

/// What a store's operations return.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// One stored value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The value's bytes; `None` is a cached nothing.
    pub value: Option<Bytes>,
    /// Orders writes of one key: a store never replaces newer by older.
    pub stamp: u64,
    /// How long it stays fresh from now.
    pub fresh_for: Duration,
    /// How long it stays at all from now (fail-safe included), at least `fresh_for`.
    pub keep_for: Duration,
    /// The tags it carries.
    pub tags: Vec<Bytes>,
    /// The validator for conditional refresh, if there is one.
    pub etag: Option<String>,
}

/// Under which condition a write takes place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Condition {
    /// Unless what is there has a stamp that is not older, or a tombstone or mark says so.
    Newer,
    /// Only by the holder of this fill lease, and only if nothing voided it since.
    Lease(u64),
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Written {
    /// It is there.
    Stored,
    /// Something newer, a tombstone, or a voided lease refused it.
    Refused,
}

/// What a read found, with a fill lease on a miss. See [`Store::get`].
pub type Lookup = Result<Record, u64>;

/// The shared second level.
///
/// Promises: after `remove` or `raise` returned, no `get` returns what was written before under that key or tag, and no
/// write whose lease or stamp is older than it is accepted. Operations are cancel-safe: a cancelled write may or may not
/// have taken place.
pub trait Store: Send + Sync + 'static {
    /// Reads keys of a cache. `Ok(record)` for a hit (perhaps past its freshness); `Err(lease)` for a miss, with a lease
    /// under which the caller may fill that key. One round trip for all keys.
    fn get<'a>(&'a self, cache: &'a str, keys: &'a [Bytes]) -> StoreFuture<'a, Vec<Lookup>>;

    /// Writes one record.
    fn put<'a>(
        &'a self,
        cache: &'a str,
        key: Bytes,
        record: Record,
        condition: Condition,
    ) -> StoreFuture<'a, Written>;

    /// Removes keys and leaves tombstones with `stamp`; voids their leases.
    fn remove<'a>(&'a self, cache: &'a str, keys: &'a [Bytes], stamp: u64) -> StoreFuture<'a, ()>;

    /// Makes keys stale but keeps them for fail-safe; voids their leases.
    fn expire<'a>(&'a self, cache: &'a str, keys: &'a [Bytes], stamp: u64) -> StoreFuture<'a, ()>;

    /// Ends everything of a cache with a stamp up to `stamp` that carries `tag`; everything of the cache without a tag.
    fn raise<'a>(&'a self, cache: &'a str, tag: Option<Bytes>, stamp: u64) -> StoreFuture<'a, ()>;
}
