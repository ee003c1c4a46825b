//! Time that stands still until a test moves it.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::{Sleep, Timer};

/// A timer whose time only [`ManualTimer::advance`] moves. Clones share one time.
///
/// ```
/// use std::time::Duration;
/// use unstale_port::{ManualTimer, Timer};
///
/// let timer = ManualTimer::new();
/// timer.advance(Duration::from_secs(3));
/// assert_eq!(timer.now(), Duration::from_secs(3));
/// ```
#[derive(Clone, Default)]
pub struct ManualTimer {
    face: Arc<Mutex<Face>>,
}

#[derive(Default)]
struct Face {
    now: Duration,
    next_id: u64,
    sleepers: BTreeMap<(Duration, u64), Waker>,
}

impl ManualTimer {
    /// A timer at zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves time on by `step` and wakes every sleep that is due then.
    pub fn advance(&self, step: Duration) {
        let due = {
            let mut face = self.lock();
            face.now += step;
            let after = (face.now + Duration::from_nanos(1), 0);
            let later = face.sleepers.split_off(&after);
            std::mem::replace(&mut face.sleepers, later)
        };
        for waker in due.into_values() {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Face> {
        self.face.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Timer for ManualTimer {
    fn now(&self) -> Duration {
        self.lock().now
    }

    fn sleep_until(&self, due: Duration) -> Sleep {
        let mut face = self.lock();
        face.next_id += 1;
        Box::pin(ManualSleep { timer: self.clone(), key: (due, face.next_id) })
    }
}

struct ManualSleep {
    timer: ManualTimer,
    key: (Duration, u64),
}

impl Future for ManualSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut face = self.timer.lock();
        if face.now >= self.key.0 {
            return Poll::Ready(());
        }
        let replaced = face.sleepers.insert(self.key, cx.waker().clone());
        drop(face);
        drop(replaced); // may run a task's destructor, which may come back here
        Poll::Pending
    }
}

impl Drop for ManualSleep {
    fn drop(&mut self) {
        let waker = self.timer.lock().sleepers.remove(&self.key);
        drop(waker); // after the lock: it may run a task's destructor, which may come back here
    }
}
