//! Sleeps by both timers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use std::thread::{self, Thread};

use super::*;

/// Wakes a thread, and counts how often.
struct Unpark {
    thread: Thread,
    wakes: AtomicUsize,
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::Relaxed);
        self.thread.unpark();
    }
}

fn unpark() -> (Arc<Unpark>, Waker) {
    let unpark = Arc::new(Unpark { thread: thread::current(), wakes: AtomicUsize::new(0) });
    (Arc::clone(&unpark), Waker::from(unpark))
}

#[test]
fn sleeps_of_the_system_end_in_the_order_of_their_times() {
    let timer = SystemTimer::new();
    let start = timer.now();
    let (_, waker) = unpark();
    let mut cx = Context::from_waker(&waker);
    let mut late = timer.sleep_until(start + Duration::from_millis(30));
    let mut soon = timer.sleep_until(start + Duration::from_millis(10));
    assert!(late.as_mut().poll(&mut cx).is_pending() && soon.as_mut().poll(&mut cx).is_pending());
    while soon.as_mut().poll(&mut cx).is_pending() {
        thread::park();
    }
    assert!(timer.now() >= start + Duration::from_millis(10));
    while late.as_mut().poll(&mut cx).is_pending() {
        thread::park();
    }
    assert!(timer.now() >= start + Duration::from_millis(30));
}

#[test]
fn a_sleep_that_is_due_already_is_ready_at_once() {
    let timer = SystemTimer::new();
    let mut sleep = timer.sleep_until(Duration::ZERO);
    assert!(sleep.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
}

#[test]
fn time_moved_by_hand_wakes_who_is_due_and_nobody_else() {
    let timer = ManualTimer::new();
    let ((soon_wakes, soon_waker), (late_wakes, late_waker)) = (unpark(), unpark());
    let mut soon = timer.sleep_until(Duration::from_secs(1));
    let mut late = timer.sleep_until(Duration::from_secs(2));
    assert!(soon.as_mut().poll(&mut Context::from_waker(&soon_waker)).is_pending());
    assert!(late.as_mut().poll(&mut Context::from_waker(&late_waker)).is_pending());
    timer.advance(Duration::from_secs(1));
    let wakes = (soon_wakes.wakes.load(Ordering::Relaxed), late_wakes.wakes.load(Ordering::Relaxed));
    assert_eq!(wakes, (1, 0));
    assert!(soon.as_mut().poll(&mut Context::from_waker(&soon_waker)).is_ready());
    drop(late);
    timer.advance(Duration::from_secs(1));
    assert_eq!(late_wakes.wakes.load(Ordering::Relaxed), 0, "a dropped sleep wakes nobody");
}
