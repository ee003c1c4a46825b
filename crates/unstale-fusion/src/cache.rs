//! A cache that unstale nodes and .NET nodes share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use unstale_codec::fusion::{Action, Text, Ticks};
use unstale_port::{Error, Foreign, ForeignFeed, ProcessBytes, Reply, Script, Scripts, Store};

use crate::clock::{Clock, ticks};
use crate::feed::Feed;
use crate::layout::Place;
use crate::marks::Marks;
use crate::recent::Recent;
use crate::settings::{FusionSettings, SKEW_MAX};
use crate::store::FusionStore;
use crate::telling::{self, Ours};

/// A cache that unstale nodes and .NET FusionCache nodes share on one Redis.
///
/// To be given to `CacheBuilder::foreign`, for one cache of one node. Clones are the same.
#[derive(Clone)]
pub struct FusionCache {
    core: Arc<Core>,
}

/// How everything is ended, in the order of the marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clear {
    Remove,
    Expire,
}

/// What store and feed share.
pub(crate) struct Core {
    pub(crate) scripts: Arc<dyn Scripts>,
    pub(crate) settings: FusionSettings,
    pub(crate) channel: Bytes,
    pub(crate) clears: [Place; 2],
    pub(crate) clock: Clock,
    pub(crate) counters: Counters,
    marks: Mutex<Marks>,
    recent: Mutex<Recent>,
    process: OnceLock<ProcessBytes>,
    nonce: AtomicU64,
}

macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// What a [`FusionCache`] has counted since it was opened.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct FusionCounts {
            $($(#[doc = $doc])+ pub $name: u64,)+
        }

        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: AtomicU64,)+
        }

        impl Counters {
            fn read(&self) -> FusionCounts {
                FusionCounts { $($name: self.$name.load(Ordering::Relaxed),)+ }
            }
        }
    };
}

counters! {
    /// Messages of .NET nodes that were obeyed.
    heard,
    /// Messages of other nodes of ours.
    heard_of_ours,
    /// Messages that are none, as .NET nodes see it, or of a cache with another key prefix.
    ignored,
    /// Times that the subscription was lost, or held up by repairs: everything cached became suspect.
    lost,
    /// Fills of .NET nodes that an invalidation had overtaken, undone by this process.
    undone,
    /// Fills of nodes of ours that a .NET node's invalidation had overtaken, undone by this process.
    settled,
    /// Marks that were written and published again because an older one came after them.
    raised_again,
    /// Entries and marks in Redis that were none.
    malformed,
    /// Entries of .NET nodes that were not used since they may be fills that an invalidation overtook.
    doubted,
    /// Repairs (undone, settled, raised again) that Redis did not take.
    repairs_failed,
    /// Timestamps of .NET nodes that were too far ahead to be followed.
    far_ahead,
}

impl FusionCache {
    /// A cache as `settings` say, on the server that `scripts` reaches. Nothing is asked of it yet.
    ///
    /// # Errors
    /// `Config` names everything that makes no sense.
    pub fn open(scripts: impl Scripts, settings: FusionSettings) -> Result<Self, Error> {
        let settings = settings.checked()?;
        let core = Core {
            scripts: Arc::new(scripts),
            channel: settings.channel().into(),
            clears: settings.clears(),
            clock: Clock::new(),
            counters: Counters::default(),
            marks: Mutex::default(),
            recent: Mutex::new(Recent::new(settings.hold_off)),
            process: OnceLock::new(),
            nonce: AtomicU64::new(getrandom::u64().unwrap_or_default()),
            settings,
        };
        Ok(Self { core: Arc::new(core) })
    }

    /// Its second level.
    pub fn store(&self) -> FusionStore {
        FusionStore::new(Arc::clone(&self.core))
    }

    /// What happened so far.
    pub fn counts(&self) -> FusionCounts {
        FusionCounts { far_ahead: self.core.clock.far_ahead(), ..self.core.counters.read() }
    }

    /// The id under which it publishes.
    pub fn instance_id(&self) -> &str {
        &self.core.settings.instance_id
    }
}

impl Foreign for FusionCache {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(Self::store(self))
    }

    fn feed(&self, process: ProcessBytes) -> Box<dyn ForeignFeed> {
        // Of one process, whichever node asks.
        let _ = self.core.process.set(process);
        Box::new(Feed::begin(Arc::clone(&self.core)))
    }
}

impl std::fmt::Debug for FusionCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FusionCache").field("settings", &self.core.settings).finish_non_exhaustive()
    }
}

impl Core {
    pub(crate) async fn run(
        &self,
        script: &'static Script,
        keys: &[Bytes],
        arguments: &[Bytes],
    ) -> Result<Reply, Error> {
        self.scripts.run(script, keys, arguments).await
    }

    /// A message about an act of this process.
    pub(crate) fn act(
        &self,
        action: Action,
        key: &Text,
        timestamp: Ticks,
        stamp: u64,
    ) -> Result<Bytes, Error> {
        let process = self.process.get().copied().unwrap_or_default();
        let ours = Ours { process, stamp, hops: 0 };
        telling::message(&self.settings.instance_id, action, key, timestamp, ours)
    }

    /// A message that mends something: of no node, so that every node of ours obeys it as .NET nodes do.
    pub(crate) fn repair(&self, action: Action, key: &Text, timestamp: Ticks) -> Result<Bytes, Error> {
        let ours = Ours { process: ProcessBytes::default(), stamp: 0, hops: 0 };
        telling::message(&self.settings.instance_id, action, key, timestamp, ours)
    }

    /// The mark that ends what carries a tag, or everything; none for a tag that nothing here carries.
    pub(crate) fn mark_that_ends(&self, tag: Option<&Bytes>, how: Clear) -> Option<Place> {
        let strings = &self.settings.names.strings;
        // Entries of .NET may carry the tags that .NET clears with.
        let how = match tag {
            None => how,
            Some(tag) if *tag == strings.clear_remove => Clear::Remove,
            Some(tag) if *tag == strings.clear_expire => Clear::Expire,
            Some(tag) => return self.settings.mark_of(tag).ok(),
        };
        Some(self.clears[how as usize].clone())
    }

    /// Differs from call to call and from process to process.
    pub(crate) fn nonce(&self) -> Bytes {
        let step = self.nonce.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        format!("{step:016x}{}", self.settings.instance_id).into()
    }

    /// Notes the value of a mark, and returns the highest one. One that is far ahead is not remembered: it would outlive the
    /// clock that made it.
    pub(crate) fn note_mark(&self, mark: &Text, value: Ticks) -> Ticks {
        if value > ticks(self.clock.now()).plus(SKEW_MAX) {
            return value;
        }
        self.marks().note(mark, value)
    }

    /// The highest value of a mark that this process knows.
    pub(crate) fn highest_mark(&self, mark: &Text) -> Ticks {
        self.marks().highest(mark)
    }

    fn marks(&self) -> MutexGuard<'_, Marks> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counters {
    pub(crate) fn count(&self, counter: impl Fn(&Self) -> &AtomicU64) {
        counter(self).fetch_add(1, Ordering::Relaxed);
    }
}
