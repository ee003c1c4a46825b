//! Free ports of loopback.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io;
use std::net::TcpListener;

/// Below the range from which the kernel takes ports for outgoing connections, so that none is taken while its server is
/// down.
const RANGE: std::ops::Range<u64> = 10_000..32_000;
const TRIES: u64 = 1_000;

/// A port that nobody listens on. Somebody else may take it before it is used: try again then.
pub(crate) fn free() -> io::Result<u16> {
    let seed = RandomState::new();
    for attempt in 0..TRIES {
        let port = (RANGE.start + seed.hash_one(attempt) % (RANGE.end - RANGE.start)) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err(io::Error::other(format!("no free port after {TRIES} tries")))
}
