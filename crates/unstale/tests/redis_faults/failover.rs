//! A replica that has not heard the last writes becomes the master.

use unstale_servers::{Program, Proxy, Redis, Sentinel, Way, needs};

use crate::estate::{Estate, Plan};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_lags_and_takes_over_breaks_no_promise() {
    needs!(Program::RedisServer);
    let master = Redis::start().await.unwrap();
    let replica = Redis::options().replica_of(&master).start().await.unwrap();
    replica.until_info("master_link_status", "up").await.unwrap();
    let sentinel = Sentinel::watch("shop", &master, 1).await.unwrap();
    let url = format!("redis+sentinel://{}/shop", sentinel.address());
    let urls = [url.clone(), url.clone(), url];
    let mut estate = Estate::start_on(Plan::new("failover"), master, Vec::new(), &urls).await;

    let ongoing = estate.begins("a replica that lagged takes over").await;
    let way = Proxy::to(estate.redis.address()).await.unwrap();
    let (host, port) = way.address().split_once(':').unwrap();
    replica.command(&["REPLICAOF", host, port]).await.unwrap();
    replica.until_info("master_link_status", "up").await.unwrap();
    way.block(Way::ToClient);
    estate.go_on().await;
    let port = estate.redis.port();
    estate.redis.kill();
    sentinel.until_master_is_not(port).await.unwrap();
    let figures = estate.healed(ongoing).await;
    figures.check(0.9);
    replica.until_info("role", "master").await.unwrap();
    estate.finish_kept().await;
}
