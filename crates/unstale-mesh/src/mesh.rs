//! The mesh: it owns every socket and works only while its owner polls.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::net::TcpListener;
use tokio::task::coop::has_budget_remaining;
use tokio::time::{Instant, Sleep, sleep_until};
use unstale_port::{Backplane, Error, Event, Frame, Kind, LinkId, Peers, Properties, Retry};

use crate::builder::Builder;
use crate::census::Census;
use crate::handshake::{Identity, Terms};
use crate::link::{Fault, Link, Room, Scratch, Stage};
use crate::notes::Notes;
use crate::ready::{Ready, Token};
use crate::session::FRAME_BYTES_MAX;
use crate::stream::Transport;
use crate::target::{Dialling, Target};

mod clock;
mod dialling;
mod linking;

/// Links to the peers of a cluster over TCP; see the crate for what it promises.
///
/// It delivers first in, first out. There is one link to each peer, whoever dialled; `Remote::dialled` is the configured
/// address also if the peer dialled, once a dial to that address has shown which mesh is there; if that comes out
/// while the link is up, [`Event::Recognised`] says it. [`Event::Note`] is said for every refused connection and failed dial, with details once per peer and minute. Dropping it closes everything.
pub struct Mesh {
    properties: Properties,
    terms: Terms,
    transport: Transport,
    dialling: Dialling,
    /// Gone once the mesh was closed.
    listener: Option<TcpListener>,
    listener_waker: Waker,
    ready: Ready,
    timer: Pin<Box<Sleep>>,
    timer_waker: Waker,
    turn_at: Instant,
    census: Option<Census>,
    targets: BTreeMap<u64, Target>,
    links: BTreeMap<u64, Link>,
    /// Those of `links` that were accepted and have not authenticated, oldest first.
    waiting: BTreeSet<u64>,
    /// The one link to each peer.
    live: BTreeMap<Identity, u64>,
    events: VecDeque<Event>,
    notes: Notes,
    scratch: Scratch,
    dice: u64,
    next_id: u64,
}

/// What a mesh starts from, checked.
pub(crate) struct Setup {
    pub(crate) properties: Properties,
    pub(crate) terms: Terms,
    pub(crate) transport: Transport,
    pub(crate) dialling: Dialling,
    pub(crate) discover: Option<String>,
    pub(crate) listener: TcpListener,
}

impl Mesh {
    /// A builder with the defaults: loopback only, no peers, no secret.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// How many connections have been accepted and have not authenticated yet; never more than 256.
    pub fn unauthenticated(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn new(setup: Setup) -> Self {
        let now = Instant::now();
        let ready = Ready::default();
        let census = setup.discover.map(|name| Census::of_name(name, ready.source(Token::Census), now));
        let listener_waker = ready.source(Token::Listener);
        let timer_waker = ready.source(Token::Timer);
        listener_waker.wake_by_ref();
        timer_waker.wake_by_ref();
        let mut mesh = Self {
            dice: setup.terms.identity().as_seed(),
            properties: setup.properties,
            terms: setup.terms,
            transport: setup.transport,
            dialling: setup.dialling,
            listener: Some(setup.listener),
            listener_waker,
            ready,
            timer: Box::pin(sleep_until(now)),
            timer_waker,
            turn_at: now,
            census,
            targets: BTreeMap::new(),
            links: BTreeMap::new(),
            waiting: BTreeSet::new(),
            live: BTreeMap::new(),
            events: VecDeque::new(),
            notes: Notes::default(),
            scratch: Scratch::default(),
            next_id: 0,
        };
        if let Peers::Fixed(peers) = mesh.properties.peers.clone() {
            for peer in peers {
                mesh.add_target(peer.address, now);
            }
        }
        mesh
    }

    fn turn(&mut self, token: Token) {
        match token {
            Token::Listener => self.turn_listener(),
            Token::Timer => self.turn_timer(),
            Token::Census => self.turn_census(),
            Token::Target(id) => self.turn_target(id),
            Token::Link(id) => self.turn_link(id),
        }
    }

    fn note(&mut self, what: &'static str, peer: &str, detail: impl FnOnce() -> String) {
        let event = self.notes.note(what, peer, Instant::now(), detail);
        self.events.push_back(event);
    }

    fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// A random number that need not be secret (splitmix64).
    fn roll(&mut self) -> u64 {
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.dice;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Backplane for Mesh {
    fn properties(&self) -> &Properties {
        &self.properties
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        self.ready.unpark();
        loop {
            if let Some(event) = self.events.pop_front() {
                return Poll::Ready(event);
            }
            if !has_budget_remaining() {
                // Sockets pretend not to be ready until the task has yielded, and say at once that they are.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            match self.ready.pop() {
                Some(token) => self.turn(token),
                None if self.ready.park(cx.waker()) => return Poll::Pending,
                None => {}
            }
        }
    }

    fn send(&mut self, link: LinkId, frame: Frame) -> Result<(), Error> {
        let gone = || Error::new(Kind::Gone, Retry::Never, "send", format!("link {} is down", link.0));
        let link = self.links.get_mut(&link.0).ok_or_else(gone)?;
        let Stage::Up { session, room, .. } = &mut link.stage else { return Err(gone()) };
        if frame.len() > FRAME_BYTES_MAX {
            let detail = format!("frame of {} bytes exceeds limit of {FRAME_BYTES_MAX}", frame.len());
            return Err(Error::new(Kind::TooLarge, Retry::Never, "send", detail));
        }
        if *room == Room::Taken {
            let detail = "the link has not said that it takes another frame";
            return Err(Error::new(Kind::Rejected, Retry::Never, "send", detail));
        }
        *room = Room::Taken;
        session.seal_frame(&frame, &mut self.scratch.plain, &mut link.outbox);
        if link.poll_flush().is_ready() {
            // Written or broken: the link's next turn says which.
            link.waker.wake_by_ref();
        }
        Ok(())
    }

    fn close(&mut self, link: LinkId) {
        if let Some(closing) = self.links.get_mut(&link.0)
            && closing.is_up()
        {
            closing.finish(&mut self.scratch);
            self.end_link(link.0, Fault::quiet("closed by the owner"));
        }
    }

    fn poll_close(&mut self, _cx: &mut Context<'_>) -> Poll<()> {
        for link in self.links.values_mut().filter(|link| link.is_up()) {
            link.finish(&mut self.scratch);
        }
        self.listener = None;
        self.census = None;
        self.links.clear();
        self.waiting.clear();
        self.live.clear();
        self.targets.clear();
        self.events.clear();
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests;
