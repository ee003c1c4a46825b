//! Which of many sources of events woke the owner: so a turn costs what is ready, not what exists.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

/// What a source stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// The listening socket.
    Listener,
    /// The clock.
    Timer,
    /// The DNS name.
    Census,
    /// A dial in progress.
    Target(u64),
    /// A connection.
    Link(u64),
}

/// The queue of ready sources, first come, first served; each is in it at most once.
#[derive(Default)]
pub(crate) struct Ready {
    shared: Arc<Mutex<Shared>>,
}

impl Ready {
    /// The waker of a new source. Waking it queues the token and wakes the owner if it is parked.
    pub(crate) fn source(&self, token: Token) -> Waker {
        Waker::from(Arc::new(Source {
            token,
            queued: AtomicBool::new(false),
            shared: Arc::clone(&self.shared),
        }))
    }

    /// Takes the source that has been ready for longest. From here on it can be woken again.
    pub(crate) fn pop(&self) -> Option<Token> {
        let source = lock(&self.shared).queue.pop_front()?;
        source.queued.store(false, Ordering::Release);
        Some(source.token)
    }

    /// Leaves the owner's waker for the next source that gets ready; `false` if one is ready already.
    ///
    /// Nobody is woken unless parked: an owner that got an event polls again anyway.
    pub(crate) fn park(&self, owner: &Waker) -> bool {
        let mut shared = lock(&self.shared);
        if shared.queue.is_empty() {
            shared.owner = Some(owner.clone());
        }
        shared.queue.is_empty()
    }

    /// The owner is running: it needs no waking.
    pub(crate) fn unpark(&self) {
        lock(&self.shared).owner = None;
    }
}

#[derive(Default)]
struct Shared {
    queue: VecDeque<Arc<Source>>,
    owner: Option<Waker>,
}

struct Source {
    token: Token,
    queued: AtomicBool,
    shared: Arc<Mutex<Shared>>,
}

impl Wake for Source {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.queued.swap(true, Ordering::AcqRel) {
            return;
        }
        let owner = {
            let mut shared = lock(&self.shared);
            shared.queue.push_back(Arc::clone(self));
            shared.owner.take()
        };
        if let Some(owner) = owner {
            owner.wake();
        }
    }
}

/// Nothing in here panics while it holds the lock, so poison means nothing.
fn lock(shared: &Mutex<Shared>) -> std::sync::MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_woken_twice_is_ready_once_and_in_order_of_waking() {
        let ready = Ready::default();
        let (first, second) = (ready.source(Token::Link(1)), ready.source(Token::Link(2)));
        second.wake_by_ref();
        first.wake_by_ref();
        second.wake_by_ref();
        assert_eq!(ready.pop(), Some(Token::Link(2)));
        second.wake_by_ref();
        assert_eq!(ready.pop(), Some(Token::Link(1)));
        assert_eq!(ready.pop(), Some(Token::Link(2)), "a source can be woken again once it was taken");
        assert_eq!(ready.pop(), None);
    }

    #[test]
    fn an_owner_does_not_park_over_a_ready_source() {
        let ready = Ready::default();
        assert!(ready.park(Waker::noop()));
        ready.source(Token::Timer).wake();
        assert!(!ready.park(Waker::noop()));
    }
}
