//! Hello and admission: how two nodes come to track each other (P-25, P-26).

use bytes::Bytes;

use super::link::{BeatDue, Control, Farewell, Link};
use super::member::{Outgoing, Standing};
use super::output::SelfEnd;
use super::{Announce, Event, Machine, Order, Output, Refused, State, WakeReason};
use crate::{Admit, Hello, Instant, LinkId, Mechanism, MemberInfo, Name, Seq, Size, Stream};

/// The versions of the protocol that this machine speaks, first and last.
pub(super) const PROTOCOL: (u16, u16) = (1, 1);

/// What hello and admission say of their sender.
struct Sender<'a> {
    info: MemberInfo,
    scopes: &'a [Name],
    host_proof: Option<&'a crate::HostProof>,
    stamp: crate::Stamp,
}

impl Machine {
    pub(super) fn on_link_up(&mut self, link: LinkId, order: Order, dialled: Option<Bytes>) {
        if self.links.len() >= self.config.limits.links {
            let reason = Refused::TooManyLinks(self.config.limits.links);
            return self.report(Event::Refused { link, reason });
        }
        let replay = Size { bytes: usize::MAX, acts: usize::MAX };
        self.links.insert(link, Link::new(order, dialled, self.now, replay));
        self.greet(link);
    }

    /// Who is at the other end of a link takes the slot of this address, now or when it says hello.
    pub(super) fn on_recognised(&mut self, link: LinkId, dialled: Bytes) {
        let Some(carrier) = self.links.get_mut(&link) else { return };
        let dialled = carrier.dialled.insert(dialled);
        if let Some((stream, member)) = carrier.peer.and_then(|peer| self.members.get_key_value(&peer)) {
            self.slots.greet(*stream, &member.name, member.address.as_ref(), Some(dialled), self.now);
            self.check_joined();
        }
    }

    pub(super) fn on_link_down(&mut self, link: LinkId) {
        self.timers.clear(WakeReason::Tail(link));
        self.timers.clear(WakeReason::Hello(link));
        let Some(gone) = self.links.remove(&link) else { return };
        if gone.farewell == Farewell::Due {
            self.retire_if_said();
        }
        if let Some(peer) = gone.peer {
            // The member stays: its silence stops the proof (P-12). What waited for it is had again by what it will miss.
            let other =
                self.links.iter().rev().find(|(_, other)| other.peer == Some(peer)).map(|(other, _)| *other);
            if let Some(member) = self.members.get_mut(&peer)
                && member.outgoing.as_ref().is_some_and(|outgoing| outgoing.link == link)
            {
                member.outgoing = None;
                if let Some(other) = other {
                    self.send_over(other, peer);
                }
            }
        }
        self.ask_elsewhere(link);
        self.check_joined();
    }

    /// Says hello, again and again until it is answered.
    pub(super) fn greet(&mut self, link: LinkId) {
        if self.joining.state() == State::Left {
            return;
        }
        let Some(carrier) = self.links.get_mut(&link) else { return };
        carrier.answered = false;
        carrier.push(Control::Hello);
        self.timers.set(WakeReason::Hello(link), self.now.plus(self.config.timing.join_window));
    }

    pub(super) fn on_hello_unanswered(&mut self, link: LinkId) {
        if self.links.get(&link).is_some_and(|carrier| !carrier.answered) {
            self.greet(link);
        }
    }

    pub(super) fn hello(&self) -> Hello {
        Hello {
            stream: self.me,
            cluster: self.config.cluster.clone(),
            name: self.config.name.clone(),
            address: self.config.address.clone(),
            protocol: PROTOCOL,
            joining: !self.joining.is_joined(),
            scopes: self.config.scopes.clone(),
            stamp: self.own.stamp,
            last: self.own.last,
            proof: self.config.host_proof.clone(),
            members: self.members_told(),
            ended: self.ended_told(),
            unknown: Bytes::new(),
        }
    }

    pub(super) fn admit(&self, to: Stream, known: bool) -> Admit {
        Admit {
            stream: self.me,
            name: self.config.name.clone(),
            address: self.config.address.clone(),
            scopes: self.config.scopes.clone(),
            protocol: PROTOCOL.1,
            to,
            last: self.own.last,
            stamp: self.own.stamp,
            known,
            view: self.roster.hash(),
            proof: self.config.host_proof.clone(),
            members: self.members_told(),
            ended: self.ended_told(),
        }
    }

    pub(super) fn on_hello(&mut self, link: LinkId, hello: Hello) {
        let stream = hello.stream;
        if let Some(reason) = self.refusal(&hello) {
            return self.report(Event::Refused { link, reason });
        }
        if self.tombs.contains(stream) {
            return self.tell_stranger(link, stream);
        }
        if self.joining.state() == State::Left {
            return;
        }
        let known = self.is_member(stream) || !self.joining.is_joined();
        let sender = Sender {
            info: MemberInfo { stream, name: hello.name, address: hello.address, have: Seq::ZERO },
            scopes: &hello.scopes,
            host_proof: hello.proof.as_ref(),
            stamp: hello.stamp,
        };
        // first-heard-is-hole: tracked from 0 before the answer (P-26).
        self.meet(link, &sender);
        if let Some(member) = self.members.get_mut(&stream) {
            member.joining = hello.joining;
        }
        let me = self.me;
        self.compare(stream, None, &hello.members, &hello.ended);
        if self.me != me || !self.is_member(stream) {
            return;
        }
        self.expect_soon(stream, hello.last);
        self.ask_afresh(stream);
        if self.life.must_compare() {
            // The hello is repeated until it is answered (P-41).
            return;
        }
        if let Some(carrier) = self.links.get_mut(&link) {
            carrier.push(Control::Admit { to: stream, known });
        }
        self.tell_votes(link);
        self.expect_roll_call();
    }

    pub(super) fn on_admit(&mut self, link: LinkId, admit: Admit) {
        let stream = admit.stream;
        if admit.to != self.me || self.joining.state() == State::Left {
            return;
        }
        if self.tombs.contains(stream) {
            return self.tell_stranger(link, stream);
        }
        if !self.is_member(stream) && self.is_full() {
            let reason = Refused::TooManyMembers(self.config.limits.members);
            return self.report(Event::Refused { link, reason });
        }
        if !admit.known && self.has_lost_its_lease() {
            return self.take_next_incarnation(SelfEnd::Forgotten);
        }
        let sender = Sender {
            info: MemberInfo { stream, name: admit.name, address: admit.address, have: Seq::ZERO },
            scopes: &admit.scopes,
            host_proof: admit.proof.as_ref(),
            stamp: admit.stamp,
        };
        self.meet(link, &sender);
        if let Some(carrier) = self.links.get_mut(&link) {
            carrier.answered = true;
        }
        self.timers.clear(WakeReason::Hello(link));
        let me = self.me;
        self.compare(stream, Some(admit.view), &admit.members, &admit.ended);
        if self.me == me && self.is_member(stream) {
            self.be_admitted(stream, admit.last);
            self.expect_soon(stream, admit.last);
            self.ask_afresh(stream);
        }
    }

    /// A member tracks this node from now on. Its `last` is the base of its count, but only while this node joins
    /// (base-only-while-joining, P-25).
    pub(super) fn be_admitted(&mut self, stream: Stream, last: Seq) {
        let is_once = self.works(Mechanism::BaseOnlyWhileJoining);
        let Some(member) = self.members.get_mut(&stream) else { return };
        member.admitted = true;
        if !member.based || !is_once {
            member.based = true;
            member.count.raise(last);
            member.expected = member.expected.max(last);
            self.say_counted(stream);
            self.settle(stream);
        }
        self.check_joined();
    }

    fn refusal(&self, hello: &Hello) -> Option<Refused> {
        let (first, last) = hello.protocol;
        if hello.cluster != self.config.cluster {
            Some(Refused::Cluster(hello.cluster.clone()))
        } else if first > PROTOCOL.1 || last < PROTOCOL.0 {
            Some(Refused::Protocol(first, last))
        } else if hello.stream.process == self.me.process {
            Some(Refused::Oneself)
        } else if !self.is_member(hello.stream) && self.is_full() {
            Some(Refused::TooManyMembers(self.config.limits.members))
        } else {
            None
        }
    }

    /// Takes in who is at the other end of a link.
    fn meet(&mut self, link: LinkId, sender: &Sender<'_>) {
        let stream = sender.info.stream;
        let Some(carrier) = self.links.get_mut(&link) else { return };
        let predecessor = carrier.peer.replace(stream);
        let dialled = carrier.dialled.clone();
        if carrier.answered && predecessor != Some(stream) {
            // Whoever answered is not there any more.
            self.greet(link);
        }
        self.prove_death(stream, sender.host_proof);
        if !self.is_member(stream) {
            self.track(&sender.info);
        }
        self.slots.greet(stream, &sender.info.name, sender.info.address.as_ref(), dialled.as_ref(), self.now);
        if let Some(member) = self.members.get_mut(&stream) {
            member.scopes = sender.scopes.to_vec();
            member.host_proof = sender.host_proof.cloned();
            member.address.clone_from(&sender.info.address);
        }
        self.put(Output::Stamp(sender.stamp));
        self.note_incoming(link, stream);
        self.send_over(link, stream);
    }

    /// Sends live frames and beats to a member over this link from now on: the newest that said hello.
    fn send_over(&mut self, link: LinkId, stream: Stream) {
        let (handed, bound) = (self.own.handed, self.config.limits.peer_queue);
        let mechanisms = self.config.mechanisms;
        let links = &self.links;
        let Some(member) = self.members.get_mut(&stream).filter(|member| member.standing == Standing::Live)
        else {
            return;
        };
        match &mut member.outgoing {
            Some(outgoing) if outgoing.link == link => return,
            Some(outgoing) if links.contains_key(&outgoing.link) => outgoing.link = link,
            outgoing => *outgoing = Some(Outgoing::new(link, bound, handed, mechanisms)),
        }
        self.owe_beat(link, BeatDue::Yes);
    }

    /// Notes over which link a stream's messages come. While they move from one living link to another, order is not kept.
    pub(super) fn note_incoming(&mut self, link: LinkId, stream: Stream) {
        let (now, links) = (self.now, &self.links);
        let Some(member) = self.members.get_mut(&stream) else { return };
        match member.incoming {
            Some((before, _)) if before == link => {}
            Some((before, _)) if links.contains_key(&before) => {
                member.incoming = Some((link, now.plus(self.config.timing.answer)));
            }
            Some(_) | None => member.incoming = Some((link, now)),
        }
    }

    /// Tells the other end of a link what it cannot know: that its stream was ended, or that this node does not know it.
    pub(super) fn tell_stranger(&mut self, link: LinkId, stream: Stream) {
        let (now, pause) = (self.now, self.config.timing.beat);
        let ended = self.tombs.contains(stream);
        let Some(carrier) = self.links.get_mut(&link) else { return };
        if carrier.told != Instant::ZERO && now.since(carrier.told) < pause {
            return;
        }
        carrier.told = now;
        if ended {
            carrier.push(Control::View);
        } else {
            self.greet(link);
        }
    }

    /// Whether this node may have been ended by others and forgotten: it needs a majority, and has none.
    fn has_lost_its_lease(&self) -> bool {
        self.joining.is_joined()
            && (self.slots.majority() > 1 || self.is_registered())
            && match self.announce() {
                Announce::Never => true,
                Announce::Until(until) => until <= self.now,
                Announce::Always => false,
            }
    }
}
