//! One machine whose peers are played by the test, message by message.

use unstale_core::{
    Admit, Batch, Beat, Config, Echo, Ended, Frame, Hello, Input, Instant, LinkId, MemberInfo, Membership,
    Message, Order, Output, ProcessId, Range, Scope, Seq, Slot, Stamp, Stream, Voided,
};

use super::node::{Node, key_act, name};
use super::truth::Truth;
use super::world::{MS, SECOND, address, letter};

/// Node a of a fixed list a, b, c, …; peers b, c, … are played.
pub struct Puppet {
    /// Node a.
    pub node: Node,
    /// The time.
    pub now: u64,
    next_link: u64,
}

impl Puppet {
    /// Node a of a list of this many.
    pub fn of(nodes: usize) -> Self {
        let slot = |index| Slot { name: Some(name(&letter(index))), address: address(index) };
        let membership = Membership::Fixed((1..nodes).map(slot).collect());
        Self::with(Config { address: Some(address(0)), ..Config::new(name("shop"), name("a"), membership) })
    }

    /// A node of its own configuration.
    pub fn with(config: Config) -> Self {
        let mut node = Node::new(config, Stream::first(ProcessId(1)), 0, SECOND);
        node.drain(SECOND, &Truth::default());
        Self { node, now: SECOND, next_link: 0 }
    }

    /// Node a, joined with b, c, … over one link each, at the end of which each has given out `last` acts.
    pub fn joined(nodes: usize, last: u64) -> (Self, Vec<LinkId>) {
        let mut puppet = Self::of(nodes);
        let links: Vec<_> = (1..nodes).map(|_| puppet.link_up(Order::Fifo)).collect();
        for (link, index) in links.iter().zip(1..nodes) {
            puppet.hello(*link, index, true);
            puppet.admit(*link, index, last);
        }
        puppet.drain_links();
        (puppet, links)
    }

    /// The first stream of the process of a peer.
    pub fn peer(index: usize) -> Stream {
        Stream::first(ProcessId(100 + index as u128))
    }

    /// Its stream.
    pub fn me(&self) -> Stream {
        self.node.machine.stream()
    }

    /// Tells it something.
    pub fn input(&mut self, input: Input) {
        self.node.handle(self.now, input, &Truth::default());
    }

    /// A message comes in.
    pub fn say(&mut self, link: LinkId, message: Message) {
        self.input(Input::Message { link, message });
    }

    /// A new link.
    pub fn link_up(&mut self, order: Order) -> LinkId {
        self.next_link += 1;
        let link = LinkId(self.next_link);
        self.node.links.insert(link, 0);
        self.input(Input::LinkUp { link, order, dialled: None });
        link
    }

    /// A peer says hello.
    pub fn hello(&mut self, link: LinkId, index: usize, joining: bool) {
        let hello = self.hello_of(Self::peer(index), index, joining);
        self.say(link, Message::Hello(hello));
    }

    /// What it would say.
    pub fn hello_of(&self, stream: Stream, index: usize, joining: bool) -> Hello {
        Hello {
            stream,
            cluster: name("shop"),
            name: name(&letter(index)),
            address: Some(address(index)),
            protocol: (1, 1),
            joining,
            scopes: Vec::new(),
            stamp: Stamp(0),
            last: Seq::ZERO,
            proof: None,
            members: vec![MemberInfo { stream: self.me(), name: name("a"), address: None, have: Seq::ZERO }],
            ended: Vec::new(),
            unknown: Vec::new().into(),
        }
    }

    /// A peer, which gave out `last` acts, admits it.
    pub fn admit(&mut self, link: LinkId, index: usize, last: u64) {
        let admit = self.admit_of(index, last);
        self.say(link, Message::Admit(admit));
    }

    /// What it would say.
    pub fn admit_of(&self, index: usize, last: u64) -> Admit {
        Admit {
            stream: Self::peer(index),
            name: name(&letter(index)),
            address: Some(address(index)),
            scopes: Vec::new(),
            protocol: 1,
            to: self.me(),
            last: Seq(last),
            stamp: Stamp(0),
            known: true,
            view: 0,
            proof: None,
            members: Vec::new(),
            ended: Vec::new(),
        }
    }

    /// A beat of a peer that has the same members, with all its frames sent; it echoes the instant that is given.
    pub fn beat(&self, index: usize, last: u64, echo: u64) -> Beat {
        let stream = Self::peer(index);
        Beat {
            stream,
            sent: Instant(self.now),
            last: Seq(last),
            flushed: Seq(last),
            joining: false,
            view: self.node.machine.status(Instant(self.now)).view,
            answer: false,
            echo: Some(Echo { stream: self.me(), instant: Instant(echo), have: Seq::ZERO }),
            vector: Vec::new(),
            vouches: Vec::new(),
        }
    }

    /// A beat comes in.
    pub fn say_beat(&mut self, link: LinkId, index: usize, last: u64, echo: u64) {
        let beat = self.beat(index, last, echo);
        self.say(link, Message::Beat(beat));
    }

    /// A frame that removes keys of the same numbers.
    pub fn frame(stream: Stream, first: u64, last: u64) -> Frame {
        Frame {
            stream,
            range: Range::new(Seq(first), Seq(last)).unwrap(),
            stamp: Stamp(last),
            scope: Scope(0),
            batch: Batch::Loose,
            hops: 0,
            voided: Voided::Yes,
            acts: (first..=last).map(key_act).collect(),
            unknown: Vec::new().into(),
        }
    }

    /// It comes in.
    pub fn say_frame(&mut self, link: LinkId, index: usize, first: u64, last: u64) {
        self.say(link, Message::Frame(Self::frame(Self::peer(index), first, last)));
    }

    /// All that is waiting for a link.
    pub fn sent(&mut self, link: LinkId) -> Vec<Message> {
        let now = self.now;
        std::iter::from_fn(|| self.node.transmit(now, link)).collect()
    }

    /// Takes all that is waiting.
    pub fn drain_links(&mut self) {
        for link in self.node.links.keys().copied().collect::<Vec<_>>() {
            self.sent(link);
        }
    }

    /// Lets time pass, with ticks when they are due.
    pub fn pass(&mut self, ms: u64) {
        let end = self.now + ms * MS;
        while let Some((due, _)) = self.node.machine.poll_timeout().filter(|(due, _)| due.0 <= end) {
            self.now = self.now.max(due.0);
            self.input(Input::Tick);
        }
        self.now = end;
    }

    /// What is counted of a peer.
    pub fn counted(&self, index: usize) -> u64 {
        self.node.counted.get(&Self::peer(index)).map_or(0, |have| have.0)
    }

    /// How often something was distrusted.
    pub fn distrusts(&self) -> usize {
        self.node.distrusts.iter().filter(|output| matches!(output, Output::Distrust { .. })).count()
    }

    /// An end of a peer, as others tell it.
    pub fn ended(stream: Stream, index: usize, last: u64, cause: unstale_core::EndCause) -> Ended {
        Ended { stream, name: name(&letter(index)), last: Seq(last), cause, ago_ms: 0 }
    }
}
