//! The keys of a server, looked through within bounds.

use std::io::Write as _;
use std::time::{Duration, Instant};

use bytes::Bytes;
use unstale_port::Error;

use crate::server::{Scan, Server};

/// More keys than this are not looked through: what is on a server shows long before.
const KEYS_MAX: u64 = 2_000_000;
const TIME_MAX: Duration = Duration::from_secs(20);
const PATIENCE: Duration = Duration::from_secs(2);

/// What was looked through.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scanned {
    pub(super) keys: u64,
    /// All keys were seen.
    pub(super) is_whole: bool,
}

/// Shows every key to `see`, in an order that hashing gives, to the end or to a bound.
pub(super) async fn scan(server: &Server, mut see: impl FnMut(Bytes)) -> Result<Scanned, Error> {
    let mut scanned = Scanned::default();
    let mut scan = Scan::all();
    let (began, mut told) = (Instant::now(), PATIENCE);
    while let Some(keys) = scan.next(server).await? {
        for key in keys {
            scanned.keys += 1;
            see(key);
        }
        scanned.is_whole = scan.is_done();
        let elapsed = began.elapsed();
        if scanned.keys >= KEYS_MAX || elapsed > TIME_MAX {
            break;
        }
        if elapsed > told {
            told += PATIENCE;
            // Where standard error is gone there is nobody left to tell.
            let _ = writeln!(std::io::stderr(), "unstale doctor: {} keys looked through", scanned.keys);
        }
    }
    Ok(scanned)
}
