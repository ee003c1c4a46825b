//! The critical section of an act (F-1).

use crate::domain::{Acts, Shared};
use crate::mechanism::Mechanism;
use crate::shim::Ordering;
use crate::shim::sync::MutexGuard;

/// One act under way: its number, and the mutex that lets only one be under way.
///
/// Raise the fences, then drop the entries; when the section is left the count is published, also by a panic. Values that
/// were displaced must outlive the section: their destructors are the user's.
pub(crate) struct Section<'a> {
    acts: Option<MutexGuard<'a, Acts>>,
    shared: &'a Shared,
    number: u64,
    publishes: bool,
}

impl<'a> Section<'a> {
    pub(crate) fn enter(shared: &'a Shared) -> Self {
        let acts = shared.mechanisms.on(Mechanism::RaiseByMax).then(|| shared.acts.0.lock());
        // Only the holder of the mutex writes it.
        let number = shared.applied.0.load(Ordering::Relaxed) + 1;
        let section = Self { acts, shared, number, publishes: true };
        if !shared.mechanisms.on(Mechanism::CountLast) {
            section.publish();
        }
        section
    }

    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    pub(crate) const fn shared(&self) -> &'a Shared {
        self.shared
    }

    /// What is under the mutex.
    pub(crate) fn acts(&mut self) -> &mut Acts {
        self.acts.get_or_insert_with(|| self.shared.acts.0.lock())
    }

    /// Raises fences, then drops or marks entries. In the other order a load could put an old value in place between the
    /// two and find its fences where they were.
    pub(crate) fn raise_then_drop<T, R>(
        &self,
        acts: &mut T,
        raise: impl FnOnce(&mut T, u64),
        withdraw: impl FnOnce(&mut T, u64) -> R,
    ) -> R {
        if self.shared.mechanisms.on(Mechanism::DropAfterRaise) {
            raise(acts, self.number);
            withdraw(acts, self.number)
        } else {
            let withdrawn = withdraw(acts, self.number);
            raise(acts, self.number);
            withdrawn
        }
    }

    /// Leaves without an act.
    pub(crate) fn leave_unused(mut self) {
        self.publishes = false;
    }

    fn publish(&self) {
        // Pairs with the Acquire of a token: a load that has this number sees all of the act.
        let order = self.shared.mechanisms.order(Mechanism::CountRelease, Ordering::Release);
        if self.acts.is_some() {
            // Only the holder of the mutex writes it.
            self.shared.applied.0.store(self.number, order);
        } else {
            self.shared.applied.0.fetch_max(self.number, order);
        }
    }
}

impl Drop for Section<'_> {
    fn drop(&mut self) {
        if self.publishes {
            self.publish();
        }
    }
}
