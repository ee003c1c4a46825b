//! The hub that backplanes of one process join, and the backplane that joining gives.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use super::net::{Net, NodeId};
use crate::timer::Alarm;
use crate::{
    Backplane, Delivery, Error, Event, Frame, Kind, LinkId, Peer, Peers, Properties, Retry, SystemTimer,
    Timer,
};

/// What a [`Hub`] is like.
#[derive(Clone)]
pub struct HubOptions {
    /// The labels that every node's configuration lists (its own is left out of its list); `None`: elastic.
    pub fixed: Option<Vec<String>>,
    /// How many frames one direction of a link holds before it is not writable any more; at least 1.
    pub queue_frames: usize,
    /// The largest frame, in bytes.
    pub frame_bytes_max: usize,
    /// How long after an end other than a cut a link is dialled again.
    pub redial_after: Duration,
    /// By which that time is measured.
    pub timer: Arc<dyn Timer>,
}

impl Default for HubOptions {
    fn default() -> Self {
        Self {
            fixed: None,
            queue_frames: 16,
            frame_bytes_max: 1 << 20,
            redial_after: Duration::from_millis(50),
            timer: Arc::new(SystemTimer::new()),
        }
    }
}

/// Links every backplane that joined with every other one, first in, first out, within this process. Clones are one hub.
///
/// The later one of two dials the earlier one. Labels stand for addresses; two nodes may carry the same label, as two
/// lives of one process do. Links can be cut and healed, and held (what is sent waits) and released, by label.
///
/// ```
/// use std::task::{Context, Poll, Waker};
/// use unstale_port::memory::Hub;
/// use unstale_port::{Backplane, Event};
///
/// let hub = Hub::new();
/// let (mut a, _b) = (hub.join("a"), hub.join("b"));
/// let mut cx = Context::from_waker(Waker::noop());
/// assert!(matches!(a.poll_event(&mut cx), Poll::Ready(Event::Up { .. })));
/// ```
#[derive(Clone)]
pub struct Hub {
    net: Arc<Mutex<Net>>,
    options: Arc<HubOptions>,
}

impl Hub {
    /// An elastic hub with the default limits.
    pub fn new() -> Self {
        Self::with(HubOptions::default())
    }

    /// A hub whose nodes were configured with this fixed list of labels.
    pub fn fixed<L: Into<String>>(labels: impl IntoIterator<Item = L>) -> Self {
        let fixed = Some(labels.into_iter().map(Into::into).collect());
        Self::with(HubOptions { fixed, ..HubOptions::default() })
    }

    /// A hub with `options`.
    ///
    /// # Panics
    /// If `queue_frames` is 0.
    pub fn with(options: HubOptions) -> Self {
        assert!(options.queue_frames > 0, "a link that holds 0 frames would never be writable");
        Self { net: Arc::new(Mutex::new(Net::new(options.queue_frames))), options: Arc::new(options) }
    }

    /// Joins as `label`: links to every node that joined and is not cut off come up. Dropping the backplane leaves.
    pub fn join(&self, label: impl Into<String>) -> MemoryBackplane {
        let label = label.into();
        let peers = match &self.options.fixed {
            Some(labels) => {
                let others = labels.iter().filter(|other| **other != label);
                Peers::Fixed(others.map(|o| Peer { name: Some(o.clone()), address: o.clone() }).collect())
            }
            None => Peers::Elastic,
        };
        let properties = Properties {
            delivery: Delivery::Fifo,
            frame_bytes_max: self.options.frame_bytes_max,
            listening: None,
            advertised: Some(label.clone()),
            peers,
        };
        let id = self.with_net(|net| net.join(label));
        let alarm = Alarm::new(Arc::clone(&self.options.timer));
        MemoryBackplane { hub: self.clone(), id, properties, alarm }
    }

    /// Breaks the links between `a` and `b`, with the loss of what is under way, until [`Hub::heal`].
    pub fn cut(&self, a: &str, b: &str) {
        self.with_net(|net| net.cut(a, b));
    }

    /// Ends a cut: the links come up again at once.
    pub fn heal(&self, a: &str, b: &str) {
        self.with_net(|net| net.heal(a, b));
    }

    /// Lets frames from `from` to `to` wait, and the link fill up, until [`Hub::release`]. The link stays up.
    pub fn hold(&self, from: &str, to: &str) {
        self.with_net(|net| net.hold(from, to));
    }

    /// Ends a hold: what waited is delivered.
    pub fn release(&self, from: &str, to: &str) {
        self.with_net(|net| net.release(from, to));
    }

    /// Runs `change` under the lock and wakes after it whom the change concerns.
    fn with_net<T>(&self, change: impl FnOnce(&mut Net) -> T) -> T {
        let (result, wakes) = {
            let mut net = self.net.lock().unwrap_or_else(PoisonError::into_inner);
            let result = change(&mut net);
            (result, net.take_wakes())
        };
        for waker in wakes {
            waker.wake();
        }
        result
    }
}

impl Default for Hub {
    fn default() -> Self {
        Self::new()
    }
}

/// One node's backplane of a [`Hub`].
pub struct MemoryBackplane {
    hub: Hub,
    id: NodeId,
    properties: Properties,
    alarm: Alarm,
}

impl Backplane for MemoryBackplane {
    fn properties(&self) -> &Properties {
        &self.properties
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        loop {
            let now = self.alarm.now();
            let (event, redial) = self.hub.with_net(|net| {
                net.dial_again(self.id, now);
                (net.next_event(self.id, cx.waker()), net.redial_at(self.id))
            });
            if let Some(event) = event {
                return Poll::Ready(event);
            }
            match redial.map(|due| self.alarm.poll_due(due, cx)) {
                Some(Poll::Ready(())) => {}
                Some(Poll::Pending) | None => return Poll::Pending,
            }
        }
    }

    fn send(&mut self, link: LinkId, frame: Frame) -> Result<(), Error> {
        let max = self.properties.frame_bytes_max;
        if frame.len() > max {
            let detail = format!("frame of {} bytes exceeds limit of {max}", frame.len());
            return Err(Error::new(Kind::TooLarge, Retry::Never, "send", detail));
        }
        self.hub.with_net(|net| net.send(self.id, link, frame))
    }

    fn close(&mut self, link: LinkId) {
        let redial = self.alarm.now() + self.hub.options.redial_after;
        self.hub.with_net(|net| net.close(self.id, link, redial));
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<()> {
        self.hub.with_net(|net| net.leave(self.id));
        Poll::Ready(())
    }
}

impl Drop for MemoryBackplane {
    fn drop(&mut self) {
        self.hub.with_net(|net| net.leave(self.id));
    }
}

#[cfg(test)]
mod tests;
