//! What a broker holds: processes, the links between their inboxes, the common link, the register.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;

use super::net::{Net, NodeId};
use super::rolls::Rolls;
use crate::{Error, Event, Frame, Kind, LinkId, Listing, RegisterRequest, Retry};

/// Answers that wait for a process that does not look; the oldest are lost.
const LISTINGS_MAX: usize = 16;

pub(super) struct Desk {
    net: Net,
    queue_frames: usize,
    rolls: Rolls,
    processes: BTreeMap<NodeId, Process>,
    /// Labels that do not reach the broker.
    cut: BTreeSet<String>,
}

struct Process {
    label: String,
    /// The id of the entry that it renews.
    own: Option<Bytes>,
    /// Whether a listing named it, and it was not ended since: then it has links.
    is_linked: bool,
    listings: VecDeque<Listing>,
    common: Option<Common>,
    /// Ends of parts of the common link that were not told yet.
    downs: VecDeque<(LinkId, &'static str)>,
    /// Whose turn it is when both the common link and others have something.
    common_first: bool,
}

/// One process's part of the common link.
struct Common {
    link: LinkId,
    up_told: bool,
    grant_told: bool,
    inbox: VecDeque<Frame>,
}

impl Desk {
    pub(super) fn new(queue_frames: usize) -> Self {
        Self {
            net: Net::new(queue_frames),
            queue_frames,
            rolls: Rolls::new(),
            processes: BTreeMap::new(),
            cut: BTreeSet::new(),
        }
    }

    pub(super) fn take_wakes(&mut self) -> Vec<Waker> {
        self.net.take_wakes()
    }

    pub(super) fn join(&mut self, label: String) -> NodeId {
        let id = self.net.enter(label.clone());
        let common = (!self.cut.contains(&label)).then(|| Common::new(self.net.new_link()));
        let process = Process {
            label,
            own: None,
            is_linked: false,
            listings: VecDeque::new(),
            common,
            downs: VecDeque::new(),
            common_first: true,
        };
        self.processes.insert(id, process);
        id
    }

    pub(super) fn leave(&mut self, id: NodeId) {
        self.processes.remove(&id);
        self.net.leave(id);
    }

    pub(super) fn cut(&mut self, label: &str) {
        self.cut.insert(label.to_owned());
        for id in self.labelled(label) {
            self.net.part(id, "cut");
            self.lower_common(id, "cut");
            if let Some(process) = self.processes.get_mut(&id) {
                process.listings.clear();
            }
        }
    }

    pub(super) fn heal(&mut self, label: &str) {
        self.cut.remove(label);
        for id in self.labelled(label) {
            self.raise_common(id);
            self.link_all(id);
        }
    }

    pub(super) fn drop_subscriber(&mut self, label: &str) {
        for id in self.labelled(label) {
            self.lower_common(id, "dropped by the broker");
            if !self.cut.contains(label) {
                self.raise_common(id);
            }
        }
    }

    pub(super) fn lose_register(&mut self) {
        self.rolls.lose();
    }

    pub(super) fn ask(&mut self, id: NodeId, request: RegisterRequest, now: Duration) {
        if let Some(process) = self.processes.get_mut(&id)
            && let RegisterRequest::Enter(entry) = &request
        {
            process.own = Some(entry.id.clone());
        }
        if !self.reaches(id) {
            return;
        }
        match request {
            RegisterRequest::Enter(entry) => {
                self.rolls.enter(id, entry);
                self.link_listed();
            }
            RegisterRequest::Read { reading } => self.read(id, reading, now),
            RegisterRequest::Retire(entry) => {
                self.rolls.end(entry, now);
                self.unlink_ended();
            }
            RegisterRequest::Expel { era, entry, renewals } => {
                self.rolls.expel(era, entry, renewals, now);
                self.unlink_ended();
            }
        }
    }

    fn read(&mut self, id: NodeId, reading: u64, now: Duration) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        if let Some(own) = &process.own {
            self.rolls.renew(own);
        }
        if process.listings.len() == LISTINGS_MAX {
            process.listings.pop_front();
        }
        process.listings.push_back(self.rolls.listing(reading, now));
        self.net.wake(id);
    }

    /// Links those whose entries are listed, and were not linked before.
    fn link_listed(&mut self) {
        let owners: BTreeSet<_> = self.rolls.owners().collect();
        for id in owners {
            if let Some(process) = self.processes.get_mut(&id).filter(|process| !process.is_linked) {
                process.is_linked = true;
                self.link_all(id);
            }
        }
    }

    fn link_all(&mut self, id: NodeId) {
        let others: Vec<_> = self.processes.keys().copied().filter(|other| *other != id).collect();
        for other in others {
            if self.is_linked(id) && self.is_linked(other) {
                self.net.connect(id.max(other), id.min(other));
            }
        }
    }

    fn is_linked(&self, id: NodeId) -> bool {
        self.processes.get(&id).is_some_and(|process| process.is_linked && !self.cut.contains(&process.label))
    }

    fn reaches(&self, id: NodeId) -> bool {
        self.processes.get(&id).is_some_and(|process| !self.cut.contains(&process.label))
    }

    /// Takes the links from those all of whose entries have ended. A register that was lost ends nobody.
    fn unlink_ended(&mut self) {
        let owners: BTreeSet<_> = self.rolls.owners().collect();
        let ids: Vec<_> = self.processes.keys().copied().filter(|id| !owners.contains(id)).collect();
        for id in ids {
            let Some(process) = self.processes.get_mut(&id) else { continue };
            let has_ended = process.own.as_ref().is_some_and(|own| self.rolls.has_ended(own));
            if has_ended && std::mem::take(&mut process.is_linked) {
                self.net.part(id, "ended");
            }
        }
    }

    pub(super) fn send(&mut self, id: NodeId, link: LinkId, frame: Frame) -> Result<(), Error> {
        let common = self.processes.get_mut(&id).and_then(|process| process.common.as_mut());
        let Some(common) = common.filter(|common| common.link == link) else {
            return self.net.send(id, link, frame);
        };
        if !common.grant_told {
            let detail = format!("link {} is not writable", link.0);
            return Err(Error::new(Kind::Rejected, Retry::Never, "send", detail));
        }
        common.grant_told = false;
        let room = self.queue_frames;
        for (other, process) in self.processes.iter_mut().filter(|(other, _)| **other != id) {
            if let Some(theirs) = process.common.as_mut().filter(|theirs| theirs.inbox.len() < room) {
                theirs.inbox.push_back(frame.clone());
                self.net.wake(*other);
            }
        }
        self.net.wake(id);
        Ok(())
    }

    pub(super) fn close(&mut self, id: NodeId, link: LinkId, again: Duration) {
        let is_common = self
            .processes
            .get(&id)
            .and_then(|process| process.common.as_ref())
            .is_some_and(|common| common.link == link);
        if is_common {
            self.lower_common(id, "closed here");
            self.raise_common(id);
        } else {
            self.net.close(id, link, again);
        }
    }

    pub(super) fn link_again(&mut self, id: NodeId, now: Duration) {
        self.net.dial_again(id, now);
    }

    pub(super) fn again_at(&self, id: NodeId) -> Option<Duration> {
        self.net.redial_at(id)
    }

    /// The next event of a process; without one, `waker` is kept.
    pub(super) fn next_event(&mut self, id: NodeId, waker: &Waker) -> Option<Event> {
        let process = self.processes.get_mut(&id)?;
        if let Some(listing) = process.listings.pop_front() {
            return Some(Event::Listed(listing));
        }
        let is_first = process.common_first;
        process.common_first = !is_first;
        let own = if is_first { process.common_event() } else { None };
        own.or_else(|| self.net.next_event(id, waker))
            .or_else(|| self.processes.get_mut(&id).and_then(Process::common_event))
    }

    fn lower_common(&mut self, id: NodeId, reason: &'static str) {
        if let Some(process) = self.processes.get_mut(&id)
            && let Some(common) = process.common.take().filter(|common| common.up_told)
        {
            process.downs.push_back((common.link, reason));
            self.net.wake(id);
        }
    }

    fn raise_common(&mut self, id: NodeId) {
        let link = self.net.new_link();
        if let Some(process) = self.processes.get_mut(&id).filter(|process| process.common.is_none()) {
            process.common = Some(Common::new(link));
            self.net.wake(id);
        }
    }

    fn labelled(&self, label: &str) -> Vec<NodeId> {
        self.processes.iter().filter(|(_, process)| process.label == label).map(|(id, _)| *id).collect()
    }
}

impl Process {
    fn common_event(&mut self) -> Option<Event> {
        if let Some((link, reason)) = self.downs.pop_front() {
            return Some(Event::Down { link, reason: reason.to_owned() });
        }
        let common = self.common.as_mut()?;
        let link = common.link;
        if !std::mem::replace(&mut common.up_told, true) {
            return Some(Event::UpCommon { link });
        }
        if !std::mem::replace(&mut common.grant_told, true) {
            return Some(Event::Writable { link });
        }
        common.inbox.pop_front().map(|frame| Event::Received { link, frame })
    }
}

impl Common {
    const fn new(link: LinkId) -> Self {
        Self { link, up_told: false, grant_told: false, inbox: VecDeque::new() }
    }
}
