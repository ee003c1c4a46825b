//! A cache that programs of others write too (P-8): what they do is heard and applied, and nothing of it is proven.

use std::future::poll_fn;
use std::sync::Weak;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::sleep;
use unstale_core::{Act, Mechanism, Name, Subject, Verb};
use unstale_l1::{Suspects, Tick};
use unstale_port::{Foreign, ForeignAct, ForeignFeed, ForeignHeard, ProcessBytes};

use super::{Cache, Inner, Key};
use crate::Freshness;
use crate::event::{BypassReason, CacheEvent};
use crate::freshness::{Exchange, Proven};
use crate::node::Shared;

/// How long what is loaded is trusted while nothing is heard: what others do meanwhile is never told.
const UNHEARD_MAX: Duration = Duration::from_millis(250);
/// How long a suspect may still be served, said as stale, when no revalidation is to be had.
const SERVE_SUSPECTS: Duration = Duration::from_secs(2);
/// How often it is looked whether the cache is still there.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What a cache knows of its foreign writers.
#[derive(Debug)]
pub(crate) struct ForeignWriters {
    is_heard: watch::Sender<bool>,
    /// What stands before the cache's keys in the store, and so in what the others say.
    prefix: Bytes,
}

impl ForeignWriters {
    pub(crate) fn new(prefix: Bytes) -> Self {
        Self { is_heard: watch::Sender::new(false), prefix }
    }
}

impl<K: Key, V: Send + Sync + 'static> Cache<K, V> {
    /// Whether programs of others write this cache ([`super::CacheBuilder::foreign`]).
    #[inline]
    pub fn has_foreign_writers(&self) -> bool {
        self.inner.foreign.is_some()
    }

    /// Waits until everything that foreign writers do from then on is heard here; at once where there are none.
    ///
    /// Until then, and whenever the hearing is lost, what was cached is suspect: revalidated when it is read. Cancel-safe.
    pub async fn until_heard(&self) {
        if let Some(writers) = &self.inner.foreign {
            // The sender lives as long as the cache, which this borrows.
            let _ = writers.is_heard.subscribe().wait_for(|is_heard| *is_heard).await;
        }
    }

    /// Whether what nodes tell one another proves nothing of this cache: others write it, and send no numbers.
    #[inline]
    pub(crate) fn is_beyond_proof(&self) -> bool {
        // foreign-writer-unproven
        self.has_foreign_writers() && self.shared().mechanisms.on(Mechanism::ForeignWriterUnproven)
    }

    /// What the node can prove of this cache.
    #[inline]
    pub(crate) fn proof(&self) -> Proven {
        if self.is_beyond_proof() { Proven::NONE } else { self.shared().proof() }
    }

    /// Whether a read may ask the other nodes for a proof: not where they have none.
    pub(crate) fn may_ask(&self, freshness: Freshness) -> bool {
        freshness.exchange() == Exchange::Ask && !self.is_beyond_proof()
    }

    /// Why a read is bypassed that could not be proven.
    pub(crate) fn unproven_reason(&self) -> BypassReason {
        if self.is_beyond_proof() { BypassReason::ForeignWriter } else { BypassReason::NotProven }
    }

    pub(crate) fn begin_hearing(&self, writers: &dyn Foreign) {
        let feed = self.shared().on_runtime(|| writers.feed(self.shared().process()));
        self.shared().spawn(hear(std::sync::Arc::downgrade(&self.inner), feed));
    }
}

/// Hears until the last clone of the cache is gone.
async fn hear<K: Key, V: Send + Sync + 'static>(cache: Weak<Inner<K, V>>, mut feed: Box<dyn ForeignFeed>) {
    let mut is_heard = false;
    loop {
        let rest = if is_heard { LOOK_EVERY } else { UNHEARD_MAX };
        let heard = tokio::select! {
            heard = poll_fn(|cx| feed.poll_heard(cx)) => Some(heard),
            () = sleep(rest) => None,
        };
        let Some(inner) = cache.upgrade() else { return };
        let cache = Cache { inner };
        match heard {
            Some(ForeignHeard::Act { act, process }) => cache.apply_foreign(act, process),
            Some(ForeignHeard::Began) => {
                // What was loaded before may have missed an act; what is loaded from now on will not.
                cache.doubt_everything();
                is_heard = true;
                cache.note_hearing(is_heard, "heard");
            }
            Some(ForeignHeard::Lost(why)) => {
                cache.inner.metrics.foreign_losses.increment();
                cache.doubt_everything();
                is_heard = false;
                cache.note_hearing(is_heard, &why);
            }
            None if !is_heard => cache.doubt_everything(),
            None => {}
        }
    }
}

impl<K: Key, V: Send + Sync + 'static> Cache<K, V> {
    /// Through the same fences as any act (P-4). One of a node that is tracked here comes, with its number, from itself.
    fn apply_foreign(&self, act: ForeignAct, process: Option<ProcessBytes>) {
        if process.is_some_and(|process| is_tracked(self.shared(), process)) {
            return;
        }
        let Some(writers) = &self.inner.foreign else { return };
        let Some(act) = act_of(&self.inner.name, &writers.prefix, act) else { return };
        self.inner.metrics.foreign_acts.increment();
        let applied = self.shared().domain.apply(std::slice::from_ref(&act));
        self.shared().metrics.keys_undecodable.add(applied.undecodable as u64);
    }

    fn doubt_everything(&self) {
        let shared = self.shared();
        let until = shared.domain.clock().now().plus(Tick::whole_in(SERVE_SUSPECTS));
        // The machine counts its doubts from below.
        let id = 1 << 63 | shared.random() >> 1;
        shared.domain.distrust(id, Suspects::Caches(std::slice::from_ref(&self.inner.name)), until);
    }

    fn note_hearing(&self, is_heard: bool, why: &str) {
        let Some(writers) = &self.inner.foreign else { return };
        let before = writers.is_heard.send_replace(is_heard);
        if before != is_heard {
            let cache = self.inner.name.as_str();
            if is_heard {
                tracing::info!(cache, "foreign writers are heard");
            } else {
                tracing::warn!(cache, why, "foreign writers are not heard: all that is cached is suspect");
            }
            self.report(if is_heard { CacheEvent::ForeignHeard } else { CacheEvent::ForeignLost });
        }
    }
}

/// Whether a process is this one or a member of its cluster, as of the last status.
fn is_tracked(shared: &Shared, process: ProcessBytes) -> bool {
    process == shared.process() || shared.members_have(process)
}

/// The act as nodes have it; nothing if it is on a key that is not this cache's.
fn act_of(cache: &Name, prefix: &Bytes, act: ForeignAct) -> Option<Act> {
    let key = |key: &Bytes| {
        let key = key.strip_prefix(&prefix[..])?;
        Some(Subject::Key { cache: cache.clone(), key: Bytes::copy_from_slice(key) })
    };
    let all = || Subject::Cache { cache: cache.clone() };
    let (verb, subject) = match act {
        ForeignAct::Remove(bytes) => (Verb::Remove, key(&bytes)?),
        ForeignAct::Expire(bytes) => (Verb::Expire, key(&bytes)?),
        ForeignAct::ExpireTag(tag) => (Verb::Expire, Subject::Tag { cache: Some(cache.clone()), tag }),
        ForeignAct::Clear => (Verb::Remove, all()),
        ForeignAct::ExpireAll => (Verb::Expire, all()),
    };
    Some(Act { verb, subject })
}
