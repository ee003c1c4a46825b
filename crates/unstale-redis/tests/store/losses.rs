//! What a server may lose, one thing after the other: what is ended stays ended, and late writers are refused.

use std::time::Duration;

use unstale_port::{Condition, Intent, Kind, Lookup, Store, Turn, Written};
use unstale_redis::RedisStoreOptions;
use unstale_servers::{Data, Program, Redis, needs};

use crate::world::{LOAD, USERS, World, ask, at_once, connected, record, until, value};

/// Waits until the store's connection is there again.
async fn until_up(world: &World) {
    until("the server comes back", async || world.store.get(USERS, &[], Intent::Read).await.is_ok()).await;
}

#[tokio::test]
async fn after_a_flush_leases_are_void_and_old_stamps_wait_out_the_quarantine() {
    needs!(Program::RedisServer);
    let quarantine = Duration::from_millis(300);
    let world = World::with(RedisStoreOptions { quarantine, ..at_once() }).await;
    world.filled("a", &[]).await;
    let Lookup { lease, .. } = world.ask("b").await;
    world.remove("b", 100).await;
    let Lookup { lease: good, .. } = world.ask("c").await;
    world.server.command(&["FLUSHALL"]).await.unwrap();
    assert_eq!(world.fill("b", "old", lease).await, Written::Refused);
    assert_eq!(world.fill("c", "unknown", good).await, Written::Refused, "nobody knows any more");
    assert_eq!(world.value("a").await, None);
    // The removal is forgotten: a write that was on its way then must not be taken.
    assert_eq!(world.set("b", "late", 90).await, Written::Refused);
    until("the quarantine ends", async || world.set("b", "new", 110).await == Written::Stored).await;
    assert_eq!(world.value("b").await.as_deref(), Some("new"));
}

#[tokio::test]
async fn what_a_restarted_server_has_kept_is_not_served() {
    needs!(Program::RedisServer);
    // Its file may end before the last removals.
    let mut world = World::new().await;
    world.filled("a", &[]).await;
    let Lookup { lease, .. } = world.ask("b").await;
    world.server.kill();
    world.server.restart(Data::Kept).await.unwrap();
    let kept = world.server.command(&["EXISTS", "{unstale:0}:r005users:a"]).await.unwrap();
    assert_eq!(kept.number(), Some(1), "the server has it still");
    until_up(&world).await;
    for _ in 0..2 {
        assert_eq!(world.value("a").await, None);
    }
    assert_eq!(world.fill("b", "old", lease).await, Written::Refused);
    let Lookup { lease, .. } = world.ask("a").await;
    assert_eq!(world.fill("a", "new", lease).await, Written::Stored);
    assert_eq!(world.value("a").await.as_deref(), Some("new"));
}

#[tokio::test]
async fn a_turn_that_is_given_back_after_a_restart_vouches_for_nothing() {
    needs!(Program::RedisServer);
    // It is the one call of the library that does not look whose data it finds.
    let mut world = World::new().await;
    world.filled("a", &[]).await;
    let Lookup { lease, .. } = world.ask("b").await;
    world.server.kill();
    world.server.restart(Data::Kept).await.unwrap();
    until("the turn is given back", async || world.store.release(USERS, "b".into(), lease).await.is_ok())
        .await;
    assert_eq!(world.value("a").await, None);
}

#[tokio::test]
async fn what_one_shard_was_asked_after_a_restart_vouches_for_no_other() {
    const KEYS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
    needs!(Program::RedisServer);
    let mut world = World::with(RedisStoreOptions { shards: Some(16), ..at_once() }).await;
    for key in KEYS {
        world.filled(key, &[]).await;
    }
    world.server.kill();
    world.server.restart(Data::Kept).await.unwrap();
    let first = [KEYS[0].into()];
    until("the server comes back", async || world.store.get(USERS, &first, Intent::Read).await.is_ok()).await;
    for key in KEYS {
        assert_eq!(world.value(key).await, None, "{key}");
    }
}

#[tokio::test]
async fn a_server_that_comes_back_empty_takes_no_lease_from_before() {
    needs!(Program::RedisServer);
    let mut world = World::new().await;
    let Lookup { lease, .. } = world.ask("a").await;
    world.remove("a", 10).await;
    world.server.restart(Data::Emptied).await.unwrap();
    until_up(&world).await;
    assert_eq!(world.fill("a", "old", lease).await, Written::Refused);
    assert_eq!(world.value("a").await, None);
}

#[tokio::test]
async fn a_promoted_replica_serves_nothing_of_its_master() {
    needs!(Program::RedisServer);
    // It may not have got the last removals.
    let world = World::new().await;
    world.filled("a", &[]).await;
    let replica = Redis::options().replica_of(&world.server).start().await.unwrap();
    replica.until_info("master_link_status", "up").await.unwrap();
    let Lookup { lease, .. } = world.ask("b").await;
    world.server.command(&["WAIT", "1", "0"]).await.unwrap();
    replica.command(&["REPLICAOF", "NO", "ONE"]).await.unwrap();
    let store = connected(&replica, at_once()).await;
    assert_eq!(value(&ask(&store, "a").await), None);
    assert_eq!(value(&ask(&store, "a").await), None);
    let filled = store.put(USERS, "b".into(), record("old", 1, &[]), Condition::Lease(lease)).await.unwrap();
    assert_eq!(filled, Written::Refused);
}

#[tokio::test]
async fn a_master_that_got_back_older_data_notices() {
    needs!(Program::RedisServer);
    // Its process is the same, and so is the generation; but another server was master meanwhile, and lost something.
    let world = World::new().await;
    world.filled("a", &[]).await;
    let count = world.server.command(&["HGET", "{unstale:0}:m", "n"]).await.unwrap();
    let older = count.text().unwrap().parse::<u64>().unwrap();
    world.remove("a", 10).await;
    world.server.command(&["HSET", "{unstale:0}:m", "n", &older.to_string()]).await.unwrap();
    let Lookup { lease, .. } = world.ask("b").await;
    // The first call of the library that changes something notices.
    world.remove("c", 11).await;
    assert_eq!(world.fill("b", "old", lease).await, Written::Refused);
}

#[tokio::test]
async fn evicted_marks_end_everything() {
    needs!(Program::RedisServer);
    let world = World::new().await;
    world.filled("a", &["t"]).await;
    let Lookup { lease, .. } = world.ask("b").await;
    world.store.raise(Some(USERS), Some("t".into()), 10).await.unwrap();
    assert_eq!(world.lose(&["{unstale:0}:m"]).await, 1);
    assert_eq!(world.fill("b", "old", lease).await, Written::Refused);
    assert_eq!(world.value("a").await, None);
}

#[tokio::test]
async fn evicted_tags_end_all_that_is_tagged() {
    needs!(Program::RedisServer);
    let world = World::new().await;
    world.filled("tagged", &["t"]).await;
    world.filled("other", &["u"]).await;
    world.filled("none", &[]).await;
    world.store.raise(Some(USERS), Some("t".into()), 10).await.unwrap();
    assert_eq!(world.lose(&["{unstale:0}:mycusers", "{unstale:0}:cusers"]).await, 2);
    let mut there = Vec::new();
    for key in ["tagged", "other", "none"] {
        there.push(world.value(key).await.is_some());
    }
    assert_eq!(there, [false, false, true]);
    let Lookup { lease, .. } = world.ask("tagged").await;
    assert_eq!(world.put("tagged", record("new", 0, &["t"]), Condition::Lease(lease)).await, Written::Stored);
    for _ in 0..2 {
        assert_eq!(world.value("tagged").await.as_deref(), Some("new"));
    }
}

#[tokio::test]
async fn evicted_fences_refuse_what_may_be_older() {
    needs!(Program::RedisServer);
    let world = World::new().await;
    let Lookup { lease, .. } = world.ask("a").await;
    world.remove("a", 100).await;
    world.filled("b", &[]).await;
    assert_eq!(world.lose(&["{unstale:0}:f"]).await, 1);
    assert_eq!(world.fill("a", "old", lease).await, Written::Refused);
    assert_eq!(world.set("a", "late", 90).await, Written::Refused);
    assert_eq!(world.set("a", "new", 101).await, Written::Stored);
    assert_eq!(world.value("b").await.as_deref(), Some("old"), "what is there is still known");
}

#[tokio::test]
async fn what_readers_look_at_can_be_evicted_without_harm() {
    needs!(Program::RedisServer);
    let world = World::new().await;
    world.filled("a", &["t"]).await;
    world.filled("b", &["u"]).await;
    world.store.raise(Some(USERS), Some("t".into()), 10).await.unwrap();
    for copy in ["{unstale:0}:n", "{unstale:0}:cusers"] {
        for _ in 0..2 {
            world.lose(&[copy]).await;
            assert_eq!(world.value("a").await, None, "{copy}");
            assert_eq!(world.value("b").await.as_deref(), Some("old"), "{copy}");
        }
    }
}

#[tokio::test]
async fn an_evicted_record_takes_neither_old_leases_nor_old_stamps() {
    needs!(Program::RedisServer);
    let world = World::new().await;
    let Lookup { lease, .. } = world.ask("a").await;
    assert_eq!(world.set("a", "v1", 100).await, Written::Stored);
    assert_eq!(world.lose(&["{unstale:0}:r005users:a"]).await, 1);
    assert_eq!(world.fill("a", "old", lease).await, Written::Refused);
    assert_eq!(world.set("a", "late", 99).await, Written::Refused);
    assert_eq!(world.value("a").await, None);
}

#[tokio::test]
async fn an_evicted_turn_is_given_out_again_and_its_lease_stays_good() {
    needs!(Program::RedisServer);
    let world = World::new().await;
    world.remove("other", 1).await;
    let first = world.ask("a").await;
    assert_eq!([first.turn, world.ask("a").await.turn], [Turn::Yours, Turn::Taken]);
    assert_eq!(world.lose(&["{unstale:0}:r005users:a"]).await, 1);
    assert_eq!(world.ask("a").await.turn, Turn::Yours);
    assert_eq!(world.fill("a", "loaded", first.lease).await, Written::Stored);
}

#[tokio::test]
async fn a_server_without_its_library_gets_it_again() {
    needs!(Program::RedisServer);
    let world = World::new().await;
    world.filled("a", &[]).await;
    world.server.command(&["FUNCTION", "FLUSH"]).await.unwrap();
    world.remove("b", 10).await;
    // Its memory of what it saw went with it.
    assert_eq!(world.value("a").await, None);
    world.filled("c", &[]).await;
}

#[tokio::test]
async fn a_full_server_refuses_records_and_takes_removals() {
    needs!(Program::RedisServer);
    let world = World::new().await;
    world.filled("a", &["t"]).await;
    world.filled("b", &[]).await;
    world.filled("c", &[]).await;
    let Lookup { lease, .. } = world.ask("d").await;
    world.server.command(&["CONFIG", "SET", "maxmemory", "1"]).await.unwrap();
    let refused = world.store.put(USERS, "d".into(), record("v", 1, &[]), Condition::Lease(lease)).await;
    assert_eq!(refused.unwrap_err().kind(), Kind::Rejected);
    assert_eq!(world.value("b").await.as_deref(), Some("old"), "what is there can be read");
    assert_eq!(world.ask("e").await.turn, Turn::Yours);
    world.store.raise(Some(USERS), Some("t".into()), 10).await.unwrap();
    world.remove("b", 11).await;
    world.store.expire(USERS, &["c".into()], 12).await.unwrap();
    assert_eq!([world.value("a").await, world.value("b").await], [None, None]);
    assert!(world.ask("c").await.record.is_some_and(|record| record.fresh_for.is_zero()));
}

#[tokio::test]
async fn another_number_of_shards_is_an_error() {
    needs!(Program::RedisServer);
    let world = World::new().await;
    world.filled("a", &[]).await;
    let other = RedisStoreOptions { shards: Some(2), ..at_once() };
    let store = connected(&world.server, other).await;
    let error = store.get(USERS, &["0".into(), "1".into(), "2".into()], LOAD).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
    assert!(error.to_string().contains("SHARDS are 1 and not 2"), "{error}");
}

#[tokio::test]
async fn stores_of_two_namespaces_and_databases_know_nothing_of_each_other() {
    needs!(Program::RedisServer);
    let world = World::new().await;
    world.filled("a", &[]).await;
    let elsewhere = RedisStoreOptions { namespace: "shop".to_owned(), ..at_once() };
    let namesake = connected(&world.server, elsewhere).await;
    assert_eq!(value(&ask(&namesake, "a").await), None);
    let url = format!("{}/3", world.server.url());
    let connection = unstale_redis::Connection::open(unstale_redis::Settings::parse(&url).unwrap());
    connection.until_up().await;
    let third = unstale_redis::RedisStore::with(&connection, at_once()).unwrap();
    assert_eq!(value(&ask(&third, "a").await), None);
    third.raise(None, None, 10).await.unwrap();
    assert_eq!(world.value("a").await.as_deref(), Some("old"), "the other database's calls are not its own");
    assert_eq!(world.set("b", "v", 2).await, Written::Stored);
}
