//! Sentinels and clusters.

use redis::Value;
use unstale_port::Kind;
use unstale_redis::{Connection, Role, Settings, State};
use unstale_servers::{Cluster, Program, Redis, Sentinel, needs};

use crate::{connected, run, until, up};

#[tokio::test]
async fn the_master_that_sentinels_name_is_followed_to_the_next() {
    needs!(Program::RedisServer);
    let mut master = Redis::start().await.expect("it starts");
    let replica = Redis::options().replica_of(&master).start().await.expect("it starts");
    replica.until_info("master_link_status", "up").await.expect("it follows");
    let sentinel = Sentinel::watch("shop", &master, 1).await.expect("it watches");
    // The first sentinel of the list is not there.
    let url = format!("redis+sentinel://127.0.0.1:1,{}/shop", sentinel.address());
    let connection = connected(&url).await;
    run(&connection, &["SET", "a", "1"]).await.expect("it takes writes");
    master.kill();
    until(&connection, State::Down).await;
    sentinel.until_master_is_not(master.port()).await.expect("a failover");
    until(&connection, State::Up).await;
    run(&connection, &["SET", "a", "2"]).await.expect("it takes writes");
    assert_eq!(replica.command(&["GET", "a"]).await.expect("an answer").text(), Some("2"));
}

#[tokio::test]
async fn a_service_that_no_sentinel_knows_is_an_error() {
    needs!(Program::RedisServer);
    let master = Redis::start().await.expect("it starts");
    let sentinel = Sentinel::watch("shop", &master, 0).await.expect("it watches");
    let url = format!("redis+sentinel://{}/elsewhere", sentinel.address());
    let connection = Connection::open(Settings::parse(&url).expect("a URL"));
    until(&connection, State::Down).await;
    let why = connection.health().last_error.expect("an error");
    assert!(why.contains("knows no master of `elsewhere`"), "{why}");
}

#[tokio::test]
async fn a_server_that_became_a_replica_is_left() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let other = Redis::start().await.expect("it starts");
    let connection = connected(&redis.url()).await;
    redis.command(&["REPLICAOF", "127.0.0.1", &other.port().to_string()]).await.expect("demoted");
    run(&connection, &["SET", "a", "1"]).await.expect_err("it takes no writes");
    until(&connection, State::Down).await;
    redis.command(&["REPLICAOF", "NO", "ONE"]).await.expect("promoted");
    until(&connection, State::Up).await;
    run(&connection, &["SET", "a", "1"]).await.expect("it takes writes");
}

#[tokio::test]
async fn keys_of_all_masters_of_a_cluster_are_reached() {
    needs!(Program::RedisServer);
    let cluster = Cluster::start(3).await.expect("it starts");
    let connection = connected(&format!("redis+cluster://{}", cluster.addresses().join(","))).await;
    assert!(connection.is_cluster());
    for key in 0..30 {
        run(&connection, &["SET", &key.to_string(), "1"]).await.expect("it is reached");
    }
    let mut held = 0;
    for master in &cluster.masters {
        let size = master.command(&["DBSIZE"]).await.expect("an answer").number().expect("a number");
        assert!(size > 0, "each has some");
        held += size;
    }
    assert_eq!(held, 30);
    assert_eq!(
        run(&connection, &["GET", "7"]).await.expect("it is reached"),
        Value::BulkString(b"1".to_vec())
    );
}

#[tokio::test]
async fn a_replica_is_taken_only_by_who_is_content_with_any() {
    needs!(Program::RedisServer);
    let master = Redis::start().await.expect("it starts");
    let replica = Redis::options().replica_of(&master).start().await.expect("it starts");
    let settings = Settings::parse(&replica.url()).expect("a URL");
    let error = settings.probe().await.expect_err("it takes no writes");
    assert_eq!(error.kind(), Kind::Unavailable, "{error}");
    let looking = settings.role(Role::Any);
    looking.probe().await.expect("it may be looked at");
    let connection = up(looking).await;
    run(&connection, &["GET", "a"]).await.expect("it answers");
}

#[tokio::test]
async fn each_node_of_a_cluster_can_be_come_to_alone() {
    needs!(Program::RedisServer);
    let cluster = Cluster::start(3).await.expect("it starts");
    let settings =
        Settings::parse(&format!("redis+cluster://{}", cluster.addresses().join(","))).expect("a URL");
    for master in &cluster.masters {
        let one = settings.clone().at(&master.address()).expect("an address");
        assert_eq!(one.to_string(), master.url());
        let connection = up(one).await;
        let id = run(&connection, &["CLUSTER", "MYID"]).await.expect("it answers");
        let own = master.command(&["CLUSTER", "MYID"]).await.expect("an answer");
        assert_eq!(id, Value::BulkString(own.text().expect("an id").as_bytes().to_vec()));
    }
    let error = settings.at("a b").expect_err("no address");
    assert_eq!(error.kind(), Kind::Config);
}
