//! The slow path of a read: what is there, who loads, how long to wait, and what stands in.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use unstale_l1::{Absence, Found, Handle, Joined, Lookup, Mark, Probe, Scope, Tick, Waited};

use super::call::{Answer, Call};
use super::landing::Ending;
use super::options::Skip;
use super::policy::later;
use super::product::Job;
use super::running::{Ended, Joint, Led, Outcome, Running};
use super::terms::{StoreUse, Terms, ticks};
use super::value::{Served, Stored, Value};
use super::{Cache, Key};
use crate::event::{CacheEvent, LoadFailure, LoadTrigger, StaleReason};
use crate::{Error, ErrorKind};

/// Which answers a read is content with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    /// Any that is fresh.
    Usual(StoreUse),
    /// Only what a load brought that began after the mark.
    After(Mark),
}

/// An answer, and what is known of its age.
pub(crate) struct Fetched<V> {
    pub(crate) answer: Answer<V>,
    /// Whether it was loaded from the authority after the call had begun, and made of nothing older.
    pub(crate) is_new: bool,
    /// When its load began; [`Tick::ZERO`] if nobody knows.
    pub(crate) began: Tick,
}

/// What a look into memory gave.
pub(crate) enum Looked<V> {
    Fresh(Fetched<V>),
    Old(Old<V>),
    Miss,
}

/// What lies in memory although it may not be served as it is.
pub(crate) struct Old<V> {
    value: Value<V>,
    doubt: Doubt,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubt {
    /// It is fresh, but the read demands a new one.
    None,
    Stale,
    /// Until when a suspect may be served.
    Suspect(Tick),
}

/// Until when a call waits.
#[derive(Clone, Copy)]
struct Deadlines {
    /// For something new, if there is something stale.
    soft: Option<Instant>,
    /// At all.
    hard: Option<Instant>,
}

/// What is waited for.
enum Flight<'c, K: Key, V: Send + Sync + 'static> {
    Led(Running<'c, K, V>),
    Joined(Joint<K, V>),
}

/// What waiting gave.
enum Arrived<V> {
    Led(Ended<V>),
    Joined(Waited<Stored<V>, Error>),
    /// Nothing in time; this answer stands in.
    Instead(Answer<V>),
}

impl<'c, K: Key, V: Send + Sync + 'static, Q: Probe<K> + ?Sized> Call<'c, K, V, Q> {
    /// Reads memory, then joins or leads a load. At most two loads: a flight that an invalidation overtook before this call
    /// began is waited for at most once, and the next one is younger than the call.
    pub(crate) async fn fetch(&mut self, way: Way, mut trigger: LoadTrigger) -> Result<Fetched<V>, Error> {
        let deadlines = self.deadlines();
        loop {
            let old = match self.look(way) {
                Looked::Fresh(fetched) => return Ok(fetched),
                Looked::Old(old) => Some(old),
                Looked::Miss => None,
            };
            if let Some(fetched) = old.as_ref().and_then(|old| self.throttled(old)) {
                return Ok(fetched);
            }
            let mut flight = match self.board(way) {
                Joined::Hit(found) => return Ok(self.hit(found)),
                Joined::Wait(wait) => Flight::Joined(wait),
                Joined::Lead(lead) => {
                    if let Some(fetched) = old.as_ref().and_then(|old| self.spared(old, way)) {
                        return Ok(fetched);
                    }
                    Flight::Led(self.lead(lead, old.as_ref(), way, trigger)?)
                }
            };
            self.count_miss(matches!(flight, Flight::Joined(_)), trigger);
            let settled = match self.wait(&mut flight, old.as_ref(), deadlines).await? {
                Arrived::Led(Ended { outcomes, left }) => {
                    self.loaders = left;
                    let outcome = outcomes.into_one().expect("one key, one outcome");
                    self.settle_led(outcome, old.as_ref(), way)?
                }
                Arrived::Joined(waited) => self.settle_joined(waited, old.as_ref(), way)?,
                Arrived::Instead(answer) => Some(Fetched::of_unknown_age(answer)),
            };
            match settled {
                Some(fetched) => return Ok(fetched),
                None => trigger = LoadTrigger::Repeat,
            }
        }
    }

    /// What memory has. A caller that found no entry there just now has looked.
    pub(crate) fn look(&mut self, way: Way) -> Looked<V> {
        if std::mem::replace(&mut self.absence, Absence::Unusable) == Absence::Vacant {
            return Looked::Miss;
        }
        let is_content = matches!(way, Way::Usual(_)) && !self.policy().skips.has(Skip::MemoryRead);
        match self.cache.table().lookup(self.key) {
            Lookup::Hit(handle) if is_content => Looked::Fresh(self.hit(Found::Value(handle))),
            Lookup::Negative(handle) if is_content => Looked::Fresh(self.hit(Found::Nothing(handle))),
            Lookup::Hit(handle) => Looked::old(handle, Doubt::None),
            Lookup::Stale(handle) => Looked::old(handle, Doubt::Stale),
            Lookup::Suspect(handle, until) => Looked::old(handle, Doubt::Suspect(until)),
            Lookup::Negative(_) | Lookup::Miss => Looked::Miss,
        }
    }

    pub(crate) fn board(&self, way: Way) -> Joined<K, Stored<V>, Error> {
        let flights = &self.cache.inner.flights;
        match way {
            Way::After(mark) => flights.join_after(self.key, mark),
            Way::Usual(_) if self.policy().skips.has(Skip::MemoryRead) => flights.refresh(self.key),
            Way::Usual(_) => flights.join(self.key),
        }
    }

    pub(crate) fn hit(&self, found: Found<Stored<V>>) -> Fetched<V> {
        let metrics = &self.cache.inner.metrics;
        match &found {
            Found::Value(_) => metrics.hits.increment(),
            Found::Nothing(_) => metrics.negative_hits.increment(),
        }
        let began = found.began();
        Fetched { answer: Answer::new(found, Served::Hit), is_new: false, began }
    }

    pub(crate) fn count_miss(&self, joins: bool, trigger: LoadTrigger) {
        let metrics = &self.cache.inner.metrics;
        if trigger != LoadTrigger::Repeat {
            metrics.misses.increment();
        }
        if joins {
            metrics.joined.increment();
            self.cache.report(CacheEvent::Joined);
        }
    }

    /// A stale value, if the last load failed a short while ago.
    pub(crate) fn throttled(&self, old: &Old<V>) -> Option<Fetched<V>> {
        let is_held_back =
            old.doubt != Doubt::None && self.policy().fail_safe.is_on() && self.cache.is_paused(self.key);
        let answer = is_held_back.then(|| self.stand_in(&old.value, StaleReason::Throttled)).flatten();
        answer.map(Fetched::of_unknown_age)
    }

    /// A suspect as it is, if that is allowed and the limit of revalidations is reached. Not to a read that demands a new value,
    /// nor to one that demands a certain write: a distrust may be all that covers it here (P-36).
    pub(crate) fn spared(&self, old: &Old<V>, way: Way) -> Option<Fetched<V>> {
        let Doubt::Suspect(until) = old.doubt else { return None };
        if matches!(way, Way::After(_)) || self.demand.session.is_some() {
            return None;
        }
        let is_servable = self.policy().fail_safe.is_on() && self.cache.table().clock().now() < until;
        if !is_servable || self.cache.inner.pace.allows_suspect(self.cache.coarse_ms()) {
            return None;
        }
        self.stand_in(&old.value, StaleReason::Suspect).map(Fetched::of_unknown_age)
    }

    fn lead(
        &mut self,
        lead: Led<K, V>,
        old: Option<&Old<V>>,
        way: Way,
        trigger: LoadTrigger,
    ) -> Result<Running<'c, K, V>, Error> {
        if self.loaders.are_used_up() {
            let detail =
                format!("cache {}: the load was refused, and no loader is left", self.cache.inner.name);
            return Err(Error::new(ErrorKind::Refused, "load", detail));
        }
        let is_suspect = old.is_some_and(|old| matches!(old.doubt, Doubt::Suspect(_)));
        let terms = Terms {
            cache: self.cache.clone(),
            own_policy: self.own_policy.clone(),
            tags: self.tags.clone(),
            trigger: if is_suspect { LoadTrigger::Suspect } else { trigger },
            store: way.store(),
        };
        let previous = old.and_then(|old| self.cache.confirmable(self.key, &old.value));
        let job = Job::new(terms, &lead, std::mem::take(&mut self.loaders), previous);
        Ok(job.run(self.cache, lead))
    }

    /// When the limits of this call end that begins now. The clock is read only if there are any.
    fn deadlines(&self) -> Deadlines {
        let (soft, hard) = (self.policy().soft_timeout, self.policy().hard_timeout);
        let began = (soft.is_some() || hard.is_some()).then(Instant::now);
        let after = |limit: Option<Duration>| began.zip(limit).map(|(began, limit)| later(began, limit));
        Deadlines { soft: after(soft), hard: after(hard) }
    }

    /// Waits for a flight within the limits.
    async fn wait(
        &mut self,
        flight: &mut Flight<'c, K, V>,
        old: Option<&Old<V>>,
        deadlines: Deadlines,
    ) -> Result<Arrived<V>, Error> {
        let stale = old.filter(|_| self.policy().fail_safe.is_on());
        if let Some((soft, old)) = deadlines.soft.zip(stale) {
            if let Ok(arrived) = Box::pin(timeout_at(soft, flight.arrival())).await {
                return Ok(arrived);
            }
            if let Some(answer) = self.stand_in(&old.value, StaleReason::SoftTimeout) {
                flight.leave();
                return Ok(Arrived::Instead(answer));
            }
        }
        let Some(hard) = deadlines.hard else { return Ok(flight.arrival().await) };
        if let Ok(arrived) = Box::pin(timeout_at(hard, flight.arrival())).await {
            return Ok(arrived);
        }
        flight.leave();
        self.stand_in_for(self.timed_out(), old).map(Arrived::Instead)
    }

    /// What a led load came to, as an answer; nothing if the call has to look again.
    pub(crate) fn settle_led(
        &self,
        outcome: Result<Outcome<V>, Error>,
        old: Option<&Old<V>>,
        way: Way,
    ) -> Result<Option<Fetched<V>>, Error> {
        let Outcome { found, ending, is_own } = match outcome {
            Ok(outcome) => outcome,
            Err(error) => return self.stand_in_for(error, old).map(Fetched::of_unknown_age).map(Some),
        };
        let served = match ending {
            Ending::Tainted => self.said_stale(StaleReason::Tainted),
            Ending::StaleStock => self.said_stale(StaleReason::LoadFailed),
            // Repeated once, if the caller lent a loader for it.
            Ending::Overtaken if !self.loaders.are_used_up() => return Ok(None),
            Ending::Current | Ending::Overtaken => way.served(),
        };
        self.cache.table().record(self.key, &found);
        if served == Served::Stale {
            taint();
        }
        let began = found.began();
        // Overtaken or not, its load began after this call did.
        let is_new = is_own && served != Served::Stale;
        Ok(Some(Fetched { answer: Answer::new(found, served), is_new, began }))
    }

    /// What another caller's load came to, as an answer; nothing if the call has to look again.
    pub(crate) fn settle_joined(
        &self,
        waited: Waited<Stored<V>, Error>,
        old: Option<&Old<V>>,
        way: Way,
    ) -> Result<Option<Fetched<V>>, Error> {
        let (found, served) = match waited {
            Waited::Again => return Ok(None),
            Waited::Failed(error) => {
                return self.stand_in_for(error, old).map(Fetched::of_unknown_age).map(Some);
            }
            Waited::Stale(found) => (found, self.said_stale(StaleReason::LoadFailed)),
            Waited::Landed(found) if found.is_marked_stale() => {
                (found, self.said_stale(StaleReason::Tainted))
            }
            Waited::Landed(found) => (found, way.served()),
        };
        let began = found.began();
        // Whoever joined a flight that began after the mark has what began after the call, unless it came from the store.
        let is_new = served == Served::Bypass && began != Tick::ZERO;
        Ok(Some(Fetched { answer: Answer::new(found, served), is_new, began }))
    }

    /// A stale value instead of `error`, and a pause before the next try; or the error.
    pub(crate) fn stand_in_for(&self, error: Error, old: Option<&Old<V>>) -> Result<Answer<V>, Error> {
        let old = old.filter(|_| self.policy().fail_safe.is_on());
        let Some(answer) = old.and_then(|old| self.stand_in(&old.value, StaleReason::LoadFailed)) else {
            return Err(error);
        };
        self.cache.begin_pause(self.key, ticks(self.policy().fail_safe.pause()));
        Ok(answer)
    }

    /// Whether something stale could stand in now.
    pub(crate) fn can_stand_in(&self, old: &Old<V>) -> bool {
        self.policy().fail_safe.is_on() && self.cache.table().may_revive(self.key, old.value.handle())
    }

    pub(crate) fn stand_in_softly(&self, old: &Old<V>) -> Option<Answer<V>> {
        self.stand_in(&old.value, StaleReason::SoftTimeout)
    }

    pub(crate) fn timed_out(&self) -> Error {
        self.cache.inner.metrics.load_failures.increment(LoadFailure::Timeout);
        self.cache.report(CacheEvent::LoadFailed(LoadFailure::Timeout));
        let hard = self.policy().hard_timeout.unwrap_or_default();
        let detail = format!("cache {}: no value within {hard:?}", self.cache.inner.name);
        Error::new(ErrorKind::Timeout, "load", detail)
    }

    pub(crate) fn said_stale(&self, reason: StaleReason) -> Served {
        self.cache.inner.metrics.stale.increment(reason);
        let shared = self.cache.shared();
        self.cache.report_of(CacheEvent::Stale(reason), || match reason {
            StaleReason::Suspect => shared.origins.doubt_about(&self.cache.inner.name),
            StaleReason::Unproven => shared.unproven(),
            StaleReason::LoadFailed
            | StaleReason::Throttled
            | StaleReason::SoftTimeout
            | StaleReason::Tainted => None,
        });
        Served::Stale
    }

    /// `value` as a stale answer, unless it is gone: tested now, after whatever was waited for.
    fn stand_in(&self, value: &Value<V>, reason: StaleReason) -> Option<Answer<V>> {
        if !self.cache.table().may_revive(self.key, value.handle()) {
            return None;
        }
        self.said_stale(reason);
        // Whoever waits for what a load makes of it has to notice when one of its parts is ended.
        self.cache.table().record(self.key, &Found::Value(value.handle().clone()));
        taint();
        Some(Answer::of_value(value.clone(), Served::Stale))
    }
}

impl<K: Key, V: Send + Sync + 'static> Cache<K, V> {
    /// Holds back further loads of a key, as long as there is something to serve.
    pub(crate) fn begin_pause<Q: Probe<K> + ?Sized>(&self, key: &Q, pause: Tick) {
        self.inner.has_paused.store(true, Ordering::Relaxed);
        self.inner.flights.pause(key, self.table().clock().now().plus(pause));
    }

    pub(crate) fn is_paused<Q: Probe<K> + ?Sized>(&self, key: &Q) -> bool {
        self.inner.has_paused.load(Ordering::Relaxed) && self.inner.flights.is_paused(key)
    }

    /// Ends the pause of a key: it was loaded.
    pub(crate) fn end_pause<Q: Probe<K> + ?Sized>(&self, key: &Q) {
        if self.is_paused(key) {
            self.inner.flights.pause(key, Tick::ZERO);
        }
    }
}

impl<V> Fetched<V> {
    pub(crate) const fn of_unknown_age(answer: Answer<V>) -> Self {
        Self { answer, is_new: false, began: Tick::ZERO }
    }
}

impl<V> Looked<V> {
    const fn old(handle: Handle<Stored<V>>, doubt: Doubt) -> Self {
        Self::Old(Old { value: Value::new(handle), doubt })
    }
}

impl Way {
    const fn served(self) -> Served {
        match self {
            Self::Usual(_) => Served::Load,
            Self::After(_) => Served::Bypass,
        }
    }

    pub(crate) const fn store(self) -> StoreUse {
        match self {
            Self::Usual(store) => store,
            Self::After(_) => StoreUse::Bypassed,
        }
    }
}

impl<K: Key, V: Send + Sync + 'static> Flight<'_, K, V> {
    /// Cancel-safe: what has not arrived can be asked for again.
    async fn arrival(&mut self) -> Arrived<V> {
        match self {
            Self::Led(running) => Arrived::Led(running.await),
            Self::Joined(wait) => Arrived::Joined(wait.await),
        }
    }

    /// The caller is answered; a load that it led goes on.
    fn leave(&mut self) {
        if let Self::Led(running) = self {
            running.go_on();
        }
    }
}

/// What the load on this thread makes of a stale value is stale as well.
fn taint() {
    if let Some(scope) = Scope::current() {
        scope.taint();
    }
}
