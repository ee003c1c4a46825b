//! Where races run: threads of shuttle, whose schedules come from a seed, or real ones, also under Miri.

#[cfg(feature = "shuttle")]
pub(crate) use shuttle::{
    future::block_on,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    thread,
};
/// How many schedules were begun: a number that no scheduler knows of.
pub(crate) use std::sync::atomic::AtomicUsize as Begun;
#[cfg(not(feature = "shuttle"))]
pub(crate) use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    thread,
};

#[cfg(not(feature = "shuttle"))]
pub(crate) use real::block_on;

/// From which schedules are drawn, if the environment does not say otherwise.
pub(crate) const SEED: u64 = 0x5eed;

/// Runs something under that many schedules, or that often. How many were begun is counted, so that a panic leaves it known.
#[cfg(feature = "shuttle")]
pub(crate) fn run(
    seed: u64,
    schedules: usize,
    begun: &std::sync::Arc<Begun>,
    f: impl Fn() + Send + Sync + 'static,
) {
    let scheduler = crate::inertia::Inertia::new(seed, schedules);
    let begun = std::sync::Arc::clone(begun);
    shuttle::Runner::new(scheduler, shuttle::Config::new()).run(move || {
        begun.fetch_add(1, Ordering::Relaxed);
        f();
    });
}

/// Nobody draws schedules here.
#[cfg(not(feature = "shuttle"))]
pub(crate) fn run(
    _seed: u64,
    schedules: usize,
    begun: &std::sync::Arc<Begun>,
    f: impl Fn() + Send + Sync + 'static,
) {
    for _ in 0..schedules {
        begun.fetch_add(1, Ordering::Relaxed);
        f();
    }
}

/// A number from the environment.
pub(crate) fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[cfg(not(feature = "shuttle"))]
mod real {
    use std::pin::pin;
    use std::sync::Arc;
    use std::task::{Context, Poll, Wake, Waker};
    use std::thread::{self, Thread};

    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut future = pin!(future);
        loop {
            match future.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(output) => return output,
                Poll::Pending => thread::park(),
            }
        }
    }
}
