//! Bounds of the memory store, and random histories against a reference that forgets nothing.

use std::task::{Context, Poll, Waker};

use super::*;
use crate::ManualTimer;
use crate::dice::Dice;

/// The result of an operation of a memory store, which never waits.
fn done<T>(mut future: StoreFuture<'_, T>) -> Result<T, Error> {
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("a memory store waits for nothing"),
    }
}

fn record(value: Bytes, stamp: u64, tags: Vec<Bytes>) -> Record {
    let (fresh_for, keep_for) = (Duration::from_secs(60), Duration::from_secs(90));
    let (version, etag, last_modified) = (None, None, None);
    Record { value: Some(value), stamp, fresh_for, keep_for, tags, version, etag, last_modified }
}

fn small(limits: StoreLimits) -> (MemoryStore, ManualTimer) {
    let timer = ManualTimer::new();
    (MemoryStore::with(limits, Arc::new(timer.clone())), timer)
}

fn set(store: &MemoryStore, key: &'static str, stamp: u64) -> Written {
    let value = Bytes::from_static(b"value");
    let put =
        store.put("c", Bytes::from_static(key.as_bytes()), record(value, stamp, vec![]), Condition::Newer);
    done(put).expect("it fits")
}

fn lease(store: &MemoryStore, key: &'static str) -> Lease {
    done(store.get("c", &[Bytes::from_static(key.as_bytes())], Intent::Read)).expect("it answers")[0].lease
}

#[test]
fn a_full_store_forgets_what_was_changed_longest_ago() {
    let (store, _) = small(StoreLimits { entries_max: 2, ..StoreLimits::default() });
    assert_eq!([set(&store, "a", 1), set(&store, "b", 2), set(&store, "c", 3)], [Written::Stored; 3]);
    let keys: [Bytes; 3] = ["a".into(), "b".into(), "c".into()];
    let found = done(store.get("c", &keys, Intent::Read)).expect("it answers");
    let there: Vec<bool> = found.iter().map(|found| found.record.is_some()).collect();
    assert_eq!(there, [false, true, true]);
    assert_eq!(store.len(), 2);
}

#[test]
fn a_removal_that_had_to_be_forgotten_refuses_old_leases_and_stamps_still() {
    let (store, _) = small(StoreLimits { entries_max: 2, ..StoreLimits::default() });
    let before = lease(&store, "a");
    done(store.remove("c", &["a".into()], 10)).expect("it answers");
    set(&store, "b", 11);
    set(&store, "c", 12);
    let fill = |condition| done(store.put("c", "a".into(), record("old".into(), 9, vec![]), condition));
    assert_eq!(fill(Condition::Lease(before)).expect("it fits"), Written::Refused);
    assert_eq!(fill(Condition::Newer).expect("it fits"), Written::Refused);
    assert_eq!(fill(Condition::Lease(lease(&store, "a"))).expect("it fits"), Written::Stored);
}

#[test]
fn bytes_are_bounded_and_a_record_beyond_them_is_an_error() {
    let (store, _) = small(StoreLimits { bytes_max: 1_000, ..StoreLimits::default() });
    let put = |key: &'static str, size: usize| {
        done(store.put(
            "c",
            key.into(),
            record(vec![0; size].into(), 1, vec![]),
            Condition::Lease(lease(&store, key)),
        ))
    };
    for key in ["a", "b", "c", "d"] {
        assert_eq!(put(key, 500).expect("it fits"), Written::Stored);
        assert!(store.bytes() <= 1_000, "{} bytes", store.bytes());
    }
    let refused = put("e", 1_000).expect_err("it can never fit");
    assert_eq!((refused.kind(), refused.retry()), (Kind::TooLarge, Retry::Never));
    assert_eq!(refused.to_string(), "put: record of 1129 bytes exceeds limit of 1000");
}

#[test]
fn a_cache_too_many_can_be_read_and_removed_from_but_not_written() {
    let (store, _) = small(StoreLimits { caches_max: 1, ..StoreLimits::default() });
    set(&store, "a", 1);
    done(store.remove("d", &["a".into()], 10)).expect("it answers");
    done(store.raise(Some("d"), None, 10)).expect("it answers");
    let put = done(store.put("d", "a".into(), record("v".into(), 11, vec![]), Condition::Newer));
    let refused = put.expect_err("one cache is the limit");
    assert_eq!(refused.to_string(), "put: cache d would exceed limit of 1");
    assert!(done(store.get("d", &["a".into()], Intent::Read)).expect("it answers")[0].record.is_none());
}

#[test]
fn tags_are_bounded_and_a_forgotten_tag_ends_all_that_is_tagged() {
    let (store, _) = small(StoreLimits { tags_max: 1, ..StoreLimits::default() });
    let tagged = |key: &'static str, tag: &'static str| {
        let record = record("v".into(), 1, vec![tag.into()]);
        done(store.put("c", key.into(), record, Condition::Lease(lease(&store, key)))).expect("it fits")
    };
    assert_eq!([tagged("one", "t"), tagged("two", "u"), tagged("three", "v")], [Written::Stored; 3]);
    set(&store, "none", 1);
    done(store.raise(Some("c"), Some("t".into()), 10)).expect("it answers");
    done(store.raise(Some("c"), Some("u".into()), 11)).expect("it answers");
    let keys: [Bytes; 4] = ["one".into(), "two".into(), "three".into(), "none".into()];
    let found = done(store.get("c", &keys, Intent::Read)).expect("it answers");
    let there: Vec<bool> = found.iter().map(|found| found.record.is_some()).collect();
    // The mark of `t` had to be forgotten for that of `u`: `three` was written before it and is suspected of `t`.
    assert_eq!(there, [false, false, false, true]);
}

#[test]
fn tombstones_go_after_their_time_and_refuse_what_is_older_still() {
    let (store, timer) = small(StoreLimits::default());
    let before = lease(&store, "a");
    done(store.remove("c", &["a".into()], 10)).expect("it answers");
    timer.advance(Duration::from_secs(601));
    set(&store, "b", 20);
    assert_eq!(store.len(), 1, "the tombstone went");
    let late = done(store.put("c", "a".into(), record("old".into(), 9, vec![]), Condition::Lease(before)));
    assert_eq!(late.expect("it fits"), Written::Refused);
    assert_eq!(set(&store, "a", 10), Written::Refused);
    assert_eq!(set(&store, "a", 21), Written::Stored);
}

/// One change of a history: what it concerns, and whether it was an accepted write.
struct Change {
    cache: Option<&'static str>,
    key: Option<Bytes>,
    tag: Option<Bytes>,
    stamp: u64,
    ends: bool,
}

/// Everything that ever happened; a place in it is a time.
#[derive(Default)]
struct History(Vec<Change>);

impl History {
    fn concerning<'a>(
        &'a self,
        cache: &'a str,
        key: &'a Bytes,
        tags: &'a [Bytes],
    ) -> impl Iterator<Item = (usize, &'a Change)> {
        self.0.iter().enumerate().filter(move |(_, change)| {
            change.cache.is_none_or(|of| of == cache)
                && change.key.as_ref().is_none_or(|of| of == key)
                && change.tag.as_ref().is_none_or(|of| tags.contains(of))
        })
    }

    /// Whether a write may be accepted.
    fn allows(&self, cache: &str, key: &Bytes, record: &Record, lease: Option<usize>) -> bool {
        let mut changes = self.concerning(cache, key, &record.tags);
        match lease {
            Some(time) => changes.all(|(at, _)| at < time),
            None => changes.all(|(_, change)| change.stamp < record.stamp),
        }
    }
}

/// Plays a random history. With ample limits the store must accept exactly what is allowed, with tight ones nothing else.
fn play(seed: u64, limits: StoreLimits, ample: bool) {
    const CACHES: [&str; 3] = ["c", "d", "e"];
    let (store, timer) = small(limits);
    let (mut dice, mut history) = (Dice::new(seed), History::default());
    let mut leases: Vec<(&str, Bytes, Lease, usize)> = Vec::new();
    for step in 0..250_u64 {
        let cache = CACHES[dice.below(3) as usize];
        let key = Bytes::from(dice.below(4).to_string());
        let tag = Bytes::from(format!("t{}", dice.below(3)));
        let stamp = step + 1 + dice.below(20);
        let reach = (!dice.hits(0.2)).then_some(cache);
        let keys = [key.clone()];
        match dice.below(10) {
            0 => {
                done(store.remove(cache, &keys, stamp)).expect("it answers");
                history.0.push(Change { cache: Some(cache), key: Some(key), tag: None, stamp, ends: true });
            }
            1 => {
                done(store.expire(cache, &keys, stamp)).expect("it answers");
                history.0.push(Change { cache: Some(cache), key: Some(key), tag: None, stamp, ends: false });
            }
            2 => {
                let tag = (!dice.hits(0.2)).then_some(tag);
                done(store.raise(reach, tag.clone(), stamp)).expect("it answers");
                history.0.push(Change { cache: reach, key: None, tag, stamp, ends: true });
            }
            3..6 => {
                let found = done(store.get(cache, &keys, Intent::Read)).expect("it answers").remove(0);
                if let Some(record) = found.record {
                    let value = record.value.expect("all have one");
                    let time: usize = std::str::from_utf8(&value).unwrap().parse().unwrap();
                    let newer = history.concerning(cache, &key, &record.tags).filter(|(at, _)| *at > time);
                    let ended = newer.filter(|(_, change)| change.ends).count();
                    assert_eq!(ended, 0, "seed {seed}, step {step}: {cache}/{key:?} is of change {time}");
                }
                leases.push((cache, key, found.lease, history.0.len()));
            }
            6 => timer.advance(Duration::from_secs(dice.below(400))),
            _ => {
                let pick = dice.below(leases.len() as u64 + 3) as usize;
                let tags = if dice.hits(0.5) { vec![tag] } else { vec![] };
                let record = record(history.0.len().to_string().into(), stamp, tags);
                let (cache, key, condition, lease) = match leases.get(pick) {
                    Some((cache, key, lease, time)) => {
                        (*cache, key.clone(), Condition::Lease(*lease), Some(*time))
                    }
                    None => (cache, key, Condition::Newer, None),
                };
                let allowed = history.allows(cache, &key, &record, lease);
                let Ok(written) = done(store.put(cache, key.clone(), record, condition)) else { continue };
                let accepted = written == Written::Stored;
                assert!(allowed || !accepted, "seed {seed}, step {step}: {condition:?} was accepted");
                assert!(
                    accepted || !allowed || !ample,
                    "seed {seed}, step {step}: {condition:?} was refused"
                );
                if accepted {
                    history.0.push(Change {
                        cache: Some(cache),
                        key: Some(key),
                        tag: None,
                        stamp,
                        ends: true,
                    });
                }
            }
        }
        assert!(store.len() <= limits.entries_max && store.bytes() <= limits.bytes_max, "seed {seed}");
    }
}

#[test]
fn random_histories_with_room_accept_exactly_what_is_allowed() {
    let never = Duration::from_secs(1 << 40);
    for seed in 0..150 {
        play(seed, StoreLimits { tombstones_for: never, ..StoreLimits::default() }, true);
    }
}

#[test]
fn random_histories_without_room_never_serve_what_was_ended_and_never_accept_what_is_older() {
    let tight = StoreLimits {
        entries_max: 3,
        bytes_max: 700,
        tags_max: 1,
        caches_max: 2,
        tombstones_for: Duration::from_secs(600),
    };
    for seed in 0..300 {
        play(seed, tight, false);
    }
}
