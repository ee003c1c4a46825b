//! Reads without the library: commands that any Redis does fast, in one round trip, and the judgement here.
//!
//! `SET key mark NX GET` reads a record, or takes the turn where there is none. What could have ended the record is read after
//! it: the count with the generation, and what the cache shows its readers. Where these do not say for sure, the library is asked.

use std::time::Duration;

use bytes::{Buf, Bytes};
use redis::{Pipeline, Value};
use unstale_port::{Lookup, Record, Turn};

use super::body::{self, HEAD};
use super::calls::millis;
use super::clock::ServerClock;
use super::keys::{BUCKETS, Names};
use super::token::{Mark, Token};

const GENERATION: usize = 16;

/// What one read asks of one shard.
pub(super) struct Question<'a> {
    pub(super) shard: u32,
    pub(super) cache: &'a str,
    pub(super) token: Token,
}

impl Question<'_> {
    pub(super) fn pipeline(
        &self,
        names: &Names,
        keys: &[Bytes],
        turn: Duration,
        asks_time: bool,
    ) -> Pipeline {
        let mut pipeline = Pipeline::with_capacity(keys.len() + 2);
        let (shard, mark, turn) = (names.shard(self.shard), self.token.mark(), millis(turn).max(1));
        for key in keys {
            pipeline.cmd("SET").arg(&Names::key(shard, b'r', self.cache, key)[..]).arg(&mark[..]);
            pipeline.arg("NX").arg("GET").arg("PX").arg(turn);
        }
        pipeline.cmd("MGET").arg(format!("{shard}n")).arg(&Names::copy(shard, self.cache)[..]);
        if asks_time {
            pipeline.cmd("TIME");
        }
        pipeline
    }

    /// What the answers say of each key; nothing for those that the library has to be asked for.
    pub(super) fn judge(
        &self,
        mut answers: Vec<Value>,
        keys: usize,
        clock: &ServerClock,
    ) -> Vec<Option<Lookup>> {
        if answers.len() == keys + 2
            && let Some(time) = answers.pop()
        {
            clock.set(time);
        }
        let shown = answers.pop().and_then(|shown| Shown::new(shown, clock.now_ms()));
        match shown {
            Some(shown) if answers.len() == keys => {
                answers.into_iter().map(|there| shown.lookup(there, self.token)).collect()
            }
            _ => (0..keys).map(|_| None).collect(),
        }
    }
}

/// What a cache shows its readers.
struct Shown {
    generation: Bytes,
    count: u64,
    cleared: u64,
    /// The last mark over the tags of each bucket.
    tags: Bytes,
    now_ms: u64,
}

impl Shown {
    fn new(values: Value, now_ms: u64) -> Option<Self> {
        let Value::Array(values) = values else { return None };
        let [Value::BulkString(counter), Value::BulkString(copy)] = <[Value; 2]>::try_from(values).ok()?
        else {
            return None;
        };
        let (mut counter, mut copy) = (Bytes::from(counter), Bytes::from(copy));
        if counter.len() != GENERATION + 8 || copy.len() != GENERATION + 8 + 8 * BUCKETS {
            return None;
        }
        let generation = counter.split_to(GENERATION);
        if copy.split_to(GENERATION) != generation {
            return None;
        }
        Some(Self { generation, count: counter.get_u64(), cleared: copy.get_u64(), tags: copy, now_ms })
    }

    fn lookup(&self, there: Value, token: Token) -> Option<Lookup> {
        let lease = token.lease(self.count);
        if there == Value::Nil {
            return Some(Lookup { record: None, lease, turn: Turn::Yours });
        }
        let Value::BulkString(bytes) = there else { return None };
        if bytes.len() == size_of::<Mark>() {
            let turn = if bytes == token.mark() { Turn::Yours } else { Turn::Taken };
            return Some(Lookup { record: None, lease, turn });
        }
        let record = self.record(bytes.into())?;
        Some(Lookup { record: Some(record), lease, turn: Turn::Yours })
    }

    /// A record that is fresh and that nothing ended, for sure.
    fn record(&self, bytes: Bytes) -> Option<Record> {
        if bytes.len() < HEAD || bytes[..GENERATION] != self.generation {
            return None;
        }
        let count = (&bytes[GENERATION..]).get_u64();
        let record = body::decode(bytes, self.now_ms)?;
        let is_marked = |tag: &Bytes| (&self.tags[8 * Names::bucket(tag)..]).get_u64() > count;
        let is_ended = self.cleared > count || record.tags.iter().any(is_marked);
        (!is_ended && !record.fresh_for.is_zero()).then_some(record)
    }
}
