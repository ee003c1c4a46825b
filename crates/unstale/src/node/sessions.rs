//! Up to which number each stream is counted here, for session tokens (P-36).

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use unstale_core::{EndCause, ProcessId, Seq, Stream};

use super::watched::Watched;
use crate::SessionToken;
use crate::metrics::SessionOutcome;

/// Ended streams that are remembered; the oldest is forgotten first, and its tokens are bypassed then.
const ENDED_MAX: usize = 4_096;
/// How long a read waits for a number that nobody here has heard of: one beat, and as long again for its way.
const UNHEARD_WAIT: Duration = Duration::from_millis(200);

/// The counts of all streams that this node tracks or has seen end.
#[derive(Debug)]
pub(crate) struct Sessions {
    own: ProcessId,
    table: RwLock<Table>,
}

#[derive(Debug, Default)]
struct Table {
    counts: HashMap<Stream, Arc<Watched<Count>>>,
    ended: VecDeque<Stream>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    /// Applied here, or distrusted, up to this number (S2).
    have: Seq,
    /// The highest number that the stream was heard to have given out.
    heard: Seq,
    /// Once the stream has ended: which of its acts are applied here, or older than the distrust of its scopes.
    settled: Option<Settled>,
}

/// What an end says about acts that were never counted here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Settled {
    /// The process was dead by then: each act of it is covered.
    All,
    /// The process may have lived on without knowing that it was ended; what it did then nobody has distrusted.
    UpTo(Seq),
}

impl Count {
    fn meets(&self, seq: Seq) -> bool {
        self.have >= seq
            || self.settled.is_some_and(|settled| match settled {
                Settled::All => true,
                Settled::UpTo(last) => seq <= last,
            })
    }

    /// Whether waiting is in vain.
    fn misses(&self, seq: Seq) -> bool {
        self.settled.is_some() && !self.meets(seq)
    }
}

impl Sessions {
    pub(super) fn new(own: ProcessId) -> Self {
        Self { own, table: RwLock::default() }
    }

    /// Waits until what `token` names is applied here, at most `patience`. Cancel-safe.
    pub(crate) async fn reach(&self, token: &SessionToken, patience: Duration) -> SessionOutcome {
        let (stream, seq) = (token.stream(), token.seq());
        if stream.process == self.own {
            // A write of this process was applied here before its token existed.
            return SessionOutcome::Met;
        }
        let Some(count) = self.watched(stream) else {
            return SessionOutcome::Unknown;
        };
        let now = count.get();
        if now.meets(seq) {
            return SessionOutcome::Met;
        }
        if now.misses(seq) {
            return SessionOutcome::Late;
        }
        let deadline = Instant::now() + patience;
        if now.heard < seq {
            let heard = deadline.min(Instant::now() + UNHEARD_WAIT);
            match timeout_at(
                heard,
                count.wait_for(|count| count.heard >= seq || count.meets(seq) || count.misses(seq)),
            )
            .await
            {
                Ok(Some(_)) => {}
                Ok(None) => return SessionOutcome::Unknown,
                Err(_) => return SessionOutcome::Late,
            }
        }
        match timeout_at(deadline, count.wait_for(|count| count.meets(seq) || count.misses(seq))).await {
            Ok(Some(count)) if count.meets(seq) => SessionOutcome::Waited,
            Ok(Some(_)) | Err(_) => SessionOutcome::Late,
            Ok(None) => SessionOutcome::Unknown,
        }
    }

    fn watched(&self, stream: Stream) -> Option<Arc<Watched<Count>>> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        table.counts.get(&stream).cloned()
    }

    /// Up to where `stream` is counted here, and the highest number that it was heard to have given out.
    pub(super) fn known(&self, stream: Stream) -> (Seq, Seq) {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let count = table.counts.get(&stream).map(|count| count.get()).unwrap_or_default();
        (count.have, count.heard)
    }

    /// Driver: `stream` is applied here, or distrusted, up to `have`.
    pub(super) fn counted(&self, stream: Stream, have: Seq) {
        self.update(stream, |count| {
            let raised = have > count.have;
            count.have = count.have.max(have);
            count.heard = count.heard.max(have);
            raised
        });
    }

    /// Driver: a tracked `stream` was heard to have given out `last`.
    pub(super) fn heard(&self, stream: Stream, last: Seq) {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = table.counts.get(&stream) {
            count.update(|count| {
                let raised = last > count.heard;
                count.heard = count.heard.max(last);
                raised
            });
        }
    }

    /// Driver: `stream` has ended for this reason, and everything of it that was heard of is applied here or distrusted.
    pub(super) fn ended(&self, stream: Stream, cause: EndCause) {
        let mut newly = false;
        self.update(stream, |count| {
            newly = count.settled.is_none();
            let settled = match cause {
                EndCause::SuccessorHolds | EndCause::Operator => Settled::All,
                EndCause::Majority | EndCause::Arbiter | EndCause::Bye | EndCause::Reset => {
                    Settled::UpTo(count.heard.max(count.have))
                }
            };
            // What was heard of since the first end is not older than its distrust.
            count.settled = count.settled.or(Some(settled));
            true
        });
        if newly {
            self.remember_ended(stream);
        }
    }

    fn update(&self, stream: Stream, change: impl FnOnce(&mut Count) -> bool) {
        {
            let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(count) = table.counts.get(&stream) {
                count.update(change);
                return;
            }
        }
        let mut count = Count::default();
        change(&mut count);
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        table.counts.insert(stream, Arc::new(Watched::new(count)));
    }

    fn remember_ended(&self, stream: Stream) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        table.ended.push_back(stream);
        if table.ended.len() > ENDED_MAX
            && let Some(forgotten) = table.ended.pop_front()
            && let Some(count) = table.counts.remove(&forgotten)
        {
            count.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use unstale_core::Incarnation;

    use super::*;

    const OWN: ProcessId = ProcessId(1);
    const SECOND: Duration = Duration::from_secs(1);

    fn stream(process: u128) -> Stream {
        Stream { process: ProcessId(process), incarnation: Incarnation(1) }
    }

    fn token(process: u128, seq: u64) -> SessionToken {
        SessionToken::new(stream(process), Seq(seq))
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_met_by_its_own_process_and_by_a_stream_counted_so_far() {
        // P-36
        let sessions = Sessions::new(OWN);
        sessions.counted(stream(2), Seq(5));
        assert_eq!(sessions.reach(&token(1, 99), SECOND).await, SessionOutcome::Met);
        assert_eq!(sessions.reach(&token(2, 5), SECOND).await, SessionOutcome::Met);
        assert_eq!(sessions.reach(&token(3, 1), SECOND).await, SessionOutcome::Unknown);
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_waits_for_a_number_that_was_heard_of_until_it_is_counted_or_late() {
        let sessions = Sessions::new(OWN);
        sessions.counted(stream(2), Seq(5));
        sessions.heard(stream(2), Seq(7));
        let token = token(2, 7);
        let late = Instant::now();
        assert_eq!(sessions.reach(&token, SECOND).await, SessionOutcome::Late);
        assert_eq!(late.elapsed(), SECOND);
        let (outcome, ()) = tokio::join!(sessions.reach(&token, SECOND), async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            sessions.counted(stream(2), Seq(7));
        });
        assert_eq!(outcome, SessionOutcome::Waited);
    }

    #[tokio::test(start_paused = true)]
    async fn an_invented_token_holds_a_read_for_one_beat_only() {
        let sessions = Sessions::new(OWN);
        sessions.counted(stream(2), Seq(5));
        let began = Instant::now();
        assert_eq!(sessions.reach(&token(2, 1_000), SECOND).await, SessionOutcome::Late);
        assert_eq!(began.elapsed(), UNHEARD_WAIT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_that_an_ended_but_living_process_gave_out_later_is_late_at_once() {
        // P-36
        let sessions = Sessions::new(OWN);
        sessions.counted(stream(2), Seq(5));
        sessions.heard(stream(2), Seq(7));
        let (began, unheard) = (Instant::now(), token(2, 8));
        let (waiting, ()) = tokio::join!(sessions.reach(&unheard, SECOND), async {
            tokio::task::yield_now().await;
            sessions.ended(stream(2), EndCause::Majority);
        });
        assert_eq!(waiting, SessionOutcome::Late);
        assert_eq!(sessions.reach(&token(2, 7), SECOND).await, SessionOutcome::Met);
        // It comes back and is heard to have given out more: those numbers are covered once they are counted.
        sessions.heard(stream(2), Seq(9));
        assert_eq!(sessions.reach(&token(2, 9), SECOND).await, SessionOutcome::Late);
        assert_eq!(began.elapsed(), Duration::ZERO);
        sessions.counted(stream(2), Seq(9));
        assert_eq!(sessions.reach(&token(2, 9), SECOND).await, SessionOutcome::Met);
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_of_a_dead_process_are_met_until_its_stream_is_forgotten() {
        let sessions = Sessions::new(OWN);
        let (outcome, ()) = tokio::join!(
            async {
                sessions.counted(stream(2), Seq(5));
                sessions.heard(stream(2), Seq(9));
                sessions.reach(&token(2, 9), SECOND).await
            },
            async {
                tokio::task::yield_now().await;
                sessions.ended(stream(2), EndCause::SuccessorHolds);
            }
        );
        assert_eq!(outcome, SessionOutcome::Waited);
        for process in 0..ENDED_MAX as u128 {
            sessions.ended(stream(100 + process), EndCause::Bye);
        }
        assert_eq!(sessions.reach(&token(2, 9), SECOND).await, SessionOutcome::Unknown);
    }
}
