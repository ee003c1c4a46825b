//! Bounds, versions, and where destructors run.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use unstale_l1::{
    DomainConfig, ENTRY_OVERHEAD_BYTES, Flights, Landed, NewEntry, Refusal, Table, TableConfig, Tick,
};

use crate::world::{OLD, TAG, World, ensure, lead, name, plain, read, shows, stored};

fn table<V: Send + Sync + 'static>(world: &World, config: TableConfig<u64, V>) -> Table<u64, V> {
    world.domain.table(name("bounded"), config).unwrap()
}

fn bytes(len: usize) -> NewEntry<Vec<u8>> {
    NewEntry::value(vec![0; len]).time_to_live(Tick(100))
}

fn by_bytes(bytes_max: u64, entries_max: u64) -> TableConfig<u64, Vec<u8>> {
    let weigher = Arc::new(|_: &u64, value: Option<&Vec<u8>>| value.map_or(0, |value| value.len() as u64));
    TableConfig { entries_max, bytes_max: Some((bytes_max, weigher)), shards: Some(1) }
}

#[test]
fn a_table_holds_no_more_entries_than_it_may() {
    let world = World::new(DomainConfig::default());
    let bounded = table(&world, TableConfig { entries_max: 100, ..TableConfig::default() });
    for key in 0..1_000 {
        let _ = bounded.set(&key, plain(OLD), 0);
        assert!(bounded.len() <= 100);
    }
    assert!(bounded.len() > 50);
}

#[test]
fn a_table_holds_no_more_bytes_than_it_may() {
    let world = World::new(DomainConfig::default());
    let bounded = table(&world, by_bytes(100_000, 1_000_000));
    for key in 0..1_000 {
        let _ = bounded.set(&key, bytes(880), 0);
        assert!(bounded.weight() <= 100_000);
    }
    assert_eq!(bounded.len(), 100);
    assert_eq!(bounded.weight(), 100 * (880 + ENTRY_OVERHEAD_BYTES));
}

#[test]
fn both_bounds_hold_together() {
    let world = World::new(DomainConfig::default());
    let bounded = table(&world, by_bytes(1_000_000, 50));
    for key in 0..1_000 {
        let _ = bounded.set(&key, bytes(1), 0);
    }
    assert_eq!(bounded.len(), 50);
}

#[test]
fn a_value_that_grows_in_its_place_makes_room_for_itself() {
    let world = World::new(DomainConfig::default());
    let bounded = table(&world, by_bytes(100_000, 1_000));
    for len in [0, 400, 1_200, 100] {
        for key in 0..90 {
            let _ = bounded.set(&key, bytes(len), 0);
            assert!(bounded.weight() <= 100_000, "{}", bounded.weight());
        }
    }
}

#[test]
fn a_value_heavier_than_the_table_is_answered_and_leaves_nothing_old_behind() {
    let world = World::new(DomainConfig::default());
    let bounded = table(&world, by_bytes(100_000, 1_000));
    let flights: Flights<u64, Vec<u8>, ()> = Flights::new(&bounded);
    let _ = bounded.set(&7, bytes(1), 0);
    let _ = bounded.set(&7, bytes(200_000), 0);
    assert!(bounded.get(&7).is_none());
    let handle = stored(lead(flights.join(&7)).land(bytes(200_000)));
    assert_eq!(handle.len(), 200_000);
    assert!(bounded.get(&7).is_none());
    assert_eq!(bounded.weight(), 0);
}

#[test]
fn a_greater_version_is_never_replaced_by_a_lesser_one() {
    shows(&["greater-version-stays"], |world| {
        let at = |value, version| plain(value).fail_safe(Tick(900)).version(version);
        let older = world.lead_user(7);
        stored(lead(world.user_loads.join_after(&7, world.user_loads.mark())).land(at(5, 5)));
        let landed = older.land(at(4, 4));
        ensure(matches!(landed, Landed::Newer(_)), format!("{landed:?}"))?;
        ensure(world.users.get(&7).is_some_and(|five| five.version() == Some(5)), "5 is newer than 4")?;
        let _ = world.users.set(&7, at(3, 3), 0);
        ensure(read(&world.users, 7) == Some(5), "5 is newer than 3")?;
        let _ = world.users.set(&7, at(6, 6), 0);
        ensure(read(&world.users, 7) == Some(6), "6 is newer than 5")?;
        // A replica that lags behind what was cached and expired is found out, too.
        world.wait(100);
        let landed = world.lead_user(7).land(at(5, 5));
        ensure(matches!(landed, Landed::Refused(_, Refusal::Older)), format!("{landed:?}"))?;
        // What is gone is compared no more, also if it is still there.
        let _ = world.users.remove(&7, 0);
        let load = |value, version| {
            let tag = world.users.tag_subject(TAG);
            let landed = world.lead_user(7).land(at(value, version).tags([tag]));
            ensure(matches!(landed, Landed::Stored(_)), format!("{landed:?}"))
        };
        load(4, 4)?;
        let _ = world.users.remove_tag(TAG, 0);
        load(3, 3)?;
        let _ = world.users.clear(0);
        load(2, 2)
    });
}

/// Its destructor uses the cache that it was in.
struct Entangled {
    table: Table<u64, Entangled>,
    dropped: Arc<AtomicUsize>,
}

impl Drop for Entangled {
    fn drop(&mut self) {
        // Each of these takes a lock that must not be held now.
        let _ = self.table.remove(&1_000_000, 0);
        let _ = self.table.get(&7);
        let _ = self.table.len();
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn destructors_run_outside_of_all_locks() {
    let world = World::new(DomainConfig::default());
    let bounded: Table<u64, Entangled> =
        table(&world, TableConfig { entries_max: 40, shards: Some(1), ..TableConfig::default() });
    let dropped = Arc::new(AtomicUsize::new(0));
    let entry = || {
        let value = Entangled { table: bounded.clone(), dropped: Arc::clone(&dropped) };
        NewEntry::value(value).time_to_live(Tick(100))
    };
    let flights: Flights<u64, Entangled, ()> = Flights::new(&bounded);
    for key in 0..100 {
        let _ = bounded.set(&key, entry(), 0);
        drop(lead(flights.refresh(&key)).land(entry()));
    }
    assert!(dropped.load(Ordering::Relaxed) >= 160, "replaced and evicted");
    let refused = lead(flights.join(&99_999));
    let _ = bounded.remove(&99_999, 0);
    drop(refused.land(entry()));
    let _ = bounded.set_many((0..10).map(|key| (key, entry())), 0);
    let _ = bounded.remove_many(&(0..50).collect::<Vec<_>>(), 0);
    let _ = bounded.expire(&99, 0);
    let _ = bounded.clear(0);
    bounded.sweep().step(1_000);
    assert!(bounded.is_empty());
    assert_eq!(dropped.load(Ordering::Relaxed), 100 + 100 + 1 + 10);
}
