//! What reads return.

use std::fmt;
use std::ops::Deref;
use std::time::{Duration, SystemTime};

use unstale_l1::Handle;

use super::call::ReadProof;

/// A cached value: a cheap, shared, immutable handle that derefs to it.
///
/// A clone costs one reference count. The value lives as long as any handle does, also after it was evicted or removed.
/// Values are shared between callers and never copied, which is why there is no auto-clone to switch on: whoever wants
/// to change one clones it first.
pub struct Value<V>(Handle<Stored<V>>);

impl<V> Value<V> {
    pub(crate) const fn new(handle: Handle<Stored<V>>) -> Self {
        Self(handle)
    }

    pub(crate) const fn handle(&self) -> &Handle<Stored<V>> {
        &self.0
    }

    /// The validator that came with it, if one did.
    pub fn etag(this: &Self) -> Option<&str> {
        this.0.validators().and_then(|validators| validators.etag.as_deref())
    }

    /// When it was last modified, as its loader said.
    pub fn last_modified(this: &Self) -> Option<SystemTime> {
        this.0.validators().and_then(|validators| validators.last_modified)
    }

    /// Whether two handles share one value.
    pub fn ptr_eq(this: &Self, other: &Self) -> bool {
        let (this, other): (&V, &V) = (this, other);
        std::ptr::eq(this, other)
    }
}

impl<V> Clone for Value<V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<V> Deref for Value<V> {
    type Target = V;

    #[inline]
    fn deref(&self) -> &V {
        self.0.value()
    }
}

impl<V> AsRef<V> for Value<V> {
    fn as_ref(&self) -> &V {
        self
    }
}

impl<V: fmt::Debug> fmt::Debug for Value<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        V::fmt(self, f)
    }
}

impl<V: fmt::Display> fmt::Display for Value<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        V::fmt(self, f)
    }
}

impl<V: PartialEq> PartialEq for Value<V> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<V: Eq> Eq for Value<V> {}

impl<V: PartialEq> PartialEq<V> for Value<V> {
    fn eq(&self, other: &V) -> bool {
        **self == *other
    }
}

/// What lies in an entry: the value alone, or, where a loader gave validators, a box with both, so that values without
/// them do not pay for the space.
pub(crate) enum Stored<V> {
    Plain(V),
    Validated(Box<Validated<V>>),
}

/// A value with what the database or the origin server said about it.
pub(crate) struct Validated<V> {
    value: Held<V>,
    validators: Validators,
}

/// What a loader said about the identity of its value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Validators {
    pub(crate) etag: Option<String>,
    pub(crate) last_modified: Option<SystemTime>,
    pub(crate) version: Option<u64>,
}

/// A value of its own, or that of an older entry that was found to hold still: entries never change, so what is fresh
/// again is a new entry around the old value.
enum Held<V> {
    Own(V),
    Of(Handle<Stored<V>>),
}

impl Validators {
    pub(crate) const fn is_empty(&self) -> bool {
        self.etag.is_none() && self.last_modified.is_none() && self.version.is_none()
    }

    /// These, with those of `older` where there are none.
    #[must_use]
    pub(crate) fn or(self, older: &Self) -> Self {
        Self {
            etag: self.etag.or_else(|| older.etag.clone()),
            last_modified: self.last_modified.or(older.last_modified),
            version: self.version.or(older.version),
        }
    }
}

impl<V> Stored<V> {
    pub(crate) fn new(value: V, validators: Validators) -> Self {
        if validators.is_empty() {
            Self::Plain(value)
        } else {
            Self::Validated(Box::new(Validated { value: Held::Own(value), validators }))
        }
    }

    /// The same value with these validators, in place of any that it has.
    pub(crate) fn with(self, validators: Validators) -> Self {
        match self {
            Self::Plain(value) => Self::new(value, validators),
            Self::Validated(boxed) => Self::Validated(Box::new(Validated { validators, ..*boxed })),
        }
    }

    /// The value of `older` once more; `validators` go before its own.
    pub(crate) fn again(older: &Handle<Self>, validators: Validators) -> Self {
        let (innermost, validators) = match &**older {
            Self::Plain(_) => (older, validators),
            Self::Validated(boxed) => {
                let validators = validators.or(&boxed.validators);
                match &boxed.value {
                    Held::Own(_) => (older, validators),
                    // So that confirming a value a thousand times does not keep a thousand entries.
                    Held::Of(innermost) => (innermost, validators),
                }
            }
        };
        Self::Validated(Box::new(Validated { value: Held::Of(innermost.clone()), validators }))
    }

    #[inline]
    pub(crate) fn value(&self) -> &V {
        match self {
            Self::Plain(value) => value,
            Self::Validated(boxed) => match &boxed.value {
                Held::Own(value) => value,
                Held::Of(older) => older.value(),
            },
        }
    }

    pub(crate) fn validators(&self) -> Option<&Validators> {
        match self {
            Self::Plain(_) => None,
            Self::Validated(boxed) => Some(&boxed.validators),
        }
    }
}

/// What a read found that looks but never loads; see [`crate::Cache::lookup`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Lookup<V> {
    /// A fresh value.
    Hit(Value<V>),
    /// It is known, and fresh, that there is no value.
    Negative,
    /// A value that is no longer fresh, kept for fail-safe.
    Stale(Value<V>),
    /// A value that may have missed an invalidation: this node was cut off, or a peer of it died.
    Suspect(Value<V>),
    /// Nothing.
    Miss,
}

/// What kind of answer a read was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Served {
    /// A fresh entry of this node's memory.
    Hit,
    /// A load, begun by this read or joined by it, or the store (L2).
    Load,
    /// A value known or suspected to be stale: fail-safe, a soft timeout, a suspect, or a value made from such a one.
    Stale,
    /// A load that began after the request had arrived and looked at no cache, since the read demanded what could
    /// not be proven otherwise.
    Bypass,
}

/// An answer with what is known about it: a [`Value`] (or, from `find_or_load`, an `Option` of one) and how it was served.
///
/// Derefs to the answer.
#[derive(Clone, Debug)]
pub struct Read<T> {
    pub(crate) value: T,
    pub(crate) served: Served,
    pub(crate) proof: ReadProof,
}

impl<T> Read<T> {
    /// The answer alone.
    pub fn into_value(self) -> T {
        self.value
    }

    /// Where it came from.
    pub const fn served(&self) -> Served {
        self.served
    }

    /// Whether it is proven to be as fresh as the read demanded or, if it demanded nothing, to be no older than
    /// [`Read::proof_age`]; always false for a stale answer.
    pub const fn proven(&self) -> bool {
        self.proof.proven
    }

    /// How old the node's proof was when the read began: everything announced anywhere before that was reflected.
    /// `None` while there is no proof.
    pub const fn proof_age(&self) -> Option<Duration> {
        self.proof.age.duration()
    }

    /// Whether it is unproven because programs of others write this cache ([`crate::CacheBuilder::foreign`]): no proof will
    /// come, only what was loaded young enough is proven (P-8).
    pub const fn has_foreign_writer(&self) -> bool {
        self.proof.is_foreign && !self.proof.proven
    }
}

impl<T> Deref for Read<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}
