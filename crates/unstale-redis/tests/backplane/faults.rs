//! Servers that die, stand still, hang up, and networks that go half open: links go down, come up, and carry frames.

use std::time::Duration;

use bytes::Bytes;
use unstale_redis::{Connection, Settings, State};
use unstale_servers::{Data, Program, Proxy, Redis, Way, needs};

use crate::group::Group;

/// All links of two members, and one to all at each.
const LINKS_OF_TWO: usize = 4;

/// Publishes as somebody who is no member.
async fn throw(redis: &Redis, channel: &str, message: &[u8]) {
    let stranger = Connection::open(Settings::parse(&redis.url()).expect("a URL"));
    stranger.until_up().await;
    let mut command = redis::Cmd::new();
    command.arg("PUBLISH").arg(channel).arg(message);
    stranger.run("throw", &command).await.expect("it may");
}

#[tokio::test]
async fn a_killed_server_costs_all_links_and_they_come_back_with_it() {
    needs!(Program::RedisServer);
    let mut redis = Redis::start().await.expect("it starts");
    let mut group = Group::of(&redis.url(), 2);
    group.until_linked().await;
    for _ in 0..2 {
        let downs = group.downs();
        redis.kill();
        group.until("all links down", |group| group.downs() == downs + LINKS_OF_TWO).await;
        let pulse = group.nodes[0].member.backplane.pulse();
        assert_eq!(pulse.read().state, State::Down);
        redis.restart(Data::Emptied).await.expect("it starts again");
        group.until_linked().await;
        assert_eq!(pulse.read().state, State::Up);
    }
    group.tell_all(0, "here again").await;
    group.tell_all(1, "so am i").await;
}

#[tokio::test]
async fn a_server_that_stands_still_is_noticed_within_two_seconds() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let mut group = Group::of(&redis.url(), 2);
    group.until_linked().await;
    redis.pause();
    let took = group.until("all links down", |group| group.downs() == LINKS_OF_TWO).await;
    assert!(took < Duration::from_secs(2), "{took:?}");
    redis.resume();
    group.until_linked().await;
    group.tell_all(0, "on it goes").await;
}

#[tokio::test]
async fn half_open_connections_are_noticed_within_two_seconds_each_way() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let proxy = Proxy::to(redis.address()).await.expect("a proxy");
    let mut group = Group::of(&proxy.url(), 2);
    for way in [Way::ToServer, Way::ToClient] {
        group.until_linked().await;
        let downs = group.downs();
        proxy.block(way);
        let took = group.until("all links down", |group| group.downs() == downs + LINKS_OF_TWO).await;
        assert!(took < Duration::from_secs(2), "{way:?}: {took:?}");
        proxy.heal();
        proxy.cut();
    }
    group.until_linked().await;
    group.tell_all(0, "both ways").await;
}

#[tokio::test]
async fn a_subscriber_that_is_killed_is_back_at_once() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let mut group = Group::of(&redis.url(), 3);
    group.until_linked().await;
    redis.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await.expect("it kills");
    group.until("links down", |group| group.nodes.iter().all(|node| node.downs > 0)).await;
    group.until_linked().await;
    group.tell_all(2, "once more").await;
}

#[tokio::test]
async fn a_subscriber_whose_buffer_overflows_at_the_server_loses_its_links_and_comes_back() {
    needs!(Program::RedisServer);
    let options = Redis::options().config("client-output-buffer-limit", "pubsub 1mb 0 0");
    let redis = options.start().await.expect("it starts");
    let mut group = Group::of(&redis.url(), 2);
    group.until_linked().await;
    group.nodes[1].is_paused = true;
    // More than its sockets and the server's buffer hold.
    let frame = Bytes::from(vec![7; 1 << 20]);
    for _ in 0..32 {
        group.until("room for a frame", |group| group.nodes[0].is_common_free).await;
        group.nodes[0].send_common(frame.clone());
    }
    group.nodes[1].is_paused = false;
    group.until("its links down", |group| group.nodes[1].downs >= 2).await;
    assert!(group.nodes[1].heard.len() < 32, "nothing was lost, so nothing overflowed");
    group.until_linked().await;
    group.tell_all(0, "after the flood").await;
}

#[tokio::test]
async fn a_message_that_is_far_too_large_costs_the_connection_and_no_memory() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let mut group = Group::of(&redis.url(), 2);
    group.until_linked().await;
    throw(&redis, "{unstale:shop}:all", &vec![1; 16 << 20]).await;
    group.until("all links down", |group| group.downs() >= LINKS_OF_TWO).await;
    assert!(group.nodes[0].notes[0].1.contains("too long"), "{:?}", group.nodes[0].notes);
    group.until_linked().await;
    group.tell_all(0, "it is over").await;
}

#[tokio::test]
async fn a_letter_with_more_than_a_frame_is_counted() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let mut group = Group::of(&redis.url(), 1);
    group.until("the common link", |group| group.nodes[0].is_common_free).await;
    let inboxes = redis.command(&["PUBSUB", "CHANNELS", "{unstale:shop}:to:*"]).await.expect("an answer");
    let inbox = inboxes.list()[0].text().expect("a name");
    // Version 1, data over a link, and a byte more than a frame may have after the head.
    let mut letter = vec![1, 2];
    letter.resize(50 + (1 << 20) + 1, 7);
    throw(&redis, inbox, &letter).await;
    group.until("the note", |group| group.nodes[0].has_note("message-strange")).await;
    assert_eq!(group.downs(), 0);
}

#[tokio::test]
async fn a_member_that_is_dropped_is_missed_by_nobody_for_long() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let mut group = Group::of(&redis.url(), 3);
    group.until_linked().await;
    drop(group.nodes.pop());
    let took =
        group.until("its links down", |group| group.nodes.iter().all(|node| node.links.len() == 1)).await;
    assert!(took < Duration::from_secs(1), "{took:?}");
    group.tell_all(0, "two are left").await;
}

#[tokio::test]
async fn a_frame_for_a_process_that_died_ends_its_link() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let proxy = Proxy::to(redis.address()).await.expect("a proxy");
    let mut group = Group::of(&redis.url(), 1);
    let mut lonely = Group::of(&proxy.url(), 1).nodes.pop().expect("one");
    lonely.member.entry.id = Bytes::from_static(b"lonely");
    group.nodes.push(lonely);
    group.until_linked().await;
    // As when a process is killed: its connections are closed, and it says nothing.
    proxy.block(Way::ToServer);
    proxy.cut();
    group.nodes[1].is_paused = true;
    // The harness itself is the third.
    redis.until_info("connected_clients", "3").await.expect("its connections are gone");
    let link = group.nodes[0].links[0];
    let node = &mut group.nodes[0];
    unstale_port::Backplane::send(&mut node.member, link, Bytes::from_static(b"anybody?")).expect("writable");
    group.until("the link down", |group| group.nodes[0].links.is_empty()).await;
}

#[tokio::test]
async fn a_server_that_forgot_the_script_is_told_it_again() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let mut group = Group::of(&redis.url(), 1);
    group.until("a listing", |group| group.nodes[0].member.listing.is_some()).await;
    redis.command(&["SCRIPT", "FLUSH"]).await.expect("flushed");
    let before = group.nodes[0].listing().reading;
    group.until("later listings", |group| group.nodes[0].listing().reading > before + 5).await;
    assert_eq!(group.downs(), 0);
}

#[tokio::test]
async fn a_server_without_memory_keeps_the_register_all_the_same() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let mut group = Group::of(&redis.url(), 2);
    group.until_linked().await;
    redis.command(&["CONFIG", "SET", "maxmemory", "1"]).await.expect("set");
    redis.command(&["SET", "a", "1"]).await.expect_err("there is no memory");
    group.nodes[0].member.entry.id = Bytes::from_static(b"another");
    group
        .until("another entry", |group| {
            let listing = group.nodes[1].listing();
            listing.entries.iter().any(|listed| listed.entry.id == "another" && listed.renewals > 1)
        })
        .await;
    group.tell_all(0, "still here").await;
    assert!(group.nodes.iter().all(|node| node.notes.is_empty() && node.downs == 0));
}
