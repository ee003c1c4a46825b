//! Each side sees what the other does.

use serde_json::json;
use unstale::{EntryOptions, Lookup};
use unstale_fusion::{Format, FusionSettings, InternalStrings};
use unstale_servers::{FusionNode, Program, Redis, needs};

use crate::peer::{Asked, FORMATS, Ours, until};

/// Both on one Redis, with .NET's defaults.
async fn pair(format: &Format, serializer: &str) -> (Redis, Ours, FusionNode) {
    let redis = Redis::start().await.expect("redis starts");
    let theirs = FusionNode::start(&redis.address(), &["--serializer", serializer]).await;
    let ours = Ours::start(&redis, FusionSettings::new("FusionCache", format.clone()), format).await;
    (redis, ours, theirs.expect("the live node starts"))
}

#[tokio::test]
async fn each_side_sees_the_others_set_and_remove() {
    needs!(Program::RedisServer);
    needs!(Program::FusionNode);
    for (format, serializer) in FORMATS {
        let (_redis, ours, mut theirs) = pair(&format, serializer).await;
        theirs.set("a", "theirs 1", &[]).await;
        assert_eq!(ours.read("a", "no row").await, "theirs 1", "{serializer}: their entry");
        theirs.set("a", "theirs 2", &[]).await;
        ours.until_gone("a").await;
        assert_eq!(ours.read("a", "no row").await, "theirs 2", "{serializer}: their second entry");
        theirs.run(json!({"op": "remove", "key": "a"})).await;
        ours.until_gone("a").await;
        assert!(matches!(ours.cache.lookup("a"), Lookup::Miss), "{serializer}: not even for fail-safe");
        assert_eq!(ours.read("a", "row 3").await, "row 3", "{serializer}: loaded after their removal");

        ours.set("b", "ours 1", &[]).await;
        assert_eq!(theirs.get("b").await.as_deref(), Some("ours 1"), "{serializer}: our entry");
        ours.set("b", "ours 2 é\u{1F600}<&", &[]).await;
        theirs.until_value("b", "ours 2 é\u{1F600}<&").await;
        _ = ours.cache.remove("b").await.expect("Redis takes it");
        theirs.until_gone("b").await;
        assert_eq!(theirs.get("b").await, None, "{serializer}: removed by ours");
        assert_eq!(ours.read("c", "loaded by ours").await, "loaded by ours");
        assert_eq!(
            theirs.get_or_set("c", "no row").await,
            "loaded by ours",
            "{serializer}: our load is shared"
        );
        let counts = ours.fusion.counts();
        assert_eq!((counts.ignored, counts.malformed, counts.lost), (0, 0, 0), "{serializer}");
    }
}

#[tokio::test]
async fn each_side_sees_the_others_expire_and_keeps_its_stale_value_for_fail_safe() {
    needs!(Program::RedisServer);
    needs!(Program::FusionNode);
    for (format, serializer) in FORMATS {
        let (_redis, ours, mut theirs) = pair(&format, serializer).await;
        let of_theirs = |op| json!({"op": op, "key": "a", "value": "v1", "fail_safe_ms": 600_000});
        theirs.run(of_theirs("set")).await;
        assert_eq!(ours.read("a", "no row").await, "v1");
        theirs.run(of_theirs("expire")).await;
        ours.until_gone("a").await;
        assert!(matches!(ours.cache.lookup("a"), Lookup::Stale(_)), "{serializer}");
        assert_eq!(ours.read("a", "v2").await, "v2", "{serializer}: and is loaded anew");

        let heard = ours.fusion.counts().heard;
        theirs.run(json!({"op": "set", "key": "b", "value": "w1", "fail_safe_ms": 600_000})).await;
        // It publishes in the background; what comes after our act would look like a fill that raced it.
        until("the set is heard", async || ours.fusion.counts().heard > heard).await;
        _ = ours.cache.expire("b").await.expect("Redis takes it");
        theirs.until_gone("b").await;
        let stale = json!({"op": "get", "key": "b", "fail_safe_ms": 600_000, "allow_stale": true});
        assert_eq!(theirs.run(stale.clone()).await["value"], "w1", "{serializer}: fail-safe has it");
        _ = ours.cache.remove("b").await.expect("Redis takes it");
        until("gone for fail-safe, too", async || theirs.run(stale.clone()).await["hit"] == false).await;
    }
}

#[tokio::test]
async fn each_side_sees_the_others_tags_and_clears() {
    needs!(Program::RedisServer);
    needs!(Program::FusionNode);
    for (format, serializer) in FORMATS {
        let (_redis, ours, mut theirs) = pair(&format, serializer).await;
        for (request, key) in [
            (json!({"op": "remove_by_tag", "tag": "t"}), "a"),
            (json!({"op": "clear", "allow_fail_safe": true}), "b"),
            (json!({"op": "clear", "allow_fail_safe": false}), "c"),
        ] {
            ours.set(key, "of ours", &["s", "t"]).await;
            theirs.until_value(key, "of ours").await;
            theirs.run(request.clone()).await;
            ours.until_gone(key).await;
            assert_eq!(theirs.get(key).await, None, "{serializer}: {request}");
            assert_eq!(
                ours.read(key, "new").await,
                "new",
                "{serializer}: nor is it in the second level: {request}"
            );
        }
        for act in 0..4 {
            let key = format!("d{act}");
            let request =
                json!({"op": "set", "key": key, "value": "theirs", "tags": ["t"], "fail_safe_ms": 600_000});
            theirs.run(request).await;
            let done = match act {
                0 => ours.cache.remove_tag("t").await,
                1 => ours.cache.expire_tag("t").await,
                2 => ours.cache.expire_all().await,
                _ => ours.cache.clear().await,
            };
            _ = done.expect("Redis takes it");
            theirs.until_gone(&key).await;
            let stale = json!({"op": "get", "key": key, "fail_safe_ms": 600_000, "allow_stale": true});
            let is_kept = theirs.run(stale).await["hit"] == true;
            // To .NET nodes a tag only ever expires.
            assert_eq!(is_kept, act < 3, "{serializer}: act {act}");
        }
    }
}

#[tokio::test]
async fn a_node_that_comes_later_finds_the_marks_of_the_other_side() {
    needs!(Program::RedisServer);
    needs!(Program::FusionNode);
    for (format, serializer) in FORMATS {
        let (redis, ours, mut theirs) = pair(&format, serializer).await;
        for (key, tag) in [("a", "t"), ("b", "u")] {
            theirs.set(key, "old", &[tag]).await;
        }
        _ = ours.cache.remove_tag("t").await.expect("Redis takes it");
        theirs.run(json!({"op": "remove_by_tag", "tag": "u"})).await;
        let late = FusionNode::start(&redis.address(), &["--serializer", serializer]).await;
        let mut late = late.expect("the live node starts");
        let later = Ours::start(&redis, FusionSettings::new("FusionCache", format.clone()), &format).await;
        for key in ["a", "b"] {
            assert_eq!(late.get(key).await, None, "{serializer}: {key}");
            assert_eq!(later.read(key, "new").await, "new", "{serializer}: {key}");
        }
    }
}

#[tokio::test]
async fn names_are_agreed_upon_down_to_their_separators() {
    needs!(Program::RedisServer);
    needs!(Program::FusionNode);
    let redis = Redis::start().await.expect("redis starts");
    let stj = Format::SystemTextJson;
    let named: [(&[&str], FusionSettings); 4] = [
        (&["--cache-name", "Shop"], FusionSettings::new("Shop", stj.clone())),
        (
            &[
                "--cache-name",
                "Shop",
                "--key-prefix",
                "s:",
                "--channel-prefix",
                "chan",
                "--redis-instance-name",
                "app:",
            ],
            FusionSettings::new("Shop", stj.clone())
                .key_prefix("s:")
                .channel_prefix("chan")
                .instance_name("app:"),
        ),
        (
            &["--safe-strings", "--cache-name", "Safe", "--instance-id", "theirs of any form é"],
            FusionSettings::new("Safe", stj.clone()).internal_strings(InternalStrings::safe('-', '_')),
        ),
        (&["--cache-name", "Id"], FusionSettings::new("Id", stj.clone()).instance_id("ours, of any form é")),
    ];
    for (arguments, settings) in named {
        // Two of them have the same keys.
        redis.command(&["FLUSHALL"]).await.expect("redis answers");
        let mut theirs = FusionNode::start(&redis.address(), arguments).await.expect("the live node starts");
        assert_eq!(theirs.ready()["channel"], settings.channel(), "{arguments:?}");
        let ours = Ours::start(&redis, settings, &stj).await;
        theirs.set("a", "theirs", &["t"]).await;
        assert_eq!(ours.read("a", "no row").await, "theirs", "{arguments:?}");
        theirs.run(json!({"op": "remove_by_tag", "tag": "t"})).await;
        ours.until_gone("a").await;
        ours.set("b", "ours", &["u"]).await;
        theirs.until_value("b", "ours").await;
        _ = ours.cache.remove_tag("u").await.expect("Redis takes it");
        theirs.until_gone("b").await;
        ours.set("c", "ours", &[]).await;
        theirs.until_value("c", "ours").await;
        _ = ours.cache.clear().await.expect("Redis takes it");
        theirs.until_gone("c").await;
        assert_eq!(ours.fusion.counts().ignored, 0, "{arguments:?}");
    }
}

#[tokio::test]
async fn validators_and_lives_of_both_levels_cross_over() {
    needs!(Program::RedisServer);
    needs!(Program::FusionNode);
    for (format, serializer) in FORMATS {
        let (redis, ours, mut theirs) = pair(&format, serializer).await;
        let options = EntryOptions::new().etag("\"7\"").time_to_live(std::time::Duration::from_secs(100));
        _ = ours.cache.set_with("a".to_owned(), "v".to_owned(), &options).await.expect("Redis takes it");
        theirs.until_value("a", "v").await;
        let later = Ours::start(&redis, FusionSettings::new("FusionCache", format.clone()), &format).await;
        assert_eq!(later.read("a", "no row").await, "v");
        let value = later.cache.get("a").expect("in memory");
        assert_eq!(unstale::Value::etag(&value), Some("\"7\""), "{serializer}");
    }
}
