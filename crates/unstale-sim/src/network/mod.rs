//! The simulated network: links between processes that lose, repeat, reorder, delay, stall and break.

mod backplane;
mod broker;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use unstale_port::{Delivery, Event, LinkId, Remote};

use crate::dice::Dice;
use crate::fault::{Fault, Faults};

pub use backplane::Tap;
use broker::Broker;
use wire::{Seat, Wire};

/// One life of a simulated process, as the network sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Life(pub u64);

/// What the links of a world are like.
#[derive(Clone, Copy, Debug)]
pub struct Quality {
    /// In which order they deliver.
    pub delivery: Delivery,
    /// The least time on the way, in nanoseconds.
    pub latency: u64,
    /// At most so much is added to each frame.
    pub jitter: u64,
    /// So many frames of a thousand take up to twenty times as long.
    pub tail: u64,
    /// So many frames of a thousand are lost, where links may lose.
    pub loss: u64,
    /// So many come twice, where links may repeat.
    pub twice: u64,
    /// Frames on the way of one link; more are not taken.
    pub room: usize,
}

/// All links of a world. Clones are one network.
#[derive(Clone)]
pub struct Network {
    net: Arc<Mutex<Net>>,
}

/// What the handles share.
pub(crate) struct Net {
    quality: Quality,
    dice: Dice,
    now: u64,
    seats: BTreeMap<Life, Seat>,
    links: BTreeMap<LinkId, Wire>,
    next_link: u64,
    /// What is on its way, by arrival.
    under_way: BTreeMap<(u64, u64), (LinkId, Bytes)>,
    sent: u64,
    /// Whom to dial again, and when.
    redials: BTreeMap<(Life, Life), u64>,
    /// Pairs of nodes without a link, until when.
    cuts: BTreeMap<(usize, usize), u64>,
    /// Directions in which nothing moves, until when.
    stalls: BTreeMap<(usize, usize), u64>,
    /// Links that are told later that they broke.
    breaking: BTreeSet<(u64, LinkId)>,
    /// Until when the quality is worse, and by what.
    storms: Vec<(u64, Storm)>,
    frozen: BTreeSet<Life>,
    /// What nodes sent in earlier lives, a few of each.
    ghosts: BTreeMap<usize, Vec<Bytes>>,
    /// Between all, if the links are a broker's.
    broker: Option<Broker>,
    faults: Faults,
    wakes: Vec<std::task::Waker>,
}

/// What makes all links worse for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storm {
    /// So many frames of a thousand are lost.
    Loss(u64),
    /// So many are delivered twice.
    Twice(u64),
    /// So much is added to the way of one frame in four, in nanoseconds.
    Delay(u64),
}

impl Network {
    /// A network without nodes.
    pub fn new(quality: Quality, seed: u64, faults: Faults) -> Self {
        let net = Net {
            quality,
            dice: Dice::of(seed, 0x6e65_7477),
            now: 0,
            seats: BTreeMap::new(),
            links: BTreeMap::new(),
            next_link: 0,
            under_way: BTreeMap::new(),
            sent: 0,
            redials: BTreeMap::new(),
            cuts: BTreeMap::new(),
            stalls: BTreeMap::new(),
            breaking: BTreeSet::new(),
            storms: Vec::new(),
            frozen: BTreeSet::new(),
            ghosts: BTreeMap::new(),
            broker: None,
            faults,
            wakes: Vec::new(),
        };
        Self { net: Arc::new(Mutex::new(net)) }
    }

    /// Moves time on: delivers what has arrived, dials again, tells of broken links.
    pub fn advance(&self, now: u64) {
        self.with(|net| net.advance(now));
    }

    /// Breaks the links of a pair until a moment. Loud: both sides hear of it at once; else after `detected` more.
    pub fn cut(&self, a: usize, b: usize, until: u64, detected: u64) {
        self.with(|net| net.cut(a, b, until, detected));
    }

    /// Lets nothing through in one direction until a moment.
    pub fn stall(&self, from: usize, to: usize, until: u64) {
        self.with(|net| {
            let end = net.stalls.entry((from, to)).or_default();
            *end = (*end).max(until);
        });
    }

    /// Makes all links worse until a moment.
    pub fn storm(&self, storm: Storm, until: u64) {
        self.with(|net| net.storms.push((until, storm)));
    }

    /// A process stands still, or goes on: it does not answer dials meanwhile.
    pub fn freeze(&self, life: Life, frozen: bool) {
        self.with(|net| {
            if frozen {
                net.frozen.insert(life);
            } else {
                net.frozen.remove(&life);
            }
        });
    }

    /// What a dead process had handed over is lost, too.
    pub fn lose_what_it_sent(&self, life: Life) {
        self.with(|net| {
            let links = &net.links;
            net.under_way.retain(|_, (to, _)| links.get(to).is_none_or(|end| end.peer != life));
        });
    }

    /// Delivers frames that an earlier life of a node sent to whoever it is linked to now.
    pub fn haunt(&self, node: usize) -> bool {
        self.with(|net| net.haunt(node))
    }

    /// Since when the nodes' present lives are linked and nothing hinders them; nothing if they are not.
    pub fn linked_since(&self, a: Life, b: Life) -> Option<u64> {
        self.with(|net| net.linked_since(a, b))
    }

    fn with<R>(&self, f: impl FnOnce(&mut Net) -> R) -> R {
        let (result, wakes) = {
            let mut net = lock(&self.net);
            let result = f(&mut net);
            (result, std::mem::take(&mut net.wakes))
        };
        for waker in wakes {
            waker.wake();
        }
        result
    }
}

impl Net {
    fn advance(&mut self, now: u64) {
        self.now = now;
        self.cuts.retain(|_, until| *until > now);
        self.stalls.retain(|_, until| *until > now);
        self.storms.retain(|(until, _)| *until > now);
        while let Some(&(due, link)) = self.breaking.first()
            && due <= now
        {
            self.breaking.remove(&(due, link));
            self.break_end(link, "the peer is gone");
        }
        let due: Vec<_> = self.redials.iter().filter(|(_, at)| **at <= now).map(|(pair, _)| *pair).collect();
        for (dialler, dialled) in due {
            self.redials.remove(&(dialler, dialled));
            self.connect(dialler, dialled);
        }
        self.advance_broker();
        self.deliver();
    }

    fn deliver(&mut self) {
        let later = self.under_way.split_off(&(self.now + 1, 0));
        let arrived = std::mem::replace(&mut self.under_way, later);
        for ((_, number), (link, frame)) in arrived {
            if let Some(life) = self.common_owner(link) {
                self.tell(life, Event::Received { link, frame });
                continue;
            }
            let Some(end) = self.links.get(&link) else { continue };
            let Some((from, to)) = self.nodes_of(end) else { continue };
            if let Some(&until) = self.stalls.get(&(from, to)) {
                self.under_way.insert((until, number), (link, frame));
                continue;
            }
            self.receive(link, frame);
        }
    }

    fn receive(&mut self, link: LinkId, frame: Bytes) {
        let Some(end) = self.links.get(&link) else { return };
        let life = end.life;
        self.tell(life, Event::Received { link, frame });
    }

    fn tell(&mut self, life: Life, event: Event) {
        if let Some(seat) = self.seats.get_mut(&life) {
            seat.inbox.push_back(event);
            self.wakes.extend(seat.waker.take());
        }
    }

    fn nodes_of(&self, end: &Wire) -> Option<(usize, usize)> {
        Some((
            self.seats.get(&end.peer).map(|seat| seat.node).or(end.peer_node)?,
            self.seats.get(&end.life)?.node,
        ))
    }

    /// Brings up a link, unless there is one or something is in the way; then it is tried again.
    fn connect(&mut self, dialler: Life, dialled: Life) {
        let (Some(from), Some(to)) = (self.seats.get(&dialler), self.seats.get(&dialled)) else { return };
        let (from, to) = ((from.node, from.label.clone()), (to.node, to.label.clone()));
        let live = self.links.values().any(|end| end.life == dialler && end.peer == dialled && !end.broken);
        if live {
            return;
        }
        if !self.is_linked(dialler) || !self.is_linked(dialled) {
            return self.dial_later(dialler, dialled);
        }
        let hindered = self.cuts.contains_key(&pair(from.0, to.0))
            || self.stalls.contains_key(&(from.0, to.0))
            || self.stalls.contains_key(&(to.0, from.0))
            || self.frozen.contains(&dialler)
            || self.frozen.contains(&dialled);
        if hindered {
            return self.dial_later(dialler, dialled);
        }
        let (near, far) = (LinkId(self.next_link + 1), LinkId(self.next_link + 2));
        self.next_link += 2;
        self.links.insert(near, Wire::new(dialler, dialled, to.0, far, self.now));
        self.links.insert(far, Wire::new(dialled, dialler, from.0, near, self.now));
        let dialled_name = Remote { dialled: Some(to.1.clone()), label: to.1 };
        self.tell(dialler, Event::Up { link: near, remote: dialled_name });
        self.tell(dialled, Event::Up { link: far, remote: Remote { dialled: None, label: from.1 } });
        self.tell(dialler, Event::Writable { link: near });
        self.tell(dialled, Event::Writable { link: far });
    }

    fn dial_later(&mut self, dialler: Life, dialled: Life) {
        let at = self.now + self.dice.between(100, 1_000) * MS;
        self.redials.insert((dialler, dialled), at);
    }

    fn cut(&mut self, a: usize, b: usize, until: u64, detected: u64) {
        let end = self.cuts.entry(pair(a, b)).or_default();
        *end = (*end).max(until);
        let between: Vec<LinkId> = self
            .links
            .iter()
            .filter(|(_, end)| self.nodes_of(end).is_some_and(|(x, y)| pair(x, y) == pair(a, b)))
            .map(|(link, _)| *link)
            .collect();
        for link in between {
            let lost = self.drop_under_way(link);
            self.faults.count_many(Fault::Loss, lost);
            if detected == 0 {
                self.break_end(link, "cut");
            } else {
                self.mute(link);
                self.breaking.insert((self.now + detected, link));
            }
        }
    }

    /// Nothing more goes over a link, and nobody knows yet.
    fn mute(&mut self, link: LinkId) {
        if let Some(end) = self.links.get_mut(&link) {
            end.mute = true;
        }
    }

    fn drop_under_way(&mut self, link: LinkId) -> u64 {
        let before = self.under_way.len();
        self.under_way.retain(|_, (to, _)| *to != link);
        (before - self.under_way.len()) as u64
    }

    /// One end learns that its link is down; the one that had dialled will dial again.
    fn break_end(&mut self, link: LinkId, reason: &str) {
        let Some(end) = self.links.get_mut(&link).filter(|end| !end.broken) else { return };
        end.broken = true;
        let (life, peer, peer_link) = (end.life, end.peer, end.peer_link);
        self.tell(life, Event::Down { link, reason: reason.to_owned() });
        if self.links.get(&peer_link).is_none_or(|end| end.broken) {
            self.links.remove(&link);
            self.links.remove(&peer_link);
            if self.seats.contains_key(&life) && self.seats.contains_key(&peer) {
                self.dial_later(life.max(peer), life.min(peer));
            }
        }
    }

    fn haunt(&mut self, node: usize) -> bool {
        let frames = self.ghosts.get(&node).cloned().unwrap_or_default();
        let links: Vec<LinkId> = self
            .links
            .iter()
            .filter(|(_, end)| self.nodes_of(end).is_some_and(|(from, _)| from == node) && !end.broken)
            .map(|(link, _)| *link)
            .collect();
        for link in &links {
            for frame in &frames {
                self.sent += 1;
                self.under_way.insert((self.now, self.sent), (*link, frame.clone()));
            }
        }
        !frames.is_empty() && !links.is_empty()
    }

    fn linked_since(&self, a: Life, b: Life) -> Option<u64> {
        let end =
            self.links.values().find(|end| end.life == a && end.peer == b && !end.broken && !end.mute)?;
        let (x, y) = self.nodes_of(end)?;
        let clear = !self.stalls.contains_key(&(x, y))
            && !self.stalls.contains_key(&(y, x))
            && self.storms.is_empty();
        clear.then_some(end.since)
    }
}

pub(crate) fn lock(net: &Mutex<Net>) -> MutexGuard<'_, Net> {
    net.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pair(a: usize, b: usize) -> (usize, usize) {
    (a.min(b), a.max(b))
}

/// Nanoseconds in a millisecond.
const MS: u64 = 1_000_000;
