//! The world: nodes, wires between them, virtual time.

use std::collections::BTreeMap;

use bytes::Bytes;
use unstale_core::{
    Act, Batch, Config, HostProof, Input, Mechanism, Mechanisms, Membership, Message, Name, Order, ProcessId,
    Range, Seq, Slot, Stream,
};

use super::agenda::{Agenda, Happening};
use super::broker::Broker;
use super::node::{Node, act_in, key_act, name, true_wall_ms};
use super::truth::{Record, Truth};
use super::wire::{Random, Wire, pair};
use crate::violation::{Promise, Violation};

/// A millisecond of the world.
pub const MS: u64 = 1_000_000;
/// A second of the world.
pub const SECOND: u64 = 1_000 * MS;

/// Whether a message from one node to another is dropped.
pub type Filter = Box<dyn FnMut(usize, usize, &Message) -> bool>;

/// Nodes and wires. Whatever a node says is checked at once; the first promise that is broken stays the verdict, and time stands
/// still from then on.
pub struct World {
    /// Its time, in nanoseconds.
    pub now: u64,
    /// The nodes that are alive.
    pub nodes: Vec<Option<Node>>,
    /// The wires, by the nodes between which they lie.
    pub wires: BTreeMap<(usize, usize), Wire>,
    /// What really happened.
    pub truth: Truth,
    /// Its dice.
    pub random: Random,
    /// Drops the messages for which it says so: source, target, message.
    pub filter: Option<Filter>,
    /// How many messages were sent.
    pub sent: u64,
    /// The first promise that was broken.
    pub violation: Option<Violation>,
    /// What the nodes talk through, if their members are registered.
    pub broker: Option<Broker>,
    pub(super) agenda: Agenda,
    pub(super) next_link: u64,
    configs: Vec<Config>,
    next_process: u128,
    /// The clocks of processes that start begin here, if a scenario says so.
    next_offset: Option<u64>,
    next_wall_skew_ms: i64,
    /// Whether each node dials the others under addresses that only it knows.
    pub(super) has_proxies: bool,
}

/// What the membership of all nodes of a world is.
#[derive(Clone, Copy, Debug)]
pub enum Members {
    /// All others are listed.
    Fixed,
    /// Whoever is found.
    Elastic,
    /// Whoever is in the register of the world's broker.
    Registered,
}

impl World {
    /// `count` nodes called a, b, c, …, none of them started.
    pub fn new(count: usize, members: Members, seed: u64) -> Self {
        let broker = matches!(members, Members::Registered).then(|| Broker::new(count));
        let names: Vec<Name> = (0..count).map(|index| name(&letter(index))).collect();
        let config = |index: usize| {
            let slots = (0..count).filter(|other| *other != index);
            let slots = slots
                .map(|other| Slot { name: Some(names[other].clone()), address: address(other) })
                .collect();
            let membership = match members {
                Members::Fixed => Membership::Fixed(slots),
                Members::Elastic => Membership::Elastic,
                Members::Registered => Membership::Registered,
            };
            Config {
                address: broker.is_none().then(|| address(index)),
                ..Config::new(name("shop"), names[index].clone(), membership)
            }
        };
        let pairs = (0..count).flat_map(|a| (a + 1..count).map(move |b| (a, b)));
        let order = if broker.is_some() { Order::Unordered } else { Order::Fifo };
        let wire = || Wire { order, ..Wire::default() };
        Self {
            now: SECOND,
            nodes: (0..count).map(|_| None).collect(),
            wires: pairs.map(|pair| (pair, wire())).collect(),
            configs: (0..count).map(config).collect(),
            broker,
            truth: Truth::default(),
            random: Random(seed | 1),
            filter: None,
            sent: 0,
            violation: None,
            agenda: Agenda::default(),
            next_link: 0,
            next_process: 1,
            next_offset: None,
            next_wall_skew_ms: 0,
            has_proxies: false,
        }
    }

    /// A world whose nodes are all started, and joined.
    pub fn joined(count: usize, members: Members, seed: u64) -> Self {
        Self::new(count, members, seed).join()
    }

    /// With a mechanism switched off, if it is one of the protocol.
    #[must_use]
    pub fn without(mut self, mechanism: Option<&str>) -> Self {
        for config in &mut self.configs {
            config.mechanisms = Mechanisms::without(mechanism.and_then(Mechanism::from_name));
        }
        self
    }

    /// All nodes prove what only one process can hold (P-30).
    #[must_use]
    pub fn on_one_host(mut self) -> Self {
        for (index, config) in self.configs.iter_mut().enumerate() {
            config.host_proof =
                Some(HostProof { boot: "boot".into(), namespace: "net".into(), address: address(index) });
        }
        self
    }

    /// Each node dials each other one under an address of its own, and is told no names.
    #[must_use]
    pub fn behind_proxies(mut self) -> Self {
        let count = self.configs.len();
        for (index, config) in self.configs.iter_mut().enumerate() {
            let others = (0..count).filter(|other| *other != index);
            let slots = others.map(|other| Slot { name: None, address: proxy(index, other) }).collect();
            config.membership = Membership::Fixed(slots);
        }
        self.has_proxies = true;
        self
    }

    /// Every message takes this long.
    #[must_use]
    pub fn delayed(mut self, ns: u64) -> Self {
        for wire in self.wires.values_mut() {
            wire.delay = ns;
        }
        self
    }

    /// Links deliver in any order, and may lose messages.
    #[must_use]
    pub fn unordered(mut self) -> Self {
        for wire in self.wires.values_mut() {
            wire.order = Order::Unordered;
        }
        self
    }

    /// Starts all, and waits a second until they have joined, or five until they may in a register that is new.
    #[must_use]
    pub fn join(mut self) -> Self {
        self.start_all();
        self.run_for(if self.broker.is_some() { 5 * SECOND } else { SECOND });
        self.demand_joined();
        self
    }

    /// Starts all.
    pub fn start_all(&mut self) {
        for index in 0..self.nodes.len() {
            self.start(index);
        }
    }

    /// What a node will be told when it starts.
    pub fn config_mut(&mut self, index: usize) -> &mut Config {
        &mut self.configs[index]
    }

    /// Starts a node's process anew.
    pub fn start(&mut self, index: usize) {
        let stream = Stream::first(ProcessId(self.next_process << 64 | u128::from(self.random.draw())));
        self.next_process += 1;
        let drawn = self.random.below(1_000_000) * SECOND;
        let offset = self.next_offset.take().unwrap_or(drawn);
        let mut node = Node::new(self.configs[index].clone(), stream, offset, self.now);
        node.wall_skew_ms = std::mem::take(&mut self.next_wall_skew_ms);
        node.drain(self.now, &self.truth);
        self.nodes[index] = Some(node);
        self.after(index);
        if self.broker.is_some() {
            return self.raise_common(index);
        }
        for wire in self.wires_of(index) {
            self.connect_in(wire, MS);
        }
    }

    /// The same, with a clock that is the world's plus `offset`.
    pub fn start_with_clock(&mut self, index: usize, offset: u64) {
        self.next_offset = Some(offset);
        self.start(index);
    }

    /// The same, with a wall clock that is off.
    pub fn start_with_wall(&mut self, index: usize, skew_ms: i64) {
        self.next_wall_skew_ms = skew_ms;
        self.start(index);
    }

    /// Kills a node's process: what it was given to send and did not is lost.
    pub fn kill(&mut self, index: usize) {
        if let Some(node) = self.nodes[index].take() {
            self.truth.gone.insert(node.machine.stream());
        }
        for wire in self.wires_of(index) {
            self.disconnect(wire);
        }
    }

    /// A node says goodbye.
    pub fn leave(&mut self, index: usize) {
        let stream = self.stream(index);
        self.truth.gone.insert(stream);
        self.input(index, Input::Leave);
    }

    /// Stops a node; its links stay up and what is sent to it waits.
    pub fn pause(&mut self, index: usize, for_ns: u64) {
        self.node(index).paused = true;
        self.plan(self.now + for_ns, Happening::Resume { node: index });
    }

    /// Breaks the connection of a wire; it comes back when it is mended.
    pub fn cut(&mut self, a: usize, b: usize) {
        let wire = pair(a, b);
        self.wire(a, b).is_cut = true;
        self.disconnect(wire);
    }

    /// Mends a wire that was cut or stalled; what was held goes first.
    pub fn mend(&mut self, a: usize, b: usize) {
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
    pub fn stall(&mut self, from: usize, to: usize) {
        self.wire(from, to).is_stalled[super::wire::direction(from, to)] = true;
    }

    /// Goes on with what was held one way.
    pub fn release(&mut self, from: usize, to: usize) {
        let way = super::wire::direction(from, to);
        let wire = self.wire(from, to);
        wire.is_stalled[way] = false;
        for (link, to, message) in std::mem::take(&mut wire.held[way]) {
            self.carry(pair(from, to), way, link, to, message);
        }
    }

    /// Cuts a node off from all others.
    pub fn isolate(&mut self, index: usize) {
        for other in (0..self.nodes.len()).filter(|other| *other != index) {
            self.cut(index, other);
        }
    }

    /// Mends all wires.
    pub fn mend_all(&mut self) {
        for (a, b) in self.wires.keys().copied().collect::<Vec<_>>() {
            self.mend(a, b);
        }
    }

    /// An act of a node: it gets its number, and the driver is told at once.
    pub fn write(&mut self, index: usize, key: u64) -> Stream {
        let stream = self.append(index, key);
        self.hand_over(index);
        stream
    }

    /// The same in another cache than `users`.
    pub fn write_in(&mut self, index: usize, cache: &str, key: u64) {
        self.append_all(index, &[act_in(cache, key)], Batch::Loose);
        self.hand_over(index);
    }

    /// A commit: several acts that readers have to see whole.
    pub fn commit(&mut self, index: usize, keys: Range) {
        let acts: Vec<_> = (keys.first.0..=keys.last.0).map(key_act).collect();
        self.append_all(index, &acts, Batch::Whole);
        self.hand_over(index);
    }

    /// An act of a node that its driver was not told of yet.
    pub fn append(&mut self, index: usize, key: u64) -> Stream {
        self.append_all(index, &[key_act(key)], Batch::Loose)
    }

    fn append_all(&mut self, index: usize, acts: &[Act], batch: Batch) -> Stream {
        let now = self.now;
        let node = self.node(index);
        let (appended, announced) = node.append(now, acts, batch);
        let (stream, stamp, is_right) = (appended.stream, appended.stamp, node.wall_skew_ms == 0);
        let whole = (batch == Batch::Whole).then_some(appended.range);
        for (act, seq) in acts.iter().zip(appended.range.first.0..) {
            let subject = act.subject.clone();
            let record = Record { stream, seq: Seq(seq), whole, subject, at: now, announced };
            self.truth.records.push(record);
            self.tell_the_checks(index);
        }
        // A store never replaces newer by older: who has the right time must not be ahead of others who have (P-37).
        let is_in_order = !is_right || stamp.millis() <= true_wall_ms(now) + 1_000;
        self.demand(Promise::P1, is_in_order, "a stamp runs ahead of the time, and later values lose to it");
        stream
    }

    /// The last record is of a call that returned on `index`; all others have to apply it now, and may not say that they have.
    fn tell_the_checks(&mut self, index: usize) {
        let (now, last) = (self.now, self.truth.records.len() - 1);
        let (stream, is_announced) = (self.truth.records[last].stream, self.truth.records[last].announced);
        for other in (0..self.nodes.len()).filter(|other| *other != index) {
            let Some(node) = self.nodes[other].as_mut().filter(|node| node.stores.is_some()) else {
                continue;
            };
            node.missing.add(last);
            let count = node.check_count(&self.truth, stream);
            let proof = if is_announced && node.proof == unstale_core::Proof::Present {
                // A read that begins just after.
                node.check_proof(now + 1, &self.truth)
            } else {
                Ok(())
            };
            if let Err(violation) = count.and(proof) {
                self.violation.get_or_insert(violation);
            }
        }
    }

    /// The driver of a node drains its log.
    pub fn hand_over(&mut self, index: usize) {
        let now = self.now;
        if let Some(node) = self.nodes[index].as_mut().filter(|node| !node.paused) {
            node.hand_over(now, &self.truth);
            self.after(index);
        }
    }

    /// Tells a node's machine something.
    pub fn input(&mut self, index: usize, input: Input) {
        let Some(node) = self.nodes[index].as_mut() else { return };
        if node.paused {
            node.inbox.push_back(input);
        } else {
            self.feed(index, input);
            self.after(index);
        }
    }

    /// The same, and nothing is sent yet.
    pub(super) fn feed(&mut self, index: usize, input: Input) {
        let Some(node) = self.nodes[index].as_mut() else { return };
        let stream = node.machine.stream();
        node.handle(self.now, input, &self.truth);
        let next = node.machine.stream();
        if next != stream {
            self.truth.gone.insert(stream);
            let settles = next.incarnation.0 < 50;
            self.demand(Promise::P9, settles, "a node takes incarnation after incarnation");
        }
    }

    pub(super) fn wires_of(&self, index: usize) -> Vec<(usize, usize)> {
        self.wires.keys().copied().filter(|(a, b)| *a == index || *b == index).collect()
    }
}

/// The name of a node.
pub fn letter(index: usize) -> String {
    char::from(b'a' + index as u8).to_string()
}

/// The address of a node.
pub fn address(index: usize) -> Bytes {
    Bytes::from(format!("127.0.0.1:{}", 7001 + index))
}

/// The address under which one node dials another through its own proxy.
pub fn proxy(from: usize, to: usize) -> Bytes {
    Bytes::from(format!("10.0.{from}.{to}:7000"))
}
