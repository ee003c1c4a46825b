//! The second level, in the layout of .NET.

pub(crate) mod read;
pub(crate) mod write;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use unstale_port::{Condition, Intent, Lease, Lookup, Record, Store, StoreFuture, Turn, Written};

use crate::cache::{Clear, Core};
use crate::replies::word;
use crate::scripts::RELEASE;

/// The second level of a [`crate::FusionCache`]: entries as .NET nodes keep them, and what they have to be told published
/// together with each act.
///
/// It is one cache, whatever unstale calls it. Keys and tags have to be UTF-8, and none may look like a mark of .NET: what has
/// another key or tag is kept in memory alone, and acts on such a key or tag find nothing here. The tags `*` and `!`, which
/// .NET clears with, clear it. What expires stays for fail-safe of nodes of ours, while to .NET nodes the entry is deleted, as they do it. A read costs one
/// round trip, and a second one if something that was found carries tags.
///
/// Stamps order writes among nodes of ours; a set replaces whatever a .NET node wrote. A lease ends with the entry that it
/// was given out for, also where that ended by its time.
#[derive(Clone)]
pub struct FusionStore {
    core: Arc<Core>,
}

impl FusionStore {
    pub(crate) const fn new(core: Arc<Core>) -> Self {
        Self { core }
    }
}

impl fmt::Debug for FusionStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FusionStore").field("settings", &self.core.settings).finish_non_exhaustive()
    }
}

impl Store for FusionStore {
    fn get<'a>(&'a self, _cache: &'a str, keys: &'a [Bytes], intent: Intent) -> StoreFuture<'a, Vec<Lookup>> {
        Box::pin(async move {
            if self.core.settings.has_second_level {
                return read::read(&self.core, keys, intent).await;
            }
            Ok(keys.iter().map(|_| NOTHING).collect())
        })
    }

    fn release<'a>(&'a self, _cache: &'a str, key: Bytes, lease: Lease) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            if self.core.settings.has_second_level {
                let Ok(place) = self.core.settings.place(&key) else { return Ok(()) };
                let (print, began) = lease_parts(lease);
                self.core.run(&RELEASE, &[place.side], &[print, word(began)]).await?;
            }
            Ok(())
        })
    }

    fn put<'a>(
        &'a self,
        _cache: &'a str,
        key: Bytes,
        record: Record,
        condition: Condition,
    ) -> StoreFuture<'a, Written> {
        Box::pin(async move {
            match condition {
                Condition::Newer => write::set(&self.core, &key, &record).await,
                Condition::Lease(lease) => write::fill(&self.core, &key, &record, lease).await,
            }
        })
    }

    fn remove<'a>(&'a self, _cache: &'a str, keys: &'a [Bytes], stamp: u64) -> StoreFuture<'a, ()> {
        Box::pin(write::make_old(&self.core, keys, stamp, write::How::Remove))
    }

    fn expire<'a>(&'a self, _cache: &'a str, keys: &'a [Bytes], stamp: u64) -> StoreFuture<'a, ()> {
        Box::pin(write::make_old(&self.core, keys, stamp, write::How::Expire))
    }

    fn raise<'a>(&'a self, _cache: Option<&'a str>, tag: Option<Bytes>, stamp: u64) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            match self.core.mark_that_ends(tag.as_ref(), Clear::Remove) {
                Some(place) => write::raise(&self.core, &place, stamp).await,
                None => Ok(()),
            }
        })
    }

    fn raise_stale<'a>(
        &'a self,
        _cache: Option<&'a str>,
        tag: Option<Bytes>,
        stamp: u64,
    ) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            match self.core.mark_that_ends(tag.as_ref(), Clear::Expire) {
                Some(place) => write::raise(&self.core, &place, stamp).await,
                None => Ok(()),
            }
        })
    }
}

/// The answer for a key that nothing is kept under.
const NOTHING: Lookup = Lookup { record: None, lease: Lease(0), turn: Turn::Yours };

/// A lease is the print of what was there, and the instant of the read.
fn lease(print: u64, began: u64) -> Lease {
    Lease(u128::from(print) << 64 | u128::from(began))
}

fn lease_parts(Lease(lease): Lease) -> (Bytes, u64) {
    (format!("{:016x}", (lease >> 64) as u64).into(), lease as u64)
}
