//! A backplane that loses, repeats, reorders and delays what comes in.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::dice::Dice;
use crate::timer::Alarm;
use crate::{
    Backplane, Delivery, Error, Event, Frame, LinkId, Properties, RegisterRequest, SystemTimer, Timer,
};

/// How often what goes wrong: shares of received frames from 0 to 1, thrown for one after the other.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Faults {
    /// Frames that never arrive.
    pub lose: f64,
    /// Frames that arrive a second time, within `delay` or [`Faults::OVERTAKEN_AFTER`], whichever is longer.
    pub repeat: f64,
    /// Frames that a later one overtakes; one that none follows comes after [`Faults::OVERTAKEN_AFTER`].
    pub reorder: f64,
    /// The longest time that a frame is held back; each one's is drawn evenly below it. Zero: none is.
    pub delay: Duration,
}

impl Faults {
    /// How long a frame waits for one that overtakes it.
    pub const OVERTAKEN_AFTER: Duration = Duration::from_millis(20);
}

/// A decorator that makes [`Faults`] happen to what the inner backplane receives. It delivers [`Delivery::Unordered`].
///
/// The same seed and the same frames meet the same faults. Links go up and down as they do inside; what is held back for
/// a link that goes down is lost.
///
/// ```
/// use unstale_port::memory::Hub;
/// use unstale_port::{Backplane, Delivery, Faults, Faulty};
///
/// let lossy = Faulty::new(Hub::new().join("a"), Faults { lose: 0.1, ..Faults::default() }, 42);
/// assert_eq!(lossy.properties().delivery, Delivery::Unordered);
/// ```
pub struct Faulty<B> {
    inner: B,
    faults: Faults,
    dice: Dice,
    properties: Properties,
    alarm: Alarm,
    next_id: u64,
    /// By the time at which each is due.
    held: BTreeMap<(Duration, u64), Held>,
}

struct Held {
    link: LinkId,
    frame: Frame,
    /// Whether the next frame of the link may let it out before its time.
    overtaken: bool,
}

/// Frames held back at most; beyond it, the one that is due first comes at once.
const HELD_MAX: usize = 1_024;

impl<B: Backplane> Faulty<B> {
    /// Makes `faults` happen to `inner`, drawn from `seed`, timed by the system's clock.
    pub fn new(inner: B, faults: Faults, seed: u64) -> Self {
        Self::with_timer(inner, faults, seed, Arc::new(SystemTimer::new()))
    }

    /// The same, timed by `timer`.
    pub fn with_timer(inner: B, faults: Faults, seed: u64, timer: Arc<dyn Timer>) -> Self {
        let properties = Properties { delivery: Delivery::Unordered, ..inner.properties().clone() };
        let (dice, alarm) = (Dice::new(seed), Alarm::new(timer));
        Self { inner, faults, dice, properties, alarm, next_id: 0, held: BTreeMap::new() }
    }

    /// Other faults from now on.
    pub fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
    }

    /// A frame came in: what arrives of it at once.
    fn receive(&mut self, link: LinkId, frame: Frame) -> Option<Frame> {
        let overtaken =
            self.held.iter().find(|(_, held)| held.link == link && held.overtaken).map(|(key, _)| *key);
        if let Some(held) = overtaken.and_then(|key| self.held.remove(&key)) {
            self.hold(Held { overtaken: false, ..held }, Duration::ZERO);
        }
        if self.dice.hits(self.faults.lose) {
            return None;
        }
        if self.dice.hits(self.faults.repeat) {
            let wait = self.draw(self.faults.delay.max(Faults::OVERTAKEN_AFTER));
            self.hold(Held { link, frame: frame.clone(), overtaken: false }, wait);
        }
        let reorder = self.dice.hits(self.faults.reorder);
        let delay = self.draw(self.faults.delay);
        if reorder {
            self.hold(Held { link, frame, overtaken: true }, delay.max(Faults::OVERTAKEN_AFTER));
        } else if delay > Duration::ZERO {
            self.hold(Held { link, frame, overtaken: false }, delay);
        } else {
            return Some(frame);
        }
        None
    }

    fn draw(&mut self, longest: Duration) -> Duration {
        let nanos = u64::try_from(longest.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.dice.below(nanos))
    }

    fn hold(&mut self, held: Held, wait: Duration) {
        self.next_id += 1;
        self.held.insert((self.alarm.now().saturating_add(wait), self.next_id), held);
    }

    /// The held frame whose time has come, or that must make room.
    fn poll_held(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        let Some((&(due, _), _)) = self.held.first_key_value() else { return Poll::Pending };
        if self.held.len() <= HELD_MAX && self.alarm.poll_due(due, cx).is_pending() {
            return Poll::Pending;
        }
        match self.held.pop_first() {
            Some((_, Held { link, frame, .. })) => Poll::Ready(Event::Received { link, frame }),
            None => Poll::Pending,
        }
    }
}

impl<B: Backplane> Backplane for Faulty<B> {
    fn properties(&self) -> &Properties {
        &self.properties
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        if let Poll::Ready(event) = self.poll_held(cx) {
            return Poll::Ready(event);
        }
        while self.held.len() <= HELD_MAX {
            let Poll::Ready(event) = self.inner.poll_event(cx) else { break };
            match event {
                Event::Received { link, frame } => {
                    if let Some(frame) = self.receive(link, frame) {
                        return Poll::Ready(Event::Received { link, frame });
                    }
                }
                Event::Down { link, reason } => {
                    self.held.retain(|_, held| held.link != link);
                    return Poll::Ready(Event::Down { link, reason });
                }
                event @ (Event::Up { .. }
                | Event::UpCommon { .. }
                | Event::Listed(_)
                | Event::Recognised { .. }
                | Event::Writable { .. }
                | Event::Note { .. }) => {
                    return Poll::Ready(event);
                }
            }
        }
        self.poll_held(cx)
    }

    fn send(&mut self, link: LinkId, frame: Frame) -> Result<(), Error> {
        self.inner.send(link, frame)
    }

    fn close(&mut self, link: LinkId) {
        self.inner.close(link);
    }

    fn register(&mut self, request: RegisterRequest) {
        self.inner.register(request);
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.inner.poll_close(cx)
    }
}
