//! The contract of a store: the shared second level (L2).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use crate::Error;

/// What a store's operations return.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// One stored value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The value's bytes; `None` is a cached nothing.
    pub value: Option<Bytes>,
    /// Orders writes of one key, from 1: see [`Condition::Newer`].
    pub stamp: u64,
    /// How long it stays fresh from now.
    pub fresh_for: Duration,
    /// How long it stays at all from now (fail-safe included), at least `fresh_for`.
    pub keep_for: Duration,
    /// The tags it carries.
    pub tags: Vec<Bytes>,
    /// The authority's own version of the value, if it has one: see [`Condition`].
    pub version: Option<u64>,
    /// The validator for conditional refresh, if there is one. Opaque to the store.
    pub etag: Option<String>,
    /// When the authority last changed the value, if it said so. Opaque to the store.
    pub last_modified: Option<SystemTime>,
}

/// The right to fill a key with what is loaded after the read that gave it out; opaque, and good for that key only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lease(pub u128);

/// What a read is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Intent {
    /// To know what is there.
    Read,
    /// To load whatever is missing or stale: who asks takes the turn to do so, if nobody has it.
    Load {
        /// How long the turn is kept for the one who takes it, unless it ends sooner. Longer than most loads take.
        turn: Duration,
    },
}

/// Whose turn it is to load a key whose record is missing or stale. Of all who ask with [`Intent::Load`], in all
/// processes, one has the turn at a time; a store that has no room for one more turn, or lost it, gives it out again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Turn {
    /// Nobody else's. It was taken by this read if that was to load and the record is missing or stale.
    Yours,
    /// Another reader's who is loading it: ask again a little later. The lease is good all the same, for whoever will
    /// not wait.
    Taken,
}

/// Under which condition a write takes place. Under both, a record is never replaced by one with a lower version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Condition {
    /// Only if the record's stamp is newer than that of everything written, removed, expired or raised so far that
    /// concerns the key, the cache or the record's tags. For values that a writer knows.
    Newer,
    /// Only if nothing that concerns the key, the cache or the record's tags was written, removed, expired or raised
    /// since the read that gave out the lease, whatever the stamps. For values that were loaded after that read.
    Lease(Lease),
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Written {
    /// It is there.
    Stored,
    /// The condition did not hold, or the store no longer knows whether it does.
    Refused,
}

/// What a read found, with a lease to fill or refresh that key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// The record; stale if its `fresh_for` is zero. Its stamp is the one it was written with.
    pub record: Option<Record>,
    /// The lease, given out with hits as well: for refreshing the stale and the soon stale.
    pub lease: Lease,
    /// Whether to load it now; always [`Turn::Yours`] for a fresh record and for [`Intent::Read`].
    pub turn: Turn,
}

/// The shared second level.
///
/// Promises: after `remove` or `raise` returned, no `get` returns what was written before under that key or tag, whatever
/// its stamp, and no write whose lease or stamp is older than it is accepted. A store that is full, or that lost what it
/// knew, forgets records and refuses writes; it never forgets a removal. Operations are atomic, and cancel-safe: a
/// cancelled or failed one may or may not have taken place. Repeating `remove`, `expire` or `raise` is harmless.
pub trait Store: Send + Sync + 'static {
    /// Reads keys of a cache, one answer for each in their order; a key that is named twice is answered once for both.
    /// One round trip for all keys.
    ///
    /// A read that is cancelled or whose answer is lost may have taken turns; they end by themselves.
    fn get<'a>(&'a self, cache: &'a str, keys: &'a [Bytes], intent: Intent) -> StoreFuture<'a, Vec<Lookup>>;

    /// Gives back the turn that came with `lease` where nothing was loaded: the next reader takes it. Not for
    /// [`Turn::Taken`]. Harmless where the turn has ended.
    ///
    /// A turn ends by itself after its time, with a write under its lease, stored or refused, and with any change of the
    /// key. What ends more than the key (a tag, a cache, everything) ends it at the latest with the write that it refuses.
    fn release<'a>(&'a self, cache: &'a str, key: Bytes, lease: Lease) -> StoreFuture<'a, ()>;

    /// Writes one record; voids the leases of that key that were given out before.
    ///
    /// # Errors
    /// `TooLarge` for a record that the store can never hold.
    fn put<'a>(
        &'a self,
        cache: &'a str,
        key: Bytes,
        record: Record,
        condition: Condition,
    ) -> StoreFuture<'a, Written>;

    /// Removes keys, also where the record's stamp is newer; leaves tombstones with `stamp`; voids their leases.
    fn remove<'a>(&'a self, cache: &'a str, keys: &'a [Bytes], stamp: u64) -> StoreFuture<'a, ()>;

    /// Makes keys stale but keeps them for fail-safe; otherwise as [`Store::remove`].
    fn expire<'a>(&'a self, cache: &'a str, keys: &'a [Bytes], stamp: u64) -> StoreFuture<'a, ()>;

    /// Ends everything written so far that carries `tag`, or everything if there is no tag, in `cache`, or in every cache
    /// of the store if there is none (whether or not this process knows of it). Voids leases of what would carry it, and
    /// refuses writes of it with a stamp up to `stamp`.
    fn raise<'a>(&'a self, cache: Option<&'a str>, tag: Option<Bytes>, stamp: u64) -> StoreFuture<'a, ()>;

    /// As [`Store::raise`] for whoever asks this store. Where programs of others share it, they may keep what it ended for
    /// their fail-safe, which after a `raise` they may not.
    fn raise_stale<'a>(
        &'a self,
        cache: Option<&'a str>,
        tag: Option<Bytes>,
        stamp: u64,
    ) -> StoreFuture<'a, ()> {
        self.raise(cache, tag, stamp)
    }
}

impl<S: Store + ?Sized> Store for Arc<S> {
    fn get<'a>(&'a self, cache: &'a str, keys: &'a [Bytes], intent: Intent) -> StoreFuture<'a, Vec<Lookup>> {
        (**self).get(cache, keys, intent)
    }

    fn release<'a>(&'a self, cache: &'a str, key: Bytes, lease: Lease) -> StoreFuture<'a, ()> {
        (**self).release(cache, key, lease)
    }

    fn put<'a>(
        &'a self,
        cache: &'a str,
        key: Bytes,
        record: Record,
        condition: Condition,
    ) -> StoreFuture<'a, Written> {
        (**self).put(cache, key, record, condition)
    }

    fn remove<'a>(&'a self, cache: &'a str, keys: &'a [Bytes], stamp: u64) -> StoreFuture<'a, ()> {
        (**self).remove(cache, keys, stamp)
    }

    fn expire<'a>(&'a self, cache: &'a str, keys: &'a [Bytes], stamp: u64) -> StoreFuture<'a, ()> {
        (**self).expire(cache, keys, stamp)
    }

    fn raise<'a>(&'a self, cache: Option<&'a str>, tag: Option<Bytes>, stamp: u64) -> StoreFuture<'a, ()> {
        (**self).raise(cache, tag, stamp)
    }

    fn raise_stale<'a>(
        &'a self,
        cache: Option<&'a str>,
        tag: Option<Bytes>,
        stamp: u64,
    ) -> StoreFuture<'a, ()> {
        (**self).raise_stale(cache, tag, stamp)
    }
}
