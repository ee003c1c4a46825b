//! Which stripe of a striped counter a thread writes: one of its own while it lives, or the shared one.

use std::cell::Cell;
use std::sync::{Mutex, PoisonError};

/// Stripes of a counter: the shared one, and one for each of that many threads.
pub(crate) const STRIPES: usize = 32;

/// The stripe of threads that have none of their own.
pub(crate) const SHARED: usize = 0;

const UNKNOWN: usize = usize::MAX;

thread_local! {
    static MINE: Cell<usize> = const { Cell::new(UNKNOWN) };
    static LEASE: Lease = Lease::take();
}

/// The stripe of this thread.
#[inline]
pub(crate) fn mine() -> usize {
    let stripe = MINE.get();
    if stripe == UNKNOWN { first() } else { stripe }
}

#[cold]
fn first() -> usize {
    let stripe = LEASE.try_with(|lease| lease.0).unwrap_or(SHARED);
    MINE.set(stripe);
    stripe
}

/// Stripes that no thread has. The mutex orders the last count of a thread before the first one of its successor.
static FREE: Mutex<Free> = Mutex::new(Free { returned: Vec::new(), next: SHARED + 1 });

struct Free {
    returned: Vec<usize>,
    next: usize,
}

/// A stripe while its thread lives.
struct Lease(usize);

impl Lease {
    fn take() -> Self {
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stripe) = free.returned.pop() {
            return Self(stripe);
        }
        if free.next == STRIPES {
            return Self(SHARED);
        }
        free.next += 1;
        Self(free.next - 1)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // What the thread still counts, in destructors of others, goes to the shared stripe.
        MINE.set(SHARED);
        if self.0 != SHARED {
            FREE.lock().unwrap_or_else(PoisonError::into_inner).returned.push(self.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;
    use crate::metrics::counter::StripedCounter;

    #[test]
    fn nothing_is_lost_with_more_threads_than_stripes_and_threads_that_come_and_go() {
        let counter = Arc::new(StripedCounter::default());
        for _ in 0..3 {
            let count = |_| {
                let counter = Arc::clone(&counter);
                thread::spawn(move || {
                    for _ in 0..1_000 {
                        counter.increment();
                    }
                })
            };
            let threads: Vec<_> = (0..STRIPES + 8).map(count).collect();
            for thread in threads {
                thread.join().unwrap();
            }
        }
        assert_eq!(counter.total(), 3 * (STRIPES as u64 + 8) * 1_000);
    }
}
