//! A backplane with an owner that enters the register and reads it, as a node does.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, Sleep, sleep_until};
use unstale_port::{Backplane, Entry, Error, Event, Frame, LinkId, Listing, Properties, RegisterRequest};
use unstale_redis::RedisBackplane;

/// How often the register is read.
const READ_EVERY: Duration = Duration::from_millis(20);

/// Enters before each reading, since an adapter never does so by itself, and keeps listings to itself.
pub(crate) struct Member {
    pub(crate) backplane: RedisBackplane,
    pub(crate) entry: Entry,
    /// The last listing.
    pub(crate) listing: Option<Listing>,
    reading: u64,
    timer: Pin<Box<Sleep>>,
}

impl Member {
    pub(crate) fn new(backplane: RedisBackplane, id: impl Into<Bytes>) -> Self {
        let entry = Entry { id: id.into(), about: Bytes::from_static(b"about") };
        Self { backplane, entry, listing: None, reading: 0, timer: Box::pin(sleep_until(Instant::now())) }
    }
}

impl Backplane for Member {
    fn properties(&self) -> &Properties {
        self.backplane.properties()
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        while self.timer.as_mut().poll(cx).is_ready() {
            self.reading += 1;
            self.backplane.register(RegisterRequest::Enter(self.entry.clone()));
            self.backplane.register(RegisterRequest::Read { reading: self.reading });
            self.timer.as_mut().reset(Instant::now() + READ_EVERY);
        }
        loop {
            let polled = self.backplane.poll_event(cx);
            let Poll::Ready(Event::Listed(listing)) = polled else { return polled };
            self.listing = Some(listing);
        }
    }

    fn send(&mut self, link: LinkId, frame: Frame) -> Result<(), Error> {
        self.backplane.send(link, frame)
    }

    fn close(&mut self, link: LinkId) {
        self.backplane.close(link);
    }

    fn register(&mut self, request: RegisterRequest) {
        self.backplane.register(request);
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.backplane.register(RegisterRequest::Retire(self.entry.clone()));
        self.backplane.poll_close(cx)
    }
}
