//! Servers start, die, pause and come back; the proxy does what it is told.

use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, fs, io};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use unstale_servers::{Cluster, Data, FusionNode, Program, Proxy, Redis, Reply, Sentinel, Way, needs};

#[tokio::test]
async fn a_killed_redis_comes_back_on_its_port_with_its_data_or_without() {
    needs!(Program::RedisServer);
    let mut redis = Redis::options().append_only().start().await.expect("it starts");
    let port = redis.port();
    redis.command(&["SET", "a", "1"]).await.expect("it takes a value");
    redis.kill();
    TcpStream::connect(redis.address()).await.expect_err("nobody listens");
    redis.restart(Data::Kept).await.expect("it starts again");
    assert_eq!(redis.command(&["GET", "a"]).await.expect("it answers"), Reply::Text("1".to_owned()));
    redis.restart(Data::Emptied).await.expect("it starts empty");
    assert_eq!(redis.command(&["GET", "a"]).await.expect("it answers"), Reply::Nothing);
    assert_eq!(redis.port(), port);
}

#[tokio::test]
async fn a_paused_redis_answers_when_it_is_resumed() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    redis.pause();
    let silent = timeout(Duration::from_millis(100), redis.command(&["PING"])).await;
    silent.expect_err("a paused server says nothing");
    redis.resume();
    redis.command(&["PING"]).await.expect("it goes on");
}

#[tokio::test]
async fn a_redis_that_cannot_start_says_why_at_once() {
    needs!(Program::RedisServer);
    let began = Instant::now();
    let error = Redis::options().config("no-such-setting", "1").start().await.expect_err("a bad config");
    assert!(error.to_string().contains("ended"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[tokio::test]
async fn passwords_and_access_lists_are_asked_for() {
    needs!(Program::RedisServer);
    let redis = Redis::options().password("sesame").start().await.expect("it starts");
    redis.command(&["SET", "a", "1"]).await.expect("the harness has a login");
    assert_eq!(
        over_tcp(&redis, "GET a\r\n").await.expect("an answer"),
        "-NOAUTH Authentication required.\r\n"
    );

    let listed = Redis::options().acl("user default off").acl("user app on >pw ~* &* +@all");
    let redis = listed.start().await.expect("it starts");
    redis.command(&["SET", "a", "1"]).await.expect("the harness has a login");
    assert_eq!(over_tcp(&redis, "AUTH app pw\r\n").await.expect("an answer"), "+OK\r\n");
}

async fn over_tcp(redis: &Redis, text: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(redis.address()).await?;
    stream.write_all(text.as_bytes()).await?;
    let mut answer = vec![0; 1_024];
    let length = stream.read(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
}

#[tokio::test]
async fn a_sentinel_promotes_the_replica_of_a_killed_master() {
    needs!(Program::RedisServer);
    let mut master = Redis::start().await.expect("it starts");
    let replica = Redis::options().replica_of(&master).start().await.expect("it starts");
    replica.until_info("master_link_status", "up").await.expect("it follows");
    let sentinel = Sentinel::watch("shop", &master, 1).await.expect("it watches");
    assert_eq!(sentinel.master_port().await.expect("it knows"), master.port());
    master.kill();
    sentinel.until_master_is_not(master.port()).await.expect("a failover");
    assert_eq!(sentinel.master_port().await.expect("it knows"), replica.port());
    replica.until_info("role", "master").await.expect("it was promoted");
}

#[tokio::test]
async fn a_cluster_serves_every_slot_with_one_master_or_three() {
    needs!(Program::RedisServer);
    for count in [1, 3] {
        let cluster = Cluster::start(count).await.expect("it starts");
        let info = cluster.masters[0].command(&["CLUSTER", "SHARDS"]).await.expect("it answers");
        assert_eq!(info.list().len(), count);
    }
}

/// A server that sends back what it gets.
async fn echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                drop(tokio::io::copy(&mut from, &mut to).await);
            });
        }
    });
    address
}

#[tokio::test]
async fn a_proxy_delays_throttles_blocks_heals_and_cuts() {
    let proxy = Proxy::to(echo().await).await.expect("a free port");
    let mut stream = TcpStream::connect(proxy.address()).await.expect("it listens");
    let mut answer = [0; 5];
    stream.write_all(b"hello").await.expect("open");
    stream.read_exact(&mut answer).await.expect("passed on");
    assert_eq!(&answer, b"hello");

    proxy.delay(Duration::from_millis(50));
    let began = Instant::now();
    stream.write_all(b"later").await.expect("open");
    stream.read_exact(&mut answer).await.expect("passed on");
    assert!(began.elapsed() >= Duration::from_millis(100), "{:?}", began.elapsed());

    proxy.heal();
    proxy.throttle(Some(1_000));
    let began = Instant::now();
    let mut long = [1; 200];
    stream.write_all(&long).await.expect("open");
    stream.read_exact(&mut long).await.expect("passed on");
    assert!(began.elapsed() >= Duration::from_millis(100), "{:?}", began.elapsed());

    for way in [Way::ToServer, Way::ToClient] {
        proxy.heal();
        proxy.block(way);
        stream.write_all(b"stuck").await.expect("open");
        let silent = timeout(Duration::from_millis(100), stream.read_exact(&mut answer)).await;
        silent.expect_err("nothing comes through a blocked proxy");
        proxy.heal();
        stream.read_exact(&mut answer).await.expect("what waited goes on");
        assert_eq!(&answer, b"stuck");
    }

    proxy.cut();
    assert!(matches!(stream.read(&mut answer).await, Ok(0) | Err(_)), "the connection is closed");
    TcpStream::connect(proxy.address()).await.expect("new ones are taken");
}

#[tokio::test]
async fn a_fusion_node_reads_what_another_one_wrote() {
    needs!(Program::RedisServer);
    needs!(Program::FusionNode);
    let redis = Redis::start().await.expect("it starts");
    let mut a = FusionNode::start(&redis.address(), &[]).await.expect("a node");
    let mut b = FusionNode::start(&redis.address(), &[]).await.expect("a node");
    let set = json!({"op": "set", "key": "k", "value": "v", "tags": [], "duration_ms": 60_000});
    assert_eq!(a.ask(&set).await.expect("an answer")["ok"], true);
    assert_eq!(b.ask(&json!({"op": "get", "key": "k"})).await.expect("an answer")["value"], "v");
    b.ask(&json!({"op": "no such thing"})).await.expect_err("an error is an error");
    a.kill();
    a.ask(&set).await.expect_err("it is dead");
}

#[tokio::test]
async fn a_test_without_its_program_is_listed_as_skipped_and_fails_in_ci_where_debian_has_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let list = folder.path().join("skipped");
    let run = |test: &str, ci: &str| {
        let mut again = Command::new(env::current_exe().expect("this test"));
        again.env("UNSTALE_SKIPPED", &list).env("CI", ci);
        again.env("PATH", "").env("FUSIONCACHE_NODE", folder.path().join("none"));
        again.args(["--exact", test]).output().expect("it runs").status.success()
    };
    assert!(run("a_paused_redis_answers_when_it_is_resumed", ""));
    assert!(!run("a_paused_redis_answers_when_it_is_resumed", "true"));
    assert!(run("a_missing_peer_fails_nothing", "true"));
    let listed = fs::read_to_string(&list).expect("a list");
    let (first, second) = listed.trim_end().split_once('\n').expect("two lines");
    let line = "servers::a_paused_redis_answers_when_it_is_resumed: redis-server is not installed";
    assert!(first.starts_with(line), "{first}");
    assert!(second.starts_with("servers::a_missing_peer_fails_nothing: no FusionCache node"), "{second}");
}

#[tokio::test]
async fn a_missing_peer_fails_nothing() {
    needs!(Program::FusionNode);
    assert!(Program::FusionNode.path().is_some());
}
