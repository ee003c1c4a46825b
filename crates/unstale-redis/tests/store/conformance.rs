//! The suite of stores, over one server and over a cluster.

use std::time::Duration;

use bytes::Bytes;
use unstale_conformance::{StoreFixture, store as promises};
use unstale_port::{Condition, Intent, Store, Written};
use unstale_redis::{Connection, RedisStore, RedisStoreOptions, Settings};
use unstale_servers::{Cluster, Program, Redis};

use crate::world::{LOAD, USERS, at_once, connected, pass, record};

/// Each store on a server of its own.
#[derive(Default)]
struct OnServer(Vec<Redis>);

impl StoreFixture for OnServer {
    type Store = RedisStore;

    async fn start(&mut self) -> RedisStore {
        let server = Redis::start().await.unwrap();
        let store = connected(&server, at_once()).await;
        self.0.push(server);
        // From here on reads are plain commands.
        store.get("any", &[], Intent::Read).await.unwrap();
        store
    }

    async fn pass(&mut self, time: Duration) {
        pass(time).await;
    }
}

/// Each store on a server of its own, spread as over a cluster.
#[derive(Default)]
struct Sharded(Vec<Redis>);

impl StoreFixture for Sharded {
    type Store = RedisStore;

    async fn start(&mut self) -> RedisStore {
        let server = Redis::start().await.unwrap();
        let store = connected(&server, RedisStoreOptions { shards: Some(16), ..at_once() }).await;
        self.0.push(server);
        store
    }

    async fn pass(&mut self, time: Duration) {
        pass(time).await;
    }
}

/// Stores of one cluster that know nothing of each other.
struct OnCluster {
    connection: Connection,
    stores: u32,
}

impl StoreFixture for OnCluster {
    type Store = RedisStore;

    async fn start(&mut self) -> RedisStore {
        self.stores += 1;
        let namespace = format!("store {}", self.stores);
        RedisStore::with(&self.connection, RedisStoreOptions { namespace, ..at_once() }).unwrap()
    }

    async fn pass(&mut self, time: Duration) {
        pass(time).await;
    }
}

mod server {
    use super::*;

    unstale_conformance::store_suite!(OnServer::default(), if |test| Program::RedisServer.is_here_for(test));
}

mod sharded {
    use super::*;

    unstale_conformance::store_suite!(Sharded::default(), if |test| Program::RedisServer.is_here_for(test));
}

#[tokio::test]
async fn a_cluster_keeps_the_promises_over_all_its_masters() {
    unstale_servers::needs!(Program::RedisServer);
    let cluster = Cluster::start(3).await.unwrap();
    let url = format!("redis+cluster://{}", cluster.addresses().join(","));
    let connection = Connection::open(Settings::parse(&url).unwrap());
    connection.until_up().await;
    let mut fixture = OnCluster { connection, stores: 0 };
    promises::what_was_filled_is_found_with_all_that_it_carries(&mut fixture).await;
    promises::keys_are_answered_in_order_and_caches_are_apart(&mut fixture).await;
    promises::a_lease_from_before_a_change_fills_nothing(&mut fixture).await;
    promises::a_tag_raised_everywhere_ends_it_in_every_cache(&mut fixture).await;
    promises::one_reader_at_a_time_has_the_turn_to_load(&mut fixture).await;
    promises::a_key_named_twice_is_one_turn(&mut fixture).await;
    let store = fixture.start().await;
    let keys: Vec<Bytes> = (0..200).map(|key| format!("k{key}").into()).collect();
    for (stamp, key) in (1..).zip(&keys) {
        let written =
            store.put(USERS, key.clone(), record("v", stamp, &["t"]), Condition::Newer).await.unwrap();
        assert_eq!(written, Written::Stored);
    }
    let there = async || {
        let found = store.get(USERS, &keys, LOAD).await.unwrap();
        found.iter().filter(|found| found.record.is_some()).count()
    };
    assert_eq!(there().await, 200);
    for master in &cluster.masters {
        let size = master.command(&["DBSIZE"]).await.unwrap().number().unwrap();
        assert!(size > 30, "{size} keys on one of three masters");
    }
    store.raise(Some(USERS), Some("t".into()), 1_000).await.unwrap();
    assert_eq!(there().await, 0);
}
