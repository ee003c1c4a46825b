//! That unstale nodes obey, and that their promises go on.

use std::convert::Infallible;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{interval, timeout};
use unstale::{Cache, Json, Node};
use unstale_redis::{Connection, RedisBackplane, RedisStore, Settings};
use unstale_servers::{Program, Redis, needs};

use crate::run_codec;

/// Far beyond anything that passes.
const PATIENCE: Duration = Duration::from_secs(60);

struct Member {
    node: Node,
    users: Cache<u64, String>,
}

impl Member {
    async fn start(redis: &Redis, name: &str) -> Self {
        let settings = Settings::parse(&redis.url()).expect("a URL");
        let backplane = RedisBackplane::builder(settings.clone()).group("shop").start().expect("sound");
        let connection = Connection::open(settings);
        connection.until_up().await;
        let builder =
            Node::builder("shop").name(name).backplane(backplane).store(RedisStore::new(&connection));
        let node = builder.start().await.expect("it starts");
        let users = node.cache("users").stored_as(Json).build().expect("sound");
        timeout(PATIENCE, node.joined()).await.expect("in time").expect("it joins");
        Self { node, users }
    }

    async fn load(&self, key: u64, value: &str) -> String {
        let value = value.to_owned();
        let loaded = self.users.get_or_load(&key, async move |load| {
            load.tag("vip");
            Ok::<_, Infallible>(value)
        });
        loaded.await.expect("it loads").to_string()
    }

    async fn until_gone(&self, key: u64) {
        let mut ticks = interval(Duration::from_millis(1));
        let gone = async {
            while self.users.get(&key).is_some() {
                ticks.tick().await;
            }
        };
        timeout(PATIENCE, gone).await.expect("it goes");
    }
}

async fn send(redis: &Redis, arguments: &[&str]) -> Value {
    let common = ["--group", "shop", "--cache", "users", "--json"];
    let output = run_codec("native", &redis.url(), &[&common[..], arguments].concat()).await;
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one line of JSON")
}

#[tokio::test]
async fn a_key_a_tag_and_all_are_gone_from_every_node_and_from_the_store() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let members = [Member::start(&redis, "a").await, Member::start(&redis, "b").await];
    for (version, arguments) in [
        (1, &["--key", "42", "--key-type", "u64"][..]),
        (2, &["--tag", "vip", "--action", "expire"]),
        (3, &["--clear"]),
    ] {
        let value = format!("version {version}");
        assert_eq!(members[0].load(42, &value).await, value, "nothing older was left");
        assert_eq!(members[1].load(42, "from the store, or this is read").await, value);
        let told = send(&redis, arguments).await;
        assert_eq!(
            (&told["announced"], &told["confirmed"], &told["number"]),
            (&json!(true), &json!(true), &json!(1)),
            "{told}"
        );
        let mut names: Vec<_> =
            told["members"].as_array().expect("names").iter().map(Value::to_string).collect();
        names.sort();
        assert_eq!(names, ["\"a\"", "\"b\""], "{told}");
        for member in &members {
            member.until_gone(42).await;
        }
    }
    for member in members {
        member.node.shutdown().await.expect("it leaves");
    }
}

#[tokio::test]
async fn a_group_without_members_is_said_and_a_dry_run_joins_nothing() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let dry = send(&redis, &["--key", "2a", "--key-type", "hex", "--dry-run"]).await;
    assert_eq!((&dry["dry_run"], &dry["of"]), (&json!(true), &json!("2a")), "{dry}");
    assert_eq!(dry["frame"]["acts"][0]["verb"], "remove", "{dry}");
    assert_eq!(redis.command(&["DBSIZE"]).await.expect("an answer").number(), Some(0));
    let told = send(&redis, &["--key", "a", "--no-l2"]).await;
    assert_eq!((&told["members"], &told["confirmed"]), (&json!([]), &json!(false)), "{told}");
    for (arguments, part) in [
        (&["--key", "x", "--key-type", "u64"][..], "u64"),
        (&["--key", "x", "--action", "set"], "remove or expire"),
        (&["--key", "0", "--key-type", "hex"], "odd"),
        (&["--clear", "--key-type", "u64"], "--key-type is of --key"),
        (&["--key", "a", "--no-l2", "--namespace", "shop"], "cannot be used with"),
        (&["--key", "a", "--key-prefix", "shop:"], "--key-prefix is of --codec fusion"),
        (&["--key", "a", "--safe-strings"], "--safe-strings is of --codec fusion"),
    ] {
        let output =
            run_codec("native", &redis.url(), &[&["--cache", "users"][..], arguments].concat()).await;
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(64), "{error}");
        assert!(error.contains(part), "{part} in {error}");
    }
}
