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

/// A debt as it stood when somebody set out to make it good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owed {
    pub(super) debt: Debt,
    pub(super) stamp: u64,
    /// Of the act that joined it last: a removal makes good no act that came while it was under way.
    serial: u64,
}

/// What came of a removal that the store took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Settled {
    pub(super) debts: usize,
    /// Whether the last debt of this node was among them.
    pub(super) is_last: bool,
}

/// What is known of a debt.
#[derive(Clone, Copy, Debug)]
struct Owing {
    stamp: u64,
    serial: u64,
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
    /// Counts what was ever owed.
    serial: u64,
    spool: Option<Spool>,
}

impl Debts {
    /// Debts that outlive the process in a file, with those that are in it.
    pub(crate) fn spooled(spool: Spool, entries: Vec<Entry>) -> Self {
        let mut state = State::default();
        for entry in entries {
            match entry {
                Entry::Owed(debt, stamp, whose) => {
                    state.owe(&debt, stamp, whose);
                }
                Entry::Settled(debt, stamp) => {
                    if state.owing.get(&debt).is_some_and(|owing| owing.stamp <= stamp) {
                        state.owing.remove(&debt);
                    }
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
    pub(crate) fn before_reading(&self, cache: &Name, keys: &[Bytes]) -> Vec<Owed> {
        if !self.any.load(Ordering::Acquire) {
            return Vec::new();
        }
        let state = self.lock();
        let of_keys = keys.iter().map(|key| Debt::Key(cache.clone(), key.clone()));
        let whole = [Debt::Cache(cache.clone()), Debt::All];
        let named = of_keys.chain(whole).filter_map(|debt| {
            let owing = state.owing.get(&debt)?;
            Some(owing.of(debt))
        });
        let tags = state.owing.range(Debt::Tag(None, Bytes::new())..).map_while(|(debt, owing)| {
            let Debt::Tag(of, _) = debt else { return None };
            Some((of, debt, owing))
        });
        let tags = tags.filter(|(of, ..)| of.as_ref().is_none_or(|of| of == cache));
        named.chain(tags.map(|(_, debt, owing)| owing.of(debt.clone()))).collect()
    }

    /// The store took a removal with this stamp for these debts. One that was owed anew meanwhile stays.
    pub(super) fn settle(&self, owed: &[Owed], stamp: u64) -> Settled {
        let mut state = self.lock();
        let (mut debts, mut any_own) = (0, false);
        for owed in owed {
            if let Some(whose) = state.settle(owed, stamp) {
                state.write(&Entry::Settled(owed.debt.clone(), stamp));
                debts += 1;
                any_own |= whose == Whose::Own;
            }
        }
        self.any.store(!state.owing.is_empty(), Ordering::Release);
        Settled { debts, is_last: any_own && state.own().next().is_none() }
    }

    /// How many debts this node has to make good.
    pub(crate) fn own(&self) -> usize {
        self.lock().own().count()
    }

    /// When this node has to try next.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.lock().own().map(|owing| owing.due).min()
    }

    /// Own debts to be tried now, each put off until its next try: several keys of one cache, or one other.
    pub(super) fn take_due(&self) -> Vec<Owed> {
        let now = Instant::now();
        let mut state = self.lock();
        let mut taken: Vec<Owed> = Vec::new();
        let due = state.owing.iter_mut().filter(|(_, owing)| owing.whose == Whose::Own && owing.due <= now);
        for (debt, owing) in due {
            if taken.first().is_some_and(|first| !first.debt.goes_with(debt)) || taken.len() == BATCH_MAX {
                break;
            }
            owing.due = now + owing.wait;
            owing.wait = (owing.wait * 2).min(WAIT_MAX);
            taken.push(owing.of(debt.clone()));
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

/// What one call of the store makes good at a time: keys of one cache together, of the others one.
pub(super) fn calls(owed: &[Owed]) -> impl Iterator<Item = &[Owed]> {
    owed.chunk_by(|one, next| one.debt.goes_with(&next.debt)).flat_map(|together| together.chunks(BATCH_MAX))
}

impl State {
    /// Adds a debt, and says what stands for it now.
    fn owe(&mut self, debt: &Debt, stamp: u64, whose: Whose) -> (Debt, u64) {
        let debt = self.standing_for(debt);
        self.serial += 1;
        if !self.owing.contains_key(&debt) && self.owing.len() >= DEBTS_MAX {
            return self.coalesce(&debt, stamp, whose);
        }
        let serial = self.serial;
        let owing = self.owing.entry(debt.clone()).or_insert_with(|| Owing::new(stamp, serial, whose));
        owing.join(stamp, whose);
        owing.serial = serial;
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
        let mut joined = Owing::new(stamp, self.serial, whose);
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

    /// Whose debt was settled, if it was.
    fn settle(&mut self, owed: &Owed, stamp: u64) -> Option<Whose> {
        let owing = self.owing.get(&owed.debt)?;
        let (whose, is_settled) = (owing.whose, owing.serial == owed.serial && owing.stamp <= stamp);
        is_settled.then(|| self.owing.remove(&owed.debt))?;
        Some(whose)
    }

    fn own(&self) -> impl Iterator<Item = &Owing> {
        self.owing.values().filter(|owing| owing.whose == Whose::Own)
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
    fn new(stamp: u64, serial: u64, whose: Whose) -> Self {
        Self { stamp, serial, whose, due: Instant::now(), wait: WAIT_MIN }
    }

    fn join(&mut self, stamp: u64, whose: Whose) {
        self.stamp = self.stamp.max(stamp);
        if whose == Whose::Own {
            self.whose = Whose::Own;
        }
    }

    const fn of(&self, debt: Debt) -> Owed {
        Owed { debt, stamp: self.stamp, serial: self.serial }
    }
}

impl Debt {
    /// Whether one removal makes both good.
    fn goes_with(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Key(one, _), Self::Key(cache, _)) if one == cache)
    }

    /// The key in the store, if it is one.
    pub(super) const fn key(&self) -> Option<&Bytes> {
        if let Self::Key(_, key) = self { Some(key) } else { None }
    }

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

    fn owed(debts: &Debts, keys: &[&'static str]) -> Vec<Owed> {
        let keys: Vec<Bytes> = keys.iter().map(|key| Bytes::from_static(key.as_bytes())).collect();
        debts.before_reading(&name("users"), &keys)
    }

    fn pairs(owed: Vec<Owed>) -> Vec<(Debt, u64)> {
        owed.into_iter().map(|owed| (owed.debt, owed.stamp)).collect()
    }

    fn concerning(debts: &Debts, keys: &[&'static str]) -> Vec<(Debt, u64)> {
        pairs(owed(debts, keys))
    }

    fn due(debts: &Debts) -> Vec<(Debt, u64)> {
        pairs(debts.take_due())
    }

    #[tokio::test]
    async fn a_key_is_owed_until_a_removal_that_is_not_older_was_taken() {
        let debts = Debts::default();
        debts.owe(&key("a"), 5, Whose::Own);
        debts.owe(&key("a"), 3, Whose::Heard);
        assert_eq!(concerning(&debts, &["b"]), []);
        debts.settle(&owed(&debts, &["a"]), 4);
        assert_eq!(concerning(&debts, &["a", "b"]), [(key("a"), 5)]);
        debts.settle(&owed(&debts, &["a"]), 5);
        assert_eq!(concerning(&debts, &["a"]), []);
    }

    #[tokio::test]
    async fn what_is_owed_while_a_removal_is_under_way_stays_owed_whatever_its_stamp() {
        let debts = Debts::default();
        debts.owe(&key("a"), 5, Whose::Own);
        let before = owed(&debts, &["a"]);
        // The store took the removal, then a fill from before this act, whose clock is behind.
        debts.owe(&key("a"), 3, Whose::Heard);
        assert_eq!(debts.settle(&before, 5), Settled { debts: 0, is_last: false });
        assert_eq!(concerning(&debts, &["a"]), [(key("a"), 5)]);
        let after = owed(&debts, &["a"]);
        assert_eq!(debts.settle(&after, 5), Settled { debts: 1, is_last: true });
        assert_eq!(debts.settle(&after, 5), Settled { debts: 0, is_last: false }, "once");
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
        assert_eq!(debts.own(), 2, "another cache keeps its keys");
        debts.owe(&key("a"), 9_999, Whose::Heard);
        assert_eq!(concerning(&debts, &["a"]), [(Debt::Cache(name("users")), 9_999)]);
        for n in 0..=DEBTS_MAX as u64 {
            let cache = Name::new(format!("cache {n}")).unwrap();
            debts.owe(&Debt::Key(cache, "a".into()), n, Whose::Own);
        }
        assert_eq!(concerning(&debts, &["a"]), [(Debt::All, 9_999)]);
        assert_eq!(debts.own(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn own_debts_come_due_by_themselves_ever_more_seldom() {
        let debts = Debts::default();
        debts.owe(&key("heard"), 1, Whose::Heard);
        assert_eq!((debts.next_due(), due(&debts)), (None, vec![]));
        debts.owe(&key("a"), 2, Whose::Own);
        debts.owe(&key("b"), 3, Whose::Own);
        debts.owe(&Debt::Cache(name("roles")), 4, Whose::Own);
        assert_eq!(due(&debts), [(key("a"), 2), (key("b"), 3)]);
        assert_eq!(due(&debts), [(Debt::Cache(name("roles")), 4)]);
        assert_eq!(due(&debts), []);
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
