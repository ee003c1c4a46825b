//! The turn to load a key that is missing in the store: one process at a time has it, and gives it back.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use unstale_core::Name;
use unstale_port::Lease;

use crate::level::Level;
use crate::node::Shared;

/// The right to fill a key, and perhaps the turn to load it. Dropped unused, the turn is given back.
pub(crate) struct Grant {
    lease: Lease,
    turn: Option<Box<HeldTurn>>,
}

/// A turn that was taken; dropping it gives it back, in the background.
pub(crate) struct HeldTurn {
    pub(crate) level: Arc<Level>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) cache: Name,
    pub(crate) key: Bytes,
    pub(crate) lease: Lease,
    pub(crate) limit: Duration,
    pub(crate) is_over: bool,
}

impl Grant {
    pub(crate) const fn of(lease: Lease) -> Self {
        Self { lease, turn: None }
    }

    pub(crate) fn with_turn(lease: Lease, turn: HeldTurn) -> Self {
        Self { lease, turn: Some(Box::new(turn)) }
    }

    pub(crate) const fn lease(&self) -> Lease {
        self.lease
    }

    /// A write under the lease was answered: that ended the turn.
    pub(crate) fn use_up(mut self) {
        if let Some(turn) = &mut self.turn {
            turn.is_over = true;
        }
    }
}

impl Drop for HeldTurn {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let (level, cache, key) = (Arc::clone(&self.level), self.cache.clone(), self.key.clone());
        let (lease, limit) = (self.lease, self.limit);
        self.shared.spawn(async move {
            let release = level.store().release(cache.as_str(), key, lease);
            if let Err(failure) = level.call(limit, release).await {
                // It ends by itself.
                tracing::debug!(cache = cache.as_str(), %failure, "a turn was not given back");
            }
        });
    }
}
