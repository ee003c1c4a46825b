//! What went wrong with a Redis, in the words of unstale-port.

use std::io;
use std::time::Duration;

use redis::{ErrorKind, RedisError, Value};
use unstale_port::{Error, Kind, Retry};

/// A Redis that is loading or failing over is worth asking again after this.
const SOON: Duration = Duration::from_millis(100);

pub(crate) fn config(detail: impl Into<String>) -> Error {
    Error::new(Kind::Config, Retry::Never, "redis", detail)
}

/// The connection broke, or could not be made.
pub(crate) fn unavailable(operation: &'static str, cause: io::Error) -> Error {
    let kind = if cause.kind() == io::ErrorKind::TimedOut { Kind::Timeout } else { Kind::Unavailable };
    Error::new(kind, Retry::Reconnected, operation, cause.to_string()).with_source(cause)
}

/// No answer within `limit`.
pub(crate) fn timed_out(operation: &'static str, limit: Duration) -> Error {
    Error::new(Kind::Timeout, Retry::Reconnected, operation, format!("no answer within {limit:?}"))
}

/// What a server's error line means: `CODE text`.
pub(crate) fn refused(operation: &'static str, line: &str) -> Error {
    let (kind, retry) = match line.split(' ').next().unwrap_or_default() {
        "NOAUTH" | "WRONGPASS" | "NOPERM" => (Kind::Unauthenticated, Retry::Never),
        // The role has changed: the present master is looked for.
        "READONLY" | "MASTERDOWN" => (Kind::Unavailable, Retry::Reconnected),
        "LOADING" | "CLUSTERDOWN" | "TRYAGAIN" | "BUSY" | "NOREPLICAS" => {
            (Kind::Unavailable, Retry::After(SOON))
        }
        "OOM" | "MISCONF" => (Kind::Rejected, Retry::After(SOON)),
        _ => (Kind::Rejected, Retry::Never),
    };
    Error::new(kind, retry, operation, line.to_owned())
}

/// What kind of value it is. Nothing of what it says: that may be what somebody cached.
#[expect(clippy::wildcard_enum_match_arm, reason = "whatever redis-rs adds")]
pub(crate) const fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Nil => "nothing",
        Value::Int(_) | Value::Double(_) | Value::BigNumber(_) => "a number",
        Value::BulkString(_) | Value::SimpleString(_) | Value::VerbatimString { .. } | Value::Okay => {
            "a string"
        }
        Value::Boolean(_) => "a boolean",
        Value::Array(_) | Value::Set(_) => "a list",
        Value::Map(_) => "a map",
        Value::ServerError(_) => "an error",
        _ => "something else",
    }
}

/// An error of redis-rs.
pub(crate) fn of_client(operation: &'static str, cause: RedisError) -> Error {
    if let Some(code) = cause.code() {
        let line = format!("{code} {}", cause.detail().unwrap_or_default());
        return refused(operation, &line).with_source(cause);
    }
    let is = |kind: ErrorKind| cause.kind() == kind;
    let (kind, retry) = if cause.is_timeout() {
        (Kind::Timeout, Retry::Reconnected)
    } else if cause.is_connection_dropped() || is(ErrorKind::Io) || is(ErrorKind::ClusterConnectionNotFound) {
        (Kind::Unavailable, Retry::Reconnected)
    } else if is(ErrorKind::AuthenticationFailed) {
        (Kind::Unauthenticated, Retry::Never)
    } else if is(ErrorKind::InvalidClientConfig) {
        (Kind::Config, Retry::Never)
    } else {
        (Kind::Rejected, Retry::Never)
    };
    Error::new(kind, retry, operation, cause.to_string()).with_source(cause)
}
