//! What a node reports while it runs, for programs; people read the log and the metrics.

use tokio::sync::broadcast;
use unstale_core::{DistrustCause, Event as ProtocolEvent, Instant, Name, Range, Seq, State, Stream, Via};

use crate::SessionToken;
use crate::metrics::reasons;

/// How many events are kept for a receiver that does not keep up.
const EVENTS_KEPT: usize = 1_024;

/// Something that happened on this node. Never holds a key or a value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A cache did something else than to hit or to load and store.
    Cache {
        /// Which cache.
        cache: Name,
        /// What.
        what: CacheEvent,
        /// The message of another node that was behind it, where there was one and it is still known: the act that
        /// overtook a load, the numbers whose loss made a suspect, what a proof or a session token waits for.
        origin: Option<Origin>,
    },
    /// A write was applied here and is sent, but could not be announced (P-31).
    Unannounced {
        /// The write.
        session: SessionToken,
    },
    /// Acts of another node were applied.
    Applied {
        /// Whose acts.
        stream: Stream,
        /// Their numbers.
        range: Range,
        /// How they came.
        via: Via,
        /// A moment at which they were visible to readers already, by this node's clock.
        at: Instant,
    },
    /// The node's state in its cluster changed.
    State(State),
    /// What is resident now became suspect, wholly or in part: it is revalidated on use.
    Distrusted {
        /// Names it, for [`Event::Lifted`].
        id: u64,
        /// Which caches; `None` is all of them.
        caches: Option<Vec<Name>>,
        /// Why, and because of which stream.
        cause: DistrustCause,
        /// Which numbers of that stream may be missing, as far as is known.
        origin: Option<Origin>,
    },
    /// A doubt was resolved: what it made suspect is trusted again.
    Lifted {
        /// Which one.
        id: u64,
    },
    /// The node's store (L2) as a whole.
    Store(StoreEvent),
    /// Something about members, gaps and repairs.
    Protocol(ProtocolEvent),
    /// A frame that is no message of this protocol came over a link.
    FrameBad {
        /// Where it came from, as the backplane says it.
        remote: String,
        /// What is wrong with it, with the byte offset.
        reason: String,
    },
    /// The node has closed. Nothing follows.
    Closed,
    /// This receiver was too slow: so many events before the next one are lost to it. Metrics have counted them.
    Missed {
        /// How many.
        count: u64,
    },
}

/// What a node reports of its store, or of one that is of a single cache ([`crate::CacheBuilder::foreign`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreEvent {
    /// It failed so often that it is not asked for a while ([`crate::StoreBreaker`]).
    Opened,
    /// It answers again.
    Closed,
    /// It did not take a removal, which it is owed from now on.
    Owed,
    /// It took the last removal of this node that it was owed.
    Recovered,
}

/// A message, by the stream that it belongs to and the numbers of its acts: the same on every node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Whose acts.
    pub stream: Stream,
    /// Their numbers.
    pub range: Range,
}

impl Origin {
    /// The write that a token names.
    pub(crate) const fn of(token: SessionToken) -> Self {
        let seq = token.seq();
        Self { stream: token.stream(), range: Range { first: seq, last: seq } }
    }

    /// The numbers of a stream after `have`, up to the last one known to exist.
    pub(crate) fn missing(stream: Stream, have: Seq, latest: Seq) -> Self {
        let first = have.next();
        Self { stream, range: Range { first, last: latest.max(first) } }
    }
}

/// What a cache reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CacheEvent {
    /// A stale value was served, and said to be stale.
    Stale(StaleReason),
    /// What was cached was bypassed.
    Bypassed(BypassReason),
    /// A load gave no value.
    LoadFailed(LoadFailure),
    /// A loaded value was not stored.
    FillRefused(FillRefusal),
    /// A read joined the load of another caller.
    Joined,
    /// The store (L2) failed in an operation; the cache went on without it.
    StoreFailed,
    /// What foreign writers do is heard from now on.
    ForeignHeard,
    /// What foreign writers do is not heard any more: all that is cached is suspect.
    ForeignLost,
}

reasons! {
    /// Why a stale value was served.
    pub enum StaleReason {
        /// The load failed or timed out hard, and fail-safe stood in.
        LoadFailed = "load-failed",
        /// A load failed a short while ago, and fail-safe waits before it tries again.
        Throttled = "throttled",
        /// The soft timeout passed; the load goes on in the background.
        SoftTimeout = "soft-timeout",
        /// The value is a suspect, and the limit of revalidations was reached.
        Suspect = "suspect",
        /// The value was computed from a stale one.
        Tainted = "tainted",
        /// The freshness that the read demanded could not be proven, and it said `or_flag`.
        Unproven = "unproven",
    }
}

reasons! {
    /// Why what was cached was bypassed.
    pub enum BypassReason {
        /// The freshness that the read demanded could not be proven.
        NotProven = "not-proven",
        /// The write that the session token names was not seen here in time.
        SessionLate = "session-late",
        /// The origin of the session token is not known (any more).
        SessionUnknown = "session-unknown",
        /// A load that bypasses what is cached read it.
        Within = "within",
        /// Programs of others write the cache, so only what was loaded young enough is proven (P-8).
        ForeignWriter = "foreign-writer",
    }
}

reasons! {
    /// What started a load.
    pub enum LoadTrigger {
        /// Nothing usable was cached.
        Miss = "miss",
        /// The value was about to expire.
        Eager = "eager",
        /// The value was a suspect.
        Suspect = "suspect",
        /// The read bypassed what was cached.
        Bypass = "bypass",
        /// Many keys at once.
        Many = "many",
        /// A load was overtaken by an invalidation and is repeated.
        Repeat = "repeat",
    }
}

reasons! {
    /// Why a load gave no value.
    pub enum LoadFailure {
        /// The loader returned an error.
        Error = "error",
        /// The loader panicked.
        Panic = "panic",
        /// The hard timeout passed.
        Timeout = "timeout",
        /// The loader said not modified of a value that was invalidated meanwhile.
        Unconfirmed = "unconfirmed",
        /// Every caller went away.
        Cancelled = "cancelled",
    }
}

reasons! {
    /// Why a loaded value was not stored.
    pub enum FillRefusal {
        /// An invalidation overtook the load.
        Overtaken = "overtaken",
        /// The loader said so.
        NoStore = "no-store",
        /// It was computed from a stale value.
        Tainted = "tainted",
        /// The node has not joined yet (P-25).
        NotJoined = "not-joined",
        /// Memory holds one of a greater version.
        Older = "older",
        /// It has more tags and dependencies than an entry can hold.
        TooManySubjects = "too-many-subjects",
        /// The call left out memory.
        SkippedMemory = "skipped-memory",
    }
}

reasons! {
    /// The kinds of a cache's own acts.
    pub enum WriteKind {
        /// `set`
        Set = "set",
        /// `remove`
        Remove = "remove",
        /// `expire`
        Expire = "expire",
        /// `remove_tag`
        RemoveTag = "remove-tag",
        /// `expire_tag`
        ExpireTag = "expire-tag",
        /// `clear`
        Clear = "clear",
        /// `expire_all`
        ExpireAll = "expire-all",
    }
}

reasons! {
    /// What came of a call of the store (L2).
    pub enum StoreOutcome {
        /// A read found the key.
        Hit = "hit",
        /// A read did not find the key.
        Miss = "miss",
        /// A write took place.
        Stored = "stored",
        /// Something newer, a tombstone or a voided lease refused a write.
        Refused = "refused",
        /// A removal took place.
        Removed = "removed",
        /// The store failed or timed out.
        Failed = "failed",
    }
}

/// Receives a node's events from the moment it was made; see [`crate::Node::events`].
///
/// A receiver that does not keep up loses the oldest events beyond 1,024 and is told how many by [`Event::Missed`].
#[derive(Debug)]
pub struct Events {
    /// Gone once the node has closed.
    receiver: Option<broadcast::Receiver<Event>>,
}

impl Events {
    /// The next event; `None` after [`Event::Closed`]. Cancel-safe.
    pub async fn recv(&mut self) -> Option<Event> {
        let event = match self.receiver.as_mut()?.recv().await {
            Ok(event) => event,
            Err(broadcast::error::RecvError::Lagged(count)) => Event::Missed { count },
            Err(broadcast::error::RecvError::Closed) => Event::Closed,
        };
        Some(self.passed(event))
    }

    /// The next event if one is there already.
    pub fn try_recv(&mut self) -> Option<Event> {
        let event = match self.receiver.as_mut()?.try_recv() {
            Ok(event) => event,
            Err(broadcast::error::TryRecvError::Lagged(count)) => Event::Missed { count },
            Err(broadcast::error::TryRecvError::Closed) => Event::Closed,
            Err(broadcast::error::TryRecvError::Empty) => return None,
        };
        Some(self.passed(event))
    }

    fn passed(&mut self, event: Event) -> Event {
        if event == Event::Closed {
            self.receiver = None;
        }
        event
    }
}

/// The sending half: costs a short lock while nobody listens, so it has no place on the path of a hit.
#[derive(Clone, Debug)]
pub(crate) struct EventSink {
    sender: broadcast::Sender<Event>,
}

impl EventSink {
    pub(crate) fn new() -> Self {
        Self { sender: broadcast::Sender::new(EVENTS_KEPT) }
    }

    /// Reports what `event` returns, which is not called while nobody listens.
    pub(crate) fn report(&self, event: impl FnOnce() -> Event) {
        if self.sender.receiver_count() > 0 {
            // An error means that the last receiver went away just now.
            let _ = self.sender.send(event());
        }
    }

    /// Whether anybody listens.
    pub(crate) fn is_heard(&self) -> bool {
        self.sender.receiver_count() > 0
    }

    pub(crate) fn subscribe(&self) -> Events {
        Events { receiver: Some(self.sender.subscribe()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed() -> Event {
        let cache = Name::new("users").unwrap();
        Event::Cache { cache, what: CacheEvent::LoadFailed(LoadFailure::Error), origin: None }
    }

    #[tokio::test]
    async fn a_slow_receiver_is_told_how_many_events_it_missed() {
        let sink = EventSink::new();
        sink.report(|| unreachable!("nobody listens"));
        let mut events = sink.subscribe();
        for _ in 0..EVENTS_KEPT + 3 {
            sink.report(failed);
        }
        assert_eq!(events.recv().await, Some(Event::Missed { count: 3 }));
        assert_eq!(events.try_recv(), Some(failed()));
        drop(sink);
        let mut left = 0;
        while events.recv().await.is_some() {
            left += 1;
        }
        assert_eq!(left, EVENTS_KEPT, "the last one says that the node has closed");
    }
}
