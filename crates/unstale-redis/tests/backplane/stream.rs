//! Frames for all over a stream: who was away reads on.

use std::time::Duration;

use bytes::Bytes;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use unstale_redis::{Connection, Settings};
use unstale_servers::{Data, Program, Redis, needs};

use crate::group::Group;

const STREAM: &str = "{unstale:shop}:stream";

/// Two members, of which the second one loses its connections and is left alone until the first has sent `count` frames.
async fn away(redis: &Redis, group: &mut Group, count: usize) {
    group.until_linked().await;
    group.tell_all(0, "before").await;
    group.nodes[1].heard.clear();
    group.nodes[1].is_paused = true;
    redis.command(&["CLIENT", "KILL", "TYPE", "normal"]).await.expect("it kills");
    redis.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await.expect("it kills");
    group.until("links down", |group| group.nodes[0].downs >= 2).await;
    for number in 0..count {
        group.until("room for a frame", |group| group.nodes[0].is_common_free).await;
        group.nodes[0].send_common(Bytes::from(format!("frame {number}")));
    }
    group.until("all are written", |group| group.nodes[0].is_common_free).await;
    group.nodes[1].is_paused = false;
}

#[tokio::test]
async fn who_was_away_hears_what_was_said_meanwhile_in_order_and_once() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let mut group = Group::with(&redis.url(), 2, |builder| builder.stream(10_000));
    away(&redis, &mut group, 500).await;
    group.until("all frames", |group| group.nodes[1].heard.len() >= 500).await;
    group.until_linked().await;
    group.tell_all(0, "after").await;
    let expected: Vec<_> = (0..500)
        .map(|number| Bytes::from(format!("frame {number}")))
        .chain([Bytes::from_static(b"after")])
        .collect();
    assert!(group.nodes[1].heard == expected, "lost, repeated or out of order");
    assert!(!group.nodes[1].has_note("stream-trimmed") && !group.nodes[1].has_note("frames-lost"));
}

#[tokio::test]
async fn who_was_away_for_longer_than_the_stream_keeps_is_told() {
    needs!(Program::RedisServer);
    // A node of a stream is trimmed as a whole: with one entry in each, the length is exact.
    let redis = Redis::options().config("stream-node-max-entries", "1").start().await.expect("it starts");
    let mut group = Group::with(&redis.url(), 2, |builder| builder.stream(20));
    away(&redis, &mut group, 500).await;
    group.until("the note", |group| group.nodes[1].has_note("stream-trimmed")).await;
    group.until_linked().await;
    group.tell_all(0, "after").await;
    assert!(group.nodes[1].heard.len() < 100, "{}", group.nodes[1].heard.len());
    let length = redis.command(&["XLEN", STREAM]).await.expect("an answer").number().expect("a number");
    assert!(length <= 21, "{length}");
}

#[tokio::test]
async fn a_stream_that_is_lost_is_noticed_and_goes_on() {
    needs!(Program::RedisServer);
    let mut redis = Redis::start().await.expect("it starts");
    let mut group = Group::with(&redis.url(), 2, |builder| builder.stream(10_000));
    group.until_linked().await;
    // Who has read nothing has lost nothing: each reads what the other says.
    group.tell_all(0, "before").await;
    group.tell_all(1, "before, too").await;
    redis.restart(Data::Emptied).await.expect("it starts again");
    group.until("the notes", |group| group.nodes.iter().all(|node| node.has_note("stream-lost"))).await;
    group.until_linked().await;
    group.tell_all(0, "after").await;
    group.tell_all(1, "and back").await;
}

#[tokio::test]
async fn a_newcomer_hears_nothing_of_before() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let mut group = Group::with(&redis.url(), 2, |builder| builder.stream(10_000));
    group.until_linked().await;
    group.tell_all(0, "before").await;
    let mut newcomer = Group::with(&redis.url(), 1, |builder| builder.stream(10_000)).nodes.remove(0);
    newcomer.member.entry.id = Bytes::from_static(b"newcomer");
    group.nodes.push(newcomer);
    group.until_linked().await;
    group.tell_all(0, "after").await;
    assert_eq!(group.nodes[2].heard, ["after"]);
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_is_passed_over() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let mut group = Group::with(&redis.url(), 2, |builder| builder.stream(10_000));
    group.until_linked().await;
    group.tell_all(0, "before").await;
    let settings = Settings::parse(&redis.url()).expect("a URL").response_timeout(Duration::from_secs(30));
    let stranger = Connection::open(settings);
    stranger.until_up().await;
    // Two that fit each, and are too much together.
    let large = vec![1_u8; 40 << 20];
    let mut pipeline = redis::Pipeline::new();
    pipeline.atomic();
    for _ in 0..2 {
        pipeline.cmd("XADD").arg(STREAM).arg("*").arg("m").arg(&large);
    }
    stranger.run_all("throw", &pipeline).await.expect("it may");
    group.until("links down", |group| group.nodes.iter().all(|node| node.downs > 0)).await;
    group.until_linked().await;
    group.tell_all(0, "after").await;
    group.tell_all(1, "and back").await;
}

#[tokio::test]
async fn a_server_that_was_full_for_long_takes_frames_again() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let mut group = Group::with(&redis.url(), 2, |builder| builder.stream(10_000));
    group.until_linked().await;
    group.tell_all(0, "before").await;
    redis.command(&["CONFIG", "SET", "maxmemory", "1"]).await.expect("set");
    // More than may be under way.
    let frame = Bytes::from(vec![7; 1 << 20]);
    for _ in 0..8 {
        group.until("room for a frame", |group| group.nodes[0].is_common_free).await;
        group.nodes[0].send_common(frame.clone());
    }
    let refusals = |group: &mut Group| {
        group.nodes[0].notes.iter().filter(|(noted, _)| *noted == "redis-refused").count()
    };
    group.until("a refusal of each", |group| refusals(group) == 8).await;
    redis.command(&["CONFIG", "SET", "maxmemory", "0"]).await.expect("set");
    group.tell_all(0, "after").await;
    assert!(group.nodes[1].has_note("frames-lost"), "{:?}", group.nodes[1].notes);
    assert_eq!(group.nodes[1].heard, ["before", "after"]);
}

/// Passes connections on, the third one to another server than the others.
async fn third_elsewhere(redis: &Redis, other: &Redis) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("redis://{}", listener.local_addr().expect("bound"));
    let (address, elsewhere) = (redis.address(), other.address());
    tokio::spawn(async move {
        for number in 1.. {
            let (mut near, _) = listener.accept().await.expect("it listens");
            let to = if number == 3 { &elsewhere } else { &address };
            let mut far = TcpStream::connect(to).await.expect("it is there");
            tokio::spawn(async move { copy_bidirectional(&mut near, &mut far).await });
        }
    });
    url
}

#[tokio::test]
async fn a_stream_of_another_server_is_not_read() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let other = Redis::start().await.expect("it starts");
    let url = third_elsewhere(&redis, &other).await;
    let mut group = Group::with(&url, 1, |builder| builder.stream(10_000));
    group.until("room for a frame", |group| group.nodes[0].is_common_free).await;
    let notes = &group.nodes[0].notes;
    assert!(notes.iter().any(|(_, detail)| detail.contains("two servers answered for one")), "{notes:?}");
}
