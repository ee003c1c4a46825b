//! The domain: what all tables of a node share, and the order of their acts.

use std::fmt;
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::SharedSeed;
use foldhash::fast::SeedableRandomState;
use unstale_core::{Act, ActLog, Batch, Name, Told};

use crate::act::Section;
use crate::batch::{Committed, LocalActs, Plan};
use crate::distrust::{Distrust, Suspects};
use crate::fence::{Fences, Lines, Token};
use crate::key::Key;
use crate::mechanism::{Mechanism, Mechanisms};
use crate::registry::{Registry, TableExists};
use crate::shim::{AtomicBool, AtomicU32, AtomicU64, Mutex, Ordering, Padded, RwLock};
use crate::table::{Table, TableConfig};
use crate::tick::{Clock, Tick};

/// The most subjects that one critical section of an act handles, so that nobody waits for it longer than about 50 us.
pub(crate) const CHUNK_MAX: usize = 256;

/// How a domain is set up.
#[derive(Clone, Copy, Debug, Default)]
pub struct DomainConfig {
    /// How many lines of fences there are.
    pub lines: Lines,
    /// Seeds every hash: the same seed places the same subjects alike. Without one the seed is random.
    pub seed: Option<u64>,
    /// Whether values are stored from the start.
    pub fills: Fills,
    /// The mechanism that does not work.
    #[cfg(feature = "mutations")]
    pub without: Option<Mechanism>,
}

/// Whether tables store values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fills {
    /// They do.
    #[default]
    Stored,
    /// They do not: a process that has not joined yet would store what acts of others already made old (P-25).
    Refused,
}

/// All tables of a node: one clock, one order of acts, one set of fences, one log.
///
/// Clones are the same domain. Nothing here blocks on anything but the mutex of acts, which is held for at most about 50 us.
///
/// ```
/// use unstale_core::{ActLog, Name, ProcessId, Stream};
/// use unstale_l1::{Domain, DomainConfig, Table, TableConfig, Tick, NewEntry};
///
/// let domain = Domain::new(DomainConfig::default(), ActLog::new(Stream::first(ProcessId(1))));
/// let users: Table<u64, String> = domain.table(Name::new("users").unwrap(), TableConfig::default()).unwrap();
///
/// users.set(&7, NewEntry::value("Ada".to_owned()).time_to_live(Tick(1_000)), 0);
/// assert_eq!(users.get(&7).as_deref().map(String::as_str), Some("Ada"));
///
/// let removed = users.remove(&7, 0);
/// assert!(removed.present);
/// assert!(users.get(&7).is_none());
/// assert_eq!(domain.with_log(|log| log.drain().len()), 1);
/// ```
#[derive(Clone)]
pub struct Domain {
    shared: Arc<Shared>,
}

/// What the tables of a domain hold of it.
#[derive(Debug)]
pub(crate) struct Shared {
    /// How many acts are finished (F-1). Changes with every act, so it has lines of its own.
    pub(crate) applied: Padded<AtomicU64>,
    pub(crate) acts: Padded<Mutex<Acts>>,
    pub(crate) clock: Clock,
    pub(crate) fences: Fences,
    pub(crate) distrust: RwLock<Distrust>,
    /// Changes whenever distrust grows; from 1. An entry remembers the one under which it was found to be no suspect.
    pub(crate) generation: AtomicU32,
    pub(crate) fills: AtomicBool,
    /// Whether acts of this node are kept in the log. If not, none has to be made for it.
    pub(crate) tells: bool,
    pub(crate) hasher: SeedableRandomState,
    pub(crate) mechanisms: Mechanisms,
}

/// What only the holder of the act mutex touches.
#[derive(Debug)]
pub(crate) struct Acts {
    pub(crate) log: ActLog,
    pub(crate) registry: Arc<Registry>,
}

/// What became of remote acts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Applied {
    /// Acts on keys whose bytes no key of their table encodes to: another node has another type under the cache's name.
    pub undecodable: usize,
}

impl Domain {
    /// A domain without tables, whose acts go to `log`.
    pub fn new(config: DomainConfig, log: ActLog) -> Self {
        let hasher = match config.seed {
            Some(seed) => SeedableRandomState::with_seed(seed, SharedSeed::global_fixed()),
            None => SeedableRandomState::random(),
        };
        #[cfg(feature = "mutations")]
        let mechanisms = Mechanisms::without(config.without);
        #[cfg(not(feature = "mutations"))]
        let mechanisms = Mechanisms::default();
        let shared = Shared {
            applied: Padded(AtomicU64::new(0)),
            tells: log.keeps_acts(),
            acts: Padded(Mutex::new(Acts { log, registry: Arc::default() })),
            clock: Clock::new(),
            fences: Fences::new(config.lines, hasher.hash_one("fences"), mechanisms),
            distrust: RwLock::default(),
            generation: AtomicU32::new(1),
            fills: AtomicBool::new(config.fills == Fills::Stored),
            hasher,
            mechanisms,
        };
        Self { shared: Arc::new(shared) }
    }

    /// What is finished now. Everything that was committed before those acts is visible to whatever is read after this.
    pub fn token(&self) -> Token {
        Token(self.shared.token())
    }

    /// The coarse clock; its owner sets it every 16 ms.
    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// The table of this name: a new one, or the one that exists, whose configuration then stands.
    ///
    /// # Errors
    /// If a table of this name and of other types is in use.
    pub fn table<K: Key, V: Send + Sync + 'static>(
        &self,
        name: Name,
        config: TableConfig<K, V>,
    ) -> Result<Table<K, V>, TableExists> {
        // No act may run meanwhile: one that missed the table would not fence its first loads.
        let mut acts = self.shared.acts.0.lock();
        if let Some(found) = acts.registry.find(&name) {
            return found;
        }
        let table = Table::new(Arc::clone(&self.shared), name, config);
        Arc::make_mut(&mut acts.registry).add(&table);
        Ok(table)
    }

    /// Applies acts of other nodes. They are visible to every read that begins after it returned (P-4).
    ///
    /// Idempotent; a `set` is an `expire` here. Holds the act mutex once for every 256 acts, never while keys are decoded, unless they are borrowed
    /// ([`Key::BORROWS`](crate::Key::BORROWS)).
    pub fn apply(&self, acts: &[Act]) -> Applied {
        let mut applied = Applied::default();
        for chunk in acts.chunks(CHUNK_MAX) {
            applied.undecodable += self.apply_chunk(chunk);
        }
        applied
    }

    /// Does local acts as one batch: fences, entries and numbers in the same critical section for up to 256 of them; more
    /// take several, the numbers coming with the last.
    pub fn commit(&self, acts: LocalActs, batch: Batch, told: impl Into<Told>) -> Option<Committed> {
        acts.commit(&self.shared, batch, told.into())
    }

    /// Whether acts are kept for other nodes. If not, their stamps need no clock.
    pub fn tells(&self) -> bool {
        self.shared.tells
    }

    /// The act log, under the act mutex: to drain it, to restart it, to merge stamps. Keep it short.
    pub fn with_log<R>(&self, f: impl FnOnce(&mut ActLog) -> R) -> R {
        f(&mut self.shared.acts.0.lock().log)
    }

    /// Makes suspects of what may have missed an act: entries older than this call. None is dropped. When it returns, every
    /// read sees them as suspects (P-20). `serve_until` is handed to whoever looks one up.
    ///
    /// At most 64 distrusts are told apart; beyond that the two oldest become one, which cannot be lifted.
    pub fn distrust(&self, id: u64, suspects: Suspects<'_>, serve_until: Tick) {
        let mut section = Section::enter(&self.shared);
        let number = section.number();
        self.shared.distrust.write().add(id, number, serve_until, suspects, &self.shared.fences);
        for table in section.acts().registry.tables() {
            table.floors().suspect(number);
        }
        // Last: who sees the new generation sees the row.
        let _ = self.shared.generation.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |generation| {
            Some(generation.saturating_add(1))
        });
    }

    /// Takes a distrust back: what it doubted was repaired exactly. Nothing happens if it was lifted or merged before.
    pub fn lift(&self, id: u64) {
        self.shared.distrust.write().lift(id);
    }

    /// Whatever began to load before this is old: it answers those who wait for it, and nobody who comes later.
    pub fn overtake_loads(&self) {
        let mut section = Section::enter(&self.shared);
        let number = section.number();
        for table in section.acts().registry.tables() {
            table.floors().expire(number);
        }
    }

    /// Stores values from now on; what began to load before is still refused, since acts may have been missed meanwhile.
    pub fn allow_fills(&self) {
        self.overtake_loads();
        self.shared.fills.store(true, Ordering::Release);
    }

    /// Stores no values any more. What is stored stays.
    pub fn forbid_fills(&self) {
        self.shared.fills.store(false, Ordering::Release);
    }

    fn apply_chunk(&self, acts: &[Act]) -> usize {
        loop {
            let registry = Arc::clone(&self.shared.acts.0.lock().registry);
            let mut plan = Plan::of_remote(acts, &registry);
            let mut section = Section::enter(&self.shared);
            // A table that came meanwhile may have begun to load what these acts are about.
            if !Arc::ptr_eq(&section.acts().registry, &registry) {
                section.leave_unused();
                continue;
            }
            plan.run(&mut section, acts);
            drop(section);
            return plan.undecodable();
        }
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Domain").field("token", &self.token()).finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn token(&self) -> u64 {
        self.applied.0.load(self.mechanisms.order(Mechanism::TokenAcquire, Ordering::Acquire))
    }
}
