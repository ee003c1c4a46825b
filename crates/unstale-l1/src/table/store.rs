//! Putting values in place (F-4): unpublished, checked where they lie, then published.

use std::mem;

use super::{Displaced, Inner, Table};
use crate::entry::{Found, Head, Slot};
use crate::fence::SubjectRef;
use crate::flight::Flight;
use crate::key::Key;
use crate::mechanism::Mechanism;
use crate::new_entry::{Keeping, NewEntry, Origin, Prepared};
use crate::shim::Ordering;
use crate::shim::map::{EntryAction, EntryResult};
use crate::tick::Tick;

/// What became of a loaded value.
#[derive(Debug)]
pub enum Landed<V> {
    /// It was put in place (and may be evicted at any time).
    Stored(Found<V>),
    /// Something newer is there, and this is it.
    Newer(Found<V>),
    /// It answers those who asked for it, and is not stored.
    Refused(Found<V>, Refusal),
}

/// Why a value was not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// An act on its key, its tags, its dependencies or its cache came after its load began.
    Moved,
    /// There is a value of a greater version or token that may not be used either.
    Older,
    /// Its load used something stale or suspect.
    Tainted,
    /// It depends on more than [`SUBJECTS_MAX`](crate::SUBJECTS_MAX) subjects.
    TooManySubjects,
    /// Nothing is stored at present.
    FillsRefused,
    /// Its loader said so.
    Unstored,
}

impl<V> Landed<V> {
    /// What to answer with.
    pub fn into_found(self) -> Found<V> {
        match self {
            Self::Stored(found) | Self::Newer(found) | Self::Refused(found, _) => found,
        }
    }
}

/// How putting an entry in place ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Put {
    Done,
    KeptResident,
    NotOk,
    /// It lay in the map for a moment.
    Withdrawn,
}

/// How the callback under the write lock ended.
enum Occupied<V> {
    Swapped(Slot<V>),
    Kept,
    NotOk,
}

impl<K: Key, V: Send + Sync + 'static> Table<K, V> {
    /// Stores what a flight brought, if nothing that it touches moved since its token, which is of before its first read.
    pub(crate) fn store<E>(&self, flight: &Flight<K, V, E>, entry: NewEntry<V>) -> Landed<V> {
        self.inner.store(flight, entry)
    }

    /// Whether a tag or a dependency of an entry moved since its token.
    pub(crate) fn parts_moved(&self, found: &Found<V>) -> bool {
        let shared = &self.inner.shared;
        found.head().subjects_moved(&shared.fences, &shared.applied.0)
    }

    /// Whether something of this token can be what a new caller may have, as far as the key and the floor say.
    pub(crate) fn is_unmoved_since(&self, key: SubjectRef, token: u64) -> bool {
        token >= self.inner.floors.any() && !self.inner.shared.fences.moved_since(key, token)
    }
}

impl<K: Key, V: Send + Sync + 'static> Inner<K, V> {
    pub(super) fn prepare(&self, key: &K::Kept, began: Tick, entry: NewEntry<V>) -> Prepared<V> {
        let now = self.shared.clock.now();
        entry.prepare(now, began, self.shared.mechanisms, |value| self.config.weight(key, value))
    }

    fn store<E>(&self, flight: &Flight<K, V, E>, entry: NewEntry<V>) -> Landed<V> {
        let key = &flight.key;
        let prepared = self.prepare(key, flight.began, entry);
        let token = self.token_of(flight.token, &prepared);
        let deadline = prepared.deadline;
        let unfit = self.unfit(&prepared);
        let is_unchecked = prepared.origin == Origin::Confirmed
            && !self.shared.mechanisms.on(Mechanism::NotModifiedUnderLock);
        let slot = prepared.into_slot(token);
        let found = slot.found();
        if let Some(refusal) = unfit {
            self.publish(slot.head(), deadline);
            return Landed::Refused(found, refusal);
        }
        let mut displaced = Displaced::default();
        let put = self.put(key, slot, deadline, &mut displaced, |head| {
            is_unchecked || !self.moved_or_sunk(flight.subject, head)
        });
        if put == Put::Done {
            return Landed::Stored(found);
        }
        // Readers may have found a withdrawn entry in the map and be about to look whether it is published: never.
        if put != Put::Withdrawn {
            self.publish(found.head(), deadline);
        }
        let bounds = self.bounds();
        match self.map.get(key).filter(|resident| self.is_fresh(resident.head(), key, bounds)) {
            Some(resident) => Landed::Newer(resident.found()),
            None if put == Put::KeptResident => Landed::Refused(found, Refusal::Older),
            None => Landed::Refused(found, Refusal::Moved),
        }
    }

    /// Puts an entry in the place of a resident one or in a vacant one.
    ///
    /// Drops that skip reservations are safe: put and drop take the same lock of the shard. A drop after the put finds the
    /// entry, published or not; a put after the drop finds the fence that was raised before.
    fn put(
        &self,
        key: &K::Kept,
        slot: Slot<V>,
        deadline: Tick,
        displaced: &mut Displaced<K::Kept, V>,
        ok: impl Fn(&Head) -> bool,
    ) -> Put {
        let mechanisms = self.shared.mechanisms;
        let checks = mechanisms.on(Mechanism::CheckAtStore);
        if !mechanisms.on(Mechanism::UnpublishedUntilChecked) {
            self.publish(slot.head(), deadline);
        }
        loop {
            if checks && !ok(slot.head()) {
                return Put::NotOk;
            }
            let occupied = |_: &K::Kept, resident: &mut Slot<V>| {
                if self.is_newer(resident.head(), slot.head()) {
                    EntryAction::Retain(Occupied::Kept)
                } else if checks && !ok(slot.head()) {
                    EntryAction::Retain(Occupied::NotOk)
                } else if slot.weight() > resident.weight() {
                    // Only an insert makes room for what it adds.
                    EntryAction::ReplaceWithGuard
                } else {
                    let old = mem::replace(resident, slot.clone());
                    self.publish(slot.head(), deadline);
                    EntryAction::Retain(Occupied::Swapped(old))
                }
            };
            let guard = match self.map.entry(key, None, occupied) {
                EntryResult::Retained(Occupied::Swapped(old)) => {
                    displaced.add(None, old);
                    return Put::Done;
                }
                EntryResult::Retained(Occupied::Kept) => return Put::KeptResident,
                EntryResult::Retained(Occupied::NotOk) => return Put::NotOk,
                EntryResult::Replaced(guard, old) => {
                    displaced.add(None, old);
                    guard
                }
                EntryResult::Vacant(guard) => guard,
                // Neither is asked for.
                EntryResult::Removed(..) | EntryResult::Timeout => continue,
            };
            if !mechanisms.on(Mechanism::ReservationVisibleToDrops) {
                if !ok(slot.head()) {
                    return Put::NotOk;
                }
                self.publish(slot.head(), deadline);
                return guard.insert_with_lifecycle(slot, displaced).map_or(Put::NotOk, |()| Put::Done);
            }
            // An error means that the reservation was taken away, not that the value is old.
            if guard.insert_with_lifecycle(slot.clone(), displaced).is_err() {
                continue;
            }
            if checks && !ok(slot.head()) {
                if let Some((key, slot)) = self.map.remove_if(key, |resident| resident.is(&slot)) {
                    displaced.add(Some(key), slot);
                }
                return Put::Withdrawn;
            }
            self.publish(slot.head(), deadline);
            return Put::Done;
        }
    }

    /// Puts the value of a local act in place, inside its critical section: its token is the act's number.
    pub(super) fn put_of_act(
        &self,
        key: &K::Kept,
        prepared: Prepared<V>,
        number: u64,
        displaced: &mut Displaced<K::Kept, V>,
    ) -> bool {
        let deadline = prepared.deadline;
        let slot = prepared.into_slot(number);
        self.put(key, slot, deadline, displaced, |_| true) == Put::Done
    }

    fn publish(&self, head: &Head, deadline: Tick) {
        if self.shared.mechanisms.on(Mechanism::PublishByCas) {
            head.publish(deadline);
        } else {
            head.publish_over_marks(deadline);
        }
    }

    fn fills(&self) -> bool {
        self.shared.fills.load(Ordering::Acquire)
    }

    pub(super) fn unfit(&self, prepared: &Prepared<V>) -> Option<Refusal> {
        if prepared.tainted {
            Some(Refusal::Tainted)
        } else if prepared.overflowed {
            Some(Refusal::TooManySubjects)
        } else if !self.fills() {
            Some(Refusal::FillsRefused)
        } else if prepared.keeping == Keeping::AnsweredOnly {
            Some(Refusal::Unstored)
        } else {
            None
        }
    }

    /// Whether the resident entry has to stay: it began later, or the authority's own version says that it is newer and
    /// nothing ended it.
    fn is_newer(&self, resident: &Head, new: &Head) -> bool {
        if resident.token > new.token {
            return true;
        }
        match (resident.subjects.version(), new.subjects.version()) {
            (Some(version), Some(new)) => {
                version > new
                    && !self.ended(resident)
                    && self.shared.mechanisms.on(Mechanism::GreaterVersionStays)
            }
            (Some(_), None) | (None, Some(_) | None) => false,
        }
    }

    fn moved(&self, key: SubjectRef, head: &Head) -> bool {
        let fences = &self.shared.fences;
        fences.moved_since(key, head.token) || head.subjects_moved(fences, &self.shared.applied.0)
    }

    /// As for readers, but a distrust alone is no reason: the entry comes in as a suspect.
    fn moved_or_sunk(&self, key: SubjectRef, head: &Head) -> bool {
        head.token < self.floors.stale() || self.moved(key, head)
    }

    fn token_of(&self, token: u64, prepared: &Prepared<V>) -> u64 {
        let mechanisms = self.shared.mechanisms;
        let early = mechanisms.on(Mechanism::TokenBeforeRead)
            && (mechanisms.on(Mechanism::TokenAtStart) || !prepared.has_dependencies);
        let token = if early { token } else { self.shared.token() };
        #[cfg(feature = "mutations")]
        if !mechanisms.on(Mechanism::OwnToken) {
            return token.min(prepared.parts_token);
        }
        token
    }
}
