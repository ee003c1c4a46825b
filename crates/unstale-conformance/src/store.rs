//! The promises of a store, each as a function over a fixture.

use std::future::Future;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use unstale_port::{Condition, Intent, Lease, Lookup, Record, Store, Turn, Written};

/// Makes stores of one kind.
pub trait StoreFixture {
    /// The kind.
    type Store: Store;

    /// An empty store.
    fn start(&mut self) -> impl Future<Output = Self::Store>;

    /// Lets `time` pass by the clock of the stores that it made.
    fn pass(&mut self, time: Duration) -> impl Future<Output = ()>;
}

const USERS: &str = "users";
const ROLES: &str = "roles";
const LOAD: Intent = Intent::Load { turn: Duration::from_secs(60) };

/// A fill is found by the next read, with value, stamp, tags, version and validators as they were written.
pub async fn what_was_filled_is_found_with_all_that_it_carries<F: StoreFixture>(fixture: &mut F) {
    let shelf = Shelf::new(fixture.start().await);
    let lease = shelf.miss(USERS, "a").await;
    let written = Record {
        tags: vec![Bytes::from_static(b"t1"), Bytes::from_static(b"t2")],
        version: Some(7),
        etag: Some("\"7\"".to_owned()),
        last_modified: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)),
        ..record("ada", 10)
    };
    assert_eq!(shelf.put(USERS, "a", written.clone(), Condition::Lease(lease)).await, Written::Stored);
    let found = shelf.hit(USERS, "a").await;
    assert!(found.fresh_for <= written.fresh_for && found.keep_for <= written.keep_for);
    let times = (found.fresh_for, found.keep_for);
    assert_eq!(found, Record { fresh_for: times.0, keep_for: times.1, ..written });
}

/// One read of many keys answers each in its place; equal keys of two caches are two records.
pub async fn keys_are_answered_in_order_and_caches_are_apart<F: StoreFixture>(fixture: &mut F) {
    let shelf = Shelf::new(fixture.start().await);
    shelf.set(USERS, "a", record("user a", 10)).await;
    shelf.set(USERS, "b", record("user b", 10)).await;
    shelf.set(ROLES, "a", record("role a", 10)).await;
    let keys = [key("b"), key("none"), key("a"), key("b")];
    let found = shelf.store.get(USERS, &keys, Intent::Read).await.expect("the store answers");
    let values: Vec<_> =
        found.into_iter().map(|found| found.record.and_then(|record| record.value)).collect();
    assert_eq!(values, [Some("user b".into()), None, Some("user a".into()), Some("user b".into())]);
    assert_eq!(shelf.hit(ROLES, "a").await.value, Some("role a".into()));
}

/// A record without a value is a hit.
pub async fn a_cached_nothing_is_found<F: StoreFixture>(fixture: &mut F) {
    let shelf = Shelf::new(fixture.start().await);
    let lease = shelf.miss(USERS, "a").await;
    let nothing = Record { value: None, ..record("", 10) };
    assert_eq!(shelf.put(USERS, "a", nothing, Condition::Lease(lease)).await, Written::Stored);
    assert_eq!(shelf.hit(USERS, "a").await.value, None);
}

/// Of two readers that missed at once, the first fills; the second is refused.
pub async fn the_first_of_two_fills_wins<F: StoreFixture>(fixture: &mut F) {
    let shelf = Shelf::new(fixture.start().await);
    let (first, second) = (shelf.miss(USERS, "a").await, shelf.miss(USERS, "a").await);
    assert_eq!(shelf.fill(USERS, "a", "first", first).await, Written::Stored);
    assert_eq!(shelf.fill(USERS, "a", "second", second).await, Written::Refused);
    assert_eq!(shelf.hit(USERS, "a").await.value, Some("first".into()));
}

/// Whatever changes a key voids its leases: remove, expire, write, and raises of its cache or of a tag that it would carry.
pub async fn a_lease_from_before_a_change_fills_nothing<F: StoreFixture>(fixture: &mut F) {
    let shelf = Shelf::new(fixture.start().await);
    let tagged = || Record { tags: vec![key("t")], ..record("old", 1_000) };
    let mut stamp = 10;
    for change in 0..7 {
        let name = format!("k{change}");
        let lease = shelf.miss(USERS, &name).await;
        let keys = [key(&name)];
        stamp += 1;
        let done = match change {
            0 => shelf.store.remove(USERS, &keys, stamp).await,
            1 => shelf.store.expire(USERS, &keys, stamp).await,
            2 => shelf.store.raise(Some(USERS), Some(key("t")), stamp).await,
            3 => shelf.store.raise(None, Some(key("t")), stamp).await,
            4 => shelf.store.raise(Some(USERS), None, stamp).await,
            5 => shelf.store.raise(None, None, stamp).await,
            _ => {
                shelf.set(USERS, &name, record("new", stamp)).await;
                Ok(())
            }
        };
        done.expect("the store answers");
        let filled = shelf.put(USERS, &name, tagged(), Condition::Lease(lease)).await;
        assert_eq!(filled, Written::Refused, "after change {change}");
        let value = shelf.look(USERS, &name).await.0.and_then(|record| record.value);
        assert_ne!(value, Some("old".into()), "after change {change}");
    }
}

/// A hit's lease fills as well as a miss's, and is voided alike.
pub async fn a_lease_that_comes_with_a_record_refreshes_it<F: StoreFixture>(fixture: &mut F) {
    let shelf = Shelf::new(fixture.start().await);
    shelf.set(USERS, "a", record("v1", 10)).await;
    let (_, lease) = shelf.look(USERS, "a").await;
    assert_eq!(shelf.fill(USERS, "a", "v2", lease).await, Written::Stored);
    let (_, lease) = shelf.look(USERS, "a").await;
    shelf.store.remove(USERS, &[key("a")], 20).await.expect("the store answers");
    assert_eq!(shelf.fill(USERS, "a", "v3", lease).await, Written::Refused);
    shelf.miss(USERS, "a").await;
}

/// What is loaded after a removal is stored although the removing node's clock was ahead.
pub async fn a_lease_from_after_a_removal_fills_whatever_its_stamp<F: StoreFixture>(fixture: &mut F) {
    let shelf = Shelf::new(fixture.start().await);
    shelf.store.remove(USERS, &[key("a")], 900).await.expect("the store answers");
    let lease = shelf.miss(USERS, "a").await;
    let filled = shelf.put(USERS, "a", record("new", 100), Condition::Lease(lease)).await;
    assert_eq!(filled, Written::Stored);
    // The removal's stamp still counts for those who come without a lease.
    let late = shelf.put(USERS, "a", record("older", 500), Condition::Newer).await;
    assert_eq!(late, Written::Refused);
    assert_eq!(shelf.hit(USERS, "a").await.value, Some("new".into()));
}

/// Without a lease a write needs a stamp newer than what is there; an equal one is not.
pub async fn only_newer_stamps_replace<F: StoreFixture>(fixture: &mut F) {
    let shelf = Shelf::new(fixture.start().await);
    shelf.set(USERS, "a", record("v1", 100)).await;
    for stamp in [99, 100] {
        let refused = shelf.put(USERS, "a", record("late", stamp), Condition::Newer).await;
        assert_eq!(refused, Written::Refused, "stamp {stamp}");
    }
    shelf.set(USERS, "a", record("v2", 101)).await;
    assert_eq!(shelf.hit(USERS, "a").await.value, Some("v2".into()));
}

/// A removal is effective although what is there has a newer stamp; after it, older and equal stamps are refused.
pub async fn a_removal_ends_newer_stamps_too_and_refuses_older_ones_after<F: StoreFixture>(fixture: &mut F) {
    let shelf = Shelf::new(fixture.start().await);
    shelf.set(USERS, "a", record("from a fast clock", 900)).await;
    shelf.store.remove(USERS, &[key("a"), key("b")], 100).await.expect("the store answers");
    shelf.miss(USERS, "a").await;
    for stamp in [99, 100] {
        let refused = shelf.put(USERS, "b", record("late", stamp), Condition::Newer).await;
        assert_eq!(refused, Written::Refused, "stamp {stamp}");
    }
    shelf.set(USERS, "b", record("new", 101)).await;
    let older = shelf.put(USERS, "a", record("older than what was removed", 500), Condition::Newer).await;
    assert_eq!(older, Written::Refused);
    shelf.set(USERS, "a", record("new", 901)).await;
}

/// An expiry leaves the record, stale.
pub async fn an_expired_record_stays_for_fail_safe<F: StoreFixture>(fixture: &mut F) {
    let shelf = Shelf::new(fixture.start().await);
    shelf.set(USERS, "a", record("v1", 10)).await;
    shelf.store.expire(USERS, &[key("a"), key("never there")], 20).await.expect("the store answers");
    let found = shelf.hit(USERS, "a").await;
    assert_eq!((found.value, found.fresh_for), (Some("v1".into()), Duration::ZERO));
    assert!(found.keep_for > Duration::ZERO);
    shelf.miss(USERS, "never there").await;
    let late = shelf.put(USERS, "a", record("late", 15), Condition::Newer).await;
    assert_eq!(late, Written::Refused);
}

/// A tag's raise ends the records of its cache that carry it, whatever their stamps, and no others.
pub async fn a_raised_tag_ends_what_carries_it_and_nothing_else<F: StoreFixture>(fixture: &mut F) {
    let shelf = Shelf::new(fixture.start().await);
    let tagged =
        |tags: &[&str]| Record { tags: tags.iter().map(|tag| key(tag)).collect(), ..record("v", 900) };
    shelf.set(USERS, "one", tagged(&["t"])).await;
    shelf.set(USERS, "both", tagged(&["s", "t"])).await;
    shelf.set(USERS, "other", tagged(&["s"])).await;
    shelf.set(USERS, "none", tagged(&[])).await;
    shelf.set(ROLES, "one", tagged(&["t"])).await;
    shelf.store.raise(Some(USERS), Some(key("t")), 100).await.expect("the store answers");
    shelf.miss(USERS, "one").await;
    shelf.miss(USERS, "both").await;
    shelf.hit(USERS, "other").await;
    shelf.hit(USERS, "none").await;
    shelf.hit(ROLES, "one").await;
}

/// Without a cache, a raise is for all of them, known or not.
pub async fn a_tag_raised_everywhere_ends_it_in_every_cache<F: StoreFixture>(fixture: &mut F) {
    let shelf = Shelf::new(fixture.start().await);
    let tagged = |value| Record { tags: vec![key("t")], ..record(value, 10) };
    shelf.set(USERS, "a", tagged("v")).await;
    shelf.set(ROLES, "a", tagged("v")).await;
    shelf.set(ROLES, "b", record("v", 10)).await;
    let lease = shelf.miss("of another node", "a").await;
    shelf.store.raise(None, Some(key("t")), 20).await.expect("the store answers");
    shelf.miss(USERS, "a").await;
    shelf.miss(ROLES, "a").await;
    shelf.hit(ROLES, "b").await;
    let late = shelf.put("of another node", "a", tagged("old"), Condition::Lease(lease)).await;
    assert_eq!(late, Written::Refused);
    shelf.store.raise(None, None, 30).await.expect("the store answers");
    shelf.miss(ROLES, "b").await;
}

/// A raise without a tag ends everything of its cache.
pub async fn a_cleared_cache_is_empty_and_others_are_not<F: StoreFixture>(fixture: &mut F) {
    let shelf = Shelf::new(fixture.start().await);
    shelf.set(USERS, "a", record("v", 900)).await;
    shelf.set(ROLES, "a", record("v", 900)).await;
    shelf.store.raise(Some(USERS), None, 100).await.expect("the store answers");
    let lease = shelf.miss(USERS, "a").await;
    shelf.hit(ROLES, "a").await;
    assert_eq!(shelf.fill(USERS, "a", "new", lease).await, Written::Stored);
    let late = shelf.put(USERS, "b", record("late", 100), Condition::Newer).await;
    assert_eq!(late, Written::Refused);
}

/// After a tag's raise, writes that carry it need a newer stamp; writes that do not, do not.
pub async fn a_raised_tag_refuses_older_writes_of_it_only<F: StoreFixture>(fixture: &mut F) {
    let shelf = Shelf::new(fixture.start().await);
    let tagged = |stamp| Record { tags: vec![key("t")], ..record("v", stamp) };
    shelf.store.raise(Some(USERS), Some(key("t")), 100).await.expect("the store answers");
    let late = shelf.put(USERS, "a", tagged(100), Condition::Newer).await;
    assert_eq!(late, Written::Refused);
    shelf.set(USERS, "a", tagged(101)).await;
    shelf.set(USERS, "b", record("v", 50)).await;
}

/// An expiry of what a raise ended brings nothing back.
pub async fn an_ended_record_is_not_revived_by_an_expiry<F: StoreFixture>(fixture: &mut F) {
    let shelf = Shelf::new(fixture.start().await);
    shelf.set(USERS, "a", Record { tags: vec![key("t")], ..record("v", 10) }).await;
    shelf.store.raise(Some(USERS), Some(key("t")), 20).await.expect("the store answers");
    shelf.store.expire(USERS, &[key("a")], 30).await.expect("the store answers");
    shelf.miss(USERS, "a").await;
}

/// Where both records have a version, the lower one is refused under both conditions, until a removal.
pub async fn a_lower_version_never_replaces_a_higher_one<F: StoreFixture>(fixture: &mut F) {
    let shelf = Shelf::new(fixture.start().await);
    let versioned = |version, stamp| Record { version: Some(version), ..record("v", stamp) };
    shelf.set(USERS, "a", versioned(5, 10)).await;
    let (_, lease) = shelf.look(USERS, "a").await;
    for condition in [Condition::Newer, Condition::Lease(lease)] {
        let refused = shelf.put(USERS, "a", versioned(4, 20), condition).await;
        assert_eq!(refused, Written::Refused, "{condition:?}");
    }
    shelf.set(USERS, "a", versioned(5, 30)).await;
    shelf.store.remove(USERS, &[key("a")], 40).await.expect("the store answers");
    shelf.set(USERS, "a", versioned(1, 50)).await;
}

/// Removals, expiries and raises can be said again, with older stamps too.
pub async fn removing_and_raising_twice_does_no_harm<F: StoreFixture>(fixture: &mut F) {
    let shelf = Shelf::new(fixture.start().await);
    shelf.set(USERS, "a", record("v", 10)).await;
    for stamp in [30, 30, 20] {
        shelf.store.remove(USERS, &[key("a")], stamp).await.expect("the store answers");
        shelf.store.raise(Some(USERS), Some(key("t")), stamp).await.expect("the store answers");
        shelf.store.expire(USERS, &[key("a")], stamp).await.expect("the store answers");
    }
    let late = shelf.put(USERS, "a", record("late", 25), Condition::Newer).await;
    assert_eq!(late, Written::Refused);
    shelf.set(USERS, "a", record("new", 31)).await;
    shelf.hit(USERS, "a").await;
}

/// A record is fresh for as long as it says, then stale, then gone; a lease from its time still fills.
pub async fn records_grow_stale_and_then_end<F: StoreFixture>(fixture: &mut F) {
    let shelf = Shelf::new(fixture.start().await);
    let (fresh_for, keep_for) = (Duration::from_millis(500), Duration::from_millis(1_500));
    shelf.set(USERS, "a", Record { fresh_for, keep_for, ..record("v", 10) }).await;
    assert!(shelf.hit(USERS, "a").await.fresh_for > Duration::ZERO);
    fixture.pass(Duration::from_millis(600)).await;
    let stale = shelf.hit(USERS, "a").await;
    assert_eq!(stale.fresh_for, Duration::ZERO);
    assert!(stale.keep_for <= Duration::from_millis(900), "{:?}", stale.keep_for);
    let (_, lease) = shelf.look(USERS, "a").await;
    fixture.pass(Duration::from_secs(1)).await;
    shelf.miss(USERS, "a").await;
    assert_eq!(shelf.fill(USERS, "a", "again", lease).await, Written::Stored);
}

/// Of those who miss a key in order to load it, one has the turn until it filled; for every key anew, and not against those
/// who only read.
pub async fn one_reader_at_a_time_has_the_turn_to_load<F: StoreFixture>(fixture: &mut F) {
    let shelf = Shelf::new(fixture.start().await);
    assert_eq!(shelf.ask(USERS, "a", Intent::Read).await.turn, Turn::Yours);
    let first = shelf.ask(USERS, "a", LOAD).await;
    assert_eq!((first.record, first.turn), (None, Turn::Yours));
    assert_eq!([shelf.turn(USERS, "a").await, shelf.turn(USERS, "a").await], [Turn::Taken; 2]);
    assert_eq!([shelf.turn(USERS, "b").await, shelf.turn(ROLES, "a").await], [Turn::Yours; 2]);
    assert_eq!(shelf.ask(USERS, "a", Intent::Read).await.turn, Turn::Yours);
    assert_eq!(shelf.fill(USERS, "a", "loaded", first.lease).await, Written::Stored);
    let found = shelf.ask(USERS, "a", LOAD).await;
    assert_eq!(
        (found.record.and_then(|record| record.value), found.turn),
        (Some("loaded".into()), Turn::Yours)
    );
    assert_eq!(shelf.turn(USERS, "a").await, Turn::Yours, "nobody loads what is fresh");
}

/// A stale record is given to all, and the turn to one of them.
pub async fn what_is_stale_is_loaded_by_one_reader_too<F: StoreFixture>(fixture: &mut F) {
    let shelf = Shelf::new(fixture.start().await);
    shelf.set(USERS, "a", record("old", 10)).await;
    shelf.store.expire(USERS, &[key("a")], 20).await.expect("the store answers");
    for turn in [Turn::Yours, Turn::Taken, Turn::Taken] {
        let found = shelf.ask(USERS, "a", LOAD).await;
        assert_eq!((found.record.and_then(|record| record.value), found.turn), (Some("old".into()), turn));
    }
}

/// A turn ends when it is given back, with a write that is refused, and with any change of the key.
pub async fn a_turn_ends_with_all_that_ends_the_load<F: StoreFixture>(fixture: &mut F) {
    let shelf = Shelf::new(fixture.start().await);
    for way in 0..7_u64 {
        let name = format!("k{way}");
        let keys = [key(&name)];
        let versioned = |version| {
            let (version, stamp) = (Some(version), 10 + 10 * way);
            Record { version, fresh_for: Duration::ZERO, ..record("v", stamp) }
        };
        shelf.set(USERS, &name, versioned(5)).await;
        let Lookup { lease, turn, .. } = shelf.ask(USERS, &name, LOAD).await;
        assert_eq!(turn, Turn::Yours, "way {way}");
        assert_eq!(shelf.turn(USERS, &name).await, Turn::Taken, "way {way}");
        let stamp = 15 + 10 * way;
        match way {
            0 => shelf.store.release(USERS, keys[0].clone(), lease).await.expect("the store answers"),
            1 => shelf.refuse(USERS, &name, versioned(4), lease).await,
            2 => shelf.store.remove(USERS, &keys, stamp).await.expect("the store answers"),
            3 => shelf.store.expire(USERS, &keys, stamp).await.expect("the store answers"),
            4 => shelf.set(USERS, &name, Record { stamp, ..versioned(6) }).await,
            _ => {
                let cache = (way == 5).then_some(USERS);
                shelf.store.raise(cache, None, stamp).await.expect("the store answers");
                shelf.refuse(USERS, &name, versioned(6), lease).await;
            }
        }
        assert_eq!(shelf.turn(USERS, &name).await, Turn::Yours, "after way {way}");
        assert_eq!(shelf.turn(USERS, &name).await, Turn::Taken, "after way {way}");
        // Of a turn that has ended, nobody can give anything back.
        if matches!(way, 2..=4) {
            shelf.store.release(USERS, keys[0].clone(), lease).await.expect("the store answers");
            assert_eq!(shelf.turn(USERS, &name).await, Turn::Taken, "after way {way}");
        }
    }
}

/// The same for a key that there is nothing of.
pub async fn the_turn_for_what_is_missing_ends_too<F: StoreFixture>(fixture: &mut F) {
    let shelf = Shelf::new(fixture.start().await);
    for way in 0..3_u64 {
        let name = format!("k{way}");
        let keys = [key(&name)];
        let Lookup { lease, turn, .. } = shelf.ask(USERS, &name, LOAD).await;
        assert_eq!((turn, shelf.turn(USERS, &name).await), (Turn::Yours, Turn::Taken), "way {way}");
        match way {
            0 => shelf.store.release(USERS, keys[0].clone(), lease).await.expect("the store answers"),
            1 => shelf.store.remove(USERS, &keys, 10).await.expect("the store answers"),
            _ => {
                shelf.store.raise(Some(USERS), None, 20).await.expect("the store answers");
                shelf.refuse(USERS, &name, record("old", 30), lease).await;
            }
        }
        let next = shelf.ask(USERS, &name, LOAD).await;
        assert_eq!((next.record, next.turn), (None, Turn::Yours), "after way {way}");
        assert_eq!(shelf.turn(USERS, &name).await, Turn::Taken, "after way {way}");
        assert_eq!(shelf.fill(USERS, &name, "new", next.lease).await, Written::Stored, "after way {way}");
    }
}

/// A turn lasts as long as was asked for; who does not wait so long fills with its own lease.
pub async fn a_turn_ends_by_itself_and_binds_nobody<F: StoreFixture>(fixture: &mut F) {
    let shelf = Shelf::new(fixture.start().await);
    let short = Intent::Load { turn: Duration::from_millis(400) };
    for turn in [Turn::Yours, Turn::Taken] {
        assert_eq!(shelf.ask(USERS, "a", short).await.turn, turn);
    }
    fixture.pass(Duration::from_millis(500)).await;
    assert_eq!(shelf.turn(USERS, "a").await, Turn::Yours);
    let impatient = shelf.ask(USERS, "a", LOAD).await;
    assert_eq!(impatient.turn, Turn::Taken);
    assert_eq!(shelf.fill(USERS, "a", "own", impatient.lease).await, Written::Stored);
    assert_eq!(shelf.hit(USERS, "a").await.value, Some("own".into()));
}

/// Who asks for a key twice in one call does not wait for itself.
pub async fn a_key_named_twice_is_one_turn<F: StoreFixture>(fixture: &mut F) {
    let shelf = Shelf::new(fixture.start().await);
    let keys = [key("a"), key("b"), key("a")];
    let turns = async || -> Vec<Turn> {
        let found = shelf.store.get(USERS, &keys, LOAD).await.expect("the store answers");
        found.iter().map(|found| found.turn).collect()
    };
    assert_eq!(turns().await, [Turn::Yours; 3]);
    assert_eq!(turns().await, [Turn::Taken; 3]);
}

fn key(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn record(value: &str, stamp: u64) -> Record {
    Record {
        value: Some(key(value)),
        stamp,
        fresh_for: Duration::from_secs(60),
        keep_for: Duration::from_secs(120),
        tags: Vec::new(),
        version: None,
        etag: None,
        last_modified: None,
    }
}

/// A store, asked key by key.
struct Shelf<S> {
    store: S,
}

impl<S: Store> Shelf<S> {
    fn new(store: S) -> Self {
        Self { store }
    }

    async fn look(&self, cache: &str, name: &str) -> (Option<Record>, Lease) {
        let found = self.ask(cache, name, Intent::Read).await;
        (found.record, found.lease)
    }

    async fn ask(&self, cache: &str, name: &str, intent: Intent) -> Lookup {
        let mut found = self.store.get(cache, &[key(name)], intent).await.expect("the store answers");
        assert_eq!(found.len(), 1, "answers for one key");
        found.remove(0)
    }

    /// Asks in order to load, and says whose turn it is.
    async fn turn(&self, cache: &str, name: &str) -> Turn {
        self.ask(cache, name, LOAD).await.turn
    }

    async fn hit(&self, cache: &str, name: &str) -> Record {
        let (record, _) = self.look(cache, name).await;
        record.unwrap_or_else(|| panic!("{name} of {cache} is missing"))
    }

    async fn miss(&self, cache: &str, name: &str) -> Lease {
        let (record, lease) = self.look(cache, name).await;
        assert_eq!(record, None, "{name} of {cache} is there");
        lease
    }

    async fn put(&self, cache: &str, name: &str, record: Record, condition: Condition) -> Written {
        self.store.put(cache, key(name), record, condition).await.expect("the store answers")
    }

    async fn fill(&self, cache: &str, name: &str, value: &str, lease: Lease) -> Written {
        self.put(cache, name, record(value, 10), Condition::Lease(lease)).await
    }

    /// Fills with what must not be taken.
    async fn refuse(&self, cache: &str, name: &str, record: Record, lease: Lease) {
        let written = self.put(cache, name, record, Condition::Lease(lease)).await;
        assert_eq!(written, Written::Refused, "{name}");
    }

    /// Writes a record that must be taken.
    async fn set(&self, cache: &str, name: &str, record: Record) {
        assert_eq!(self.put(cache, name, record, Condition::Newer).await, Written::Stored, "{name}");
    }
}
