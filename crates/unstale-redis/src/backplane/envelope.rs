//! What stands before each frame in a channel: docs/formats/redis.md.

use bytes::{BufMut, Bytes, BytesMut};

use super::names::Process;

const VERSION: u8 = 1;
const OPEN: u8 = 1;
const DATA: u8 = 2;
const ACK: u8 = 3;
const CLOSE: u8 = 4;
const COMMON: u8 = 5;

/// The bytes before a frame for one process.
pub(crate) const HEAD_BYTES_MAX: usize = 50;

/// What is before a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) from: Process,
    pub(crate) what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// For one process, over a link.
    Link(Pair, Kind),
    /// For all, after so many units of this sender.
    Common { sent: u64 },
}

/// The two ends of a link, each by the number that its own side gave it; 0 is not known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    /// The sender's.
    pub(crate) mine: u64,
    /// The receiver's.
    pub(crate) yours: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Opens the link, or says that it is known.
    Open,
    /// A frame, after so many units sent and received before it. A frame is one unit more than its bytes.
    Data { sent: u64, received: u64 },
    /// So many units were received.
    Ack { received: u64 },
    /// The link is closed.
    Close,
}

/// How much a frame counts.
pub(crate) fn units(frame: &[u8]) -> u64 {
    frame.len() as u64 + 1
}

impl Head {
    /// Whether what follows it is a frame.
    pub(crate) fn carries_frame(&self) -> bool {
        matches!(self.what, What::Common { .. } | What::Link(_, Kind::Data { .. }))
    }

    /// How many bytes [`Self::encode`] writes.
    pub(crate) fn length(&self) -> usize {
        match self.what {
            What::Common { .. } => 26,
            What::Link(..) => HEAD_BYTES_MAX,
        }
    }

    pub(crate) fn encode(&self, into: &mut BytesMut) {
        into.put_u8(VERSION);
        let (pair, kind, sent, received) = match self.what {
            What::Common { sent } => {
                into.put_u8(COMMON);
                into.put_slice(&self.from.0);
                into.put_u64(sent);
                return;
            }
            What::Link(pair, Kind::Open) => (pair, OPEN, 0, 0),
            What::Link(pair, Kind::Data { sent, received }) => (pair, DATA, sent, received),
            What::Link(pair, Kind::Ack { received }) => (pair, ACK, 0, received),
            What::Link(pair, Kind::Close) => (pair, CLOSE, 0, 0),
        };
        into.put_u8(kind);
        into.put_slice(&self.from.0);
        for number in [pair.mine, pair.yours, sent, received] {
            into.put_u64(number);
        }
    }

    /// The head and the frame after it; `None` for what this version does not understand.
    pub(crate) fn decode(message: &Bytes) -> Option<(Self, Bytes)> {
        let (head, _) = message.split_at_checked(18)?;
        if head[0] != VERSION {
            return None;
        }
        let (kind, from) = (head[1], Process::of_slice(&head[2..18])?);
        let number = |index: usize| {
            let at = 18 + 8 * index;
            message.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes)
        };
        let what = if kind == COMMON {
            What::Common { sent: number(0)? }
        } else {
            let pair = Pair { mine: number(0)?, yours: number(1)? };
            let (sent, received) = (number(2)?, number(3)?);
            let kind = match kind {
                OPEN => Kind::Open,
                DATA => Kind::Data { sent, received },
                ACK => Kind::Ack { received },
                CLOSE => Kind::Close,
                _ => return None,
            };
            What::Link(pair, kind)
        };
        let head = Self { from, what };
        let frame = message.slice(head.length()..);
        Some((head, frame))
    }
}

#[cfg(test)]
mod tests {
    use bolero::check;

    use super::*;

    fn round(what: What) {
        let head = Head { from: Process([7; 16]), what };
        let mut bytes = BytesMut::new();
        head.encode(&mut bytes);
        assert_eq!(bytes.len(), head.length());
        bytes.put_slice(b"frame");
        assert_eq!(Head::decode(&bytes.freeze()), Some((head, Bytes::from_static(b"frame"))));
    }

    #[test]
    fn each_head_comes_back() {
        let pair = Pair { mine: 1, yours: u64::MAX };
        round(What::Common { sent: 3 });
        for kind in [Kind::Open, Kind::Data { sent: 4, received: 5 }, Kind::Ack { received: 6 }, Kind::Close]
        {
            round(What::Link(pair, kind));
        }
    }

    #[test]
    fn fuzz_envelopes() {
        check!().with_type::<(Vec<u8>, bool)>().for_each(|(bytes, is_version)| {
            let mut bytes = bytes.clone();
            if *is_version && bytes.len() > 1 {
                (bytes[0], bytes[1]) = (VERSION, bytes[1] % 7);
            }
            let Some((head, frame)) = Head::decode(&Bytes::from(bytes.clone())) else { return };
            assert_eq!(head.length() + frame.len(), bytes.len());
            let mut again = BytesMut::new();
            head.encode(&mut again);
            again.put_slice(&frame);
            assert_eq!(Head::decode(&again.freeze()), Some((head, frame)));
        });
    }
}
