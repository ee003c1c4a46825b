//! Many keys at once: one call of the loader for all that are missing.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::pin::Pin;
use std::sync::Arc;

use tokio::time::{Instant, timeout_at};
use unstale_l1::{Joined, Waited};
use unstale_port::Lease;

use super::call::{Answer, Call, Demand, Loaders};
use super::fetch::{Looked, Old, Way};
use super::load::Load;
use super::loaded::Answer as LoaderAnswer;
use super::loader::{Cause, Contained};
use super::options::EntryOptions;
use super::product::Product;
use super::running::{Ended, Joint, Led, Outcome, Running};
use super::second_level::Stocked;
use super::terms::{StoreUse, Terms};
use super::value::{Stored, Value};
use super::{Cache, Key};
use crate::Error;
use crate::event::LoadTrigger;

/// A loader of many keys without its types.
type ManyLoader<K, V> = Box<dyn FnOnce(Vec<K>, Load<V>) -> ManyFuture<K, V> + Send>;
type ManyFuture<K, V> = Pin<Box<dyn Future<Output = Result<Vec<(K, V)>, Cause>> + Send>>;

impl<K: Key, V: Send + Sync + 'static> Cache<K, V> {
    /// The values of `keys`, in their order: from memory, then from the store, then by one call of `loader` for all that are
    /// missing and that nobody else is loading already.
    ///
    /// The loader is given the missing keys and answers with pairs. A key that it leaves out has no value, which is
    /// remembered; pairs that were not asked for are ignored. What it says through its [`Load`] holds for all of them. It has
    /// to be `Clone`, since what it loads may have to be loaded once more: when a load that this call joined was given up
    /// or was overtaken by an invalidation.
    ///
    /// Each value is fenced by itself: an invalidation of one key during the load keeps that one from being stored. The
    /// token of each was taken before anything was read. Timeouts and fail-safe count for the whole call: the soft timeout
    /// answers only if a stale value can stand in for every missing key.
    ///
    /// Cancel-safe as [`Cache::get_or_load`].
    ///
    /// # Errors
    /// As [`Cache::get_or_load`], if any key has neither a value nor a stale one to stand in.
    pub async fn get_or_load_many<F, Fut, E>(
        &self,
        keys: &[K],
        loader: F,
    ) -> Result<Vec<Option<Value<V>>>, Error>
    where
        F: FnOnce(Vec<K>, Load<V>) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = Result<Vec<(K, V)>, E>> + Send + 'static,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        self.get_or_load_many_with(keys, &EntryOptions::new(), loader).await
    }

    /// [`Cache::get_or_load_many`] with choices for this call and what it loads.
    pub async fn get_or_load_many_with<F, Fut, E>(
        &self,
        keys: &[K],
        options: &EntryOptions,
        loader: F,
    ) -> Result<Vec<Option<Value<V>>>, Error>
    where
        F: FnOnce(Vec<K>, Load<V>) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = Result<Vec<(K, V)>, E>> + Send + 'static,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        let next = move || erase(loader.clone());
        Many::new(self, keys, options).answer(next).await
    }
}

fn erase<K, V, F, Fut, E>(loader: F) -> ManyLoader<K, V>
where
    K: Key,
    V: Send + Sync + 'static,
    F: FnOnce(Vec<K>, Load<V>) -> Fut + Send + 'static,
    Fut: Future<Output = Result<Vec<(K, V)>, E>> + Send + 'static,
    E: Into<Box<dyn StdError + Send + Sync>>,
{
    Box::new(move |keys, load| {
        let answer = async move { loader(keys, load).await.map_err(|error| Cause::Error(error.into())) };
        Box::pin(Contained(Box::pin(answer)))
    })
}

/// One call for many keys.
struct Many<K: Key, V: Send + Sync + 'static> {
    answers: Vec<Option<Answer<V>>>,
    /// The keys without an answer, each as a call of its own.
    open: Vec<Open<K, V>>,
    began: Instant,
}

/// A key without an answer.
struct Open<K: Key, V: Send + Sync + 'static> {
    index: usize,
    call: Call<K, V>,
    old: Option<Old<V>>,
}

/// The flights that the open keys are in.
struct Aboard<K: Key, V: Send + Sync + 'static> {
    running: Option<Running<K, V>>,
    led: Vec<Open<K, V>>,
    joined: Vec<(Open<K, V>, Joint<K, V>)>,
    arrived: Vec<(Open<K, V>, Arrived<V>)>,
}

enum Arrived<V> {
    Led(Result<Outcome<V>, Error>),
    Joined(Waited<Stored<V>, Error>),
}

const WAY: Way = Way::Usual(StoreUse::Used);

impl<K: Key, V: Send + Sync + 'static> Many<K, V> {
    fn new(cache: &Cache<K, V>, keys: &[K], options: &EntryOptions) -> Self {
        let policy = cache.inner.policy.with(options);
        let open = keys.iter().enumerate().map(|(index, key)| {
            let call = Call {
                cache: cache.clone(),
                key: key.clone(),
                loaders: Loaders::default(),
                policy: policy.clone(),
                tags: options.tags.clone(),
                demand: Demand::NONE,
            };
            Open { index, call, old: None }
        });
        Self { answers: keys.iter().map(|_| None).collect(), open: open.collect(), began: Instant::now() }
    }

    async fn answer(
        mut self,
        loader: impl Fn() -> ManyLoader<K, V> + Send,
    ) -> Result<Vec<Option<Value<V>>>, Error> {
        let mut trigger = LoadTrigger::Many;
        loop {
            let (aboard, leads) = self.board(trigger);
            if !aboard.is_over(&leads) {
                let aboard = aboard.led_by(leads, &loader, trigger);
                self.settle(aboard).await?;
            }
            if self.open.is_empty() {
                return Ok(self.answers.into_iter().map(|answer| answer?.value).collect());
            }
            trigger = LoadTrigger::Repeat;
        }
    }

    /// Looks at every open key, and joins or begins its flight. Every token is taken here, before anything is read.
    fn board(&mut self, trigger: LoadTrigger) -> (Aboard<K, V>, Vec<Led<K, V>>) {
        let mut aboard = Aboard { running: None, led: Vec::new(), joined: Vec::new(), arrived: Vec::new() };
        let mut leads = Vec::new();
        for Open { index, call, .. } in std::mem::take(&mut self.open) {
            let old = match call.look(WAY) {
                Looked::Fresh(fetched) => {
                    self.answers[index] = Some(fetched.answer);
                    continue;
                }
                Looked::Old(old) => Some(old),
                Looked::Miss => None,
            };
            if let Some(fetched) = old.as_ref().and_then(|old| call.throttled(old)) {
                self.answers[index] = Some(fetched.answer);
                continue;
            }
            match call.board(WAY) {
                Joined::Hit(found) => self.answers[index] = Some(call.hit(found).answer),
                Joined::Wait(wait) => {
                    call.count_miss(true, trigger);
                    aboard.joined.push((Open { index, call, old }, wait));
                }
                Joined::Lead(lead) => {
                    if let Some(fetched) = old.as_ref().and_then(|old| call.spared(old, WAY)) {
                        self.answers[index] = Some(fetched.answer);
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
    async fn settle(&mut self, mut aboard: Aboard<K, V>) -> Result<(), Error> {
        let policy = aboard.policy();
        let (soft, hard) = (policy.soft_timeout, policy.hard_timeout);
        if let Some(soft) = soft
            && timeout_at(self.began + soft, aboard.arrival()).await.is_err()
            && aboard.waiting().all(Open::can_stand_in)
        {
            for open in aboard.leave() {
                let answer = open.old.as_ref().and_then(|old| open.call.stand_in_softly(old));
                self.close(open, answer);
            }
        }
        match hard {
            Some(hard) if timeout_at(self.began + hard, aboard.arrival()).await.is_err() => {
                for open in aboard.leave() {
                    let answer = open.call.stand_in_for(open.call.timed_out(), open.old.as_ref())?;
                    self.close(open, Some(answer));
                }
            }
            Some(_) => {}
            None => aboard.arrival().await,
        }
        for (open, arrived) in aboard.arrived {
            let settled = match arrived {
                Arrived::Led(outcome) => open.call.settle_led(outcome, open.old.as_ref(), WAY)?,
                Arrived::Joined(waited) => open.call.settle_joined(waited, open.old.as_ref(), WAY)?,
            };
            self.close(open, settled.map(|fetched| fetched.answer));
        }
        Ok(())
    }

    fn close(&mut self, open: Open<K, V>, answer: Option<Answer<V>>) {
        match answer {
            Some(answer) => self.answers[open.index] = Some(answer),
            None => self.open.push(open),
        }
    }
}

impl<K: Key, V: Send + Sync + 'static> Open<K, V> {
    fn can_stand_in(&self) -> bool {
        self.old.as_ref().is_some_and(|old| self.call.can_stand_in(old))
    }
}

impl<K: Key, V: Send + Sync + 'static> Aboard<K, V> {
    fn is_over(&self, leads: &[Led<K, V>]) -> bool {
        leads.is_empty() && self.joined.is_empty()
    }

    /// Begins the load of the keys that this call leads.
    fn led_by(
        mut self,
        leads: Vec<Led<K, V>>,
        loader: &dyn Fn() -> ManyLoader<K, V>,
        trigger: LoadTrigger,
    ) -> Self {
        if let Some(first) = self.led.first() {
            let terms = Terms {
                cache: first.call.cache.clone(),
                policy: first.call.policy.clone(),
                tags: first.call.tags.clone(),
                trigger,
                store: StoreUse::Used,
            };
            let keys = leads.iter().map(|lead| lead.key().clone()).collect();
            let job = ManyJob { terms: Arc::new(terms), keys, loader: loader() };
            self.running = Some(job.run(leads));
        }
        self
    }

    fn policy(&self) -> super::policy::Policy {
        let call = self.waiting().next().map(|open| &open.call);
        call.map(|call| call.policy.clone()).unwrap_or_default()
    }

    fn waiting(&self) -> impl Iterator<Item = &Open<K, V>> {
        self.led.iter().chain(self.joined.iter().map(|(open, _)| open))
    }

    /// Ready when every flight has ended. Cancel-safe: what has arrived is kept.
    ///
    /// The own load comes first: another call may wait for it while this one waits for that call's.
    async fn arrival(&mut self) {
        if let Some(running) = &mut self.running {
            let Ended { outcomes, .. } = running.await;
            self.running = None;
            self.arrived.extend(self.led.drain(..).zip(outcomes.into_iter().map(Arrived::Led)));
        }
        while let Some((_, wait)) = self.joined.last_mut() {
            let waited = wait.await;
            self.arrived.extend(self.joined.pop().map(|(open, _)| (open, Arrived::Joined(waited))));
        }
    }

    /// Waits no longer; the load goes on. Gives the keys that nothing has arrived for.
    fn leave(&mut self) -> Vec<Open<K, V>> {
        if let Some(running) = self.running.take() {
            running.detach();
        }
        self.led.drain(..).chain(self.joined.drain(..).map(|(open, _)| open)).collect()
    }
}

/// The load of many keys: what it needs to run, owned.
struct ManyJob<K: Key, V: Send + Sync + 'static> {
    terms: Arc<Terms<K, V>>,
    keys: Vec<K>,
    loader: ManyLoader<K, V>,
}

impl<K: Key, V: Send + Sync + 'static> ManyJob<K, V> {
    fn run(self, leads: Vec<Led<K, V>>) -> Running<K, V> {
        let terms = Arc::clone(&self.terms);
        let loading = async move { (self.produce().await, Loaders::default()) };
        Running::new(&terms, leads, Box::pin(loading))
    }

    async fn produce(self) -> Vec<Product<V>> {
        let Self { terms, keys, loader } = self;
        let reads = terms.read_store(&keys).await;
        let mut products: Vec<Option<Product<V>>> = Vec::with_capacity(keys.len());
        let mut missing = Vec::new();
        for (key, (found, lease)) in keys.into_iter().zip(reads) {
            match found {
                Some(stocked) if terms.is_good_enough(&stocked) => {
                    products.push(Some(Product::Goods(Box::new(terms.goods_of_stock(stocked)))));
                }
                stale => {
                    missing.push(Missing { index: products.len(), key, stale, lease });
                    products.push(None);
                }
            }
        }
        if !missing.is_empty() {
            for (index, product) in load(&terms, missing, loader).await {
                products[index] = Some(product);
            }
        }
        products.into_iter().map(|product| product.expect("every key was found or loaded")).collect()
    }
}

/// A key that the loader is asked for.
struct Missing<K, V> {
    index: usize,
    key: K,
    stale: Option<Stocked<V>>,
    lease: Option<Lease>,
}

async fn load<K: Key, V: Send + Sync + 'static>(
    terms: &Terms<K, V>,
    missing: Vec<Missing<K, V>>,
    loader: ManyLoader<K, V>,
) -> Vec<(usize, Product<V>)> {
    let keys: Vec<K> = missing.iter().map(|missing| missing.key.clone()).collect();
    let (pairs, brought) = match terms.call(None, |load| loader(keys, load)).await {
        Ok(brought) => brought.split(),
        Err(error) => {
            let failed = |missing: Missing<K, V>| {
                let product = match missing.stale.filter(|_| terms.policy.fail_safe.is_on()) {
                    Some(stocked) => Product::StaleStock(terms.stale_entry(stocked)),
                    None => Product::Failed(error.clone()),
                };
                (missing.index, product)
            };
            return missing.into_iter().map(failed).collect();
        }
    };
    let mut values: HashMap<K, V> = pairs.into_iter().collect();
    let product = |missing: Missing<K, V>| {
        let answer = values.remove(&missing.key).map_or(LoaderAnswer::Nothing, LoaderAnswer::Value);
        let goods = terms.goods(&brought, answer, None, missing.lease);
        (missing.index, Product::Goods(Box::new(goods.expect("nothing was called not modified"))))
    };
    missing.into_iter().map(product).collect()
}
