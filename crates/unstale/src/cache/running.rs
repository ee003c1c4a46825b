//! A load under way, of one key or of many, led by one caller, that can go on without that caller.

use std::borrow::Cow;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use unstale_l1::{FlightKey, Found, Lead, Tick, Wait};

use super::call::Loaders;
use super::few::Few;
use super::landing::{Ending, Fill, Landing};
use super::product::Product;
use super::value::Stored;
use super::{Cache, Key};
use crate::Error;
use crate::event::{CacheEvent, LoadFailure};

/// What a led load came to for one key.
pub(crate) struct Outcome<V> {
    pub(crate) found: Found<Stored<V>>,
    pub(crate) ending: Ending,
    /// Whether its load from the authority began with this flight, and it was made of nothing older.
    pub(crate) is_own: bool,
}

/// What a led load came to.
pub(crate) struct Ended<V> {
    /// For each key, in the order of the leads.
    pub(crate) outcomes: Few<Result<Outcome<V>, Error>>,
    /// The loaders that were not needed.
    pub(crate) left: Loaders<V>,
}

/// A flight that this node leads.
pub(crate) type Led<K, V> = Lead<K, Stored<V>, Error>;

/// Its key.
pub(crate) type LedKey<K, V> = FlightKey<K, Stored<V>, Error>;

/// A flight that another caller leads.
pub(crate) type Joint<K, V> = Wait<K, Stored<V>, Error>;

/// What a load gives: a product for each key, in the order of the leads, and the loaders that it did not need.
pub(crate) type Loading<V> = Pin<Box<dyn Future<Output = (Few<Product<V>>, Loaders<V>)> + Send>>;

/// A load that polls itself, lands what it brought for all who wait, and fills the store.
///
/// Landing is one step without an await, so a load that is dropped has either landed or not. Dropped before it landed while
/// others wait for it, it goes on as a task of the node; dropped alone, it is cancelled.
pub(crate) struct Running<'c, K: Key, V: Send + Sync + 'static> {
    /// Lent by the caller, as long as that waits.
    cache: Cow<'c, Cache<K, V>>,
    leads: Few<Led<K, V>>,
    stage: Stage<V>,
    caller: Caller,
    /// How long nothing else is tried after a failure, as long as there is something to serve.
    pause: Option<Tick>,
}

/// Who polls a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    Waits,
    /// A task of the node does. If that is dropped, the runtime ends.
    IsGone,
}

enum Stage<V> {
    Loading(Loading<V>),
    /// The answer is there; only the store has to be told.
    Filling(Pin<Box<dyn Future<Output = ()> + Send>>, Ended<V>),
    Over,
}

impl<'c, K: Key, V: Send + Sync + 'static> Running<'c, K, V> {
    /// The load of `leads` that `loading` does, with its [`Terms::pause`].
    pub(crate) fn new(
        cache: &'c Cache<K, V>,
        pause: Option<Tick>,
        leads: Few<Led<K, V>>,
        loading: Loading<V>,
    ) -> Self {
        Self {
            cache: Cow::Borrowed(cache),
            leads,
            stage: Stage::Loading(loading),
            caller: Caller::Waits,
            pause,
        }
    }

    /// Goes on as a task of the node; the outcome reaches whoever waits for the flight.
    pub(crate) fn detach(mut self) {
        self.go_on();
    }

    /// The same for one that stays where it is, and is over there.
    pub(crate) fn go_on(&mut self) {
        let rest: Running<'static, K, V> = Running {
            cache: Cow::Owned(Cache::clone(&self.cache)),
            leads: std::mem::take(&mut self.leads),
            stage: std::mem::replace(&mut self.stage, Stage::Over),
            caller: Caller::IsGone,
            pause: self.pause,
        };
        self.cache.shared().spawn(async move {
            // A failure was counted and reported where it happened, and told to whoever waits.
            rest.await;
        });
    }

    fn land(&mut self, products: Few<Product<V>>, left: Loaders<V>) -> Poll<Ended<V>> {
        let mut fills = Vec::new();
        let leads = std::mem::take(&mut self.leads);
        // A load brings one product for each key.
        let outcomes = leads.zip_with(products, |lead, product| self.land_one(lead, product, &mut fills));
        let ended = Ended { outcomes, left };
        if fills.is_empty() {
            return Poll::Ready(ended);
        }
        let cache = Cache::clone(&self.cache);
        let background = cache.inner.level.as_ref().and_then(|level| level.in_background(fills.len()));
        let filling = async move { all(fills.into_iter().map(|fill| cache.clone().fill(fill))).await };
        if let Some(counted) = background {
            self.cache.shared().spawn(async move {
                filling.await;
                drop(counted);
            });
            return Poll::Ready(ended);
        }
        self.stage = Stage::Filling(Box::pin(filling), ended);
        Poll::Pending
    }

    fn land_one(
        &self,
        lead: Led<K, V>,
        product: Product<V>,
        fills: &mut Vec<Fill<K, V>>,
    ) -> Result<Outcome<V>, Error> {
        if matches!(product, Product::StaleStock(_) | Product::Failed(_))
            && let Some(pause) = self.pause
        {
            self.cache.begin_pause(lead.key(), pause);
        }
        match product {
            Product::Goods(goods) => {
                let Landing { found, ending, is_own, fill } = self.cache.land(lead, goods);
                fills.extend(fill);
                Ok(Outcome { found, ending, is_own })
            }
            Product::StaleStock(entry) => {
                let found = lead.land(*entry).into_found();
                Ok(Outcome { found, ending: Ending::StaleStock, is_own: false })
            }
            Product::Failed(error) => {
                lead.fail(error.clone());
                Err(error)
            }
            // Dropped without an outcome: who waits looks again.
            Product::Unconfirmed(error) => Err(error),
        }
    }
}

impl<K: Key, V: Send + Sync + 'static> Future for Running<'_, K, V> {
    type Output = Ended<V>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended<V>> {
        let this = &mut *self;
        if let Stage::Loading(loading) = &mut this.stage {
            let (products, left) = ready!(loading.as_mut().poll(cx));
            this.stage = Stage::Over;
            if let Poll::Ready(ended) = this.land(products, left) {
                return Poll::Ready(ended);
            }
        }
        if let Stage::Filling(filling, _) = &mut this.stage {
            ready!(filling.as_mut().poll(cx));
        }
        match std::mem::replace(&mut this.stage, Stage::Over) {
            Stage::Filling(_, ended) => Poll::Ready(ended),
            Stage::Loading(_) | Stage::Over => panic!("a load was polled after it had ended"),
        }
    }
}

impl<K: Key, V: Send + Sync + 'static> Drop for Running<'_, K, V> {
    fn drop(&mut self) {
        let goes_on = match &self.stage {
            Stage::Loading(_) => self.leads.as_slice().iter().any(Lead::has_waiters),
            Stage::Filling(..) => true,
            Stage::Over => false,
        };
        if self.caller == Caller::IsGone {
            return;
        }
        if goes_on {
            self.go_on();
        } else if matches!(self.stage, Stage::Loading(_)) {
            self.cache.inner.metrics.load_failures.increment(LoadFailure::Cancelled);
            self.cache.report(CacheEvent::LoadFailed(LoadFailure::Cancelled));
        }
    }
}

/// Runs futures side by side, in one task.
pub(crate) async fn all(futures: impl IntoIterator<Item = impl Future<Output = ()>>) {
    let mut running: Vec<_> = futures.into_iter().map(Box::pin).collect();
    poll_fn(|cx| {
        running.retain_mut(|future| future.as_mut().poll(cx).is_pending());
        if running.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
