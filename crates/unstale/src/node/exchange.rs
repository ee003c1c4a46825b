//! Exchanges: one round trip to all members, shared by all reads that wait for a younger proof (P-15).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::watched::Watched;

/// At most one exchange runs and at most one more is wanted, however many reads wait.
#[derive(Debug)]
pub(crate) struct Exchanges {
    state: Mutex<State>,
    finished: Arc<Watched<u64>>,
}

#[derive(Debug, Default)]
struct State {
    /// The newest exchange that was begun; they are numbered from 1.
    begun: u64,
    phase: Phase,
    wanted: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Idle,
    Running,
}

/// Waits for an exchange that begins after the ticket was drawn.
#[derive(Debug)]
pub(super) struct Ticket {
    number: u64,
    finished: Arc<Watched<u64>>,
}

impl Exchanges {
    pub(super) fn new() -> Self {
        Self { state: Mutex::default(), finished: Arc::new(Watched::new(0)) }
    }

    /// Reader: asks for an exchange that begins from now on. The driver has to be woken after it.
    pub(super) fn want(&self) -> Ticket {
        let mut state = self.lock();
        state.wanted = true;
        Ticket { number: state.begun + 1, finished: Arc::clone(&self.finished) }
    }

    /// Driver: the number of the exchange to begin now, if one is wanted and none is running.
    pub(super) fn begin(&self) -> Option<u64> {
        let mut state = self.lock();
        if !state.wanted || state.phase == Phase::Running {
            return None;
        }
        state.wanted = false;
        state.phase = Phase::Running;
        state.begun += 1;
        Some(state.begun)
    }

    /// Driver: this exchange is over, with whatever proof it brought, which was published before.
    pub(super) fn finish(&self, number: u64) {
        let mut state = self.lock();
        if state.begun == number {
            state.phase = Phase::Idle;
        }
        drop(state);
        self.finished.update(|finished| {
            let raised = number > *finished;
            *finished = number.max(*finished);
            raised
        });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// Returns once an exchange that began after the ticket was drawn is over. Cancel-safe.
    pub(super) async fn wait(self) {
        // Never closed: a node that is gone has no proof, and whoever waits for one has a deadline.
        let _ = self.finished.wait_for(|finished| *finished >= self.number).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waiting_reads_share_one_exchange_and_later_ones_the_next() {
        // P-15
        let exchanges = Exchanges::new();
        assert_eq!(exchanges.begin(), None);
        let (first, second) = (exchanges.want(), exchanges.want());
        assert_eq!(exchanges.begin(), Some(1));
        let late = exchanges.want();
        assert_eq!(exchanges.begin(), None, "one at a time");
        exchanges.finish(1);
        first.wait().await;
        second.wait().await;
        assert_eq!(exchanges.begin(), Some(2));
        let waiting = tokio::spawn(late.wait());
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished(), "an exchange that had begun before proves nothing to it");
        exchanges.finish(2);
        waiting.await.unwrap();
    }
}
