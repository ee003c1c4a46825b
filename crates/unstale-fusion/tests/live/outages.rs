//! Redis goes away and comes back.

use std::time::Duration;

use unstale::{ErrorKind, Lookup};
use unstale_fusion::{Format, FusionSettings};
use unstale_port::memory::Hub;
use unstale_servers::{Data, Program, Redis, needs};

use crate::peer::{Ours, until};

fn settings() -> FusionSettings {
    FusionSettings::new("FusionCache", Format::SystemTextJson).hold_off(Duration::from_secs(2))
}

#[tokio::test]
async fn without_redis_the_cache_goes_on_suspects_everything_and_says_which_acts_failed() {
    needs!(Program::RedisServer);
    for data in [Data::Kept, Data::Emptied] {
        let mut redis = Redis::options().append_only().start().await.expect("redis starts");
        let ours = Ours::start(&redis, settings(), &Format::SystemTextJson).await;
        ours.set("a", "before", &[]).await;
        assert_eq!(ours.read("b", "before").await, "before");
        redis.kill();
        until("everything is suspect", async || matches!(ours.cache.lookup("b"), Lookup::Suspect(_))).await;
        assert_eq!(ours.read("b", "from the database").await, "from the database");
        let refused = ours.cache.remove("a").await.expect_err("Redis did not take it");
        assert_eq!(refused.kind(), ErrorKind::Store);
        redis.restart(data).await.expect("redis starts again");
        ours.cache.until_heard().await;
        // Not even before: its own node reads nothing from Redis that is owed there.
        assert_eq!(ours.read("a", "after").await, "after", "{data:?}");
        until("the call is repeated", async || ours.cache.remove("a").await.is_ok()).await;
        assert_eq!(ours.read("a", "at last").await, "at last");
        let left = redis.command(&["HGET", "v2:a", "data"]).await.expect("redis answers");
        assert!(!left.text().is_some_and(|entry| entry.contains("before")), "{data:?}: {left:?}");
    }
}

#[tokio::test]
async fn two_nodes_of_ours_hear_each_other_once_and_without_a_backplane_too() {
    needs!(Program::RedisServer);
    for is_linked in [true, false] {
        let redis = Redis::start().await.expect("redis starts");
        let hub = Hub::fixed(["a", "b"]);
        let mut both = Vec::new();
        for label in ["a", "b"] {
            let mut node = unstale::Node::builder("estate").name(label);
            if is_linked {
                node = node.backplane(hub.join(label));
            }
            let node = node.start().await.expect("a node starts");
            both.push(Ours::on(node, &redis, settings(), &Format::SystemTextJson).await);
        }
        let [one, other] = &both[..] else { unreachable!("two nodes") };
        if is_linked {
            for node in &both {
                node.node.joined().await.expect("they join");
            }
            until("they know each other", async || other.node.status().members.len() == 1).await;
        }
        let before = other.node.metrics().count(unstale::metrics::names::CACHE_FOREIGN_ACTS, &[]);
        for round in 0..5 {
            let row = format!("row {round}");
            assert_eq!(other.read("a", &row).await, row, "linked: {is_linked}");
            _ = one.cache.remove("a").await.expect("Redis takes it");
            other.until_gone("a").await;
        }
        until("all five are heard", async || other.fusion.counts().heard_of_ours >= 5).await;
        let applied = other.node.metrics().count(unstale::metrics::names::CACHE_FOREIGN_ACTS, &[]) - before;
        assert_eq!(applied, if is_linked { 0 } else { 5 }, "its own stream tells, if there is one");
    }
}
