//! What the load of one key brings: from the store, or from the loader.

use unstale_l1::NewEntry;

use super::call::Loaders;
use super::few::Few;
use super::loaded::{Answer, Embodied};
use super::loader::Loader;
use super::running::{Led, LedKey, Running};
use super::second_level::{Stocked, StoreRead};
use super::terms::{Brought, Goods, Old, Terms};
use super::value::{Stored, Value};
use super::{Cache, Key};
use crate::event::LoadFailure;
use crate::{Error, ErrorKind};

/// The load of one key: what it needs to run, owned.
pub(crate) struct Job<K: Key, V: Send + Sync + 'static> {
    terms: Terms<K, V>,
    /// Only where something is asked about it: by a store, or of a previous value.
    key: Option<LedKey<K, V>>,
    loaders: Loaders<V>,
    /// What may come back as not modified.
    previous: Option<Value<V>>,
}

/// What a load brought.
pub(crate) enum Product<V> {
    /// Something to land.
    Goods(Goods<V>),
    /// The loader failed, and this is all there is: a stale record of the store.
    StaleStock(Box<NewEntry<Stored<V>>>),
    /// Nothing.
    Failed(Error),
    /// Nothing for this caller, whose loader confirmed what was invalidated; the others load for themselves.
    Unconfirmed(Error),
}

/// Why there is no answer.
enum Failed {
    Load(Error),
    /// The loader said not modified of what may not be confirmed.
    Confirmation,
}

impl<K: Key, V: Send + Sync + 'static> Job<K, V> {
    pub(crate) fn new(
        terms: Terms<K, V>,
        lead: &Led<K, V>,
        loaders: Loaders<V>,
        previous: Option<Value<V>>,
    ) -> Self {
        let is_asked = terms.level().is_some() || previous.is_some();
        Self { key: is_asked.then(|| lead.shared_key()), terms, loaders, previous }
    }

    /// The load, led by `lead`, whose token was taken before anything here is polled.
    pub(crate) fn run(mut self, cache: &Cache<K, V>, lead: Led<K, V>) -> Running<'_, K, V> {
        let pause = self.terms.pause();
        let loading = async move {
            let product = self.produce().await;
            (Few::One(product), self.loaders)
        };
        Running::new(cache, pause, Few::One(lead), Box::pin(loading))
    }

    async fn produce(&mut self) -> Product<V> {
        let can_stand_in = self.terms.policy().fail_safe.is_on() && self.previous.is_some();
        let old = if can_stand_in { Old::StandsIn } else { Old::None };
        let StoreRead { found, grant, .. } = self.terms.stock_of(self.key.as_deref(), old).await;
        let stale = match found {
            Some(stocked) if self.terms.is_good_enough(&stocked) => {
                return Product::Goods(self.terms.goods_of_stock(*stocked));
            }
            stale => stale,
        };
        let Brought { answer, said, recorded } = match self.load().await {
            Ok(brought) => brought,
            Err(Failed::Load(error)) => return self.without_answer(stale, error),
            Err(Failed::Confirmation) => return Product::Unconfirmed(self.unconfirmed()),
        };
        let confirmed = if matches!(answer, Answer::NotModified) { self.previous.as_ref() } else { None };
        match self.terms.goods(said.as_deref(), recorded, answer, confirmed, grant) {
            Some(goods) => Product::Goods(goods),
            None => Product::Unconfirmed(self.unconfirmed()),
        }
    }

    /// Calls the loader; once more, without a previous value and in a fresh scope, if it confirmed one that was invalidated
    /// meanwhile and the caller lent a second loader.
    async fn load(&mut self) -> Result<Brought<Embodied<V>>, Failed> {
        let first = self.call(self.previous.clone()).await.map_err(Failed::Load)?;
        if !matches!(first.answer, Answer::NotModified) || self.confirms_previous() {
            return Ok(first);
        }
        drop(first);
        self.previous = None;
        if self.loaders.are_used_up() {
            return Err(Failed::Confirmation);
        }
        Box::pin(self.call(None)).await.map_err(Failed::Load)
    }

    async fn call(&mut self, previous: Option<Value<V>>) -> Result<Brought<Embodied<V>>, Error> {
        let mut loader: Loader<V> = self.loaders.next().ok_or_else(|| {
            self.terms.failure(ErrorKind::Refused, "the load was refused, and no loader is left")
        })?;
        let begin = |load| {
            loader.as_mut().begin(load);
            loader
        };
        self.terms.call(previous, begin).await
    }

    /// Whether the previous value may be stored anew (F-4, "not modified").
    fn confirms_previous(&self) -> bool {
        let table = self.terms.cache.table();
        let asked = self.key.as_ref().zip(self.previous.as_ref());
        asked.is_some_and(|(key, previous)| table.may_confirm(&**key, previous.handle()))
    }

    fn without_answer(&self, stale: Option<Box<Stocked<V>>>, error: Error) -> Product<V> {
        match stale {
            // What memory has is at least as new.
            Some(stocked) if self.terms.policy().fail_safe.is_on() && self.previous.is_none() => {
                Product::StaleStock(Box::new(self.terms.stale_entry(*stocked)))
            }
            _ => Product::Failed(error),
        }
    }

    fn unconfirmed(&self) -> Error {
        self.terms.failed(LoadFailure::Unconfirmed);
        let why =
            "the loader said not modified, but there is no previous value, or it was invalidated meanwhile";
        self.terms.failure(ErrorKind::Refused, why)
    }
}
