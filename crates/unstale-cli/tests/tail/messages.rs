//! What is shown of messages, and of what is none.

use serde_json::json;
use unstale_servers::{Program, Redis, needs};

use crate::{Tail, publish};

/// `user:42` was set at 2026-01-01T00:00:01Z, as docs/formats/fusion.md has it.
fn set(key: &str) -> Vec<u8> {
    let mut bytes = vec![0];
    for part in ["0HNI8P2QFG000", key] {
        if part == key {
            bytes.extend(639_028_224_010_000_000_i64.to_le_bytes());
            bytes.push(1);
        }
        bytes.extend((part.len() as u32).to_le_bytes());
        bytes.extend(part.as_bytes());
    }
    bytes
}

#[tokio::test]
async fn each_message_is_a_line_with_its_fields() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let mut tail = Tail::start(&redis, &["--count", "3"]).await;
    publish(&redis, "Products.Backplane:v2", &set("user:42")).await;
    publish(&redis, "Products.Backplane:v2", &set("shop:__fc:t:vip")).await;
    publish(&redis, "Safe-Backplane-v2", &set("__fc-t--exp")).await;
    let line = tail.next().await;
    for (name, value) in [
        ("event", json!("message")),
        ("channel", json!("Products.Backplane:v2")),
        ("source_id", json!("0HNI8P2QFG000")),
        ("timestamp_ticks", json!(639_028_224_010_000_000_i64)),
        ("action", json!(1)),
        ("action_name", json!("EntrySet")),
        ("cache_key", json!("user:42")),
        ("subject", json!("key")),
    ] {
        assert_eq!(line[name], value, "{name} of {line}");
    }
    assert!(line["lag_ms"].as_f64().expect("a figure") > 1e9, "{line}");
    let tag = tail.next().await;
    assert_eq!((&tag["subject"], &tag["tag"]), (&json!("tag"), &json!("vip")), "{tag}");
    assert_eq!(tail.next().await["subject"], "clear_expire");
    let summary = tail.next().await;
    assert_eq!(summary["messages"], 3, "{summary}");
    assert_eq!(summary["by_action"], json!({"set": 1, "tag": 1, "clear_expire": 1}), "{summary}");
    assert!(summary["per_second"].as_f64().expect("a figure") > 0.0);
    assert_eq!(tail.end().await.code(), Some(0));
}

#[tokio::test]
async fn what_is_no_message_is_shown_as_it_is_and_ends_nothing() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let mut tail = Tail::start(&redis, &[]).await;
    let whole = set("user:42");
    publish(&redis, "a.Backplane:v2", &whole[..20]).await;
    publish(&redis, "a.Backplane:v2", &[0xff, 0xfe]).await;
    publish(&redis, "a.Backplane:v2", &vec![7; 10_000]).await;
    publish(&redis, "a.Backplane:v2", &whole).await;
    let cut = tail.next().await;
    assert_eq!((&cut["event"], &cut["bytes"]), (&json!("undecodable"), &json!(20)), "{cut}");
    assert!(cut["hex"].as_str().expect("digits").starts_with("000d000000"), "{cut}");
    assert!(cut["error"].as_str().is_some_and(|error| !error.is_empty()) && cut["offset"].is_u64(), "{cut}");
    assert_eq!(tail.next().await["hex"], "fffe");
    let long = tail.next().await;
    assert_eq!((&long["bytes"], long["hex"].as_str().map(str::len)), (&json!(10_000), Some(8_192)));
    assert_eq!(tail.next().await["cache_key"], "user:42");
}

#[tokio::test]
async fn only_the_channels_that_were_asked_for_are_followed() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let mut by_name = Tail::start(&redis, &["--cache-name", "Products"]).await;
    let mut by_channel = Tail::start(&redis, &["--channel", "odd", "--channel", "even"]).await;
    for channel in ["Other.Backplane:v2", "Products.Backplane:v2", "odd", "even"] {
        publish(&redis, channel, &set("a")).await;
    }
    assert_eq!(by_name.next().await["channel"], "Products.Backplane:v2");
    assert_eq!(by_channel.next().await["channel"], "odd");
    assert_eq!(by_channel.next().await["channel"], "even");
}
