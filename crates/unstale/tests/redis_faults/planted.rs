//! The checks can fail: with a broken second level they do.

use std::time::Duration;

use unstale_audit::Promise;
use unstale_servers::{Program, needs};

use crate::estate::{Estate, Plan};
use crate::flawed::Flaw;
use crate::judge::Verdict;

const LATENCY: Duration = Duration::from_millis(60);
/// The flaws show in the first few.
const ROUNDS_MAX: u32 = 60;

async fn found(name: &'static str, flaw: Flaw) -> Verdict {
    let mut estate = Estate::start(Plan { flaw: Some(flaw), ..Plan::new(name) }).await;
    // Messages that come late leave a node time to fill the store with what was removed.
    let ongoing = estate.begins("link of one node is slow").await;
    estate.networks[1].delay(LATENCY);
    for _ in 0..ROUNDS_MAX {
        estate.go_on().await;
        if estate.verdict().violations() > 0 {
            break;
        }
    }
    estate.networks[1].heal();
    estate.healed(ongoing).await;
    estate.finish().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn second_levels_that_ignore_leases_or_forget_removals_are_noticed() {
    needs!(Program::RedisServer);
    let (leases, removals) =
        tokio::join!(found("planted", Flaw::IgnoresLeases), found("planted", Flaw::ForgetsRemovals));
    for (verdict, flaw) in [(leases, Flaw::IgnoresLeases), (removals, Flaw::ForgetsRemovals)] {
        assert!(verdict.broken.contains_key(&Promise::OwnWrites), "{flaw:?} was not noticed: {verdict}");
    }
}
