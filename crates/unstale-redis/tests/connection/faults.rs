//! Connections that are lost, and come back.

use std::time::Duration;

use redis::Value;
use unstale_port::{Kind, Retry};
use unstale_redis::{Connection, Settings, State};
use unstale_servers::{Data, Program, Proxy, Redis, Way, needs};

use crate::{connected, run, until};

#[tokio::test]
async fn a_connection_comes_back_after_its_server_was_killed() {
    needs!(Program::RedisServer);
    let mut redis = Redis::options().append_only().start().await.expect("it starts");
    let connection = connected(&redis.url()).await;
    run(&connection, &["SET", "a", "1"]).await.expect("it answers");
    redis.kill();
    until(&connection, State::Down).await;
    let error = run(&connection, &["GET", "a"]).await.expect_err("it is down");
    assert_eq!((error.kind(), error.retry()), (Kind::Unavailable, Retry::Reconnected));
    redis.restart(Data::Kept).await.expect("it starts again");
    let took = until(&connection, State::Up).await;
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(run(&connection, &["GET", "a"]).await.expect("it answers"), Value::BulkString(b"1".to_vec()));
    assert!(connection.health().last_error.is_some(), "why it was down is still known");
}

#[tokio::test]
async fn a_server_that_was_not_there_yet_is_found() {
    needs!(Program::RedisServer);
    let mut redis = Redis::start().await.expect("it starts");
    redis.kill();
    let connection = Connection::open(Settings::parse(&redis.url()).expect("a URL"));
    assert_eq!(connection.health().state, State::Connecting);
    until(&connection, State::Down).await;
    redis.restart(Data::Emptied).await.expect("it starts");
    until(&connection, State::Up).await;
}

#[tokio::test]
async fn a_server_that_stands_still_is_noticed_within_two_seconds() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let connection = connected(&redis.url()).await;
    redis.pause();
    let took = until(&connection, State::Down).await;
    assert!(took < Duration::from_secs(2), "{took:?}");
    redis.resume();
    until(&connection, State::Up).await;
}

#[tokio::test]
async fn a_half_open_connection_is_noticed_within_two_seconds_each_way() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let proxy = Proxy::to(redis.address()).await.expect("a proxy");
    let connection = connected(&proxy.url()).await;
    for way in [Way::ToServer, Way::ToClient] {
        proxy.block(way);
        let took = until(&connection, State::Down).await;
        assert!(took < Duration::from_secs(2), "{way:?}: {took:?}");
        proxy.heal();
        until(&connection, State::Up).await;
    }
}

#[tokio::test]
async fn a_command_without_an_answer_fails_in_time() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let settings = Settings::parse(&redis.url()).expect("a URL").response_timeout(Duration::from_millis(50));
    let connection = crate::up(settings).await;
    redis.pause();
    let error = run(&connection, &["GET", "a"]).await.expect_err("nobody answers");
    assert_eq!((error.kind(), error.retry()), (Kind::Timeout, Retry::Reconnected));
    redis.resume();
}

#[tokio::test]
async fn a_command_that_is_only_slow_costs_no_connection() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let settings = Settings::parse(&redis.url()).expect("a URL").response_timeout(Duration::from_millis(50));
    let connection = crate::up(settings).await;
    let since = connection.health().since;
    run(&connection, &["BLPOP", "nothing", "0.2"]).await.expect_err("it takes too long");
    // What was asked meanwhile is answered once the slow one is done, on the same connection.
    let mut answered = run(&connection, &["GET", "a"]).await;
    while answered.is_err() {
        answered = run(&connection, &["GET", "a"]).await;
    }
    assert_eq!(connection.health().since, since);
}

#[tokio::test]
async fn a_killed_client_comes_back() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let connection = connected(&redis.url()).await;
    let since = connection.health().since;
    redis.command(&["CLIENT", "KILL", "TYPE", "normal"]).await.expect("it kills");
    until(&connection, State::Down).await;
    until(&connection, State::Up).await;
    assert!(connection.health().since > since);
}
