//! A broker between the nodes: a register with an arbiter, a common link, and what goes wrong with them.

use std::collections::BTreeMap;

use unstale_core::{
    EndCause, Ended, Entry, Input, LinkId, Listed, Listing, Message, RegisterRequest, Stream,
};

use super::agenda::Happening;
use super::wire::pair;
use super::world::{MS, World};

/// The broker of a world whose members are registered.
#[derive(Debug, Default)]
pub struct Broker {
    era: u64,
    entries: BTreeMap<Stream, Row>,
    ended: Vec<(Ended, u64)>,
    /// How long a request or an answer takes.
    pub delay: u64,
    /// Additional delay, at random.
    pub jitter: u64,
    /// How many of 1,000 messages over the common link are lost on the way to a node.
    pub lost_of_1000: u64,
    /// Whether it has no common link.
    pub has_no_common: bool,
    /// Nodes that do not reach it.
    cut: Vec<bool>,
    /// When the last request of each node arrives: they keep their order.
    arrival: Vec<u64>,
}

#[derive(Debug)]
struct Row {
    node: usize,
    entry: Entry,
    renewals: u64,
}

impl Broker {
    /// One that `nodes` reach.
    pub fn new(nodes: usize) -> Self {
        Self { era: 1, delay: MS / 5, cut: vec![false; nodes], arrival: vec![0; nodes], ..Self::default() }
    }

    /// How many entries are there.
    pub fn count(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn is_cut(&self, node: usize) -> bool {
        self.cut[node]
    }

    fn has_ended(&self, stream: Stream) -> bool {
        self.ended.iter().any(|(ended, _)| ended.stream == stream)
    }

    fn end(&mut self, entry: &Entry, now: u64) {
        let stream = entry.stream;
        self.entries.remove(&stream);
        if !self.has_ended(stream) {
            let (cause, last) = entry.end.unwrap_or((EndCause::Arbiter, unstale_core::Seq::ZERO));
            self.ended.push((Ended { stream, name: entry.name.clone(), last, cause, ago_ms: 0 }, now));
        }
    }

    /// One atomic step; an answer to a reading.
    fn carry_out(
        &mut self,
        node: usize,
        own: Stream,
        request: &RegisterRequest,
        now: u64,
    ) -> Option<Listing> {
        match request {
            RegisterRequest::Enter(entry) => {
                if !self.has_ended(entry.stream) {
                    let row = Row { node, entry: entry.clone(), renewals: 0 };
                    self.entries.entry(entry.stream).or_insert(row);
                }
                None
            }
            RegisterRequest::Retire(entry) => {
                self.end(entry, now);
                None
            }
            RegisterRequest::Expel { era, entry, renewals } => {
                let found = self.entries.get(&entry.stream).map(|row| row.renewals);
                if *era == self.era && found == *renewals {
                    self.end(entry, now);
                }
                None
            }
            RegisterRequest::Read { reading } => {
                if let Some(row) = self.entries.get_mut(&own) {
                    row.renewals += 1;
                }
                Some(self.listing(*reading, now))
            }
        }
    }

    fn listing(&self, reading: u64, now: u64) -> Listing {
        let listed = |row: &Row| Listed { entry: row.entry.clone(), renewals: row.renewals };
        let ended = |(ended, at): &(Ended, u64)| Ended { ago_ms: ((now - at) / MS) as u32, ..ended.clone() };
        Listing {
            reading,
            era: self.era,
            entries: self.entries.values().map(listed).collect(),
            ended: self.ended.iter().map(ended).collect(),
        }
    }
}

impl World {
    /// The broker of a world that has one.
    pub fn broker(&mut self) -> &mut Broker {
        self.broker.as_mut().unwrap()
    }

    /// The broker forgets all entries and ends; links stay up.
    pub fn lose_register(&mut self) {
        let broker = self.broker();
        broker.era += 1;
        broker.entries.clear();
        broker.ended.clear();
    }

    /// The broker goes away with all links, and comes back after so long, with its register or without.
    pub fn restart_broker(&mut self, for_ns: u64, register: Kept) {
        for node in 0..self.nodes.len() {
            self.cut_from_broker(node);
        }
        if register == Kept::Nothing {
            self.lose_register();
        }
        self.plan(self.now + for_ns, Happening::BrokerBack);
    }

    pub(super) fn broker_back(&mut self) {
        for node in 0..self.nodes.len() {
            self.reach_broker(node);
        }
    }

    /// A node does not reach the broker any more, and so nobody.
    pub fn cut_from_broker(&mut self, index: usize) {
        self.broker().cut[index] = true;
        self.drop_common(index);
        for wire in self.wires_of(index) {
            self.disconnect(wire);
        }
    }

    /// It reaches it again.
    pub fn reach_broker(&mut self, index: usize) {
        self.broker().cut[index] = false;
        self.raise_common(index);
        self.link_listed(index);
    }

    /// A subscriber is dropped: its common link is down until it is raised.
    pub fn drop_common(&mut self, index: usize) {
        if let Some(node) = self.nodes[index].as_mut()
            && let Some(link) = node.common.take()
        {
            self.input(index, Input::LinkDown { link });
        }
    }

    /// Its common link comes up.
    pub fn raise_common(&mut self, index: usize) {
        if self.broker.as_ref().is_none_or(|broker| broker.cut[index] || broker.has_no_common) {
            return;
        }
        self.next_link += 1;
        let link = LinkId(self.next_link);
        if let Some(node) = self.nodes[index].as_mut().filter(|node| node.common.is_none()) {
            node.common = Some(link);
            self.input(index, Input::CommonUp { link });
        }
    }

    /// Takes what a node asks of the register to the broker.
    pub(super) fn ask_broker(&mut self, index: usize) {
        let Some(node) = self.nodes[index].as_mut() else { return };
        let requests = std::mem::take(&mut node.requests);
        let own = node.machine.stream();
        for request in requests {
            if self.broker.as_ref().is_none_or(|broker| broker.cut[index]) {
                continue;
            }
            let jitter = self.broker().jitter;
            let extra = if jitter == 0 { 0 } else { self.random.below(jitter) };
            let (now, broker) = (self.now, self.broker());
            let at = (now + broker.delay + extra).max(broker.arrival[index]);
            broker.arrival[index] = at;
            self.plan(at, Happening::Ask { node: index, own, request: Box::new(request) });
        }
    }

    pub(super) fn at_broker(&mut self, index: usize, own: Stream, request: &RegisterRequest) {
        let now = self.now;
        let Some(broker) = self.broker.as_mut().filter(|broker| !broker.cut[index]) else { return };
        let answer = broker.carry_out(index, own, request, now);
        let delay = broker.delay;
        match request {
            RegisterRequest::Enter(_) => self.link_listed(index),
            RegisterRequest::Retire(_) | RegisterRequest::Expel { .. } => self.unlink_ended(),
            RegisterRequest::Read { .. } => {}
        }
        if let Some(listing) = answer {
            let at = now + delay;
            self.plan(at, Happening::Answer { node: index, own, listing: Box::new(listing) });
        }
    }

    pub(super) fn take_listing(&mut self, index: usize, own: Stream, listing: Listing) {
        let is_cut = self.broker().cut[index];
        let is_its =
            self.nodes[index].as_ref().is_some_and(|node| node.machine.stream().process == own.process);
        if is_its && !is_cut {
            self.input(index, Input::Listed(listing));
        }
    }

    /// A link to each listed process.
    fn link_listed(&mut self, index: usize) {
        let broker = self.broker();
        if broker.cut[index] {
            return;
        }
        let listed: Vec<_> = broker.entries.values().map(|row| row.node).collect();
        for other in listed {
            if other != index && !self.broker().cut[other] {
                self.connect_in(pair(index, other), MS);
            }
        }
    }

    /// No link to a process all of whose entries have ended.
    fn unlink_ended(&mut self) {
        let gone: Vec<_> = (0..self.nodes.len())
            .filter(|index| {
                let Some(node) = &self.nodes[*index] else { return false };
                let process = node.machine.stream().process;
                let Some(broker) = &self.broker else { return false };
                let is_its = |stream: Stream| stream.process == process;
                broker.ended.iter().any(|(ended, _)| is_its(ended.stream))
                    && !broker.entries.keys().any(|stream| is_its(*stream))
            })
            .collect();
        for index in gone {
            for wire in self.wires_of(index) {
                self.disconnect(wire);
            }
        }
    }

    /// A message goes to all who have a common link.
    pub(super) fn send_common(&mut self, from: usize, message: &Message) {
        self.sent += 1;
        let Some(broker) = self.broker.as_ref().filter(|broker| !broker.cut[from]) else { return };
        let (delay, jitter, lost) = (broker.delay, broker.jitter, broker.lost_of_1000);
        for to in (0..self.nodes.len()).filter(|to| *to != from) {
            let Some(link) = self.nodes[to].as_ref().and_then(|node| node.common) else { continue };
            if self.filter.as_mut().is_some_and(|drops| drops(from, to, message)) {
                continue;
            }
            if lost > 0 && self.random.below(1_000) < lost {
                continue;
            }
            let extra = if jitter == 0 { 0 } else { self.random.below(jitter) };
            let at = self.now + 2 * delay + extra;
            self.plan(at, Happening::Deliver { link, to, message: Box::new(message.clone()) });
        }
    }
}

/// What a broker still has after it was restarted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Its register.
    Register,
    /// Nothing.
    Nothing,
}
