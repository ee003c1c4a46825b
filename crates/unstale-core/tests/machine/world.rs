//! The world: nodes, wires between them, virtual time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use bytes::Bytes;
use unstale_core::{
    Config, HostProof, Input, LinkId, Membership, Message, Name, Order, ProcessId, Slot, Stream,
};

use crate::node::{Node, Record, key_act, name};
use crate::wire::{Random, Wire, direction, pair};

pub(crate) const MS: u64 = 1_000_000;
pub(crate) const SECOND: u64 = 1_000 * MS;

enum Happening {
    Deliver { link: LinkId, to: usize, message: Box<Message> },
    Tick { node: usize },
    Writable { node: usize },
    Connect { wire: (usize, usize) },
    Resume { node: usize },
}

/// Whether a message from one node to another is dropped.
type Filter = Box<dyn FnMut(usize, usize, &Message) -> bool>;

pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) nodes: Vec<Option<Node>>,
    pub(crate) wires: BTreeMap<(usize, usize), Wire>,
    pub(crate) records: Vec<Record>,
    pub(crate) random: Random,
    configs: Vec<Config>,
    happenings: BTreeMap<u64, Happening>,
    agenda: BinaryHeap<Reverse<(u64, u64)>>,
    next_happening: u64,
    next_link: u64,
    next_process: u128,
    /// Drops the messages for which it says so: source, target, message.
    pub(crate) filter: Option<Filter>,
    pub(crate) sent: u64,
    /// How much happened at this very time.
    at_once: u32,
    /// Whether each node dials the others under addresses that only it knows.
    has_proxies: bool,
}

/// What the membership of all nodes of a world is.
#[derive(Clone, Copy)]
pub(crate) enum Members {
    Fixed,
    Elastic,
}

impl World {
    /// `count` nodes called a, b, c, …, none of them started.
    pub(crate) fn new(count: usize, members: Members, seed: u64) -> Self {
        let names: Vec<Name> = (0..count).map(|index| name(&letter(index))).collect();
        let config = |index: usize| {
            let slots = (0..count).filter(|other| *other != index);
            let slots = slots
                .map(|other| Slot { name: Some(names[other].clone()), address: address(other) })
                .collect();
            let membership = match members {
                Members::Fixed => Membership::Fixed(slots),
                Members::Elastic => Membership::Elastic,
            };
            Config {
                address: Some(address(index)),
                ..Config::new(name("shop"), names[index].clone(), membership)
            }
        };
        let pairs = (0..count).flat_map(|a| (a + 1..count).map(move |b| (a, b)));
        Self {
            now: SECOND,
            nodes: (0..count).map(|_| None).collect(),
            wires: pairs.map(|pair| (pair, Wire::default())).collect(),
            records: Vec::new(),
            random: Random(seed | 1),
            configs: (0..count).map(config).collect(),
            happenings: BTreeMap::new(),
            agenda: BinaryHeap::new(),
            next_happening: 0,
            next_link: 0,
            next_process: 1,
            filter: None,
            sent: 0,
            at_once: 0,
            has_proxies: false,
        }
    }

    /// A world whose nodes are all started, and joined.
    pub(crate) fn joined(count: usize, members: Members, seed: u64) -> Self {
        let mut world = Self::new(count, members, seed);
        world.start_all();
        world.run_for(SECOND);
        world.assert_joined();
        world
    }

    pub(crate) fn start_all(&mut self) {
        for index in 0..self.nodes.len() {
            self.start(index);
        }
    }

    pub(crate) fn config_mut(&mut self, index: usize) -> &mut Config {
        &mut self.configs[index]
    }

    /// All nodes prove what only one process can hold (P-30).
    pub(crate) fn on_one_host(mut self) -> Self {
        for (index, config) in self.configs.iter_mut().enumerate() {
            config.host_proof =
                Some(HostProof { boot: "boot".into(), namespace: "net".into(), address: address(index) });
        }
        self
    }

    /// Each node dials each other one under an address of its own, and is told no names.
    pub(crate) fn behind_proxies(mut self) -> Self {
        let count = self.configs.len();
        for (index, config) in self.configs.iter_mut().enumerate() {
            let others = (0..count).filter(|other| *other != index);
            let slots = others.map(|other| Slot { name: None, address: proxy(index, other) }).collect();
            config.membership = Membership::Fixed(slots);
        }
        self.has_proxies = true;
        self
    }

    /// Starts a node's process anew.
    pub(crate) fn start(&mut self, index: usize) {
        let stream = Stream::first(ProcessId(self.next_process << 64 | u128::from(self.random.next())));
        self.next_process += 1;
        let offset = self.random.below(1_000_000) * SECOND;
        let mut node = Node::new(self.configs[index].clone(), stream, offset, self.now);
        node.drain(self.now, &self.records);
        self.nodes[index] = Some(node);
        self.after(index);
        for wire in self.wires_of(index) {
            self.connect_in(wire, MS);
        }
    }

    /// Kills a node's process: what it was given to send and did not is lost.
    pub(crate) fn kill(&mut self, index: usize) {
        self.nodes[index] = None;
        for wire in self.wires_of(index) {
            self.disconnect(wire);
        }
    }

    /// Stops a node; its links stay up and what is sent to it waits.
    pub(crate) fn pause(&mut self, index: usize, for_ns: u64) {
        self.node(index).paused = true;
        self.plan(self.now + for_ns, Happening::Resume { node: index });
    }

    /// Breaks the connection of a wire; it comes back when it is mended.
    pub(crate) fn cut(&mut self, a: usize, b: usize) {
        let wire = pair(a, b);
        self.wire(a, b).is_cut = true;
        self.disconnect(wire);
    }

    pub(crate) fn mend(&mut self, a: usize, b: usize) {
        let wire = self.wire(a, b);
        wire.is_cut = false;
        wire.is_stalled = [false; 2];
        for direction in 0..2 {
            for (link, to, message) in std::mem::take(&mut self.wire(a, b).held[direction]) {
                self.carry(pair(a, b), direction, link, to, message);
            }
        }
        self.connect_in(pair(a, b), 50 * MS);
    }

    /// Holds what `from` sends to `to`; the connection stays up.
    pub(crate) fn stall(&mut self, from: usize, to: usize) {
        self.wire(from, to).is_stalled[direction(from, to)] = true;
    }

    pub(crate) fn isolate(&mut self, index: usize) {
        for other in (0..self.nodes.len()).filter(|other| *other != index) {
            self.cut(index, other);
        }
    }

    pub(crate) fn mend_all(&mut self) {
        for (a, b) in self.wires.keys().copied().collect::<Vec<_>>() {
            self.mend(a, b);
        }
    }

    /// An act of a node: it gets its number, and the driver is told at once.
    pub(crate) fn write(&mut self, index: usize, key: u64) -> Stream {
        let stream = self.append(index, key);
        self.hand_over(index);
        stream
    }

    /// An act of a node that its driver was not told of yet.
    pub(crate) fn append(&mut self, index: usize, key: u64) -> Stream {
        let now = self.now;
        let act = key_act(key);
        let (stream, range, announced) = self.node(index).append(now, std::slice::from_ref(&act));
        self.records.push(Record { stream, seq: range.first, subject: act.subject, at: now, announced });
        for (_, node) in self.nodes.iter_mut().enumerate().filter(|(other, _)| *other != index) {
            if let Some(node) = node.as_mut().filter(|node| node.stores.is_some()) {
                node.missing.push(self.records.len() - 1);
            }
        }
        stream
    }

    pub(crate) fn hand_over(&mut self, index: usize) {
        let now = self.now;
        if let Some(node) = self.nodes[index].as_mut().filter(|node| !node.paused) {
            node.hand_over(now, &self.records);
            self.after(index);
        }
    }

    pub(crate) fn input(&mut self, index: usize, input: Input) {
        let now = self.now;
        let Some(node) = self.nodes[index].as_mut() else { return };
        if node.paused {
            node.inbox.push_back(input);
        } else {
            node.handle(now, input, &self.records);
            self.after(index);
        }
    }

    pub(crate) fn run_for(&mut self, ns: u64) {
        self.run_until(self.now + ns);
    }

    pub(crate) fn run_until(&mut self, end: u64) {
        while let Some(Reverse((at, id))) = self.agenda.peek().copied() {
            if at > end {
                break;
            }
            self.agenda.pop();
            self.at_once = if at == self.now { self.at_once + 1 } else { 0 };
            assert!(self.at_once < 100_000, "time stands still\n{}", self.describe());
            self.now = at;
            if let Some(happening) = self.happenings.remove(&id) {
                self.happen(happening);
            }
        }
        self.now = end;
    }

    /// Runs until a condition holds; panics if that takes longer than `within`. Returns how long it took.
    pub(crate) fn run_until_true(
        &mut self,
        within: u64,
        what: &str,
        mut holds: impl FnMut(&Self) -> bool,
    ) -> u64 {
        let begin = self.now;
        while !holds(self) {
            assert!(self.now < begin + within, "not within {} ms: {what}\n{}", within / MS, self.describe());
            self.run_for(MS);
        }
        self.now - begin
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Deliver { link, to, message } => {
                let known = self.nodes[to].as_ref().is_some_and(|node| node.links.contains_key(&link));
                if known {
                    self.input(to, Input::Message { link, message: *message });
                }
            }
            Happening::Tick { node } => {
                let now = self.now;
                let Some(alive) = self.nodes[node].as_mut() else { return };
                alive.tick_at = None;
                if alive.paused {
                    return;
                }
                let due = alive.machine.poll_timeout().is_some_and(|(due, _)| due <= alive.local(now));
                if due {
                    alive.handle(now, Input::Tick, &self.records);
                }
                self.after(node);
            }
            Happening::Writable { node } => self.after(node),
            Happening::Connect { wire } => self.connect(wire),
            Happening::Resume { node } => self.resume(node),
        }
    }

    fn resume(&mut self, index: usize) {
        let now = self.now;
        let Some(node) = self.nodes[index].as_mut() else { return };
        node.paused = false;
        while let Some(input) = node.inbox.pop_front() {
            node.handle(now, input, &self.records);
        }
        node.handle(now, Input::Tick, &self.records);
        self.after(index);
    }

    /// What a driver does after each input: it transmits, and plans its wake-up.
    fn after(&mut self, index: usize) {
        let now = self.now;
        let links: Vec<_> = match &self.nodes[index] {
            Some(node) if !node.paused => node.links.iter().map(|(link, peer)| (*link, *peer)).collect(),
            _ => return,
        };
        for (link, peer) in links {
            loop {
                let wire = self.wires.get_mut(&pair(index, peer)).unwrap();
                let way = direction(index, peer);
                if wire.cost > 0 && now < wire.free[way] {
                    let at = wire.free[way];
                    self.plan(at, Happening::Writable { node: index });
                    break;
                }
                wire.free[way] = now + wire.cost;
                let Some(message) = self.nodes[index].as_mut().and_then(|node| node.transmit(now, link))
                else {
                    break;
                };
                self.send(index, peer, link, message);
            }
        }
        let node = self.nodes[index].as_mut().unwrap();
        if let Some((due, _)) = node.machine.poll_timeout() {
            let at = due.0.saturating_sub(node.offset).max(now);
            if node.tick_at.is_none_or(|planned| at < planned) {
                node.tick_at = Some(at);
                self.plan(at, Happening::Tick { node: index });
            }
        }
    }

    fn send(&mut self, from: usize, to: usize, link: LinkId, message: Message) {
        self.sent += 1;
        if self.filter.as_mut().is_some_and(|drops| drops(from, to, &message)) {
            return;
        }
        let way = direction(from, to);
        let wire = self.wires.get_mut(&pair(from, to)).unwrap();
        if wire.is_stalled[way] {
            wire.held[way].push((link, to, message));
        } else if wire.order == Order::Fifo || self.random.below(1_000) >= wire.lost_of_1000 {
            self.carry(pair(from, to), way, link, to, message);
        }
    }

    fn carry(&mut self, wire: (usize, usize), way: usize, link: LinkId, to: usize, message: Message) {
        let extra = self.wires[&wire].jitter;
        let extra = if extra == 0 { 0 } else { self.random.below(extra) };
        let wire = self.wires.get_mut(&wire).unwrap();
        let mut at = self.now + wire.delay + extra;
        if wire.order == Order::Fifo {
            at = at.max(wire.arrival[way]);
            wire.arrival[way] = at;
        }
        self.plan(at, Happening::Deliver { link, to, message: Box::new(message) });
    }

    fn connect_in(&mut self, wire: (usize, usize), ns: u64) {
        self.plan(self.now + ns, Happening::Connect { wire });
    }

    fn connect(&mut self, (a, b): (usize, usize)) {
        let wire = &self.wires[&(a, b)];
        if wire.is_cut || wire.link.is_some() || self.nodes[a].is_none() || self.nodes[b].is_none() {
            return;
        }
        self.next_link += 1;
        let (link, order) = (LinkId(self.next_link), wire.order);
        self.wire(a, b).link = Some(link);
        self.node(a).links.insert(link, b);
        self.node(b).links.insert(link, a);
        let dialled = if self.has_proxies { proxy(a, b) } else { address(b) };
        self.input(a, Input::LinkUp { link, order, dialled: Some(dialled) });
        self.input(b, Input::LinkUp { link, order, dialled: None });
        if self.has_proxies {
            self.input(b, Input::Recognised { link, dialled: proxy(b, a) });
        }
    }

    fn disconnect(&mut self, (a, b): (usize, usize)) {
        let wire = self.wire(a, b);
        wire.held = Default::default();
        wire.is_stalled = [false; 2];
        let Some(link) = wire.link.take() else { return };
        for index in [a, b] {
            if let Some(node) = &mut self.nodes[index] {
                node.links.remove(&link);
                self.input(index, Input::LinkDown { link });
            }
        }
    }

    fn wires_of(&self, index: usize) -> Vec<(usize, usize)> {
        self.wires.keys().copied().filter(|(a, b)| *a == index || *b == index).collect()
    }

    fn plan(&mut self, at: u64, happening: Happening) {
        self.next_happening += 1;
        self.happenings.insert(self.next_happening, happening);
        self.agenda.push(Reverse((at, self.next_happening)));
    }
}

pub(crate) fn letter(index: usize) -> String {
    char::from(b'a' + index as u8).to_string()
}

pub(crate) fn address(index: usize) -> Bytes {
    Bytes::from(format!("127.0.0.1:{}", 7001 + index))
}

fn proxy(from: usize, to: usize) -> Bytes {
    Bytes::from(format!("10.0.{from}.{to}:7000"))
}
