//! Auto-recovery: what the store is owed is made good in the background.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::Level;

/// How long one try may take.
const LIMIT: Duration = Duration::from_secs(1);

impl Level {
    /// Tries own debts as they come due, until the node is gone.
    pub(crate) async fn recover(level: Weak<Self>) {
        loop {
            let Some(held) = level.upgrade() else { return };
            let (wake, due) = (Arc::clone(&held.wake), held.next_try());
            // Not held meanwhile: the node may go.
            drop(held);
            let wakes = wake.notified();
            let is_due = match due {
                None => {
                    wakes.await;
                    false
                }
                Some(due) => tokio::select! {
                    () = sleep_until(due) => true,
                    () = wakes => false,
                },
            };
            if is_due && let Some(held) = level.upgrade() {
                held.try_what_is_due().await;
            }
        }
    }

    fn next_try(&self) -> Option<Instant> {
        let due = self.debts.next_due()?;
        // While the breaker rests, every try would fail at once.
        Some(self.breaker.opens_at().map_or(due, |opens| due.max(opens)))
    }

    async fn try_what_is_due(&self) {
        loop {
            let taken = self.debts.take_due();
            if taken.is_empty() {
                return;
            }
            if let Err(failure) = self.make_good(LIMIT, &taken).await {
                tracing::debug!(debts = taken.len(), %failure, "the store does not take what it is owed");
                return;
            }
        }
    }
}
