//! The keys of a server, looked through within bounds.

use std::io::Write as _;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::server::{Server, command, reply};

/// More keys than this are not looked through: what is on a server shows long before.
const KEYS_MAX: u64 = 2_000_000;
const TIME_MAX: Duration = Duration::from_secs(20);
/// A step of this size keeps a server busy for less than a millisecond.
const STEP: &str = "1000";
const PATIENCE: Duration = Duration::from_secs(2);

/// What was looked through.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scanned {
    pub(super) keys: u64,
    /// All keys were seen.
    pub(super) is_whole: bool,
}

/// Shows every key to `see`, in an order that hashing gives, to the end or to a bound.
pub(super) async fn scan(server: &Server, mut see: impl FnMut(Bytes)) -> Result<Scanned, String> {
    let mut scanned = Scanned::default();
    let mut cursor = "0".to_owned();
    let (began, mut told) = (Instant::now(), PATIENCE);
    loop {
        let answer = server
            .ask(&command(["SCAN", &cursor, "COUNT", STEP]))
            .await
            .map_err(|error| error.to_string())?;
        let [next, keys] = reply::list(&answer) else {
            return Err("SCAN is not answered with keys".to_owned());
        };
        for key in reply::list(keys).iter().filter_map(reply::bytes) {
            scanned.keys += 1;
            see(key);
        }
        cursor = reply::text(next).unwrap_or_default();
        if cursor == "0" {
            scanned.is_whole = true;
            return Ok(scanned);
        }
        let elapsed = began.elapsed();
        if scanned.keys >= KEYS_MAX || elapsed > TIME_MAX {
            return Ok(scanned);
        }
        if elapsed > told {
            told += PATIENCE;
            // Where standard error is gone there is nobody left to tell.
            let _ = writeln!(std::io::stderr(), "unstale doctor: {} keys looked through", scanned.keys);
        }
    }
}
