//! What is found of unstale itself.

use serde_json::json;
use unstale::Node;
use unstale_port::Store;
use unstale_redis::{Connection, RedisBackplane, RedisStore, RedisStoreOptions, Settings};
use unstale_servers::{Program, Redis, needs};

use crate::{examine, says};

#[tokio::test]
async fn a_store_of_unstale_is_described_by_its_marks() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let connection = Connection::open(Settings::parse(&redis.url()).expect("a URL"));
    connection.until_up().await;
    let options =
        RedisStoreOptions { namespace: "shop".to_owned(), shards: Some(2), ..RedisStoreOptions::default() };
    let store = RedisStore::with(&connection, options).expect("sound options");
    // Marks of a tag are in each shard.
    store.raise(Some("users"), Some("vip".into()), 1).await.expect("marked");
    let examined = examine(&[&redis.url()], &[]).await;
    assert_eq!(examined.code, Some(0), "{}", examined.text);
    let found = examined.check("store");
    assert_eq!((&found["namespace"], &found["shards_chosen"]), (&json!("shop"), &json!(2)), "{found}");
    assert!(says(found).contains("users"), "{found}");
}

#[tokio::test]
async fn members_of_a_group_are_listed_with_their_leases() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let settings = Settings::parse(&redis.url()).expect("a URL");
    let mut nodes = Vec::new();
    for name in ["a", "b"] {
        let backplane = RedisBackplane::builder(settings.clone()).group("shop").start().expect("sound");
        nodes.push(Node::builder("shop").name(name).backplane(backplane).start().await.expect("it starts"));
    }
    for node in &nodes {
        node.joined().await.expect("it joins");
    }
    let examined = examine(&[&redis.url(), "--read-only"], &[]).await;
    let register = examined.check("register");
    assert_eq!(
        (&register["group"], &register["status"]),
        (&json!("unstale:shop"), &json!("ok")),
        "{register}"
    );
    let members = register["members"].as_array().expect("members");
    assert_eq!(members.len(), 2, "{register}");
    assert!(
        members.iter().all(|member| member["renewed"] == true && member["stream"].is_string()),
        "{register}"
    );
}

#[tokio::test]
async fn keys_of_others_that_are_named_alike_are_no_findings() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    for command in [
        &["SET", "{user:1}:m", "x"][..],
        &["HSET", "{user:2}:m", "g", "short", "n", "1", "s", "1"],
        &["HSET", "{user:3}:m", "mail", "x"],
        &["SET", "{user:1}:register", "x"],
        &["HSET", "{user:2}:register", "since", "2020"],
    ] {
        redis.command(command).await.expect("set");
    }
    let examined = examine(&[&redis.url(), "--read-only"], &[]).await;
    assert_eq!(examined.named("store").count() + examined.named("register").count(), 0, "{}", examined.text);
    assert_eq!(examined.code, Some(0), "{}", examined.text);
}
