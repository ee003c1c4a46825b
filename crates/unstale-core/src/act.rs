//! What a writer says: acts on subjects.

use std::fmt;

use bytes::Bytes;
use thiserror::Error;

/// The name of a cache or of a node: 1 to [`Name::BYTES_MAX`] bytes of UTF-8.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Bytes);

/// Why some bytes are no [`Name`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    /// No bytes at all.
    #[error("a name is empty")]
    Empty,
    /// More bytes than a name may have.
    #[error("a name of {0} bytes exceeds the limit of {max}", max = Name::BYTES_MAX)]
    TooLong(usize),
    /// Not UTF-8.
    #[error("a name is not UTF-8")]
    NotUtf8,
}

impl Name {
    /// The most bytes that a name may have.
    pub const BYTES_MAX: usize = 255;

    /// Checks `bytes` and takes them as a name, without copying them.
    pub fn new(bytes: impl Into<Bytes>) -> Result<Self, NameError> {
        let bytes = bytes.into();
        if bytes.is_empty() {
            return Err(NameError::Empty);
        }
        if bytes.len() > Self::BYTES_MAX {
            return Err(NameError::TooLong(bytes.len()));
        }
        if std::str::from_utf8(&bytes).is_err() {
            return Err(NameError::NotUtf8);
        }
        Ok(Self(bytes))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The name as bytes.
    pub const fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// Whether both are the same bytes in memory, as the names in the acts of one frame mostly are. Sooner said than whether
    /// they are equal, which they are then.
    #[inline]
    pub fn is(&self, other: &Self) -> bool {
        self.0.as_ptr() == other.0.as_ptr() && self.0.len() == other.0.len()
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What happened to a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// A newer value exists. Elsewhere it acts as [`Verb::Expire`].
    Set,
    /// Gone: nothing of it may be served again, not even by fail-safe.
    Remove,
    /// Stale: may still be served by fail-safe.
    Expire,
}

/// What an act is about. Keys and tags are opaque bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// One key of one cache.
    Key {
        /// The cache.
        cache: Name,
        /// The key's bytes.
        key: Bytes,
    },
    /// A tag, in one cache or (`cache` is `None`) in every cache of the node.
    Tag {
        /// The cache, or all of them.
        cache: Option<Name>,
        /// The tag's bytes.
        tag: Bytes,
    },
    /// A whole cache.
    Cache {
        /// The cache.
        cache: Name,
    },
    /// Every cache.
    All,
}

/// Whether the second level holds nothing any more that an act made old (P-24).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Voided {
    /// It does not, or there is none.
    #[default]
    Yes,
    /// It may: the store could not be told. Whoever hears of the act reads nothing from the store that the act concerns
    /// before it told the store itself.
    Owed,
}

impl Voided {
    /// Of both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Yes, Self::Yes) => Self::Yes,
            (Self::Owed, _) | (_, Self::Owed) => Self::Owed,
        }
    }
}

/// One act: a verb on a subject.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Act {
    /// What happened.
    pub verb: Verb,
    /// To what.
    pub subject: Subject,
}

impl Act {
    /// A copy that shares no buffer with what the act was decoded from, which may be much larger; of neighbours with the
    /// same cache, `previous` being the one before, the name is shared.
    pub(crate) fn detached(&self, previous: Option<&Self>) -> Self {
        let name = |name: &Name| match previous.and_then(|act| act.subject.cache()) {
            Some(before) if before == name => before.clone(),
            Some(_) | None => Name(Bytes::copy_from_slice(&name.0)),
        };
        let subject = match &self.subject {
            Subject::Key { cache, key } => {
                Subject::Key { cache: name(cache), key: Bytes::copy_from_slice(key) }
            }
            Subject::Tag { cache, tag } => {
                Subject::Tag { cache: cache.as_ref().map(name), tag: Bytes::copy_from_slice(tag) }
            }
            Subject::Cache { cache } => Subject::Cache { cache: name(cache) },
            Subject::All => Subject::All,
        };
        Self { verb: self.verb, subject }
    }
}

impl Subject {
    /// The one cache that it lies in, if it does.
    pub(crate) fn cache(&self) -> Option<&Name> {
        match self {
            Self::Key { cache, .. } | Self::Cache { cache } => Some(cache),
            Self::Tag { cache, .. } => cache.as_ref(),
            Self::All => None,
        }
    }
}
