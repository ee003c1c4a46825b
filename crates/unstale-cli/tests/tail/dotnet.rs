//! What the live node of .NET says.

use serde_json::{Value, json};
use unstale_servers::{FusionNode, Program, Redis, needs};

use crate::Tail;

#[tokio::test]
async fn each_act_of_the_live_node_is_understood() {
    needs!(Program::RedisServer);
    needs!(Program::FusionNode);
    let redis = Redis::start().await.expect("it starts");
    let arguments = ["--cache-name", "Products", "--key-prefix", "shop:", "--instance-id", "dotnet-1"];
    let mut node = FusionNode::start(&redis.address(), &arguments).await.expect("it starts");
    let mut tail = Tail::start(&redis, &[]).await;
    let mut seen = Vec::new();
    for request in [
        json!({"op": "set", "key": "a", "value": "v", "tags": ["vip"]}),
        json!({"op": "remove", "key": "a"}),
        json!({"op": "expire", "key": "a", "fail_safe_ms": 60_000}),
        json!({"op": "remove_by_tag", "tag": "vip"}),
        json!({"op": "clear", "allow_fail_safe": true}),
        json!({"op": "clear", "allow_fail_safe": false}),
    ] {
        node.ask(&request).await.expect("done");
        let line = tail.next().await;
        assert_eq!(line["source_id"], "dotnet-1", "{line}");
        let lag = line["lag_ms"].as_f64().expect("a figure");
        assert!((0.0..30_000.0).contains(&lag), "{line}");
        seen.push((
            line["subject"].clone(),
            line["action_name"].clone(),
            line["cache_key"].clone(),
            line["tag"].clone(),
        ));
    }
    let expected = [
        ("key", "EntrySet", "shop:a", Value::Null),
        ("key", "EntryRemove", "shop:a", Value::Null),
        ("key", "EntryExpire", "shop:a", Value::Null),
        ("tag", "EntrySet", "shop:__fc:t:vip", json!("vip")),
        ("clear_expire", "EntrySet", "shop:__fc:t:*", Value::Null),
        ("clear_remove", "EntrySet", "shop:__fc:t:!", Value::Null),
    ];
    let expected =
        expected.map(|(subject, action, key, tag)| (subject.into(), action.into(), key.into(), tag));
    assert_eq!(seen, expected);
}
