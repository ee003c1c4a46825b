//! The holes of the .NET side, and how they are mended: each against the live node.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::Notify;
use unstale::Lookup;
use unstale_codec::fusion::Action;
use unstale_fusion::{Format, FusionSettings};
use unstale_servers::{FusionNode, Program, Redis, needs};

use crate::peer::{Asked, Ours, Stranger, until};

/// Far longer than a request takes on a machine that is loaded down.
const HOLD_OFF: Duration = Duration::from_secs(10);

async fn pair() -> (Redis, Ours, FusionNode) {
    let redis = Redis::start().await.expect("redis starts");
    let mut theirs = FusionNode::start(&redis.address(), &[]).await.expect("the live node starts");
    // Its first request takes longer, and reads the marks of clears.
    theirs.set("warm", "up", &["t"]).await;
    theirs.get("warm").await;
    let ours = Ours::start(&redis, settings(), &Format::SystemTextJson).await;
    (redis, ours, theirs)
}

fn settings() -> FusionSettings {
    FusionSettings::new("FusionCache", Format::SystemTextJson).hold_off(HOLD_OFF)
}

/// How often Redis was asked for fields of hashes.
async fn reads(redis: &Redis) -> u64 {
    redis.calls("hmget").await.expect("redis answers")
}

async fn is_in_second_level(redis: &Redis, key: &str) -> bool {
    redis.command(&["EXISTS", &format!("v2:{key}")]).await.expect("redis answers").number() == Some(1)
}

#[tokio::test]
async fn a_fill_of_theirs_that_our_removal_overtook_is_undone_on_both_sides() {
    needs!(Program::RedisServer);
    needs!(Program::FusionNode);
    let (redis, ours, mut theirs) = pair().await;
    let before = reads(&redis).await;
    let load = json!({"op": "get_or_set", "key": "a", "value": "old", "factory_ms": 500});
    let (loaded, ()) = tokio::join!(theirs.run(load), async {
        until("their factory runs", async || reads(&redis).await > before).await;
        _ = ours.cache.remove("a").await.expect("Redis takes it");
    });
    assert_eq!(loaded["value"], "old", "it had begun before");
    until("it is undone", async || ours.fusion.counts().undone == 1).await;
    theirs.until_gone("a").await;
    assert!(!is_in_second_level(&redis, "a").await);
    assert_eq!(theirs.get("a").await, None);
    assert_eq!(ours.read("a", "new").await, "new");
}

#[tokio::test]
async fn what_they_write_within_the_hold_off_is_not_used_here_and_undone_at_its_end() {
    needs!(Program::RedisServer);
    needs!(Program::FusionNode);
    let (redis, ours, mut theirs) = pair().await;
    _ = ours.cache.remove("a").await.expect("Redis takes it");
    _ = ours.cache.remove("b").await.expect("Redis takes it");
    // It may be a fill that began before, stamped when it was complete.
    theirs.set("a", "theirs", &[]).await;
    theirs.set("b", "theirs", &[]).await;
    assert_eq!(ours.read("a", "ours").await, "ours");
    // Or undone at once, where the clocks do not tell it from what came before.
    let counts = ours.fusion.counts();
    assert!(counts.doubted == 1 || counts.undone > 0, "{counts:?}");
    until("both are undone", async || ours.fusion.counts().undone == 2).await;
    theirs.until_value("a", "ours").await;
    theirs.until_gone("b").await;
    assert!(!is_in_second_level(&redis, "b").await);
    theirs.set("b", "later", &[]).await;
    ours.until_gone("b").await;
    assert_eq!(ours.read("b", "no row").await, "later", "the hold-off is over");
}

#[tokio::test]
async fn a_mark_raised_here_is_raised_again_if_they_filled_anything_meanwhile() {
    needs!(Program::RedisServer);
    needs!(Program::FusionNode);
    let (_redis, ours, mut theirs) = pair().await;
    _ = ours.cache.remove_tag("t").await.expect("Redis takes it");
    theirs.set("a", "perhaps old", &["t"]).await;
    assert_eq!(ours.read("a", "new").await, "new", "doubted here");
    until("the mark is raised again", async || ours.fusion.counts().undone >= 1).await;
    until("theirs is gone", async || theirs.get("a").await.as_deref() != Some("perhaps old")).await;
}

#[tokio::test]
async fn an_older_mark_that_comes_late_is_answered_by_the_highest() {
    needs!(Program::RedisServer);
    needs!(Program::FusionNode);
    let redis = Redis::start().await.expect("redis starts");
    let stranger = Stranger::on(&redis, settings()).await;
    for mark in ["__fc:t:t", "__fc:t:*", "__fc:t:!"] {
        for is_mended in [false, true] {
            redis.command(&["FLUSHALL"]).await.expect("redis answers");
            let mut theirs = FusionNode::start(&redis.address(), &[]).await.expect("the live node starts");
            let ours = if is_mended {
                Some(Ours::start(&redis, settings(), &Format::SystemTextJson).await)
            } else {
                None
            };
            // A read of what a mark has ended ends it for good, so each key is read once.
            for n in 0..=300 {
                theirs.set(&format!("k{n}"), "old", &["t"]).await;
            }
            let mut unread = (0..300).map(|n| format!("k{n}"));
            let mut next = || unread.next().expect("a key that was not read yet");
            let now = stranger.now().await;
            stranger.say(Action::Set, mark, now).await;
            theirs.until_gone("k300").await;
            stranger.say(Action::Set, mark, now - 300_000_000).await;
            theirs.until_received(if is_mended { 3 } else { 2 }).await;
            let Some(ours) = ours else {
                // Without us, the hole: the older mark wins.
                until("it is served again", async || theirs.get(&next()).await.is_some()).await;
                continue;
            };
            until("it is answered", async || ours.fusion.counts().raised_again == 1).await;
            until("it is gone", async || theirs.get(&next()).await.is_none()).await;
            for _ in 0..20 {
                assert_eq!(theirs.get(&next()).await, None, "{mark}");
            }
        }
    }
}

#[tokio::test]
async fn a_mark_of_a_clock_that_is_far_ahead_is_obeyed_and_not_remembered() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("redis starts");
    let stranger = Stranger::on(&redis, settings()).await;
    let ours = Ours::start(&redis, settings(), &Format::SystemTextJson).await;
    ours.set("a", "old", &["t"]).await;
    let now = stranger.now().await;
    let year = 365 * 86_400 * 10_000_000;
    stranger.say(Action::Set, "__fc:t:t", now + year).await;
    ours.until_gone("a").await;
    // Their clock is set right: what they say then is not undone.
    stranger.say(Action::Set, "__fc:t:t", now).await;
    stranger.say(Action::Set, "__fc:t:t", now - 10_000_000).await;
    until("it is answered by the highest of a sound clock", async || ours.fusion.counts().raised_again == 1)
        .await;
    let mark = redis.command(&["HGET", "v2:__fc:t:t", "data"]).await.expect("redis answers");
    assert!(mark.text().is_some_and(|mark| mark.contains(&format!("\"Value\":{now},"))), "{mark:?}");
    assert_eq!(ours.fusion.counts().far_ahead, 1);
}

#[tokio::test]
async fn a_load_of_ours_that_they_overtook_leaves_nothing_in_the_second_level() {
    needs!(Program::RedisServer);
    needs!(Program::FusionNode);
    let (redis, ours, mut theirs) = pair().await;
    let (here, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let load = {
        let (here, go) = (Arc::clone(&here), Arc::clone(&go));
        async move |_: unstale::Load<String>| {
            here.notify_one();
            go.notified().await;
            Ok::<_, std::io::Error>("old".to_owned())
        }
    };
    let cache = ours.cache.clone();
    let reader = tokio::spawn(async move { cache.get_or_load("a", load).await.expect("loaded").to_string() });
    here.notified().await;
    theirs.run(json!({"op": "remove", "key": "a"})).await;
    until("it is heard", async || ours.fusion.counts().heard == 1).await;
    until("its leases are void", async || ended(&redis, "a").await).await;
    go.notify_one();
    assert_eq!(reader.await.expect("no panic"), "old");
    assert!(!is_in_second_level(&redis, "a").await);
    assert!(ours.cache.get("a").is_none());
    assert_eq!(theirs.get("a").await, None);
}

/// Whether Redis knows that the key was made old.
async fn ended(redis: &Redis, key: &str) -> bool {
    let beside = format!("unstale:v2:{key}");
    redis.command(&["HGET", &beside, "ended"]).await.expect("redis answers").text().is_some()
}

#[tokio::test]
async fn what_we_filled_before_their_removal_was_heard_is_deleted_and_only_that() {
    needs!(Program::RedisServer);
    needs!(Program::FusionNode);
    let (redis, ours, mut theirs) = pair().await;
    let stranger = Stranger::on(&redis, settings()).await;
    // Their removal deletes what is not there yet; our fill comes, then their message.
    assert_eq!(ours.read("a", "old").await, "old");
    ours.set("b", "set by ours", &[]).await;
    assert!(is_in_second_level(&redis, "a").await);
    assert_eq!(theirs.get("a").await.as_deref(), Some("old"), "they took it already");
    let now = stranger.now().await;
    for key in ["a", "b"] {
        stranger.say(Action::Remove, key, now).await;
    }
    until("it is settled", async || ours.fusion.counts().settled == 1).await;
    assert!(!is_in_second_level(&redis, "a").await);
    assert!(is_in_second_level(&redis, "b").await, "a set is newer than what was removed");
    theirs.until_gone("a").await;
    assert_eq!(ours.read("a", "new").await, "new");
}

#[tokio::test]
async fn a_set_of_ours_reaches_who_has_an_entry_from_a_fast_clock() {
    needs!(Program::RedisServer);
    needs!(Program::FusionNode);
    let (redis, ours, mut theirs) = pair().await;
    let stranger = Stranger::on(&redis, settings()).await;
    ours.set("told", "as a set", &[]).await;
    // An entry of a node whose clock is ahead by 10 s, which nobody was told of yet.
    let ahead = stranger.now().await + 100_000_000;
    stranger.write("a", "\"fast\"", ahead).await;
    assert_eq!(theirs.get("a").await.as_deref(), Some("fast"));
    ours.set("a", "ours", &[]).await;
    theirs.until_value("a", "ours").await;
    // From the first message of its on, sets are told as removals, which are never ignored.
    stranger.say(Action::Set, "other", stranger.now().await + 100_000_000).await;
    until("it is heard", async || ours.fusion.counts().heard == 1).await;
    ours.set("b", "ours", &[]).await;
    let told = theirs.until_received(5).await;
    let action = |key: &str| {
        told.iter().filter(|(_, of)| of == key).map(|(action, _)| action.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(action("told"), ["EntrySet"]);
    assert_eq!(action("a"), ["EntrySet", "EntryRemove"], "what was replaced was newer");
    assert_eq!(action("b"), ["EntryRemove"]);
}

#[tokio::test]
async fn a_lost_subscription_makes_everything_suspect_and_is_made_again() {
    needs!(Program::RedisServer);
    needs!(Program::FusionNode);
    let (redis, ours, mut theirs) = pair().await;
    assert_eq!(ours.read("a", "row").await, "row");
    assert!(ours.cache.get("a").is_some());
    redis.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await.expect("redis answers");
    until("it is noticed", async || ours.fusion.counts().lost >= 1).await;
    until("everything is suspect", async || matches!(ours.cache.lookup("a"), Lookup::Suspect(_))).await;
    ours.cache.until_heard().await;
    theirs.set("a", "theirs", &[]).await;
    until("they are heard again", async || ours.read("a", "no row").await == "theirs").await;
}

#[tokio::test]
async fn without_a_second_level_acts_cross_over_and_loads_invalidate_nobody() {
    // F23
    needs!(Program::RedisServer);
    needs!(Program::FusionNode);
    let redis = Redis::start().await.expect("redis starts");
    let mut theirs = FusionNode::start(&redis.address(), &["--no-l2"]).await.expect("the live node starts");
    let ours = Ours::start(&redis, settings().second_level(false), &Format::SystemTextJson).await;
    theirs.run(json!({"op": "set", "key": "a", "value": "theirs", "skip_backplane": true})).await;
    for _ in 0..20 {
        assert_eq!(ours.read("a", "ours").await, "ours");
        assert_eq!(ours.read(&"b".repeat(3), "ours").await, "ours");
        assert_eq!(theirs.get("a").await.as_deref(), Some("theirs"), "our load tells them nothing");
    }
    assert_eq!(theirs.received().await, []);
    assert!(!is_in_second_level(&redis, "a").await);
    _ = ours.cache.remove("a").await.expect("Redis takes it");
    theirs.until_gone("a").await;
    theirs.set("c", "theirs", &["t"]).await;
    ours.set("c", "ours", &["t"]).await;
    theirs.until_gone("c").await;
    assert!(ours.cache.get("c").is_some());
    theirs.set("c", "theirs", &["t"]).await;
    ours.until_gone("c").await;
    ours.set("c", "ours", &["t"]).await;
    theirs.run(json!({"op": "remove_by_tag", "tag": "t"})).await;
    ours.until_gone("c").await;
    theirs.set("d", "theirs", &["u"]).await;
    _ = ours.cache.remove_tag("u").await.expect("Redis takes it");
    theirs.until_gone("d").await;
}
