//! One flight: a load that several callers share (F-5).

use std::fmt;
use std::mem;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::entry::Found;
use crate::fence::{SubjectRef, Token};
use crate::flights::{Board, Flights};
use crate::key::{Key, Probe};
use crate::new_entry::NewEntry;
use crate::scope::Scope;
use crate::shim::Mutex;
use crate::table::Landed;
use crate::tick::Tick;

/// A load under way.
pub(crate) struct Flight<K: Key, V, E> {
    pub(crate) key: K::Kept,
    pub(crate) subject: SubjectRef,
    /// Taken when it was entered in the table of flights, before its first read.
    pub(crate) token: u64,
    /// How many such flights had begun before it, if its load reads nothing that is resident.
    pub(crate) number: u64,
    pub(crate) began: Tick,
    /// Whether its load reads nothing that is resident.
    pub(crate) bypasses: bool,
    pub(crate) state: Mutex<State<V, E>>,
}

pub(crate) struct State<V, E> {
    outcome: Option<Outcome<V, E>>,
    /// Who waits, by the place that each one keeps.
    waiters: Vec<Option<Waker>>,
    /// Places of those who left.
    free: Vec<usize>,
    waiting: usize,
}

enum Outcome<V, E> {
    Landed(Found<V>),
    Stale(Found<V>),
    Failed(E),
    Cancelled,
}

impl<V, E: Clone> Clone for Outcome<V, E> {
    fn clone(&self) -> Self {
        match self {
            Self::Landed(found) => Self::Landed(found.clone()),
            Self::Stale(found) => Self::Stale(found.clone()),
            Self::Failed(error) => Self::Failed(error.clone()),
            Self::Cancelled => Self::Cancelled,
        }
    }
}

impl<V, E> State<V, E> {
    pub(crate) const fn new() -> Self {
        Self { outcome: None, waiters: Vec::new(), free: Vec::new(), waiting: 0 }
    }

    /// Keeps the waker for the one at `place`, or for a newcomer. Returns the place.
    fn wait_at(&mut self, place: Option<usize>, waker: &Waker) -> usize {
        if let Some(place) = place {
            match &mut self.waiters[place] {
                Some(kept) => kept.clone_from(waker),
                none @ None => *none = Some(waker.clone()),
            }
            place
        } else if let Some(free) = self.free.pop() {
            self.waiters[free] = Some(waker.clone());
            free
        } else {
            self.waiters.push(Some(waker.clone()));
            self.waiters.len() - 1
        }
    }

    fn leave(&mut self, place: Option<usize>) -> Option<Waker> {
        self.waiting -= 1;
        let place = place?;
        // Nobody has a place any more once the flight has landed.
        let waker = self.waiters.get_mut(place)?.take();
        self.free.push(place);
        waker
    }
}

/// The one who loads. Dropped without an outcome, also by a panic, it is cancelled: those aboard look again, and one of them
/// leads the next flight.
///
/// It owns what it needs, so it can go on in the background when its caller stops waiting. It keeps its token then, and what
/// it brings is judged by that.
#[must_use]
pub struct Lead<K: Key, V: Send + Sync + 'static, E: Clone> {
    board: Arc<Board<K, V, E>>,
    /// Until it has ended.
    flight: Option<Arc<Flight<K, V, E>>>,
}

impl<K: Key, V: Send + Sync + 'static, E: Clone> Lead<K, V, E> {
    pub(crate) const fn new(board: Arc<Board<K, V, E>>, flight: Arc<Flight<K, V, E>>) -> Self {
        Self { board, flight: Some(flight) }
    }

    fn flight(&self) -> &Arc<Flight<K, V, E>> {
        self.flight.as_ref().expect("ended by whoever consumed it")
    }

    /// The key that is loaded, as tables keep it.
    pub fn key(&self) -> &K::Kept {
        &self.flight().key
    }

    /// The same, for as long as it is needed: it costs a reference count, not a clone.
    pub fn shared_key(&self) -> FlightKey<K, V, E> {
        FlightKey(Arc::clone(self.flight()))
    }

    /// What was finished when the flight began.
    pub fn token(&self) -> Token {
        Token(self.flight().token)
    }

    /// When the flight began.
    pub fn began(&self) -> Tick {
        self.flight().began
    }

    /// Whether others wait for the outcome.
    pub fn has_waiters(&self) -> bool {
        self.flight().state.lock().waiting > 0
    }

    /// Stores what was loaded, unless something made it old meanwhile, and hands it to all aboard. Nothing is loaded again
    /// because of a refusal: the caller chooses.
    pub fn land(self, entry: NewEntry<V>) -> Landed<V> {
        self.land_keyed(entry).0
    }

    /// The same, and the key is left.
    pub fn land_keyed(mut self, entry: NewEntry<V>) -> (Landed<V>, FlightKey<K, V, E>) {
        let landed = self.board.table.store(self.flight(), entry);
        let outcome = || match &landed {
            Landed::Stored(found) | Landed::Newer(found) | Landed::Refused(found, _) => {
                Outcome::Landed(found.clone())
            }
        };
        let flight = self.end(outcome).expect("it had not ended");
        (landed, FlightKey(flight))
    }

    /// Answers all aboard with a stale value that fail-safe may serve.
    pub fn answer_stale(mut self, found: Found<V>) {
        self.end(|| Outcome::Stale(found));
    }

    /// Fails for all aboard.
    pub fn fail(mut self, error: E) {
        self.end(|| Outcome::Failed(error));
    }

    /// Takes the flight out of the table first, so that nobody boards it any more, then wakes those aboard.
    fn end(&mut self, outcome: impl FnOnce() -> Outcome<V, E>) -> Option<Arc<Flight<K, V, E>>> {
        let flight = self.flight.take()?;
        self.board.take_out(&flight);
        // Who waits holds the flight, and nobody else can come any more.
        if Arc::strong_count(&flight) == 1 {
            return Some(flight);
        }
        let mut state = flight.state.lock();
        state.outcome = Some(outcome());
        let waiters = mem::take(&mut state.waiters);
        drop(state);
        for waiter in waiters.into_iter().flatten() {
            waiter.wake();
        }
        Some(flight)
    }
}

impl<K: Key, V: Send + Sync + 'static, E: Clone> Drop for Lead<K, V, E> {
    fn drop(&mut self) {
        self.end(|| Outcome::Cancelled);
    }
}

impl<K: Key + fmt::Debug, V: Send + Sync + 'static, E: Clone> fmt::Debug for Lead<K, V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lead")
            .field("key", &self.flight().key.to_key())
            .field("token", &self.flight().token)
            .finish_non_exhaustive()
    }
}

/// The key of a flight, shared with it: see [`Lead::shared_key`].
pub struct FlightKey<K: Key, V, E>(Arc<Flight<K, V, E>>);

impl<K: Key, V, E> Deref for FlightKey<K, V, E> {
    type Target = K::Kept;

    fn deref(&self) -> &K::Kept {
        &self.0.key
    }
}

impl<K: Key + fmt::Debug, V, E> fmt::Debug for FlightKey<K, V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.key.to_key().fmt(f)
    }
}

/// What waiting for a flight gave.
#[derive(Clone, Debug)]
pub enum Waited<V, E> {
    /// What it brought, stored or not; it is as new as whoever waited can ask for.
    Landed(Found<V>),
    /// It failed, and this stale value may be served instead: its leader had asked [`Table::may_revive`].
    ///
    /// [`Table::may_revive`]: crate::Table::may_revive
    Stale(Found<V>),
    /// It failed.
    Failed(E),
    /// It was cancelled, or what it brought is older than an act that was finished before the waiting began. Join again: the
    /// next flight that this caller joins is younger, so that this happens once (but for cancellations).
    Again,
}

/// Waits for the flight of another caller. Cancel-safe: dropped, it leaves the flight.
#[must_use = "futures do nothing unless polled"]
pub struct Wait<K: Key, V: Send + Sync + 'static, E: Clone> {
    flights: Flights<K, V, E>,
    flight: Arc<Flight<K, V, E>>,
    /// What was finished when the caller came.
    begin: u64,
    place: Option<usize>,
}

impl<K: Key, V: Send + Sync + 'static, E: Clone> Wait<K, V, E> {
    pub(crate) fn new(flights: Flights<K, V, E>, flight: Arc<Flight<K, V, E>>, begin: u64) -> Self {
        flight.state.lock().waiting += 1;
        Self { flights, flight, begin, place: None }
    }

    fn judge(&self, outcome: Outcome<V, E>) -> Waited<V, E> {
        let table = self.flights.table();
        let key = &self.flight.key;
        match outcome {
            Outcome::Landed(found) if self.is_new(&found) => {
                table.record(key, &found);
                Waited::Landed(found)
            }
            Outcome::Stale(found) if self.is_new(&found) => {
                table.record(key, &found);
                if let Some(scope) = Scope::current() {
                    scope.taint();
                }
                Waited::Stale(found)
            }
            Outcome::Failed(error) => {
                table.record_absent(key);
                Waited::Failed(error)
            }
            Outcome::Landed(_) | Outcome::Stale(_) | Outcome::Cancelled => Waited::Again,
        }
    }

    /// Any act after its token came while this caller waited, too; or none touches the value.
    fn is_new(&self, found: &Found<V>) -> bool {
        self.flight.token >= self.begin
            || (self.flights.is_young_enough(self.flight.subject, found.token().0)
                && self.flights.are_parts_unmoved(found))
    }
}

impl<K: Key, V: Send + Sync + 'static, E: Clone> Future for Wait<K, V, E> {
    type Output = Waited<V, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Waited<V, E>> {
        let this = self.get_mut();
        let mut state = this.flight.state.lock();
        let Some(outcome) = state.outcome.clone() else {
            this.place = Some(state.wait_at(this.place, cx.waker()));
            return Poll::Pending;
        };
        drop(state);
        Poll::Ready(this.judge(outcome))
    }
}

impl<K: Key, V: Send + Sync + 'static, E: Clone> Drop for Wait<K, V, E> {
    fn drop(&mut self) {
        let mut state = self.flight.state.lock();
        let waker = state.leave(self.place);
        drop(state);
        drop(waker);
    }
}

impl<K: Key + fmt::Debug, V: Send + Sync + 'static, E: Clone> fmt::Debug for Wait<K, V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait").field("key", &self.flight.key.to_key()).finish_non_exhaustive()
    }
}
