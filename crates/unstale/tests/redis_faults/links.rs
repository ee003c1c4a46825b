//! The network between one node and Redis goes bad.

use std::time::Duration;

use unstale::Cache;
use unstale_servers::{Program, Redis, Way, needs};

use crate::estate::{Estate, Plan, until};
use crate::figures::Figures;

const LATENCY: Duration = Duration::from_millis(150);
/// So that a reply takes its time and beats still come through.
const BYTES_PER_SECOND: u32 = 40_000;

/// One node's link is slow and narrow.
pub(crate) async fn slow(estate: &mut Estate, node: usize) -> Figures {
    let ongoing =
        estate.begins(format!("link of {LATENCY:?} each way, {BYTES_PER_SECOND} bytes a second")).await;
    estate.networks[node].delay(LATENCY);
    estate.networks[node].throttle(Some(BYTES_PER_SECOND));
    estate.is_felt().await;
    for _ in 0..3 {
        estate.go_on().await;
    }
    estate.networks[node].heal();
    estate.healed(ongoing).await
}

/// Nothing passes between one node and Redis these ways, and nobody is told.
pub(crate) async fn black_hole(estate: &mut Estate, node: usize, ways: &[Way]) -> Figures {
    let ongoing = estate.begins(format!("half open, nothing passes {ways:?}")).await;
    for way in ways {
        estate.networks[node].block(*way);
    }
    let member = estate.members[node].clone();
    until("it notices", || !member.is_connected()).await;
    estate.go_on().await;
    estate.networks[node].heal();
    estate.healed(ongoing).await
}

/// One node reads so slowly that Redis drops it: its buffer there overflows.
async fn overflow(estate: &mut Estate) -> Figures {
    let ongoing = estate.begins("output buffer of a subscriber overflows").await;
    let flood: Cache<String, u64> = estate.members[0].node.cache("flood").build().unwrap();
    estate.networks[1].throttle(Some(BYTES_PER_SECOND));
    let log = estate.redis.folder().join("log");
    let has_overflowed =
        || std::fs::read_to_string(&log).unwrap().contains("overcoming of output buffer limits");
    for round in 0..2_000 {
        if has_overflowed() {
            break;
        }
        let keys: Vec<_> = (0..100).map(|key| format!("{round} {key} {}", "k".repeat(1_000))).collect();
        let told = flood.remove_many(&keys).await.unwrap();
        // The third node counts it, so nothing of it waits, to be coalesced.
        estate.members[0].node.confirmed(&told).await.unwrap();
    }
    assert!(has_overflowed(), "the buffer did not overflow");
    estate.go_on().await;
    estate.networks[1].heal();
    estate.healed(ongoing).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_open_connection_breaks_no_promise_whichever_way_it_is_open() {
    needs!(Program::RedisServer);
    let one = async |name, ways: &[Way]| {
        let mut estate = Estate::start(Plan::new(name)).await;
        black_hole(&mut estate, 2, ways).await.check(0.9);
        estate.finish_kept().await;
    };
    tokio::join!(
        one("nothing to Redis", &[Way::ToServer]),
        one("nothing from Redis", &[Way::ToClient]),
        one("nothing either way", &[Way::ToServer, Way::ToClient]),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_link_and_a_subscriber_that_redis_drops_for_its_full_buffer_break_no_promise() {
    needs!(Program::RedisServer);
    let slow_link = async {
        let mut estate = Estate::start(Plan::new("slow link")).await;
        slow(&mut estate, 1).await.check(0.9);
        estate.finish_kept().await;
    };
    let full_buffer = async {
        let redis = Redis::options().config("client-output-buffer-limit", "pubsub 512kb 0 0");
        let mut estate = Estate::start(Plan { redis, ..Plan::new("buffer overflow") }).await;
        overflow(&mut estate).await.check(0.9);
        estate.finish_kept().await;
    };
    tokio::join!(slow_link, full_buffer);
}
