//! One call for many keys: which flights they are in, how long it waits for them, and how fresh the answers are.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::{Instant, timeout_at};
use unstale_l1::{Absence, Joined, Waited};

use super::bounded::Bound;
use super::call::{Answer, Call, Demand, Loaders, ReadProof};
use super::fetch::{Fetched, Looked, Old, Way};
use super::many_product::{ManyJob, NextLoader};
use super::options::EntryOptions;
use super::policy::{Policy, later};
use super::read::is_in_bypass;
use super::running::{Ended, Joint, Led, Outcome, Running};
use super::terms::{StoreUse, Terms};
use super::value::{Served, Stored};
use super::{Cache, Key};
use crate::event::{BypassReason, LoadTrigger};
use crate::freshness::Proven;
use crate::metrics::{BoundedOutcome, SessionOutcome};
use crate::{Error, Freshness, Otherwise};

/// A call for many keys.
pub(crate) struct Many<'k, K: Key, V: Send + Sync + 'static> {
    cache: &'k Cache<K, V>,
    keys: &'k [K],
    policy: Arc<Policy>,
    tags: Vec<Bytes>,
    demand: Demand,
    fetched: Vec<Option<Fetched<V>>>,
    /// The keys without an answer, each as a call of its own.
    open: Vec<Open<'k, K, V>>,
    /// Which answers will do for them.
    way: Way,
    began: Instant,
}

/// A key without an answer.
struct Open<'k, K: Key, V: Send + Sync + 'static> {
    index: usize,
    call: Call<'k, K, V, K>,
    old: Option<Old<V>>,
}

/// The flights that the open keys are in.
struct Aboard<'k, K: Key, V: Send + Sync + 'static> {
    running: Option<Running<'k, K, V>>,
    led: Vec<Open<'k, K, V>>,
    joined: Vec<(Open<'k, K, V>, Joint<K, V>)>,
    arrived: Vec<(Open<'k, K, V>, Arrived<V>)>,
}

enum Arrived<V> {
    Led(Result<Outcome<V>, Error>),
    Joined(Waited<Stored<V>, Error>),
}

impl<'k, K: Key, V: Send + Sync + 'static> Many<'k, K, V> {
    pub(crate) fn new(cache: &'k Cache<K, V>, keys: &'k [K], options: &EntryOptions, demand: Demand) -> Self {
        Self {
            cache,
            keys,
            policy: Arc::new(cache.inner.policy.with(options)),
            tags: options.tags.clone(),
            demand,
            fetched: keys.iter().map(|_| None).collect(),
            open: Vec::new(),
            way: Way::Usual(StoreUse::Used),
            began: Instant::now(),
        }
    }

    /// The answers, in the order of the keys, each as fresh as was demanded.
    pub(crate) async fn answer(mut self, loader: &NextLoader<K, V>) -> Result<Vec<Answer<V>>, Error> {
        let all = || 0..self.keys.len();
        if is_in_bypass() {
            self.bypass(all().collect(), BypassReason::Within, loader).await?;
            return Ok(self.into_answers());
        }
        if let Some(token) = self.demand.session {
            let late = match self.cache.shared().session(&token).await {
                SessionOutcome::Met | SessionOutcome::Waited => None,
                SessionOutcome::Late => Some(BypassReason::SessionLate),
                SessionOutcome::Unknown => Some(BypassReason::SessionUnknown),
            };
            if let Some(reason) = late {
                self.bypass(all().collect(), reason, loader).await?;
                return Ok(self.into_answers());
            }
        }
        if let Some(freshness) = self.demand.freshness {
            self.bounded(freshness, loader).await?;
            return Ok(self.into_answers());
        }
        // P-14: what is said of the answers was known before they were read.
        let proof = self.demand.is_any().then(|| self.proof());
        self.fetch(all().collect(), LoadTrigger::Many, loader).await?;
        if let Some((proof, at)) = proof {
            for Fetched { answer, is_new, .. } in self.fetched.iter_mut().flatten() {
                answer.proof = ReadProof::undemanded(proof, at, answer.served, *is_new).of(self.cache);
            }
        }
        Ok(self.into_answers())
    }

    fn into_answers(self) -> Vec<Answer<V>> {
        self.fetched.into_iter().map(|fetched| fetched.expect("every key was answered").answer).collect()
    }

    /// What the node can prove just now, and the instant to which the call refers.
    fn proof(&self) -> (Proven, unstale_core::Instant) {
        let shared = self.cache.shared();
        let at = self.demand.at.unwrap_or_else(|| shared.now_of_read());
        (self.cache.proof(), at)
    }

    async fn bounded(&mut self, freshness: Freshness, loader: &NextLoader<K, V>) -> Result<(), Error> {
        let shared = Arc::clone(self.cache.shared());
        let (proof, at) = self.proof();
        let mut bound =
            Bound::new(at, freshness.duration(), proof).beyond_proof(self.cache.is_beyond_proof());
        if self.cache.may_ask(freshness)
            && !bound.is_covered()
            && (0..self.keys.len()).any(|index| self.call(index).is_unproven_hit(at, bound.within))
        {
            // P-15: the entries are read after the exchange.
            bound = bound.exchanged(shared.exchange().await);
        }
        self.way = Way::Usual(bound.store());
        self.fetch((0..self.keys.len()).collect(), LoadTrigger::Many, loader).await?;
        let mut unproven = Vec::new();
        for index in 0..self.keys.len() {
            let fetched = self.fetched[index].as_mut().expect("every key was answered");
            let outcome = bound.judge(&shared, fetched);
            let is_said = fetched.answer.served == Served::Stale;
            let counted = outcome.unwrap_or(match freshness.otherwise() {
                Otherwise::Bypass => BoundedOutcome::Loaded,
                Otherwise::Error => BoundedOutcome::Refused,
                Otherwise::Flag => BoundedOutcome::Flagged,
            });
            shared.metrics.bounded_reads.increment(counted);
            match freshness.otherwise() {
                _ if outcome.is_some() => {}
                Otherwise::Bypass => unproven.push(index),
                Otherwise::Error => return Err(self.call(index).not_proven(&bound)),
                Otherwise::Flag if is_said => {}
                Otherwise::Flag => self.call(index).said_unproven(),
            }
        }
        self.bypass(unproven, self.cache.unproven_reason(), loader).await
    }

    /// Loads of these keys that begin after this call did; calls that come together share them.
    async fn bypass(
        &mut self,
        indices: Vec<usize>,
        reason: BypassReason,
        loader: &NextLoader<K, V>,
    ) -> Result<(), Error> {
        if indices.is_empty() {
            return Ok(());
        }
        self.way = Way::After(self.cache.inner.flights.mark());
        for index in &indices {
            self.call(*index).said_bypass(reason);
        }
        // P-14: what is said of the answers was known before they were read.
        let (proof, at) = self.proof();
        self.fetch(indices.clone(), LoadTrigger::Bypass, loader).await?;
        for index in indices {
            let Fetched { answer, is_new, .. } =
                self.fetched[index].as_mut().expect("every key was answered");
            answer.proof =
                ReadProof { proven: *is_new, age: proof.age(at), is_foreign: self.cache.is_beyond_proof() };
        }
        Ok(())
    }

    fn call(&self, index: usize) -> Call<'k, K, V, K> {
        Call {
            cache: self.cache,
            key: &self.keys[index],
            loaders: Loaders::default(),
            own_policy: Some(Arc::clone(&self.policy)),
            tags: self.tags.clone(),
            demand: self.demand,
            absence: Absence::Unusable,
        }
    }

    /// Answers these keys: from memory, or by flights that are joined or led, until none is left to look at again.
    async fn fetch(
        &mut self,
        indices: Vec<usize>,
        mut trigger: LoadTrigger,
        loader: &NextLoader<K, V>,
    ) -> Result<(), Error> {
        self.open =
            indices.into_iter().map(|index| Open { index, call: self.call(index), old: None }).collect();
        while !self.open.is_empty() {
            let (aboard, leads) = self.board(trigger);
            if !aboard.is_over(&leads) {
                let aboard = aboard.led_by(leads, loader, trigger, self.way);
                self.settle(aboard).await?;
            }
            trigger = LoadTrigger::Repeat;
        }
        Ok(())
    }

    /// Looks at every open key, and joins or begins its flight. Every token is taken here, before anything is read.
    fn board(&mut self, trigger: LoadTrigger) -> (Aboard<'k, K, V>, Vec<Led<K, V>>) {
        let mut aboard = Aboard { running: None, led: Vec::new(), joined: Vec::new(), arrived: Vec::new() };
        let mut leads = Vec::new();
        for Open { index, mut call, .. } in std::mem::take(&mut self.open) {
            let old = match call.look(self.way) {
                Looked::Fresh(fetched) => {
                    self.fetched[index] = Some(fetched);
                    continue;
                }
                Looked::Old(old) => Some(old),
                Looked::Miss => None,
            };
            if let Some(fetched) = old.as_ref().and_then(|old| call.throttled(old)) {
                self.fetched[index] = Some(fetched);
                continue;
            }
            match call.board(self.way) {
                Joined::Hit(found) => self.fetched[index] = Some(call.hit(found)),
                Joined::Wait(wait) => {
                    call.count_miss(true, trigger);
                    aboard.joined.push((Open { index, call, old }, wait));
                }
                Joined::Lead(lead) => {
                    if let Some(fetched) = old.as_ref().and_then(|old| call.spared(old, self.way)) {
                        self.fetched[index] = Some(fetched);
                    } else {
                        call.count_miss(false, trigger);
                        aboard.led.push(Open { index, call, old });
                        leads.push(lead);
                    }
                }
            }
        }
        (aboard, leads)
    }

    /// Waits for the flights within the limits, and makes answers of what they bring; what has to be looked at again stays
    /// open.
    async fn settle(&mut self, mut aboard: Aboard<'k, K, V>) -> Result<(), Error> {
        let (soft, hard) = (self.policy.soft_timeout, self.policy.hard_timeout);
        if let Some(soft) = soft
            && timeout_at(later(self.began, soft), aboard.arrival()).await.is_err()
            && aboard.waiting().all(Open::can_stand_in)
        {
            for open in aboard.leave() {
                let answer = open.old.as_ref().and_then(|old| open.call.stand_in_softly(old));
                self.close(open, answer.map(Fetched::of_unknown_age));
            }
        }
        match hard {
            Some(hard) if timeout_at(later(self.began, hard), aboard.arrival()).await.is_err() => {
                for open in aboard.leave() {
                    let answer = open.call.stand_in_for(open.call.timed_out(), open.old.as_ref())?;
                    self.close(open, Some(Fetched::of_unknown_age(answer)));
                }
            }
            Some(_) => {}
            None => aboard.arrival().await,
        }
        for (open, arrived) in aboard.arrived {
            let settled = match arrived {
                Arrived::Led(outcome) => open.call.settle_led(outcome, open.old.as_ref(), self.way)?,
                Arrived::Joined(waited) => open.call.settle_joined(waited, open.old.as_ref(), self.way)?,
            };
            self.close(open, settled);
        }
        Ok(())
    }

    fn close(&mut self, open: Open<'k, K, V>, fetched: Option<Fetched<V>>) {
        match fetched {
            Some(fetched) => self.fetched[open.index] = Some(fetched),
            None => self.open.push(open),
        }
    }
}

impl<K: Key, V: Send + Sync + 'static> Open<'_, K, V> {
    fn can_stand_in(&self) -> bool {
        self.old.as_ref().is_some_and(|old| self.call.can_stand_in(old))
    }
}

impl<'k, K: Key, V: Send + Sync + 'static> Aboard<'k, K, V> {
    fn is_over(&self, leads: &[Led<K, V>]) -> bool {
        leads.is_empty() && self.joined.is_empty()
    }

    /// Begins the load of the keys that this call leads.
    fn led_by(
        mut self,
        leads: Vec<Led<K, V>>,
        loader: &NextLoader<K, V>,
        trigger: LoadTrigger,
        way: Way,
    ) -> Self {
        if let Some(first) = self.led.first() {
            let terms = Terms {
                cache: first.call.cache.clone(),
                own_policy: first.call.own_policy.clone(),
                tags: first.call.tags.clone(),
                trigger,
                store: way.store(),
            };
            let keys = self.led.iter().map(|open| open.call.key.clone()).collect();
            let job = ManyJob { terms, keys, loader: loader() };
            self.running = Some(job.run(first.call.cache, leads));
        }
        self
    }

    fn waiting(&self) -> impl Iterator<Item = &Open<'k, K, V>> {
        self.led.iter().chain(self.joined.iter().map(|(open, _)| open))
    }

    /// Ready when every flight has ended. Cancel-safe: what has arrived is kept.
    ///
    /// The own load comes first: another call may wait for it while this one waits for that call's.
    async fn arrival(&mut self) {
        if let Some(running) = &mut self.running {
            let Ended { outcomes, .. } = running.await;
            self.running = None;
            self.arrived.extend(self.led.drain(..).zip(outcomes.into_vec().into_iter().map(Arrived::Led)));
        }
        while let Some((_, wait)) = self.joined.last_mut() {
            let waited = wait.await;
            self.arrived.extend(self.joined.pop().map(|(open, _)| (open, Arrived::Joined(waited))));
        }
    }

    /// Waits no longer; the load goes on. Gives the keys that nothing has arrived for.
    fn leave(&mut self) -> Vec<Open<'k, K, V>> {
        if let Some(running) = self.running.take() {
            running.detach();
        }
        self.led.drain(..).chain(self.joined.drain(..).map(|(open, _)| open)).collect()
    }
}
