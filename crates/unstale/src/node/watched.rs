//! A value that tasks wait for. They are woken in the order in which they came, so that a seeded run repeats itself
//! (tokio's watch channel wakes in random order).

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Changed by one, awaited by many.
#[derive(Debug, Default)]
pub(super) struct Watched<T> {
    state: Mutex<State<T>>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State<T> {
    value: T,
    closed: bool,
}

impl<T: Copy> Watched<T> {
    pub(super) fn new(value: T) -> Self {
        Self { state: Mutex::new(State { value, closed: false }), changed: Notify::new() }
    }

    pub(super) fn get(&self) -> T {
        self.lock().value
    }

    /// Changes the value, and wakes everyone who waits if `change` says so.
    pub(super) fn update(&self, change: impl FnOnce(&mut T) -> bool) {
        let is_news = change(&mut self.lock().value);
        if is_news {
            self.changed.notify_waiters();
        }
    }

    /// Nothing more will come: whoever still waits is told so.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_waiters();
    }

    /// Waits until `holds`; nothing if the value was closed first. Cancel-safe.
    pub(super) async fn wait_for(&self, mut holds: impl FnMut(&T) -> bool) -> Option<T> {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            // Before the look, so that no change between the look and the wait is missed.
            changed.as_mut().enable();
            let (value, closed) = {
                let state = self.lock();
                (state.value, state.closed)
            };
            if holds(&value) {
                return Some(value);
            }
            if closed {
                return None;
            }
            changed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn those_who_wait_go_on_in_the_order_in_which_they_came() {
        let watched = Arc::new(Watched::new(0));
        let order = Arc::new(Mutex::new(Vec::new()));
        let tasks: Vec<_> = (0..20)
            .map(|number| {
                let (watched, order) = (Arc::clone(&watched), Arc::clone(&order));
                tokio::spawn(async move {
                    watched.wait_for(|value| *value > 0).await;
                    order.lock().unwrap().push(number);
                })
            })
            .collect();
        tokio::task::yield_now().await;
        watched.update(|value| {
            *value = 1;
            true
        });
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), (0..20).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn whoever_waits_in_vain_is_told() {
        let watched = Arc::new(Watched::new(0));
        let waiting = tokio::spawn({
            let watched = Arc::clone(&watched);
            async move { watched.wait_for(|value| *value > 0).await }
        });
        tokio::task::yield_now().await;
        watched.close();
        assert_eq!(waiting.await.unwrap(), None);
        assert_eq!(watched.wait_for(|value| *value == 0).await, Some(0));
    }
}
