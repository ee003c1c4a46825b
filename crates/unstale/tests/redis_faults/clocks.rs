//! Clocks that disagree.

use std::time::Duration;

use unstale_servers::{Data, Program, needs};

use crate::estate::{Estate, Plan};
use crate::kills::kill;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_whose_clocks_are_ten_seconds_apart_break_no_promise() {
    needs!(Program::RedisServer);
    let plan = Plan { apart: Duration::from_secs(10), ..Plan::new("clocks apart") };
    let mut estate = Estate::start(plan).await;
    kill(&mut estate, Data::Emptied).await.check(0.9);
    estate.finish_kept().await;
}
