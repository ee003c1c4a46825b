//! What the store is owed: removals that it did not take. Until they are made good, this node reads nothing of it that
//! they concern.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use unstale_core::Name;

use super::spool::{Entry, Spool};

/// The most debts. Beyond it they are coalesced: keys and tags of a cache to the cache, caches to all.
const DEBTS_MAX: usize = 4_096;

/// The most keys of one cache that are removed at once.
const BATCH_MAX: usize = 256;

/// Between two tries of one debt: doubled from one to the other.
const WAIT_MIN: Duration = Duration::from_millis(50);
const WAIT_MAX: Duration = Duration::from_secs(5);

/// One removal that the store has to make good. Keys are the store's, with the prefix of their cache.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Debt {
    Key(Name, Bytes),
    /// In one cache, or in all of them.
    Tag(Option<Name>, Bytes),
    Cache(Name),
    All,
}

/// Who makes a debt good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// This node, as soon as it can: the act was its own.
    Own,
    /// Another one; this one only before it reads what the debt concerns (P-24).
    Heard,
}

/// What is known of a debt.
#[derive(Clone, Copy, Debug)]
struct Owing {
    stamp: u64,
    whose: Whose,
    due: Instant,
    wait: Duration,
}

/// Removals that failed, with the newest stamp of each.
#[derive(Debug, Default)]
pub(crate) struct Debts {
    any: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    owing: BTreeMap<Debt, Owing>,
    spool: Option<Spool>,
}

impl Debts {
    /// Debts that outlive the process in a file, with those that are in it.
    pub(crate) fn spooled(spool: Spool, entries: Vec<Entry>) -> Self {
        let mut state = State { owing: BTreeMap::new(), spool: None };
        for entry in entries {
            match entry {
                Entry::Owed(debt, stamp, whose) => {
                    state.owe(&debt, stamp, whose);
                }
                Entry::Settled(debt, stamp) => {
                    state.settle(&debt, stamp);
                }
            }
        }
        state.spool = Some(spool);
        state.compact();
        Self { any: AtomicBool::new(!state.owing.is_empty()), state: Mutex::new(state) }
    }

    /// The store did not take this removal. Durable, as far as a file that is not synchronised is, when it returns.
    pub(crate) fn owe(&self, debt: &Debt, stamp: u64, whose: Whose) {
        let mut state = self.lock();
        let (debt, stamp) = state.owe(debt, stamp, whose);
        state.write(&Entry::Owed(debt, stamp, whose));
        self.any.store(true, Ordering::Release);
    }

    /// What has to be made good before any of these keys of a cache is read: the keys, and all tags, since nobody knows
    /// what carries them. Costs one load while nothing is owed.
    pub(crate) fn before_reading(&self, cache: &Name, keys: &[Bytes]) -> Vec<(Debt, u64)> {
        if !self.any.load(Ordering::Acquire) {
            return Vec::new();
        }
        let state = self.lock();
        let of_keys = keys.iter().map(|key| Debt::Key(cache.clone(), key.clone()));
        let whole = [Debt::Cache(cache.clone()), Debt::All];
        let named = of_keys.chain(whole).filter_map(|debt| {
            let stamp = state.owing.get(&debt)?.stamp;
            Some((debt, stamp))
        });
        let tags = state.owing.range(Debt::Tag(None, Bytes::new())..).map_while(|(debt, owing)| {
            let Debt::Tag(of, _) = debt else { return None };
            Some((of, debt, owing.stamp))
        });
        let tags = tags.filter(|(of, ..)| of.as_ref().is_none_or(|of| of == cache));
        named.chain(tags.map(|(_, debt, stamp)| (debt.clone(), stamp))).collect()
    }

    /// The store took the removal with this stamp.
    pub(crate) fn settle(&self, debt: &Debt, stamp: u64) {
        let mut state = self.lock();
        if state.settle(debt, stamp) {
            state.write(&Entry::Settled(debt.clone(), stamp));
        }
        self.any.store(!state.owing.is_empty(), Ordering::Release);
    }

    /// How many debts there are.
    pub(crate) fn len(&self) -> usize {
        self.lock().owing.len()
    }

    /// When this node has to try next.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        let state = self.lock();
        state.owing.values().filter(|owing| owing.whose == Whose::Own).map(|owing| owing.due).min()
    }

    /// Own debts to be tried now, each put off until its next try: several keys of one cache, or one other.
    pub(crate) fn take_due(&self) -> Vec<(Debt, u64)> {
        let now = Instant::now();
        let mut state = self.lock();
        let mut taken: Vec<(Debt, u64)> = Vec::new();
        let due = state.owing.iter_mut().filter(|(_, owing)| owing.whose == Whose::Own && owing.due <= now);
        for (debt, owing) in due {
            let fits = match (taken.first(), debt) {
                (None, _) => true,
                (Some((Debt::Key(first, _), _)), Debt::Key(cache, _)) => {
                    first == cache && taken.len() < BATCH_MAX
                }
                (Some(_), _) => false,
            };
            if !fits {
                break;
            }
            owing.due = now + owing.wait;
            owing.wait = (owing.wait * 2).min(WAIT_MAX);
            taken.push((debt.clone(), owing.stamp));
        }
        taken
    }

    /// Everything of this node is to be tried now: the store has come back.
    pub(crate) fn hurry(&self) {
        let now = Instant::now();
        for owing in self.lock().owing.values_mut() {
            (owing.due, owing.wait) = (now, WAIT_MIN);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Adds a debt, and says what stands for it now.
    fn owe(&mut self, debt: &Debt, stamp: u64, whose: Whose) -> (Debt, u64) {
        let debt = self.standing_for(debt);
        if !self.owing.contains_key(&debt) && self.owing.len() >= DEBTS_MAX {
            return self.coalesce(&debt, stamp, whose);
        }
        let owing = self.owing.entry(debt.clone()).or_insert_with(|| Owing::new(stamp, whose));
        owing.join(stamp, whose);
        (debt, owing.stamp)
    }

    /// The wider debt that is there already, or this one.
    fn standing_for(&self, debt: &Debt) -> Debt {
        if self.owing.contains_key(&Debt::All) {
            return Debt::All;
        }
        match debt.cache() {
            Some(cache) if self.owing.contains_key(&Debt::Cache(cache.clone())) => Debt::Cache(cache.clone()),
            Some(_) | None => debt.clone(),
        }
    }

    /// Makes room: the cache stands for its keys and tags, and everything for many caches.
    fn coalesce(&mut self, debt: &Debt, stamp: u64, whose: Whose) -> (Debt, u64) {
        let wide = debt.cache().cloned().map_or(Debt::All, Debt::Cache);
        let mut joined = Owing::new(stamp, whose);
        self.owing.retain(|held, owing| {
            let is_within = wide == Debt::All || held.cache() == wide.cache();
            if is_within {
                joined.join(owing.stamp, owing.whose);
            }
            !is_within
        });
        if self.owing.len() >= DEBTS_MAX {
            return self.coalesce(&Debt::All, joined.stamp, joined.whose);
        }
        self.owing.insert(wide.clone(), joined);
        (wide, joined.stamp)
    }

    fn settle(&mut self, debt: &Debt, stamp: u64) -> bool {
        let is_settled = self.owing.get(debt).is_some_and(|owing| owing.stamp <= stamp);
        if is_settled {
            self.owing.remove(debt);
        }
        is_settled
    }

    fn write(&mut self, entry: &Entry) {
        if let Some(spool) = &mut self.spool {
            spool.append(entry);
            if spool.is_long(self.owing.len()) {
                self.compact();
            }
        }
    }

    /// Writes the file anew, with what is owed and nothing else.
    fn compact(&mut self) {
        if let Some(spool) = &mut self.spool {
            let owed = self.owing.iter();
            spool.rewrite(owed.map(|(debt, owing)| Entry::Owed(debt.clone(), owing.stamp, owing.whose)));
        }
    }
}

impl Owing {
    fn new(stamp: u64, whose: Whose) -> Self {
        Self { stamp, whose, due: Instant::now(), wait: WAIT_MIN }
    }

    fn join(&mut self, stamp: u64, whose: Whose) {
        self.stamp = self.stamp.max(stamp);
        if whose == Whose::Own {
            self.whose = Whose::Own;
        }
    }
}

impl Debt {
    /// The one cache that it lies in.
    fn cache(&self) -> Option<&Name> {
        match self {
            Self::Key(cache, _) | Self::Tag(Some(cache), _) | Self::Cache(cache) => Some(cache),
            Self::Tag(None, _) | Self::All => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &'static str) -> Name {
        Name::new(text).unwrap()
    }

    fn key(text: &'static str) -> Debt {
        Debt::Key(name("users"), text.into())
    }

    fn concerning(debts: &Debts, keys: &[&'static str]) -> Vec<(Debt, u64)> {
        let keys: Vec<Bytes> = keys.iter().map(|key| Bytes::from_static(key.as_bytes())).collect();
        debts.before_reading(&name("users"), &keys)
    }

    #[tokio::test]
    async fn a_key_is_owed_until_a_removal_that_is_not_older_was_taken() {
        let debts = Debts::default();
        debts.owe(&key("a"), 5, Whose::Own);
        debts.owe(&key("a"), 3, Whose::Heard);
        assert_eq!(concerning(&debts, &["b"]), []);
        debts.settle(&key("a"), 4);
        assert_eq!(concerning(&debts, &["a", "b"]), [(key("a"), 5)]);
        debts.settle(&key("a"), 5);
        assert_eq!(concerning(&debts, &["a"]), []);
    }

    #[tokio::test]
    async fn an_owed_tag_stands_before_every_key_of_its_cache() {
        let debts = Debts::default();
        let tag = |cache: Option<&'static str>, tag: &'static str| Debt::Tag(cache.map(name), tag.into());
        debts.owe(&tag(Some("users"), "t"), 1, Whose::Own);
        debts.owe(&tag(Some("roles"), "t"), 2, Whose::Own);
        debts.owe(&tag(None, "u"), 3, Whose::Heard);
        debts.owe(&Debt::Cache(name("roles")), 4, Whose::Own);
        assert_eq!(concerning(&debts, &["b"]), [(tag(None, "u"), 3), (tag(Some("users"), "t"), 1)]);
    }

    #[tokio::test]
    async fn too_many_debts_become_one_for_their_cache_and_then_one_for_all() {
        let debts = Debts::default();
        debts.owe(&Debt::Key(name("roles"), "a".into()), 1, Whose::Own);
        for n in 1..=DEBTS_MAX as u64 {
            debts.owe(&Debt::Key(name("users"), Bytes::copy_from_slice(&n.to_be_bytes())), n, Whose::Own);
        }
        assert_eq!(concerning(&debts, &[]), [(Debt::Cache(name("users")), DEBTS_MAX as u64)]);
        assert_eq!(debts.len(), 2, "another cache keeps its keys");
        debts.owe(&key("a"), 9_999, Whose::Heard);
        assert_eq!(concerning(&debts, &["a"]), [(Debt::Cache(name("users")), 9_999)]);
        for n in 0..=DEBTS_MAX as u64 {
            let cache = Name::new(format!("cache {n}")).unwrap();
            debts.owe(&Debt::Key(cache, "a".into()), n, Whose::Own);
        }
        assert_eq!(concerning(&debts, &["a"]), [(Debt::All, 9_999)]);
        assert_eq!(debts.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn own_debts_come_due_by_themselves_ever_more_seldom() {
        let debts = Debts::default();
        debts.owe(&key("heard"), 1, Whose::Heard);
        assert_eq!((debts.next_due(), debts.take_due()), (None, vec![]));
        debts.owe(&key("a"), 2, Whose::Own);
        debts.owe(&key("b"), 3, Whose::Own);
        debts.owe(&Debt::Cache(name("roles")), 4, Whose::Own);
        assert_eq!(debts.take_due(), [(key("a"), 2), (key("b"), 3)]);
        assert_eq!(debts.take_due(), [(Debt::Cache(name("roles")), 4)]);
        assert_eq!(debts.take_due(), []);
        let mut waits = Vec::new();
        for _ in 0..9 {
            let due = debts.next_due().unwrap();
            waits.push((due - Instant::now()).as_millis());
            tokio::time::advance(due - Instant::now()).await;
            while !debts.take_due().is_empty() {}
        }
        assert_eq!(waits, [50, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
        debts.hurry();
        assert_eq!(debts.take_due().len(), 2);
    }
}
