//! Writes: acts on keys, tags and the whole cache.
//!
//! Each of them first voids the store (P-24), then, in one step, raises the fences, drops or marks what is in memory and draws
//! its number, and only then returns. A cancelled call has done its act or has not; what the store was told stays told,
//! which costs misses and nothing else.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use unstale_core::{Mechanism, Voided};
use unstale_l1::{Acted, Committed, NewEntry, Probe};

use super::options::{EntryOptions, Skip};
use super::policy::{Kind, Policy};
use super::running::all;
use super::second_level::{SecondLevel, Stock, Void};
use super::terms::{keep, ticks};
use super::value::{Stored, Validators};
use super::{Cache, Key};
use crate::event::WriteKind;
use crate::{Error, ErrorKind, Receipt};

impl<K: Key, V: Send + Sync + 'static> Cache<K, V> {
    /// Puts `value` under `key`, on both levels, and tells every node that what it has there is old.
    ///
    /// When it returns, no read on this node sees anything older, nor does a load that had begun before. Concurrent writers
    /// of one key are ordered by their calls, not by their databases' commits: where that matters, remove instead, or give
    /// versions ([`EntryOptions::version`]).
    ///
    /// Cancel-safe: a cancelled call either did all of it or only voided the store's value.
    ///
    /// # Errors
    /// [`ErrorKind::Unannounced`], before anything is done, with [`crate::Writes::Refuse`] only. [`ErrorKind::Store`] if the
    /// store did not take the act: memory on all nodes is as after a success, and no node that hears of the act reads anything
    /// from the store that it concerns before that is void (P-24). This node makes it good as soon as the store answers, also
    /// after a restart with [`crate::NodeBuilder::recovery_file`]; only a node that joins before that may find the old value.
    pub async fn set(&self, key: K, value: V) -> Result<Receipt, Error> {
        self.set_with(key, value, &EntryOptions::new()).await
    }

    /// [`Cache::set`] with choices for this value.
    pub async fn set_with(&self, key: K, value: V, options: &EntryOptions) -> Result<Receipt, Error> {
        self.admit_write("set")?;
        let policy = self.inner.policy.with(options);
        let stored = Stored::new(value, validators_of(options));
        let voided = self.stock(&key, &stored, options, &policy).await;
        let told = self.shared().told(voided);
        let acted = if policy.skips.has(Skip::MemoryWrite) {
            self.table().remove(&key, told)
        } else {
            self.table().set(&key, self.entry(stored, options, &policy), told)
        };
        self.receipt(WriteKind::Set, acted, voided)
    }

    /// Sets many keys as one batch with one number range. See [`Cache::set`].
    pub async fn set_many(&self, entries: impl IntoIterator<Item = (K, V)>) -> Result<Receipt, Error> {
        self.set_many_with(entries, &EntryOptions::new()).await
    }

    /// [`Cache::set_many`] with choices for all of these values.
    pub async fn set_many_with(
        &self,
        entries: impl IntoIterator<Item = (K, V)>,
        options: &EntryOptions,
    ) -> Result<Receipt, Error> {
        self.admit_write("set_many")?;
        let policy = self.inner.policy.with(options);
        let new: Vec<(K, Stored<V>)> = entries
            .into_iter()
            .map(|(key, value)| (key, Stored::new(value, validators_of(options))))
            .collect();
        let owed = AtomicBool::new(false);
        all(new.iter().map(|(key, stored)| async {
            if self.stock(key, stored, options, &policy).await == Voided::Owed {
                owed.store(true, Ordering::Relaxed);
            }
        }))
        .await;
        let voided = if owed.into_inner() { Voided::Owed } else { Voided::Yes };
        let told = self.shared().told(voided);
        let committed = if policy.skips.has(Skip::MemoryWrite) {
            let keys: Vec<K> = new.into_iter().map(|(key, _)| key).collect();
            self.table().remove_many(&keys, told)
        } else {
            let new = new.into_iter().map(|(key, stored)| (key, self.entry(stored, options, &policy)));
            self.table().set_many(new.collect::<Vec<_>>(), told)
        };
        self.receipt_of_batch(WriteKind::Set, committed, voided)
    }

    /// Removes `key` everywhere: what is there is gone, also for fail-safe.
    ///
    /// When it returns, no read on this node sees the old value, nor does a load that had begun before; other nodes follow
    /// as fast as the backplane carries it. Call it after the database has committed. Cancel-safe as [`Cache::set`].
    ///
    /// # Errors
    /// As [`Cache::set`].
    pub async fn remove<Q: Probe<K> + ?Sized>(&self, key: &Q) -> Result<Receipt, Error> {
        self.admit_write("remove")?;
        let voided = self.void_key(key, Void::Remove).await;
        let acted = self.table().remove(key, self.shared().told(voided));
        self.receipt(WriteKind::Remove, acted, voided)
    }

    /// Removes many keys as one batch. See [`Cache::remove`].
    pub async fn remove_many<Q: Probe<K>>(&self, keys: &[Q]) -> Result<Receipt, Error> {
        self.admit_write("remove_many")?;
        let voided = self.void(keys, Void::Remove).await;
        let committed = self.table().remove_many(keys, self.shared().told(voided));
        self.receipt_of_batch(WriteKind::Remove, committed, voided)
    }

    /// Makes `key` stale everywhere: it is loaded anew, and fail-safe may serve it if that fails. See [`Cache::remove`].
    pub async fn expire<Q: Probe<K> + ?Sized>(&self, key: &Q) -> Result<Receipt, Error> {
        self.admit_write("expire")?;
        let voided = self.void_key(key, Void::Expire).await;
        let acted = self.table().expire(key, self.shared().told(voided));
        self.receipt(WriteKind::Expire, acted, voided)
    }

    /// Removes everything of this cache that carries `tag`, everywhere, in constant time. See [`Cache::remove`].
    pub async fn remove_tag(&self, tag: impl Into<Bytes>) -> Result<Receipt, Error> {
        let tag = tag.into();
        self.admit_write("remove_tag")?;
        let voided = self.raise(Some(&tag), Void::Remove).await;
        let acted = self.table().remove_tag(&tag, self.shared().told(voided));
        self.receipt(WriteKind::RemoveTag, acted, voided)
    }

    /// Makes everything of this cache stale that carries `tag`, in constant time. The store forgets it. See
    /// [`Cache::remove`].
    pub async fn expire_tag(&self, tag: impl Into<Bytes>) -> Result<Receipt, Error> {
        let tag = tag.into();
        self.admit_write("expire_tag")?;
        let voided = self.raise(Some(&tag), Void::Expire).await;
        let acted = self.table().expire_tag(&tag, self.shared().told(voided));
        self.receipt(WriteKind::ExpireTag, acted, voided)
    }

    /// Removes everything of this cache, everywhere, in constant time; memory is given back as it is needed. See
    /// [`Cache::remove`].
    pub async fn clear(&self) -> Result<Receipt, Error> {
        self.admit_write("clear")?;
        let voided = self.raise(None, Void::Remove).await;
        let acted = self.table().clear(self.shared().told(voided));
        self.receipt(WriteKind::Clear, acted, voided)
    }

    /// Makes everything of this cache stale, in constant time. The store forgets it. See [`Cache::remove`].
    pub async fn expire_all(&self) -> Result<Receipt, Error> {
        self.admit_write("expire_all")?;
        let voided = self.raise(None, Void::Expire).await;
        let acted = self.table().expire_all(self.shared().told(voided));
        self.receipt(WriteKind::ExpireAll, acted, voided)
    }

    /// Whether this node may write this cache, and can announce it now where that was asked for.
    fn admit_write(&self, operation: &'static str) -> Result<(), Error> {
        self.shared().scopes.admit(operation, Some(&self.inner.name))?;
        self.shared().admit_write(operation)
    }

    fn entry(&self, stored: Stored<V>, options: &EntryOptions, policy: &Policy) -> NewEntry<Stored<V>> {
        let life = policy.memory_life(Kind::Value).saturating_add(self.jitter(policy.jitter));
        let entry = NewEntry::value(stored)
            .time_to_live(ticks(life))
            .fail_safe(ticks(keep(life, policy)))
            .tags(options.tags.iter().map(|tag| self.table().tag_subject(tag)))
            .of_unknown_age();
        match options.version {
            Some(version) => entry.version(version),
            None => entry,
        }
    }

    /// Writes the value to the store, or makes what is there old.
    async fn stock(&self, key: &K, stored: &Stored<V>, options: &EntryOptions, policy: &Policy) -> Voided {
        let Some(level) = &self.inner.level else { return Voided::Yes };
        let (key, stamp) = (key.encode(), self.shared().stamp().0);
        if policy.skips.has(Skip::StoreWrite) {
            return level.void(&[key], Void::Expire, stamp).await;
        }
        let fresh_for = policy.store_life(Kind::Value);
        let stock = Stock {
            validators: validators_of(options),
            fresh_for,
            keep_for: policy.store_keep(fresh_for),
            tags: options.tags.clone(),
            stamp,
        };
        level.set(&key, stored.value(), stock).await
    }

    async fn void_key<Q: Probe<K> + ?Sized>(&self, key: &Q, how: Void) -> Voided {
        match &self.inner.level {
            Some(level) => self.voided(level, vec![key.key_bytes()], how).await,
            None => Voided::Yes,
        }
    }

    async fn void<Q: Probe<K>>(&self, keys: &[Q], how: Void) -> Voided {
        match &self.inner.level {
            Some(level) if !keys.is_empty() => {
                self.voided(level, keys.iter().map(Probe::key_bytes).collect(), how).await
            }
            Some(_) | None => Voided::Yes,
        }
    }

    async fn voided(&self, level: &SecondLevel<V>, keys: Vec<Bytes>, how: Void) -> Voided {
        let stamp = self.shared().stamp().0;
        // l2-void-before-number (P-24)
        if self.shared().mechanisms.on(Mechanism::L2VoidBeforeNumber) {
            return level.void(&keys, how, stamp).await;
        }
        let cache = self.clone();
        self.shared().spawn(async move {
            if let Some(level) = &cache.inner.level {
                let _ = level.void(&keys, how, stamp).await;
            }
        });
        Voided::Yes
    }

    async fn raise(&self, tag: Option<&Bytes>, how: Void) -> Voided {
        match &self.inner.level {
            Some(level) => level.raise(tag.cloned(), how, self.shared().stamp().0).await,
            None => Voided::Yes,
        }
    }

    fn receipt(&self, kind: WriteKind, acted: Acted, voided: Voided) -> Result<Receipt, Error> {
        self.conclude(kind, self.shared().receipt(&acted.appended, acted.present), voided)
    }

    /// A batch without acts is done, and there is nothing to wait for: its receipt names what was written before.
    fn receipt_of_batch(
        &self,
        kind: WriteKind,
        done: Option<Committed>,
        voided: Voided,
    ) -> Result<Receipt, Error> {
        match done {
            Some(done) => {
                self.conclude(kind, self.shared().receipt(&done.appended, done.present > 0), voided)
            }
            None => Ok(self.shared().receipt_of_nothing()),
        }
    }

    fn conclude(&self, kind: WriteKind, receipt: Receipt, voided: Voided) -> Result<Receipt, Error> {
        self.inner.metrics.writes.increment(kind);
        match voided {
            Voided::Yes => Ok(receipt),
            Voided::Owed => Err(Error::new(
                ErrorKind::Store,
                kind.as_str(),
                format!(
                    "cache {}: the store did not take the act; memory did, on every node",
                    self.inner.name
                ),
            )),
        }
    }
}

fn validators_of(options: &EntryOptions) -> Validators {
    Validators { etag: options.etag.clone(), last_modified: options.last_modified, version: options.version }
}
