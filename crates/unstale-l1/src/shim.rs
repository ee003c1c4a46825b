//! What threads meet in: the standard library's primitives and quick_cache; shuttle's under its feature; loom's, and a map
//! made of those, under `--cfg loom`.

#[cfg(not(any(loom, feature = "shuttle")))]
pub(crate) use std::sync;

#[cfg(loom)]
pub(crate) use loom::sync;
#[cfg(all(feature = "shuttle", not(loom)))]
pub(crate) use shuttle::sync;

#[cfg(loom)]
pub(crate) mod map;
#[cfg(not(loom))]
pub(crate) use quick_cache::sync as map;

pub(crate) use sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use std::sync::PoisonError;

use sync::{MutexGuard, RwLockReadGuard, RwLockWriteGuard};

/// As the standard library's, of which loom's knows less.
#[cfg(loom)]
macro_rules! local {
    ($($(#[$attribute:meta])* static $name:ident: $type:ty = const { $init:expr };)+) => {
        loom::thread_local! { $($(#[$attribute])* static $name: $type = $init;)+ }
    };
}
#[cfg(loom)]
pub(crate) use local as thread_local;
#[cfg(all(feature = "shuttle", not(loom)))]
pub(crate) use shuttle::thread_local;
#[cfg(not(any(loom, feature = "shuttle")))]
pub(crate) use std::thread_local;

/// A mutex whose lock cannot fail: everything under it is left whole by a panic (see the guards in `act.rs`).
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is inside, for who has all of it.
    pub(crate) fn into_inner(self) -> T {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A lock for many readers or one writer that cannot fail.
#[derive(Debug, Default)]
pub(crate) struct RwLock<T>(sync::RwLock<T>);

impl<T> RwLock<T> {
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A value on cache lines of its own, two of them, since neighbours are fetched in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Padded<T>(pub(crate) T);
