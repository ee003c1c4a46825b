//! One connection: its bytes both ways, how far the handshake is, and what it is waiting for.

use std::io;
use std::ops::Range;
use std::task::{Context, Poll, Waker};

use crate::handshake::{Greeted, Identity, MESSAGE_BYTES_MAX};
use crate::record::{RECORD_BYTES_MAX, Records};
use crate::session::Session;
use crate::stream::Stream;

/// What is kept of the buffer while nothing is in it.
const KEPT_BYTES_MAX: usize = 64 * 1_024;

/// Why a connection ends.
#[derive(Debug)]
pub(crate) struct Fault {
    /// What an operator counts; nothing if the end is in order.
    pub(crate) note: Option<&'static str>,
    /// For logs.
    pub(crate) reason: String,
}

impl Fault {
    pub(crate) fn counted(note: &'static str, reason: impl Into<String>) -> Self {
        Self { note: Some(note), reason: reason.into() }
    }

    pub(crate) fn quiet(reason: impl Into<String>) -> Self {
        Self { note: None, reason: reason.into() }
    }
}

/// How far a connection is.
pub(crate) enum Stage {
    /// Accepted: the greeting is to come.
    Accepted,
    /// Dialled and greeted: the answer is to come. A box, as few connections are in this stage and it is large.
    Greeted(Box<Greeted>),
    /// The keys are there; the first sealed record says whether this becomes the link.
    Keyed { session: Session, identity: Identity },
    /// The link.
    Up { session: Session, identity: Identity, room: Room },
}

/// Whether the owner may hand over a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// A frame is on its way into the socket.
    Taken,
    /// There is room and the owner was told.
    Offered,
}

/// Scratch space that all connections of a mesh share: they are worked on one after the other.
pub(crate) struct Scratch {
    read: Box<[u8]>,
    pub(crate) plain: Box<[u8]>,
}

impl Default for Scratch {
    fn default() -> Self {
        Self { read: vec![0; RECORD_BYTES_MAX].into(), plain: vec![0; RECORD_BYTES_MAX].into() }
    }
}

/// One connection.
pub(crate) struct Link {
    pub(crate) stage: Stage,
    /// The target that was dialled.
    pub(crate) target: Option<u64>,
    /// Whether the owner was told which configured address it leads to.
    pub(crate) is_named: bool,
    /// For logs: where the bytes come from.
    pub(crate) label: String,
    /// For counting: who is there, without the port.
    pub(crate) peer: String,
    pub(crate) waker: Waker,
    /// Bytes on their way into the socket.
    pub(crate) outbox: Vec<u8>,
    written: usize,
    stream: Stream,
    records: Records,
    pub(crate) ages: Ages,
}

/// How many turns of the clock ago things happened. A process that was stopped misses turns, so it does not take its own
/// sleep for the silence of others.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ages {
    pub(crate) opened: u32,
    pub(crate) heard: u32,
    pub(crate) sent: u32,
    pub(crate) stuck: u32,
}

impl Link {
    pub(crate) fn new(
        stream: Stream,
        stage: Stage,
        target: Option<u64>,
        label: String,
        peer: String,
        waker: Waker,
    ) -> Self {
        Self {
            stage,
            target,
            is_named: false,
            label,
            peer,
            waker,
            outbox: Vec::new(),
            written: 0,
            stream,
            records: Records::default(),
            ages: Ages::default(),
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        matches!(self.stage, Stage::Up { .. })
    }

    /// Who is there, as far as it was proven or claimed.
    pub(crate) fn identity(&self) -> Option<Identity> {
        match &self.stage {
            Stage::Accepted | Stage::Greeted(_) => None,
            Stage::Keyed { identity, .. } | Stage::Up { identity, .. } => Some(*identity),
        }
    }

    /// Takes the next record, reading if none is whole.
    pub(crate) fn poll_record(&mut self, scratch: &mut Scratch) -> Poll<Result<Range<usize>, Fault>> {
        let (limit, note) = match self.stage {
            Stage::Up { .. } => (RECORD_BYTES_MAX, "frame-oversized"),
            Stage::Accepted | Stage::Greeted(_) | Stage::Keyed { .. } => {
                (MESSAGE_BYTES_MAX, "handshake-oversized")
            }
        };
        loop {
            match self.records.take(limit) {
                Ok(Some(record)) => return Poll::Ready(Ok(record)),
                Ok(None) => {}
                Err(long) => {
                    let reason =
                        format!("a record of {} bytes exceeds the limit of {}", long.bytes, long.limit);
                    return Poll::Ready(Err(Fault::counted(note, reason)));
                }
            }
            let mut cx = Context::from_waker(&self.waker);
            let read = match self.stream.poll_read(&mut cx, &mut scratch.read) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(self.broken("the peer closed the connection"))),
                Poll::Ready(Ok(read)) => read,
                Poll::Ready(Err(cause)) => return Poll::Ready(Err(self.broken(cause.to_string()))),
            };
            self.ages.heard = 0;
            self.records.extend(&scratch.read[..read]);
        }
    }

    /// The bytes of a record just taken.
    pub(crate) fn record(&self, record: Range<usize>) -> &[u8] {
        self.records.get(record)
    }

    /// The session, if there is one, with the bytes of a record just taken.
    pub(crate) fn session_and(&mut self, record: Range<usize>) -> Option<(&mut Session, &[u8])> {
        match &mut self.stage {
            Stage::Accepted | Stage::Greeted(_) => None,
            Stage::Keyed { session, .. } | Stage::Up { session, .. } => {
                Some((session, self.records.get(record)))
            }
        }
    }

    /// The session, if there is one, with the outbox that it seals into.
    pub(crate) fn session_and_outbox(&mut self) -> Option<(&mut Session, &mut Vec<u8>)> {
        match &mut self.stage {
            Stage::Accepted | Stage::Greeted(_) => None,
            Stage::Keyed { session, .. } | Stage::Up { session, .. } => Some((session, &mut self.outbox)),
        }
    }

    /// Moves the outbox into the socket as far as it goes; ready when it is empty.
    pub(crate) fn poll_flush(&mut self) -> Poll<Result<(), Fault>> {
        let mut cx = Context::from_waker(&self.waker);
        while self.written < self.outbox.len() {
            match self.stream.poll_write(&mut cx, &self.outbox[self.written..]) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(self.broken("the connection takes no bytes"))),
                Poll::Ready(Ok(written)) => self.written += written,
                Poll::Ready(Err(cause)) => return Poll::Ready(Err(self.broken(cause.to_string()))),
            }
            self.ages.sent = 0;
            self.ages.stuck = 0;
        }
        match self.stream.poll_flush(&mut cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(cause)) => return Poll::Ready(Err(self.broken(cause.to_string()))),
        }
        self.outbox.clear();
        self.outbox.shrink_to(KEPT_BYTES_MAX);
        self.written = 0;
        Poll::Ready(Ok(()))
    }

    /// Sends what goes at once and says that nothing more comes.
    ///
    /// What came in is read away, as the kernel answers a close over unread bytes with a reset, which may overtake what
    /// was sent.
    pub(crate) fn finish(&mut self, scratch: &mut Scratch) {
        let _ = self.poll_flush();
        let mut cx = Context::from_waker(Waker::noop());
        let _ = self.stream.poll_shutdown(&mut cx);
        let _: Poll<io::Result<usize>> = self.stream.poll_read(&mut cx, &mut scratch.read);
    }

    /// A connection that broke is worth counting before it is up; of a link the owner learns anyway.
    fn broken(&self, reason: impl Into<String>) -> Fault {
        match self.stage {
            Stage::Up { .. } => Fault::quiet(reason),
            Stage::Accepted | Stage::Greeted(_) | Stage::Keyed { .. } => {
                Fault::counted("handshake-broken", reason)
            }
        }
    }
}
