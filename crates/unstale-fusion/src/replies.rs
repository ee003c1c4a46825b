//! Scripts' answers, taken apart.

use bytes::Bytes;
use unstale_port::{Error, Kind, Reply, Retry};

use crate::clock::Clock;

/// What a hash holds: an entry or a mark, and our note on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) absexp: Option<Bytes>,
    pub(crate) data: Option<Bytes>,
    pub(crate) note: Option<Bytes>,
}

impl Content {
    pub(crate) fn of(reply: &Reply) -> Self {
        let part =
            |at: usize| reply.list().get(at).and_then(Reply::bytes).filter(|part| !part.is_empty()).cloned();
        Self { absexp: part(0), data: part(1), note: part(2) }
    }
}

/// The server's clock at the beginning of an answer; it is told to ours.
pub(crate) fn time(clock: &Clock, reply: Option<&Reply>) -> Result<u64, Error> {
    let server = reply.and_then(Reply::bytes).and_then(|bytes| number(bytes)).ok_or_else(malformed)?;
    clock.heard(server);
    Ok(server)
}

/// A decimal number.
pub(crate) fn number(bytes: &[u8]) -> Option<u64> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

pub(crate) fn malformed() -> Error {
    Error::new(Kind::Rejected, Retry::Never, "script", "the answer of a script is not as it should be")
}

/// A number as an argument.
pub(crate) fn word(number: u64) -> Bytes {
    number.to_string().into()
}

/// A number whose words are ordered as numbers are.
pub(crate) fn ordered(number: u64) -> Bytes {
    format!("{number:020}").into()
}
