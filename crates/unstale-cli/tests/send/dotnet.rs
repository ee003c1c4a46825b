//! That live nodes of .NET obey.

use serde_json::{Value, json};
use unstale_servers::{FusionNode, Program, Redis, needs};

use crate::send;

const NAMES: [&str; 4] = ["--key-prefix", "shop:", "--serializer", "messagepack"];

/// Two nodes that have both cached `a` and `b`, the first one with a tag.
async fn estate(redis: &Redis) -> [FusionNode; 2] {
    let mut first = start(redis).await;
    let mut second = start(redis).await;
    for (key, tags) in [("a", json!(["vip"])), ("b", json!([]))] {
        let set = json!({"op": "set", "key": key, "value": "old", "tags": tags, "duration_ms": 600_000, "fail_safe_ms": 6_000_000});
        first.ask(&set).await.expect("set");
    }
    for key in ["a", "b"] {
        assert_eq!(get(&mut second, key).await["value"], "old");
    }
    [first, second]
}

async fn start(redis: &Redis) -> FusionNode {
    FusionNode::start(&redis.address(), &[&NAMES[..], &["--cache-name", "Products"]].concat())
        .await
        .expect("it starts")
}

async fn get(node: &mut FusionNode, key: &str) -> Value {
    node.ask(&json!({"op": "get", "key": key, "fail_safe_ms": 6_000_000})).await.expect("an answer")
}

/// Waits until the node has heard of something.
async fn until_gone(node: &mut FusionNode, key: &str) {
    let wait = json!({"op": "wait_gone", "key": key, "timeout_ms": 30_000});
    assert_eq!(node.ask(&wait).await.expect("an answer")["gone"], true, "{key} is still served");
}

async fn act(redis: &Redis, arguments: &[&str]) -> Value {
    let told =
        send(redis, &[&["--cache", "Products", "--key-prefix", "shop:"][..], arguments].concat()).await;
    assert_eq!(told["received"], 2, "{told}");
    told
}

#[tokio::test]
async fn a_key_is_gone_from_every_node_and_from_redis() {
    needs!(Program::RedisServer);
    needs!(Program::FusionNode);
    let redis = Redis::start().await.expect("it starts");
    for action in ["remove", "expire", "set"] {
        let mut nodes = estate(&redis).await;
        assert_eq!(act(&redis, &["--key", "a", "--action", action]).await["level"], "deleted");
        for node in &mut nodes {
            until_gone(node, "a").await;
            assert_eq!(get(node, "a").await["hit"], false, "{action}");
            assert_eq!(get(node, "b").await["hit"], true, "{action} was of another key");
        }
    }
}

#[tokio::test]
async fn a_tag_and_a_clear_end_what_they_name_also_for_a_node_that_comes_later() {
    needs!(Program::RedisServer);
    needs!(Program::FusionNode);
    let redis = Redis::start().await.expect("it starts");
    let mut nodes = estate(&redis).await;
    let told = act(&redis, &["--tag", "vip"]).await;
    assert_eq!((&told["level"], &told["serializer"]), (&json!("marked"), &json!("messagepack")), "{told}");
    for node in &mut nodes {
        until_gone(node, "a").await;
        assert_eq!(get(node, "b").await["hit"], true);
    }
    act(&redis, &["--clear"]).await;
    for node in &mut nodes {
        until_gone(node, "b").await;
    }
    drop(nodes);
    // It reads the entries and the marks from Redis alone.
    let mut cold = start(&redis).await;
    for key in ["a", "b"] {
        assert_eq!(get(&mut cold, key).await["hit"], false, "{key}");
    }
}
