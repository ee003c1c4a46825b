//! Redis stands still, or throws its clients out.

use std::time::{Duration, Instant};

use unstale_servers::{Program, needs};

use crate::estate::{Estate, Plan, until};
use crate::figures::Figures;
use crate::judge::now;

/// Of an estate.
const MEMBERS: i64 = 3;
const KILLED_WITHIN: Duration = Duration::from_secs(20);

/// `kill -STOP`, for this long.
pub(crate) async fn stall(estate: &mut Estate, length: Duration) -> Figures {
    let ongoing = estate.begins(format!("stopped for {length:?}")).await;
    let until_when = now() + length.as_nanos() as u64;
    estate.redis.pause();
    estate.all("nobody proves", |member| !member.proves()).await;
    until("that was long enough", || now() > until_when).await;
    estate.redis.resume();
    estate.healed(ongoing).await
}

/// Closes connections of each kind, again and again.
pub(crate) async fn kill_clients(estate: &mut Estate) -> Figures {
    let ongoing = estate.begins("CLIENT KILL of each kind").await;
    for _ in 0..3 {
        for kind in ["pubsub", "normal", "pubsub"] {
            let (mut killed, due) = (0_i64, Instant::now() + KILLED_WITHIN);
            // Those that are not back from the last time are killed when they are.
            while killed < MEMBERS {
                let reply = estate.redis.command(&["CLIENT", "KILL", "TYPE", kind]).await.unwrap();
                killed += reply.number().unwrap();
                assert!(Instant::now() < due, "{killed} clients of kind {kind} were there to be killed");
            }
        }
        estate.go_on().await;
    }
    estate.healed(ongoing).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_stands_still_or_throws_its_clients_out_breaks_no_promise() {
    needs!(Program::RedisServer);
    // Shorter and longer than leases.
    let short = async {
        let mut estate = Estate::start(Plan::new("stopped briefly")).await;
        stall(&mut estate, Duration::from_millis(1_500)).await.check(0.9);
        estate.finish_kept().await;
    };
    let long = async {
        let mut estate = Estate::start(Plan::new("stopped for long")).await;
        stall(&mut estate, Duration::from_secs(4)).await.check(0.9);
        estate.finish_kept().await;
    };
    let thrown_out = async {
        let mut estate = Estate::start(Plan::new("clients killed")).await;
        kill_clients(&mut estate).await.check(0.9);
        estate.finish_kept().await;
    };
    tokio::join!(short, long, thrown_out);
}
