//! A backplane that counts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use crate::{Backplane, Error, Event, Frame, LinkId, Properties, RegisterRequest};

/// What went through a [`Metered`] backplane since it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames handed over and taken.
    pub frames_sent: u64,
    /// Their bytes.
    pub bytes_sent: u64,
    /// Frames that came in.
    pub frames_received: u64,
    /// Their bytes.
    pub bytes_received: u64,
    /// Sends that failed.
    pub sends_failed: u64,
    /// Links that came up.
    pub ups: u64,
    /// Links that went down.
    pub downs: u64,
    /// Notes, by what they count.
    pub notes: BTreeMap<&'static str, u64>,
}

/// Reads the counts of a [`Metered`] backplane from anywhere; it outlives the backplane.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    counts: Arc<Mutex<Counts>>,
}

impl Meter {
    /// The counts so far.
    pub fn counts(&self) -> Counts {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A decorator that counts frames, bytes, links and notes, and changes nothing.
///
/// ```
/// use unstale_port::Metered;
/// use unstale_port::memory::Hub;
///
/// let (backplane, meter) = Metered::new(Hub::new().join("a"));
/// assert_eq!(meter.counts().frames_sent, 0);
/// # drop(backplane);
/// ```
pub struct Metered<B> {
    inner: B,
    meter: Meter,
}

impl<B: Backplane> Metered<B> {
    /// Counts what goes through `inner`.
    pub fn new(inner: B) -> (Self, Meter) {
        let meter = Meter::default();
        (Self { inner, meter: meter.clone() }, meter)
    }
}

impl<B: Backplane> Backplane for Metered<B> {
    fn properties(&self) -> &Properties {
        self.inner.properties()
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        let polled = self.inner.poll_event(cx);
        if let Poll::Ready(event) = &polled {
            let mut counts = self.meter.lock();
            match event {
                Event::Up { .. } | Event::UpCommon { .. } => counts.ups += 1,
                Event::Recognised { .. } | Event::Writable { .. } | Event::Listed(_) => {}
                Event::Received { frame, .. } => {
                    counts.frames_received += 1;
                    counts.bytes_received += frame.len() as u64;
                }
                Event::Down { .. } => counts.downs += 1,
                Event::Note { what, .. } => *counts.notes.entry(what).or_default() += 1,
            }
        }
        polled
    }

    fn send(&mut self, link: LinkId, frame: Frame) -> Result<(), Error> {
        let bytes = frame.len() as u64;
        let sent = self.inner.send(link, frame);
        let mut counts = self.meter.lock();
        match &sent {
            Ok(()) => {
                counts.frames_sent += 1;
                counts.bytes_sent += bytes;
            }
            Err(_) => counts.sends_failed += 1,
        }
        sent
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
