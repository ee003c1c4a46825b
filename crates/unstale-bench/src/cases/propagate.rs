//! `propagate`: from an act on A to its effect on B, one way, against the same bytes over bare TCP.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, Runtime};
use unstale::{Cache, Node};
use unstale_mesh::Mesh;

use crate::chart::Chart;
use crate::measure::{Pictures, Plan, Problem};
use crate::report::{Report, quantile};

const SAMPLES: usize = 2_000;
/// The bytes on the wire of a sealed frame with one act of this bench.
const FRAME_BYTES: usize = 67;
const LOST: Duration = Duration::from_secs(5);
/// Between two samples of either subject. What a message takes depends on how long its receiver had been idle: a processor that
/// just went to sleep wakes later than one that still looks around, by three to six times on a virtual machine.
const PAUSE: Duration = Duration::from_micros(200);

/// The case `mesh`. Rivals without a brokerless transport are named as absent.
pub(crate) fn run(plan: Plan, report: &mut Report) -> Result<(), Problem> {
    let samples = plan.operations(SAMPLES);
    let raw = Raw::start()?;
    let pair = Pair::start()?;
    let (mut ours, mut theirs) = (Quantiles::default(), Quantiles::default());
    for round in 0..=plan.rounds {
        let (unstale, bare) = (pair.samples(samples)?, raw.samples(samples)?);
        if round > 0 {
            ours.take(unstale);
            theirs.take(bare);
        }
    }
    let title = "From an act to its effect on another node, over the mesh";
    let mut chart = Chart::new(
        title,
        "raw: the same 67 bytes over bare TCP, one way, watched in the same way.",
        "\u{b5}s",
    );
    for (subject, quantiles) in [("unstale", ours), ("raw", theirs)] {
        report.add("propagate", "mesh", subject, "p50_us", &quantiles.p50);
        report.add("propagate", "mesh", subject, "p99_us", &quantiles.p99);
        report.add("propagate", "mesh", subject, "p999_us", &quantiles.p999);
        chart.add(subject, quantiles.all);
    }
    if plan.pictures == Pictures::Drawn {
        report.picture("propagate-mesh.svg", chart);
    }
    for rival in ["amalgam-cache", "hydracache", "fusioncache"] {
        report.absent("propagate", rival, "it has no transport between processes without a broker");
    }
    Ok(())
}

#[derive(Debug, Default)]
struct Quantiles {
    p50: Vec<f64>,
    p99: Vec<f64>,
    p999: Vec<f64>,
    /// The samples of all rounds.
    all: Vec<f64>,
}

impl Quantiles {
    fn take(&mut self, mut samples: Vec<f64>) {
        samples.sort_by(f64::total_cmp);
        let at = |share| quantile(&samples, share);
        self.p50.push(at(0.5));
        self.p99.push(at(0.99));
        self.p999.push(at(0.999));
        self.all.append(&mut samples);
    }
}

/// Both subjects are watched in the same way: asked again and again, while the processor is lent to whoever carries the bytes.
fn overdue(began: Instant, what: &str) -> Result<(), Problem> {
    if began.elapsed() > LOST {
        return Err(Problem::Broken(format!("{what}: nothing arrived within {LOST:?}")));
    }
    Ok(())
}

/// Two nodes joined over the mesh, in one process. As with the bare connection, two threads take part: the one that writes
/// and watches, which drives A, and the one that drives B.
struct Pair {
    here: Runtime,
    there: Handle,
    a: Cache<u64, u64>,
    b: Cache<u64, u64>,
    _nodes: [Node; 2],
}

impl Pair {
    fn start() -> Result<Self, Problem> {
        let broken = |error: &dyn std::fmt::Display| Problem::Broken(error.to_string());
        let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build();
        let (here, there) = (runtime().map_err(|e| broken(&e))?, runtime().map_err(|e| broken(&e))?);
        let handle = there.handle().clone();
        thread::spawn(move || there.block_on(std::future::pending::<()>()));
        let there = handle;
        let ports = [free_port()?, free_port()?];
        let mut nodes = Vec::new();
        for (index, runtime) in [here.handle(), &there].into_iter().enumerate() {
            let listen = format!("127.0.0.1:{}", ports[index]);
            let peer = format!("127.0.0.1:{}", ports[1 - index]);
            let node = runtime.block_on(async {
                let mesh = Mesh::builder().cluster("bench").listen(&listen).peer(&peer).start().await;
                let mesh = mesh.map_err(|e| broken(&e))?;
                Node::builder("bench").backplane(mesh).start().await.map_err(|e| broken(&e))
            })?;
            nodes.push(node);
        }
        let caches: Vec<Cache<u64, u64>> = nodes
            .iter()
            .map(|node| node.cache("bench").build().expect("a first cache of its name"))
            .collect();
        for node in &nodes {
            // A's runtime works only while this thread is in it.
            let joined = here.block_on(async { tokio::time::timeout(LOST, node.joined()).await });
            joined.map_err(|e| broken(&e))?.map_err(|e| broken(&e))?;
        }
        let [a, b]: [Cache<u64, u64>; 2] = caches.try_into().expect("two caches");
        let nodes: [Node; 2] = nodes.try_into().expect("two nodes");
        Ok(Self { here, there, a, b, _nodes: nodes })
    }

    fn samples(&self, count: usize) -> Result<Vec<f64>, Problem> {
        let broken = |error: &dyn std::fmt::Display| Problem::Broken(error.to_string());
        let mut samples = Vec::with_capacity(count);
        for key in 0..count as u64 {
            let load = move |_| async move { Ok::<_, std::convert::Infallible>(key) };
            self.there.block_on(self.b.get_or_load(&key, load).into_future()).map_err(|e| broken(&e))?;
            let took = self.here.block_on(async {
                let ended = Instant::now();
                while ended.elapsed() < PAUSE {
                    tokio::task::yield_now().await;
                    thread::yield_now();
                }
                let began = Instant::now();
                let _receipt = self.a.remove(&key).await.map_err(|e| broken(&e))?;
                while self.b.get(&key).is_some() {
                    overdue(began, "unstale")?;
                    // To the driver of A first, then to whoever else wants the processor.
                    tokio::task::yield_now().await;
                    thread::yield_now();
                }
                Ok(began.elapsed())
            })?;
            samples.push(took.as_nanos() as f64 / 1_000.0);
        }
        Ok(samples)
    }
}

/// A bare TCP connection; a thread on the other side reads a frame and counts it.
struct Raw {
    writer: TcpStream,
    arrived: Arc<AtomicU64>,
}

impl Raw {
    fn start() -> Result<Self, Problem> {
        let broken = |error: std::io::Error| Problem::Broken(error.to_string());
        let listener = TcpListener::bind("127.0.0.1:0").map_err(broken)?;
        let writer = TcpStream::connect(listener.local_addr().map_err(broken)?).map_err(broken)?;
        writer.set_nodelay(true).map_err(broken)?;
        let (mut reader, _) = listener.accept().map_err(broken)?;
        let arrived = Arc::new(AtomicU64::new(0));
        let count = arrived.clone();
        thread::spawn(move || {
            let mut frame = [0; FRAME_BYTES];
            while reader.read_exact(&mut frame).is_ok() {
                count.fetch_add(1, Ordering::Release);
            }
        });
        Ok(Self { writer, arrived })
    }

    fn samples(&self, count: usize) -> Result<Vec<f64>, Problem> {
        let mut samples = Vec::with_capacity(count);
        for _ in 0..count {
            let ended = Instant::now();
            while ended.elapsed() < PAUSE {
                thread::yield_now();
            }
            let before = self.arrived.load(Ordering::Acquire);
            let began = Instant::now();
            (&self.writer)
                .write_all(&[7; FRAME_BYTES])
                .map_err(|error| Problem::Broken(error.to_string()))?;
            while self.arrived.load(Ordering::Acquire) == before {
                overdue(began, "bare TCP")?;
                thread::yield_now();
            }
            samples.push(began.elapsed().as_nanos() as f64 / 1_000.0);
        }
        Ok(samples)
    }
}

fn free_port() -> Result<u16, Problem> {
    let broken = |error: std::io::Error| Problem::Broken(error.to_string());
    let listener = TcpListener::bind("127.0.0.1:0").map_err(broken)?;
    listener.local_addr().map(|address| address.port()).map_err(broken)
}
