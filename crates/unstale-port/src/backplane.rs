//! The contract of a backplane: links to peers that carry frames of bytes.

use std::future;
use std::task::{Context, Poll};

use bytes::Bytes;

use crate::{Error, Listing, RegisterRequest};

/// A frame of bytes.
pub type Frame = Bytes;

/// One connection to one peer, or to all of them ([`Event::UpCommon`]); never used again within a backplane.
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

/// What a backplane is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Properties {
    /// In which order links deliver.
    pub delivery: Delivery,
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
    /// Whoever is in the broker's register: [`Backplane::register`] works, and there is one link to each process but this one
    /// that a listing named, to its inbox. It stays up until all entries of that process have ended, or it was not listed for
    /// [`Listing::ENDED_FOR`]: a register that is lost costs no links.
    Registered,
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
    /// A link is up that reaches every peer which has one like it, with one frame instead of one for each of them; what they
    /// send over theirs comes in over it, and what this process sent does not come back. It delivers as
    /// [`Properties::delivery`] says. Like any other it is not yet writable, goes down, and comes up under another id; at
    /// most one is up at a time.
    UpCommon {
        /// Which.
        link: LinkId,
    },
    /// The answer to [`RegisterRequest::Read`].
    Listed(Listing),
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

    /// Asks something of the broker's register, as [`RegisterRequest`] says. Does nothing where [`Properties::peers`] is not
    /// [`Peers::Registered`].
    fn register(&mut self, request: RegisterRequest) {
        let _ = request;
    }

    /// Sends what was taken and asked, as far as it goes at once, then closes everything. Ready when done.
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

    fn register(&mut self, request: RegisterRequest) {
        (**self).register(request);
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
