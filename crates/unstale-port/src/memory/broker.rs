//! The broker that backplanes of one process join: inboxes, a common link, a register with its arbiter.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use super::desk::Desk;
use super::net::NodeId;
use crate::timer::Alarm;
use crate::{
    Backplane, Delivery, Error, Event, Frame, Kind, LinkId, Peers, Properties, RegisterRequest, Retry,
    SystemTimer, Timer,
};

/// How long after its end other than a cut a link comes up again.
const AGAIN_AFTER: Duration = Duration::from_millis(50);

/// What a [`Broker`] is like.
#[derive(Clone)]
pub struct BrokerOptions {
    /// How many frames one direction of a link holds; at least 1. An inbox that is full makes its link not writable; over the
    /// common link what does not fit is lost to that one receiver.
    pub queue_frames: usize,
    /// The largest frame, in bytes.
    pub frame_bytes_max: usize,
    /// By which ends of entries are timed.
    pub timer: Arc<dyn Timer>,
}

impl Default for BrokerOptions {
    fn default() -> Self {
        Self { queue_frames: 64, frame_bytes_max: 1 << 20, timer: Arc::new(SystemTimer::new()) }
    }
}

/// Links every backplane that joined with every other one whose entry is in its register, and all of them by one common
/// link, within this process. Clones are one broker. Labels stand for processes, for logs and faults only.
///
/// ```
/// use std::task::{Context, Poll, Waker};
/// use unstale_port::memory::Broker;
/// use unstale_port::{Backplane, Entry, Event, RegisterRequest};
///
/// let broker = Broker::new();
/// let mut a = broker.join("a");
/// a.register(RegisterRequest::Enter(Entry { id: "1".into(), about: "a".into() }));
/// a.register(RegisterRequest::Read { reading: 7 });
/// let mut cx = Context::from_waker(Waker::noop());
/// let events = std::iter::from_fn(|| match a.poll_event(&mut cx) {
///     Poll::Ready(event) => Some(event),
///     Poll::Pending => None,
/// });
/// let listing = events.filter_map(|event| if let Event::Listed(listing) = event { Some(listing) } else { None }).next();
/// let listing = listing.expect("the reading was answered");
/// assert_eq!((listing.reading, listing.entries.len(), listing.entries[0].renewals), (7, 1, 1));
/// ```
#[derive(Clone)]
pub struct Broker {
    desk: Arc<Mutex<Desk>>,
    options: Arc<BrokerOptions>,
}

impl Broker {
    /// A broker with the default limits.
    pub fn new() -> Self {
        Self::with(BrokerOptions::default())
    }

    /// A broker with `options`.
    ///
    /// # Panics
    /// If `queue_frames` is 0.
    pub fn with(options: BrokerOptions) -> Self {
        assert!(options.queue_frames > 0, "a link that holds 0 frames would never be writable");
        Self { desk: Arc::new(Mutex::new(Desk::new(options.queue_frames))), options: Arc::new(options) }
    }

    /// Joins as `label`. Dropping the backplane leaves; its entry stays until it is retired or expelled.
    pub fn join(&self, label: impl Into<String>) -> BrokerBackplane {
        let properties = Properties {
            delivery: Delivery::Unordered,
            frame_bytes_max: self.options.frame_bytes_max,
            listening: None,
            advertised: None,
            peers: Peers::Registered,
        };
        let id = self.with_desk(|desk| desk.join(label.into()));
        let alarm = Alarm::new(Arc::clone(&self.options.timer));
        BrokerBackplane { broker: self.clone(), id, properties, alarm }
    }

    /// Cuts a process off from the broker, and so from all others, until [`Broker::heal`]; what is under way is lost.
    pub fn cut(&self, label: &str) {
        self.with_desk(|desk| desk.cut(label));
    }

    /// Ends a cut: the links come up again.
    pub fn heal(&self, label: &str) {
        self.with_desk(|desk| desk.heal(label));
    }

    /// Drops a process's part of the common link, as brokers do to those that read too slowly. It comes up again at once.
    pub fn drop_subscriber(&self, label: &str) {
        self.with_desk(|desk| desk.drop_subscriber(label));
    }

    /// Loses all entries and ends: the register goes on in another era. Links stay up.
    pub fn lose_register(&self) {
        self.with_desk(Desk::lose_register);
    }

    /// Runs `change` under the lock and wakes after it whom the change concerns.
    fn with_desk<T>(&self, change: impl FnOnce(&mut Desk) -> T) -> T {
        let (result, wakes) = {
            let mut desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
            let result = change(&mut desk);
            (result, desk.take_wakes())
        };
        for waker in wakes {
            waker.wake();
        }
        result
    }
}

impl Default for Broker {
    fn default() -> Self {
        Self::new()
    }
}

/// One process's backplane of a [`Broker`].
pub struct BrokerBackplane {
    broker: Broker,
    id: NodeId,
    properties: Properties,
    alarm: Alarm,
}

impl Backplane for BrokerBackplane {
    fn properties(&self) -> &Properties {
        &self.properties
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        loop {
            let now = self.alarm.now();
            let (event, again) = self.broker.with_desk(|desk| {
                desk.link_again(self.id, now);
                (desk.next_event(self.id, cx.waker()), desk.again_at(self.id))
            });
            if let Some(event) = event {
                return Poll::Ready(event);
            }
            match again.map(|due| self.alarm.poll_due(due, cx)) {
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
        self.broker.with_desk(|desk| desk.send(self.id, link, frame))
    }

    fn close(&mut self, link: LinkId) {
        let again = self.alarm.now() + AGAIN_AFTER;
        self.broker.with_desk(|desk| desk.close(self.id, link, again));
    }

    fn register(&mut self, request: RegisterRequest) {
        let now = self.alarm.now();
        self.broker.with_desk(|desk| desk.ask(self.id, request, now));
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<()> {
        self.broker.with_desk(|desk| desk.leave(self.id));
        Poll::Ready(())
    }
}

impl Drop for BrokerBackplane {
    fn drop(&mut self) {
        self.broker.with_desk(|desk| desk.leave(self.id));
    }
}

#[cfg(test)]
mod tests;
