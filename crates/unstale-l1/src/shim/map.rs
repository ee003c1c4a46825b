//! A map for loom, which knows no lock but its own: what the tables use of quick_cache, in one shard that evicts nothing.
//!
//! A reservation is no entry here: who inserts where another one has come meanwhile is told to look again, as by the real map
//! if the reservation was taken away.

use std::marker::PhantomData;
use std::time::Duration;

use quick_cache::{Equivalent, Lifecycle, Options, Weighter};

pub(crate) use quick_cache::sync::EntryAction;

use super::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

pub(crate) struct Cache<Key, Val, We, B, L> {
    entries: RwLock<Vec<(Key, Val)>>,
    weighter: We,
    others: PhantomData<(B, L)>,
}

pub(crate) enum EntryResult<'a, Key, Val, We, B, L, T> {
    Retained(T),
    Removed(Key, Val),
    Replaced(PlaceholderGuard<'a, Key, Val, We, B, L>, Val),
    Vacant(PlaceholderGuard<'a, Key, Val, We, B, L>),
    #[expect(dead_code, reason = "nobody waits here")]
    Timeout,
}

pub(crate) struct PlaceholderGuard<'a, Key, Val, We, B, L> {
    cache: &'a Cache<Key, Val, We, B, L>,
    key: Key,
}

pub(crate) struct Iter<'a, Key, Val, We, B, L> {
    entries: std::vec::IntoIter<(Key, Val)>,
    cache: PhantomData<&'a Cache<Key, Val, We, B, L>>,
}

impl<Key: Clone + Eq, Val: Clone, We: Weighter<Key, Val>, B, L: Lifecycle<Key, Val>>
    Cache<Key, Val, We, B, L>
{
    pub(crate) fn with_options(_options: Options, weighter: We, _hasher: B, _lifecycle: L) -> Self {
        Self { entries: RwLock::new(Vec::new()), weighter, others: PhantomData }
    }

    pub(crate) fn get<Q: Equivalent<Key> + ?Sized>(&self, key: &Q) -> Option<Val> {
        let entries = self.read();
        entries.iter().find(|(of, _)| key.equivalent(of)).map(|(_, value)| value.clone())
    }

    pub(crate) fn peek<Q: Equivalent<Key> + ?Sized>(&self, key: &Q) -> Option<Val> {
        self.get(key)
    }

    pub(crate) fn contains_key<Q: Equivalent<Key> + ?Sized>(&self, key: &Q) -> bool {
        self.get(key).is_some()
    }

    pub(crate) fn remove_if<Q: Equivalent<Key> + ?Sized>(
        &self,
        key: &Q,
        f: impl FnOnce(&Val) -> bool,
    ) -> Option<(Key, Val)> {
        let mut entries = self.write();
        let place = entries.iter().position(|(of, _)| key.equivalent(of))?;
        f(&entries[place].1).then(|| entries.swap_remove(place))
    }

    pub(crate) fn entry<T>(
        &self,
        key: &Key,
        _timeout: Option<Duration>,
        on_occupied: impl FnOnce(&Key, &mut Val) -> EntryAction<T>,
    ) -> EntryResult<'_, Key, Val, We, B, L, T> {
        let guard = PlaceholderGuard { cache: self, key: key.clone() };
        let mut entries = self.write();
        let Some(place) = entries.iter().position(|(of, _)| key == of) else {
            return EntryResult::Vacant(guard);
        };
        match on_occupied(key, &mut entries[place].1) {
            EntryAction::Retain(kept) => EntryResult::Retained(kept),
            EntryAction::Remove => {
                let (key, value) = entries.swap_remove(place);
                EntryResult::Removed(key, value)
            }
            EntryAction::ReplaceWithGuard => EntryResult::Replaced(guard, entries.swap_remove(place).1),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.read().len()
    }

    pub(crate) fn weight(&self) -> u64 {
        self.read().iter().map(|(key, value)| self.weighter.weight(key, value)).sum()
    }

    pub(crate) fn iter(&self) -> Iter<'_, Key, Val, We, B, L> {
        Iter { entries: self.read().clone().into_iter(), cache: PhantomData }
    }

    fn read(&self) -> RwLockReadGuard<'_, Vec<(Key, Val)>> {
        self.entries.read().expect("nothing panics under it")
    }

    fn write(&self) -> RwLockWriteGuard<'_, Vec<(Key, Val)>> {
        self.entries.write().expect("nothing panics under it")
    }
}

impl<Key: Clone + Eq, Val: Clone, We: Weighter<Key, Val>, B, L: Lifecycle<Key, Val>>
    PlaceholderGuard<'_, Key, Val, We, B, L>
{
    pub(crate) fn insert_with_lifecycle(self, value: Val, _request: &mut L::RequestState) -> Result<(), Val> {
        let mut entries = self.cache.write();
        if entries.iter().any(|(of, _)| *of == self.key) {
            return Err(value);
        }
        entries.push((self.key, value));
        Ok(())
    }
}

impl<Key, Val, We, B, L> Iterator for Iter<'_, Key, Val, We, B, L> {
    type Item = (Key, Val);

    fn next(&mut self) -> Option<(Key, Val)> {
        self.entries.next()
    }
}
