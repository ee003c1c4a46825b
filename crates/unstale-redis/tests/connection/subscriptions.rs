//! Subscriptions that are lost, and begin again.

use std::time::Duration;

use tokio::time::timeout;
use unstale_port::Kind;
use unstale_redis::{Notice, Settings, Subscription, Topic};
use unstale_servers::{Cluster, Data, Program, Proxy, Redis, Way, needs};

use crate::PATIENCE;

fn open(url: &str, topics: impl IntoIterator<Item = Topic>) -> Subscription {
    Subscription::open(Settings::parse(url).expect("a URL"), topics)
}

async fn next(subscription: &mut Subscription) -> Notice {
    timeout(PATIENCE, subscription.next()).await.expect("it says something")
}

async fn until_began(subscription: &mut Subscription) {
    while !matches!(next(subscription).await, Notice::Began) {}
}

async fn message(subscription: &mut Subscription) -> (String, String) {
    match next(subscription).await {
        Notice::Message { channel, payload } => {
            let text = |bytes: bytes::Bytes| String::from_utf8_lossy(&bytes).into_owned();
            (text(channel), text(payload))
        }
        other @ (Notice::Began | Notice::Lost(_)) => panic!("no message: {other:?}"),
    }
}

fn pair(channel: &str, payload: &str) -> (String, String) {
    (channel.to_owned(), payload.to_owned())
}

#[tokio::test]
async fn channels_and_patterns_are_heard_from_the_beginning_on_in_order() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let topics = [Topic::Channel("one".into()), Topic::Pattern("*.Backplane:v2".into())];
    let mut subscription = open(&redis.url(), topics);
    assert!(matches!(next(&mut subscription).await, Notice::Began));
    for (channel, payload) in [("one", "1"), ("other", "2"), ("A.Backplane:v2", "3"), ("one", "4")] {
        redis.command(&["PUBLISH", channel, payload]).await.expect("published");
    }
    assert_eq!(message(&mut subscription).await, pair("one", "1"));
    assert_eq!(message(&mut subscription).await, pair("A.Backplane:v2", "3"));
    assert_eq!(message(&mut subscription).await, pair("one", "4"));
}

#[tokio::test]
async fn a_subscription_that_was_lost_says_so_and_begins_again() {
    needs!(Program::RedisServer);
    let mut redis = Redis::start().await.expect("it starts");
    let mut subscription = open(&redis.url(), [Topic::Channel("one".into())]);
    until_began(&mut subscription).await;
    redis.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await.expect("killed");
    assert!(matches!(next(&mut subscription).await, Notice::Lost(_)));
    until_began(&mut subscription).await;
    redis.kill();
    assert!(matches!(next(&mut subscription).await, Notice::Lost(_)));
    redis.restart(Data::Emptied).await.expect("it starts");
    until_began(&mut subscription).await;
    redis.command(&["PUBLISH", "one", "1"]).await.expect("published");
    assert_eq!(message(&mut subscription).await, pair("one", "1"));
}

#[tokio::test]
async fn a_silently_dead_subscription_is_noticed_within_two_seconds() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let proxy = Proxy::to(redis.address()).await.expect("a proxy");
    let mut subscription = open(&proxy.url(), [Topic::Channel("one".into())]);
    until_began(&mut subscription).await;
    proxy.block(Way::ToClient);
    let notice = timeout(Duration::from_secs(2), subscription.next()).await.expect("within two seconds");
    assert!(matches!(notice, Notice::Lost(error) if error.kind() == Kind::Timeout));
    proxy.heal();
    until_began(&mut subscription).await;
}

#[tokio::test]
async fn what_waits_for_a_slow_reader_is_bounded_in_bytes() {
    needs!(Program::RedisServer);
    let options = Redis::options().config("client-output-buffer-limit", "pubsub 8mb 0 0");
    let redis = options.start().await.expect("it starts");
    let mut subscription = open(&redis.url(), [Topic::Channel("one".into())]);
    until_began(&mut subscription).await;
    // More than the subscription, the sockets and the server hold.
    let payload = "x".repeat(64 << 10);
    for _ in 0..1_024 {
        redis.command(&["PUBLISH", "one", &payload]).await.expect("published");
    }
    let mut heard = 0;
    while let Notice::Message { .. } = next(&mut subscription).await {
        heard += 1;
    }
    assert!((128..1_024).contains(&heard), "{heard} messages waited");
    until_began(&mut subscription).await;
    redis.command(&["PUBLISH", "one", "1"]).await.expect("published");
    assert_eq!(message(&mut subscription).await, pair("one", "1"));
}

#[tokio::test]
async fn a_message_that_is_far_too_large_costs_the_subscription() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let mut subscription = open(&redis.url(), [Topic::Channel("one".into())]);
    until_began(&mut subscription).await;
    redis.command(&["PUBLISH", "one", &"x".repeat(7 << 20)]).await.expect("published");
    assert_eq!(message(&mut subscription).await.1.len(), 7 << 20);
    redis.command(&["PUBLISH", "one", &"x".repeat(9 << 20)]).await.expect("published");
    let notice = next(&mut subscription).await;
    assert!(matches!(&notice, Notice::Lost(error) if error.to_string().contains("too long")), "{notice:?}");
    until_began(&mut subscription).await;
}

#[tokio::test]
async fn a_user_who_may_not_subscribe_is_told() {
    needs!(Program::RedisServer);
    let options = Redis::options().acl("user default off").acl("user app on >pw ~* &mine +@all");
    let redis = options.start().await.expect("it starts");
    let url = format!("redis://app:pw@{}", redis.address());
    let mut subscription = open(&url, [Topic::Channel("mine".into()), Topic::Channel("yours".into())]);
    let notice = next(&mut subscription).await;
    assert!(matches!(notice, Notice::Lost(error) if error.kind() == Kind::Unauthenticated));
}

#[tokio::test]
async fn any_node_of_a_cluster_carries_what_is_published_on_another() {
    needs!(Program::RedisServer);
    let cluster = Cluster::start(3).await.expect("it starts");
    let url = format!("redis+cluster://{}", cluster.addresses().join(","));
    let mut subscription = open(&url, [Topic::Channel("one".into())]);
    until_began(&mut subscription).await;
    for (master, payload) in cluster.masters.iter().zip(["1", "2", "3"]) {
        master.command(&["PUBLISH", "one", payload]).await.expect("published");
        assert_eq!(message(&mut subscription).await, pair("one", payload));
    }
}
