//! Links to processes over their inboxes: opened, numbered, counted, closed. No socket, no clock: letters go in and out.
//!
//! Both ends give the link a number, and it is up at one end once the other has said that number back. Each frame says how
//! many units were sent before it: what does not fit ends the link, so that nothing is lost or repeated while it is up.
//! No more than a window of units is under way that the other end has not said it received.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use unstale_port::{Error, Event, Frame, Kind as ErrorKind, LinkId, Listing, Remote, Retry};

use super::envelope::{Head, Kind, Pair, What, units};
use super::names::Process;

/// Units under way to one process. Its inbox at the server holds no more than these and one frame.
const WINDOW: u64 = 256 << 10;
/// An open without an answer is said again.
const OPEN_EVERY: Duration = Duration::from_millis(500);
/// A link that its owner closed is opened again after this.
const CLOSED_FOR: Duration = Duration::from_millis(200);
/// Processes that have a link, and those that had one and may come back; more get none.
const PEERS_MAX: usize = 4_096;

/// All links of a backplane but the common one.
#[derive(Debug)]
pub(crate) struct Links {
    me: Process,
    next_id: u64,
    peers: BTreeMap<Process, Peer>,
    /// The links that are up.
    up: BTreeMap<u64, Process>,
    /// Whether letters go out now.
    line: Line,
    events: VecDeque<Event>,
    letters: VecDeque<Letter>,
    /// Links that may have room for one more frame.
    roomy: VecDeque<u64>,
}

/// What goes into an inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) to: Process,
    pub(crate) head: Head,
    pub(crate) frame: Frame,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Connected,
    Broken,
}

#[derive(Debug)]
struct Peer {
    /// Its entries in the register that have not ended.
    entries: BTreeSet<Bytes>,
    /// Since when it is in no listing.
    unlisted: Option<Instant>,
    link: Link,
    /// How many units of its own for all it had sent by the end of its last frame here.
    common: Option<u64>,
}

#[derive(Debug)]
struct Link {
    mine: u64,
    yours: u64,
    stage: Stage,
    room: Room,
    sent: u64,
    acked: u64,
    received: u64,
    /// Up to here the other end was told what was received.
    told: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Said again at this time.
    Opening(Instant),
    Up,
    /// Closed by the owner, opened again at this time.
    Closed(Instant),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    Free,
    Taken,
}

impl Links {
    pub(crate) fn new(me: Process) -> Self {
        Self {
            me,
            next_id: 0,
            peers: BTreeMap::new(),
            up: BTreeMap::new(),
            line: Line::Broken,
            events: VecDeque::new(),
            letters: VecDeque::new(),
            roomy: VecDeque::new(),
        }
    }

    /// A number for a link that was never used here.
    pub(crate) fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Says something of another link, after what was said before.
    pub(crate) fn say(&mut self, event: Event) {
        self.events.push_back(event);
    }

    pub(crate) fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub(crate) fn next_letter(&mut self) -> Option<Letter> {
        self.letters.pop_front()
    }

    /// The connection is there, for the first time or again.
    pub(crate) fn connected(&mut self, now: Instant) {
        self.line = Line::Connected;
        let all: Vec<_> = self.peers.keys().copied().collect();
        for process in all {
            self.open(process, 0, now);
        }
    }

    /// The connection is lost, and with it whatever was under way.
    pub(crate) fn broken(&mut self, reason: &str, now: Instant) {
        self.line = Line::Broken;
        let all: Vec<_> = self.peers.keys().copied().collect();
        for process in all {
            self.end(process, reason, Stage::Opening(now));
        }
        self.letters.clear();
        self.roomy.clear();
    }

    /// Takes in who is listed, and who has ended.
    pub(crate) fn list(
        &mut self,
        listed: &BTreeMap<Process, BTreeSet<Bytes>>,
        listing: &Listing,
        now: Instant,
    ) {
        let me = self.me;
        for (process, ids) in listed.iter().filter(|(process, _)| **process != me) {
            if let Some(peer) = self.peers.get_mut(process) {
                peer.entries.extend(ids.iter().cloned());
                peer.unlisted = None;
            } else if self.peers.len() < PEERS_MAX {
                let link = Link::new(0, 0, Stage::Opening(now));
                let peer = Peer { entries: ids.clone(), unlisted: None, link, common: None };
                self.peers.insert(*process, peer);
                self.open(*process, 0, now);
            }
        }
        let ended: BTreeSet<_> = listing.ended.iter().map(|ended| &ended.entry.id).collect();
        let mut gone = Vec::new();
        for (process, peer) in self.peers.iter_mut().filter(|(process, _)| !listed.contains_key(process)) {
            peer.entries.retain(|id| !ended.contains(id));
            if peer.entries.is_empty() {
                gone.push(*process);
            } else if peer.unlisted.is_none() {
                peer.unlisted = Some(now);
            }
        }
        for process in gone {
            self.forget(process, "all of its entries have ended");
        }
    }

    /// What is due: opens that were not answered, links that were closed, processes that were not listed for long.
    pub(crate) fn tick(&mut self, now: Instant) {
        let mut due = Vec::new();
        let mut gone = Vec::new();
        for (process, peer) in &self.peers {
            match peer.link.stage {
                Stage::Opening(at) | Stage::Closed(at) if at <= now => due.push(*process),
                Stage::Opening(_) | Stage::Closed(_) | Stage::Up => {}
            }
            if peer.unlisted.is_some_and(|since| now >= since + Listing::ENDED_FOR) {
                gone.push(*process);
            }
        }
        if self.line == Line::Connected {
            for process in due {
                self.open_again(process, now);
            }
        }
        for process in gone {
            self.forget(process, "not listed for ten minutes");
        }
    }

    /// A letter came in.
    pub(crate) fn receive(&mut self, from: Process, pair: Pair, kind: Kind, frame: Frame, now: Instant) {
        let Some(peer) = self.peers.get_mut(&from) else { return };
        let link = &mut peer.link;
        if matches!(link.stage, Stage::Closed(_)) || pair.mine < link.yours || pair.mine == 0 {
            // Of a link that is no more.
            return;
        }
        if kind == Kind::Close {
            if pair.mine == link.yours || pair.yours == link.mine {
                self.end(from, "closed by the other side", Stage::Opening(now));
                self.open(from, 0, now);
            }
            return;
        }
        if link.mine == 0 {
            return self.open(from, pair.mine, now);
        }
        if pair.mine > link.yours && link.yours != 0 && link.stage == Stage::Up {
            self.end(from, "opened anew by the other side", Stage::Opening(now));
            return self.open(from, pair.mine, now);
        }
        link.yours = pair.mine;
        if pair.yours != link.mine {
            return self.answer(from);
        }
        if link.stage != Stage::Up {
            self.rise(from);
        }
        self.take(from, kind, frame, now);
    }

    /// Sends over a link that has room.
    pub(crate) fn send(&mut self, id: LinkId, frame: Frame) -> Result<(), Error> {
        let gone = || Error::new(ErrorKind::Gone, Retry::Never, "send", format!("link {} is down", id.0));
        let process = *self.up.get(&id.0).ok_or_else(gone)?;
        let link = &mut self.peers.get_mut(&process).ok_or_else(gone)?.link;
        if link.room == Room::Taken {
            let detail = "the link has not said that it takes another frame";
            return Err(Error::new(ErrorKind::Rejected, Retry::Never, "send", detail));
        }
        link.room = Room::Taken;
        let kind = Kind::Data { sent: link.sent, received: link.received };
        link.sent += units(&frame);
        link.told = link.received;
        self.roomy.push_back(id.0);
        self.post(process, kind, frame);
        Ok(())
    }

    /// Closes a link for its owner.
    pub(crate) fn close(&mut self, id: LinkId, now: Instant) {
        if let Some(process) = self.up.get(&id.0).copied() {
            self.post(process, Kind::Close, Frame::new());
            self.end(process, "closed by the owner", Stage::Closed(now + CLOSED_FOR));
        }
    }

    /// Says to all that their links are closed.
    pub(crate) fn close_all(&mut self, now: Instant) {
        let all: Vec<_> = self.up.keys().copied().collect();
        for id in all {
            self.close(LinkId(id), now);
        }
    }

    /// A letter over this link reached nobody.
    pub(crate) fn unreached(&mut self, id: u64, now: Instant) {
        if let Some(process) = self.up.get(&id).copied() {
            self.end(process, "nobody listens there", Stage::Opening(now + OPEN_EVERY));
        }
    }

    /// Says of links with room that they have it; `has_room` says whether there is any in what goes out.
    pub(crate) fn grant(&mut self, has_room: bool) {
        while has_room && let Some(id) = self.roomy.pop_front() {
            let Some(peer) = self.up.get(&id).and_then(|process| self.peers.get_mut(process)) else {
                continue;
            };
            let link = &mut peer.link;
            if link.room == Room::Taken && link.sent - link.acked < WINDOW {
                link.room = Room::Free;
                self.events.push_back(Event::Writable { link: LinkId(id) });
            }
        }
    }

    /// A frame for all came from there, after so many units; whether others before it are missing.
    pub(crate) fn misses_common(&mut self, from: Process, sent: u64, frame: &[u8]) -> bool {
        let Some(peer) = self.peers.get_mut(&from) else { return false };
        let before = peer.common.replace(sent.saturating_add(units(frame)));
        before.is_some_and(|before| before != sent)
    }

    /// From now on the first frame for all of each process is where counting begins.
    pub(crate) fn forget_common(&mut self) {
        for peer in self.peers.values_mut() {
            peer.common = None;
        }
    }

    fn open(&mut self, process: Process, yours: u64, now: Instant) {
        let mine = self.new_id();
        if let Some(peer) = self.peers.get_mut(&process) {
            peer.link = Link::new(mine, yours, Stage::Opening(now + OPEN_EVERY));
        }
        self.answer(process);
    }

    fn open_again(&mut self, process: Process, now: Instant) {
        let Some(peer) = self.peers.get_mut(&process) else { return };
        let link = &mut peer.link;
        match link.stage {
            Stage::Opening(_) if link.mine != 0 => {
                link.stage = Stage::Opening(now + OPEN_EVERY);
                self.answer(process);
            }
            Stage::Opening(_) | Stage::Closed(_) | Stage::Up => self.open(process, 0, now),
        }
    }

    fn answer(&mut self, process: Process) {
        self.post(process, Kind::Open, Frame::new());
    }

    fn post(&mut self, process: Process, kind: Kind, frame: Frame) {
        let Some(peer) = self.peers.get(&process).filter(|_| self.line == Line::Connected) else { return };
        let pair = Pair { mine: peer.link.mine, yours: peer.link.yours };
        let head = Head { from: self.me, what: What::Link(pair, kind) };
        self.letters.push_back(Letter { to: process, head, frame });
    }

    /// Both ends know each other's number.
    fn rise(&mut self, process: Process) {
        let Some(peer) = self.peers.get_mut(&process) else { return };
        peer.link.stage = Stage::Up;
        let id = peer.link.mine;
        self.up.insert(id, process);
        self.roomy.push_back(id);
        let remote = Remote { dialled: None, label: format!("inbox {process}") };
        self.events.push_back(Event::Up { link: LinkId(id), remote });
    }

    fn take(&mut self, process: Process, kind: Kind, frame: Frame, now: Instant) {
        let Some(peer) = self.peers.get_mut(&process) else { return };
        let link = &mut peer.link;
        let received = match kind {
            Kind::Data { sent, received } => {
                if sent != link.received {
                    return self.restart(process, "frames were lost", now);
                }
                link.received += units(&frame);
                self.events.push_back(Event::Received { link: LinkId(link.mine), frame });
                received
            }
            Kind::Ack { received } => received,
            Kind::Open => {
                // The other end may not have heard its own number yet. An ack is answered by nothing.
                link.told = link.received;
                let received = link.received;
                return self.post(process, Kind::Ack { received }, Frame::new());
            }
            Kind::Close => return,
        };
        if received > link.sent || received < link.acked {
            return self.restart(process, "more was received than sent", now);
        }
        let was_full = link.sent - link.acked >= WINDOW;
        link.acked = received;
        let id = link.mine;
        if link.received - link.told >= WINDOW / 2 {
            link.told = link.received;
            let received = link.received;
            self.post(process, Kind::Ack { received }, Frame::new());
        }
        if was_full {
            self.roomy.push_back(id);
        }
    }

    /// Ends a link that does not keep its promise, for both ends.
    fn restart(&mut self, process: Process, reason: &str, now: Instant) {
        self.post(process, Kind::Close, Frame::new());
        self.end(process, reason, Stage::Opening(now));
        self.open(process, 0, now);
    }

    fn end(&mut self, process: Process, reason: &str, next: Stage) {
        let Some(peer) = self.peers.get_mut(&process) else { return };
        let before = std::mem::replace(&mut peer.link, Link::new(0, 0, next));
        if before.stage == Stage::Up {
            self.up.remove(&before.mine);
            self.events.push_back(Event::Down { link: LinkId(before.mine), reason: reason.to_owned() });
        }
    }

    fn forget(&mut self, process: Process, reason: &str) {
        self.end(process, reason, Stage::Up); // a stage that nothing is due for
        self.peers.remove(&process);
    }
}

impl Link {
    fn new(mine: u64, yours: u64, stage: Stage) -> Self {
        Self { mine, yours, stage, room: Room::Taken, sent: 0, acked: 0, received: 0, told: 0 }
    }
}

#[cfg(test)]
mod tests;
