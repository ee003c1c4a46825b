//! What unstale nodes say to each other.

use serde_json::json;
use unstale_servers::{Program, Redis, needs};

use crate::{Tail, publish};

const ALL: &str = "{unstale:shop}:all";
const INBOX: &str = "{unstale:shop}:to:07070707070707070707070707070707";

/// A golden message of the native format.
fn golden(name: &str) -> Vec<u8> {
    let path = format!("{}/../unstale-codec/testdata/native/1/{name}.hex", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("it is there");
    let digits: Vec<u32> = text.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
}

/// As the backplane sends it, docs/formats/redis.md: for all, or over a link.
fn carried(kind: u8, frame: &[u8]) -> Vec<u8> {
    let numbers = if kind == 5 { 1 } else { 4 };
    [&[1, kind][..], &[7; 16], &vec![0; 8 * numbers], frame].concat()
}

#[tokio::test]
async fn each_act_of_a_frame_is_a_line_and_a_frame_sent_to_many_is_shown_once() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let mut tail = Tail::start(&redis, &["--codec", "native", "--count", "4"]).await;
    let (frame, again) = (carried(2, &golden("frame")), carried(5, &golden("frame")));
    publish(&redis, INBOX, &carried(3, b"")).await;
    publish(&redis, INBOX, &frame).await;
    publish(&redis, INBOX, &carried(2, &golden("beat"))).await;
    publish(&redis, ALL, &again).await;
    publish(&redis, ALL, &carried(5, &golden("frame-store-unsafe"))).await;
    let mut seen = Vec::new();
    for _ in 0..4 {
        let line = tail.next().await;
        assert_eq!(line["process"], json!("07".repeat(16)), "{line}");
        assert!(line["stream"].is_string() && line["lag_ms"].is_f64(), "{line}");
        seen.push((line["verb"].clone(), line["subject"].clone(), line["cache"].clone()));
    }
    let last = seen.pop().expect("four");
    assert_eq!(last, (json!("remove"), json!("key"), json!("users")), "of the second frame");
    assert_eq!(seen.len(), 3, "of the first frame, once");
    assert_eq!(tail.next().await["messages"], 4);
}

#[tokio::test]
async fn beats_are_shown_if_asked_for_and_bad_bytes_always() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let mut tail = Tail::start(&redis, &["--codec", "native", "--all"]).await;
    publish(&redis, INBOX, &carried(2, &golden("beat"))).await;
    publish(&redis, INBOX, &carried(2, b"\xff\xff")).await;
    publish(&redis, ALL, b"short").await;
    assert_eq!(tail.next().await["message"], "beat");
    let bad = tail.next().await;
    assert_eq!((&bad["event"], &bad["offset"]), (&json!("undecodable"), &json!(50)), "{bad}");
    assert_eq!(tail.next().await["hex"], "73686f7274");
}

#[tokio::test]
async fn the_stream_of_a_group_is_followed_and_other_caches_left_out() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let key = "{unstale:shop}:stream";
    redis.command(&["XADD", key, "*", "m", "from before"]).await.expect("added");
    let of_stream = ["--codec", "native", "--group", "shop", "--cache-name", "users"];
    let mut tail = Tail::start(&redis, &of_stream).await;
    // The reader of the stream begins beside the channels; what it says first shows that it has begun.
    let mut blocked = String::new();
    while !blocked.contains("cmd=xread") {
        blocked =
            redis.command(&["CLIENT", "LIST"]).await.expect("an answer").text().expect("text").to_owned();
    }
    redis.command(&["XADD", key, "*", "m", "no message"]).await.expect("added");
    let line = tail.next().await;
    assert_eq!((&line["event"], &line["channel"]), (&json!("undecodable"), &json!(key)), "{line}");
    publish(&redis, ALL, &carried(5, &golden("frame-store-unsafe"))).await;
    assert_eq!(tail.next().await["cache"], "users");
    publish(&redis, "{unstale:elsewhere}:all", &carried(5, &golden("frame"))).await;
    publish(&redis, ALL, b"last").await;
    assert_eq!(tail.next().await["hex"], "6c617374");
}
