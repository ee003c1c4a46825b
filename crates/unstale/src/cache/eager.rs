//! Eager refresh: a value that nears its end is loaded anew while it is still served.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use unstale_l1::{Handle, Probe, Tick};

use super::call::Loaders;
use super::loader::Loader;
use super::policy::{Kind, Policy};
use super::product::Job;
use super::terms::{StoreUse, Terms};
use super::value::{Stored, Value};
use super::{Cache, Key};
use crate::event::LoadTrigger;

impl<K: Key, V: Send + Sync + 'static> Cache<K, V> {
    /// Whether `handle`, a hit, is past the share of its life after which it is to be refreshed.
    pub(crate) fn is_due(&self, handle: &Handle<Stored<V>>, share: f64) -> bool {
        let deadline = handle.deadline();
        let now = self.table().clock().now();
        let life = if handle.began() == Tick::ZERO {
            // Not loaded here: from the store or set by a writer.
            Tick::whole_in(self.inner.policy.memory_life(Kind::Value))
        } else {
            deadline.since(handle.began())
        };
        let rest = life.span().mul_f64(1.0 - share);
        deadline.since(now).span() <= rest.max(Duration::from_millis(Tick::MILLIS))
    }

    /// Starts a load in the background, unless one is under way or the last one failed a short while ago.
    pub(crate) fn refresh_eagerly<Q: Probe<K> + ?Sized>(
        &self,
        key: &Q,
        handle: &Handle<Stored<V>>,
        loader: impl FnOnce() -> Loader<V>,
        own_policy: Option<Arc<Policy>>,
        tags: Vec<Bytes>,
    ) {
        if self.is_paused(key) {
            return;
        }
        let Some(lead) = self.inner.flights.try_refresh(key) else { return };
        let terms = Terms {
            cache: self.clone(),
            own_policy,
            tags,
            trigger: LoadTrigger::Eager,
            store: StoreUse::Used,
        };
        let loaders = Loaders { first: Some(loader()), spare: None };
        let previous = self.confirmable(key, &Value::new(handle.clone()));
        Job::new(terms, &lead, loaders, previous).run(self, lead).detach();
    }

    /// `value`, if a loader may say of it that it was not modified.
    pub(crate) fn confirmable<Q>(&self, key: &Q, value: &Value<V>) -> Option<Value<V>>
    where
        Q: Probe<K> + ?Sized,
    {
        self.table().may_confirm(key, value.handle()).then(|| value.clone())
    }
}
