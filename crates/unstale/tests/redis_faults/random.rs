//! Faults in any order on one estate.

use std::env;
use std::time::{Duration, Instant};

use unstale_servers::{Data, Program, Redis, Way, needs};

use crate::estate::{Estate, Plan};
use crate::kills::{flush, kill};
use crate::links::{black_hole, slow};
use crate::stalls::{kill_clients, stall};
use crate::traffic::Dice;

/// How long faults go on, unless `UNSTALE_FAULT_SECONDS` says otherwise.
const SECONDS: u64 = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_in_any_order_break_no_promise() {
    needs!(Program::RedisServer);
    let seconds = env::var("UNSTALE_FAULT_SECONDS").map_or(SECONDS, |seconds| seconds.parse().unwrap());
    let began = Instant::now();
    let redis = Redis::options().append_only();
    let mut estate = Estate::start(Plan { redis, ..Plan::new("any order") }).await;
    let mut dice = Dice(u64::from(estate.redis.port()));
    while began.elapsed() < Duration::from_secs(seconds) {
        let node = dice.below(3) as usize;
        let figures = match dice.below(7) {
            0 => kill(&mut estate, Data::Emptied).await,
            1 => kill(&mut estate, Data::Kept).await,
            2 => flush(&mut estate).await,
            3 => stall(&mut estate, Duration::from_millis(500 + dice.below(4_000))).await,
            4 => kill_clients(&mut estate).await,
            5 => slow(&mut estate, node).await,
            _ => {
                let ways = [Way::ToServer, Way::ToClient, Way::ToServer];
                let first = dice.below(2) as usize;
                let count = 1 + dice.below(2) as usize;
                black_hole(&mut estate, node, &ways[first..first + count]).await
            }
        };
        figures.check(0.9);
    }
    estate.finish_kept().await;
}
