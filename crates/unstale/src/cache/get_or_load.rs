//! `get_or_load` and its kin: futures that answer a hit at their first poll and box the rest.

use std::error::Error as StdError;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use unstale_core::Instant;
use unstale_l1::{Absence, Probe};

use super::call::{Answer, Call, Loaders, ReadProof};
use super::form::{Form, Maybe, Plain, Said};
use super::load::Load;
use super::loaded::Loaded;
use super::loader::{Loader, erase};
use super::options::{EntryOptions, Skip};
use super::policy::Policy;
use super::value::{Served, Value};
use super::{Cache, Key};
use crate::{Error, Freshness, SessionToken};

impl<K: Key, V: Send + Sync + 'static> Cache<K, V> {
    /// The value of `key`: from memory if it is fresh there, else from the store, else from `loader`.
    ///
    /// Callers of one key share one load. The loader is called at most once, with a handle through which it may say more
    /// about the value ([`Load`]); it answers with a value, an `Option` of one, or a [`Loaded`].
    ///
    /// A hit is answered at the first poll: it allocates nothing, awaits nothing and reads no clock. Everything else boxes the
    /// loader and its future.
    ///
    /// Cancel-safe: dropping the future leaves the flight. A load that others wait for goes on, one that nobody waits for is
    /// dropped.
    ///
    /// A loader that asks its own cache for its own key waits for itself, until its hard timeout if there is one.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Load`] with the loader's error as its source, [`crate::ErrorKind::LoadPanicked`],
    /// [`crate::ErrorKind::Timeout`], [`crate::ErrorKind::Nothing`] if there is no value.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let node = unstale::Node::builder("shop").start().await?;
    /// let squares: unstale::Cache<u64, u64> = node.cache("squares").build()?;
    /// let square = squares.get_or_load(&12, async move |_| Ok::<_, std::io::Error>(144)).await?;
    /// assert_eq!(*square, 144);
    /// # Ok(())
    /// # }
    /// ```
    #[inline]
    pub fn get_or_load<'c, Q, F, Fut, T, E>(&'c self, key: &'c Q, loader: F) -> GetOrLoad<'c, K, V, Q, F>
    where
        Q: Probe<K> + ?Sized,
        F: FnOnce(Load<V>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        T: Into<Loaded<V>>,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        Pending::new(self, key, loader, erase::<V, F, Fut, T, E>, Plain)
    }

    /// The same for what may not exist: `None` if there is no value, which is remembered as well.
    #[inline]
    pub fn find_or_load<'c, Q, F, Fut, T, E>(&'c self, key: &'c Q, loader: F) -> FindOrLoad<'c, K, V, Q, F>
    where
        Q: Probe<K> + ?Sized,
        F: FnOnce(Load<V>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        T: Into<Loaded<V>>,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        Pending::new(self, key, loader, erase::<V, F, Fut, T, E>, Maybe)
    }
}

/// The future of [`Cache::get_or_load`]: `Result<Value<V>, Error>`.
pub type GetOrLoad<'c, K, V, Q, F> = Pending<'c, K, V, Q, F, Plain>;
/// The future of [`Cache::find_or_load`]: `Result<Option<Value<V>>, Error>`.
pub type FindOrLoad<'c, K, V, Q, F> = Pending<'c, K, V, Q, F, Maybe>;
/// A [`GetOrLoad`] that says what was served: `Result<Read<Value<V>>, Error>`.
pub type ReadOrLoad<'c, K, V, Q, F> = Pending<'c, K, V, Q, F, Said<Plain>>;
/// A [`FindOrLoad`] that says what was served: `Result<Read<Option<Value<V>>>, Error>`.
pub type ReadOrFind<'c, K, V, Q, F> = Pending<'c, K, V, Q, F, Said<Maybe>>;

/// A read that loads what is missing, once it is awaited. `S` is the form of its answer.
#[must_use = "futures do nothing unless awaited"]
pub struct Pending<'c, K: Key, V: Send + Sync + 'static, Q: ?Sized, F, S> {
    cache: &'c Cache<K, V>,
    key: &'c Q,
    loader: Option<F>,
    spare: Option<F>,
    erase: fn(F) -> Loader<V>,
    options: Option<&'c EntryOptions>,
    form: S,
    /// What was found in memory.
    absence: Absence,
    slow: Option<Slow<'c, V>>,
}

/// What a read that was no plain hit comes to.
type Slow<'c, V> = Pin<Box<dyn Future<Output = Result<Answer<V>, Error>> + Send + 'c>>;

impl<'c, K, V, Q, F, S> Pending<'c, K, V, Q, F, S>
where
    K: Key,
    V: Send + Sync + 'static,
    Q: Probe<K> + ?Sized,
{
    #[inline]
    fn new(cache: &'c Cache<K, V>, key: &'c Q, loader: F, erase: fn(F) -> Loader<V>, form: S) -> Self {
        let (loader, absence) = (Some(loader), Absence::Unusable);
        Self { cache, key, loader, spare: None, erase, options: None, form, absence, slow: None }
    }

    /// Choices for this call and for the value if it is loaded.
    pub const fn options(mut self, options: &'c EntryOptions) -> Self {
        self.options = Some(options);
        self
    }

    /// If what the loader brings is refused, since an invalidation overtook the load, the value is loaded once more instead
    /// of being answered as it is.
    ///
    /// Without this the value is answered: the call had come before the invalidation. It is not stored in either case.
    pub fn repeat_if_refused(mut self) -> Self
    where
        F: Clone,
    {
        self.spare = self.loader.clone();
        self
    }

    fn with<S2>(self, form: impl FnOnce(S) -> S2) -> Pending<'c, K, V, Q, F, S2> {
        let Self { cache, key, loader, spare, erase, options, form: before, absence, slow } = self;
        Pending { cache, key, loader, spare, erase, options, form: form(before), absence, slow }
    }
}

impl<'c, K, V, Q, F, S: Form<V>> Pending<'c, K, V, Q, F, S>
where
    K: Key,
    V: Send + Sync + 'static,
    Q: Probe<K> + ?Sized,
{
    /// Demands that the answer reflects all that was announced anywhere up to `freshness` before the call, and has it say
    /// whether that is proven. A bounded hit costs a few nanoseconds more than a plain one if [`Pending::at`] brings the
    /// request's instant, and a reading of the coarse clock if not.
    pub fn freshness(self, freshness: Freshness) -> Pending<'c, K, V, Q, F, Said<S::Bare>> {
        self.with(|form| form.said(|demand| demand.freshness = Some(freshness)))
    }

    /// The instant at which the request arrived ([`crate::Node::now`], once per request), to which freshness refers. Alone it
    /// demands nothing, and has the answer say what is known of it: it is called proven if the node has any proof at all.
    pub fn at(self, instant: Instant) -> Pending<'c, K, V, Q, F, Said<S::Bare>> {
        self.with(|form| form.said(|demand| demand.at = Some(instant)))
    }

    /// Demands that the answer reflects the write that `token` names, wherever it was made: waits until it is applied here,
    /// at most 1 s, and bypasses what is cached if it is not. A token of an unknown node is not waited for.
    pub fn session(self, token: SessionToken) -> Pending<'c, K, V, Q, F, Said<S::Bare>> {
        self.with(|form| form.said(|demand| demand.session = Some(token)))
    }
}

impl<'c, K, V, Q, F, S> Pending<'c, K, V, Q, F, S>
where
    K: Key,
    V: Send + Sync + 'static,
    Q: Probe<K> + ?Sized,
    F: Send + 'static,
    S: Form<V>,
{
    /// The answer, if memory has it.
    #[inline]
    fn quick(&mut self) -> Option<Answer<V>> {
        let demand = self.form.demand();
        if self.options.is_some_and(|options| options.skips.has(Skip::MemoryRead))
            || self.cache.inner.policy.skips.has(Skip::MemoryRead)
            || demand.session.is_some()
        {
            return None;
        }
        if let Some(freshness) = demand.freshness {
            let at = demand.at.unwrap_or_else(|| self.cache.shared().now_of_read());
            return self.cache.proven_hit(self.key, at, freshness.duration());
        }
        // P-14: the proof before the entry.
        let proof = demand.at.map(|at| (self.cache.proof(), at));
        let handle = match self.cache.table().try_get(self.key) {
            Ok(handle) => handle,
            Err(absence) => {
                self.absence = absence;
                let is_known = S::FINDS && absence != Absence::Vacant;
                return if is_known { self.cache.known_nothing(self.key) } else { None };
            }
        };
        self.cache.inner.metrics.hits.increment();
        let value = Value::new(handle);
        if let Some(share) = self.eager_share()
            && self.cache.is_due(value.handle(), share)
        {
            self.refresh(&value);
        }
        let mut answer = Answer::of_value(value, Served::Hit);
        if let Some((proof, at)) = proof {
            answer.proof = ReadProof::undemanded(proof, at, Served::Hit, false).of(self.cache);
        }
        Some(answer)
    }

    #[inline]
    fn eager_share(&self) -> Option<f64> {
        self.options.and_then(|options| options.eager_refresh).or(self.cache.inner.policy.eager_refresh)
    }

    #[cold]
    fn refresh(&mut self, value: &Value<V>) {
        let (policy, erase) = (self.own_policy(), self.erase);
        if let Some(loader) = self.loader.take() {
            self.cache.refresh_eagerly(self.key, value.handle(), || erase(loader), policy, self.tags());
        }
    }

    #[cold]
    fn call(&mut self) -> Call<'c, K, V, Q> {
        Call {
            cache: self.cache,
            key: self.key,
            loaders: Loaders {
                first: self.loader.take().map(self.erase),
                spare: self.spare.take().map(self.erase),
            },
            own_policy: self.own_policy(),
            tags: self.tags(),
            demand: self.form.demand(),
            absence: self.absence,
        }
    }

    fn tags(&self) -> Vec<Bytes> {
        self.options.map(|options| options.tags.clone()).unwrap_or_default()
    }

    fn own_policy(&self) -> Option<Arc<Policy>> {
        let policy = &self.cache.inner.policy;
        self.options.map(|options| Arc::new(policy.with(options)))
    }
}

impl<K, V, Q, F, S> Future for Pending<'_, K, V, Q, F, S>
where
    K: Key,
    V: Send + Sync + 'static,
    Q: Probe<K> + ?Sized,
    F: Send + 'static,
    S: Form<V>,
{
    type Output = Result<S::Output, Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if this.slow.is_none() {
            if let Some(answer) = this.quick() {
                return Poll::Ready(S::output(answer));
            }
            let mut call = this.call();
            this.slow = Some(Box::pin(async move { call.answer().await }));
        }
        let slow = this.slow.as_mut().expect("just set");
        match slow.as_mut().poll(cx) {
            Poll::Ready(answer) => Poll::Ready(answer.and_then(S::output)),
            Poll::Pending => Poll::Pending,
        }
    }
}

// Nothing in it is ever pinned in place: the loader is moved out before it runs, the rest is boxed.
impl<K: Key, V: Send + Sync + 'static, Q: ?Sized, F, S> Unpin for Pending<'_, K, V, Q, F, S> {}

impl<K: Key, V: Send + Sync + 'static, Q: ?Sized, F, S> fmt::Debug for Pending<'_, K, V, Q, F, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending")
            .field("cache", &self.cache)
            .field("begun", &self.slow.is_some())
            .finish_non_exhaustive()
    }
}
