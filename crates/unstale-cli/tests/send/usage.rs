//! What may be asked, and how it ends.

use unstale_servers::{Program, Redis, needs};

use crate::run;

#[tokio::test]
async fn what_makes_no_sense_is_64_and_says_why() {
    for (arguments, part) in [
        (&["--cache", "C"][..], "--key"),
        (&["--cache", "C", "--key", "a", "--tag", "b"], "cannot be used with"),
        (&["--cache", "C", "--key", ""], "empty"),
        (&["--cache", "", "--key", "a"], "empty"),
        (&["--cache", "C", "--tag", "*"], "--clear"),
        (&["--cache", "C", "--tag", "t", "--action", "remove"], "RemoveByTagBehavior"),
        (&["--cache", "C", "--clear", "--action", "set"], "expire or remove"),
        (&["--cache", "C", "--key", "a", "--source", ""], "--source"),
        (&["--key", "a"], "--cache"),
        (&["--cache", "C", "--key", "a", "--group", "shop"], "--group is of --codec native"),
        (&["--cache", "C", "--key", "a", "--key-type", "u64"], "--key-type is of --codec native"),
        (&["--cache", "C", "--key", "a", "--serializer", "stj"], "cannot be used with"),
        (&["--cache", "C", "--clear", "--no-l2", "--serializer", "stj"], "cannot be used with"),
    ] {
        let output = run("redis://127.0.0.1:1", arguments).await;
        let error = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(64), "{arguments:?}: {error}");
        assert!(error.contains(part), "{part} in {error}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_69() {
    needs!(Program::RedisServer);
    let mut redis = Redis::start().await.expect("it starts");
    redis.kill();
    let output = run(&redis.url(), &["--cache", "C", "--key", "a"]).await;
    assert_eq!(output.status.code(), Some(69));
}

#[tokio::test]
async fn a_mark_needs_a_serializer_that_is_known() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let output = run(&redis.url(), &["--cache", "C", "--clear"]).await;
    let error = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(65), "{error}");
    assert!(error.contains("--serializer") && error.contains("--no-l2"), "{error}");
    let without = run(&redis.url(), &["--cache", "C", "--clear", "--no-l2"]).await;
    assert_eq!(without.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&without.stdout).contains("nobody listens"));
}
