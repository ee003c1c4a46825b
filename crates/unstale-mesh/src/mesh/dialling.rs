//! Whom to dial, and when.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::task::Poll;

use tokio::time::Instant;

use super::Mesh;
use crate::address::host_of;
use crate::link::{Link, Stage};
use crate::ready::Token;
use crate::target::Target;

impl Mesh {
    pub(super) fn add_target(&mut self, address: String, now: Instant) {
        let id = self.new_id();
        let waker = self.ready.source(Token::Target(id));
        self.targets.insert(id, Target::new(address, waker, now));
    }

    /// Dials what is due and not linked already; says when the next is due.
    pub(super) fn dial_due(&mut self, now: Instant) -> Option<Instant> {
        let mut next = None;
        for target in self.targets.values_mut() {
            if target.identity.is_some_and(|identity| self.live.contains_key(&identity)) {
                continue;
            }
            match target.due() {
                Some(at) if at <= now => target.dial(self.dialling),
                Some(at) => next = Some(next.map_or(at, |next: Instant| next.min(at))),
                None => {}
            }
        }
        next
    }

    pub(super) fn turn_target(&mut self, id: u64) {
        let Some(target) = self.targets.get_mut(&id) else { return };
        match target.poll_dial() {
            Poll::Pending => {}
            Poll::Ready(Ok((tcp, found))) => {
                // Frames are small and each is worth a packet; a socket that cannot do it is slower, not wrong.
                let _ = tcp.set_nodelay(true);
                let label = target.address.clone();
                let mut outbox = Vec::new();
                let greeted = Box::new(self.terms.greet(&mut outbox));
                let peer = found.ip().to_string();
                let dialled = self.census.as_ref().map_or(&label, |census| &census.name);
                let stream = self.transport.dial(tcp, host_of(dialled));
                let link = self.add_link(stream, Stage::Greeted(greeted), Some(id), label, peer);
                if let Some(link) = self.links.get_mut(&link) {
                    link.outbox = outbox;
                }
            }
            Poll::Ready(Err(cause)) => {
                let address = target.address.clone();
                self.rest_target(id);
                self.note("dial-failed", &address, || cause.to_string());
            }
        }
    }

    /// The dial or its connection ended: dial again later.
    pub(super) fn rest_target(&mut self, id: u64) {
        let dice = self.roll();
        if let Some(target) = self.targets.get_mut(&id) {
            target.rest(Instant::now(), dice);
            self.timer_waker.wake_by_ref();
        }
    }

    /// The targets whose link this was.
    pub(super) fn targets_of(&self, link: &Link) -> Vec<u64> {
        let is_of = |(id, target): &(&u64, &Target)| {
            link.target == Some(**id) || (link.is_up() && target.identity == link.identity())
        };
        self.targets.iter().filter(is_of).map(|(id, _)| *id).collect()
    }

    pub(super) fn turn_census(&mut self) {
        let now = Instant::now();
        let Some(census) = &mut self.census else { return };
        match census.poll_answer(now) {
            Poll::Pending => {}
            Poll::Ready(Ok(found)) => self.keep_targets(&found, now),
            Poll::Ready(Err(cause)) => {
                let name = census.name.clone();
                self.note("discovery-failed", &name, || cause.to_string());
            }
        }
    }

    /// Dials whom the name stands for now, and no longer whom it does not; links that live go on.
    pub(super) fn keep_targets(&mut self, found: &BTreeSet<SocketAddr>, now: Instant) {
        let (listening, advertised) = (self.properties.listening.clone(), self.properties.advertised.clone());
        let wanted: BTreeSet<String> = found
            .iter()
            .map(SocketAddr::to_string)
            .filter(|address| Some(address) != listening.as_ref() && Some(address) != advertised.as_ref())
            .collect();
        self.targets.retain(|_, target| wanted.contains(&target.address));
        let known: BTreeSet<String> = self.targets.values().map(|target| target.address.clone()).collect();
        for address in wanted.difference(&known) {
            self.add_target(address.clone(), now);
        }
        self.timer_waker.wake_by_ref();
    }
}
