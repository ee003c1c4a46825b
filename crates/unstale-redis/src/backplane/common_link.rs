//! The link that reaches all.

use unstale_port::{Error, Event, Frame, Kind, LinkId, Retry};

use super::envelope::units;
use super::links::Links;

/// Units under way that did not come back from the server yet.
const WINDOW: u64 = 4 << 20;

/// The common link's own half. What this process sent comes back from the server like to everybody: that is how it is
/// known how far the server is.
#[derive(Debug, Default)]
pub(crate) struct Common {
    link: Option<u64>,
    /// Whether it has said that it takes one more frame.
    is_free: bool,
    /// Counts over all lives of the link, so that the others notice what was lost with one.
    sent: u64,
    echoed: u64,
}

impl Common {
    /// It comes up, under a new number.
    pub(crate) fn rise(&mut self, links: &mut Links) {
        let id = links.new_id();
        (self.link, self.is_free, self.echoed) = (Some(id), false, self.sent);
        links.say(Event::UpCommon { link: LinkId(id) });
    }

    /// It goes down, if it is up.
    pub(crate) fn fall(&mut self, links: &mut Links, reason: &str) {
        if let Some(id) = self.link.take() {
            links.say(Event::Down { link: LinkId(id), reason: reason.to_owned() });
        }
    }

    pub(crate) fn is(&self, link: LinkId) -> bool {
        self.link == Some(link.0)
    }

    /// Takes a frame; how many units were sent before it, and how many with it.
    pub(crate) fn send(&mut self, frame: &Frame) -> Result<(u64, u64), Error> {
        if !self.is_free {
            let detail = "the link has not said that it takes another frame";
            return Err(Error::new(Kind::Rejected, Retry::Never, "send", detail));
        }
        self.is_free = false;
        let before = self.sent;
        self.sent += units(frame);
        Ok((before, self.sent))
    }

    /// A frame of this process came back, or will not: so many units were sent with it.
    pub(crate) fn passed(&mut self, until: u64) {
        // A stream also gives back what was sent in an earlier life of the link.
        self.echoed = self.echoed.max(until.min(self.sent));
    }

    /// Says that it has room, if it has.
    pub(crate) fn grant(&mut self, links: &mut Links, has_room: bool) {
        if let Some(id) = self.link
            && !self.is_free
            && has_room
            && self.sent - self.echoed < WINDOW
        {
            self.is_free = true;
            links.say(Event::Writable { link: LinkId(id) });
        }
    }

    pub(crate) fn received(&self, links: &mut Links, frame: Frame) {
        if let Some(id) = self.link {
            links.say(Event::Received { link: LinkId(id), frame });
        }
    }
}
