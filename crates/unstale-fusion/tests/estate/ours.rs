//! What clients of an unstale node do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::time::timeout;
use unstale::{
    BootClock, Cache, Clock, EntryOptions, FailSafe, Freshness, Json, Load, MessagePack, Node, Served,
};
use unstale_fusion::{Format, FusionCache, FusionSettings};
use unstale_redis::{RedisBackplane, Settings, SharedRedis};

use crate::authority::{Authority, KEYS, TAGS, keys_of, name, tag};
use crate::run::{Dice, Totals};

/// Longer than any factory of the .NET nodes here.
const HOLD_OFF: Duration = Duration::from_secs(2);

/// The system's clocks, both of them so much ahead.
struct Ahead(Duration);

impl Clock for Ahead {
    fn now(&self) -> unstale::Instant {
        BootClock.now().plus(self.0)
    }

    fn wall_ms(&self) -> u64 {
        BootClock.wall_ms() + self.0.as_millis() as u64
    }
}

/// A node of ours, the cache on it, and who it is to the judge.
#[derive(Clone)]
pub(crate) struct Ours {
    cache: Cache<String, String>,
    pub(crate) fusion: FusionCache,
    who: usize,
    node: Node,
}

impl Ours {
    pub(crate) async fn start(who: usize, url: &str, format: &Format, ahead: Duration) -> Self {
        let at = || Settings::parse(url).expect("a URL");
        let backplane = RedisBackplane::builder(at()).group("estate").start().expect("a backplane starts");
        let node = Node::builder("estate").name(["a", "b"][who]).backplane(backplane);
        let node = node.clock(Ahead(ahead)).start().await.expect("a node starts");
        let settings = FusionSettings::new("FusionCache", format.clone()).hold_off(HOLD_OFF);
        let server = SharedRedis::open(at()).expect("one server");
        let fusion = FusionCache::open(server, settings).expect("sound settings");
        let builder = node.cache("rows").time_to_live(Duration::from_secs(120));
        let builder = builder.fail_safe(FailSafe::for_at_most(Duration::from_secs(600)));
        let builder = match format {
            Format::MessagePack => builder.stored_as(MessagePack),
            Format::SystemTextJson | Format::Newtonsoft | Format::MemoryPack(_) | Format::ProtobufNet => {
                builder.stored_as(Json)
            }
        };
        let cache = builder.foreign(fusion.clone()).build().expect("a sound cache");
        Self { cache, fusion, who, node }
    }

    pub(crate) async fn until_ready(&self) {
        self.node.joined().await.expect("two nodes join");
        self.cache.until_heard().await;
    }

    /// Connected, hears the others, and proves what it has of its own.
    pub(crate) async fn is_well(&self) -> bool {
        let ready = self.node.ready();
        let proves = ready.proof_age().is_some_and(|age| age < Duration::from_millis(500));
        ready.is_writable()
            && proves
            && timeout(Duration::from_millis(1), self.cache.until_heard()).await.is_ok()
    }

    /// A client that goes on until the run is over.
    pub(crate) async fn work(self, authority: Arc<Authority>, totals: Arc<Totals>, mut dice: Dice) {
        while !totals.is_over() {
            let key = dice.below(KEYS);
            match dice.below(100) {
                0..80 => self.read(&authority, &totals, &mut dice, key).await,
                80..98 => self.write(&authority, &totals, &mut dice, vec![key]).await,
                98 => self.write(&authority, &totals, &mut dice, keys_of(key % TAGS)).await,
                _ if dice.below(4) == 0 => {
                    self.write(&authority, &totals, &mut dice, (0..KEYS).collect()).await;
                }
                _ => {}
            }
            pause(dice.below(6) as u64).await;
        }
    }

    async fn read(&self, authority: &Arc<Authority>, totals: &Totals, dice: &mut Dice, key: usize) {
        let within = (dice.below(4) == 0).then(|| Duration::from_millis(dice.below(300) as u64));
        let delay = if dice.below(10) == 0 { dice.below(200) } else { dice.below(5) } as u64;
        let load = {
            let authority = Arc::clone(authority);
            async move |_: Load<String>| {
                let version = authority.read(key);
                pause(delay).await;
                Ok::<_, std::io::Error>(version.to_string())
            }
        };
        let (name, began) = (name(key), Instant::now());
        let options = EntryOptions::new().tag(tag(key));
        let freshness = Freshness::within(within.unwrap_or(Duration::MAX));
        let read = self.cache.get_or_load(&name, load).options(&options);
        let (version, served) = match within {
            Some(_) => read.freshness(freshness).await.map(|read| (read.to_string(), read.served())),
            None => read.at(self.node.now()).await.map(|read| (read.to_string(), read.served())),
        }
        .expect("the database answers");
        let version = version.parse().expect("a number");
        // What is said to be stale is no promise.
        if served == Served::Stale {
            totals.said_stale.fetch_add(1, Ordering::Relaxed);
            return;
        }
        totals.reads.fetch_add(1, Ordering::Relaxed);
        totals.hits.fetch_add(u64::from(served == Served::Hit), Ordering::Relaxed);
        if let Some(stale) = authority.judge(self.who, key, version, began, within) {
            totals.breach(format!("node {} within {within:?} served as {served:?}: {stale:?}", self.who));
        }
    }

    async fn write(&self, authority: &Authority, totals: &Totals, dice: &mut Dice, keys: Vec<usize>) {
        let turn = authority.turn(keys).await;
        authority.commit(&turn);
        let done = match turn.keys[..] {
            [key] => {
                let (name, version) = (name(key), authority.read(key).to_string());
                match dice.below(3) {
                    0 => {
                        let options = EntryOptions::new().tag(tag(key));
                        self.cache.set_with(name, version, &options).await
                    }
                    1 => self.cache.remove(&name).await,
                    _ => self.cache.expire(&name).await,
                }
            }
            _ if turn.keys.len() < KEYS && dice.below(2) == 0 => {
                self.cache.remove_tag(tag(turn.keys[0])).await
            }
            _ if turn.keys.len() < KEYS => self.cache.expire_tag(tag(turn.keys[0])).await,
            _ if dice.below(2) == 0 => self.cache.clear().await,
            _ => self.cache.expire_all().await,
        };
        match done {
            Ok(_) => {
                authority.acted(&turn, self.who);
                totals.writes.fetch_add(1, Ordering::Relaxed);
            }
            // The caller knows that it has to repeat it: until then nothing is promised of that version.
            Err(error) => totals.refused(&error),
        }
    }
}

/// Lets time pass, as a client or a database does.
pub(crate) async fn pause(millis: u64) {
    let never = timeout(Duration::from_millis(millis), std::future::pending::<()>()).await;
    debug_assert!(never.is_err());
}

/// Relaxed is enough for sums that are read at the end.
pub(crate) fn sum(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}
