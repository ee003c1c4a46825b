//! What the driver tells the machine.

use bytes::Bytes;

use crate::{Ended, Entry, Frame, LinkId, Message, Name, Seq};

/// What the driver tells the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "nearly every input is a message; it lives for one call")]
pub enum Input {
    /// A link is up.
    LinkUp {
        /// Which.
        link: LinkId,
        /// In which order it delivers.
        order: Order,
        /// The configured address that was dialled, if this side dialled.
        dialled: Option<Bytes>,
    },
    /// A link is up that reaches all peers (P-28b). What came over it is said as of any other.
    CommonUp {
        /// Which.
        link: LinkId,
    },
    /// A reading of the register was answered.
    Listed(Listing),
    /// A link that the peer dialled is to whoever is at this configured address (P-25a).
    Recognised {
        /// Which.
        link: LinkId,
        /// The address.
        dialled: Bytes,
    },
    /// A link is down; what it was given may be lost.
    LinkDown {
        /// Which.
        link: LinkId,
    },
    /// A message came in.
    Message {
        /// Over which link.
        link: LinkId,
        /// The message.
        message: Message,
    },
    /// Drained from the act log, in order.
    Local {
        /// The frames.
        frames: Vec<Frame>,
    },
    /// [`Machine::poll_timeout`](super::Machine::poll_timeout) came due.
    Tick,
    /// A read asks for a proof from now on (P-15): answered by [`Output::Exchanged`](super::Output::Exchanged).
    Exchange {
        /// Comes back in the answer.
        id: u64,
    },
    /// After [`Output::NextStream`](super::Output::NextStream): the act log was restarted, and what it held was handed over before.
    Restarted {
        /// The last number of the stream that ended.
        last: Seq,
    },
    /// The operator says that the node of this name is dead, or its slot empty (P-30).
    EndByOperator {
        /// Its name.
        name: Name,
    },
    /// This node leaves: what waits is sent, then a goodbye to all.
    Leave,
}

/// What a reading of a register found (P-28).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Which reading: the number in [`RegisterRequest::Read`](super::RegisterRequest::Read).
    pub reading: u64,
    /// Which life of the register: another one has lost what the one before knew.
    pub era: u64,
    /// Who is in it.
    pub entries: Vec<Listed>,
    /// Who was, and ended; for at least as long as the protocol remembers ends.
    pub ended: Vec<Ended>,
}

/// An entry of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The entry.
    pub entry: Entry,
    /// How often it was renewed.
    pub renewals: u64,
}

/// In which order a link delivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// First in, first out, nothing lost or repeated while it is up.
    Fifo,
    /// Any order; messages may be lost or repeated.
    Unordered,
}
