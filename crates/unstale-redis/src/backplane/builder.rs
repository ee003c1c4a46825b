//! How a backplane is configured.

use unstale_port::{Delivery, Error, Kind, Peers, Properties, Retry};

use super::feed::Feed;
use super::names::{Names, Process};
use super::{FRAME_BYTES_MAX, RedisBackplane, Setup};
use crate::settings::{Role, Settings};

/// Builds a [`RedisBackplane`]; made by [`RedisBackplane::builder`]. Settings are checked by [`Self::start`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is started"]
pub struct Builder {
    settings: Settings,
    prefix: String,
    group: String,
    stream_entries_max: Option<u64>,
}

impl Builder {
    pub(super) fn new(settings: Settings) -> Self {
        Self { settings, prefix: "unstale".to_owned(), group: "default".to_owned(), stream_entries_max: None }
    }

    /// The group: its members hear each other and nobody else. 1 to 64 plain characters. Default: `default`.
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.group = group.into();
        self
    }

    /// What the names of all keys and channels begin with, as `{PREFIX:GROUP}:…`. 1 to 64 plain characters. Default:
    /// `unstale`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sends what is for all through a stream of about so many entries instead of a channel: who lost its connection reads
    /// on where it was, and repairs nothing if that is still there. All members of a group have to choose the same. It costs
    /// a third connection, memory at the server, and a write for each frame. At least 1.
    pub fn stream(mut self, entries_max: u64) -> Self {
        self.stream_entries_max = Some(entries_max);
        self
    }

    /// Gives the backplane; it connects from its first poll on, which needs a tokio runtime.
    ///
    /// # Errors
    /// `Config` for names that do not fit, `Unavailable` if the system gives no random numbers.
    pub fn start(self) -> Result<RedisBackplane, Error> {
        let names = Names::new(&self.prefix, &self.group)?;
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|cause| {
            Error::new(Kind::Unavailable, Retry::Never, "redis", format!("no random numbers: {cause}"))
        })?;
        let me = Process(random);
        let feed = match self.stream_entries_max {
            None => Feed::PubSub,
            Some(0) => return Err(crate::error::config("a stream of 0 entries keeps nothing")),
            Some(entries_max) => Feed::of_stream(&names, entries_max),
        };
        let properties = Properties {
            delivery: Delivery::Fifo,
            frame_bytes_max: FRAME_BYTES_MAX,
            listening: None,
            advertised: None,
            peers: Peers::Registered,
        };
        Ok(RedisBackplane::new(Setup {
            properties,
            settings: self.settings.role(Role::Master),
            names,
            me,
            feed,
        }))
    }
}
