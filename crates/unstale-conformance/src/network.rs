//! Several backplanes driven as one, with the order of every link's events checked as they come.

use std::collections::{BTreeMap, VecDeque};
use std::future::{self, Future};
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use unstale_port::{Backplane, Delivery, Entry, Event, Kind, LinkId, Listing, RegisterRequest};

/// How long anything may take that has to come. A backplane that works needs a small part of it.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often a register is asked meanwhile.
const TRIES: u32 = 20;

/// Greetings per link: enough that not all are lost, where frames may be.
const GREETINGS: u32 = 64;

/// The receiver of a greeting.
const EVERYONE: u8 = u8::MAX;

/// From, to, number.
const HEAD_BYTES: usize = 1 + 1 + 8;

pub(crate) struct Network<B> {
    pub(crate) nodes: Vec<Node<B>>,
}

/// One backplane and what was seen of it.
pub(crate) struct Node<B> {
    index: u8,
    /// `None` once it was dropped.
    pub(crate) backplane: Option<B>,
    /// Whether its events are left alone.
    pub(crate) paused: bool,
    pub(crate) links: BTreeMap<LinkId, Link>,
    /// The link that reaches all, while it is up, and whether it is writable.
    pub(crate) common: Option<(LinkId, bool)>,
    /// What came over it, in the order of arrival.
    pub(crate) heard: Vec<Bytes>,
    pub(crate) downs: Vec<LinkId>,
    /// Every payload that came for this node, with its sender and number, in the order of arrival.
    pub(crate) received: Vec<Letter>,
    /// What waits to be sent, by receiver.
    pub(crate) outbox: BTreeMap<u8, VecDeque<Bytes>>,
    /// Frames handed over so far, by receiver, greetings not counted.
    pub(crate) taken: BTreeMap<u8, u64>,
    /// What readings of the register gave.
    pub(crate) listings: Vec<Listing>,
    /// The number of the last reading.
    readings: u64,
    numbers: u64,
    events: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) from: u8,
    pub(crate) number: u64,
    pub(crate) payload: Bytes,
}

#[derive(Default)]
pub(crate) struct Link {
    pub(crate) writable: bool,
    /// Whom a frame came from over it.
    pub(crate) peer: Option<u8>,
    greeted: u32,
}

impl<B: Backplane> Network<B> {
    pub(crate) fn new(backplanes: Vec<B>) -> Self {
        let nodes = (0_u8..).zip(backplanes).map(|(index, backplane)| Node::new(index, backplane)).collect();
        Self { nodes }
    }

    /// Enters those that are not listed, and reads: what the broker was not there for is lost.
    fn enter_all(&mut self) {
        for node in &mut self.nodes {
            let entry = node.entry();
            node.backplane().register(RegisterRequest::Enter(entry));
            node.read();
        }
    }

    /// Until every node is listed under the suite's own entry, at every node.
    pub(crate) async fn until_listed(&mut self) {
        for _ in 0..TRIES {
            self.enter_all();
            let count = self.nodes.len();
            let are_listed = |network: &Self| {
                let has_all = |listing: &Listing| {
                    let is_there =
                        |node: &Node<B>| listing.entries.iter().any(|row| row.entry == node.entry());
                    network.nodes.iter().filter(|node| is_there(node)).count() == count
                };
                network.nodes.iter().all(|node| node.listings.last().is_some_and(has_all))
            };
            if self.within(PATIENCE / TRIES, are_listed).await {
                return;
            }
        }
        panic!("not within {PATIENCE:?}: entries of all nodes");
    }

    /// What the register holds, as a reading of this node that is asked for now finds it.
    pub(crate) async fn listing(&mut self, at: usize) -> Listing {
        for _ in 0..TRIES {
            let reading = self.nodes[at].read();
            let answered = |network: &Self| {
                network.nodes[at].listings.last().is_some_and(|listing| listing.reading == reading)
            };
            if self.within(PATIENCE / TRIES, answered).await {
                return self.nodes[at].listings.pop().expect("it was awaited");
            }
        }
        panic!("not within {PATIENCE:?}: the answer to a reading")
    }

    /// Drives all nodes until `done`, for so long; whether it was.
    async fn within(&mut self, patience: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let driven = future::poll_fn(|cx| {
            for _ in 0..256 {
                let busy = self.poll_once(cx);
                if done(self) {
                    return Poll::Ready(());
                }
                if !busy {
                    return Poll::Pending;
                }
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        });
        tokio::time::timeout(patience, driven).await.is_ok()
    }

    /// Drives all nodes until `done`; fails after [`PATIENCE`], saying what was awaited.
    pub(crate) async fn until(&mut self, awaited: &str, mut done: impl FnMut(&mut Self) -> bool) {
        let driven = future::poll_fn(|cx| {
            if done(self) {
                return Poll::Ready(());
            }
            // A node that always has an event must not keep the timer from running.
            let mut busy = false;
            for _ in 0..256 {
                busy = self.poll_once(cx);
                if done(self) {
                    return Poll::Ready(());
                }
                if !busy {
                    break;
                }
            }
            if busy {
                cx.waker().wake_by_ref();
            }
            Poll::Pending
        });
        let in_time = tokio::time::timeout(PATIENCE, driven).await.is_ok();
        assert!(in_time, "not within {PATIENCE:?}: {awaited}");
    }

    /// Drives all nodes until `other` is done; fails after [`PATIENCE`].
    pub(crate) async fn while_running(&mut self, awaited: &str, other: impl Future<Output = ()>) {
        let mut other = pin!(other);
        let waited = future::poll_fn(|cx| {
            if other.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            if self.poll_once(cx) {
                cx.waker().wake_by_ref();
            }
            Poll::Pending
        });
        let in_time = tokio::time::timeout(PATIENCE, waited).await.is_ok();
        assert!(in_time, "not within {PATIENCE:?}: {awaited}");
    }

    /// Drives all nodes for as long as any of them has an event within `quiet` of the one before.
    pub(crate) async fn until_quiet(&mut self, quiet: Duration) {
        let events = |network: &Self| network.nodes.iter().map(|node| node.events).sum::<u64>();
        loop {
            let before = events(self);
            let changed = future::poll_fn(|cx| {
                let busy = self.poll_once(cx);
                if busy { Poll::Ready(()) } else { Poll::Pending }
            });
            if tokio::time::timeout(quiet, changed).await.is_err() && events(self) == before {
                return;
            }
        }
    }

    /// One round over all nodes; whether any had an event.
    fn poll_once(&mut self, cx: &mut Context<'_>) -> bool {
        let mut busy = false;
        for node in self.nodes.iter_mut().filter(|node| !node.paused) {
            busy |= node.poll_once(cx);
        }
        busy
    }

    /// Until every node knows, over a link that is up, each of the others.
    pub(crate) async fn until_connected(&mut self) {
        let count = self.nodes.len() as u8;
        self.until("links between all nodes", |network| {
            network.nodes.iter().all(|node| (0..count).all(|peer| peer == node.index || node.knows(peer)))
        })
        .await;
    }
}

impl<B: Backplane> Node<B> {
    fn new(index: u8, backplane: B) -> Self {
        Self {
            index,
            backplane: Some(backplane),
            paused: false,
            links: BTreeMap::new(),
            common: None,
            heard: Vec::new(),
            downs: Vec::new(),
            received: Vec::new(),
            outbox: BTreeMap::new(),
            taken: BTreeMap::new(),
            listings: Vec::new(),
            readings: 0,
            numbers: 0,
            events: 0,
        }
    }

    /// The entry under which a suite knows it.
    pub(crate) fn entry(&self) -> Entry {
        Entry { id: Bytes::from(vec![b'n', self.index]), about: Bytes::from(format!("node {}", self.index)) }
    }

    /// Asks for a reading, and gives its number.
    pub(crate) fn read(&mut self) -> u64 {
        self.readings += 1;
        let reading = self.readings;
        self.backplane().register(RegisterRequest::Read { reading });
        reading
    }

    /// The backplane, while it was not dropped.
    pub(crate) fn backplane(&mut self) -> &mut B {
        self.backplane.as_mut().expect("the test did not drop this node")
    }

    pub(crate) fn delivery(&self) -> Delivery {
        self.backplane.as_ref().map_or(Delivery::Fifo, |backplane| backplane.properties().delivery)
    }

    pub(crate) fn is_common(&self, link: LinkId) -> bool {
        self.common.is_some_and(|(common, _)| common == link)
    }

    pub(crate) fn knows(&self, peer: u8) -> bool {
        self.link_to(peer).is_some()
    }

    /// Whether a link can take a frame and will not be used by itself.
    pub(crate) fn is_idle(&self, link: LinkId) -> bool {
        self.links.get(&link).is_some_and(|link| link.writable && link.greeted >= self.greetings())
    }

    fn greetings(&self) -> u32 {
        match self.delivery() {
            Delivery::Fifo => 1,
            Delivery::Unordered => GREETINGS,
        }
    }

    /// A link that is up and over which `peer` was heard; the newest, if there are several.
    pub(crate) fn link_to(&self, peer: u8) -> Option<LinkId> {
        self.links.iter().rev().find(|(_, link)| link.peer == Some(peer)).map(|(id, _)| *id)
    }

    /// Lets `payload` wait for the link to `peer` to be writable.
    pub(crate) fn post(&mut self, peer: u8, payload: Bytes) {
        self.outbox.entry(peer).or_default().push_back(payload);
    }

    /// A frame for `peer` with the next number.
    pub(crate) fn frame(&mut self, peer: u8, payload: &[u8]) -> Bytes {
        self.numbers += 1;
        let mut frame = BytesMut::with_capacity(HEAD_BYTES + payload.len());
        frame.put_u8(self.index);
        frame.put_u8(peer);
        frame.put_u64(self.numbers);
        frame.put_slice(payload);
        frame.freeze()
    }

    /// Payloads that came from `peer`, greetings left out.
    pub(crate) fn letters(&self, peer: u8) -> Vec<Bytes> {
        let all = self.received.iter().filter(|letter| letter.from == peer && !letter.payload.is_empty());
        all.map(|letter| letter.payload.clone()).collect()
    }

    /// Takes one event, or sends one frame; whether there was anything to do.
    fn poll_once(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(backplane) = &mut self.backplane else { return false };
        if let Poll::Ready(event) = backplane.poll_event(cx) {
            self.events += 1;
            self.note(event);
            return true;
        }
        self.send_one()
    }

    /// What the contract says of each event by itself.
    fn note(&mut self, event: Event) {
        match event {
            Event::Up { link, .. } => {
                assert!(!self.downs.contains(&link), "{link:?} came up a second time");
                let before = self.links.insert(link, Link::default());
                assert!(before.is_none(), "{link:?} came up while it was up");
            }
            Event::UpCommon { link } => {
                assert!(!self.downs.contains(&link), "{link:?} came up a second time");
                let before = self.common.replace((link, false));
                assert!(before.is_none(), "{link:?} came up while {before:?} reached all");
            }
            Event::Writable { link } if self.is_common(link) => {
                let before = self.common.replace((link, true));
                assert_eq!(before, Some((link, false)), "writable was said twice for one frame");
            }
            Event::Received { link, frame } if self.is_common(link) => self.heard.push(frame),
            Event::Down { link, .. } if self.is_common(link) => {
                self.common = None;
                self.downs.push(link);
            }
            Event::Listed(listing) => {
                self.listings.push(listing);
            }
            Event::Writable { link } => {
                let known = self.links.get_mut(&link);
                let link = known.unwrap_or_else(|| panic!("{link:?} is writable but not up"));
                assert!(!link.writable, "writable was said twice for one frame");
                link.writable = true;
            }
            Event::Received { link, frame } => {
                let known = self.links.get_mut(&link);
                let known = known.unwrap_or_else(|| panic!("a frame came over {link:?}, which is not up"));
                let letter = letter_of(&frame);
                known.peer = Some(letter.from);
                let to = frame[1];
                if to == self.index || to == EVERYONE {
                    self.received.push(letter);
                }
            }
            Event::Down { link, .. } => {
                assert!(self.links.remove(&link).is_some(), "{link:?} went down but was not up");
                self.downs.push(link);
            }
            Event::Note { what, .. } => {
                let constant = what.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
                assert!(constant, "{what:?} is no constant of lower case and dashes");
            }
            Event::Recognised { link, .. } => {
                assert!(self.links.contains_key(&link), "{link:?} is not up and was recognised");
            }
            _ => {}
        }
    }

    /// Sends what waits for a writable link, or a greeting where nothing does; whether it did.
    fn send_one(&mut self) -> bool {
        let Some((link, peer)) = self.next_to_send() else { return false };
        let payload = peer.and_then(|peer| self.outbox.get_mut(&peer)).and_then(VecDeque::pop_front);
        let frame = self.frame(peer.unwrap_or(EVERYONE), &payload.unwrap_or_default());
        match peer {
            Some(peer) => *self.taken.entry(peer).or_default() += 1,
            None => self.links.entry(link).or_default().greeted += 1,
        }
        self.links.entry(link).or_default().writable = false;
        if let Err(error) = self.backplane().send(link, frame) {
            assert_eq!(error.kind(), Kind::Gone, "a writable {link:?} refused a frame: {error}");
        }
        true
    }

    /// A writable link for which something waits, and for whom; nobody in particular is greeted.
    fn next_to_send(&self) -> Option<(LinkId, Option<u8>)> {
        let greetings = self.greetings();
        self.links.iter().filter(|(_, link)| link.writable).find_map(|(id, link)| {
            let mut waiting = self.outbox.iter().filter(|(_, queue)| !queue.is_empty());
            let peer = waiting.find(|(peer, _)| link.peer == Some(**peer)).map(|(peer, _)| *peer);
            (peer.is_some() || link.greeted < greetings).then_some((*id, peer))
        })
    }
}

fn letter_of(frame: &Bytes) -> Letter {
    assert!(frame.len() >= HEAD_BYTES, "a frame of {} bytes was never sent", frame.len());
    let number = u64::from_be_bytes(frame[2..HEAD_BYTES].try_into().expect("eight bytes"));
    Letter { from: frame[0], number, payload: frame.slice(HEAD_BYTES..) }
}
