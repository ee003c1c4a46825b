//! How fresh an answer is: sessions, proofs, young entries, bypasses (P-13 to P-15, P-36).

use std::time::Duration;

use unstale_core::{Instant, Mechanism};
use unstale_l1::{Found as Resident, Handle, Lookup as Found, Probe, Tick};

use super::bounded::Bound;
use super::call::{Answer, Call, ReadProof};
use super::fetch::{Fetched, Way};
use super::terms::StoreUse;
use super::value::{Lookup, Read, Served, Stored, Value};
use super::{Cache, Key};
use crate::event::{BypassReason, CacheEvent, LoadTrigger, Origin, StaleReason};
use crate::freshness::{ProofAge, Proven, is_young};
use crate::metrics::{BoundedOutcome, SessionOutcome};
use crate::{Error, ErrorKind, Freshness, Otherwise};

impl<K: Key, V: Send + Sync + 'static> Cache<K, V> {
    /// The value of `key` if it is fresh in memory: a plain hit and nothing else. Neither waits nor allocates, reads no clock
    /// and takes no lock but the read lock of one shard.
    #[inline]
    pub fn get<Q: Probe<K> + ?Sized>(&self, key: &Q) -> Option<Value<V>> {
        let hits = self.inner.metrics.hits.own();
        let handle = self.table().get(key);
        if handle.is_some() {
            hits.increment();
        } else {
            self.inner.metrics.misses.increment();
        }
        handle.map(Value::new)
    }

    /// The value of `key` if it is in memory and proven to reflect all that was announced anywhere up to `within` before
    /// `at`, the instant at which the request arrived ([`crate::Node::now`]). Costs a few nanoseconds more than
    /// [`Cache::get`].
    #[inline]
    pub fn get_within<Q>(&self, key: &Q, at: Instant, within: Duration) -> Option<Read<Value<V>>>
    where
        Q: Probe<K> + ?Sized,
    {
        let (handle, proof_age) = self.proven_handle(key, at, within)?;
        let proof = ReadProof::proven(proof_age);
        Some(Read { value: Value::new(handle), served: Served::Hit, proof })
    }

    /// The same, at the present: for a single read without a request's instant. Reads the clock, which costs about 30 ns.
    #[inline]
    pub fn get_within_now<Q>(&self, key: &Q, within: Duration) -> Option<Read<Value<V>>>
    where
        Q: Probe<K> + ?Sized,
    {
        self.get_within(key, self.shared().now_of_read(), within)
    }

    /// What memory has for `key`, also if a plain read would not serve it. Never loads; counts nothing.
    pub fn lookup<Q: Probe<K> + ?Sized>(&self, key: &Q) -> Lookup<V> {
        if is_in_bypass() {
            self.table().record_absent(key);
            return Lookup::Miss;
        }
        let found = self.table().lookup(key);
        if let Found::Stale(handle) | Found::Suspect(handle, _) = &found
            && let Some(scope) = unstale_l1::Scope::current()
        {
            self.table().record(key, &Resident::Value(handle.clone()));
            scope.taint();
        }
        match found {
            Found::Hit(handle) => Lookup::Hit(Value::new(handle)),
            Found::Negative(_) => Lookup::Negative,
            Found::Stale(handle) => Lookup::Stale(Value::new(handle)),
            Found::Suspect(handle, _) => Lookup::Suspect(Value::new(handle)),
            Found::Miss => Lookup::Miss,
        }
    }

    /// The values of `keys` that are fresh in memory, in the order of the keys.
    pub fn get_many<Q: Probe<K>>(&self, keys: &[Q]) -> Vec<Option<Value<V>>> {
        keys.iter().map(|key| self.get(key)).collect()
    }

    /// What is fresh in memory, for inspection: keys with their values, or with `None` for a cached nothing. In no order;
    /// what comes or goes meanwhile may be seen or not. Takes the read lock of one shard at each step.
    pub fn iter(&self) -> impl Iterator<Item = (K, Option<Value<V>>)> + '_ {
        self.table().iter().map(|(key, found)| (key, found.value().map(Value::new)))
    }

    /// A hit that is proven, or young, with the age of the proof that was read before it.
    #[inline]
    fn proven_handle<Q>(
        &self,
        key: &Q,
        at: Instant,
        within: Duration,
    ) -> Option<(Handle<Stored<V>>, ProofAge)>
    where
        Q: Probe<K> + ?Sized,
    {
        // P-14: the instant, then the proof, then the entry. All that does not need the entry is worked out before it: its
        // reference count is a barrier, behind which each step would be waited for.
        let proof = self.proof();
        let (is_proven, age) = (proof.covers(at, within), proof.age(at));
        let handle = self.table().get(key)?;
        if is_proven {
            self.inner.metrics.proven_hits.increment();
        } else if is_young(self.shared().instant_of(handle.began()), at, within) {
            self.inner.metrics.young_hits.increment();
        } else {
            return None;
        }
        Some((handle, age))
    }

    #[inline]
    pub(crate) fn proven_hit<Q>(&self, key: &Q, at: Instant, within: Duration) -> Option<Answer<V>>
    where
        Q: Probe<K> + ?Sized,
    {
        let (handle, age) = self.proven_handle(key, at, within)?;
        let mut answer = Answer::of_value(Value::new(handle), Served::Hit);
        answer.proof = ReadProof::proven(age);
        Some(answer)
    }

    /// The news that there is no value, if that is fresh.
    pub(crate) fn known_nothing<Q: Probe<K> + ?Sized>(&self, key: &Q) -> Option<Answer<V>> {
        if is_in_bypass() {
            return None;
        }
        let Found::Negative(_) = self.table().lookup(key) else { return None };
        self.inner.metrics.negative_hits.increment();
        Some(Answer::of_nothing(Served::Hit))
    }

    /// The coarse clock in milliseconds, for limits of rates.
    pub(crate) fn coarse_ms(&self) -> u64 {
        u64::from(self.table().clock().now().0) * Tick::MILLIS
    }

    /// At random, at most `most`.
    pub(crate) fn jitter(&self, most: Duration) -> Duration {
        if most.is_zero() {
            return Duration::ZERO;
        }
        let share = self.shared().random() as f64 / u64::MAX as f64;
        // The longest duration is no float: its whole would be beyond it.
        Duration::try_from_secs_f64(most.as_secs_f64() * share).unwrap_or(most).min(most)
    }
}

/// Whether this is read by a load that has to begin at the authority.
pub(super) fn is_in_bypass() -> bool {
    unstale_l1::Scope::current().is_some_and(|scope| scope.bypasses())
}

impl ReadProof {
    /// Of a proven answer: whoever else writes the cache then tells nothing. On the path of a hit.
    #[inline]
    pub(crate) const fn proven(age: ProofAge) -> Self {
        Self { proven: true, age, is_foreign: false }
    }

    /// Of an answer of which nothing was demanded: proven if anything is known about its age at all.
    pub(crate) fn undemanded(proof: Proven, at: Instant, served: Served, is_new: bool) -> Self {
        let age = proof.age(at);
        Self {
            proven: served != Served::Stale && (is_new || age.duration().is_some()),
            age,
            is_foreign: false,
        }
    }

    /// The same of an answer from this cache.
    pub(crate) fn of<K: Key, V: Send + Sync + 'static>(self, cache: &Cache<K, V>) -> Self {
        Self { is_foreign: cache.is_beyond_proof(), ..self }
    }
}

impl<K: Key, V: Send + Sync + 'static, Q: Probe<K> + ?Sized> Call<'_, K, V, Q> {
    /// The answer of a call that was no plain hit.
    // What is rare is boxed apart, so that the rest stays small.
    pub(crate) async fn answer(&mut self) -> Result<Answer<V>, Error> {
        if is_in_bypass() {
            return Box::pin(self.bypass(BypassReason::Within)).await;
        }
        if let Some(token) = self.demand.session {
            let late = match Box::pin(self.cache.shared().session(&token)).await {
                SessionOutcome::Met | SessionOutcome::Waited => None,
                SessionOutcome::Late => Some(BypassReason::SessionLate),
                SessionOutcome::Unknown => Some(BypassReason::SessionUnknown),
            };
            if let Some(reason) = late {
                return Box::pin(self.bypass(reason)).await;
            }
        }
        if let Some(freshness) = self.demand.freshness {
            return Box::pin(self.bounded(freshness)).await;
        }
        // P-14: what is said of an answer was known before it was read.
        let proof = self.demand.is_any().then(|| self.proof());
        let Fetched { mut answer, is_new, .. } = self.usual(StoreUse::Used).await?;
        if let Some((proof, at)) = proof {
            answer.proof = ReadProof::undemanded(proof, at, answer.served, is_new).of(self.cache);
        }
        Ok(answer)
    }

    async fn usual(&mut self, store: StoreUse) -> Result<Fetched<V>, Error> {
        self.fetch(Way::Usual(store), LoadTrigger::Miss).await
    }

    async fn bounded(&mut self, freshness: Freshness) -> Result<Answer<V>, Error> {
        let shared = std::sync::Arc::clone(self.cache.shared());
        let at = self.demand.at.unwrap_or_else(|| shared.now_of_read());
        let within = freshness.duration();
        let mut bound = Bound::new(at, within, self.cache.proof()).beyond_proof(self.cache.is_beyond_proof());
        let mut early = None;
        if self.cache.may_ask(freshness) && !bound.is_covered() && self.is_unproven_hit(at, within) {
            // P-15: the entry is read after the exchange (proof-before-entry).
            if !shared.mechanisms.on(Mechanism::ProofBeforeEntry) {
                early = self.cache.table().get(self.key);
            }
            bound = bound.exchanged(shared.exchange().await);
        }
        let mut fetched = match early {
            Some(handle) => {
                let began = handle.began();
                Fetched { answer: Answer::of_value(Value::new(handle), Served::Hit), is_new: false, began }
            }
            None => self.usual(bound.store()).await?,
        };
        let outcome = bound.judge(&shared, &mut fetched);
        let Fetched { answer, .. } = fetched;
        if let Some(outcome) = outcome {
            shared.metrics.bounded_reads.increment(outcome);
            return Ok(answer);
        }
        match freshness.otherwise() {
            // A loader that was called already and read older values from caches would read them again.
            Otherwise::Bypass if !self.loaders.are_used_up() => {
                shared.metrics.bounded_reads.increment(BoundedOutcome::Loaded);
                self.bypass(self.cache.unproven_reason()).await
            }
            Otherwise::Error => {
                shared.metrics.bounded_reads.increment(BoundedOutcome::Refused);
                Err(self.not_proven(&bound))
            }
            Otherwise::Bypass | Otherwise::Flag => {
                shared.metrics.bounded_reads.increment(BoundedOutcome::Flagged);
                if answer.served != Served::Stale {
                    self.said_unproven();
                }
                Ok(answer)
            }
        }
    }

    /// A load that begins after this call did; those that come together share it.
    async fn bypass(&mut self, reason: BypassReason) -> Result<Answer<V>, Error> {
        let mark = self.cache.inner.flights.mark();
        self.said_bypass(reason);
        // P-14: what is said of an answer was known before it was read.
        let (proof, at) = self.proof();
        let Fetched { mut answer, is_new, .. } = self.fetch(Way::After(mark), LoadTrigger::Bypass).await?;
        answer.proof =
            ReadProof { proven: is_new, age: proof.age(at), is_foreign: self.cache.is_beyond_proof() };
        Ok(answer)
    }

    /// Whether something fresh lies in memory that only a proof is missing for.
    pub(crate) fn is_unproven_hit(&self, at: Instant, within: Duration) -> bool {
        match self.cache.table().lookup(self.key) {
            Found::Hit(handle) => !is_young(self.cache.shared().instant_of(handle.began()), at, within),
            Found::Negative(handle) => !is_young(self.cache.shared().instant_of(handle.began()), at, within),
            Found::Stale(_) | Found::Suspect(..) | Found::Miss => false,
        }
    }

    /// What the node can prove just now, and the instant to which the call refers.
    fn proof(&self) -> (Proven, Instant) {
        let shared = self.cache.shared();
        let at = self.demand.at.unwrap_or_else(|| shared.now_of_read());
        (self.cache.proof(), at)
    }

    pub(crate) fn said_bypass(&self, reason: BypassReason) {
        self.cache.inner.metrics.bypasses.increment(reason);
        let (shared, session) = (self.cache.shared(), self.demand.session);
        self.cache.report_of(CacheEvent::Bypassed(reason), || match reason {
            BypassReason::NotProven => shared.unproven(),
            BypassReason::SessionLate | BypassReason::SessionUnknown => session.map(Origin::of),
            // The reason is that of the load that reads this; or of strangers, who have no numbers.
            BypassReason::Within | BypassReason::ForeignWriter => None,
        });
    }

    pub(crate) fn said_unproven(&self) {
        self.said_stale(StaleReason::Unproven);
    }

    pub(crate) fn not_proven(&self, bound: &Bound) -> Error {
        let within = bound.within;
        let age = bound
            .proof
            .age(bound.at)
            .duration()
            .map_or_else(|| "there is no proof".to_owned(), |age| format!("the proof is {age:?} old"));
        let detail = format!("cache {}: not proven within {within:?}: {age}", self.cache.inner.name);
        Error::new(ErrorKind::NotProven, "read", detail)
    }
}
