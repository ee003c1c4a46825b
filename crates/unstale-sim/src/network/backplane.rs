//! What a simulated process holds of the network: a backplane like any other.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use unstale_codec::native;
use unstale_core::Message;
use unstale_port::{
    Backplane, Delivery, Error, Event, Frame, Kind, LinkId, Peers, Properties, RegisterRequest, Retry,
};

use super::wire::Seat;
use super::{Life, Net, Network, Storm, lock};
use crate::fault::Fault;

/// Frames of a dead process that may come again.
const GHOSTS_MAX: usize = 24;

/// Sees what comes in before the node does, and may change it: where bugs are planted.
pub trait Tap: Send {
    /// What the node is given instead of `frame`.
    fn incoming(&mut self, frame: Bytes) -> Bytes;

    /// A link came up.
    fn linked(&mut self) {}
}

/// The backplane of one life of a process. Dropping it ends its links.
pub struct SimBackplane {
    net: Arc<Mutex<Net>>,
    life: Life,
    properties: Properties,
    tap: Option<Box<dyn Tap>>,
}

impl Network {
    /// A process joins: it dials everyone who is there, and is dialled by everyone who comes later.
    pub fn join(
        &self,
        life: Life,
        node: usize,
        peers: Peers,
        listening: bool,
        tap: Option<Box<dyn Tap>>,
    ) -> SimBackplane {
        let label = super::super::world::name_of(node);
        let delivery = self.with(|net| {
            let others: Vec<Life> = net.seats.keys().copied().collect();
            let seat = Seat {
                node,
                label: label.clone(),
                inbox: VecDeque::new(),
                waker: None,
                sent: VecDeque::new(),
            };
            net.seats.insert(life, seat);
            net.subscribe(life);
            for other in others {
                let at = net.now + net.dice.below(20) * super::MS;
                net.redials.insert((life, other), at);
            }
            net.quality.delivery
        });
        let properties = Properties {
            delivery,
            frame_bytes_max: 1 << 20,
            listening: listening.then(|| label.clone()),
            advertised: Some(label),
            peers,
        };
        SimBackplane { net: Arc::clone(&self.net), life, properties, tap }
    }
}

impl Net {
    fn send(&mut self, life: Life, link: LinkId, frame: &Frame) -> Result<(), Error> {
        if self.is_common(life, link) {
            self.send_common(life, link, frame);
            return Ok(());
        }
        let Some(end) = self.links.get_mut(&link).filter(|end| end.life == life && !end.broken) else {
            return Err(Error::new(Kind::Gone, Retry::Never, "send", format!("link {} is down", link.0)));
        };
        if !end.writable {
            let detail = format!("link {} is not writable", link.0);
            return Err(Error::new(Kind::Rejected, Retry::Never, "send", detail));
        }
        end.unread += 1;
        end.writable = end.unread < self.quality.room;
        let (writable, mute, peer_link, last) = (end.writable, end.mute, end.peer_link, end.last_arrival);
        if writable {
            self.tell(life, Event::Writable { link });
        }
        if let Some(seat) = self.seats.get_mut(&life)
            && is_late_news(frame)
        {
            seat.sent.push_back(frame.clone());
            if seat.sent.len() > GHOSTS_MAX {
                seat.sent.pop_front();
            }
        }
        if mute {
            self.faults.count(Fault::Loss);
            self.taken(peer_link);
            return Ok(());
        }
        let copies = self.copies();
        if copies == 0 {
            self.taken(peer_link);
        }
        for _ in 0..copies {
            let mut arrival = self.arrival();
            if self.quality.delivery == Delivery::Fifo {
                arrival = arrival.max(last);
            } else if arrival < last {
                self.faults.count(Fault::Reorder);
            }
            if let Some(end) = self.links.get_mut(&link) {
                end.last_arrival = end.last_arrival.max(arrival);
            }
            self.sent += 1;
            self.under_way.insert((arrival, self.sent), (peer_link, frame.clone()));
        }
        Ok(())
    }

    /// How many copies of a frame arrive.
    pub(super) fn copies(&mut self) -> u64 {
        if self.quality.delivery == Delivery::Fifo {
            return 1;
        }
        let (mut loss, mut twice) = (self.quality.loss, self.quality.twice);
        for (_, storm) in &self.storms {
            match *storm {
                Storm::Loss(permille) => loss = loss.max(permille),
                Storm::Twice(permille) => twice = twice.max(permille),
                Storm::Delay(_) => {}
            }
        }
        if loss > 0 && self.dice.hits(loss) {
            self.faults.count(Fault::Loss);
            return 0;
        }
        if twice > 0 && self.dice.hits(twice) {
            self.faults.count(Fault::Duplicate);
            return 2;
        }
        1
    }

    pub(super) fn arrival(&mut self) -> u64 {
        let quality = self.quality;
        let mut way = quality.latency + self.dice.below(quality.jitter + 1);
        if quality.tail > 0 && self.dice.hits(quality.tail) {
            self.faults.count(Fault::Delay);
            way += way * self.dice.below(20);
        }
        for index in 0..self.storms.len() {
            if let Storm::Delay(most) = self.storms[index].1
                && self.dice.hits(250)
            {
                self.faults.count(Fault::Delay);
                way += self.dice.below(most);
            }
        }
        self.now + way
    }

    /// The owner of an end took a frame off it: the peer may send another.
    fn taken(&mut self, link: LinkId) {
        let Some(peer_link) = self.links.get(&link).map(|end| end.peer_link) else { return };
        let room = self.quality.room;
        let Some(peer) = self.links.get_mut(&peer_link) else { return };
        peer.unread = peer.unread.saturating_sub(1);
        if !peer.writable && peer.unread < room && !peer.broken {
            peer.writable = true;
            let life = peer.life;
            self.tell(life, Event::Writable { link: peer_link });
        }
    }

    fn leave(&mut self, life: Life) {
        let Some(seat) = self.seats.remove(&life) else { return };
        self.unsubscribe(life);
        let frames = seat.sent.into_iter().collect();
        self.ghosts.insert(seat.node, frames);
        self.redials.retain(|(dialler, dialled), _| *dialler != life && *dialled != life);
        let own: Vec<(LinkId, LinkId)> = self
            .links
            .iter()
            .filter(|(_, end)| end.life == life)
            .map(|(link, end)| (*link, end.peer_link))
            .collect();
        for (link, peer_link) in own {
            if let Some(end) = self.links.get_mut(&link) {
                end.broken = true;
            }
            // What it had handed over still arrives before the news of its end.
            let last = self.links.get(&link).map_or(0, |end| end.last_arrival);
            let at = last.max(self.now) + self.dice.between(1, 50) * super::MS;
            self.breaking.insert((at, peer_link));
        }
    }
}

/// What a network may still hold of a dead process: acts and beats. A greeting belongs to its link and never comes again: links are
/// authenticated.
fn is_late_news(frame: &Frame) -> bool {
    matches!(native::decode(frame.clone()), Ok(Message::Frame(_) | Message::Beat(_)))
}

impl Backplane for SimBackplane {
    fn properties(&self) -> &Properties {
        &self.properties
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        let (event, wakes) = {
            let mut net = lock(&self.net);
            let Some(seat) = net.seats.get_mut(&self.life) else { return Poll::Pending };
            let Some(event) = seat.inbox.pop_front() else {
                seat.waker = Some(cx.waker().clone());
                return Poll::Pending;
            };
            if let Event::Received { link, .. } = &event {
                net.taken(*link);
            }
            (event, std::mem::take(&mut net.wakes))
        };
        for waker in wakes {
            waker.wake();
        }
        let Some(tap) = &mut self.tap else { return Poll::Ready(event) };
        if let Event::Up { .. } = &event {
            tap.linked();
        }
        if let Event::Received { link, frame } = event {
            return Poll::Ready(Event::Received { link, frame: tap.incoming(frame) });
        }
        Poll::Ready(event)
    }

    fn send(&mut self, link: LinkId, frame: Frame) -> Result<(), Error> {
        let mut net = lock(&self.net);
        let sent = net.send(self.life, link, &frame);
        // Only this process itself can have been woken, and it is running.
        let wakes = std::mem::take(&mut net.wakes);
        drop(net);
        for waker in wakes {
            waker.wake();
        }
        sent
    }

    fn close(&mut self, link: LinkId) {
        let mut net = lock(&self.net);
        let peer = net.links.get(&link).map(|end| end.peer_link);
        net.break_end(link, "closed here");
        if let Some(peer) = peer {
            net.break_end(peer, "closed by the peer");
        }
        let wakes = std::mem::take(&mut net.wakes);
        drop(net);
        for waker in wakes {
            waker.wake();
        }
    }

    fn register(&mut self, request: RegisterRequest) {
        lock(&self.net).ask(self.life, request);
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}

impl Drop for SimBackplane {
    fn drop(&mut self) {
        lock(&self.net).leave(self.life);
    }
}
