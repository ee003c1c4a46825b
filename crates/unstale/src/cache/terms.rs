//! On which terms a load runs, and what becomes of its answer: an entry for memory, and stock for the store.

use std::borrow::Cow;
use std::pin::pin;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep, timeout};
use tracing::Instrument;
use unstale_l1::{NewEntry, Probe, Recorded, Records, ScopeOf, Tick};

use super::load::{Load, Notes, Said};
use super::loaded::{Answer, Embodied};
use super::loader::Cause;
use super::options::{Overdue, Recovery, Skip};
use super::pace::{Manners, Purpose};
use super::policy::{Kind, Policy};
use super::second_level::{SecondLevel, Stock, Stocked, StoreRead};
use super::turn::Grant;
use super::value::{Stored, Validators, Value};
use super::{Cache, Key};
use crate::event::{CacheEvent, FillRefusal, LoadFailure, LoadTrigger};
use crate::{Error, ErrorKind};

/// The stamp of what was loaded, as against what was set: a lease guards it, not its stamp, and whatever is set takes its
/// place, even by a writer whose clock is behind.
const LOADED: u64 = 0;

/// What holds for a load, of one key or of many.
pub(crate) struct Terms<K: Key, V: Send + Sync + 'static> {
    pub(crate) cache: Cache<K, V>,
    /// If it is not the cache's own.
    pub(crate) own_policy: Option<Arc<Policy>>,
    /// The tags that the call put on whatever is loaded.
    pub(crate) tags: Vec<Bytes>,
    pub(crate) trigger: LoadTrigger,
    pub(crate) store: StoreUse,
}

/// Whether a load may use the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreUse {
    /// It may answer instead of the loader, and is filled.
    Used,
    /// The answer has to come from the authority itself.
    Bypassed,
}

/// Whether there is something stale to go on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Old {
    None,
    StandsIn,
}

/// Between two looks at a key that another process loads: doubled from one to the other.
const POLL_MIN: Duration = Duration::from_millis(5);
const POLL_MAX: Duration = Duration::from_millis(50);

/// An entry to land, and what the store is to be told if it was stored.
pub(crate) struct Goods<V> {
    pub(crate) entry: NewEntry<Stored<V>>,
    /// Whether it was made of nothing that was cached before its load began.
    pub(crate) is_pure: bool,
    /// Why it is to be answered only.
    pub(crate) kept_nowhere: Option<FillRefusal>,
    /// In a box: seldom is there a store.
    pub(crate) fill: Option<Box<(Stock, Grant)>>,
    /// The value's tags, to tell which act overtook its load.
    pub(crate) tags: Vec<Bytes>,
}

/// What a loader brought, with all that was said and read meanwhile.
pub(crate) struct Brought<A> {
    pub(crate) answer: A,
    pub(crate) said: Option<Box<Said>>,
    pub(crate) recorded: Recorded,
}

impl<K: Key, V: Send + Sync + 'static> Terms<K, V> {
    pub(crate) fn policy(&self) -> &Policy {
        self.own_policy.as_deref().unwrap_or(&self.cache.inner.policy)
    }

    /// How long nothing else is tried after a failure, as long as there is something to serve.
    pub(crate) fn pause(&self) -> Option<Tick> {
        let pauses = self.policy().fail_safe.is_on() || self.trigger == LoadTrigger::Eager;
        pauses.then(|| ticks(self.policy().fail_safe.pause()))
    }

    /// Calls a loader: in a scope, within the limit of time, its panic contained, counted.
    pub(crate) async fn call<A, Fut>(
        &self,
        previous: Option<Value<V>>,
        loader: impl FnOnce(Load<V>) -> Fut,
    ) -> Result<Brought<A>, Error>
    where
        Fut: Future<Output = Result<A, Cause>>,
    {
        let (shared, metrics) = (self.cache.shared(), &self.cache.inner.metrics);
        self.await_turn().await;
        metrics.loads.increment(self.trigger);
        let notes = Arc::new(Notes::new(previous));
        let of = ScopeOf::table(self.cache.table());
        // What has to come from the authority is made of what comes from there, too.
        let of = if self.store == StoreUse::Bypassed { of.bypassing() } else { of };
        let load = Load::new(Arc::clone(&notes), of);
        let scope = of.scope(notes as Arc<dyn Records>);
        let began = shared.now();
        let span = tracing::debug_span!(
            "load",
            cache = self.cache.inner.name.as_str(),
            trigger = self.trigger.as_str()
        );
        let mut loading = pin!(scope.hold(loader(load)).instrument(span));
        let answer = match self.policy().hard_timeout.filter(|_| self.policy().overdue == Overdue::IsDropped)
        {
            Some(limit) => Box::pin(timeout(limit, loading.as_mut())).await.map_err(|_| limit),
            None => Ok(loading.as_mut().await),
        };
        metrics.load_seconds.record(shared.now().since(began));
        Err(match answer {
            Ok(Ok(answer)) => {
                let scope = loading.inner_pin_mut().take_scope().expect("it was lent and given back");
                let (said, recorded) = Notes::<V>::of(scope);
                return Ok(Brought { answer, said, recorded });
            }
            Ok(Err(Cause::Error(cause))) => {
                self.failed(LoadFailure::Error);
                let detail = format!("the loader of cache {} returned an error", self.cache.inner.name);
                Error::caused(ErrorKind::Load, "load", detail, cause)
            }
            Ok(Err(Cause::Panic(message))) => {
                self.failed(LoadFailure::Panic);
                self.failure(ErrorKind::LoadPanicked, &format!("the loader panicked: {message}"))
            }
            Err(limit) => {
                self.failed(LoadFailure::Timeout);
                self.failure(ErrorKind::Timeout, &format!("the loader took longer than {limit:?}"))
            }
        })
    }

    /// While the node recovers, loads beyond twice the usual rate wait for their turn; not those that a read demands now, and
    /// not revalidations, whose rate was asked for already where the suspect could have been served.
    async fn await_turn(&self) {
        let (cache, now_ms) = (&self.cache, self.cache.coarse_ms());
        let is_suspect = self.trigger == LoadTrigger::Suspect;
        let waits = !is_suspect
            && self.policy().recovery == Recovery::Paced
            && self.store == StoreUse::Used
            && cache.shared().recovers_at(now_ms);
        let purpose = if is_suspect { Purpose::Suspect } else { Purpose::Usual };
        let manners = if waits { Manners::Waits } else { Manners::GoesAhead };
        let wait = cache.inner.pace.turn(now_ms, purpose, manners);
        if !wait.is_zero() {
            cache.inner.metrics.loads_paced.increment();
            sleep(wait).await;
        }
    }

    /// What the store has for one key. While another process loads it, this waits for that: as long as a turn lasts, and no
    /// longer than the hard timeout; then it is loaded here all the same.
    pub(crate) async fn stock_of(&self, key: Option<&K::Kept>, old: Old) -> StoreRead<V> {
        // Nothing to be boxed without a store.
        let Some((level, key)) = self.level().zip(key) else { return StoreRead::NONE };
        let turn = level.limits.turn;
        let patience = self.policy().hard_timeout.map_or(turn, |hard| hard.min(turn));
        let mut reads = Box::pin(self.stocks_of(slice::from_ref(key), old, patience)).await;
        reads.pop().expect("one key, one answer")
    }

    /// What the store has for each key, with a limit to the wait for other processes.
    pub(crate) async fn stocks_of<Q: Probe<K>>(
        &self,
        keys: &[Q],
        old: Old,
        patience: Duration,
    ) -> Vec<StoreRead<V>> {
        let keys: Vec<Bytes> = keys.iter().map(Probe::key_bytes).collect();
        let mut reads = self.read_store(&keys, old).await;
        let began = Instant::now();
        let mut pause = POLL_MIN;
        let mut is_first = true;
        loop {
            let awaits = |read: &StoreRead<V>| {
                read.is_taken && !read.found.as_ref().is_some_and(|stocked| self.is_good_enough(stocked))
            };
            let awaited: Vec<usize> = (0..reads.len()).filter(|&index| awaits(&reads[index])).collect();
            if awaited.is_empty() || began.elapsed() >= patience {
                return reads;
            }
            if std::mem::take(&mut is_first) {
                self.cache.inner.metrics.turns_awaited.add(awaited.len() as u64);
            }
            // Not all at once: they began to wait together.
            sleep(pause.mul_f64(0.5 + self.cache.shared().random() as f64 / u64::MAX as f64)).await;
            pause = (pause * 2).min(POLL_MAX);
            let again: Vec<Bytes> = awaited.iter().map(|&index| keys[index].clone()).collect();
            for (index, read) in awaited.into_iter().zip(self.read_store(&again, old).await) {
                reads[index] = read;
            }
        }
    }

    async fn read_store(&self, keys: &[Bytes], old: Old) -> Vec<StoreRead<V>> {
        let Some(level) = self.level() else {
            return keys.iter().map(|_| StoreRead::NONE).collect();
        };
        let limit = match old {
            Old::StandsIn => level.limits.soft.unwrap_or(level.limits.hard),
            Old::None => level.limits.hard,
        };
        level.read(keys, limit).await
    }

    /// The store, if this load reads it.
    pub(crate) fn level(&self) -> Option<&SecondLevel<V>> {
        let uses_it = self.store == StoreUse::Used && !self.policy().skips.has(Skip::StoreRead);
        self.cache.inner.level.as_ref().filter(|_| uses_it)
    }

    /// What becomes of a loader's answer. `confirmed` is what it called not modified.
    pub(crate) fn goods(
        &self,
        said: Option<&Said>,
        recorded: Recorded,
        answer: Embodied<V>,
        confirmed: Option<&Value<V>>,
        grant: Option<Grant>,
    ) -> Option<Goods<V>> {
        let policy =
            said.map_or(Cow::Borrowed(self.policy()), |said| Cow::Owned(self.policy().with(&said.options)));
        let validators = said.map(Said::validators).unwrap_or_default();
        let is_unstored = said.is_some_and(|said| said.no_store);
        let own_tags = said.into_iter().flat_map(|said| &said.options.tags);
        let tags: Vec<Bytes> = self.tags.iter().chain(own_tags).cloned().collect();
        let (entry, kind) = match answer {
            Answer::Value(body) if validators.is_empty() => (NewEntry::body(body), Kind::Value),
            Answer::Value(body) => {
                let validated = body.into_value().with(validators.clone());
                (NewEntry::value(validated), Kind::Value)
            }
            Answer::Nothing => (NewEntry::nothing(), Kind::Nothing),
            Answer::NotModified => {
                let handle = confirmed?.handle();
                let again = Stored::again(handle, validators.clone());
                (NewEntry::value(again).like(handle), Kind::Value)
            }
        };
        let (has_no_parts, is_tainted) = (recorded.subjects().next().is_none(), recorded.is_tainted());
        let life = policy.memory_life(kind).saturating_add(self.cache.jitter(policy.jitter));
        let mut entry = entry
            .time_to_live(ticks(life))
            .fail_safe(ticks(keep(life, &policy)))
            .tags(tags.iter().map(|tag| self.cache.table().tag_subject(tag)))
            .parts(recorded);
        if let Some(version) = validators.version {
            entry = entry.version(version);
        }
        let kept_nowhere = if is_unstored { Some(FillRefusal::NoStore) } else { memory_refusal(&policy) };
        // What was made from other cached values is not put in the store: nobody could void it there when those change.
        // Of a confirmed value only the places of its tags are known here, and the store needs their bytes.
        let is_for_store = has_no_parts
            && !is_tainted
            && confirmed.is_none()
            && !is_unstored
            && !policy.skips.has(Skip::StoreWrite);
        let fill = grant.filter(|_| is_for_store).map(|grant| {
            let fresh_for = policy.store_life(kind);
            let keep_for = policy.store_keep(fresh_for);
            let tags = tags.clone();
            Box::new((Stock { validators, fresh_for, keep_for, tags, stamp: LOADED }, grant))
        });
        let is_pure = self.store == StoreUse::Bypassed || has_no_parts;
        Some(Goods { entry, is_pure, kept_nowhere, fill, tags })
    }

    /// What becomes of a fresh record of the store.
    pub(crate) fn goods_of_stock(&self, stocked: Stocked<V>) -> Goods<V> {
        let jitter = self.cache.jitter(self.policy().jitter);
        let life = self.policy().memory_life(stocked.kind()).saturating_add(jitter);
        let life = ticks(life.min(stocked.fresh_for));
        let tags = stocked.tags.clone();
        let entry = self.stale_entry(stocked).time_to_live(life);
        Goods { entry, is_pure: false, kept_nowhere: memory_refusal(self.policy()), fill: None, tags }
    }

    /// What the store had: stale from the start unless it is given a time to live, and kept for fail-safe as long as the store
    /// keeps it.
    pub(crate) fn stale_entry(&self, stocked: Stocked<V>) -> NewEntry<Stored<V>> {
        let table = self.cache.table();
        let version = stocked.validators.version;
        let entry = match stocked.value {
            Some(value) => NewEntry::value(Stored::new(value, stocked.validators)),
            None => NewEntry::nothing(),
        };
        let mut entry = entry.tags(stocked.tags.iter().map(|tag| table.tag_subject(tag))).of_unknown_age();
        if let Some(version) = version {
            entry = entry.version(version);
        }
        if self.policy().fail_safe.is_on() { entry.fail_safe(ticks(stocked.keep_for)) } else { entry }
    }

    /// Whether the store's record will do: it is fresh, and, for an eager refresh, fresher than what that is to replace.
    pub(crate) fn is_good_enough(&self, stocked: &Stocked<V>) -> bool {
        let least = if self.trigger == LoadTrigger::Eager {
            let rest = 1.0 - self.policy().eager_refresh.unwrap_or_default();
            self.policy().store_life(stocked.kind()).mul_f64(rest)
        } else {
            Duration::ZERO
        };
        stocked.fresh_for > least
    }

    pub(crate) fn failed(&self, failure: LoadFailure) {
        self.cache.inner.metrics.load_failures.increment(failure);
        self.cache.report(CacheEvent::LoadFailed(failure));
    }

    pub(crate) fn failure(&self, kind: ErrorKind, why: &str) -> Error {
        Error::new(kind, "load", format!("cache {}: {why}", self.cache.inner.name))
    }
}

impl Said {
    fn validators(&self) -> Validators {
        let options = &self.options;
        Validators {
            etag: options.etag.clone(),
            last_modified: options.last_modified,
            version: options.version,
        }
    }
}

/// How long a value is kept: as long as it is fresh, and then for fail-safe.
pub(crate) fn keep(fresh_for: Duration, policy: &Policy) -> Duration {
    fresh_for.saturating_add(policy.fail_safe.duration().unwrap_or_default())
}

/// Whole ticks, at least one.
pub(crate) fn ticks(span: Duration) -> Tick {
    Tick::whole_in(span).max(Tick(1))
}

fn memory_refusal(policy: &Policy) -> Option<FillRefusal> {
    policy.skips.has(Skip::MemoryWrite).then_some(FillRefusal::SkippedMemory)
}
