//! The table of flights: callers of one key share one load, and none joins a load that began before an act it knows of (F-5).

use std::fmt;
use std::sync::Arc;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Place;

use crate::entry::Found;
use crate::fence::SubjectRef;
use crate::flight::{Flight, Lead, State, Wait};
use crate::key::{Key, Probe};
use crate::mechanism::Mechanism;
use crate::shim::{AtomicU64, Mutex, Ordering};
use crate::table::Table;
use crate::tick::Tick;

const SHARDS: usize = 64;

/// The most pauses that are remembered in each of the 64 shards. Beyond that a pause is not kept: its retry comes sooner.
const PAUSES_MAX: usize = 256;

/// The loads under way for one table. Clones are the same flights.
///
/// `E` is the error that all who share a load get a clone of.
///
/// ```
/// # use unstale_core::{ActLog, Name, ProcessId, Stream};
/// # use unstale_l1::{Domain, DomainConfig, Table, TableConfig, Tick};
/// use unstale_l1::{Flights, Joined, Landed, NewEntry};
///
/// # let domain = Domain::new(DomainConfig::default(), ActLog::new(Stream::first(ProcessId(1))));
/// let users: Table<u64, String> = domain.table(Name::new("users").unwrap(), TableConfig::default()).unwrap();
/// let flights: Flights<u64, String, &str> = Flights::new(&users);
///
/// let Joined::Lead(lead) = flights.join(&7) else { panic!("nothing is there") };
/// users.remove(&7, 0); // while it loads
/// let landed = lead.land(NewEntry::value("old".to_owned()).time_to_live(Tick(100)));
/// assert!(matches!(landed, Landed::Refused(..)));
/// assert!(users.get(&7).is_none());
/// ```
pub struct Flights<K: Key, V: Send + Sync + 'static, E: Clone> {
    board: Arc<Board<K, V, E>>,
}

/// The flights of a table, by key.
pub(crate) struct Board<K: Key, V: Send + Sync + 'static, E: Clone> {
    pub(crate) table: Table<K, V>,
    /// How many flights have begun that bypass what is resident.
    begun: AtomicU64,
    shards: Box<[Mutex<Shard<K, V, E>>]>,
}

struct Shard<K: Key, V, E> {
    flights: HashTable<Arc<Flight<K, V, E>>>,
    pauses: HashTable<Pause<K>>,
}

/// After a failed load whose callers got a stale value: the next try is not before.
struct Pause<K: Key> {
    key: K::Kept,
    subject: SubjectRef,
    until: Tick,
}

/// What joining gave.
#[derive(Debug)]
#[must_use]
pub enum Joined<K: Key, V: Send + Sync + 'static, E: Clone> {
    /// It is there meanwhile.
    Hit(Found<V>),
    /// This caller loads.
    Lead(Lead<K, V, E>),
    /// Another caller loads.
    Wait(Wait<K, V, E>),
}

/// A point in the order of flights: see [`Flights::mark`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(u64);

/// Whether a caller is content with what is resident.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Resident {
    Welcome,
    Ignored,
}

impl<K: Key, V: Send + Sync + 'static, E: Clone> Flights<K, V, E> {
    /// No flights yet, for this table.
    pub fn new(table: &Table<K, V>) -> Self {
        let shard = || Mutex::new(Shard { flights: HashTable::new(), pauses: HashTable::new() });
        let shards = (0..SHARDS).map(|_| shard()).collect();
        Self { board: Arc::new(Board { table: table.clone(), begun: AtomicU64::new(0), shards }) }
    }

    /// The table.
    pub fn table(&self) -> &Table<K, V> {
        &self.board.table
    }

    /// Leads a flight for a key, or joins the one under way if no act on the key or its cache came since that began. A flight
    /// that may not be joined flies on for those aboard.
    pub fn join<Q: Probe<K> + ?Sized>(&self, key: &Q) -> Joined<K, V, E> {
        self.board(key, Resident::Welcome, None)
    }

    /// The same, but ignores what is resident: to load a suspect again, or what is stale but not yet old.
    pub fn refresh<Q: Probe<K> + ?Sized>(&self, key: &Q) -> Joined<K, V, E> {
        self.board(key, Resident::Ignored, None)
    }

    /// Where the order of flights stands. Cheap: one load.
    pub fn mark(&self) -> Mark {
        Mark(self.board.begun.load(Ordering::Acquire))
    }

    /// As [`Flights::refresh`], but joins only a flight that began after the mark and was begun by this call, too: for callers
    /// that must see the authority as it is after they came. Those that come together still share a load. Who leads it holds its
    /// load in a bypassing scope ([`crate::ScopeOf::bypassing`]); another load may be made of what was resident.
    pub fn join_after<Q: Probe<K> + ?Sized>(&self, key: &Q, mark: Mark) -> Joined<K, V, E> {
        self.board(key, Resident::Ignored, Some(mark))
    }

    /// Leads a flight for a key, or nothing if there is one that may be joined: to refresh eagerly, without waiting.
    pub fn try_refresh<Q: Probe<K> + ?Sized>(&self, key: &Q) -> Option<Lead<K, V, E>> {
        match self.board(key, Resident::Ignored, None) {
            Joined::Lead(lead) => Some(lead),
            Joined::Hit(_) | Joined::Wait(_) => None,
        }
    }

    /// Asks for no further try to load a key before `until`, as long as there is something to serve. At most 16,384 pauses are
    /// kept; beyond that the retry comes sooner.
    pub fn pause<Q: Probe<K> + ?Sized>(&self, key: &Q, until: Tick) {
        let subject = self.table().key_subject(key);
        let now = self.table().clock().now();
        let mut shard = self.board.shard(subject).lock();
        if shard.pauses.len() >= PAUSES_MAX {
            shard.pauses.retain(|pause| pause.until > now);
        }
        let is_full = shard.pauses.len() >= PAUSES_MAX;
        let same = |pause: &Pause<K>| key.equivalent(&pause.key);
        match shard.pauses.entry(hash_of(subject), same, |pause| hash_of(pause.subject)) {
            Place::Occupied(mut pause) => pause.get_mut().until = until,
            Place::Vacant(_) if is_full => {}
            Place::Vacant(place) => {
                place.insert(Pause { key: key.to_kept(), subject, until });
            }
        }
    }

    /// Whether a pause for the key is not over.
    pub fn is_paused<Q: Probe<K> + ?Sized>(&self, key: &Q) -> bool {
        let subject = self.table().key_subject(key);
        let now = self.table().clock().now();
        let shard = self.board.shard(subject).lock();
        let pause = shard.pauses.find(hash_of(subject), |pause| key.equivalent(&pause.key));
        pause.is_some_and(|pause| pause.until > now)
    }

    /// How many loads are under way.
    pub fn len(&self) -> usize {
        self.board.shards.iter().map(|shard| shard.lock().flights.len()).sum()
    }

    /// Whether no load is under way.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a new caller may have something of this token, as far as the key and the floor say.
    pub(crate) fn is_young_enough(&self, key: SubjectRef, token: u64) -> bool {
        let table = self.table();
        table.is_unmoved_since(key, token) || !table.inner.shared.mechanisms.on(Mechanism::NoOldFlight)
    }

    pub(crate) fn are_parts_unmoved(&self, found: &Found<V>) -> bool {
        let table = self.table();
        !table.parts_moved(found) || !table.inner.shared.mechanisms.on(Mechanism::JoinChecksSubjects)
    }

    fn board<Q: Probe<K> + ?Sized>(
        &self,
        key: &Q,
        resident: Resident,
        after: Option<Mark>,
    ) -> Joined<K, V, E> {
        let table = self.table();
        let begin = table.inner.shared.token();
        // At the latest when it lands, what it brings is compared with the fence.
        let subject = table.inner.prefetched(table.key_subject(key));
        let mut shard = self.board.shard(subject).lock();
        if resident == Resident::Welcome {
            // A flight may have landed since this caller looked.
            if let Some(found) = table.resident(key) {
                drop(shard);
                table.record(key, &found);
                return Joined::Hit(found);
            }
        }
        let same = |flight: &Arc<Flight<K, V, E>>| key.equivalent(&flight.key);
        let place = shard.flights.entry(hash_of(subject), same, |flight| hash_of(flight.subject));
        if let Place::Occupied(flight) = &place
            && self.may_join(flight.get(), after)
        {
            let flight = Arc::clone(flight.get());
            drop(shard);
            return Joined::Wait(Wait::new(self.clone(), flight, begin));
        }
        let flight = self.board.begin(key.to_kept(), subject, after.is_some());
        // One that may not be joined is replaced: it flies on for those aboard, and its lead still holds it.
        place.insert(Arc::clone(&flight));
        drop(shard);
        Joined::Lead(Lead::new(Arc::clone(&self.board), flight))
    }

    fn may_join(&self, flight: &Flight<K, V, E>, after: Option<Mark>) -> bool {
        after.is_none_or(|mark| flight.bypasses && flight.number >= mark.0)
            && self.is_young_enough(flight.subject, flight.token)
    }
}

impl<K: Key, V: Send + Sync + 'static, E: Clone> Board<K, V, E> {
    fn shard(&self, subject: SubjectRef) -> &Mutex<Shard<K, V, E>> {
        // Other bits than those by which the table of the shard is searched.
        &self.shards[(hash_of(subject) >> 40) as usize % SHARDS]
    }

    /// A new flight, under the lock of its shard: nobody sees it before it has its token.
    fn begin(&self, key: K::Kept, subject: SubjectRef, bypasses: bool) -> Arc<Flight<K, V, E>> {
        Arc::new(Flight {
            key,
            subject,
            token: self.table.inner.shared.token(),
            number: if bypasses { self.begun.fetch_add(1, Ordering::AcqRel) } else { 0 },
            began: self.table.clock().now(),
            bypasses,
            state: Mutex::new(State::new()),
        })
    }

    /// Takes a flight out, unless another one replaced it.
    pub(crate) fn take_out(&self, flight: &Arc<Flight<K, V, E>>) {
        let mut shard = self.shard(flight.subject).lock();
        if let Ok(place) =
            shard.flights.find_entry(hash_of(flight.subject), |other| Arc::ptr_eq(other, flight))
        {
            let _ = place.remove();
        }
    }
}

/// Flights are found by the places of their keys among the fences, which are known anyway. A multiplication spreads their 32 bits
/// over the word.
fn hash_of(subject: SubjectRef) -> u64 {
    subject.bits().wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl<K: Key, V: Send + Sync + 'static, E: Clone> Clone for Flights<K, V, E> {
    fn clone(&self) -> Self {
        Self { board: Arc::clone(&self.board) }
    }
}

impl<K: Key, V: Send + Sync + 'static, E: Clone> fmt::Debug for Flights<K, V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flights").field("table", &self.board.table).finish_non_exhaustive()
    }
}
