//! Redis is killed, or loses everything.

use tokio::time::Instant;
use unstale_servers::{Data, Program, Redis, needs};

use crate::estate::{Estate, Plan};
use crate::figures::Figures;

/// `kill -9`, and a start with or without what it had written.
pub(crate) async fn kill(estate: &mut Estate, data: Data) -> Figures {
    let ongoing = estate.begins(format!("killed, started with its data {data:?}")).await;
    estate.redis.kill();
    estate.all("nobody proves", |member| !member.proves()).await;
    estate.go_on().await;
    estate.redis.restart(data).await.unwrap();
    estate.healed(ongoing).await
}

/// `FLUSHALL`.
pub(crate) async fn flush(estate: &mut Estate) -> Figures {
    let ongoing = estate.begins("FLUSHALL").await;
    let eras = estate.eras();
    let flushed = Instant::now();
    estate.redis.command(&["FLUSHALL"]).await.unwrap();
    estate.until_eras_differ(&eras).await;
    estate.healed_at(flushed, ongoing).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_killed_or_flushed_breaks_no_promise_whether_its_data_comes_back_or_not() {
    needs!(Program::RedisServer);
    let emptied = async {
        let mut estate = Estate::start(Plan::new("killed, emptied")).await;
        kill(&mut estate, Data::Emptied).await.check(0.9);
        estate.finish_kept().await;
    };
    let kept = async {
        let redis = Redis::options().append_only();
        let mut estate = Estate::start(Plan { redis, ..Plan::new("killed, data kept") }).await;
        kill(&mut estate, Data::Kept).await.check(0.9);
        estate.finish_kept().await;
    };
    let compared_with_sqlite = async {
        let redis = Redis::options().append_only();
        let plan = Plan { redis, is_in_sqlite: true, ..Plan::new("killed, rows in SQLite") };
        let mut estate = Estate::start(plan).await;
        kill(&mut estate, Data::Kept).await.check(0.9);
        estate.finish_kept().await;
    };
    let flushed = async {
        let mut estate = Estate::start(Plan::new("flushed")).await;
        flush(&mut estate).await.check(0.9);
        estate.finish_kept().await;
    };
    tokio::join!(emptied, kept, compared_with_sqlite, flushed);
}
