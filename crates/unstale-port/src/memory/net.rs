//! What a hub holds: nodes, the ends of links between them, cuts and holds.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::task::Waker;
use std::time::Duration;

use crate::{Error, Event, Frame, Kind, LinkId, Remote, Retry};

/// One joined node, in the order of joining; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NodeId(u64);

pub(super) struct Net {
    queue_frames: usize,
    next_node: u64,
    next_link: u64,
    nodes: BTreeMap<NodeId, Node>,
    /// Pairs of labels, the lesser first.
    cuts: BTreeSet<(String, String)>,
    /// From, to.
    holds: BTreeSet<(String, String)>,
    wakes: Vec<Waker>,
}

struct Node {
    label: String,
    waker: Option<Waker>,
    ends: BTreeMap<LinkId, End>,
    /// The link that had the last event: the next one goes first.
    served: Option<LinkId>,
    /// Whom to dial again, and when.
    redials: BTreeMap<NodeId, Duration>,
}

/// One end of a link.
struct End {
    peer: NodeId,
    peer_link: LinkId,
    peer_label: String,
    dialled: bool,
    up_told: bool,
    grant: Grant,
    /// What came in.
    inbox: VecDeque<Frame>,
    /// Whether the last event was a grant, so that sending without pause does not keep frames waiting.
    inbox_first: bool,
    /// Why it ended, if it did; told once the inbox is empty.
    ended: Option<&'static str>,
}

/// Whether the owner may hand over a frame.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Grant {
    Full,
    Owed,
    Given,
}

impl Net {
    pub(super) fn new(queue_frames: usize) -> Self {
        Self {
            queue_frames,
            next_node: 0,
            next_link: 0,
            nodes: BTreeMap::new(),
            cuts: BTreeSet::new(),
            holds: BTreeSet::new(),
            wakes: Vec::new(),
        }
    }

    pub(super) fn take_wakes(&mut self) -> Vec<Waker> {
        std::mem::take(&mut self.wakes)
    }

    /// Adds a node without links.
    pub(super) fn enter(&mut self, label: String) -> NodeId {
        self.next_node += 1;
        let id = NodeId(self.next_node);
        let node = Node { label, waker: None, ends: BTreeMap::new(), served: None, redials: BTreeMap::new() };
        self.nodes.insert(id, node);
        id
    }

    /// Adds a node and links it with all others.
    pub(super) fn join(&mut self, label: String) -> NodeId {
        let others: Vec<NodeId> = self.nodes.keys().copied().collect();
        let id = self.enter(label);
        for other in others {
            self.connect(id, other);
        }
        id
    }

    /// Ends every link of a node; what it sent is still delivered.
    pub(super) fn leave(&mut self, id: NodeId) {
        let Some(node) = self.nodes.remove(&id) else { return };
        self.wakes.extend(node.waker); // dropped after the lock, see next_event
        for end in node.ends.into_values() {
            self.end(end.peer, end.peer_link, "closed by the peer");
        }
        for other in self.nodes.values_mut() {
            other.redials.remove(&id);
        }
    }

    /// Ends every link of a node, with the loss of what is under way; none is dialled again.
    pub(super) fn part(&mut self, id: NodeId, reason: &'static str) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        node.redials.clear();
        let ends: Vec<_> = node.ends.iter().map(|(link, end)| (*link, end.peer, end.peer_link)).collect();
        for (link, peer, peer_link) in ends {
            for (node, link) in [(id, link), (peer, peer_link)] {
                if let Some(end) = self.end_mut(node, link) {
                    end.inbox.clear();
                }
                self.end(node, link, reason);
            }
        }
        for other in self.nodes.values_mut() {
            other.redials.remove(&id);
        }
    }

    /// An id for a link of another kind.
    pub(super) fn new_link(&mut self) -> LinkId {
        self.next_link += 1;
        LinkId(self.next_link)
    }

    pub(super) fn cut(&mut self, a: &str, b: &str) {
        self.cuts.insert(pair(a, b));
        for (x, y) in self.pairs(a, b) {
            for (node, link) in self.links_between(x, y) {
                if let Some(end) = self.end_mut(node, link) {
                    end.inbox.clear();
                }
                self.end(node, link, "cut");
            }
        }
    }

    pub(super) fn heal(&mut self, a: &str, b: &str) {
        self.cuts.remove(&pair(a, b));
        for (x, y) in self.pairs(a, b) {
            self.connect(x.max(y), x.min(y));
        }
    }

    pub(super) fn hold(&mut self, from: &str, to: &str) {
        self.holds.insert((from.to_owned(), to.to_owned()));
    }

    pub(super) fn release(&mut self, from: &str, to: &str) {
        self.holds.remove(&(from.to_owned(), to.to_owned()));
        let waiting: Vec<NodeId> = self.labelled(to);
        for id in waiting {
            self.wake(id);
        }
    }

    pub(super) fn send(&mut self, id: NodeId, link: LinkId, frame: Frame) -> Result<(), Error> {
        let max = self.queue_frames;
        let Some(end) = self.end_mut(id, link).filter(|end| end.up_told && end.ended.is_none()) else {
            let detail = format!("link {} is down", link.0);
            return Err(Error::new(Kind::Gone, Retry::Never, "send", detail));
        };
        if end.grant != Grant::Given {
            let detail = format!("link {} is not writable", link.0);
            return Err(Error::new(Kind::Rejected, Retry::Never, "send", detail));
        }
        end.grant = Grant::Full;
        let (peer, peer_link) = (end.peer, end.peer_link);
        let Some(far) = self.end_mut(peer, peer_link) else { return Ok(()) };
        far.inbox.push_back(frame);
        let room = far.inbox.len() < max;
        self.wake(peer);
        if room {
            self.owe_grant(id, link);
        }
        Ok(())
    }

    pub(super) fn close(&mut self, id: NodeId, link: LinkId, redial: Duration) {
        let Some(end) = self.end_mut(id, link).filter(|end| end.ended.is_none()) else { return };
        end.inbox.clear();
        let (peer, peer_link) = (end.peer, end.peer_link);
        self.end(id, link, "closed here");
        self.end(peer, peer_link, "closed by the peer");
        let (dialler, dialled) = (id.max(peer), id.min(peer));
        if let Some(node) = self.nodes.get_mut(&dialler) {
            node.redials.insert(dialled, redial);
        }
        self.wake(dialler);
    }

    pub(super) fn redial_at(&self, id: NodeId) -> Option<Duration> {
        self.nodes.get(&id)?.redials.values().min().copied()
    }

    /// Dials again whoever is due.
    pub(super) fn dial_again(&mut self, id: NodeId, now: Duration) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        let due: Vec<NodeId> =
            node.redials.iter().filter(|(_, at)| **at <= now).map(|(peer, _)| *peer).collect();
        for peer in due {
            if let Some(node) = self.nodes.get_mut(&id) {
                node.redials.remove(&peer);
            }
            self.connect(id, peer);
        }
    }

    /// The next event of a node; without one, `waker` is kept. Links take turns.
    pub(super) fn next_event(&mut self, id: NodeId, waker: &Waker) -> Option<Event> {
        let node = self.nodes.get(&id)?;
        let after = node.served.map_or(Bound::Unbounded, Bound::Excluded);
        let until = node.served.map_or(Bound::Excluded(LinkId(0)), Bound::Included);
        let later = node.ends.range((after, Bound::Unbounded));
        let turns: Vec<LinkId> =
            later.chain(node.ends.range((Bound::Unbounded, until))).map(|(link, _)| *link).collect();
        for link in turns {
            if let Some(event) = self.event_of(id, link) {
                if let Some(node) = self.nodes.get_mut(&id) {
                    node.served = Some(link);
                }
                return Some(event);
            }
        }
        let node = self.nodes.get_mut(&id)?;
        let replaced = node.waker.replace(waker.clone());
        // Never dropped under the lock: a waker's drop may run a backplane's destructor. Waking once too often is harmless.
        self.wakes.extend(replaced.filter(|old| !old.will_wake(waker)));
        None
    }

    fn event_of(&mut self, id: NodeId, link: LinkId) -> Option<Event> {
        let holds = &self.holds;
        let node = self.nodes.get_mut(&id)?;
        let end = node.ends.get_mut(&link)?;
        let held = !holds.is_empty() && holds.contains(&(end.peer_label.clone(), node.label.clone()));
        if !end.up_told {
            end.up_told = true;
            end.grant = Grant::Owed;
            let dialled = end.dialled.then(|| end.peer_label.clone());
            return Some(Event::Up { link, remote: Remote { dialled, label: end.peer_label.clone() } });
        }
        let has_frame = !end.inbox.is_empty() && !held;
        if end.grant == Grant::Owed && end.ended.is_none() && !(has_frame && end.inbox_first) {
            end.grant = Grant::Given;
            end.inbox_first = true;
            return Some(Event::Writable { link });
        }
        if has_frame {
            end.inbox_first = false;
            let frame = end.inbox.pop_front()?;
            let (peer, peer_link) = (end.peer, end.peer_link);
            self.owe_grant(peer, peer_link);
            return Some(Event::Received { link, frame });
        }
        let reason = end.ended?.to_owned();
        node.ends.remove(&link);
        Some(Event::Down { link, reason })
    }

    /// Brings up a link, unless there is one, the pair is cut, or one of them left.
    pub(super) fn connect(&mut self, dialler: NodeId, dialled: NodeId) {
        let (Some(from), Some(to)) = (self.nodes.get(&dialler), self.nodes.get(&dialled)) else { return };
        let (from, to) = (from.label.clone(), to.label.clone());
        let live = self.links_between(dialler, dialled).into_iter().any(|(node, link)| {
            self.nodes.get(&node).and_then(|n| n.ends.get(&link)).is_some_and(|end| end.ended.is_none())
        });
        if live || self.cuts.contains(&pair(&from, &to)) {
            return;
        }
        let (near, far) = (LinkId(self.next_link + 1), LinkId(self.next_link + 2));
        self.next_link += 2;
        if let Some(node) = self.nodes.get_mut(&dialler) {
            node.redials.remove(&dialled);
            node.ends.insert(near, End::new(dialled, far, to, true));
        }
        if let Some(node) = self.nodes.get_mut(&dialled) {
            node.ends.insert(far, End::new(dialler, near, from, false));
        }
        self.wake(dialler);
        self.wake(dialled);
    }

    /// Marks one end as ended. An end whose owner never heard of it is forgotten, so that ends do not pile up.
    fn end(&mut self, id: NodeId, link: LinkId, reason: &'static str) {
        let Some(end) = self.end_mut(id, link) else { return };
        end.ended.get_or_insert(reason);
        if !end.up_told
            && let Some(node) = self.nodes.get_mut(&id)
        {
            node.ends.remove(&link);
        }
        self.wake(id);
    }

    fn owe_grant(&mut self, id: NodeId, link: LinkId) {
        if let Some(end) = self.end_mut(id, link)
            && end.grant == Grant::Full
            && end.up_told
        {
            end.grant = Grant::Owed;
            self.wake(id);
        }
    }

    fn end_mut(&mut self, id: NodeId, link: LinkId) -> Option<&mut End> {
        self.nodes.get_mut(&id)?.ends.get_mut(&link)
    }

    pub(super) fn wake(&mut self, id: NodeId) {
        let waker = self.nodes.get_mut(&id).and_then(|node| node.waker.take());
        self.wakes.extend(waker);
    }

    fn labelled(&self, label: &str) -> Vec<NodeId> {
        self.nodes.iter().filter(|(_, node)| node.label == label).map(|(id, _)| *id).collect()
    }

    fn pairs(&self, a: &str, b: &str) -> Vec<(NodeId, NodeId)> {
        let others = self.labelled(b);
        let all = self.labelled(a).into_iter().flat_map(|x| others.iter().map(move |y| (x, *y)));
        all.filter(|(x, y)| x != y).collect()
    }

    /// Both ends of every link between two nodes.
    fn links_between(&self, x: NodeId, y: NodeId) -> Vec<(NodeId, LinkId)> {
        let toward = |id: NodeId, peer: NodeId| {
            let ends = self.nodes.get(&id).map(|node| &node.ends).into_iter().flatten();
            ends.filter(move |(_, end)| end.peer == peer).map(move |(link, _)| (id, *link))
        };
        toward(x, y).chain(toward(y, x)).collect()
    }
}

impl End {
    fn new(peer: NodeId, peer_link: LinkId, peer_label: String, dialled: bool) -> Self {
        Self {
            peer,
            peer_link,
            peer_label,
            dialled,
            up_told: false,
            grant: Grant::Full,
            inbox: VecDeque::new(),
            inbox_first: false,
            ended: None,
        }
    }
}

fn pair(a: &str, b: &str) -> (String, String) {
    let (less, more) = if a <= b { (a, b) } else { (b, a) };
    (less.to_owned(), more.to_owned())
}
