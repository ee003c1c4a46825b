//! Rows of the database, and what may be read of them.

use crate::world::{AtomicU64, Ordering};

/// Which version of each row a value was made of; 0 if it was not made of that row.
pub(crate) type Versions = [u64; 2];

pub(crate) struct Row {
    version: AtomicU64,
    /// The newest version whose act has returned.
    acted: AtomicU64,
    /// The newest version whose act ended what was before it and has returned.
    ended: AtomicU64,
}

/// What was the newest when a read began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Newest {
    acted: u64,
    ended: u64,
}

impl Row {
    pub(crate) fn new() -> Self {
        Self { version: AtomicU64::new(1), acted: AtomicU64::new(1), ended: AtomicU64::new(1) }
    }

    pub(crate) fn read(&self) -> u64 {
        self.version.load(Ordering::SeqCst)
    }

    /// Commits the next version.
    pub(crate) fn change(&self) -> u64 {
        self.version.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub(crate) fn has_acted(&self, version: u64, ends: bool) {
        if ends {
            self.ended.fetch_max(version, Ordering::SeqCst);
        }
        self.acted.fetch_max(version, Ordering::SeqCst);
    }

    pub(crate) fn newest(&self) -> Newest {
        Newest { acted: self.acted.load(Ordering::SeqCst), ended: self.ended.load(Ordering::SeqCst) }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    Fresh(Versions),
    /// It says itself that it is stale.
    Stale(Versions),
}

impl Answer {
    pub(crate) const fn versions(self) -> Versions {
        match self {
            Self::Fresh(versions) | Self::Stale(versions) => versions,
        }
    }

    /// Panics if it is older than it may be.
    pub(crate) fn check(self, newest: [Newest; 2]) {
        for (row, (version, newest)) in self.versions().into_iter().zip(newest).enumerate() {
            let least = match self {
                Self::Fresh(_) => newest.acted,
                Self::Stale(_) => newest.ended,
            };
            assert!(version == 0 || version >= least, "{self:?} has row {row} older than {newest:?}");
        }
    }
}
