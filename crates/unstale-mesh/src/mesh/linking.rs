//! What becomes of connections: greeted, answered, chosen, up, down.

use std::ops::Range;
use std::task::{Context, Poll};

use unstale_port::{Event, LinkId, Remote};

use super::Mesh;
use crate::handshake::Identity;
use crate::link::{Fault, Link, Room, Stage};
use crate::ready::Token;
use crate::session::{Opened, Refused, Session, Verdict};
use crate::stream::Stream;

/// How many accepted connections may be waiting to authenticate.
const WAITING_MAX: usize = 256;
/// How many links there may be.
const LINKS_MAX: usize = 1_024;
/// 1 s: a link that held so long ends a series of failures.
const HELD_TURNS_MIN: u32 = 10;

impl Mesh {
    pub(super) fn turn_listener(&mut self) {
        let Some(listener) = &self.listener else { return };
        match listener.poll_accept(&mut Context::from_waker(&self.listener_waker)) {
            Poll::Pending => {}
            Poll::Ready(Ok((tcp, from))) => {
                // See turn_target.
                let _ = tcp.set_nodelay(true);
                // An honest peer is done within milliseconds, so the oldest is the likeliest to never be.
                if self.waiting.len() >= WAITING_MAX
                    && let Some(oldest) = self.waiting.first().copied()
                {
                    let why = format!("more than {WAITING_MAX} connections wait to authenticate");
                    self.end_link(oldest, Fault::counted("handshake-crowded", why));
                }
                let peer = from.ip().to_string();
                let stream = self.transport.accept(tcp);
                let id = self.add_link(stream, Stage::Accepted, None, from.to_string(), peer);
                self.waiting.insert(id);
                self.listener_waker.wake_by_ref();
            }
            // The clock's next turn tries again.
            Poll::Ready(Err(cause)) => self.note("accept-failed", "listener", || cause.to_string()),
        }
    }

    pub(super) fn add_link(
        &mut self,
        stream: Stream,
        stage: Stage,
        target: Option<u64>,
        label: String,
        peer: String,
    ) -> u64 {
        let id = self.new_id();
        let waker = self.ready.source(Token::Link(id));
        waker.wake_by_ref();
        self.links.insert(id, Link::new(stream, stage, target, label, peer, waker));
        id
    }

    pub(super) fn turn_link(&mut self, id: u64) {
        if let Err(fault) = self.work_on(id) {
            self.end_link(id, fault);
        }
    }

    /// One step of one connection: room for a frame, and one record. Both, so that neither way starves the other.
    fn work_on(&mut self, id: u64) -> Result<(), Fault> {
        let Some(link) = self.links.get_mut(&id) else { return Ok(()) };
        let flushed = link.poll_flush();
        if let (Poll::Ready(Ok(())), Stage::Up { room: room @ Room::Taken, .. }) = (&flushed, &mut link.stage)
        {
            *room = Room::Offered;
            self.events.push_back(Event::Writable { link: LinkId(id) });
        }
        let record = match link.poll_record(&mut self.scratch) {
            Poll::Ready(record) => record?,
            // What the peer said before it left is heard before a broken write ends the connection.
            Poll::Pending => return if let Poll::Ready(flushed) = flushed { flushed } else { Ok(()) },
        };
        link.waker.wake_by_ref();
        match link.stage {
            Stage::Accepted => self.take_greeting(id, record),
            Stage::Greeted(_) => self.take_answer(id, record),
            Stage::Keyed { .. } => self.take_verdict(id, record),
            Stage::Up { .. } => self.take_frame(id, record),
        }
    }

    fn take_greeting(&mut self, id: u64, record: Range<usize>) -> Result<(), Fault> {
        let Some(link) = self.links.get_mut(&id) else { return Ok(()) };
        let mut outbox = Vec::new();
        let answered = self.terms.answer(link.record(record), &mut outbox);
        link.outbox = outbox;
        match answered {
            Ok((_, identity)) if identity == self.terms.identity() => {
                link.finish(&mut self.scratch);
                Err(Fault::quiet("this mesh dialled itself"))
            }
            Ok((session, identity)) => {
                link.stage = Stage::Keyed { session, identity };
                Ok(())
            }
            Err(refusal) => {
                link.finish(&mut self.scratch);
                Err(Fault::counted(refusal.note(), refusal.to_string()))
            }
        }
    }

    fn take_answer(&mut self, id: u64, record: Range<usize>) -> Result<(), Fault> {
        let Some(link) = self.links.get_mut(&id) else { return Ok(()) };
        let stage = std::mem::replace(&mut link.stage, Stage::Accepted);
        let Stage::Greeted(greeted) = stage else { return Ok(()) };
        let (session, identity) = greeted
            .read_answer(link.record(record))
            .map_err(|refusal| Fault::counted(refusal.note(), refusal.to_string()))?;
        link.stage = Stage::Keyed { session, identity };
        if let Some(target) = link.target.and_then(|target| self.targets.get_mut(&target)) {
            target.identity = Some(identity);
            if identity == self.terms.identity() {
                target.rest_as_own(tokio::time::Instant::now());
                link.target = None;
                return Err(Fault::counted("dial-self", "a configured peer is this node itself"));
            }
        }
        self.recognise(id, identity);
        let verdict = self.choose(identity)?;
        self.say_verdict(id, verdict)
    }

    /// If there is a link to this peer, one that the peer dialled: says which configured address it is.
    fn recognise(&mut self, id: u64, identity: Identity) {
        let target = self.links.get(&id).and_then(|link| link.target);
        let Some(target) = target.and_then(|target| self.targets.get(&target)) else { return };
        let Some(live) = self.live.get(&identity) else { return };
        if let Some(link) = self.links.get_mut(live).filter(|link| !link.is_named) {
            link.is_named = true;
            let dialled = target.address.clone();
            self.events.push_back(Event::Recognised { link: LinkId(*live), dialled });
        }
    }

    /// The end of the handshake: the dialler's proof, or the listener's word on it.
    fn take_verdict(&mut self, id: u64, record: Range<usize>) -> Result<(), Fault> {
        let Some(link) = self.links.get_mut(&id) else { return Ok(()) };
        let Some(identity) = link.identity() else { return Ok(()) };
        let is_theirs_to_choose = identity < self.terms.identity();
        let verdict = match open(link, record, &mut self.scratch.plain)? {
            Opened::Verdict(verdict) => verdict,
            Opened::Nothing | Opened::Frame(_) => return Err(malformed()),
        };
        match verdict {
            Verdict::Use if is_theirs_to_choose => self.raise_link(id),
            Verdict::Duplicate if is_theirs_to_choose => Err(Fault::quiet("there is a link already")),
            Verdict::Yours if !is_theirs_to_choose => {
                let verdict = self.choose(identity)?;
                self.say_verdict(id, verdict)
            }
            Verdict::Use | Verdict::Duplicate | Verdict::Yours => Err(malformed()),
        }
    }

    /// Between two meshes, the one with the smaller identity chooses: the first connection it knows of.
    fn choose(&self, identity: Identity) -> Result<Verdict, Fault> {
        if identity < self.terms.identity() {
            Ok(Verdict::Yours)
        } else if self.live.contains_key(&identity) {
            Ok(Verdict::Duplicate)
        } else {
            self.check_room()?;
            Ok(Verdict::Use)
        }
    }

    fn say_verdict(&mut self, id: u64, verdict: Verdict) -> Result<(), Fault> {
        let Some(link) = self.links.get_mut(&id) else { return Ok(()) };
        if let Some((session, outbox)) = link.session_and_outbox() {
            session.seal_verdict(verdict, &mut self.scratch.plain, outbox);
        }
        match verdict {
            Verdict::Yours => Ok(()),
            Verdict::Use => self.raise_link(id),
            Verdict::Duplicate => {
                link.finish(&mut self.scratch);
                Err(Fault::quiet("there is a link already"))
            }
        }
    }

    fn check_room(&self) -> Result<(), Fault> {
        if self.live.len() < LINKS_MAX {
            return Ok(());
        }
        Err(Fault::counted("links-full", format!("there are {LINKS_MAX} links already")))
    }

    /// The connection is the link.
    fn raise_link(&mut self, id: u64) -> Result<(), Fault> {
        let Some(identity) = self.links.get(&id).and_then(Link::identity) else { return Ok(()) };
        match self.live.get(&identity).copied() {
            // The peer chose this one, so to the peer the other is down.
            Some(other) => self.end_link(other, Fault::quiet("the peer chose another connection")),
            None => self.check_room()?,
        }
        let found_there = self.targets.values().find(|target| target.identity == Some(identity));
        let Some(link) = self.links.get_mut(&id) else { return Ok(()) };
        let dialled = link.target.and_then(|target| self.targets.get(&target)).or(found_there);
        let dialled = dialled.map(|target| target.address.clone());
        if let Stage::Keyed { session, identity } = std::mem::replace(&mut link.stage, Stage::Accepted) {
            link.stage = Stage::Up { session, identity, room: Room::Taken };
        }
        link.is_named = dialled.is_some();
        link.ages.opened = 0;
        link.waker.wake_by_ref();
        self.waiting.remove(&id);
        self.live.insert(identity, id);
        let remote = Remote { dialled, label: link.label.clone() };
        self.events.push_back(Event::Up { link: LinkId(id), remote });
        Ok(())
    }

    fn take_frame(&mut self, id: u64, record: Range<usize>) -> Result<(), Fault> {
        let Some(link) = self.links.get_mut(&id) else { return Ok(()) };
        match open(link, record, &mut self.scratch.plain)? {
            Opened::Frame(frame) => self.events.push_back(Event::Received { link: LinkId(id), frame }),
            Opened::Nothing => {}
            Opened::Verdict(_) => return Err(malformed()),
        }
        Ok(())
    }

    /// Forgets a connection, says so if it was the link, and dials again.
    pub(super) fn end_link(&mut self, id: u64, fault: Fault) {
        let Some(link) = self.links.remove(&id) else { return };
        self.waiting.remove(&id);
        for target in self.targets_of(&link) {
            if link.is_up()
                && link.ages.opened >= HELD_TURNS_MIN
                && let Some(target) = self.targets.get_mut(&target)
            {
                target.forget_failures();
            }
            self.rest_target(target);
        }
        if let Some(what) = fault.note {
            self.note(what, &link.peer, || fault.reason.clone());
        }
        if let Stage::Up { identity, .. } = link.stage {
            self.live.remove(&identity);
            self.events.push_back(Event::Down { link: LinkId(id), reason: fault.reason });
            // The owner may be parked: the event is news for it.
            self.timer_waker.wake_by_ref();
        }
    }
}

fn open(link: &mut Link, record: Range<usize>, plain: &mut [u8]) -> Result<Opened, Fault> {
    let keyed = matches!(link.stage, Stage::Keyed { .. });
    let Some((session, record)) = link.session_and(record) else { return Ok(Opened::Nothing) };
    Session::open(session, record, plain).map_err(|refused| match refused {
        // The greeting was a replay, or the answer was tampered with.
        Refused::Seal if keyed => Fault::counted("handshake-unproven", "the peer did not prove its key"),
        Refused::Seal | Refused::Frame { .. } | Refused::Sense => {
            Fault::counted(refused.note(), refused.to_string())
        }
    })
}

fn malformed() -> Fault {
    Fault::counted(Refused::Sense.note(), Refused::Sense.to_string())
}
