//! The demo over a Redis, as a user runs it.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::Command;
use unstale_servers::{Program, Redis, needs};

/// Runs it to its end: the exit code, the last line, and what it complains of.
async fn demo(arguments: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, Value, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_unstale"));
    command.args(["demo", "--json"]).args(arguments).envs(environment.iter().copied()).stdin(Stdio::null());
    let output = command.output().await.expect("the command is built");
    let text = String::from_utf8(output.stdout).expect("text");
    let last = text.lines().last().map_or(Value::Null, |line| serde_json::from_str(line).expect("an object"));
    (output.status.code(), last, String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test]
async fn over_a_redis_every_fault_ends_coherent_and_nothing_is_left_there() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let arguments =
        ["--redis", &redis.url(), "--nodes", "4", "--seconds", "28", "--seed", "3", "--reads", "300"];
    let (code, verdict, error) = demo(&arguments, &[]).await;
    assert_eq!((code, &verdict["verdict"]), (Some(0), &json!("coherent")), "{verdict:#} {error}");
    assert_eq!((&verdict["backplane"], &verdict["stale_reads"]), (&json!("redis"), &json!(0)));
    for kind in ["kill", "pause", "cut"] {
        assert!(verdict["faults"][kind].as_u64() >= Some(1), "{verdict:#}");
    }
    for judged in ["plain", "proven", "session", "settled"] {
        assert!(verdict["judged"][judged].as_u64() > Some(50), "{judged} in {verdict:#}");
    }
    assert!(verdict["frames_lost"].as_u64() > Some(0), "a cut loses something: {verdict:#}");
    assert!(verdict["dotnet_stale_reads"].is_null() && verdict["dotnet_reads"].is_null(), "{verdict:#}");
    assert_eq!(redis.command(&["DBSIZE"]).await.expect("an answer").number(), Some(0));
}

#[tokio::test]
async fn a_live_dotnet_node_shares_the_cache_and_its_stale_reads_are_counted_apart() {
    needs!(Program::RedisServer);
    needs!(Program::FusionNode);
    let redis = Redis::start().await.expect("it starts");
    let program = Program::FusionNode.path().expect("it is there");
    let environment = [("FUSIONCACHE_NODE", program.to_str().expect("text"))];
    let arguments = [
        "--redis",
        &redis.url(),
        "--dotnet",
        "--nodes",
        "3",
        "--seconds",
        "20",
        "--seed",
        "3",
        "--reads",
        "200",
    ];
    let (code, verdict, error) = demo(&arguments, &environment).await;
    assert_eq!((code, &verdict["verdict"]), (Some(0), &json!("coherent")), "{verdict:#} {error}");
    assert_eq!((&verdict["nodes"], &verdict["stale_reads"]), (&json!(4), &json!(0)));
    let (reads, stale) = (verdict["dotnet_reads"].as_u64(), verdict["dotnet_stale_reads"].as_u64());
    assert!(reads > Some(50) && stale.is_some() && stale <= reads, "{verdict:#}");
    for kind in ["kill", "pause", "cut"] {
        assert!(verdict["faults"][kind].as_u64() >= Some(1), "{verdict:#}");
    }
    assert_eq!(redis.command(&["DBSIZE"]).await.expect("an answer").number(), Some(0));
}

#[tokio::test]
async fn what_cannot_run_says_what_to_do() {
    needs!(Program::RedisServer);
    let mut redis = Redis::start().await.expect("it starts");
    let url = redis.url();
    let nowhere = [("FUSIONCACHE_NODE", "/nowhere/at/all")];
    for (arguments, code, part) in [
        (&["--redis"][..], 64, "redis-server --port"),
        (&["--dotnet"], 64, "--redis"),
        (&["--redis", &url, "--naive"], 64, "cannot be used with"),
        (&["--redis", "redis+cluster://a,b"], 64, "redis://HOST"),
        (&["--redis", "redis://:sesame@h"], 64, "password_env"),
        (&["--redis", &url, "--dotnet"], 64, "set FUSIONCACHE_NODE"),
        (&["--redis", &url, "--seconds", "12"], 64, "--seconds 18"),
    ] {
        let (ended, _, error) = demo(arguments, &nowhere).await;
        assert_eq!(ended, Some(code), "{arguments:?}: {error}");
        assert!(error.contains(part) && !error.contains("sesame"), "{part} in {error}");
    }
    // Any program does: it is not started.
    let somewhere = [("FUSIONCACHE_NODE", env!("CARGO_BIN_EXE_unstale")), ("P", "pw")];
    for rest in ["/3", "/0?password_env=P", "?password_env=P"] {
        let (ended, _, error) = demo(&["--redis", &format!("{url}{rest}"), "--dotnet"], &somewhere).await;
        assert!(ended == Some(64) && error.contains("HOST[:PORT] alone"), "{rest}: {error}");
    }
    redis.kill();
    let record = redis.folder().join("run.history");
    std::fs::write(&record, "an earlier run").expect("written");
    let arguments = ["--redis", &url, "--record", record.to_str().expect("text")];
    let (ended, _, error) = demo(&arguments, &[]).await;
    assert_eq!(ended, Some(69), "{error}");
    assert_eq!(std::fs::read_to_string(&record).expect("it is there"), "an earlier run");
}
