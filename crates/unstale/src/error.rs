//! One error for the whole facade: kind, operation, detail, source.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// What went wrong, in terms that a caller can act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The loader returned an error; it is the source. Nothing stale could stand in for it.
    Load,
    /// The loader panicked. The panic was contained; the callers of that flight get this error.
    LoadPanicked,
    /// The hard timeout passed before the loader returned.
    Timeout,
    /// A read with `or_error` could not be proven fresh enough.
    NotProven,
    /// A write was refused before anything was done, since it could not have been announced.
    Unannounced,
    /// The node declared which caches it writes, and this is none of them ([`crate::NodeBuilder::writes_only`]).
    NotDeclared,
    /// The value does not exist: the loader said so, now or at an earlier call that is still fresh.
    Nothing,
    /// An invalidation overtook each of the allowed loads, and the cache was told to repeat instead of to serve.
    Refused,
    /// A cache of this name exists already with other key or value types, or was built already.
    CacheTypes,
    /// The configuration makes no sense.
    Config,
    /// The store (L2) failed and its policy was to say so.
    Store,
    /// The node was shut down, or its driver died.
    ShutDown,
}

/// An error of a node or of a cache. Cheap to clone: callers of one flight share it.
///
/// [`fmt::Display`] prints operation and detail but never the source; walk [`StdError::source`] for that.
///
/// ```
/// use unstale::{Error, ErrorKind};
///
/// fn status(error: &Error) -> u16 {
///     match error.kind() {
///         ErrorKind::Nothing => 404,
///         ErrorKind::Unannounced | ErrorKind::NotProven | ErrorKind::ShutDown => 503,
///         _ => 500,
///     }
/// }
/// # let _ = status;
/// ```
#[derive(Clone)]
pub struct Error {
    inner: Arc<Inner>,
}

struct Inner {
    kind: ErrorKind,
    operation: &'static str,
    detail: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, operation: &'static str, detail: impl Into<String>) -> Self {
        Self { inner: Arc::new(Inner { kind, operation, detail: detail.into(), source: None }) }
    }

    pub(crate) fn caused(
        kind: ErrorKind,
        operation: &'static str,
        detail: impl Into<String>,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        let source = Some(source.into());
        Self { inner: Arc::new(Inner { kind, operation, detail: detail.into(), source }) }
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// The operation that failed, such as `load` or `start`.
    pub fn operation(&self) -> &'static str {
        self.inner.operation
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.inner.operation, self.inner.detail)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.inner.kind)
            .field("operation", &self.inner.operation)
            .field("detail", &self.inner.detail)
            .field("source", &self.inner.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.inner.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_prints_what_failed_and_keeps_its_cause_apart() {
        let cause = std::io::Error::other("connection reset");
        let error =
            Error::caused(ErrorKind::Load, "load", "the loader of cache \"users\" returned an error", cause);
        assert_eq!(error.to_string(), "load: the loader of cache \"users\" returned an error");
        assert_eq!(StdError::source(&error).unwrap().to_string(), "connection reset");
        assert_eq!(error.clone().kind(), ErrorKind::Load);
    }
}
