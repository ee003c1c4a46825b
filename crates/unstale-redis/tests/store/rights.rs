//! What a store's user has to be allowed.

use unstale_port::{Condition, Error, Store};
use unstale_redis::{Connection, RedisStore, RedisStoreOptions, Settings};
use unstale_servers::{Cluster, Program, Redis, needs};

use crate::world::{LOAD, USERS, at_once, record};

/// What docs/redis.md says that a store needs.
const KEYS: &str = "resetchannels ~{unstale:*}:* -@all";
const CONNECTION: &str = "+hello +select +ping";
const STORE: &str = "+fcall +function|load +set +mget +time +get +del +unlink +rename +getrange +setrange +hmget +hset \
    +hlen +hkeys";
const CLUSTER: &str = "+cluster|slots";

/// Gives the user these rights and no others.
async fn allow(server: &Redis, rights: &[&str]) {
    let command = format!("ACL SETUSER app reset on >pw {KEYS} {}", rights.join(" "));
    server.command(&command.split_whitespace().collect::<Vec<_>>()).await.expect("a user");
}

async fn open(url: &str) -> RedisStore {
    let connection = Connection::open(Settings::parse(url).expect("a URL"));
    connection.until_up().await;
    // Two tags are one too many: the older ones move on.
    RedisStore::with(&connection, RedisStoreOptions { tags_max: 1, ..at_once() }).expect("a store")
}

/// Whatever a store does: fills, hits by the library and by plain commands, turns, ends of every kind.
async fn do_all(store: &RedisStore) -> Result<(), Error> {
    for key in ["a", "b"].map(Into::into) {
        let lease = store.get(USERS, std::slice::from_ref(&key), LOAD).await?[0].lease;
        store.put(USERS, key.clone(), record("v", 1, &["t", "u"]), Condition::Lease(lease)).await?;
        for _ in 0..2 {
            let found = store.get(USERS, std::slice::from_ref(&key), LOAD).await?;
            assert!(found[0].record.is_some());
        }
    }
    store.expire(USERS, &["a".into()], 2).await?;
    let lease = store.get(USERS, &["a".into()], LOAD).await?[0].lease;
    store.release(USERS, "a".into(), lease).await?;
    store.remove(USERS, &["b".into()], 3).await?;
    for (stamp, tag) in (4..).zip(["t", "u", "v"]) {
        store.raise(Some(USERS), Some(tag.into()), stamp).await?;
        store.raise(None, Some(tag.into()), stamp).await?;
    }
    store.raise(Some(USERS), None, 8).await?;
    store.raise(None, None, 9).await
}

#[tokio::test]
async fn a_store_needs_the_rights_of_the_guide_and_each_of_them() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let url = format!("redis://app:pw@{}/1", redis.address());
    allow(&redis, &[CONNECTION, STORE]).await;
    do_all(&open(&url).await).await.expect("it may");
    let store = open(&url).await;
    for right in STORE.split_whitespace() {
        redis.command(&["FLUSHALL"]).await.expect("flushed");
        redis.command(&["FUNCTION", "FLUSH"]).await.expect("flushed");
        allow(&redis, &[CONNECTION, STORE, &right.replacen('+', "-", 1)]).await;
        let error = do_all(&store).await.expect_err(right);
        // The second is what a function is told, which runs with its caller's rights.
        let is_told =
            ["NOPERM", "can't run this command"].iter().any(|told| error.to_string().contains(told));
        assert!(is_told, "{right}: {error}");
    }
    let guide: Vec<_> = include_str!("../../../../docs/redis.md").split_whitespace().collect();
    for rights in [format!("{KEYS} {CONNECTION} {STORE}"), CLUSTER.to_owned()] {
        let rights: Vec<_> = rights.split_whitespace().collect();
        assert!(guide.windows(rights.len()).any(|words| words == rights), "not in the guide: {rights:?}");
    }
}

#[tokio::test]
async fn a_store_on_a_cluster_needs_one_right_more() {
    needs!(Program::RedisServer);
    let cluster = Cluster::start(3).await.expect("it starts");
    for master in &cluster.masters {
        allow(master, &[CONNECTION, STORE, CLUSTER]).await;
    }
    let store = open(&format!("redis+cluster://app:pw@{}", cluster.addresses().join(","))).await;
    do_all(&store).await.expect("it may");
}
