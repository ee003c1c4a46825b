//! Local acts of one table (F-6): fences, entries and numbers in one critical section.

use std::cell::Cell;
use std::sync::Arc;

use bytes::Bytes;
use unstale_core::{Act, Batch, Subject, Told, Verb};

use super::{Displaced, Inner, KeyChunk, Table};
use crate::act::Section;
use crate::batch::{Acted, Committed, LocalActs};
use crate::fence::{Reach, SubjectRef, Token};
use crate::key::{Kept, Key, Probe};
use crate::mechanism::Mechanism;
use crate::new_entry::NewEntry;
use crate::registry::AnyTable;
use crate::tick::Tick;

impl<K: Key, V: Send + Sync + 'static> Table<K, V> {
    /// Puts a value in place of whatever there is, fences older loads and what depends on the old value, and ends that value.
    /// An entry of a greater version stays. When it returns, later reads here see nothing older.
    pub fn set(&self, key: &K, entry: NewEntry<V>, told: impl Into<Told>) -> Acted {
        self.set_unless(key, entry, told, |_| false)
    }

    /// [`Table::set`], but if there was an act on the key after `since` the value is not put in place: the key is only
    /// fenced and dropped. With `since` taken before the value was read or written at the authority, of two writers
    /// without versions the one whose value may be old does not win.
    pub fn set_since(&self, key: &K, entry: NewEntry<V>, since: Token, told: impl Into<Told>) -> Acted {
        let checks = self.inner.shared.mechanisms.on(Mechanism::SetSince);
        self.set_unless(key, entry, told, |subject| checks && !self.is_unmoved_since(subject, since.0))
    }

    /// Drops the entry of a key: gone, also for fail-safe. When it returns, later reads here see nothing older.
    pub fn remove<Q: Probe<K> + ?Sized>(&self, key: &Q, told: impl Into<Told>) -> Acted {
        self.invalidate(key, Verb::Remove, told)
    }

    /// Marks the entry of a key as stale: fail-safe may still serve it.
    pub fn expire<Q: Probe<K> + ?Sized>(&self, key: &Q, told: impl Into<Told>) -> Acted {
        self.invalidate(key, Verb::Expire, told)
    }

    /// Everything that carries the tag is gone. Constant time.
    pub fn remove_tag(&self, tag: &[u8], told: impl Into<Told>) -> Acted {
        self.act_on_tag(tag, Verb::Remove, told)
    }

    /// Everything that carries the tag is stale. Constant time.
    pub fn expire_tag(&self, tag: &[u8], told: impl Into<Told>) -> Acted {
        self.act_on_tag(tag, Verb::Expire, told)
    }

    /// Everything is gone. Constant time: memory is given back by [`Table::sweep`] or as it is needed.
    pub fn clear(&self, told: impl Into<Told>) -> Acted {
        self.act_on_all(Verb::Remove, told)
    }

    /// Everything is stale. Constant time.
    pub fn expire_all(&self, told: impl Into<Told>) -> Acted {
        self.act_on_all(Verb::Expire, told)
    }

    /// Sets many keys as one batch; none if there are none.
    pub fn set_many(
        &self,
        entries: impl IntoIterator<Item = (K, NewEntry<V>)>,
        told: impl Into<Told>,
    ) -> Option<Committed> {
        let mut acts = LocalActs::new();
        for (key, entry) in entries {
            self.set_in(&mut acts, key, entry);
        }
        acts.commit(&self.inner.shared, Batch::Whole, told.into())
    }

    /// Removes many keys as one batch; none if there are none.
    pub fn remove_many<'a, Q: Probe<K> + ?Sized + 'a>(
        &self,
        keys: impl IntoIterator<Item = &'a Q>,
        told: impl Into<Told>,
    ) -> Option<Committed> {
        let mut acts = LocalActs::new();
        for key in keys {
            self.remove_in(&mut acts, key);
        }
        acts.commit(&self.inner.shared, Batch::Whole, told.into())
    }

    /// [`Table::set`] as part of a batch.
    pub fn set_in(&self, acts: &mut LocalActs, key: K, entry: NewEntry<V>) {
        let key = K::Kept::from_key(key);
        let act = self.key_act(key.key_bytes(), Verb::Set);
        let subject = self.inner.prefetched(self.inner.key_subject(&key));
        let prepared = self.inner.prepare(&key, Tick::ZERO, entry);
        if let Some(chunk) = acts.add(act).typed_chunk(&self.inner, KeyChunk::new) {
            chunk.add_set(key, subject, prepared);
        }
    }

    /// [`Table::remove`] as part of a batch.
    pub fn remove_in<Q: Probe<K> + ?Sized>(&self, acts: &mut LocalActs, key: &Q) {
        self.invalidate_in(acts, key, Verb::Remove);
    }

    /// [`Table::expire`] as part of a batch.
    pub fn expire_in<Q: Probe<K> + ?Sized>(&self, acts: &mut LocalActs, key: &Q) {
        self.invalidate_in(acts, key, Verb::Expire);
    }

    /// [`Table::remove_tag`] as part of a batch.
    pub fn remove_tag_in(&self, acts: &mut LocalActs, tag: &[u8]) {
        let subject = self.tag_subject(tag);
        acts.add(self.tag_act(tag, Verb::Remove)).add_subject(subject, Reach::Gone);
    }

    /// [`Table::expire_tag`] as part of a batch.
    pub fn expire_tag_in(&self, acts: &mut LocalActs, tag: &[u8]) {
        let subject = self.tag_subject(tag);
        acts.add(self.tag_act(tag, Verb::Expire)).add_subject(subject, Reach::Stale);
    }

    /// [`Table::clear`] as part of a batch.
    pub fn clear_in(&self, acts: &mut LocalActs) {
        self.act_on_all_in(acts, Verb::Remove);
    }

    /// [`Table::expire_all`] as part of a batch.
    pub fn expire_all_in(&self, acts: &mut LocalActs) {
        self.act_on_all_in(acts, Verb::Expire);
    }

    /// Sets a value, or only fences and drops its key if the value is old: asked inside the section, before its fence rises.
    fn set_unless(
        &self,
        key: &K,
        entry: NewEntry<V>,
        told: impl Into<Told>,
        is_old: impl FnOnce(SubjectRef) -> bool,
    ) -> Acted {
        K::Kept::lend(key, |key| {
            let subject = self.inner.prefetched(self.inner.key_subject(key));
            let prepared = self.inner.prepare(key, Tick::ZERO, entry);
            let old = Cell::new(false);
            self.act(
                || self.key_act(key.key_bytes(), Verb::Set),
                told,
                |number| {
                    old.set(is_old(subject));
                    self.inner.raise_for_set(subject, number);
                },
                |number, displaced| {
                    if old.get() {
                        self.inner.withdraw(key, number, Reach::Gone, displaced)
                    } else {
                        self.inner.set(key, prepared, number, displaced)
                    }
                },
            )
        })
    }

    fn invalidate<Q: Probe<K> + ?Sized>(&self, key: &Q, verb: Verb, told: impl Into<Told>) -> Acted {
        let (subject, reach) = (self.inner.prefetched(self.key_subject(key)), Reach::of(verb));
        self.act(
            || self.key_act(key.key_bytes(), verb),
            told,
            |number| self.inner.shared.fences.raise(subject, number, reach),
            |number, displaced| self.inner.withdraw(key, number, reach, displaced),
        )
    }

    fn act_on_tag(&self, tag: &[u8], verb: Verb, told: impl Into<Told>) -> Acted {
        let subject = self.inner.prefetched(self.tag_subject(tag));
        self.act(
            || self.tag_act(tag, verb),
            told,
            |number| self.inner.shared.fences.raise(subject, number, Reach::of(verb)),
            |_, _| false,
        )
    }

    fn act_on_all(&self, verb: Verb, told: impl Into<Told>) -> Acted {
        self.act(
            || self.all_act(verb),
            told,
            |number| self.inner.raise_all(number, Reach::of(verb)),
            |_, _| false,
        )
    }

    fn act_on_all_in(&self, acts: &mut LocalActs, verb: Verb) {
        let table: Arc<dyn AnyTable> = Arc::clone(&self.inner) as Arc<dyn AnyTable>;
        acts.add(self.all_act(verb)).add_cache(table, Reach::of(verb));
    }

    fn invalidate_in<Q: Probe<K> + ?Sized>(&self, acts: &mut LocalActs, key: &Q, verb: Verb) {
        let bytes = key.key_bytes();
        let subject = self.inner.prefetched(self.inner.subject_of(&bytes));
        let plan = acts.add(self.key_act(bytes, verb));
        if let Some(chunk) = plan.typed_chunk(&self.inner, KeyChunk::new) {
            chunk.add_key(key.to_kept(), subject, Reach::of(verb));
        }
    }

    /// One local act. What it displaces is dropped after the section was left.
    fn act(
        &self,
        act: impl FnOnce() -> Act,
        told: impl Into<Told>,
        raise: impl FnOnce(u64),
        withdraw: impl FnOnce(u64, &mut Displaced<K::Kept, V>) -> bool,
    ) -> Acted {
        let (act, told) = (self.inner.shared.tells.then(act), told.into());
        let mut displaced = Displaced::default();
        let mut section = Section::enter(&self.inner.shared);
        let present = section.raise_then_drop(
            &mut displaced,
            |_, number| raise(number),
            |displaced, number| withdraw(number, displaced),
        );
        let log = &mut section.acts().log;
        let appended = match act {
            Some(act) => log.append_one(act, told),
            None => log.append_untold(1, told.wall_ms),
        };
        drop(section);
        Acted { appended, present }
    }

    fn key_act(&self, key: Bytes, verb: Verb) -> Act {
        Act { verb, subject: Subject::Key { cache: self.inner.name.clone(), key } }
    }

    fn tag_act(&self, tag: &[u8], verb: Verb) -> Act {
        let tag = Bytes::copy_from_slice(tag);
        Act { verb, subject: Subject::Tag { cache: Some(self.inner.name.clone()), tag } }
    }

    fn all_act(&self, verb: Verb) -> Act {
        Act { verb, subject: Subject::Cache { cache: self.inner.name.clone() } }
    }
}

impl<K: Key, V: Send + Sync + 'static> Inner<K, V> {
    fn raise_all(&self, number: u64, reach: Reach) {
        self.shared.fences.raise(self.whole, number, reach);
        match reach {
            Reach::Stale => self.floors.expire(number),
            Reach::Gone => self.floors.clear(number),
        }
    }
}
