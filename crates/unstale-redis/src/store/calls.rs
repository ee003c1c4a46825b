//! Calls of the library of functions, and what they answer.

use std::time::Duration;

use bytes::{Buf, Bytes};
use redis::{Cmd, ToRedisArgs, Value};
use unstale_port::{Error, Kind, Lookup, Retry, Turn};

use super::body;
use super::keys::{Names, Place};
use super::token::Token;
use crate::error::kind_of;

/// The library. Its words and layouts only grow: nodes of several versions share one server.
pub(super) const LIBRARY: &str = include_str!("store.lua");

/// What every call says of the store itself.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub(super) names: Names,
    /// Which of the server's databases, for its memory of what it saw.
    pub(super) database: u32,
    pub(super) quarantine: Duration,
    pub(super) tags_max: u32,
}

/// One call under construction: the library takes all keys before all arguments.
pub(super) struct Call {
    command: Cmd,
}

impl Terms {
    /// A call of `function` for these keys of one shard.
    pub(super) fn call<'k>(
        &self,
        function: &str,
        shard: u32,
        cache: &str,
        keys: impl ExactSizeIterator<Item = &'k Bytes>,
    ) -> Call {
        let prefix = self.names.shard(shard);
        let mut command = redis::cmd("FCALL");
        command.arg(function).arg(3 + 2 * keys.len());
        for name in ['m', 'f', 'n'] {
            command.arg(format!("{prefix}{name}"));
        }
        for key in keys {
            command.arg(&Names::key(prefix, b'r', cache, key)[..]);
            command.arg(&Names::key(prefix, b'l', cache, key)[..]);
        }
        let drawn = fresh::<24>();
        let (generation, mut count) = drawn.split_at(16);
        command.arg(self.database).arg(generation).arg(count.get_u64() >> 12).arg(self.names.shards());
        command.arg(millis(self.quarantine)).arg(self.tags_max).arg(cache);
        Call { command }
    }
}

impl Call {
    pub(super) fn millis(mut self, span: Duration) -> Self {
        self.command.arg(millis(span));
        self
    }

    pub(super) fn number(mut self, number: impl ToRedisArgs) -> Self {
        self.command.arg(number);
        self
    }

    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.command.arg(bytes);
        self
    }

    pub(super) fn stamp(self, stamp: u64) -> Self {
        self.bytes(&stamp.to_be_bytes())
    }

    pub(super) fn fences(self, places: impl IntoIterator<Item = Place>) -> Self {
        places.into_iter().fold(self, |call, place| call.number(place.fence))
    }

    pub(super) fn command(&self) -> &Cmd {
        &self.command
    }
}

/// The answers of `unstale_get`: the time, the count, then two values for each of `keys`.
pub(super) fn lookups(answer: Value, keys: usize, token: Token) -> Result<Vec<Lookup>, Error> {
    let Value::Array(words) = answer else { return Err(unexpected("get", kind_of(&answer))) };
    if words.len() != 2 + 2 * keys {
        return Err(unexpected("get", &format!("a list of {}", words.len())));
    }
    let mut words = words.into_iter();
    let mut next = || words.next().unwrap_or(Value::Nil);
    let (now_ms, count) = (number(&next())?, number(&next())?);
    let mut lookup = || {
        let turn = if number(&next())? == 0 { Turn::Yours } else { Turn::Taken };
        let record =
            if let Value::BulkString(bytes) = next() { body::decode(bytes.into(), now_ms) } else { None };
        Ok(Lookup { record, lease: token.lease(count), turn })
    };
    (0..keys).map(|_| lookup()).collect()
}

/// Whether what was to be done was done.
pub(super) fn done(operation: &'static str, answer: &Value) -> Result<bool, Error> {
    if let Value::Int(done @ 0..=1) = answer {
        Ok(*done == 1)
    } else {
        Err(unexpected(operation, kind_of(answer)))
    }
}

fn number(value: &Value) -> Result<u64, Error> {
    if let Value::Int(number) = value {
        Ok(number.unsigned_abs())
    } else {
        Err(unexpected("get", kind_of(value)))
    }
}

fn unexpected(operation: &'static str, answer: &str) -> Error {
    let detail = format!("an answer that the library of functions does not give: {answer}");
    Error::new(Kind::Rejected, Retry::Never, operation, detail)
}

/// Whole milliseconds, not zero unless the span is, and so few that the server's numbers keep them.
pub(super) fn millis(span: Duration) -> u64 {
    const CENTURY: u64 = 100 * 365 * 86_400_000;
    let whole = span.as_millis().min(u128::from(CENTURY)) as u64;
    whole + u64::from(whole == 0 && !span.is_zero())
}

/// Bytes that nobody has drawn before.
pub(super) fn fresh<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::token::Tokens;

    #[test]
    fn what_is_cached_is_in_no_error() {
        let cached = || Value::BulkString(b"s3cret".to_vec());
        let token = || Tokens::new().next();
        for error in [
            lookups(cached(), 1, token()).unwrap_err(),
            lookups(Value::Array(vec![Value::Int(1), Value::Int(2), cached()]), 1, token()).unwrap_err(),
            lookups(Value::Array(vec![Value::Int(1), Value::Int(2), cached(), cached()]), 1, token())
                .unwrap_err(),
            done("put", &cached()).unwrap_err(),
            done("put", &Value::Array(vec![cached()])).unwrap_err(),
        ] {
            let text = format!("{error} {error:?}");
            assert!(text.contains("does not give: a ") && !text.contains("s3cret"), "{text}");
        }
    }
}
