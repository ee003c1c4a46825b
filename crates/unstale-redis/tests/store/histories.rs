//! Random histories over a real server that forgets keys at random, against a list of everything that ever happened.

use std::time::Duration;

use bytes::Bytes;
use unstale_port::{Condition, Lease, Record, Store, Written};
use unstale_redis::{RedisStore, RedisStoreOptions};
use unstale_servers::{Program, Redis, needs};

use crate::world::{LOAD, at_once, connected, record};

/// Small numbers that look random, the same for each seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % n
    }

    fn hits(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// One change: what it concerns, and its stamp. Its place in the list is its time.
struct Change {
    cache: Option<&'static str>,
    key: Option<Bytes>,
    tag: Option<Bytes>,
    stamp: u64,
    ends: bool,
}

impl Change {
    fn concerns(&self, cache: &str, key: &Bytes, tags: &[Bytes]) -> bool {
        self.cache.is_none_or(|of| of == cache)
            && self.key.as_ref().is_none_or(|of| of == key)
            && self.tag.as_ref().is_none_or(|of| tags.contains(of))
    }
}

/// What a server forgets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Losses {
    Nothing,
    /// Any key but the marks: these are the last that a server evicts, being in use with every call.
    AnyButMarks,
    /// Any key, and sometimes all of them.
    Any,
}

struct Play {
    stores: [RedisStore; 2],
    server: Redis,
    dice: Dice,
    history: Vec<Change>,
    leases: Vec<(&'static str, Bytes, Lease, usize)>,
    stored: u32,
    refused: u32,
    served: u32,
}

const CACHES: [&str; 2] = ["c", "d"];

impl Play {
    async fn new(seed: u64, losses: Losses) -> Self {
        let server = Redis::start().await.unwrap();
        // Where marks go, stamps are of no use until the quarantine is over: never, here.
        let quarantine = if losses == Losses::Any { Duration::from_secs(3_600) } else { Duration::ZERO };
        let options = RedisStoreOptions { quarantine, tags_max: 3, ..at_once() };
        let stores = [connected(&server, options.clone()).await, connected(&server, options).await];
        let (dice, history, leases) = (Dice(seed), Vec::new(), Vec::new());
        Self { stores, server, dice, history, leases, stored: 0, refused: 0, served: 0 }
    }

    async fn step(&mut self, losses: Losses) {
        let store = self.stores[self.dice.below(2) as usize].clone();
        let cache = CACHES[self.dice.below(2) as usize];
        let key = Bytes::from(self.dice.below(4).to_string());
        let tag = Bytes::from(format!("t{}", self.dice.below(8)));
        let stamp = self.history.len() as u64 + 1 + self.dice.below(20);
        let reach = (!self.dice.hits(20)).then_some(cache);
        let keys = [key.clone()];
        match self.dice.below(20) {
            0 => {
                store.remove(cache, &keys, stamp).await.unwrap();
                self.history.push(Change {
                    cache: Some(cache),
                    key: Some(key),
                    tag: None,
                    stamp,
                    ends: true,
                });
            }
            1 => {
                store.expire(cache, &keys, stamp).await.unwrap();
                self.history.push(Change {
                    cache: Some(cache),
                    key: Some(key),
                    tag: None,
                    stamp,
                    ends: false,
                });
            }
            2 => {
                let tag = (!self.dice.hits(20)).then_some(tag);
                store.raise(reach, tag.clone(), stamp).await.unwrap();
                self.history.push(Change { cache: reach, key: None, tag, stamp, ends: true });
            }
            3..10 => self.read(&store, cache, key).await,
            10 => self.lose(losses).await,
            _ => self.write(&store, cache, key, tag, stamp).await,
        }
    }

    async fn read(&mut self, store: &RedisStore, cache: &'static str, key: Bytes) {
        let keys = [key.clone()];
        let found = store.get(cache, &keys, LOAD).await.unwrap().remove(0);
        if let Some(record) = found.record {
            self.served += 1;
            let value = record.value.expect("all have one");
            let time: usize = std::str::from_utf8(&value).unwrap().parse().unwrap();
            let later = self.history.iter().skip(time + 1);
            let ended = later.clone().any(|change| change.ends && change.concerns(cache, &key, &record.tags));
            assert!(!ended, "{cache}/{key:?} is of change {time}");
            let stale = later.clone().any(|change| change.concerns(cache, &key, &record.tags));
            assert!(!stale || record.fresh_for.is_zero(), "{cache}/{key:?} of change {time} is fresh");
        }
        self.leases.push((cache, key, found.lease, self.history.len()));
    }

    async fn write(&mut self, store: &RedisStore, cache: &'static str, key: Bytes, tag: Bytes, stamp: u64) {
        let recent = self.leases.len().saturating_sub(12);
        let pick = recent + self.dice.below(15) as usize;
        let tags = if self.dice.hits(50) { vec![tag] } else { vec![] };
        let (cache, key, lease) = match self.leases.get(pick) {
            Some((cache, key, lease, time)) => (*cache, key.clone(), Some((*lease, *time))),
            None => (cache, key, None),
        };
        let record = Record { tags, ..record(&self.history.len().to_string(), stamp, &[]) };
        let mut concerning = self.history.iter().enumerate();
        let tags = record.tags.clone();
        let allowed = concerning.all(|(at, change)| {
            let is_before = match lease {
                Some((_, time)) => at < time,
                None => change.stamp < stamp,
            };
            is_before || !change.concerns(cache, &key, &tags)
        });
        let condition = lease.map_or(Condition::Newer, |(lease, _)| Condition::Lease(lease));
        let written = store.put(cache, key.clone(), record, condition).await.unwrap();
        if written == Written::Refused {
            self.refused += 1;
            return;
        }
        assert!(allowed, "{condition:?} for {cache}/{key:?} was taken");
        self.stored += 1;
        self.history.push(Change { cache: Some(cache), key: Some(key), tag: None, stamp, ends: true });
    }

    async fn lose(&mut self, losses: Losses) {
        if losses == Losses::Nothing {
            return;
        }
        if losses == Losses::Any && self.dice.hits(10) {
            self.server.command(&["FLUSHALL"]).await.unwrap();
            return;
        }
        let keys = self.server.command(&["KEYS", "*"]).await.unwrap();
        let mut names: Vec<&str> = keys.list().iter().filter_map(|key| key.text()).collect();
        names.sort_unstable();
        names.retain(|name| losses == Losses::Any || !name.ends_with(":m"));
        if !names.is_empty() {
            let lost = names[self.dice.below(names.len() as u64) as usize];
            self.server.command(&["DEL", lost]).await.unwrap();
        }
    }
}

async fn play(losses: Losses, seeds: u64) -> Play {
    let mut last = None;
    for seed in 0..seeds {
        let mut play = Play::new(seed, losses).await;
        for _ in 0..700 {
            play.step(losses).await;
        }
        last = Some(play);
    }
    last.expect("at least one seed")
}

#[tokio::test]
async fn nothing_that_was_ended_is_served_and_nothing_older_taken() {
    needs!(Program::RedisServer);
    let play = play(Losses::Nothing, 6).await;
    assert!(play.stored > 50 && play.refused > 50 && play.served > 50);
}

#[tokio::test]
async fn nor_is_it_when_keys_are_evicted() {
    needs!(Program::RedisServer);
    let play = play(Losses::AnyButMarks, 8).await;
    assert!(play.stored > 30 && play.refused > 50 && play.served > 20);
}

#[tokio::test]
async fn nor_is_it_when_anything_is_lost() {
    needs!(Program::RedisServer);
    let play = play(Losses::Any, 8).await;
    assert!(play.stored > 20 && play.refused > 50 && play.served > 10);
}
