//! One error for every adapter: kind, retry, operation, source.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

/// What went wrong, in terms that a policy can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The other side cannot be reached, or the connection broke.
    Unavailable,
    /// No answer in time.
    Timeout,
    /// The other side said no.
    Rejected,
    /// Authentication or authorisation failed.
    Unauthenticated,
    /// A limit of size or count would be exceeded.
    TooLarge,
    /// The link or the record that was named does not exist (any more).
    Gone,
    /// The configuration makes no sense.
    Config,
}

/// What the caller may do about it. Only the adapter knows; policy lives with the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Retry {
    /// The same call will fail again.
    Never,
    /// The same call may succeed after this time.
    After(Duration),
    /// The same call may succeed once the adapter is connected again.
    Reconnected,
}

/// An adapter's error.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    retry: Retry,
    operation: &'static str,
    detail: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `kind` in `operation`; `detail` names the offending value and the limit.
    pub fn new(kind: Kind, retry: Retry, operation: &'static str, detail: impl Into<String>) -> Self {
        Self { kind, retry, operation, detail: detail.into(), source: None }
    }

    /// The same with its cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What went wrong.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// What may be done about it.
    pub const fn retry(&self) -> Retry {
        self.retry
    }

    /// The operation that failed.
    pub const fn operation(&self) -> &'static str {
        self.operation
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.operation, self.detail)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}
