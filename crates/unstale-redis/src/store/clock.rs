//! The server's clock as far as it is known here, for what is left of records' times.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use redis::Value;

/// Asked anew every second, with a read that goes there anyway.
#[derive(Debug)]
pub(super) struct ServerClock {
    began: Instant,
    /// What is to be added to the time since then, in milliseconds.
    ahead_ms: AtomicU64,
    /// When it was asked last, in milliseconds since then; 0 for never.
    asked_ms: AtomicU64,
}

impl ServerClock {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), ahead_ms: AtomicU64::new(0), asked_ms: AtomicU64::new(0) }
    }

    /// Whether the next read asks it.
    pub(super) fn is_due(&self) -> bool {
        let asked = self.asked_ms.load(Ordering::Relaxed);
        asked == 0 || self.since_ms().saturating_sub(asked) > 1_000
    }

    /// Milliseconds of Unix time.
    pub(super) fn now_ms(&self) -> u64 {
        self.since_ms().saturating_add(self.ahead_ms.load(Ordering::Relaxed))
    }

    /// Takes the answer of `TIME`; an answer that is none is not taken.
    pub(super) fn set(&self, time: Value) {
        let Some(now_ms) = millis_of(time) else { return };
        let since = self.since_ms();
        self.ahead_ms.store(now_ms.saturating_sub(since), Ordering::Relaxed);
        self.asked_ms.store(since.max(1), Ordering::Relaxed);
    }

    fn since_ms(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }
}

fn millis_of(time: Value) -> Option<u64> {
    let Value::Array(parts) = time else { return None };
    let mut parts = parts.iter().map(|part| {
        let Value::BulkString(digits) = part else { return None };
        std::str::from_utf8(digits).ok()?.parse::<u64>().ok()
    });
    let (seconds, micros) = (parts.next()??, parts.next()??);
    seconds.checked_mul(1_000)?.checked_add(micros / 1_000)
}
