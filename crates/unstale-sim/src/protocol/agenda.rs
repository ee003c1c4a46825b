//! What will happen, and how time passes.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use unstale_core::{Input, LinkId, Listing, Message, Order, RegisterRequest, Stream};

use super::wire::{direction, pair};
use super::world::{World, address, proxy};
use crate::violation::Promise;

/// What will happen.
pub(super) enum Happening {
    Deliver { link: LinkId, to: usize, message: Box<Message> },
    Tick { node: usize },
    Writable { node: usize },
    Connect { wire: (usize, usize) },
    Resume { node: usize },
    Ask { node: usize, own: Stream, request: Box<RegisterRequest> },
    Answer { node: usize, own: Stream, listing: Box<Listing> },
    BrokerBack,
}

/// What will happen, by when.
#[derive(Default)]
pub(super) struct Agenda {
    happenings: BTreeMap<u64, Happening>,
    order: BinaryHeap<Reverse<(u64, u64)>>,
    next: u64,
    /// How much happened at this very time.
    at_once: u32,
}

impl Agenda {
    fn plan(&mut self, at: u64, happening: Happening) {
        self.next += 1;
        self.happenings.insert(self.next, happening);
        self.order.push(Reverse((at, self.next)));
    }

    /// The next one, if it is due by `end`.
    fn pop(&mut self, end: u64) -> Option<(u64, Happening)> {
        let Reverse((at, id)) = self.order.peek().copied().filter(|Reverse((at, _))| *at <= end)?;
        self.order.pop();
        Some((at, self.happenings.remove(&id)?))
    }
}

impl World {
    /// Lets time pass.
    pub fn run_for(&mut self, ns: u64) {
        self.run_until(self.now + ns);
    }

    /// Lets time pass until then, or until a promise is broken.
    pub fn run_until(&mut self, end: u64) {
        while self.violation.is_none()
            && let Some((at, happening)) = self.agenda.pop(end)
        {
            self.agenda.at_once = if at == self.now { self.agenda.at_once + 1 } else { 0 };
            self.demand(Promise::P9, self.agenda.at_once < 100_000, "time stands still");
            self.now = at;
            self.happen(happening);
        }
        self.now = end;
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Deliver { link, to, message } => {
                let has =
                    |node: &super::node::Node| node.links.contains_key(&link) || node.common == Some(link);
                let known = self.nodes[to].as_ref().is_some_and(has);
                if known {
                    self.input(to, Input::Message { link, message: *message });
                }
            }
            Happening::Tick { node } => self.tick(node),
            Happening::Writable { node } => self.after(node),
            Happening::Connect { wire } => self.connect(wire),
            Happening::Resume { node } => self.resume(node),
            Happening::Ask { node, own, request } => self.at_broker(node, own, &request),
            Happening::Answer { node, own, listing } => self.take_listing(node, own, *listing),
            Happening::BrokerBack => self.broker_back(),
        }
    }

    fn tick(&mut self, index: usize) {
        let now = self.now;
        let Some(node) = self.nodes[index].as_mut() else { return };
        node.tick_at = None;
        if node.paused {
            return;
        }
        if node.machine.poll_timeout().is_some_and(|(due, _)| due <= node.local(now)) {
            self.input(index, Input::Tick);
        } else {
            self.after(index);
        }
    }

    fn resume(&mut self, index: usize) {
        let Some(node) = self.nodes[index].as_mut() else { return };
        node.paused = false;
        let inbox = std::mem::take(&mut node.inbox);
        for input in inbox {
            self.feed(index, input);
        }
        self.input(index, Input::Tick);
    }

    /// What a driver does after each input: it transmits, and plans its wake-up.
    pub(super) fn after(&mut self, index: usize) {
        let now = self.now;
        let links: Vec<_> = match &self.nodes[index] {
            Some(node) if !node.paused => node.links.iter().map(|(link, peer)| (*link, *peer)).collect(),
            Some(_) | None => return,
        };
        for (link, peer) in links {
            loop {
                let wire = self.wires.get_mut(&pair(index, peer)).unwrap();
                let way = direction(index, peer);
                if wire.cost > 0 && now < wire.free[way] {
                    let at = wire.free[way];
                    if std::mem::replace(&mut wire.planned[way], at) != at {
                        self.plan(at, Happening::Writable { node: index });
                    }
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
        while let Some(link) = self.nodes[index].as_ref().and_then(|node| node.common)
            && let Some(message) = self.nodes[index].as_mut().and_then(|node| node.transmit(now, link))
        {
            self.send_common(index, &message);
        }
        self.ask_broker(index);
        let Some(node) = self.nodes[index].as_mut() else { return };
        if let Some(violation) = node.violation.take() {
            self.violation.get_or_insert(violation);
        }
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

    pub(super) fn carry(
        &mut self,
        wire: (usize, usize),
        way: usize,
        link: LinkId,
        to: usize,
        message: Message,
    ) {
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

    pub(super) fn connect_in(&mut self, wire: (usize, usize), ns: u64) {
        self.plan(self.now + ns, Happening::Connect { wire });
    }

    fn connect(&mut self, (a, b): (usize, usize)) {
        let wire = &self.wires[&(a, b)];
        if self.broker.as_ref().is_some_and(|broker| broker.is_cut(a) || broker.is_cut(b)) {
            return;
        }
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

    pub(super) fn disconnect(&mut self, (a, b): (usize, usize)) {
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

    pub(super) fn plan(&mut self, at: u64, happening: Happening) {
        self.agenda.plan(at, happening);
    }
}
