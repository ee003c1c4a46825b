//! The system's monotonic clock, with sleeps that need no runtime.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use super::{Sleep, Timer};

/// The system's monotonic clock. Sleeps are kept by one thread, started with the first of them and ended with the timer
/// and the last of them; so it works under any runtime, to about a millisecond. Clones share the thread.
///
/// ```
/// use unstale_port::{SystemTimer, Timer};
///
/// let timer = SystemTimer::new();
/// let earlier = timer.now();
/// assert!(timer.now() >= earlier);
/// ```
#[derive(Clone)]
pub struct SystemTimer {
    owner: Arc<Owner>,
}

struct Owner {
    start: Instant,
    bench: Arc<Bench>,
}

/// Where sleepers wait; shared with the thread.
#[derive(Default)]
struct Bench {
    rows: Mutex<Rows>,
    changed: Condvar,
}

#[derive(Default)]
struct Rows {
    next_id: u64,
    sleepers: BTreeMap<(Duration, u64), Waker>,
    thread: Thread,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Thread {
    #[default]
    NotStarted,
    Running,
    Ending,
}

impl SystemTimer {
    /// A timer whose time begins now. Starts no thread yet.
    pub fn new() -> Self {
        Self { owner: Arc::new(Owner { start: Instant::now(), bench: Arc::default() }) }
    }
}

impl Default for SystemTimer {
    fn default() -> Self {
        Self::new()
    }
}

impl Timer for SystemTimer {
    fn now(&self) -> Duration {
        self.owner.start.elapsed()
    }

    fn sleep_until(&self, due: Duration) -> Sleep {
        let mut rows = self.owner.bench.lock();
        rows.next_id += 1;
        Box::pin(SystemSleep { owner: Arc::clone(&self.owner), key: (due, rows.next_id) })
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.bench.lock().thread = Thread::Ending;
        self.bench.changed.notify_one();
    }
}

impl Bench {
    fn lock(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread: wakes who is due, waits for the next one or for a change.
    fn keep(&self, start: Instant) {
        let mut rows = self.lock();
        while rows.thread != Thread::Ending {
            let now = start.elapsed();
            let next = rows.sleepers.first_key_value().map(|(key, _)| key.0);
            rows = match next {
                Some(due) if due <= now => {
                    let woken = rows.sleepers.pop_first();
                    drop(rows);
                    if let Some((_, waker)) = woken {
                        waker.wake();
                    }
                    self.lock()
                }
                Some(due) => {
                    self.changed
                        .wait_timeout(rows, due.saturating_sub(now))
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
                None => self.changed.wait(rows).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

struct SystemSleep {
    owner: Arc<Owner>,
    key: (Duration, u64),
}

impl Future for SystemSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Owner { start, bench } = &*self.owner;
        if start.elapsed() >= self.key.0 {
            return Poll::Ready(());
        }
        let mut rows = bench.lock();
        let replaced = rows.sleepers.insert(self.key, cx.waker().clone());
        if rows.thread == Thread::NotStarted {
            let (bench, start) = (Arc::clone(bench), *start);
            let spawned =
                thread::Builder::new().name("unstale-timer".to_owned()).spawn(move || bench.keep(start));
            match spawned {
                Ok(_) => rows.thread = Thread::Running,
                // No thread to be had now: the task asks again at once until there is one or the time has come.
                Err(_) => cx.waker().wake_by_ref(),
            }
        }
        drop(rows);
        drop(replaced); // may run a task's destructor, which may come back here
        bench.changed.notify_one();
        Poll::Pending
    }
}

impl Drop for SystemSleep {
    fn drop(&mut self) {
        let waker = self.owner.bench.lock().sleepers.remove(&self.key);
        drop(waker); // after the lock: it may run a task's destructor, which may come back here
    }
}
