//! The second level on Redis.
//!
//! What is kept where is docs/formats/redis-store.md; what becomes of it when the server loses something, docs/redis.md.
//! Everything that changes something is one call of a function in the server (`store.lua`), and so is a read that cannot be
//! judged from outside; all other reads are plain commands in one round trip (`quick.rs`).

mod body;
mod calls;
mod clock;
mod keys;
mod quick;
mod spread;
mod token;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use redis::Value;
use unstale_port::{
    Condition, Error, Intent, Kind, Lease, Lookup, Record, Retry, Store, StoreFuture, Written,
};

use self::calls::{Call, LIBRARY, Terms};
use self::clock::ServerClock;
use self::keys::Names;
use self::quick::Question;
use self::spread::{all, by_shard, in_order};
use self::token::{Token, Tokens};
use crate::connection::{Connection, Up};
use crate::error::config;

/// How a [`RedisStore`] uses its server. All nodes that share a store choose alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisStoreOptions {
    /// What its keys begin with, in braces: stores of one server that differ in it know nothing of each other. 1 to 64
    /// bytes, no braces. Default: `unstale`.
    pub namespace: String,
    /// Over how many slots of a cluster its keys are spread, 1 to 1,024; for ever, and checked with each call. Default:
    /// 16 in a cluster, 1 otherwise. What ends a tag, a cache or everything is said to each of them.
    pub shards: Option<u32>,
    /// How long after it lost what it knew (or began) a store refuses writes by [`Condition::Newer`]: longer than such a
    /// write may be on its way. Default: 10 s.
    pub quarantine: Duration,
    /// For each cache and shard, so many of the tags that were raised last have marks of their own, and up to as many
    /// before them; older ones stand for every tag. Default: 32,768.
    pub tags_max: u32,
}

impl Default for RedisStoreOptions {
    fn default() -> Self {
        Self {
            namespace: "unstale".to_owned(),
            shards: None,
            quarantine: Duration::from_secs(10),
            tags_max: 32_768,
        }
    }
}

/// A [`Store`] on a Redis 7.0 or later: one server, the master of a service, or a cluster. Clones are one store.
///
/// A hit costs one round trip of plain commands (in a cluster: one call of a function), a miss that takes the turn the
/// same, a fill one call. Times are of the server's clock, and for expiry only; order is the server's own count.
///
/// What the server loses costs records and leases, never a removal: docs/redis.md goes through each loss, and has the
/// rights that the user needs.
///
/// ```
/// use unstale_redis::{Connection, RedisStore, Settings};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let connection = Connection::open(Settings::parse("redis://cache.internal:6379")?);
/// let store = RedisStore::new(&connection);
/// # drop(store);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct RedisStore {
    connection: Connection,
    terms: Terms,
    /// For each shard, the last connection over which the server's process was asked whether the data is what it was.
    greeted: Arc<[AtomicU64]>,
    tokens: Arc<Tokens>,
    clock: Arc<ServerClock>,
}

impl RedisStore {
    /// The store of the default options. Nothing is sent before it is used.
    ///
    /// # Panics
    /// Never: the default options are sound.
    pub fn new(connection: &Connection) -> Self {
        Self::with(connection, RedisStoreOptions::default()).expect("the default options are sound")
    }

    /// The store of these options.
    ///
    /// # Errors
    /// `Config` for options outside their limits.
    pub fn with(connection: &Connection, options: RedisStoreOptions) -> Result<Self, Error> {
        let RedisStoreOptions { namespace, shards, quarantine, tags_max } = options;
        if !(1..=64).contains(&namespace.len()) || namespace.contains(['{', '}']) {
            return Err(config(format!("namespace `{namespace}` is not 1 to 64 bytes without braces")));
        }
        let shards = shards.unwrap_or(if connection.is_cluster() { 16 } else { 1 });
        if !(1..=1_024).contains(&shards) {
            return Err(config(format!("{shards} shards are not 1 to 1024")));
        }
        if tags_max == 0 {
            return Err(config("no tag could have a mark: tags_max is 0"));
        }
        let names = Names::new(&namespace, shards);
        let terms = Terms { names, database: connection.database(), quarantine, tags_max };
        Ok(Self {
            connection: connection.clone(),
            terms,
            greeted: (0..shards).map(|_| AtomicU64::default()).collect(),
            tokens: Arc::new(Tokens::new()),
            clock: Arc::new(ServerClock::new()),
        })
    }

    /// Calls the library, and gives it to a server that does not have it.
    async fn ask(&self, up: &Up, operation: &'static str, call: &Call) -> Result<Value, Error> {
        let answer = match self.connection.run_on(up, operation, call.command()).await {
            Err(error) if error.to_string().contains("Function not found") => {
                self.load(up).await?;
                self.connection.run_on(up, operation, call.command()).await
            }
            answer => answer,
        };
        answer.map_err(|error| match error.to_string() {
            text if text.contains("SHARDS") => Error::new(Kind::Config, Retry::Never, operation, text),
            _ => error,
        })
    }

    async fn load(&self, up: &Up) -> Result<(), Error> {
        let mut command = redis::cmd("FUNCTION");
        command.arg("LOAD").arg(LIBRARY);
        match self.connection.run_on(up, "load", &command).await {
            // Another node was quicker.
            Err(error) if error.to_string().contains("already exists") => Ok(()),
            answer => answer.map(drop),
        }
    }

    async fn act(&self, operation: &'static str, call: Call) -> Result<bool, Error> {
        calls::done(operation, &self.ask(&self.connection.up(operation)?, operation, &call).await?)
    }

    /// Removes or expires keys, each in its shard.
    async fn void(
        &self,
        operation: &'static str,
        function: &str,
        cache: &str,
        keys: &[Bytes],
        stamp: u64,
    ) -> Result<(), Error> {
        let names = &self.terms.names;
        all(by_shard(names, cache, keys).into_iter().map(|(shard, keys)| {
            let keys = keys.iter().map(|(_, key)| *key);
            let call = self.terms.call(function, shard, cache, keys.clone()).stamp(stamp);
            self.act(operation, call.fences(keys.map(|key| names.place(cache, key))))
        }))
        .await
        .map(drop)
    }

    /// Reads keys of one shard.
    async fn read(
        &self,
        shard: u32,
        cache: &str,
        keys: &[Bytes],
        intent: Intent,
    ) -> Result<Vec<Lookup>, Error> {
        let question = Question { shard, cache, token: self.tokens.next() };
        let up = self.connection.up("get")?;
        // Another process than the one that was asked may have lost what it knew, and only the library would notice.
        let greeted = self.greeted[shard as usize].load(Ordering::Acquire);
        let is_known = !self.connection.is_cluster() && greeted == up.number;
        let Intent::Load { turn } = intent else {
            return self.ask_library(&up, &question, keys, intent).await;
        };
        if !is_known {
            return self.ask_library(&up, &question, keys, intent).await;
        }
        let pipeline = question.pipeline(&self.terms.names, keys, turn, self.clock.is_due());
        let found = match self.connection.run_all_on(&up, "get", &pipeline).await {
            Ok(answers) => question.judge(answers, keys.len(), &self.clock),
            // A server that is full refuses what might write, but lets the library read.
            Err(error) if error.kind() == Kind::Rejected => keys.iter().map(|_| None).collect(),
            Err(error) => return Err(error),
        };
        if found.iter().all(Option::is_some) {
            return Ok(found.into_iter().flatten().collect());
        }
        let open: Vec<Bytes> = keys
            .iter()
            .zip(&found)
            .filter(|(_, found)| found.is_none())
            .map(|(key, _)| key.clone())
            .collect();
        let mut asked = self.ask_library(&up, &question, &open, intent).await?.into_iter();
        Ok(found.into_iter().filter_map(|found| found.or_else(|| asked.next())).collect())
    }

    async fn ask_library(
        &self,
        up: &Up,
        question: &Question<'_>,
        keys: &[Bytes],
        intent: Intent,
    ) -> Result<Vec<Lookup>, Error> {
        let call = self.terms.call("unstale_get", question.shard, question.cache, keys.iter());
        let call = match intent {
            Intent::Read => call.number(-1),
            Intent::Load { turn } => call.millis(turn.max(Duration::from_millis(1))),
        };
        let call = call.bytes(&question.token.mark());
        let answer = self.ask(up, "get", &call).await?;
        // Not after every call: one that gives a turn back does not look whose data it finds.
        self.greeted[question.shard as usize].fetch_max(up.number, Ordering::Release);
        calls::lookups(answer, keys.len(), question.token)
    }
}

impl Store for RedisStore {
    fn get<'a>(&'a self, cache: &'a str, keys: &'a [Bytes], intent: Intent) -> StoreFuture<'a, Vec<Lookup>> {
        Box::pin(async move {
            if self.terms.names.shards() == 1 {
                return self.read(0, cache, keys, intent).await;
            }
            let shards = by_shard(&self.terms.names, cache, keys);
            let reads = all(shards.iter().map(|(shard, keys)| async move {
                let keys: Vec<Bytes> = keys.iter().map(|(_, key)| (*key).clone()).collect();
                self.read(*shard, cache, &keys, intent).await
            }));
            Ok(in_order(&shards, reads.await?))
        })
    }

    fn release<'a>(&'a self, cache: &'a str, key: Bytes, lease: Lease) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let shard = self.terms.names.place(cache, &key).shard;
            let call = self.terms.call("unstale_release", shard, cache, [&key].into_iter());
            let (token, _) = Token::of(lease);
            self.act("release", call.bytes(&token.mark())).await.map(drop)
        })
    }

    fn put<'a>(
        &'a self,
        cache: &'a str,
        key: Bytes,
        record: Record,
        condition: Condition,
    ) -> StoreFuture<'a, Written> {
        Box::pin(async move {
            let body = body::encode(&record)?;
            let place = self.terms.names.place(cache, &key);
            let (token, lease) = match condition {
                Condition::Newer => (self.tokens.next(), -1),
                Condition::Lease(lease) => {
                    let (token, count) = Token::of(lease);
                    (token, i64::try_from(count).unwrap_or(i64::MAX))
                }
            };
            let call = self.terms.call("unstale_put", place.shard, cache, [&key].into_iter());
            let call = call.fences([place]).number(lease).bytes(&token.mark()).stamp(record.stamp);
            let call = call.millis(record.fresh_for).millis(record.keep_for).bytes(&body);
            let stored = self.act("put", call).await?;
            Ok(if stored { Written::Stored } else { Written::Refused })
        })
    }

    fn remove<'a>(&'a self, cache: &'a str, keys: &'a [Bytes], stamp: u64) -> StoreFuture<'a, ()> {
        Box::pin(self.void("remove", "unstale_remove", cache, keys, stamp))
    }

    fn expire<'a>(&'a self, cache: &'a str, keys: &'a [Bytes], stamp: u64) -> StoreFuture<'a, ()> {
        Box::pin(self.void("expire", "unstale_expire", cache, keys, stamp))
    }

    fn raise<'a>(&'a self, cache: Option<&'a str>, tag: Option<Bytes>, stamp: u64) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let name = cache.unwrap_or_default();
            all((0..self.terms.names.shards()).map(|shard| {
                let call = self.terms.call("unstale_raise", shard, name, [].into_iter());
                let call = call.stamp(stamp).number(i64::from(cache.is_none()));
                let call = match &tag {
                    Some(tag) => call.bytes(tag).number(Names::bucket(tag)),
                    None => call,
                };
                self.act("raise", call)
            }))
            .await
            .map(drop)
        })
    }
}
