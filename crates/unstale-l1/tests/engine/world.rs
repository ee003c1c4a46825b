//! A domain with two caches, and how a scenario is checked.

use unstale_core::{ActLog, Name, ProcessId, Stream};
use unstale_l1::{
    Domain, DomainConfig, Flights, Found, Handle, Joined, Landed, Lead, Lines, Lookup, NewEntry, Table,
    TableConfig, Tick,
};

pub(crate) struct World {
    config: DomainConfig,
    pub(crate) domain: Domain,
    pub(crate) users: Table<u64, u64>,
    pub(crate) orders: Table<u64, u64>,
    pub(crate) user_loads: Flights<u64, u64, &'static str>,
    pub(crate) order_loads: Flights<u64, u64, &'static str>,
}

/// The value that the acts of a scenario make old.
pub(crate) const OLD: u64 = 1;

/// The tag that old values carry.
pub(crate) const TAG: &[u8] = b"org:7";

pub(crate) type UserLead = Lead<u64, u64, &'static str>;

impl World {
    pub(crate) fn new(config: DomainConfig) -> Self {
        let stream = Stream::first(ProcessId(7));
        let domain =
            Domain::new(DomainConfig { seed: Some(7), lines: Lines::SMALL, ..config }, ActLog::new(stream));
        let table = |cache: &str| domain.table(name(cache), TableConfig::default()).unwrap();
        let (users, orders) = (table("users"), table("orders"));
        Self {
            user_loads: Flights::new(&users),
            order_loads: Flights::new(&orders),
            config,
            domain,
            users,
            orders,
        }
    }

    /// A new world with the same mechanisms.
    pub(crate) fn renewed(&self) -> Self {
        Self::new(self.config)
    }

    /// Moves the clock on.
    pub(crate) fn wait(&self, ticks: u32) {
        let clock = self.domain.clock();
        clock.set(clock.now().plus(Tick(ticks)));
    }

    /// An entry for a user: tagged, living 100 ticks, kept for 1,000.
    pub(crate) fn user(&self, value: u64) -> NewEntry<u64> {
        NewEntry::value(value)
            .time_to_live(Tick(100))
            .fail_safe(Tick(1_000))
            .tags([self.users.tag_subject(TAG)])
    }

    pub(crate) fn lead_user(&self, key: u64) -> UserLead {
        lead(self.user_loads.join(&key))
    }

    /// Loads a user that nobody disturbs.
    pub(crate) fn load_user(&self, key: u64, value: u64) -> Handle<u64> {
        stored(self.lead_user(key).land(self.user(value)))
    }
}

pub(crate) fn name(text: &str) -> Name {
    Name::new(text.to_owned()).unwrap()
}

/// An entry that lives 100 ticks, without tags.
pub(crate) fn plain(value: u64) -> NewEntry<u64> {
    NewEntry::value(value).time_to_live(Tick(100))
}

pub(crate) fn lead<K: unstale_l1::Key, V: Send + Sync, E: Clone>(joined: Joined<K, V, E>) -> Lead<K, V, E> {
    match joined {
        Joined::Lead(lead) => lead,
        Joined::Hit(_) | Joined::Wait(_) => panic!("somebody else leads, or it is there"),
    }
}

pub(crate) fn stored<V>(landed: Landed<V>) -> Handle<V> {
    match landed {
        Landed::Stored(Found::Value(handle)) => handle,
        Landed::Stored(Found::Nothing(_)) | Landed::Newer(_) | Landed::Refused(..) => panic!("not stored"),
    }
}

/// What a read that begins now is answered with.
pub(crate) fn read(table: &Table<u64, u64>, key: u64) -> Option<u64> {
    table.get(&key).map(|value| *value)
}

pub(crate) fn is_stale(table: &Table<u64, u64>, key: u64) -> bool {
    matches!(table.lookup(&key), Lookup::Stale(_))
}

pub(crate) fn is_suspect(table: &Table<u64, u64>, key: u64) -> bool {
    matches!(table.lookup(&key), Lookup::Suspect(..))
}

/// An act whose answer is of no interest.
pub(crate) fn did<T>(_: T) {}

/// What a scenario found, or what it found wrong.
pub(crate) type Shown = Result<(), String>;

pub(crate) fn ensure(holds: bool, what: impl Into<String>) -> Shown {
    if holds { Ok(()) } else { Err(what.into()) }
}

/// The scenario holds, and without any one of the mechanisms it does not.
#[track_caller]
pub(crate) fn shows(mechanisms: &[&str], scenario: impl Fn(&World) -> Shown) {
    let shown = scenario(&World::new(DomainConfig::default()));
    assert_eq!(shown, Ok(()));
    assert!(!mechanisms.is_empty());
    #[cfg(feature = "mutations")]
    for name in mechanisms {
        let without = unstale_l1::Mechanism::from_name(name);
        assert!(without.is_some(), "no mechanism is called {name}");
        let world = World::new(DomainConfig { without, ..DomainConfig::default() });
        assert!(scenario(&world).is_err(), "holds without {name}, too");
    }
}
