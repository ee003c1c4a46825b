//! One fault each, and what is left after it.

use std::time::Duration;

use unstale::Lookup;
use unstale_redis::RedisBackplane;
use unstale_servers::{Data, Program, Redis, Sentinel, needs};

use crate::estate::{Database, Member, until};

const KEYS: u64 = 200;

async fn fill(members: &[Member], database: &Database) {
    for key in 0..KEYS {
        database.raise(key);
        for member in members {
            assert_eq!(member.read(key).await, database.row(key));
        }
    }
}

/// How many keys a node still holds.
fn held(member: &Member) -> usize {
    (0..KEYS).filter(|key| member.hit(*key).is_some()).count()
}

#[tokio::test]
async fn a_write_on_one_node_is_gone_on_the_others_and_nothing_else_is() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.unwrap();
    let database = Database::default();
    let members = Member::start_three(&redis.url(), &database).await;
    fill(&members, &database).await;
    let [a, b, c] = &members;
    for key in 0..20 {
        assert!(a.write(key).await.announced());
        until("it is gone at both", || b.hit(key).is_none() && c.hit(key).is_none()).await;
    }
    assert_eq!([held(b), held(c)], [KEYS as usize - 20; 2]);
    let at = b.node.now();
    let read = b.rows.get_within(&100, at, Duration::from_secs(1)).expect("it is proven");
    assert!(read.proven());
}

#[tokio::test]
async fn a_redis_that_is_killed_and_comes_back_costs_only_what_was_written_meanwhile() {
    needs!(Program::RedisServer);
    for data in [Data::Emptied, Data::Kept] {
        let mut redis = Redis::options().append_only().start().await.unwrap();
        let database = Database::default();
        let members = Member::start_three(&redis.url(), &database).await;
        fill(&members, &database).await;
        let [a, b, c] = &members;
        redis.kill();
        until("nobody proves", || members.iter().all(|member| !member.proves())).await;
        for key in 0..10 {
            let _ = a.write(key).await;
        }
        redis.restart(data).await.unwrap();
        let gone = |member: &Member| (0..10).all(|key| member.hit(key).is_none());
        let took = until("what was missed is repaired", || gone(b) && gone(c)).await;
        assert!(took < Duration::from_secs(10), "{took:?}");
        until("all prove again", || members.iter().all(Member::proves)).await;
        // Nothing else was dropped for it.
        for member in [b, c] {
            assert_eq!(held(member), KEYS as usize - 10, "{data:?}");
        }
        for key in 0..KEYS {
            for member in &members {
                assert_eq!(member.read(key).await, database.row(key));
            }
        }
        assert!(a.write(0).await.announced());
    }
}

#[tokio::test]
async fn a_redis_that_stands_still_stops_the_proofs_and_costs_nothing_else() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.unwrap();
    let database = Database::default();
    let members = Member::start_three(&redis.url(), &database).await;
    fill(&members, &database).await;
    redis.pause();
    let is_proven =
        |member: &Member| member.rows.get_within(&1, member.node.now(), Duration::from_millis(500)).is_some();
    until("nothing is proven", || !members.iter().any(is_proven)).await;
    let reads = database.reads();
    assert_eq!(members.iter().map(held).sum::<usize>(), 3 * KEYS as usize, "plain reads go on");
    redis.resume();
    until("all prove again", || members.iter().all(Member::proves)).await;
    assert_eq!(members.iter().map(held).sum::<usize>(), 3 * KEYS as usize);
    assert!(members.iter().all(is_proven), "what was there all the time is proven again");
    assert_eq!(database.reads(), reads, "nothing was loaded again");
}

#[tokio::test]
async fn subscribers_that_are_killed_miss_a_write_and_repair_it() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.unwrap();
    let database = Database::default();
    let members = Member::start_three(&redis.url(), &database).await;
    fill(&members, &database).await;
    let [a, b, c] = &members;
    for key in 0..10 {
        redis.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await.unwrap();
        let _ = a.write(key).await;
        until("it is gone at both", || b.hit(key).is_none() && c.hit(key).is_none()).await;
        until("all prove again", || members.iter().all(Member::proves)).await;
    }
    assert_eq!([held(b), held(c)], [KEYS as usize - 10; 2]);
}

#[tokio::test]
async fn a_replica_takes_over_and_nobody_is_ended_for_it() {
    needs!(Program::RedisServer);
    let mut master = Redis::start().await.unwrap();
    let replica = Redis::options().replica_of(&master).start().await.unwrap();
    replica.until_info("master_link_status", "up").await.unwrap();
    let sentinel = Sentinel::watch("shop", &master, 1).await.unwrap();
    let database = Database::default();
    let url = format!("redis+sentinel://{}/shop", sentinel.address());
    let members = Member::start_three(&url, &database).await;
    fill(&members, &database).await;
    let streams: Vec<_> = members.iter().map(|member| member.node.status().stream).collect();
    let [a, b, c] = &members;
    master.kill();
    let _ = a.write(0).await;
    until("the write is gone at both", || b.hit(0).is_none() && c.hit(0).is_none()).await;
    until("all prove again", || members.iter().all(Member::proves)).await;
    assert_eq!([held(b), held(c)], [KEYS as usize - 1; 2]);
    let after: Vec<_> = members.iter().map(|member| member.node.status().stream).collect();
    assert_eq!(after, streams, "each goes on as who it was");
}

#[tokio::test]
async fn a_node_that_dies_is_ended_by_the_arbiter_and_what_it_may_have_written_is_distrusted() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.unwrap();
    let database = Database::default();
    let [a, b, c] = Member::start_three(&redis.url(), &database).await;
    fill(&[a.clone(), b.clone()], &database).await;
    // As a killed process: its runtime is gone, and it says nothing.
    drop(c);
    let (to_end, dead) = std::sync::mpsc::channel();
    let url = redis.url();
    let lost = database.clone();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let d = Member::start(&url, "d", &lost).await;
            until("d proves", || d.proves()).await;
            // It commits, and dies before it can tell.
            lost.raise(7);
            to_end.send(()).unwrap();
        });
        runtime.shutdown_background();
    });
    tokio::task::spawn_blocking(move || dead.recv().unwrap()).await.unwrap();
    assert_eq!([held(&a), held(&b)], [KEYS as usize; 2], "nobody can know yet");
    let is_alone = |member: &Member| {
        let names: Vec<_> = member.node.status().members.iter().map(|other| other.name.to_string()).collect();
        names.iter().all(|name| name == "a" || name == "b")
    };
    until("only a and b are left", || is_alone(&a) && is_alone(&b)).await;
    until("both prove again", || a.proves() && b.proves()).await;
    for member in [&a, &b] {
        let is_suspect = |key| matches!(member.rows.lookup(&key), Lookup::Suspect(_));
        assert!((0..KEYS).all(is_suspect), "nothing is dropped, but nothing is trusted");
        for key in 0..KEYS {
            assert_eq!(member.read(key).await, database.row(key));
        }
        assert!(!(0..KEYS).any(is_suspect), "what was loaded is trusted");
    }
    assert!(a.write(1).await.announced());
    until("it is gone", || b.hit(1).is_none()).await;
}

#[tokio::test]
async fn a_backplane_tells_its_health_while_a_node_has_it() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.unwrap();
    let settings = unstale_redis::Settings::parse(&redis.url()).unwrap();
    let backplane = RedisBackplane::builder(settings).start().unwrap();
    let pulse = backplane.pulse();
    let node = unstale::Node::builder("shop").name("a").backplane(backplane).start().await.unwrap();
    until("it is up", || pulse.read().state == unstale_redis::State::Up).await;
    redis.pause();
    until("it is down", || pulse.read().state == unstale_redis::State::Down).await;
    redis.resume();
    until("it is up", || pulse.read().state == unstale_redis::State::Up).await;
    node.shutdown().await.unwrap();
}
