//! Time for adapters and decorators: a clock and a way to sleep, so that tests can wind time by hand.

mod manual;
mod system;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

pub use manual::ManualTimer;
pub use system::SystemTimer;

/// A sleep that ends at some reading of its timer. Dropping it cancels it.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A clock that never goes back, and sleeps by it.
pub trait Timer: Send + Sync + 'static {
    /// Time since a moment that stays the same for the timer's life.
    fn now(&self) -> Duration;

    /// Ready once [`Timer::now`] is at least `due`, however late; at once if it already is.
    fn sleep_until(&self, due: Duration) -> Sleep;
}

impl<T: Timer + ?Sized> Timer for Arc<T> {
    fn now(&self) -> Duration {
        (**self).now()
    }

    fn sleep_until(&self, due: Duration) -> Sleep {
        (**self).sleep_until(due)
    }
}

/// One sleep at a time, for something that is polled and has one next deadline.
pub(crate) struct Alarm {
    timer: Arc<dyn Timer>,
    set: Option<(Duration, Sleep)>,
}

impl Alarm {
    pub(crate) fn new(timer: Arc<dyn Timer>) -> Self {
        Self { timer, set: None }
    }

    pub(crate) fn now(&self) -> Duration {
        self.timer.now()
    }

    /// Ready if `due` has come; else the task is woken when it comes, unless it asks for another time before.
    pub(crate) fn poll_due(&mut self, due: Duration, cx: &mut Context<'_>) -> Poll<()> {
        if self.timer.now() >= due {
            self.set = None;
            return Poll::Ready(());
        }
        if self.set.as_ref().is_none_or(|(at, _)| *at != due) {
            self.set = Some((due, self.timer.sleep_until(due)));
        }
        let Some((_, sleep)) = &mut self.set else { return Poll::Pending };
        let polled = sleep.as_mut().poll(cx);
        if polled.is_ready() {
            self.set = None;
        }
        polled
    }
}

#[cfg(test)]
mod tests;
