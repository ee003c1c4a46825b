//! What can be chosen for a cache, for a call, and by a loader for one value.

use std::time::{Duration, SystemTime};

use bytes::Bytes;

/// Whether, and for how long, a value that stopped being fresh may stand in for one that cannot be loaded.
///
/// Only values that became *stale* stand in (time to live over, `expire`, `expire_tag`, a newer value set elsewhere);
/// what was removed is gone and never comes back.
///
/// ```
/// use std::time::Duration;
/// use unstale::FailSafe;
///
/// let two_hours = Duration::from_secs(7_200);
/// let fail_safe = FailSafe::for_at_most(two_hours).throttle(Duration::from_secs(30));
/// assert_eq!(fail_safe.duration(), Some(two_hours));
/// assert_eq!(FailSafe::off().duration(), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailSafe {
    for_at_most: Option<Duration>,
    throttle: Duration,
}

impl FailSafe {
    /// The pause after a failed load unless [`FailSafe::throttle`] says otherwise.
    pub const THROTTLE_DEFAULT: Duration = Duration::from_secs(30);

    /// Nothing stale is kept.
    pub const fn off() -> Self {
        Self { for_at_most: None, throttle: Self::THROTTLE_DEFAULT }
    }

    /// A value is kept, and may stand in, for at most `for_at_most` after its time to live ended. Kept in coarse steps:
    /// the end comes up to 1/64 late.
    pub const fn for_at_most(for_at_most: Duration) -> Self {
        Self { for_at_most: Some(for_at_most), throttle: Self::THROTTLE_DEFAULT }
    }

    /// How long after a failed load the stale value is served without trying again.
    #[must_use]
    pub const fn throttle(self, throttle: Duration) -> Self {
        Self { throttle, ..self }
    }

    /// How long a value may stand in; `None` if not at all.
    pub const fn duration(&self) -> Option<Duration> {
        self.for_at_most
    }

    pub(crate) const fn is_on(&self) -> bool {
        self.for_at_most.is_some()
    }

    pub(crate) const fn pause(&self) -> Duration {
        self.throttle
    }
}

/// One step of one level that a call leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Skip {
    /// What is in memory is not looked at: the value comes from the store or from the loader.
    MemoryRead,
    /// What was loaded or set is not put in memory (what a set makes old is dropped all the same).
    MemoryWrite,
    /// The store is not read.
    StoreRead,
    /// The store is not written (what a write makes old there is removed all the same).
    StoreWrite,
}

/// A small set of [`Skip`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Skips(u8);

impl Skips {
    pub(crate) const fn with(self, skip: Skip) -> Self {
        Self(self.0 | 1 << skip as u8)
    }

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn has(self, skip: Skip) -> bool {
        self.0 & 1 << skip as u8 != 0
    }
}

/// What happens to a load whose callers stopped waiting for it (soft or hard timeout).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Overdue {
    /// It goes on in the background, and what it loads is stored if no invalidation overtook it.
    Completes,
    /// It is dropped at the hard timeout; after a soft timeout it goes on until the hard one.
    IsDropped,
}

/// Whether a load waits until the store has taken what it brought.
///
/// Removals, expiries and values that are set are always waited for: an act is announced only once the store is void.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StoreFills {
    /// It waits.
    Awaited,
    /// Its callers are answered at once, and the store is filled in the background; with 1,024 fills of the cache under way
    /// further ones are waited for.
    InBackground,
}

/// How a cache loads what it lost all at once, when a node was cut off and many acts that it missed are repaired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Recovery {
    /// For some seconds, loads beyond twice the usual rate of the cache wait for their turn, at most 1 s, so that no storm of
    /// loads meets the database. Up to 64 loads a second never wait, and neither does a read that bypasses the cache.
    Paced,
    /// Loads begin as they come.
    AtOnce,
}

/// Choices for one call or one value. What is not chosen here is as the cache was built.
///
/// ```
/// use std::time::Duration;
/// use unstale::EntryOptions;
///
/// let options = EntryOptions::new().time_to_live(Duration::from_secs(10)).tag("org:7").etag("\"v1\"");
/// # let _ = options;
/// ```
#[derive(Clone, Debug, Default)]
pub struct EntryOptions {
    pub(crate) time_to_live: Option<Duration>,
    pub(crate) store_time_to_live: Option<Duration>,
    pub(crate) store_fail_safe: Option<Duration>,
    pub(crate) negative_time_to_live: Option<Duration>,
    pub(crate) jitter: Option<Duration>,
    pub(crate) fail_safe: Option<FailSafe>,
    pub(crate) soft_timeout: Option<Duration>,
    pub(crate) hard_timeout: Option<Duration>,
    pub(crate) eager_refresh: Option<f64>,
    pub(crate) overdue: Option<Overdue>,
    pub(crate) skips: Skips,
    pub(crate) tags: Vec<Bytes>,
    pub(crate) etag: Option<String>,
    pub(crate) last_modified: Option<SystemTime>,
    pub(crate) version: Option<u64>,
}

impl EntryOptions {
    /// Everything as the cache was built.
    pub fn new() -> Self {
        Self::default()
    }

    /// How long the value is fresh in memory, and in the store unless [`EntryOptions::store_time_to_live`] says otherwise.
    #[must_use]
    pub const fn time_to_live(mut self, duration: Duration) -> Self {
        self.time_to_live = Some(duration);
        self
    }

    /// How long the value is fresh in the store (L2).
    #[must_use]
    pub const fn store_time_to_live(mut self, duration: Duration) -> Self {
        self.store_time_to_live = Some(duration);
        self
    }

    /// How long the store keeps the value after it stopped being fresh there, for fail-safe. Default: as memory.
    #[must_use]
    pub const fn store_fail_safe(mut self, duration: Duration) -> Self {
        self.store_fail_safe = Some(duration);
        self
    }

    /// How long a cached nothing is fresh.
    #[must_use]
    pub const fn negative_time_to_live(mut self, duration: Duration) -> Self {
        self.negative_time_to_live = Some(duration);
        self
    }

    /// At most this much is added to the time to live in memory, at random, so that values loaded together do not
    /// expire together.
    #[must_use]
    pub const fn jitter(mut self, most: Duration) -> Self {
        self.jitter = Some(most);
        self
    }

    /// Whether a stale value may stand in.
    #[must_use]
    pub const fn fail_safe(mut self, fail_safe: FailSafe) -> Self {
        self.fail_safe = Some(fail_safe);
        self
    }

    /// After this time the caller gets a stale value, if fail-safe is on and there is one.
    #[must_use]
    pub const fn soft_timeout(mut self, duration: Duration) -> Self {
        self.soft_timeout = Some(duration);
        self
    }

    /// After this time the caller gets a stale value if there is one, else an error.
    #[must_use]
    pub const fn hard_timeout(mut self, duration: Duration) -> Self {
        self.hard_timeout = Some(duration);
        self
    }

    /// The share of its life, above 0 and below 1, after which a hit starts a load in the background.
    #[must_use]
    pub const fn eager_refresh(mut self, share: f64) -> Self {
        self.eager_refresh = Some(share);
        self
    }

    /// What becomes of a load that nobody waits for any more.
    #[must_use]
    pub const fn overdue(mut self, overdue: Overdue) -> Self {
        self.overdue = Some(overdue);
        self
    }

    /// Leaves out one step of one level. May be said several times.
    #[must_use]
    pub const fn skip(mut self, skip: Skip) -> Self {
        self.skips = self.skips.with(skip);
        self
    }

    /// Puts a tag on the value. May be said several times; a load adds its own tags to these.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<Bytes>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// The validator of a value that is set.
    #[must_use]
    pub fn etag(mut self, etag: impl Into<String>) -> Self {
        self.etag = Some(etag.into());
        self
    }

    /// When the value that is set was last modified.
    #[must_use]
    pub const fn last_modified(mut self, at: SystemTime) -> Self {
        self.last_modified = Some(at);
        self
    }

    /// The database's own version of a value that is set: a value of a lower version never replaces it.
    #[must_use]
    pub const fn version(mut self, version: u64) -> Self {
        self.version = Some(version);
        self
    }
}
