//! Floors: fences under a whole cache (F-2).

use crate::shim::{AtomicU64, Ordering};

/// What a token must not be below. Only the first is on the path of a hit; only the holder of the act mutex writes.
#[derive(Debug, Default)]
pub(crate) struct Floors {
    /// The greatest of all: an entry below it is stale, gone or perhaps a suspect. It does not sink when a doubt is lifted: a
    /// reader might have found an entry before that.
    any: AtomicU64,
    /// Clear and expire-all: an entry below it is stale at least.
    stale: AtomicU64,
    /// Clear: an entry below it is gone.
    gone: AtomicU64,
}

impl Floors {
    #[inline]
    pub(crate) fn any(&self) -> u64 {
        self.any.load(Ordering::Acquire)
    }

    pub(crate) fn stale(&self) -> u64 {
        self.stale.load(Ordering::Acquire)
    }

    pub(crate) fn gone(&self) -> u64 {
        self.gone.load(Ordering::Acquire)
    }

    pub(crate) fn clear(&self, number: u64) {
        self.gone.fetch_max(number, Ordering::AcqRel);
        self.expire(number);
    }

    pub(crate) fn expire(&self, number: u64) {
        self.stale.fetch_max(number, Ordering::AcqRel);
        self.suspect(number);
    }

    pub(crate) fn suspect(&self, number: u64) {
        self.any.fetch_max(number, Ordering::AcqRel);
    }
}
