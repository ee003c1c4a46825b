//! A session: what both ends hold after the handshake. It seals frames into records and opens them again.

use std::fmt;

use bytes::{Bytes, BytesMut};

use crate::record::{self, RECORD_BYTES_MAX};

/// The largest frame that a mesh carries, in bytes.
pub const FRAME_BYTES_MAX: usize = 1_024 * 1_024;

/// What the seal adds to a record.
pub(crate) const SEAL_BYTES: usize = 16;
const KIND_BYTES: usize = 1;
/// The bytes of a frame that fit one record.
pub(crate) const PART_BYTES_MAX: usize = RECORD_BYTES_MAX - SEAL_BYTES - KIND_BYTES;

const KIND_IDLE: u8 = 0;
const KIND_FRAME: u8 = 1;
const KIND_PART: u8 = 2;
const KIND_VERDICT: u8 = 3;

/// Which of the connections between two meshes is used; said by the one with the smaller identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The other side is to say.
    Yours,
    /// This connection is the link.
    Use,
    /// There is a link already.
    Duplicate,
}

/// What was in a record.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    /// Nothing: the peer is alive, or a frame is not whole yet, or a later version says something.
    Nothing,
    /// A whole frame.
    Frame(Bytes),
    /// The end of the handshake.
    Verdict(Verdict),
}

/// Why a record was refused. The connection cannot go on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The seal does not fit the bytes, the key and the counter.
    Seal,
    /// A frame grew beyond the limit.
    Frame { limit: usize },
    /// Sealed by the peer and yet no sense.
    Sense,
}

impl Refused {
    /// What an operator counts.
    pub(crate) const fn note(&self) -> &'static str {
        match self {
            Self::Seal => "frame-forged",
            Self::Frame { .. } => "frame-oversized",
            Self::Sense => "frame-malformed",
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seal => write!(f, "a record was forged, replayed, reordered or damaged"),
            Self::Frame { limit } => write!(f, "a frame exceeds the limit of {limit} bytes"),
            Self::Sense => write!(f, "a record makes no sense"),
        }
    }
}

/// After so many records of one direction, both ends derive its next key: no key seals more than AES-GCM is good for, and
/// a key that leaks opens nothing of before.
const KEY_RECORDS_MAX: u64 = 65_536;

/// The keys and counters of one connection, and the frame that is being joined.
pub(crate) struct Session {
    noise: snow::TransportState,
    joined: BytesMut,
}

impl Session {
    pub(crate) fn new(noise: snow::TransportState) -> Self {
        Self { noise, joined: BytesMut::new() }
    }

    /// Appends the records of a frame to `out`; `plain` is scratch space of at least a record.
    pub(crate) fn seal_frame(&mut self, frame: &[u8], plain: &mut [u8], out: &mut Vec<u8>) {
        let mut rest = frame;
        while rest.len() > PART_BYTES_MAX {
            let (part, tail) = rest.split_at(PART_BYTES_MAX);
            self.seal(KIND_PART, part, plain, out);
            rest = tail;
        }
        self.seal(KIND_FRAME, rest, plain, out);
    }

    /// Appends a record that only says that this side is alive.
    pub(crate) fn seal_idle(&mut self, plain: &mut [u8], out: &mut Vec<u8>) {
        self.seal(KIND_IDLE, &[], plain, out);
    }

    /// Appends a verdict.
    pub(crate) fn seal_verdict(&mut self, verdict: Verdict, plain: &mut [u8], out: &mut Vec<u8>) {
        let value = match verdict {
            Verdict::Yours => 0,
            Verdict::Use => 1,
            Verdict::Duplicate => 2,
        };
        self.seal(KIND_VERDICT, &[value], plain, out);
    }

    fn seal(&mut self, kind: u8, body: &[u8], plain: &mut [u8], out: &mut Vec<u8>) {
        let bytes = KIND_BYTES + body.len();
        plain[0] = kind;
        plain[KIND_BYTES..bytes].copy_from_slice(body);
        record::append(out, bytes + SEAL_BYTES, |sealed| {
            self.noise.write_message(&plain[..bytes], sealed).map(|_| ())
        })
        .expect("a record is sealed within the limits of the session");
        if self.noise.sending_nonce().is_multiple_of(KEY_RECORDS_MAX) {
            self.noise.rekey_outgoing();
        }
    }

    /// Opens a record; the counter is part of the seal, so each record opens once and in its turn.
    pub(crate) fn open(&mut self, record: &[u8], plain: &mut [u8]) -> Result<Opened, Refused> {
        let bytes = self.noise.read_message(record, plain).map_err(|_| Refused::Seal)?;
        if self.noise.receiving_nonce().is_multiple_of(KEY_RECORDS_MAX) {
            self.noise.rekey_incoming();
        }
        let (kind, body) = plain[..bytes].split_first().ok_or(Refused::Sense)?;
        match *kind {
            KIND_FRAME => self.join(body).map(|()| Opened::Frame(self.whole(body))),
            KIND_PART => self.join(body).map(|()| {
                self.joined.extend_from_slice(body);
                Opened::Nothing
            }),
            KIND_VERDICT => match body.first() {
                Some(0) => Ok(Opened::Verdict(Verdict::Yours)),
                Some(1) => Ok(Opened::Verdict(Verdict::Use)),
                Some(2) => Ok(Opened::Verdict(Verdict::Duplicate)),
                Some(_) | None => Err(Refused::Sense),
            },
            // KIND_IDLE, and kinds of later versions.
            _ => Ok(Opened::Nothing),
        }
    }

    /// Whether the frame stays within its limit with this part.
    fn join(&self, part: &[u8]) -> Result<(), Refused> {
        let fits = self.joined.len() + part.len() <= FRAME_BYTES_MAX;
        if fits { Ok(()) } else { Err(Refused::Frame { limit: FRAME_BYTES_MAX }) }
    }

    fn whole(&mut self, last: &[u8]) -> Bytes {
        if self.joined.is_empty() {
            return Bytes::copy_from_slice(last);
        }
        let mut joined = std::mem::take(&mut self.joined);
        joined.extend_from_slice(last);
        joined.freeze()
    }
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
