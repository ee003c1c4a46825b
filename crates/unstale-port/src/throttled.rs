//! A backplane whose links carry only so many bytes a second.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::timer::Alarm;
use crate::{
    Backplane, Error, Event, Frame, Kind, LinkId, Properties, RegisterRequest, Retry, SystemTimer, Timer,
};

/// A decorator that says a link is writable only after the time that its last frame takes at a given rate. Each link has
/// the rate for itself; order and everything else stay as they are inside.
///
/// ```
/// use unstale_port::memory::Hub;
/// use unstale_port::{Backplane, Delivery, Throttled};
///
/// let slow = Throttled::new(Hub::new().join("a"), 64 * 1024);
/// assert_eq!(slow.properties().delivery, Delivery::Fifo);
/// ```
pub struct Throttled<B> {
    inner: B,
    bytes_per_second: u64,
    alarm: Alarm,
    links: BTreeMap<LinkId, Pace>,
}

#[derive(Default)]
struct Pace {
    /// When its last frame is through.
    free_at: Duration,
    /// Whether the inner backplane said that it is writable, and we did not yet.
    writable: bool,
}

impl<B: Backplane> Throttled<B> {
    /// Lets each link of `inner` carry `bytes_per_second`, timed by the system's clock.
    ///
    /// # Panics
    /// If that is 0.
    pub fn new(inner: B, bytes_per_second: u64) -> Self {
        Self::with_timer(inner, bytes_per_second, Arc::new(SystemTimer::new()))
    }

    /// The same, timed by `timer`.
    ///
    /// # Panics
    /// If `bytes_per_second` is 0.
    pub fn with_timer(inner: B, bytes_per_second: u64, timer: Arc<dyn Timer>) -> Self {
        assert!(bytes_per_second > 0, "a link that carries 0 bytes a second would never be writable again");
        Self { inner, bytes_per_second, alarm: Alarm::new(timer), links: BTreeMap::new() }
    }

    /// The link that became free first, with when, among those that wait.
    fn first_waiting(&self) -> Option<(LinkId, Duration)> {
        let waiting = self.links.iter().filter(|(_, pace)| pace.writable);
        waiting.map(|(link, pace)| (*link, pace.free_at)).min_by_key(|(_, free_at)| *free_at)
    }

    fn poll_waiting(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        let Some((link, free_at)) = self.first_waiting() else { return Poll::Pending };
        if self.alarm.poll_due(free_at, cx).is_pending() {
            return Poll::Pending;
        }
        if let Some(pace) = self.links.get_mut(&link) {
            pace.writable = false;
        }
        Poll::Ready(Event::Writable { link })
    }
}

impl<B: Backplane> Backplane for Throttled<B> {
    fn properties(&self) -> &Properties {
        self.inner.properties()
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        if let Poll::Ready(event) = self.poll_waiting(cx) {
            return Poll::Ready(event);
        }
        while let Poll::Ready(event) = self.inner.poll_event(cx) {
            match event {
                Event::Writable { link } => {
                    self.links.entry(link).or_default().writable = true;
                    if let Poll::Ready(event) = self.poll_waiting(cx) {
                        return Poll::Ready(event);
                    }
                }
                Event::Down { link, reason } => {
                    self.links.remove(&link);
                    return Poll::Ready(Event::Down { link, reason });
                }
                event @ (Event::Up { .. }
                | Event::UpCommon { .. }
                | Event::Listed(_)
                | Event::Recognised { .. }
                | Event::Received { .. }
                | Event::Note { .. }) => {
                    return Poll::Ready(event);
                }
            }
        }
        Poll::Pending
    }

    fn send(&mut self, link: LinkId, frame: Frame) -> Result<(), Error> {
        let waits = self.links.get(&link).is_some_and(|pace| pace.writable);
        if waits {
            let detail = format!("link {} is not writable", link.0);
            return Err(Error::new(Kind::Rejected, Retry::Never, "send", detail));
        }
        let bytes = frame.len() as u64;
        self.inner.send(link, frame)?;
        let takes = Duration::from_nanos(bytes.saturating_mul(1_000_000_000) / self.bytes_per_second);
        self.links.entry(link).or_default().free_at = self.alarm.now().saturating_add(takes);
        Ok(())
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
