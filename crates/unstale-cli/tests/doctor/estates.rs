//! What is found of .NET FusionCache, by its live node.

use serde_json::json;
use unstale_servers::{FusionNode, Program, Redis, needs};

use crate::{Examined, examine, says};

async fn node(redis: &Redis, arguments: &[&str]) -> FusionNode {
    FusionNode::start(&redis.address(), arguments).await.expect("it starts")
}

/// The finding of this name about keys that look like this.
fn of<'a>(examined: &'a Examined, name: &str, keys_like: &str) -> &'a serde_json::Value {
    let mut found = examined.named(name).filter(|check| check["keys_like"] == keys_like);
    found.next().unwrap_or_else(|| panic!("no {name} of {keys_like} in {}", examined.text))
}

#[tokio::test]
async fn an_estate_that_is_all_dotnet_is_described() {
    needs!(Program::RedisServer);
    needs!(Program::FusionNode);
    let redis = Redis::start().await.expect("it starts");
    let names = ["--key-prefix", "shop:", "--redis-instance-name", "app:", "--serializer", "messagepack"];
    let mut first = node(&redis, &names).await;
    let _second = node(&redis, &names).await;
    for (key, tag) in [("user:1", "vip"), ("user:2", "plain"), ("user:3", "vip")] {
        let set = json!({"op": "set", "key": key, "value": "v", "tags": [tag], "duration_ms": 600_000});
        first.ask(&set).await.expect("set");
    }
    first.ask(&json!({"op": "remove_by_tag", "tag": "vip"})).await.expect("marked");
    let examined = examine(&[&redis.url()], &[]).await;
    assert_eq!(examined.code, Some(0), "{}", examined.text);
    let channel = examined.check("channel");
    assert_eq!(channel["channel"], "FusionCache.Backplane:v2");
    assert_eq!(channel["subscribers"], 2);
    let entries = of(&examined, "entries", "app:v2:*");
    assert_eq!(entries["status"], "ok", "{entries}");
    assert_eq!(entries["serializers"], json!({"messagepack": 3}), "{entries}");
    assert_eq!(entries["key_prefixes"], json!(["shop:"]));
    assert_eq!(entries["instance_name"], "app:");
    let marks = of(&examined, "marks", "app:v2:*");
    assert_eq!(
        (&marks["tags"], &marks["hidden"], &marks["status"]),
        (&json!(1), &json!(2), &json!("ok")),
        "{marks}"
    );
    assert_eq!(of(&examined, "life", "app:v2:*")["status"], "ok");
}

#[tokio::test]
async fn each_serializer_of_the_live_node_is_recognised_also_side_by_side() {
    needs!(Program::RedisServer);
    needs!(Program::FusionNode);
    let redis = Redis::start().await.expect("it starts");
    for serializer in ["stj", "newtonsoft", "messagepack"] {
        let instance = format!("{serializer}:");
        for instance in [&instance, "mixed:"] {
            let mut node =
                node(&redis, &["--serializer", serializer, "--redis-instance-name", instance]).await;
            let set = json!({"op": "set", "key": serializer, "value": "v", "duration_ms": 600_000});
            node.ask(&set).await.expect("set");
        }
    }
    let mut safe = node(&redis, &["--safe-strings", "--serializer", "stj"]).await;
    safe.ask(&json!({"op": "set", "key": "a", "value": "v", "duration_ms": 600_000})).await.expect("set");
    safe.ask(&json!({"op": "clear", "allow_fail_safe": true})).await.expect("cleared");
    let examined = examine(&[&redis.url()], &[]).await;
    for serializer in ["stj", "newtonsoft", "messagepack"] {
        let entries = of(&examined, "entries", &format!("{serializer}:v2:*"));
        assert_eq!(entries["serializers"], json!({serializer: 1}), "{entries}");
    }
    let mixed = of(&examined, "entries", "mixed:v2:*");
    assert_eq!(mixed["status"], "warn", "{mixed}");
    assert!(says(mixed).contains("one serializer"), "{mixed}");
    assert_eq!(of(&examined, "entries", "v2-*")["safe_strings"], true);
    let marks = of(&examined, "marks", "v2-*");
    assert!(marks["clear_expire"].is_string() && marks["hidden"] == 1, "{marks}");
}

#[tokio::test]
async fn holes_of_the_second_level_are_found_with_what_to_do() {
    needs!(Program::RedisServer);
    needs!(Program::FusionNode);
    let redis = Redis::start().await.expect("it starts");
    let mut node = node(&redis, &[]).await;
    let set =
        |key: &str| json!({"op": "set", "key": key, "value": "v", "tags": ["t"], "duration_ms": 86_400_000});
    for key in ["a", "b", "c"] {
        node.ask(&set(key)).await.expect("set");
    }
    node.ask(&json!({"op": "remove_by_tag", "tag": "t"})).await.expect("marked");
    // As if a node had died before EXPIRE; as if ten days less an hour had gone by; a clock an hour ahead.
    redis.command(&["PERSIST", "v2:a"]).await.expect("done");
    redis.command(&["EXPIRE", "v2:__fc:t:t", "3600"]).await.expect("done");
    let data =
        redis.command(&["HGET", "v2:b", "data"]).await.expect("an answer").text().expect("JSON").to_owned();
    let mut envelope: serde_json::Value = serde_json::from_str(&data).expect("JSON");
    envelope["Timestamp"] = json!(envelope["Timestamp"].as_i64().expect("ticks") + 36_000_000_000);
    redis
        .command(&["HSET", "v2:future", "absexp", "-1", "sldexp", "-1", "data", &envelope.to_string()])
        .await
        .expect("set");
    redis
        .command(&["HSET", "v2:broken", "absexp", "-1", "sldexp", "-1", "data", "no envelope"])
        .await
        .expect("set");
    let examined = examine(&[&redis.url(), "--read-only"], &[]).await;
    assert_eq!(examined.code, Some(0), "{}", examined.text);
    let life = of(&examined, "life", "v2:*");
    assert_eq!(
        (&life["forgotten"], &life["endless"], &life["example"]),
        (&json!(1), &json!(2), &json!("v2:a")),
        "{life}"
    );
    assert!(says(life).contains("EXPIRE"), "{life}");
    let marks = of(&examined, "marks", "v2:*");
    assert_eq!(
        (&marks["reviving"], &marks["hidden"], &marks["status"]),
        (&json!(3), &json!(3), &json!("warn")),
        "{marks}"
    );
    let ahead = of(&examined, "ahead", "v2:*");
    assert!((3_500_000..3_700_000).contains(&ahead["ahead_ms"].as_u64().expect("ms")), "{ahead}");
    assert_eq!(of(&examined, "entries", "v2:*")["unknown"], 1);
}

#[tokio::test]
async fn an_estate_that_nobody_listens_to_is_a_warning() {
    needs!(Program::RedisServer);
    needs!(Program::FusionNode);
    let redis = Redis::start().await.expect("it starts");
    let mut node = node(&redis, &["--no-backplane"]).await;
    node.ask(&json!({"op": "set", "key": "a", "value": "v", "duration_ms": 600_000})).await.expect("set");
    let examined = examine(&[&redis.url()], &[]).await;
    assert!(says(examined.check("channel")).contains("backplane"), "{}", examined.text);
    assert_eq!(examined.status("channel"), "warn");
}

#[tokio::test]
async fn keys_that_are_only_named_alike_are_left_alone() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    redis.command(&["SET", "api:v2:orders", "7"]).await.expect("set");
    redis.command(&["HSET", "v2:cart", "items", "3"]).await.expect("set");
    let examined = examine(&[&redis.url()], &[]).await;
    assert_eq!(examined.code, Some(0));
    assert_eq!(examined.named("entries").count(), 0, "{}", examined.text);
    assert_eq!(examined.check("keys")["keys"], 2);
}

#[tokio::test]
async fn a_large_server_is_looked_through_within_the_sample() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let fill = "for i = 1, 50000 do redis.call('HSET', 'v2:k' .. i, 'absexp', '-1', 'sldexp', '-1', 'data', ARGV[1]) end";
    let data = r#"{"v":"bar","t":639028224010000000,"l":639028224310000000}"#;
    redis.command(&["EVAL", fill, "0", data]).await.expect("filled");
    let examined = examine(&[&redis.url(), "--sample", "100"], &[]).await;
    let entries = of(&examined, "entries", "v2:*");
    assert_eq!((&entries["keys"], &entries["sampled"]), (&json!(50_000), &json!(100)), "{entries}");
}
