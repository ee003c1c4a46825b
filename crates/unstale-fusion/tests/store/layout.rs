//! What lies in Redis, and what becomes of what others put there.

use std::time::Duration;

use bytes::Bytes;
use unstale_conformance::store::StoreFixture;
use unstale_fusion::Format;
use unstale_port::{Condition, Intent, Lease, Record, Store, Turn, Written};
use unstale_servers::{Program, Redis, needs};

use crate::shelves::{OnRedis, now, open};

pub(crate) fn record(json: &'static str) -> Record {
    Record {
        value: Some(Bytes::from_static(json.as_bytes())),
        stamp: 10,
        fresh_for: Duration::from_secs(60),
        keep_for: Duration::from_secs(60),
        tags: Vec::new(),
        version: None,
        etag: None,
        last_modified: None,
    }
}

pub(crate) const fn key(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

async fn lease(store: &impl Store, name: &'static str) -> Lease {
    let found = store.get("c", &[key(name)], Intent::Read).await.expect("the store answers");
    assert_eq!(found[0].record, None, "{name} is there");
    found[0].lease
}

pub(crate) async fn value(store: &impl Store, name: &'static str) -> Option<Bytes> {
    let found = store.get("c", &[key(name)], Intent::Read).await.expect("the store answers");
    found[0].record.clone().and_then(|record| record.value)
}

pub(crate) async fn command(redis: &Redis, words: &[&str]) -> unstale_servers::Reply {
    redis.command(words).await.expect("redis answers")
}

/// The ticks of .NET now.
pub(crate) async fn ticks(redis: &Redis) -> i64 {
    now(redis).await.as_micros() as i64 * 10 + 621_355_968_000_000_000
}

/// Writes an entry as a .NET node does.
pub(crate) async fn write_as_net(redis: &Redis, name: &str, json: &str, timestamp: i64, tags: &str) {
    let data = format!(
        r#"{{"Value":{json},"Timestamp":{timestamp},"LogicalExpirationTimestamp":{},"Tags":{tags},"Metadata":null}}"#,
        timestamp + 3_000_000_000
    );
    let absexp = (timestamp + 3_000_000_000).to_string();
    let words = ["HMSET", name, "absexp", &absexp, "sldexp", "-1", "data", &data];
    command(redis, &words).await;
    command(redis, &["EXPIRE", name, "300"]).await;
}

#[tokio::test]
async fn an_entry_is_the_hash_of_net_with_one_field_more_and_ends_in_time() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("redis starts");
    let store = open(&redis, Format::SystemTextJson, "p:").await.store();
    let lease = lease(&store, "k").await;
    let written = store.put("c", key("k"), record("1"), Condition::Lease(lease)).await;
    assert_eq!(written.expect("the store answers"), Written::Stored);
    let reply = command(&redis, &["HKEYS", "v2:p:k"]).await;
    let mut fields: Vec<_> = reply.list().iter().filter_map(unstale_servers::Reply::text).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["absexp", "data", "sldexp", "unstale"]);
    let left = command(&redis, &["PTTL", "v2:p:k"]).await.number().expect("a number");
    assert!((55_000..=60_000).contains(&left), "{left}");
    let reply = command(&redis, &["HGET", "v2:p:k", "data"]).await;
    let data: serde_json::Value = serde_json::from_str(reply.text().expect("text")).expect("JSON");
    assert_eq!(data["Value"], 1);
    let (made, until) = (data["Timestamp"].as_i64().expect("ticks"), ticks(&redis).await);
    assert!(made <= until && until - made < 100_000_000, "made at the beginning of the load");
}

/// Scripts that were run so far.
async fn scripts(redis: &Redis) -> u64 {
    let calls = async |name| redis.calls(name).await.expect("redis answers");
    calls("evalsha").await + calls("eval").await
}

#[tokio::test]
async fn a_read_is_one_round_trip_for_all_keys_and_two_if_any_carries_tags() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("redis starts");
    let store = open(&redis, Format::SystemTextJson, "").await.store();
    for name in ["a", "b", "c"] {
        let tags = if name == "c" { vec![key("s"), key("t")] } else { Vec::new() };
        let written = store.put("c", key(name), Record { tags, ..record("1") }, Condition::Newer).await;
        assert_eq!(written.expect("the store answers"), Written::Stored);
    }
    let (plain, tagged) = ([key("a"), key("b"), key("none")], [key("a"), key("c"), key("none")]);
    for (keys, trips) in [(&plain, 1), (&tagged, 2)] {
        // The first run of a script is two.
        store.get("c", keys, Intent::Read).await.expect("the store answers");
        let before = scripts(&redis).await;
        let intent = Intent::Load { turn: Duration::from_secs(1) };
        let found = store.get("c", keys, intent).await.expect("the store answers");
        assert_eq!(found.iter().filter(|found| found.record.is_some()).count(), 2);
        assert_eq!(scripts(&redis).await - before, trips);
    }
    let before = scripts(&redis).await;
    store.remove("c", &plain, 20).await.expect("the store answers");
    store.remove("c", &plain, 21).await.expect("the store answers");
    assert_eq!(scripts(&redis).await - before, 3, "all keys at once, each call one but for the first");
}

#[tokio::test]
async fn a_record_grows_stale_and_ends_and_its_lease_with_it() {
    needs!(Program::RedisServer);
    let mut fixture = OnRedis::new(Format::SystemTextJson);
    let store = fixture.start().await;
    let (fresh_for, keep_for) = (Duration::from_millis(300), Duration::from_millis(700));
    let short = Record { fresh_for, keep_for, ..record("\"v\"") };
    let written = store.put("c", key("k"), short, Condition::Newer).await;
    assert_eq!(written.expect("the store answers"), Written::Stored);
    fixture.pass(Duration::from_millis(400)).await;
    let found = store.get("c", &[key("k")], Intent::Read).await.expect("the store answers");
    assert!(found[0].record.as_ref().is_some_and(|record| record.fresh_for.is_zero()));
    let old = found[0].lease;
    fixture.pass(Duration::from_millis(400)).await;
    let fresh = lease(&store, "k").await;
    for (lease, written) in [(old, Written::Refused), (fresh, Written::Stored)] {
        let again = store.put("c", key("k"), record("\"w\""), Condition::Lease(lease)).await;
        assert_eq!(again.expect("the store answers"), written);
    }
}

#[tokio::test]
async fn whatever_net_does_to_an_entry_voids_its_leases() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("redis starts");
    let store = open(&redis, Format::SystemTextJson, "").await.store();
    // Its write, of a key that was missing and of one that was there.
    for there in [false, true] {
        if there {
            write_as_net(&redis, "v2:k", "0", ticks(&redis).await, "null").await;
        }
        let found = store.get("c", &[key("k")], Intent::Read).await.expect("the store answers");
        write_as_net(&redis, "v2:k", "1", ticks(&redis).await, "null").await;
        let filled = store.put("c", key("k"), record("2"), Condition::Lease(found[0].lease)).await;
        assert_eq!(filled.expect("the store answers"), Written::Refused);
        assert_eq!(value(&store, "k").await, Some(key("1")));
    }
    // Its removal.
    let found = store.get("c", &[key("k")], Intent::Read).await.expect("the store answers");
    command(&redis, &["DEL", "v2:k"]).await;
    let filled = store.put("c", key("k"), record("2"), Condition::Lease(found[0].lease)).await;
    assert_eq!(filled.expect("the store answers"), Written::Refused);
    // Its removal of what one of ours had filled meanwhile is noticed only by its message; its clear is seen at once.
    let lease = lease(&store, "k").await;
    write_as_net(&redis, "v2:__fc:t:*", &ticks(&redis).await.to_string(), ticks(&redis).await, "null").await;
    let filled = store.put("c", key("k"), record("2"), Condition::Lease(lease)).await;
    assert_eq!(filled.expect("the store answers"), Written::Refused);
}

#[tokio::test]
async fn marks_of_net_end_what_is_no_newer_and_nothing_else() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("redis starts");
    let store = open(&redis, Format::SystemTextJson, "").await.store();
    let made = ticks(&redis).await;
    for (mark, tags, ends) in [
        ("v2:__fc:t:t", r#"["s","t"]"#, true),
        ("v2:__fc:t:t", r#"["s"]"#, false),
        ("v2:__fc:t:*", "null", true),
        ("v2:__fc:t:!", "null", true),
    ] {
        for (at, is_ended) in [(made - 1, false), (made, ends)] {
            command(&redis, &["FLUSHALL"]).await;
            write_as_net(&redis, "v2:k", "1", made, tags).await;
            write_as_net(&redis, mark, &at.to_string(), made + 57, "null").await;
            assert_eq!(value(&store, "k").await.is_none(), is_ended, "{mark} at {at} for {tags}");
        }
    }
    command(&redis, &["FLUSHALL"]).await;
    write_as_net(&redis, "v2:k", "1", made, "null").await;
    write_as_net(&redis, "v2:__fc:t:!", "\"no mark\"", made, "null").await;
    assert_eq!(value(&store, "k").await, None, "a mark that is none ends everything");
}

#[tokio::test]
async fn what_is_no_entry_is_a_miss_and_can_be_written() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("redis starts");
    let cache = open(&redis, Format::SystemTextJson, "").await;
    let store = cache.store();
    command(&redis, &["HSET", "v2:k", "absexp", "5", "sldexp", "-1", "data", "no envelope"]).await;
    assert_eq!(value(&store, "k").await, None);
    assert_eq!(cache.counts().malformed, 1);
    let written = store.put("c", key("k"), record("1"), Condition::Newer).await;
    assert_eq!(written.expect("the store answers"), Written::Stored);
    assert_eq!(value(&store, "k").await, Some(key("1")));
    command(&redis, &["SET", "v2:text", "of another program"]).await;
    assert_eq!(value(&store, "text").await, None);
    let written = store.put("c", key("text"), record("2"), Condition::Newer).await;
    assert_eq!(written.expect("the store answers"), Written::Stored);
    assert_eq!(value(&store, "text").await, Some(key("2")));
}

#[tokio::test]
async fn every_serializer_keeps_values_nothings_tags_and_marks() {
    needs!(Program::RedisServer);
    let text: unstale_fusion::ValueType = "string".parse().expect("a type");
    let cases: [(Format, &'static [u8]); 5] = [
        (Format::SystemTextJson, b"\"v\""),
        (Format::Newtonsoft, b"\"v\""),
        (Format::MessagePack, b"\xa1v"),
        (Format::MemoryPack(text), b"\xfe\xff\xff\xff\x01\x00\x00\x00v"),
        (Format::ProtobufNet, b"\x0a\x01v"),
    ];
    for (format, bytes) in cases {
        let redis = Redis::start().await.expect("redis starts");
        let store = open(&redis, format.clone(), "").await.store();
        for value in [Some(Bytes::from_static(bytes)), None] {
            let name = if value.is_some() { "value" } else { "nothing" };
            let written = Record { value: value.clone(), tags: vec![key("t")], ..record("") };
            let done = store.put("c", key(name), written, Condition::Newer).await;
            assert_eq!(done.expect("the store answers"), Written::Stored, "{format:?}");
            let found = store.get("c", &[key(name)], Intent::Read).await.expect("the store answers");
            let found = found[0].record.clone().unwrap_or_else(|| panic!("{name} in {format:?}"));
            assert_eq!((found.value, found.tags), (value, vec![key("t")]), "{format:?}");
        }
        store.raise(Some("c"), Some(key("t")), 20).await.expect("the store answers");
        let keys = [key("value"), key("nothing")];
        let found = store.get("c", &keys, Intent::Read).await.expect("the store answers");
        assert!(found.iter().all(|found| found.record.is_none()), "{format:?}");
    }
}

#[tokio::test]
async fn what_a_serializer_leaves_out_is_the_default_of_its_type_if_that_was_said() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("redis starts");
    let server = unstale_redis::Settings::parse(&redis.url()).and_then(unstale_redis::SharedRedis::open);
    let server = server.expect("one server");
    server.connection().until_up().await;
    let settings = unstale_fusion::FusionSettings::new("c", Format::Newtonsoft).default_value("0");
    let store = unstale_fusion::FusionCache::open(server, settings).expect("sound settings").store();
    let data = format!(r#"{{"t":{0},"l":{0}}}"#, ticks(&redis).await + 600_000_000);
    command(&redis, &["HSET", "v2:k", "absexp", "3155378975999999999", "sldexp", "-1", "data", &data]).await;
    assert_eq!(value(&store, "k").await, Some(key("0")));
}

#[tokio::test]
async fn a_mark_is_never_lowered_and_outlives_what_it_hides() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("redis starts");
    let store = open(&redis, Format::SystemTextJson, "").await.store();
    let ahead = ticks(&redis).await + 50_000_000;
    write_as_net(&redis, "v2:__fc:t:t", &ahead.to_string(), ahead, "null").await;
    store.raise(Some("c"), Some(key("t")), 20).await.expect("the store answers");
    let reply = command(&redis, &["HGET", "v2:__fc:t:t", "data"]).await;
    let data: serde_json::Value = serde_json::from_str(reply.text().expect("text")).expect("JSON");
    assert!(data["Value"].as_i64() > Some(ahead), "{data}");
    let days = command(&redis, &["TTL", "v2:__fc:t:t"]).await.number().expect("a number") / 86_400;
    assert!(days >= 9, "{days}");
}

#[tokio::test]
async fn what_net_cannot_name_is_kept_nowhere_and_holds_up_nothing_else() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("redis starts");
    let store = open(&redis, Format::SystemTextJson, "").await.store();
    let written = store.put("c", key("k"), record("1"), Condition::Newer).await;
    assert_eq!(written.expect("the store answers"), Written::Stored);
    let odd_keys = [Bytes::new(), Bytes::from_static(b"\xff"), key("__fc:t:x")];
    for odd in &odd_keys {
        let keys = [odd.clone(), key("k")];
        let found = store.get("c", &keys, Intent::Load { turn: Duration::from_secs(5) }).await;
        let found = found.expect("the store answers");
        assert_eq!([&found[0], &found[1]].map(|found| found.record.is_some()), [false, true], "{odd:?}");
        assert_eq!(found[0].turn, Turn::Yours, "{odd:?}");
        for condition in [Condition::Newer, Condition::Lease(found[0].lease)] {
            let written = store.put("c", odd.clone(), record("1"), condition).await;
            assert_eq!(written.expect("the store answers"), Written::Refused, "{odd:?}");
        }
        store.release("c", odd.clone(), found[0].lease).await.expect("there is nothing to do");
    }
    let with_all = [&odd_keys[..], &[key("other")]].concat();
    store.remove("c", &with_all, 20).await.expect("it takes what it can");
    store.expire("c", &odd_keys, 21).await.expect("there is nothing to do");
    for odd in [Bytes::new(), Bytes::from_static(b"\xff")] {
        let tagged = Record { tags: vec![key("t"), odd.clone()], ..record("2") };
        let written = store.put("c", key("tagged"), tagged, Condition::Newer).await;
        assert_eq!(written.expect("the store answers"), Written::Refused, "{odd:?}");
        store.raise(None, Some(odd.clone()), 22).await.expect("there is nothing to do");
        store.raise_stale(None, Some(odd), 22).await.expect("there is nothing to do");
    }
    assert_eq!(value(&store, "k").await, Some(key("1")));
    for (name, tag) in [("a", "*"), ("b", "!")] {
        write_as_net(&redis, &format!("v2:{name}"), "1", ticks(&redis).await, &format!("[\"{tag}\"]")).await;
        store.raise(None, Some(key(tag)), 23).await.expect("the store answers");
        assert_eq!(value(&store, name).await, None, "{tag} may be on an entry of .NET");
    }
}

#[tokio::test]
async fn the_turns_for_many_entries_of_no_use_are_taken_in_one_round_trip() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("redis starts");
    let store = open(&redis, Format::SystemTextJson, "").await.store();
    let keys = ["a", "b", "c"].map(key);
    store.remove("c", &keys, 20).await.expect("the store answers");
    for name in ["v2:a", "v2:b", "v2:c"] {
        // It may be a fill that began before the removal.
        write_as_net(&redis, name, "1", ticks(&redis).await, "null").await;
    }
    let intent = Intent::Load { turn: Duration::from_secs(60) };
    let first = store.get("c", &keys, intent).await.expect("the store answers");
    assert!(first.iter().all(|found| found.record.is_none() && found.turn == Turn::Yours));
    let before = scripts(&redis).await;
    let second = store.get("c", &keys, intent).await.expect("the store answers");
    assert!(second.iter().all(|found| found.record.is_none() && found.turn == Turn::Taken));
    assert_eq!(scripts(&redis).await - before, 2, "one for the entries, one for all turns");
}
