//! Foreign writers in memory: what a test says that they do.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::MemoryStore;
use crate::{Foreign, ForeignFeed, ForeignHeard, ProcessBytes, Store};

/// Foreign writers of a cache, whose acts are said by a test: each feed hears what is said after it was made, in order.
/// Clones are the same.
///
/// ```
/// use unstale_port::{ForeignAct, ForeignHeard, memory::{MemoryStore, Strangers}};
///
/// let strangers = Strangers::new(MemoryStore::new());
/// // … `builder.foreign(strangers.clone())`, and then:
/// strangers.say(&ForeignHeard::Began);
/// strangers.say(&ForeignHeard::Act { act: ForeignAct::Remove("k".into()), process: None });
/// ```
#[derive(Clone)]
pub struct Strangers {
    store: MemoryStore,
    feeds: Arc<Mutex<Vec<Arc<Mutex<Ears>>>>>,
}

#[derive(Default)]
struct Ears {
    heard: VecDeque<ForeignHeard>,
    waker: Option<Waker>,
}

struct Feed(Arc<Mutex<Ears>>);

impl Strangers {
    /// Writers that share this store.
    pub fn new(store: MemoryStore) -> Self {
        Self { store, feeds: Arc::default() }
    }

    /// Every feed hears this next.
    pub fn say(&self, heard: &ForeignHeard) {
        for ears in &*lock(&self.feeds) {
            let mut ears = lock(ears);
            ears.heard.push_back(heard.clone());
            if let Some(waker) = ears.waker.take() {
                waker.wake();
            }
        }
    }
}

impl Foreign for Strangers {
    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.store.clone())
    }

    fn feed(&self, _process: ProcessBytes) -> Box<dyn ForeignFeed> {
        let ears: Arc<Mutex<Ears>> = Arc::default();
        lock(&self.feeds).push(Arc::clone(&ears));
        Box::new(Feed(ears))
    }
}

impl ForeignFeed for Feed {
    fn poll_heard(&mut self, cx: &mut Context<'_>) -> Poll<ForeignHeard> {
        let mut ears = lock(&self.0);
        if let Some(heard) = ears.heard.pop_front() {
            return Poll::Ready(heard);
        }
        ears.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
