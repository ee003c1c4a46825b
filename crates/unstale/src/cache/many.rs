//! Many keys at once: one call of the loader for all that are missing.

use std::error::Error as StdError;
use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use unstale_core::Instant;
use unstale_l1::Probe;

use super::call::{Answer, Demand};
use super::load::Load;
use super::loader::{Cause, poll_contained};
use super::many_call::Many;
use super::many_product::{ManyLoader, NextLoader};
use super::options::EntryOptions;
use super::value::{Read, Value};
use super::{Cache, Key};
use crate::{Error, Freshness, SessionToken};

impl<K: Key, V: Send + Sync + 'static> Cache<K, V> {
    /// The values of `keys`, in their order: from memory, then from the store, then by one call of `loader` for all that are
    /// missing and that nobody else is loading already.
    ///
    /// The loader is given the missing keys and answers with pairs. A key that it leaves out has no value, which is
    /// remembered; pairs that were not asked for are ignored. What it says through its [`Load`] holds for all of them. It has
    /// to be `Clone`, since what it loads may have to be loaded once more: when a load that this call joined was given up
    /// or was overtaken by an invalidation, or when an answer is not as fresh as was demanded.
    ///
    /// Each value is fenced by itself: an invalidation of one key during the load keeps that one from being stored. The
    /// token of each was taken before anything was read. Timeouts and fail-safe count for the whole call: the soft timeout
    /// answers only if a stale value can stand in for every missing key.
    ///
    /// Freshness may be demanded as of a single read ([`PendingMany::freshness`]): it holds for each key by itself, with one
    /// proof, one exchange and one further call of the loader for all keys that have to be bypassed.
    ///
    /// Cancel-safe as [`Cache::get_or_load`].
    ///
    /// # Errors
    /// As [`Cache::get_or_load`], if any key has neither a value nor a stale one to stand in.
    pub fn get_or_load_many<'c, F, Fut, E>(&'c self, keys: &'c [K], loader: F) -> PendingMany<'c, K, V>
    where
        F: FnOnce(Vec<K>, Load<V>) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<Vec<(K, V)>, E>> + Send + 'static,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        let next: Box<NextLoader<K, V>> = Box::new(move || erase(loader.clone()));
        PendingMany {
            cache: self,
            keys,
            next: Some(next),
            options: None,
            demand: Demand::NONE,
            form: PhantomData,
            running: None,
        }
    }

    /// Those of `keys` that are in memory and proven to reflect all that was announced anywhere up to `within` before `at`,
    /// in the order of the keys: [`Cache::get_within`] for each.
    pub fn get_many_within<Q: Probe<K>>(
        &self,
        keys: &[Q],
        at: Instant,
        within: Duration,
    ) -> Vec<Option<Read<Value<V>>>> {
        keys.iter().map(|key| self.get_within(key, at, within)).collect()
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
        Box::pin(async move {
            let answer = async move { loader(keys, load).await.map_err(|error| Cause::Error(error.into())) };
            let mut answer = pin!(answer);
            poll_fn(|cx| poll_contained(answer.as_mut(), cx)).await
        })
    })
}

/// The answers are values, or nothing where there is none.
#[derive(Clone, Copy, Debug)]
pub struct Bare;

/// The answers say what was served.
#[derive(Clone, Copy, Debug)]
pub struct WithProof;

/// A [`PendingMany`] that says of each answer what was served: `Result<Vec<Read<Option<Value<V>>>>, Error>`.
pub type ReadMany<'c, K, V> = PendingMany<'c, K, V, WithProof>;

/// A read of many keys that loads what is missing, once it is awaited: `Result<Vec<Option<Value<V>>>, Error>`, or as
/// [`ReadMany`] once freshness was spoken of.
#[must_use = "futures do nothing unless awaited"]
pub struct PendingMany<'c, K: Key, V: Send + Sync + 'static, S = Bare> {
    cache: &'c Cache<K, V>,
    keys: &'c [K],
    next: Option<Box<NextLoader<K, V>>>,
    options: Option<&'c EntryOptions>,
    demand: Demand,
    form: PhantomData<S>,
    running: Option<Answers<'c, V>>,
}

type Answers<'c, V> = Pin<Box<dyn Future<Output = Result<Vec<Answer<V>>, Error>> + Send + 'c>>;

impl<'c, K: Key, V: Send + Sync + 'static, S> PendingMany<'c, K, V, S> {
    /// Choices for this call and what it loads.
    pub const fn options(mut self, options: &'c EntryOptions) -> Self {
        self.options = Some(options);
        self
    }

    /// Demands of each answer that it reflects all that was announced anywhere up to `freshness` before the call, and has it
    /// say whether that is proven. If one cannot be proven and the demand says `or_error`, the whole call fails.
    pub fn freshness(self, freshness: Freshness) -> ReadMany<'c, K, V> {
        self.demanding(|demand| demand.freshness = Some(freshness))
    }

    /// The instant at which the request arrived ([`crate::Node::now`], once per request), to which freshness refers. Alone it
    /// demands nothing, and has the answers say what is known of them.
    pub fn at(self, instant: Instant) -> ReadMany<'c, K, V> {
        self.demanding(|demand| demand.at = Some(instant))
    }

    /// Demands that the answers reflect the write that `token` names, wherever it was made: waits until it is applied here,
    /// at most 1 s, and bypasses what is cached if it is not.
    pub fn session(self, token: SessionToken) -> ReadMany<'c, K, V> {
        self.demanding(|demand| demand.session = Some(token))
    }

    fn demanding(self, change: impl FnOnce(&mut Demand)) -> ReadMany<'c, K, V> {
        let Self { cache, keys, next, options, mut demand, form: _, running } = self;
        change(&mut demand);
        PendingMany { cache, keys, next, options, demand, form: PhantomData, running }
    }

    fn poll_answers(&mut self, cx: &mut Context<'_>) -> Poll<Result<Vec<Answer<V>>, Error>> {
        if let Some(next) = self.next.take() {
            let (defaults, keys) = (EntryOptions::new(), self.keys);
            let many = Many::new(self.cache, keys, self.options.unwrap_or(&defaults), self.demand);
            self.running = Some(Box::pin(async move { many.answer(&*next).await }));
        }
        self.running.as_mut().expect("made at the first poll").as_mut().poll(cx)
    }
}

impl<K: Key, V: Send + Sync + 'static> Future for PendingMany<'_, K, V> {
    type Output = Result<Vec<Option<Value<V>>>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answers = self.get_mut().poll_answers(cx);
        answers.map_ok(|answers| answers.into_iter().map(|answer| answer.value).collect())
    }
}

impl<K: Key, V: Send + Sync + 'static> Future for ReadMany<'_, K, V> {
    type Output = Result<Vec<Read<Option<Value<V>>>>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answers = self.get_mut().poll_answers(cx);
        answers.map_ok(|answers| answers.into_iter().map(Answer::into_read_of_option).collect())
    }
}

// What runs is boxed; nothing else is ever pinned in place.
impl<K: Key, V: Send + Sync + 'static, S> Unpin for PendingMany<'_, K, V, S> {}

impl<K: Key, V: Send + Sync + 'static, S> fmt::Debug for PendingMany<'_, K, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingMany")
            .field("cache", &self.cache)
            .field("keys", &self.keys.len())
            .field("begun", &self.running.is_some())
            .finish_non_exhaustive()
    }
}
