//! The driver's links: what comes in over them, and what goes out.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use thiserror::Error;
use unstale_codec::native::{self, DecodeErrorKind, EncodeError};
use unstale_core::{Input, Instant, LinkId, Message, Order, Seq, Stream};
use unstale_port::{self as port, Backplane, Delivery, Remote};

use super::driver::Driver;
use crate::event::Event;

/// Bad frames after which a link is closed.
const BAD_FRAMES_MAX: u32 = 8;
/// Bad frames from one remote are logged once in this time.
const LOG_PAUSE: Duration = Duration::from_secs(60);
/// Remotes that are remembered for that; while so many are, others' bad frames are counted and reported only.
const LOGGED_MAX: usize = 64;

/// The backplane, and its links that are up.
pub(super) struct Links {
    pub(super) backplane: Box<dyn Backplane>,
    open: BTreeMap<LinkId, Link>,
    order: Order,
    buffer: BytesMut,
    /// Whose bad frames were logged, and when.
    logged: BTreeMap<String, Instant>,
}

struct Link {
    remote: String,
    room: Room,
    bad_frames: u32,
}

/// Whether a link takes a frame now.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Room {
    Free,
    Full,
}

/// Why a message could not be sent.
#[derive(Debug, Error)]
enum Refusal {
    #[error("{0}")]
    Port(port::Error),
    #[error("{0}")]
    Codec(EncodeError),
}

impl Links {
    pub(super) fn new(backplane: Box<dyn Backplane>) -> Self {
        let order = match backplane.properties().delivery {
            Delivery::Fifo => Order::Fifo,
            Delivery::Unordered => Order::Unordered,
        };
        Self { backplane, open: BTreeMap::new(), order, buffer: BytesMut::new(), logged: BTreeMap::new() }
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = LinkId> + '_ {
        self.open.keys().copied()
    }
}

impl Driver {
    pub(super) fn take_event(&mut self, event: port::Event) {
        let now = self.shared.now();
        match event {
            port::Event::Up { link, remote } => self.link_up(now, LinkId(link.0), remote),
            port::Event::Recognised { link, dialled } => {
                let dialled = Bytes::from(dialled.into_bytes());
                self.input(now, Input::Recognised { link: LinkId(link.0), dialled });
            }
            port::Event::Writable { link } => {
                if let Some(link) = self.links.open.get_mut(&LinkId(link.0)) {
                    link.room = Room::Free;
                }
            }
            port::Event::Received { link, frame } => self.receive(now, LinkId(link.0), frame),
            port::Event::Down { link, reason } => {
                tracing::debug!(link = link.0, reason, "link down");
                self.links.open.remove(&LinkId(link.0));
                self.shared.metrics.links.set(self.links.open.len() as u64);
                self.input(now, Input::LinkDown { link: LinkId(link.0) });
            }
            port::Event::Note { what, detail } => {
                self.shared.metrics.note(what);
                if !detail.is_empty() {
                    tracing::info!(what, detail, "backplane note");
                }
            }
            port::Event::UpCommon { link } => self.common_up(now, LinkId(link.0)),
            port::Event::Listed(listing) => self.take_listing(now, &listing),
            // Events that a later backplane may report ask nothing of this driver.
            _ => {}
        }
    }

    fn link_up(&mut self, now: Instant, id: LinkId, remote: Remote) {
        tracing::debug!(link = id.0, remote = remote.label, "link up");
        let dialled = remote.dialled.map(|address| Bytes::from(address.into_bytes()));
        let link = Link { remote: remote.label, room: Room::Full, bad_frames: 0 };
        self.links.open.insert(id, link);
        self.shared.metrics.links.set(self.links.open.len() as u64);
        self.input(now, Input::LinkUp { link: id, order: self.links.order, dialled });
    }

    fn common_up(&mut self, now: Instant, id: LinkId) {
        tracing::debug!(link = id.0, "common link up");
        let link = Link { remote: "all peers".to_owned(), room: Room::Full, bad_frames: 0 };
        self.links.open.insert(id, link);
        self.shared.metrics.links.set(self.links.open.len() as u64);
        self.input(now, Input::CommonUp { link: id });
    }

    fn receive(&mut self, now: Instant, link: LinkId, frame: Bytes) {
        self.shared.metrics.bytes_received.add(frame.len() as u64);
        match native::decode(frame) {
            Ok(message) => {
                self.shared.metrics.messages_received.increment();
                if let Some((stream, last)) = said_last(&message) {
                    self.shared.sessions.heard(stream, last);
                }
                self.input(now, Input::Message { link, message });
            }
            Err(error) if matches!(error.kind, DecodeErrorKind::Message(_)) => {
                // A later version's message: whoever needs an answer to it asks otherwise.
                self.shared.metrics.note("message-unknown");
            }
            Err(error) => self.bad_frame(now, link, &error.to_string()),
        }
    }

    /// Counts, reports and logs a frame that is no message; closes a link that keeps sending them.
    fn bad_frame(&mut self, now: Instant, id: LinkId, reason: &str) {
        self.shared.metrics.frames_bad.increment();
        self.links.logged.retain(|_, logged| now.since(*logged) < LOG_PAUSE);
        let Some(link) = self.links.open.get_mut(&id) else {
            return;
        };
        link.bad_frames += 1;
        let remote = &link.remote;
        self.shared.events.report(|| Event::FrameBad { remote: remote.clone(), reason: reason.to_owned() });
        if self.links.logged.len() < LOGGED_MAX && !self.links.logged.contains_key(remote) {
            self.links.logged.insert(remote.clone(), now);
            tracing::warn!(link = id.0, remote, reason, "bad frame");
        }
        if link.bad_frames == BAD_FRAMES_MAX {
            tracing::warn!(
                link = id.0,
                remote,
                bad_frames = BAD_FRAMES_MAX,
                "link closed for its bad frames"
            );
            self.shared.metrics.links_abused.increment();
            self.links.backplane.close(port::LinkId(id.0));
        }
    }

    /// Gives one message to each link with room that the machine has something for.
    pub(super) fn transmit(&mut self, now: Instant, own_last: Seq) {
        for (&id, link) in &mut self.links.open {
            if link.room == Room::Full {
                continue;
            }
            let Some(message) = self.machine.poll_transmit(now, id, own_last) else {
                continue;
            };
            link.room = Room::Full;
            let refusal = match native::encode(&message, &mut self.links.buffer) {
                Ok(()) => {
                    let frame = self.links.buffer.split().freeze();
                    self.shared.metrics.messages_sent.increment();
                    self.shared.metrics.bytes_sent.add(frame.len() as u64);
                    tracing::trace!(link = id.0, bytes = frame.len(), "message sent");
                    self.links.backplane.send(port::LinkId(id.0), frame).err().map(Refusal::Port)
                }
                Err(error) => Some(Refusal::Codec(error)),
            };
            match refusal {
                None => {}
                // The news of it is under way.
                Some(Refusal::Port(error)) if error.kind() == port::Kind::Gone => {}
                Some(refusal) => {
                    // The machine takes the message for sent: a new link makes both sides compare what they have.
                    tracing::error!(link = id.0, %refusal, "message could not be sent, link closed");
                    self.shared.metrics.note("message-unsent");
                    self.links.backplane.close(port::LinkId(id.0));
                }
            }
        }
    }
}

/// Which number a message says its sender's stream had reached.
fn said_last(message: &Message) -> Option<(Stream, Seq)> {
    match message {
        Message::Frame(frame) => Some((frame.stream, frame.range.last)),
        Message::Beat(beat) => Some((beat.stream, beat.last)),
        Message::Hello(hello) => Some((hello.stream, hello.last)),
        Message::Admit(admit) => Some((admit.stream, admit.last)),
        Message::Bye(bye) => Some((bye.stream, bye.last)),
        Message::Reset(reset) => Some((reset.stream, reset.last)),
        Message::Answer(answer) => Some((answer.stream, answer.last)),
        Message::Want(_)
        | Message::DigestWant(_)
        | Message::Digest(_)
        | Message::Gone(_)
        | Message::ViewWant(_)
        | Message::View(_)
        | Message::Vote(_)
        | Message::Round(_)
        | _ => None,
    }
}
