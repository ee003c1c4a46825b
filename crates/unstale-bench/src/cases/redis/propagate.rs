//! `propagate`, case `redis`: over one Redis, against a bare publish to its receipt.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_core::Stream as _;
use redis::AsyncCommands as _;
use redis::aio::MultiplexedConnection;

use crate::cases::propagate::in_turns;
use crate::chart::Chart;
use crate::fusioncache;
use crate::measure::{Pictures, Plan, Problem};
use crate::pair::{Pair, Quantiles, Sides, Task, broken};
use crate::report::Report;
use crate::server::Server;

const SAMPLES: usize = 2_000;
/// The bytes of a frame with one act of this bench.
const FRAME_BYTES: usize = 51;

/// The case `redis`.
pub(crate) fn run(plan: Plan, report: &mut Report) -> Result<(), Problem> {
    let server = match Server::start() {
        Ok(server) => server,
        Err(why) => {
            for subject in ["unstale", "raw", "amalgam-cache", "hydracache", "fusioncache"] {
                report.absent("propagate redis", subject, &why);
            }
            return Ok(());
        }
    };
    let sides = Sides::start()?;
    let url = server.url();
    let ours: [Box<dyn Pair>; 2] =
        [Box::new(super::nodes(&sides, &url, "propagate")?), Box::new(Raw::start(&sides, &url)?)];
    #[cfg(feature = "rivals")]
    let rivals = crate::rivals::over_redis(&sides, &url)?;
    #[cfg(not(feature = "rivals"))]
    let rivals = Vec::new();
    #[cfg(not(feature = "rivals"))]
    crate::cases::rivals_absent("propagate redis", report);
    let pairs: Vec<_> = ours.into_iter().chain(rivals).collect();
    let mut all = in_turns(plan, &sides, &pairs, SAMPLES)?;
    let mut names: Vec<_> = pairs.iter().map(|pair| pair.name()).collect();
    match fusioncache::propagation(&server, plan.rounds, plan.operations(SAMPLES)) {
        Ok(figures) => {
            let mut quantiles = Quantiles::default();
            for figures in figures {
                quantiles.add(figures.p50, figures.p99, figures.p999);
            }
            names.push("fusioncache");
            all.push(quantiles);
        }
        Err(why) => report.absent("propagate redis", "fusioncache", &why),
    }
    let mut chart = Chart::new(
        "From an act to its effect on another node, over one Redis",
        "raw: as many bytes, published and received by redis-rs, watched in the same way at the same pace.",
        "\u{b5}s",
    );
    for (name, quantiles) in names.into_iter().zip(all) {
        quantiles.report(report, "propagate", "redis", name);
        if !quantiles.all.is_empty() {
            chart.add(name, quantiles.all);
        }
    }
    if plan.pictures == Pictures::Drawn {
        report.picture("propagate-redis.svg", chart);
    }
    Ok(())
}

/// What redis-rs itself needs.
struct Raw {
    publisher: MultiplexedConnection,
    arrived: Arc<AtomicU64>,
    before: Cell<u64>,
}

impl Raw {
    fn start(sides: &Sides, url: &str) -> Result<Self, Problem> {
        let client = redis::Client::open(url).map_err(|e| broken(&e))?;
        let arrived = Arc::new(AtomicU64::new(0));
        let count = arrived.clone();
        sides.there.block_on(async {
            let mut subscriber = client.get_async_pubsub().await.map_err(|e| broken(&e))?;
            subscriber.subscribe("raw").await.map_err(|e| broken(&e))?;
            tokio::spawn(async move {
                let mut messages = pin!(subscriber.into_on_message());
                while let Some(message) = poll_fn(|cx| messages.as_mut().poll_next(cx)).await {
                    if message.get_payload_bytes().len() == FRAME_BYTES {
                        count.fetch_add(1, Ordering::Release);
                    }
                }
            });
            Ok::<_, Problem>(())
        })?;
        let publisher = sides.here.block_on(client.get_multiplexed_async_connection());
        Ok(Self { publisher: publisher.map_err(|e| broken(&e))?, arrived, before: Cell::new(0) })
    }
}

impl Pair for Raw {
    fn name(&self) -> &'static str {
        "raw"
    }

    fn fill(&self, _: &Sides, _: u64) -> Result<(), Problem> {
        self.before.set(self.arrived.load(Ordering::Acquire));
        Ok(())
    }

    fn remove(&self, _: u64) -> Task<'_> {
        let mut publisher = self.publisher.clone();
        Box::pin(async move {
            let heard: u64 = publisher.publish("raw", &[7_u8; FRAME_BYTES]).await.map_err(|e| broken(&e))?;
            if heard == 1 { Ok(()) } else { Err(Problem::Broken(format!("{heard} subscribers heard"))) }
        })
    }

    fn is_gone(&self, _: u64) -> bool {
        self.arrived.load(Ordering::Acquire) > self.before.get()
    }
}
