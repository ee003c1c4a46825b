//! `redis-l2`: what the second level costs when the first has nothing, against bare commands for the same bytes.

use std::time::Instant;

use redis::AsyncCommands as _;
use redis::aio::MultiplexedConnection;
use tokio::runtime::{Builder, Runtime};
use unstale::{Cache, Node, Raw, Skip};
use unstale_redis::{Connection, RedisStore, Settings};

use crate::measure::{Plan, Problem};
use crate::pair::{Quantiles, broken, pause};
use crate::report::Report;
use crate::server::Server;

const BENCH: &str = "redis-l2";
const SAMPLES: usize = 2_000;
const VALUE_BYTES: usize = 256;

/// Both cases.
pub(crate) fn run(plan: Plan, report: &mut Report) -> Result<(), Problem> {
    let server = match Server::start() {
        Ok(server) => server,
        Err(why) => {
            for subject in ["unstale", "raw"] {
                report.absent(BENCH, subject, &why);
            }
            return Ok(());
        }
    };
    let bench = Bench::start(&server)?;
    for case in ["l2-hit", "leased-miss"] {
        let (mut ours, mut theirs) = (Quantiles::default(), Quantiles::default());
        let (mut our_trips, mut their_trips) = (Vec::new(), Vec::new());
        for round in 0..=plan.rounds {
            let first = u64::from(round) * SAMPLES as u64;
            let keys = first..first + plan.operations(SAMPLES) as u64;
            let (mut samples, mut raw) = (Vec::new(), Vec::new());
            let before = bench.reads(&server)?;
            for key in keys.clone() {
                samples.push(if case == "l2-hit" { bench.hit()? } else { bench.miss(key)? });
            }
            let between = bench.reads(&server)?;
            for key in keys {
                raw.push(if case == "l2-hit" { bench.get()? } else { bench.get_and_set(key)? });
            }
            let after = bench.reads(&server)?;
            if round > 0 {
                // Each look at the count is one of them.
                our_trips.push((between - before - 1.0) / samples.len() as f64);
                their_trips.push((after - between - 1.0) / raw.len() as f64);
                ours.take(samples);
                theirs.take(raw);
            }
        }
        ours.report(report, BENCH, case, "unstale");
        theirs.report(report, BENCH, case, "raw");
        report.add(BENCH, case, "unstale", "round_trips", &our_trips);
        report.add(BENCH, case, "raw", "round_trips", &their_trips);
    }
    Ok(())
}

/// A node with its store, and a connection of redis-rs, on one runtime.
struct Bench {
    runtime: Runtime,
    cache: Cache<u64, Vec<u8>>,
    raw: MultiplexedConnection,
    _node: Node,
}

impl Bench {
    fn start(server: &Server) -> Result<Self, Problem> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|e| broken(&e))?;
        let (node, cache, raw) = runtime.block_on(async {
            let connection = Connection::open(Settings::parse(&server.url()).map_err(|e| broken(&e))?);
            let store = RedisStore::new(&connection);
            let node = Node::builder("bench").store(store).start().await.map_err(|e| broken(&e))?;
            // Nothing is ever found in memory.
            let cache: Cache<u64, Vec<u8>> = node
                .cache("bench")
                .stored_as(Raw)
                .skip(Skip::MemoryRead)
                .skip(Skip::MemoryWrite)
                .build()
                .map_err(|e| broken(&e))?;
            let client = redis::Client::open(server.url()).map_err(|e| broken(&e))?;
            let mut raw = client.get_multiplexed_async_connection().await.map_err(|e| broken(&e))?;
            raw.set::<_, _, ()>("raw", vec![7_u8; VALUE_BYTES]).await.map_err(|e| broken(&e))?;
            Ok::<_, Problem>((node, cache, raw))
        })?;
        let bench = Self { runtime, cache, raw, _node: node };
        bench.miss(u64::MAX)?;
        Ok(bench)
    }

    /// Reads of the server from its clients so far: a command that waits for the answer to the one before is one.
    fn reads(&self, server: &Server) -> Result<f64, Problem> {
        let mut raw = self.raw.clone();
        let info: String = self
            .runtime
            .block_on(redis::cmd("INFO").arg("stats").query_async(&mut raw))
            .map_err(|e| broken(&e))?;
        let count = info.lines().find_map(|line| line.strip_prefix("total_reads_processed:"));
        let count = count.and_then(|count| count.trim().parse().ok());
        count.ok_or_else(|| Problem::Broken(format!("{} counts no reads", server.url())))
    }

    fn hit(&self) -> Result<f64, Problem> {
        self.timed(async {
            let load = async |_| Err::<Vec<u8>, _>(std::io::Error::other("it is in the second level"));
            let value = self.cache.get_or_load(&u64::MAX, load).await.map_err(|e| broken(&e))?;
            if value.len() == VALUE_BYTES { Ok(()) } else { Err(Problem::Broken("another value".to_owned())) }
        })
    }

    fn miss(&self, key: u64) -> Result<f64, Problem> {
        self.timed(async {
            let load = async |_| Ok::<_, std::convert::Infallible>(vec![7; VALUE_BYTES]);
            self.cache.get_or_load(&key, load).await.map(drop).map_err(|e| broken(&e))
        })
    }

    fn get(&self) -> Result<f64, Problem> {
        let mut raw = self.raw.clone();
        self.timed(async {
            let value: Vec<u8> = raw.get("raw").await.map_err(|e| broken(&e))?;
            if value.len() == VALUE_BYTES { Ok(()) } else { Err(Problem::Broken("another value".to_owned())) }
        })
    }

    fn get_and_set(&self, key: u64) -> Result<f64, Problem> {
        let mut raw = self.raw.clone();
        self.timed(async {
            let key = format!("raw{key}");
            let value: Option<Vec<u8>> = raw.get(&key).await.map_err(|e| broken(&e))?;
            if value.is_some() {
                return Err(Problem::Broken(format!("{key} is there already")));
            }
            raw.set(&key, vec![7_u8; VALUE_BYTES]).await.map_err(|e| broken(&e))
        })
    }

    fn timed(&self, call: impl Future<Output = Result<(), Problem>>) -> Result<f64, Problem> {
        self.runtime.block_on(async {
            pause().await;
            let began = Instant::now();
            call.await?;
            Ok(began.elapsed().as_nanos() as f64 / 1_000.0)
        })
    }
}
