//! What is sent, byte for byte, and in which order.

use serde_json::{Value, json};
use unstale_servers::{Cluster, Program, Redis, needs};

use crate::{run, send};

/// The message that docs/formats/fusion.md has these fields for.
fn message(source: &str, ticks: i64, action: u8, key: &str) -> String {
    let mut bytes = vec![0];
    bytes.extend((source.len() as u32).to_le_bytes());
    bytes.extend(source.as_bytes());
    bytes.extend(ticks.to_le_bytes());
    bytes.push(action);
    bytes.extend((key.len() as u32).to_le_bytes());
    bytes.extend(key.as_bytes());
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

#[tokio::test]
async fn a_dry_run_prints_what_would_be_sent_and_sends_nothing() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    redis.command(&["HSET", "app:v2:shop:a", "data", "x"]).await.expect("set");
    let names =
        ["--cache", "C", "--key-prefix", "shop:", "--instance-name", "app:", "--source", "me", "--dry-run"];
    for (action, number) in [("set", 1), ("remove", 2), ("expire", 3)] {
        let dry = send(&redis, &[&names[..], &["--key", "a", "--action", action]].concat()).await;
        let ticks = dry["timestamp_ticks"].as_i64().expect("ticks");
        let hex = message("me", ticks, number, "shop:a");
        let expected = json!([["DEL", "app:v2:shop:a"], ["PUBLISH", "C.Backplane:v2", { "hex": hex }]]);
        assert_eq!(dry["commands"], expected, "{dry}");
    }
    let tag = send(&redis, &[&names[..], &["--tag", "t", "--serializer", "newtonsoft"]].concat()).await;
    let ticks = tag["timestamp_ticks"].as_i64().expect("ticks");
    let commands = tag["commands"].as_array().expect("commands");
    let data = format!(r#"{{"v":{ticks},"t":{ticks},"l":{},"m":{{"z":0,"p":3}}}}"#, ticks + 864_000_000_000);
    let absolute = (ticks + 8_640_000_000_000).to_string();
    let mark = "app:v2:shop:__fc:t:t";
    let write = json!(["HSET", mark, "absexp", absolute, "sldexp", "-1", "data", data]);
    let hex = message("me", ticks, 1, "shop:__fc:t:t");
    let expected = [
        json!(["MULTI"]),
        write,
        json!(["EXPIRE", mark, "864000"]),
        json!(["EXEC"]),
        json!(["PUBLISH", "C.Backplane:v2", { "hex": hex }]),
    ];
    assert_eq!(commands[..], expected);
    // In words each line can be typed into redis-cli.
    let output = run(&redis.url(), &[&names[..], &["--key", "b"]].concat()).await;
    let words = String::from_utf8(output.stdout).expect("text");
    assert!(
        words.starts_with("DEL app:v2:shop:b\nPUBLISH C.Backplane:v2 \"\\x00\\x02\\x00\\x00\\x00me"),
        "{words}"
    );
    let size = redis.command(&["DBSIZE"]).await.expect("an answer");
    let statistics = redis.command(&["INFO", "commandstats"]).await.expect("an answer");
    assert_eq!(size.number(), Some(1));
    assert!(!statistics.text().expect("text").contains("cmdstat_publish:"));
}

#[tokio::test]
async fn the_second_level_goes_first_and_is_left_alone_if_asked() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let entry = [
        "HSET",
        "v2:a",
        "absexp",
        "-1",
        "sldexp",
        "-1",
        "data",
        r#"{"v":"bar","t":639028224010000000,"l":639028224310000000}"#,
    ];
    redis.command(&entry).await.expect("set");
    let left = send(&redis, &["--cache", "C", "--key", "a", "--no-l2"]).await;
    assert_eq!(
        (&left["level"], &left["received"], &left["action"]),
        (&json!("left"), &json!(0), &json!("EntryRemove"))
    );
    assert_eq!(redis.command(&["EXISTS", "v2:a"]).await.expect("an answer").number(), Some(1));
    assert_eq!(send(&redis, &["--cache", "C", "--key", "a"]).await["level"], "deleted");
    assert_eq!(send(&redis, &["--cache", "C", "--key", "a"]).await["level"], "absent");
    assert_eq!(redis.command(&["EXISTS", "v2:a"]).await.expect("an answer").number(), Some(0));
    // The serializer of other entries is found, and that of a mark that is there counts.
    redis.command(&["HSET", "v2:b", "absexp", "-1", "sldexp", "-1", "data", entry[7]]).await.expect("set");
    let marked = send(&redis, &["--cache", "C", "--clear"]).await;
    assert_eq!(
        (&marked["level"], &marked["serializer"]),
        (&json!("marked"), &json!("newtonsoft")),
        "{marked}"
    );
    let life = redis.command(&["TTL", "v2:__fc:t:*"]).await.expect("an answer").number().expect("seconds");
    assert!((863_000..=864_000).contains(&life), "{life}");
}

#[tokio::test]
async fn a_mark_never_goes_back_and_a_message_is_newer_than_the_entry() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    // Somebody's clock was in the year 2100.
    let (future, later) = (662_380_416_000_000_000_i64, 662_380_416_300_000_000_i64);
    let mark = format!(r#"{{"v":{future},"t":{future},"l":{later}}}"#);
    let entry = format!(r#"{{"v":"bar","t":{future},"l":{later}}}"#);
    redis
        .command(&["HSET", "v2:__fc:t:t", "absexp", "-1", "sldexp", "-1", "data", &mark])
        .await
        .expect("set");
    redis.command(&["HSET", "v2:a", "absexp", "-1", "sldexp", "-1", "data", &entry]).await.expect("set");
    assert_eq!(send(&redis, &["--cache", "C", "--tag", "t"]).await["timestamp_ticks"], future);
    let kept = redis.command(&["HGET", "v2:__fc:t:t", "data"]).await.expect("an answer");
    let kept: Value = serde_json::from_str(kept.text().expect("text")).expect("JSON");
    assert_eq!(kept["v"], future, "{kept}");
    assert_eq!(
        send(&redis, &["--cache", "C", "--key", "a", "--action", "expire"]).await["timestamp_ticks"],
        future + 1
    );
}

#[tokio::test]
async fn names_follow_every_setting_of_the_nodes() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    for (arguments, channel, key) in [
        (&["--key", "a"][..], "C.Backplane:v2", "v2:a"),
        (&["--key", "a", "--safe-strings"], "C-Backplane-v2", "v2-a"),
        (&["--key", "a", "--channel-prefix", "P"], "P.Backplane:v2", "v2:a"),
        (&["--key", "a", "--key-modifier", "suffix"], "C.Backplane:v2", "a:v2"),
        (&["--key", "a", "--key-modifier", "none", "--instance-name", "i:"], "C.Backplane:v2", "i:a"),
        (&["--clear", "--no-l2"], "C.Backplane:v2", "v2:__fc:t:*"),
        (&["--clear", "--no-l2", "--action", "remove"], "C.Backplane:v2", "v2:__fc:t:!"),
        (&["--clear", "--no-l2", "--safe-strings"], "C-Backplane-v2", "v2-__fc-t--exp"),
    ] {
        let dry = send(&redis, &[&["--cache", "C", "--dry-run"][..], arguments].concat()).await;
        assert_eq!((&dry["channel"], &dry["store_key"]), (&json!(channel), &json!(key)), "{arguments:?}");
    }
}

#[tokio::test]
async fn keys_and_marks_reach_the_node_of_a_cluster_that_has_them() {
    needs!(Program::RedisServer);
    let cluster = Cluster::start(3).await.expect("it starts");
    let url = format!("redis+cluster://{}", cluster.addresses().join(","));
    for tag in ["a", "b", "c", "d"] {
        let output = run(&url, &["--cache", "C", "--tag", tag, "--serializer", "stj", "--json"]).await;
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{error}");
        let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!((&told["level"], &told["received"]), (&json!("marked"), &Value::Null), "{told}");
        let key = run(&url, &["--cache", "C", "--key", tag]).await;
        assert_eq!(key.status.code(), Some(0));
    }
    let mut marks = 0;
    for master in &cluster.masters {
        marks += master.command(&["DBSIZE"]).await.expect("an answer").number().expect("a number");
    }
    assert_eq!(marks, 4);
}
