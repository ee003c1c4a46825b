//! The contract of a backplane: links to peers that carry frames of bytes.

use std::future;
use std::task::{Context, Poll};

use bytes::Bytes;

use crate::Error;

/// A frame of bytes.
pub type Frame = Bytes;

/// One connection to one peer (or, on a broadcast transport, to all of them); never used again within a backplane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// In which order a link delivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// First in, first out, nothing twice, nothing lost while the link is up.
    Fifo,
    /// Any order; frames may be lost or repeated.
    Unordered,
}

/// Whom a link reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reach {
    /// One peer.
    Peer,
    /// Every peer.
    Everyone,
}

/// What a backplane is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Properties {
    /// In which order links deliver.
    pub delivery: Delivery,
    /// Whom links reach.
    pub reach: Reach,
    /// The largest frame that it carries, in bytes.
    pub frame_bytes_max: usize,
    /// The address that this process alone can listen on while it lives, if there is one.
    pub listening: Option<String>,
    /// The address that peers should dial, if there is one.
    pub advertised: Option<String>,
    /// The peers that were configured.
    pub peers: Peers,
}

/// The peers that a backplane was configured with, itself not among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peers {
    /// A fixed list, perhaps empty.
    Fixed(Vec<Peer>),
    /// Whoever a name resolves to.
    Elastic,
}

/// One configured peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its node's name, where the configuration gives one.
    pub name: Option<String>,
    /// The address to dial.
    pub address: String,
}

/// Who is at the other end of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// The configured address that was dialled, as configured; `None` for links that the peer dialled.
    pub dialled: Option<String>,
    /// For logs: where the bytes come from.
    pub label: String,
}

/// What a backplane reports.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A link is up, authenticated where the transport authenticates. It is not yet writable.
    Up {
        /// Which.
        link: LinkId,
        /// Who is there.
        remote: Remote,
    },
    /// A link that the peer dialled leads to whom this configured address leads to: a dial there met the same peer, and was
    /// dropped since one link is enough. Said at most once per link.
    Recognised {
        /// Which.
        link: LinkId,
        /// The address, as configured.
        dialled: String,
    },
    /// The link takes exactly one more frame. Said again after each frame taken, as soon as there is room.
    Writable {
        /// Which.
        link: LinkId,
    },
    /// A frame came in.
    Received {
        /// Over which link.
        link: LinkId,
        /// The bytes.
        frame: Frame,
    },
    /// A link is down; frames taken may be lost. Its id is not used again.
    Down {
        /// Which.
        link: LinkId,
        /// Why, for logs.
        reason: String,
    },
    /// Something that an operator wants counted: a refused peer, a bad frame, a failed dial.
    Note {
        /// A constant, lower-case, with dashes: what is counted.
        what: &'static str,
        /// For logs, already limited in rate by the adapter; empty: only count.
        detail: String,
    },
}

/// Links to peers.
///
/// Promises: a link delivers as [`Properties::delivery`] says; every queue inside is bounded; a slow link never holds up
/// another one; broken links are dialled again for ever, with jittered backoff of at most 1 s; bytes from outside never
/// cause a panic. The owner polls from one task. Dropping it closes everything.
pub trait Backplane: Send + 'static {
    /// What it is like; constant once it was started.
    fn properties(&self) -> &Properties;

    /// The next event. Cancel-safe: nothing is lost between polls.
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event>;

    /// Hands over one frame, allowed once after each [`Event::Writable`] of the link.
    ///
    /// # Errors
    /// `TooLarge` beyond `frame_bytes_max`, `Gone` for a link that is down, `Rejected` when the link was not writable. The
    /// frame was not taken then, and a writable link stays so.
    fn send(&mut self, link: LinkId, frame: Frame) -> Result<(), Error>;

    /// Closes a link; [`Event::Down`] follows. Links that were dialled are dialled again.
    fn close(&mut self, link: LinkId);

    /// Sends what was taken, as far as it goes at once, then closes everything. Ready when done.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

impl<B: Backplane + ?Sized> Backplane for Box<B> {
    fn properties(&self) -> &Properties {
        (**self).properties()
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        (**self).poll_event(cx)
    }

    fn send(&mut self, link: LinkId, frame: Frame) -> Result<(), Error> {
        (**self).send(link, frame)
    }

    fn close(&mut self, link: LinkId) {
        (**self).close(link);
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        (**self).poll_close(cx)
    }
}

/// The next event of a backplane. Cancel-safe: nothing is lost when it is dropped unfinished.
pub async fn next_event<B: Backplane + ?Sized>(backplane: &mut B) -> Event {
    future::poll_fn(|cx| backplane.poll_event(cx)).await
}

/// Closes a backplane as [`Backplane::poll_close`] says. Dropped unfinished, it can be called again.
pub async fn close<B: Backplane + ?Sized>(backplane: &mut B) {
    future::poll_fn(|cx| backplane.poll_close(cx)).await;
}
