//! One call: what it wants loaded, and how.

use std::sync::Arc;

use bytes::Bytes;
use unstale_core::Instant;
use unstale_l1::{Absence, Found};

use super::loader::Loader;
use super::policy::Policy;
use super::value::{Read, Served, Stored, Value};
use super::{Cache, Key};
use crate::freshness::ProofAge;
use crate::{Error, ErrorKind, Freshness, SessionToken};

/// A call that was not answered by a plain hit.
pub(crate) struct Call<'c, K: Key, V: Send + Sync + 'static, Q: ?Sized> {
    pub(crate) cache: &'c Cache<K, V>,
    pub(crate) key: &'c Q,
    pub(crate) loaders: Loaders<V>,
    /// If it is not the cache's own.
    pub(crate) own_policy: Option<Arc<Policy>>,
    pub(crate) tags: Vec<Bytes>,
    pub(crate) demand: Demand,
    /// What was found in memory just before, by whoever made it.
    pub(crate) absence: Absence,
}

impl<K: Key, V: Send + Sync + 'static, Q: ?Sized> Call<'_, K, V, Q> {
    pub(crate) fn policy(&self) -> &Policy {
        self.own_policy.as_deref().unwrap_or(&self.cache.inner.policy)
    }
}

/// The loader, and a second one if the caller lent it for the case that what the first one brings is refused.
pub(crate) struct Loaders<V> {
    pub(crate) first: Option<Loader<V>>,
    pub(crate) spare: Option<Loader<V>>,
}

impl<V> Default for Loaders<V> {
    fn default() -> Self {
        Self { first: None, spare: None }
    }
}

impl<V> Loaders<V> {
    pub(crate) const fn are_used_up(&self) -> bool {
        self.first.is_none() && self.spare.is_none()
    }

    /// The next one that was not used yet.
    pub(crate) fn next(&mut self) -> Option<Loader<V>> {
        self.first.take().or_else(|| self.spare.take())
    }
}

/// How fresh the answer has to be.
#[derive(Clone, Copy, Debug, Default)]
pub struct Demand {
    pub(crate) freshness: Option<Freshness>,
    pub(crate) at: Option<Instant>,
    pub(crate) session: Option<SessionToken>,
}

impl Demand {
    pub(crate) const NONE: Self = Self { freshness: None, at: None, session: None };

    /// Whether the answer has to say what is known of it.
    pub(crate) const fn is_any(&self) -> bool {
        self.freshness.is_some() || self.at.is_some() || self.session.is_some()
    }
}

/// What a call is answered with, whatever form it asked for.
pub struct Answer<V> {
    /// `None` is the news that there is no value.
    pub(crate) value: Option<Value<V>>,
    pub(crate) served: Served,
    pub(crate) proof: ReadProof,
}

/// What is known of an answer's freshness.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ReadProof {
    pub(crate) proven: bool,
    pub(crate) age: ProofAge,
    /// Nothing that nodes tell proves it: others write the cache too.
    pub(crate) is_foreign: bool,
}

impl ReadProof {
    const NONE: Self = Self { proven: false, age: ProofAge::NONE, is_foreign: false };
}

impl<V> Answer<V> {
    pub(crate) fn new(found: Found<Stored<V>>, served: Served) -> Self {
        Self { value: found.value().map(Value::new), served, proof: ReadProof::default() }
    }

    pub(crate) const fn of_value(value: Value<V>, served: Served) -> Self {
        Self { value: Some(value), served, proof: ReadProof::NONE }
    }

    pub(crate) const fn of_nothing(served: Served) -> Self {
        Self { value: None, served, proof: ReadProof::NONE }
    }

    pub(crate) fn into_value(self) -> Result<Value<V>, Error> {
        self.value.ok_or_else(nothing)
    }

    pub(crate) fn into_read(self) -> Result<Read<Value<V>>, Error> {
        let Self { value, served, proof } = self;
        let value = value.ok_or_else(nothing)?;
        Ok(Read { value, served, proof })
    }

    pub(crate) fn into_read_of_option(self) -> Read<Option<Value<V>>> {
        Read { value: self.value, served: self.served, proof: self.proof }
    }
}

fn nothing() -> Error {
    Error::new(ErrorKind::Nothing, "load", "there is no value for the key")
}
