//! The backplane of a node that has none.

use std::task::{Context, Poll};

use unstale_port::{Backplane, Delivery, Error, Event, Frame, Kind, LinkId, Peers, Properties, Retry};

/// Links to nobody.
#[derive(Debug)]
pub(super) struct Nowhere {
    properties: Properties,
}

impl Nowhere {
    pub(super) fn new() -> Self {
        let properties = Properties {
            delivery: Delivery::Fifo,
            frame_bytes_max: usize::MAX,
            listening: None,
            advertised: None,
            peers: Peers::Fixed(Vec::new()),
        };
        Self { properties }
    }
}

impl Backplane for Nowhere {
    fn properties(&self) -> &Properties {
        &self.properties
    }

    fn poll_event(&mut self, _: &mut Context<'_>) -> Poll<Event> {
        Poll::Pending
    }

    fn send(&mut self, link: LinkId, _: Frame) -> Result<(), Error> {
        Err(Error::new(
            Kind::Gone,
            Retry::Never,
            "send",
            format!("link {} of a node without a backplane", link.0),
        ))
    }

    fn close(&mut self, _: LinkId) {}

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}
