//! How it ends, and how it goes on.

use rustix::process::Signal;
use unstale_servers::{Data, Program, Redis, needs};

use crate::{Tail, publish};

#[tokio::test]
async fn signals_end_it_with_the_counts() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    for signal in [Signal::INT, Signal::TERM] {
        let mut tail = Tail::start(&redis, &[]).await;
        publish(&redis, "a.Backplane:v2", b"no message").await;
        tail.until("undecodable").await;
        tail.signal(signal);
        let summary = tail.next().await;
        assert_eq!((&summary["event"], &summary["undecodable"]), (&"summary".into(), &1.into()), "{summary}");
        assert_eq!(tail.end().await.code(), Some(0));
    }
}

#[tokio::test]
async fn a_time_ends_it_also_where_nothing_comes() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let mut tail = Tail::start(&redis, &["--seconds", "1"]).await;
    let summary = tail.next().await;
    assert_eq!((&summary["event"], &summary["messages"]), (&"summary".into(), &0.into()));
    assert!(summary["lag_ms_p50"].is_null(), "{summary}");
    assert_eq!(tail.end().await.code(), Some(0));
}

#[tokio::test]
async fn a_lost_connection_is_a_gap_and_no_end() {
    needs!(Program::RedisServer);
    let mut redis = Redis::start().await.expect("it starts");
    let mut tail = Tail::start(&redis, &["--count", "1"]).await;
    redis.kill();
    let gap = tail.next().await;
    assert_eq!(gap["event"], "gap", "{gap}");
    redis.restart(Data::Emptied).await.expect("it starts");
    let again = tail.next().await;
    assert_eq!(again["event"], "listening", "{again}");
    assert!(again["gap_ms"].as_f64().expect("a figure") > 0.0, "{again}");
    publish(&redis, "a.Backplane:v2", b"x").await;
    tail.until("undecodable").await;
    assert_eq!(tail.next().await["gaps"], 1);
}

#[tokio::test]
async fn a_gap_that_lasts_to_the_end_is_counted() {
    needs!(Program::RedisServer);
    let mut redis = Redis::start().await.expect("it starts");
    let mut tail = Tail::start(&redis, &[]).await;
    redis.kill();
    assert_eq!(tail.next().await["event"], "gap");
    tail.signal(Signal::TERM);
    let summary = tail.next().await;
    assert_eq!((&summary["event"], &summary["gaps"]), (&"summary".into(), &1.into()), "{summary}");
}

#[tokio::test]
async fn a_stream_that_cannot_be_read_is_a_gap_until_it_can() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let stream = unstale_redis::Overheard::stream("unstale", "shop");
    redis.command(&["SET", &stream, "no stream"]).await.expect("set");
    let mut tail = Tail::start(&redis, &["--codec", "native", "--group", "shop"]).await;
    let gap = tail.next().await;
    assert_eq!(gap["event"], "gap", "{gap}");
    assert!(gap["why"].as_str().is_some_and(|why| why.contains("WRONGTYPE")), "{gap}");
    redis.command(&["DEL", &stream]).await.expect("deleted");
    let again = tail.next().await;
    assert!(again["event"] == "listening" && again["gap_ms"].is_f64(), "{again}");
    redis.command(&["XADD", &stream, "*", "m", "no message"]).await.expect("added");
    assert_eq!(tail.next().await["event"], "undecodable");
    tail.signal(Signal::TERM);
    assert_eq!(tail.next().await["gaps"], 1);
}

#[tokio::test]
async fn a_server_that_is_not_there_to_begin_with_is_69_and_bad_usage_64() {
    needs!(Program::RedisServer);
    let mut redis = Redis::start().await.expect("it starts");
    let url = redis.url();
    redis.kill();
    assert_eq!(Tail::of(&url, &[]).end().await.code(), Some(69));
    for (url, arguments) in [
        (url.as_str(), &["--group", "shop"][..]),
        (&url, &["--prefix", "shop"]),
        (&url, &["--all"]),
        (&url, &["--codec", "native", "--channel", "a", "--prefix", "shop"]),
        (&url, &["--channel", "a", "--cache-name", "b"]),
        (&url, &["--codec", "else"]),
        ("redis://:pw@h", &[]),
        ("nowhere", &[]),
    ] {
        assert_eq!(Tail::of(url, arguments).end().await.code(), Some(64), "{url} {arguments:?}");
    }
}
