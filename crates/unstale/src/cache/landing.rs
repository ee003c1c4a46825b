//! Landing: one step without an await, from what a load brought to the answer of all who share it.

use unstale_l1::{Found, Landed, Probe, Refusal, Tick};

use super::running::{Led, LedKey};
use super::second_level::Stock;
use super::terms::Goods;
use super::turn::Grant;
use super::value::Stored;
use super::{Cache, Key};
use crate::event::{CacheEvent, FillRefusal};

/// What landed, and what the store is to be told.
pub(crate) struct Landing<K: Key, V: Send + Sync + 'static> {
    pub(crate) found: Found<Stored<V>>,
    pub(crate) ending: Ending,
    /// Whether its load from the authority began with this flight, and it was made of nothing older.
    pub(crate) is_own: bool,
    pub(crate) fill: Option<Fill<K, V>>,
}

/// A value for the store.
pub(crate) struct Fill<K: Key, V: Send + Sync + 'static> {
    key: LedKey<K, V>,
    found: Found<Stored<V>>,
    stock: Box<(Stock, Grant)>,
}

/// How a load ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// With a value that nothing made old, as far as is known.
    Current,
    /// An invalidation overtook it: it answers whoever asked before.
    Overtaken,
    /// With a value made from something stale.
    Tainted,
    /// The loader failed, and the store had a stale value.
    StaleStock,
}

impl<K: Key, V: Send + Sync + 'static> Cache<K, V> {
    /// Stores what was loaded, if no invalidation overtook it, and answers all who wait.
    pub(crate) fn land(&self, lead: Led<K, V>, goods: Goods<V>) -> Landing<K, V> {
        let Goods { entry, is_pure, kept_nowhere, fill, tags } = goods;
        let began = lead.began();
        self.end_pause(lead.key());
        let entry = if kept_nowhere.is_some() { entry.unstored() } else { entry };
        let (landed, key) = lead.land_keyed(entry);
        let is_newer = matches!(landed, Landed::Newer(_));
        let refusal = match &landed {
            Landed::Stored(_) | Landed::Newer(_) => None,
            Landed::Refused(_, refusal) => Some(*refusal),
        };
        if let Some(refusal) = kept_nowhere.or_else(|| refusal.and_then(in_events)) {
            self.inner.metrics.fills_refused.increment(refusal);
            let since_ms = u64::from(began.0.saturating_sub(1)) * Tick::MILLIS;
            let is_overtaken = refusal == FillRefusal::Overtaken;
            self.report_of(CacheEvent::FillRefused(refusal), || {
                let act =
                    || self.shared().origins.act_on(&self.inner.name, &key.key_bytes(), &tags, since_ms);
                is_overtaken.then(act).flatten()
            });
        }
        let found = landed.into_found();
        let ending = match refusal {
            _ if found.is_marked_stale() => Ending::Tainted,
            Some(Refusal::Moved) => Ending::Overtaken,
            _ => Ending::Current,
        };
        // Beginnings are kept in ticks, so equal ones do not say that nothing older went into it.
        let is_own = is_pure && !is_newer && found.began() == began;
        // What memory refused is not for the store either, unless only memory was to be left out.
        let is_current = !is_newer && matches!(refusal, None | Some(Refusal::Unstored));
        let fill = fill.filter(|_| is_current).map(|stock| Fill { key, found: found.clone(), stock });
        Landing { found, ending, is_own, fill }
    }

    /// Fills the store.
    pub(crate) async fn fill(self, fill: Fill<K, V>) {
        let Fill { key, found, stock } = fill;
        let (stock, grant) = *stock;
        if let Some(level) = &self.inner.level {
            let value = found.value();
            level.fill(&key.key_bytes(), value.as_ref().map(|handle| handle.value()), stock, grant).await;
        }
    }
}

fn in_events(refusal: Refusal) -> Option<FillRefusal> {
    match refusal {
        Refusal::Moved => Some(FillRefusal::Overtaken),
        Refusal::Older => Some(FillRefusal::Older),
        Refusal::Tainted => Some(FillRefusal::Tainted),
        Refusal::TooManySubjects => Some(FillRefusal::TooManySubjects),
        Refusal::FillsRefused => Some(FillRefusal::NotJoined),
        // The reason is the caller's, and counted as such.
        Refusal::Unstored => None,
    }
}
