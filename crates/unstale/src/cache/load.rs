//! What a loader is told, and what it may say about the value that it loads.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use unstale_l1::{Probe, Recorded, Recorder, Records, Scope, ScopeOf, Scoped};

use super::options::{EntryOptions, FailSafe, Skip};
use super::value::Value;
use super::{Cache, Key};

/// The handle that a loader is given: what is said through it while the load runs holds for the value that it returns.
///
/// Reads of caches of the same node inside the loader are recorded by themselves: as soon as something that was read is
/// invalidated, so is the loaded value. Work that the loader spawns as tasks of its own is outside, unless it is
/// wrapped by [`Load::carry`].
///
/// A load that has to come from the authority, since a read could not be proven fresh enough or its session's write was not
/// seen, finds nothing resident in any cache: what it reads there is loaded, too.
///
/// What is said after the loader returned has no effect.
pub struct Load<V> {
    notes: Arc<Notes<V>>,
    of: ScopeOf,
}

/// What passes between a load and its loader.
pub(crate) struct Notes<V> {
    previous: Option<Value<V>>,
    /// What the load reads.
    recorder: Recorder,
    /// Seldom is anything said.
    said: Mutex<Option<Box<Said>>>,
}

/// What a loader said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Said {
    pub(crate) options: EntryOptions,
    /// Whether the value is to be answered without being kept on any level.
    pub(crate) no_store: bool,
}

impl<V: Send + Sync + 'static> Load<V> {
    /// The handle of a load with these notes, in which its scope records.
    pub(crate) const fn new(notes: Arc<Notes<V>>, of: ScopeOf) -> Self {
        Self { notes, of }
    }

    /// Puts a tag on the value. At most 1,024 tags and dependencies per value; beyond that it is not stored.
    pub fn tag(&self, tag: impl Into<Bytes>) {
        self.say(|said| said.options.tags.push(tag.into()));
    }

    /// The value was made from what `key` means to `cache`: it is invalid as soon as that is, whether or not it was
    /// read through the cache, or is cached at all.
    pub fn depends_on<K2, V2, Q>(&self, cache: &Cache<K2, V2>, key: &Q)
    where
        K2: Key,
        V2: Send + Sync + 'static,
        Q: Probe<K2> + ?Sized,
    {
        cache.table().depend_on(key, &self.scope());
    }

    /// How long this value is fresh, on both levels unless [`Load::store_time_to_live`] says otherwise.
    pub fn time_to_live(&self, duration: Duration) {
        self.say(|said| said.options.time_to_live = Some(duration));
    }

    /// How long this value is fresh in the store (L2).
    pub fn store_time_to_live(&self, duration: Duration) {
        self.say(|said| said.options.store_time_to_live = Some(duration));
    }

    /// How long the store keeps this value after it stopped being fresh there, for fail-safe.
    pub fn store_fail_safe(&self, duration: Duration) {
        self.say(|said| said.options.store_fail_safe = Some(duration));
    }

    /// How long the nothing that this load found is fresh.
    pub fn negative_time_to_live(&self, duration: Duration) {
        self.say(|said| said.options.negative_time_to_live = Some(duration));
    }

    /// Whether, and for how long, this value may stand in once it is stale.
    pub fn fail_safe(&self, fail_safe: FailSafe) {
        self.say(|said| said.options.fail_safe = Some(fail_safe));
    }

    /// Leaves out a level for this value.
    pub fn skip(&self, skip: Skip) {
        self.say(|said| said.options.skips = said.options.skips.with(skip));
    }

    /// Answers this value to those who wait for it and keeps it nowhere.
    pub fn no_store(&self) {
        self.say(|said| said.no_store = true);
    }

    /// The database's own version of this value: one with a lower version never replaces it, whatever was loaded last.
    pub fn version(&self, version: u64) {
        self.say(|said| said.options.version = Some(version));
    }

    /// The validator that came with this value; the next load of the key is told it.
    pub fn etag(&self, etag: impl Into<String>) {
        self.say(|said| said.options.etag = Some(etag.into()));
    }

    /// When this value was last modified; the next load of the key is told it.
    pub fn last_modified(&self, at: SystemTime) {
        self.say(|said| said.options.last_modified = Some(at));
    }

    /// The value that was there before and is stale, suspect or about to expire, if it may come back: a loader that finds
    /// that it still holds answers [`crate::Loaded::not_modified`]. Nothing of what was removed is ever given here.
    pub fn previous(&self) -> Option<&Value<V>> {
        self.notes.previous.as_ref()
    }

    /// The validator of [`Load::previous`].
    pub fn previous_etag(&self) -> Option<&str> {
        self.previous().and_then(Value::etag)
    }

    /// When [`Load::previous`] was last modified.
    pub fn previous_last_modified(&self) -> Option<SystemTime> {
        self.previous().and_then(Value::last_modified)
    }

    /// Makes `future` part of this load wherever it runs: what it reads from caches is recorded as read by the load. For
    /// tasks that a loader spawns and awaits.
    pub fn carry<Fut: Future>(&self, future: Fut) -> Scoped<Fut> {
        self.scope().hold(future)
    }

    fn scope(&self) -> Scope {
        self.of.scope(Arc::clone(&self.notes) as Arc<dyn Records>)
    }

    fn say(&self, say: impl FnOnce(&mut Said)) {
        say(self.notes.said().get_or_insert_default());
    }
}

impl<V: Send + Sync + 'static> fmt::Debug for Load<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Load").field("has_previous", &self.previous().is_some()).finish_non_exhaustive()
    }
}

impl<V: Send + Sync + 'static> Records for Notes<V> {
    fn recorder(&self) -> &Recorder {
        &self.recorder
    }
}

impl<V> Notes<V> {
    pub(crate) fn new(previous: Option<Value<V>>) -> Self {
        Self { previous, recorder: Recorder::default(), said: Mutex::default() }
    }

    /// What was said and read until now in the notes of a load's scope; what else is, by something that the load left behind, has no effect.
    pub(crate) fn of(scope: Scope) -> (Option<Box<Said>>, Recorded)
    where
        V: Send + Sync + 'static,
    {
        let recorder: Arc<dyn Any + Send + Sync> = scope.into_recorder();
        let notes: Arc<Self> = recorder.downcast().expect("the scope of a load records in its notes");
        match Arc::try_unwrap(notes) {
            Ok(Self { said, recorder, .. }) => {
                (said.into_inner().unwrap_or_else(PoisonError::into_inner), recorder.into_recorded())
            }
            Err(notes) => (notes.said().take(), notes.recorder.recorded()),
        }
    }

    fn said(&self) -> MutexGuard<'_, Option<Box<Said>>> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
