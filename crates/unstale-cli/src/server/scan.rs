//! The keys of one server.

use bytes::Bytes;
use unstale_port::{Error, Kind, Retry};

use super::{Server, command, reply};

/// A step of this size keeps a server busy for less than a millisecond.
const STEP: &str = "1000";

/// Goes through the keys of a server, in an order that hashing gives.
#[derive(Clone, Debug)]
pub(crate) struct Scan {
    /// None after the last step.
    cursor: Option<String>,
    pattern: Option<String>,
}

impl Scan {
    /// All keys.
    pub(crate) fn all() -> Self {
        Self { cursor: Some("0".to_owned()), pattern: None }
    }

    /// Those that match a pattern of Redis.
    pub(crate) fn like(pattern: String) -> Self {
        Self { pattern: Some(pattern), ..Self::all() }
    }

    /// Some more keys, perhaps none; `None` after the last.
    pub(crate) async fn next(&mut self, server: &Server) -> Result<Option<Vec<Bytes>>, Error> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let mut words = vec!["SCAN", cursor, "COUNT", STEP];
        if let Some(pattern) = &self.pattern {
            words.extend(["MATCH", pattern]);
        }
        let answer = server.ask(&command(words)).await?;
        let [next, keys] = reply::list(&answer) else {
            return Err(Error::new(Kind::Rejected, Retry::Never, "scan", "SCAN is not answered with keys"));
        };
        let keys = reply::list(keys).iter().filter_map(reply::bytes).collect();
        self.cursor = reply::text(next).filter(|next| !matches!(next.as_str(), "" | "0"));
        Ok(Some(keys))
    }

    /// Whether the last key was given.
    pub(crate) fn is_done(&self) -> bool {
        self.cursor.is_none()
    }
}
