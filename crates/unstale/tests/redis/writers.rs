//! Many writes and reads at once, under faults: no proven read is older than what was announced before its bound.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::interval;
use unstale_servers::{Data, Program, Proxy, Redis, Way, needs};

use crate::estate::{Database, Member, until};

const KEYS: u64 = 20;
const BOUND: Duration = Duration::from_millis(500);

/// When each version of each row was announced: a read proven within the bound must show it from then plus the bound on.
#[derive(Default)]
struct Announced {
    rows: Mutex<BTreeMap<u64, Vec<(Instant, u64)>>>,
}

impl Announced {
    fn note(&self, key: u64, version: u64) {
        self.rows.lock().unwrap().entry(key).or_default().push((Instant::now(), version));
    }

    /// The newest version of a row that was announced before `instant`.
    fn before(&self, key: u64, instant: Instant) -> u64 {
        let rows = self.rows.lock().unwrap();
        let all = rows.get(&key).map_or(&[][..], Vec::as_slice);
        all.iter().filter(|(at, _)| *at < instant).map(|(_, version)| *version).max().unwrap_or_default()
    }
}

#[derive(Default)]
struct Counts {
    proven: AtomicU64,
    announced: AtomicU64,
}

/// Reads and writes at each node until told to stop; fails on the first stale proven read.
fn run(members: &[Member], database: &Database) -> (JoinSet<()>, Arc<AtomicBool>, Arc<Counts>) {
    let (stop, counts, announced) =
        (Arc::new(AtomicBool::new(false)), Arc::new(Counts::default()), Arc::new(Announced::default()));
    let mut tasks = JoinSet::new();
    for (index, member) in (0_u64..).zip(members) {
        let (member, database) = (member.clone(), database.clone());
        let (stop, counts, announced) = (Arc::clone(&stop), Arc::clone(&counts), Arc::clone(&announced));
        tasks.spawn(async move {
            let mut ticks = interval(Duration::from_millis(2));
            let mut turn = index;
            while !stop.load(Ordering::Relaxed) {
                ticks.tick().await;
                turn += 1;
                // Each row has one writer, so that versions are announced in order.
                let own = turn * 3 % KEYS / 3 * 3 + index;
                if turn % 5 == 0 && own < KEYS {
                    let version = database.raise(own);
                    if member.rows.remove(&own).await.unwrap().announced() {
                        announced.note(own, version);
                        counts.announced.fetch_add(1, Ordering::Relaxed);
                    }
                }
                let key = turn.wrapping_mul(7) % KEYS;
                member.read(key).await;
                let began = Instant::now();
                if let Some(read) = member.rows.get_within(&key, member.node.now(), BOUND) {
                    let due = announced.before(key, began.checked_sub(BOUND).unwrap());
                    assert!(
                        **read >= due,
                        "{}: row {key} is {} and {due} was announced",
                        member.name,
                        **read
                    );
                    counts.proven.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
    }
    (tasks, stop, counts)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_proven_read_is_stale_while_redis_is_killed_paused_and_cut_off() {
    needs!(Program::RedisServer);
    for stream in [None, Some(1_000)] {
        let mut redis = Redis::start().await.unwrap();
        let proxy = Proxy::to(redis.address()).await.unwrap();
        let database = Database::default();
        let mut members = Vec::new();
        // The last one comes by a network that goes bad.
        for (name, url) in [("a", redis.url()), ("b", redis.url()), ("c", proxy.url())] {
            let member = Member::start_with(&url, name, &database, |builder| match stream {
                Some(entries_max) => builder.stream(entries_max),
                None => builder,
            });
            members.push(member.await);
        }
        until("all prove", || members.iter().all(Member::proves)).await;
        let (mut tasks, stop, counts) = run(&members, &database);
        let proven = || counts.proven.load(Ordering::Relaxed);
        for round in 0..2 {
            for fault in 0..5 {
                let before = proven();
                until("proven reads", || proven() > before + 300).await;
                assert!(tasks.try_join_next().is_none(), "a task has failed");
                match fault {
                    0 => redis.restart(Data::Emptied).await.unwrap(),
                    1 => {
                        redis.pause();
                        until("nobody proves", || members.iter().all(|member| !member.proves())).await;
                        redis.resume();
                    }
                    2 => drop(redis.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await.unwrap()),
                    3 => {
                        proxy.block(if round == 0 { Way::ToServer } else { Way::ToClient });
                        until("c does not prove", || !members[2].proves()).await;
                        proxy.heal();
                        proxy.cut();
                    }
                    _ => drop(redis.command(&["FLUSHALL"]).await.unwrap()),
                }
                until("all prove again", || members.iter().all(Member::proves)).await;
            }
        }
        stop.store(true, Ordering::Relaxed);
        while let Some(ended) = tasks.join_next().await {
            ended.unwrap();
        }
        assert!(counts.announced.load(Ordering::Relaxed) > 100, "writes were announced");
        for key in 0..KEYS {
            until("all agree with the database", || {
                members.iter().all(|member| member.hit(key).is_none_or(|row| row == database.row(key)))
            })
            .await;
        }
    }
}
