//! Ends of links, and who holds them.

use std::collections::VecDeque;
use std::task::Waker;

use unstale_port::{Event, LinkId};

use super::Life;

/// A process on the network.
pub(super) struct Seat {
    pub(super) node: usize,
    pub(super) label: String,
    /// What its backplane will report.
    pub(super) inbox: VecDeque<Event>,
    pub(super) waker: Option<Waker>,
    /// A few frames that it sent, for those that come again after its death.
    pub(super) sent: VecDeque<bytes::Bytes>,
}

/// One end of a link.
pub(super) struct Wire {
    pub(super) life: Life,
    pub(super) peer: Life,
    pub(super) peer_node: Option<usize>,
    pub(super) peer_link: LinkId,
    /// Since when it is up.
    pub(super) since: u64,
    /// Its owner was told that it is down.
    pub(super) broken: bool,
    /// Nothing goes over it any more, though its owner does not know.
    pub(super) mute: bool,
    /// Whether the owner may hand over a frame.
    pub(super) writable: bool,
    /// What was sent and not taken by the peer yet.
    pub(super) unread: usize,
    /// When the last frame sent arrives, so that order is kept.
    pub(super) last_arrival: u64,
}

impl Wire {
    pub(super) const fn new(life: Life, peer: Life, peer_node: usize, peer_link: LinkId, now: u64) -> Self {
        Self {
            life,
            peer,
            peer_node: Some(peer_node),
            peer_link,
            since: now,
            broken: false,
            mute: false,
            writable: true,
            unread: 0,
            last_arrival: 0,
        }
    }
}
