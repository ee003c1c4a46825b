//! TLS, with certificates on both sides.

use unstale_redis::{Connection, Settings, State};
use unstale_servers::{Cluster, Program, Redis, needs};

use crate::certificates::Certificates;
use crate::{connected, run, until};

#[tokio::test]
async fn a_server_with_tls_is_reached_with_the_certificates_that_it_asks_for() {
    needs!(Program::RedisServer);
    let files = Certificates::new();
    let redis =
        Redis::options().tls(files.server("server", "yes")).password("pw").start().await.expect("it starts");
    let url = format!(
        "rediss://:pw@{}?authority={}&certificate={}&key={}",
        redis.address(),
        files.text("authority.pem"),
        files.text("client.pem"),
        files.text("client.key"),
    );
    let connection = connected(&url).await;
    run(&connection, &["SET", "a", "1"]).await.expect("it is reached");

    let without = format!("rediss://:pw@{}?authority={}", redis.address(), files.text("authority.pem"));
    let refused = Connection::open(Settings::parse(&without).expect("a URL"));
    until(&refused, State::Down).await;
}

#[tokio::test]
async fn a_server_whose_certificate_is_for_another_host_is_not_believed() {
    needs!(Program::RedisServer);
    let files = Certificates::new();
    let redis = Redis::options().tls(files.server("elsewhere", "no")).start().await.expect("it starts");
    let url = format!("rediss://{}?authority={}", redis.address(), files.text("authority.pem"));
    let connection = Connection::open(Settings::parse(&url).expect("a URL"));
    until(&connection, State::Down).await;
    let why = connection.health().last_error.expect("an error");
    assert!(why.contains("certificate"), "{why}");
}

#[tokio::test]
async fn a_cluster_with_tls_is_reached() {
    needs!(Program::RedisServer);
    let files = Certificates::new();
    let options = Redis::options().tls(files.server("server", "no"));
    let cluster = Cluster::start_with(1, &options).await.expect("it starts");
    let hosts = cluster.addresses().join(",");
    let connection =
        connected(&format!("rediss+cluster://{hosts}?authority={}", files.text("authority.pem"))).await;
    run(&connection, &["SET", "a", "1"]).await.expect("it is reached");
}

#[test]
fn files_that_do_not_fit_are_named() {
    let files = Certificates::new();
    let key = files.text("client.key");
    for query in [
        "authority=/none".to_owned(),
        format!("authority={key}"),
        format!("authority={}&key={key}", files.text("authority.pem")),
    ] {
        Settings::parse(&format!("rediss://h?{query}")).expect_err(&query);
    }
}
