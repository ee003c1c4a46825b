//! Users, passwords, names.

use redis::Value;
use unstale_port::Kind;
use unstale_redis::{Connection, Settings, State};
use unstale_servers::{Program, Redis, needs};

use crate::{connected, run, until, up};

#[tokio::test]
async fn a_password_is_given_and_a_wrong_one_is_an_error_that_does_not_tell_it() {
    needs!(Program::RedisServer);
    let redis = Redis::options().password("open-sesame").start().await.expect("it starts");
    let address = redis.address();
    let connection = connected(&format!("redis://:open-sesame@{address}")).await;
    run(&connection, &["SET", "a", "1"]).await.expect("it may");

    let refused = Connection::open(Settings::parse(&format!("redis://:swordfish@{address}")).expect("a URL"));
    until(&refused, State::Down).await;
    let why = refused.health().last_error.expect("an error");
    assert!(why.contains("WRONGPASS") && !why.contains("swordfish"), "{why}");
    assert!(!format!("{refused:?}").contains("swordfish"));
}

#[tokio::test]
async fn a_user_may_do_what_the_access_list_says() {
    needs!(Program::RedisServer);
    let options = Redis::options().acl("user default off").acl("user app on >pw ~mine:* +@all -@dangerous");
    let redis = options.start().await.expect("it starts");
    let connection = connected(&format!("redis://app:pw@{}", redis.address())).await;
    run(&connection, &["SET", "mine:a", "1"]).await.expect("it may");
    let error = run(&connection, &["SET", "yours:a", "1"]).await.expect_err("it may not");
    assert_eq!(error.kind(), Kind::Unauthenticated, "{error}");
}

#[tokio::test]
async fn a_password_file_that_changed_counts_from_the_next_connection_on() {
    needs!(Program::RedisServer);
    let redis = Redis::options().password("first").start().await.expect("it starts");
    let file = redis.folder().join("password");
    std::fs::write(&file, "first\n").expect("written");
    let settings = Settings::parse(&redis.url()).expect("a URL").password_from_file(&file);
    let connection = up(settings).await;
    redis.command(&["CONFIG", "SET", "requirepass", "second"]).await.expect("changed");
    std::fs::write(&file, "second\n").expect("written");
    run(&connection, &["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no"]).await.ok();
    until(&connection, State::Down).await;
    until(&connection, State::Up).await;
}

#[tokio::test]
async fn connections_have_a_name_a_protocol_and_a_database() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let connection = connected(&format!("{}/3?client_name=web-1", redis.url())).await;
    let Ok(Value::VerbatimString { text, .. }) = run(&connection, &["CLIENT", "INFO"]).await else {
        panic!("RESP3 has verbatim strings");
    };
    for field in [" name=web-1 ", " db=3 ", " resp=3 "] {
        assert!(format!("{} ", text.trim_end()).contains(field), "{field} in {text}");
    }
}
