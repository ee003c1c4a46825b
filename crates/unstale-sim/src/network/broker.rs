//! A broker in the network: its register, its common link, and what goes wrong with them.

use std::collections::btree_map::OccupiedEntry;
use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use unstale_port::{EndedEntry, Entry, Event, LinkId, Listed, Listing, RegisterRequest};

use super::{Life, MS, Net, Network};
use crate::fault::Fault;

/// What a broker holds, and what is on its way to and from it.
#[derive(Default)]
pub(super) struct Broker {
    era: u64,
    entries: BTreeMap<Bytes, Row>,
    ended: Vec<(Entry, u64)>,
    /// The id of the entry that each process renews.
    own: BTreeMap<Life, Bytes>,
    /// Processes that were listed, and did not end since.
    linked: BTreeSet<Life>,
    /// Parts of the common link that are up.
    commons: BTreeMap<Life, LinkId>,
    /// When those come up again that are down.
    raises: BTreeMap<Life, u64>,
    /// Nodes that do not reach it, until when.
    cut: BTreeMap<usize, u64>,
    asked: BTreeMap<(u64, u64), (Life, RegisterRequest)>,
    answers: BTreeMap<(u64, u64), (Life, Listing)>,
    /// When the last request of each process arrives: they keep their order.
    last: BTreeMap<Life, u64>,
    count: u64,
}

struct Row {
    entry: Entry,
    renewals: u64,
}

impl Network {
    /// All links are a broker's from now on.
    #[must_use]
    pub fn with_broker(self) -> Self {
        self.with(|net| net.broker = Some(Broker { era: 1, ..Broker::default() }));
        self
    }

    /// A node does not reach the broker until a moment.
    pub fn cut_from_broker(&self, node: usize, until: u64) {
        self.with(|net| net.cut_from_broker(node, until));
    }

    /// A subscriber is dropped: its part of the common link is down until a moment.
    pub fn drop_subscriber(&self, node: usize, until: u64) {
        self.with(|net| {
            for life in net.lives_of(node) {
                net.lower_common(life, until);
            }
        });
    }

    /// The broker loses all entries and ends.
    pub fn lose_register(&self) {
        self.with(|net| {
            if let Some(broker) = &mut net.broker {
                broker.era += 1;
                broker.entries.clear();
                broker.ended.clear();
            }
        });
    }
}

impl Broker {
    fn reaches(&self, node: usize) -> bool {
        !self.cut.contains_key(&node)
    }

    fn end(&mut self, entry: Entry, now: u64) {
        self.entries.remove(&entry.id);
        if !self.has_ended(&entry.id) {
            self.ended.push((entry, now));
        }
    }

    fn has_ended(&self, id: &Bytes) -> bool {
        self.ended.iter().any(|(entry, _)| entry.id == *id)
    }

    /// One atomic step; the answer to a reading.
    fn carry_out(&mut self, life: Life, request: RegisterRequest, now: u64) -> Option<Listing> {
        match request {
            RegisterRequest::Enter(entry) => {
                self.own.insert(life, entry.id.clone());
                if !self.has_ended(&entry.id) {
                    self.entries.entry(entry.id.clone()).or_insert(Row { entry, renewals: 0 });
                }
                None
            }
            RegisterRequest::Read { reading } => {
                if let Some(row) = self.own.get(&life).and_then(|own| self.entries.get_mut(own)) {
                    row.renewals += 1;
                }
                Some(self.listing(reading, now))
            }
            RegisterRequest::Retire(entry) => {
                self.end(entry, now);
                None
            }
            RegisterRequest::Expel { era, entry, renewals } => {
                if era == self.era && self.entries.get(&entry.id).map(|row| row.renewals) == renewals {
                    self.end(entry, now);
                }
                None
            }
            _ => None,
        }
    }

    fn listing(&self, reading: u64, now: u64) -> Listing {
        let listed = |row: &Row| Listed { entry: row.entry.clone(), renewals: row.renewals };
        let ended = |(entry, at): &(Entry, u64)| EndedEntry {
            entry: entry.clone(),
            ago: std::time::Duration::from_nanos(now.saturating_sub(*at)),
        };
        Listing {
            reading,
            era: self.era,
            entries: self.entries.values().map(listed).collect(),
            ended: self.ended.iter().map(ended).collect(),
        }
    }
}

impl Net {
    /// A process came: it has its part of the common link, and no other link before it is listed.
    pub(super) fn subscribe(&mut self, life: Life) {
        let now = self.now;
        if let Some(broker) = &mut self.broker {
            broker.raises.insert(life, now);
        }
    }

    pub(super) fn unsubscribe(&mut self, life: Life) {
        if let Some(broker) = &mut self.broker {
            broker.commons.remove(&life);
            broker.raises.remove(&life);
            broker.linked.remove(&life);
        }
    }

    pub(super) fn is_common(&self, life: Life, link: LinkId) -> bool {
        self.broker.as_ref().is_some_and(|broker| broker.commons.get(&life) == Some(&link))
    }

    /// Takes a frame to all others that have a part of the common link.
    pub(super) fn send_common(&mut self, life: Life, link: LinkId, frame: &Bytes) {
        let Some(broker) = &self.broker else { return };
        let others: Vec<_> = broker.commons.iter().filter(|(other, _)| **other != life).collect();
        let links: Vec<LinkId> = others.into_iter().map(|(_, link)| *link).collect();
        for to in links {
            for _ in 0..self.copies() {
                let arrival = self.arrival();
                self.sent += 1;
                self.under_way.insert((arrival, self.sent), (to, frame.clone()));
            }
        }
        self.tell(life, Event::Writable { link });
    }

    /// Whose part of the common link this is.
    pub(super) fn common_owner(&self, link: LinkId) -> Option<Life> {
        let commons = &self.broker.as_ref()?.commons;
        commons.iter().find(|(_, theirs)| **theirs == link).map(|(life, _)| *life)
    }

    /// Whether a process is listed and reaches the broker; where there is none, always.
    pub(super) fn is_linked(&self, life: Life) -> bool {
        let Some(broker) = &self.broker else { return true };
        let node = self.seats.get(&life).map(|seat| seat.node);
        broker.linked.contains(&life) && node.is_some_and(|node| broker.reaches(node))
    }

    pub(super) fn ask(&mut self, life: Life, request: RegisterRequest) {
        let arrival = self.arrival();
        let Some(node) = self.seats.get(&life).map(|seat| seat.node) else { return };
        let Some(broker) = self.broker.as_mut().filter(|broker| broker.reaches(node)) else { return };
        let last = broker.last.entry(life).or_default();
        let at = arrival.max(*last);
        *last = at;
        broker.count += 1;
        broker.asked.insert((at, broker.count), (life, request));
    }

    pub(super) fn advance_broker(&mut self) {
        let now = self.now;
        if let Some(broker) = &mut self.broker {
            broker.cut.retain(|_, until| *until > now);
        }
        self.raise_commons();
        while let Some((life, request)) = self.next_asked() {
            self.carry_out(life, request);
        }
        while let Some((life, listing)) = self.next_answer() {
            let node = self.seats.get(&life).map(|seat| seat.node);
            let reaches =
                node.is_some_and(|node| self.broker.as_ref().is_some_and(|broker| broker.reaches(node)));
            if reaches {
                self.tell(life, Event::Listed(listing));
            }
        }
    }

    fn next_asked(&mut self) -> Option<(Life, RegisterRequest)> {
        let (now, broker) = (self.now, self.broker.as_mut()?);
        broker.asked.first_entry().filter(|first| first.key().0 <= now).map(OccupiedEntry::remove)
    }

    fn next_answer(&mut self) -> Option<(Life, Listing)> {
        let (now, broker) = (self.now, self.broker.as_mut()?);
        broker.answers.first_entry().filter(|first| first.key().0 <= now).map(OccupiedEntry::remove)
    }

    fn carry_out(&mut self, life: Life, request: RegisterRequest) {
        let (now, answered) = (self.now, self.arrival());
        let Some(broker) = &mut self.broker else { return };
        let enters = matches!(request, RegisterRequest::Enter(_));
        let answer = broker.carry_out(life, request, now);
        if let Some(listing) = answer {
            broker.count += 1;
            broker.answers.insert((answered, broker.count), (life, listing));
        } else if enters {
            self.link(life);
        } else {
            self.unlink_ended();
        }
    }

    /// Links a process with all others that are listed.
    fn link(&mut self, life: Life) {
        let Some(broker) = self.broker.as_mut().filter(|_| self.seats.contains_key(&life)) else { return };
        let is_there = broker.own.get(&life).is_some_and(|own| broker.entries.contains_key(own));
        if !is_there || !broker.linked.insert(life) {
            return;
        }
        let others: Vec<_> = broker.linked.iter().copied().filter(|other| *other != life).collect();
        for other in others {
            let at = self.now + self.dice.below(20) * MS;
            self.redials.insert((life.max(other), life.min(other)), at);
        }
    }

    fn unlink_ended(&mut self) {
        let Some(broker) = &mut self.broker else { return };
        let ended: Vec<Life> = broker
            .own
            .iter()
            .filter(|(_, own)| broker.has_ended(own) && !broker.entries.contains_key(*own))
            .map(|(life, _)| *life)
            .filter(|life| broker.linked.contains(life))
            .collect();
        for life in ended {
            if let Some(broker) = &mut self.broker {
                broker.linked.remove(&life);
            }
            self.part(life, "ended");
            self.redials.retain(|(one, other), _| *one != life && *other != life);
        }
    }

    fn part(&mut self, life: Life, reason: &str) {
        let ends: Vec<LinkId> =
            self.links.iter().filter(|(_, end)| end.life == life).map(|(link, _)| *link).collect();
        for link in ends {
            self.drop_under_way(link);
            let peer = self.links.get(&link).map(|end| end.peer_link);
            self.break_end(link, reason);
            if let Some(peer) = peer {
                self.drop_under_way(peer);
                self.break_end(peer, reason);
            }
        }
    }

    fn cut_from_broker(&mut self, node: usize, until: u64) {
        let Some(broker) = &mut self.broker else { return };
        let end = broker.cut.entry(node).or_default();
        *end = (*end).max(until);
        for life in self.lives_of(node) {
            self.part(life, "the broker is not reached");
            self.lower_common(life, until);
        }
    }

    fn lives_of(&self, node: usize) -> Vec<Life> {
        self.seats.iter().filter(|(_, seat)| seat.node == node).map(|(life, _)| *life).collect()
    }

    fn lower_common(&mut self, life: Life, until: u64) {
        let Some(broker) = &mut self.broker else { return };
        let raise = broker.raises.entry(life).or_default();
        *raise = (*raise).max(until);
        if let Some(link) = broker.commons.remove(&life) {
            let lost = self.drop_under_way(link);
            self.faults.count_many(Fault::Loss, lost);
            self.tell(life, Event::Down { link, reason: "dropped by the broker".to_owned() });
        }
    }

    fn raise_commons(&mut self) {
        let now = self.now;
        let Some(broker) = &self.broker else { return };
        let due: Vec<Life> =
            broker.raises.iter().filter(|(_, at)| **at <= now).map(|(life, _)| *life).collect();
        for life in due {
            let Some(node) = self.seats.get(&life).map(|seat| seat.node) else { continue };
            self.next_link += 1;
            let link = LinkId(self.next_link);
            let Some(broker) = self.broker.as_mut().filter(|broker| broker.reaches(node)) else { continue };
            broker.raises.remove(&life);
            broker.commons.insert(life, link);
            self.tell(life, Event::UpCommon { link });
            self.tell(life, Event::Writable { link });
        }
    }
}
