//! By which way frames for all come in: pub/sub, or a stream that is read on after a gap.

use bytes::Bytes;
use unstale_port::Error;

use super::names::Names;
use crate::reply::Value;
use crate::wire::Wire;

/// Entries in one reply.
const ENTRIES_AT_ONCE: &[u8] = b"64";
/// How long a reading waits for entries: this is also how the connection is found to be there.
const BLOCK_MS: &[u8] = b"500";
/// The field of an entry that holds the message.
pub(crate) const FIELD: &[u8] = b"m";

/// Where frames for all come from.
#[derive(Clone, Debug)]
pub(crate) enum Feed {
    PubSub,
    Stream {
        key: Bytes,
        entries_max: u64,
        /// The last entry that was read; none before the first connection.
        last: Option<Id>,
    },
}

/// An entry's id, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id {
    ms: u64,
    number: u64,
}

impl Feed {
    pub(crate) fn of_stream(names: &Names, entries_max: u64) -> Self {
        Self::Stream { key: names.stream(), entries_max, last: None }
    }

    pub(crate) fn is_pubsub(&self) -> bool {
        matches!(self, Self::PubSub)
    }

    /// Key and length, if it is a stream.
    pub(crate) fn stream(&self) -> Option<(&Bytes, u64)> {
        match self {
            Self::PubSub => None,
            Self::Stream { key, entries_max, .. } => Some((key, *entries_max)),
        }
    }

    /// Where to read on: after the last entry that was read, if the stream still has what followed it. What is to be
    /// counted otherwise.
    pub(crate) async fn find(
        &mut self,
        wire: &mut Wire,
        sha: &[u8],
    ) -> Result<Option<(&'static str, String)>, Error> {
        let Self::Stream { key, last, .. } = self else { return Ok(None) };
        // By the script, since entries may be large and only their ids are wanted.
        let ends = wire.ask("read the stream", &[b"EVALSHA", sha, b"1", key, b"stream"]).await?;
        let [first, newest] = [0, 1].map(|at| ends.list().get(at).and_then(Value::text).and_then(Id::parse));
        let Some(read) = *last else {
            *last = Some(newest.unwrap_or(Id::ZERO));
            return Ok(None);
        };
        if newest.unwrap_or(Id::ZERO) < read {
            *last = Some(newest.unwrap_or(Id::ZERO));
            return Ok(Some(("stream-lost", format!("entries up to {read} were read, and are gone"))));
        }
        match first {
            Some(first) if first > read => {
                Ok(Some(("stream-trimmed", format!("entries up to {read} were read, the first is {first}"))))
            }
            _ => Ok(None),
        }
    }

    /// Gives up what was not read yet: somebody added what cannot be read. What is missing shows by the senders' counts.
    pub(crate) fn skip(&mut self) {
        if let Self::Stream { last, .. } = self {
            *last = None;
        }
    }

    /// Asks for what follows.
    pub(crate) fn ask(&self, wire: &mut Wire) {
        if let Self::Stream { key, last, .. } = self {
            let after = last.unwrap_or(Id::ZERO).to_string();
            let count: [&[u8]; 8] =
                [b"XREAD", b"COUNT", ENTRIES_AT_ONCE, b"BLOCK", BLOCK_MS, b"STREAMS", key, after.as_bytes()];
            wire.push(&count);
        }
    }

    /// The messages in a reply to that; `None` if it is none.
    pub(crate) fn take(&mut self, reply: &Value) -> Option<Vec<Bytes>> {
        let Self::Stream { last, .. } = self else { return None };
        if *reply == Value::Nothing {
            return Some(Vec::new());
        }
        // A map of the stream's name to its entries, each an id and its fields.
        let mut messages = Vec::new();
        for entry in reply.list().get(1)?.list() {
            let [id, fields] = entry.list() else { return None };
            *last = Some(Id::parse(id.text()?)?);
            if let Some(message) = fields.field("m").and_then(Value::bytes) {
                messages.push(message.clone());
            }
        }
        Some(messages)
    }
}

impl Id {
    const ZERO: Self = Self { ms: 0, number: 0 };

    fn parse(text: &str) -> Option<Self> {
        let (ms, number) = text.split_once('-')?;
        Some(Self { ms: ms.parse().ok()?, number: number.parse().ok()? })
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.ms, self.number)
    }
}
