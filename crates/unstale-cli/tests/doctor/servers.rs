//! What is found of servers: how they are set up, where they are, what the user may do there.

use unstale_servers::{Cluster, Program, Redis, Sentinel, needs};

use crate::{examine, says};

#[tokio::test]
async fn a_fresh_server_is_fit_and_nothing_is_left_on_it() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let examined = examine(&[&redis.url(), "--tries", "20"], &[]).await;
    assert_eq!(examined.code, Some(0), "{}", examined.text);
    assert_eq!(examined.summary["fail"], 0);
    let trip = examined.check("round-trip");
    assert_eq!(trip["tries"], 20);
    assert!(trip["p50_us"].as_u64().expect("a figure") <= trip["p99_us"].as_u64().expect("a figure"));
    assert!(examined.check("clock")["ahead_ms"].as_f64().expect("a figure").abs() < 1_000.0);
    assert_eq!(examined.named("right").count(), 8);
    let size = redis.command(&["DBSIZE"]).await.expect("an answer");
    let functions = redis.command(&["FUNCTION", "LIST"]).await.expect("an answer");
    assert_eq!((size.number(), functions.list().len()), (Some(0), 0));
}

#[tokio::test]
async fn rights_that_are_missing_are_named_with_who_needs_them() {
    needs!(Program::RedisServer);
    let options = Redis::options()
        .acl("user default off")
        .acl("user app on >pw ~unstale:* &unstale:* +@all -xadd -publish")
        .acl("user dotnet on >pw ~v2:* &*.Backplane:v2 +@all");
    let redis = options.start().await.expect("it starts");
    let url = |user: &str| format!("redis://{user}@{}?password_env=P", redis.address());
    let examined = examine(&[&url("app")], &[("P", "pw")]).await;
    assert_eq!(examined.code, Some(1), "{}", examined.text);
    for (right, status, part) in [
        ("subscribe", "ok", "allowed"),
        ("publish", "fail", "'publish'"),
        ("hash", "ok", "allowed"),
        ("stream", "warn", "Streams"),
        ("script", "ok", "allowed"),
    ] {
        let check = examined.right(right);
        assert_eq!(check["status"], status, "{check}");
        assert!(says(check).contains(part), "{part} in {check}");
    }

    let elsewhere = examine(&[&url("dotnet")], &[("P", "pw")]).await;
    for right in ["hash", "subscribe"] {
        assert!(says(elsewhere.right(right)).contains("--own PREFIX"), "{}", elsewhere.text);
    }
    let within = examine(&[&url("dotnet"), "--own", "v2:doctor:"], &[("P", "pw")]).await;
    assert_eq!(within.right("hash")["status"], "ok", "{}", within.text);
}

#[tokio::test]
async fn entries_that_the_user_may_not_read_are_said_and_not_passed_over() {
    needs!(Program::RedisServer);
    let options = Redis::options().acl("user app on >pw ~* &* +@all -hmget");
    let redis = options.start().await.expect("it starts");
    redis.command(&["HSET", "v2:user:1", "absexp", "-1", "sldexp", "-1", "data", "x"]).await.expect("set");
    let url = format!("redis://app@{}?password_env=P", redis.address());
    let examined = examine(&[&url, "--read-only"], &[("P", "pw")]).await;
    let entries = examined.check("entries");
    assert_eq!(entries["status"], "warn", "{entries}");
    assert!(says(entries).contains("'hmget'") && says(entries).contains("v2:*"), "{entries}");
}

#[tokio::test]
async fn nothing_is_tried_when_only_reading_is_asked_for() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    redis.command(&["CONFIG", "RESETSTAT"]).await.expect("reset");
    let examined = examine(&[&redis.url(), "--read-only"], &[]).await;
    assert_eq!(examined.code, Some(0), "{}", examined.text);
    assert_eq!(examined.named("right").count() + examined.named("round-trip").count(), 0);
    let statistics = redis.command(&["INFO", "commandstats"]).await.expect("an answer");
    let statistics = statistics.text().expect("text").to_owned();
    for command in ["hset", "set", "del", "publish", "subscribe", "eval", "xadd", "function"] {
        assert!(!statistics.contains(&format!("cmdstat_{command}:")), "{command} in {statistics}");
    }
}

#[tokio::test]
async fn a_replica_is_a_failure_that_names_its_master() {
    needs!(Program::RedisServer);
    let master = Redis::start().await.expect("it starts");
    let replica = Redis::options().replica_of(&master).start().await.expect("it starts");
    replica.until_info("master_link_status", "up").await.expect("it follows");
    let examined = examine(&[&replica.url(), &master.url()], &[]).await;
    assert_eq!(examined.code, Some(1), "{}", examined.text);
    let roles: Vec<_> = examined.named("role").collect();
    assert_eq!((&roles[0]["role"], &roles[0]["status"]), (&"replica".into(), &"fail".into()));
    assert!(says(roles[0]).contains(&master.address()), "{}", roles[0]);
    assert_eq!((&roles[1]["replicas"], &roles[1]["status"]), (&1.into(), &"warn".into()));
    assert!(says(roles[1]).contains("min-replicas-to-write"), "{}", roles[1]);
    // Only the master was written to.
    assert_eq!(examined.named("round-trip").count(), 1);
}

#[tokio::test]
async fn limits_that_lose_marks_or_subscribers_are_warnings() {
    needs!(Program::RedisServer);
    let options = Redis::options()
        .memory_bytes_max(64 << 20)
        .config("maxmemory-policy", "allkeys-lru")
        .config("client-output-buffer-limit", "pubsub 64kb 32kb 1")
        .config("save", "3600 1");
    let redis = options.start().await.expect("it starts");
    let examined = examine(&[&redis.url()], &[]).await;
    assert_eq!(examined.code, Some(0), "{}", examined.text);
    assert_eq!(examined.summary["verdict"], "warn");
    for name in ["memory", "buffers", "persistence"] {
        assert_eq!(examined.status(name), "warn", "{}", examined.text);
    }
    assert_eq!(examined.check("memory")["limit_bytes"], 64 << 20);
    assert!(says(examined.check("memory")).contains("marks"), "{}", examined.text);
}

#[tokio::test]
async fn the_master_behind_a_sentinel_and_each_master_of_a_cluster_are_examined() {
    needs!(Program::RedisServer);
    let master = Redis::start().await.expect("it starts");
    let sentinel = Sentinel::watch("shop", &master, 0).await.expect("it watches");
    let cluster = Cluster::start(3).await.expect("it starts");
    let watched = format!("redis+sentinel://{}/shop", sentinel.address());
    let spread = format!("redis+cluster://{}", cluster.addresses().join(","));
    let examined = examine(&[&watched, &spread], &[]).await;
    assert_eq!(examined.code, Some(0), "{}", examined.text);
    let of = |url: &str, name: &str| {
        let found: Vec<_> = examined.named(name).filter(|check| check["url"] == url).cloned().collect();
        found
    };
    assert_eq!(of(&watched, "role").len(), 1);
    assert_eq!(of(&spread, "cluster")[0]["masters"], 3);
    let mut nodes: Vec<_> =
        of(&spread, "role").iter().map(|check| check["node"].as_str().map(str::to_owned)).collect();
    let mut addresses: Vec<_> = cluster.addresses().into_iter().map(Some).collect();
    nodes.sort();
    addresses.sort();
    assert_eq!(nodes, addresses);
    assert_eq!(of(&spread, "round-trip")[0]["status"], "ok");
}
