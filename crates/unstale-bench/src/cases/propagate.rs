//! `propagate`: from an act on A to its effect on B, one way, against the same bytes over a bare link.

use std::cell::Cell;
use std::future;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use unstale::{Cache, Node, NodeBuilder};
use unstale_mesh::Mesh;

use super::redis;
use crate::chart::Chart;
use crate::measure::{Pictures, Plan, Problem};
use crate::pair::{LOST, Pair, Quantiles, Sides, Task, broken, samples};
use crate::report::Report;

const SAMPLES: usize = 2_000;
/// The bytes on the wire of a sealed frame with one act of this bench.
const FRAME_BYTES: usize = 67;

/// Every case.
pub(crate) fn run(plan: Plan, report: &mut Report) -> Result<(), Problem> {
    mesh(plan, report)?;
    redis::propagate(plan, report)
}

/// The case `mesh`. Rivals without a brokerless transport are named as absent.
pub(crate) fn mesh(plan: Plan, report: &mut Report) -> Result<(), Problem> {
    let sides = Sides::start()?;
    let pairs: [Box<dyn Pair>; 2] = [Box::new(mesh_nodes(&sides)?), Box::new(Raw::start()?)];
    let quantiles = in_turns(plan, &sides, &pairs, SAMPLES)?;
    let title = "From an act to its effect on another node, over the mesh";
    let mut chart = Chart::new(
        title,
        "raw: the same 67 bytes over bare TCP, one way, watched in the same way at the same pace.",
        "\u{b5}s",
    );
    for (pair, quantiles) in pairs.iter().zip(quantiles) {
        quantiles.report(report, "propagate", "mesh", pair.name());
        chart.add(pair.name(), quantiles.all);
    }
    if plan.pictures == Pictures::Drawn {
        report.picture("propagate-mesh.svg", chart);
    }
    for rival in ["amalgam-cache", "hydracache", "fusioncache"] {
        report.absent("propagate mesh", rival, "it has no transport between processes without a broker");
    }
    Ok(())
}

/// Subjects take turns; the first round is thrown away.
pub(super) fn in_turns(
    plan: Plan,
    sides: &Sides,
    pairs: &[Box<dyn Pair>],
    count: usize,
) -> Result<Vec<Quantiles>, Problem> {
    let mut quantiles: Vec<_> = pairs.iter().map(|_| Quantiles::default()).collect();
    for round in 0..=plan.rounds {
        for (pair, quantiles) in pairs.iter().zip(&mut quantiles) {
            let samples = samples(sides, &**pair, plan.operations(count))?;
            if round > 0 {
                quantiles.take(samples);
            }
        }
    }
    Ok(quantiles)
}

/// Two nodes in one process, and a cache on each.
pub(super) struct Nodes {
    pub(super) a: Cache<u64, u64>,
    b: Cache<u64, u64>,
    pub(super) ends: [Node; 2],
}

impl Nodes {
    /// Joins what the two builders make, the first of them here.
    pub(super) fn join(
        sides: &Sides,
        builder: impl AsyncFn(usize) -> Result<NodeBuilder, Problem>,
    ) -> Result<Self, Problem> {
        let mut nodes = Vec::new();
        for (index, runtime) in [sides.here.handle(), &sides.there].into_iter().enumerate() {
            let start = async { builder(index).await?.start().await.map_err(|e| broken(&e)) };
            nodes.push(runtime.block_on(start)?);
        }
        let build = |node: &Node| node.cache("bench").build().expect("a first cache of its name");
        let (a, b) = (build(&nodes[0]), build(&nodes[1]));
        for node in &nodes {
            // A's runtime works only while this thread is in it.
            let joined = sides.here.block_on(async { tokio::time::timeout(LOST, node.joined()).await });
            joined.map_err(|e| broken(&e))?.map_err(|e| broken(&e))?;
        }
        let nodes: [Node; 2] = nodes.try_into().expect("two nodes");
        Ok(Self { a, b, ends: nodes })
    }
}

impl Pair for Nodes {
    fn name(&self) -> &'static str {
        "unstale"
    }

    fn fill(&self, sides: &Sides, key: u64) -> Result<(), Problem> {
        let load = move |_| async move { Ok::<_, std::convert::Infallible>(key) };
        let loaded = sides.there.block_on(self.b.get_or_load(&key, load).into_future());
        loaded.map(drop).map_err(|e| broken(&e))
    }

    fn remove(&self, key: u64) -> Task<'_> {
        Box::pin(async move { self.a.remove(&key).await.map(drop).map_err(|e| broken(&e)) })
    }

    fn is_gone(&self, key: u64) -> bool {
        self.b.get(&key).is_none()
    }
}

fn mesh_nodes(sides: &Sides) -> Result<Nodes, Problem> {
    let ports = [free_port()?, free_port()?];
    Nodes::join(sides, async |index| {
        let listen = format!("127.0.0.1:{}", ports[index]);
        let peer = format!("127.0.0.1:{}", ports[1 - index]);
        let mesh = Mesh::builder().cluster("bench").listen(&listen).peer(&peer).start().await;
        Ok(Node::builder("bench").backplane(mesh.map_err(|e| broken(&e))?))
    })
}

/// A bare TCP connection; a thread on the other side reads a frame and counts it.
struct Raw {
    writer: TcpStream,
    arrived: Arc<AtomicU64>,
    before: Cell<u64>,
}

impl Raw {
    fn start() -> Result<Self, Problem> {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|e| broken(&e))?;
        let address = listener.local_addr().map_err(|e| broken(&e))?;
        let writer = TcpStream::connect(address).map_err(|e| broken(&e))?;
        writer.set_nodelay(true).map_err(|e| broken(&e))?;
        let (mut reader, _) = listener.accept().map_err(|e| broken(&e))?;
        let arrived = Arc::new(AtomicU64::new(0));
        let count = arrived.clone();
        thread::spawn(move || {
            let mut frame = [0; FRAME_BYTES];
            while reader.read_exact(&mut frame).is_ok() {
                count.fetch_add(1, Ordering::Release);
            }
        });
        Ok(Self { writer, arrived, before: Cell::new(0) })
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
        Box::pin(future::ready((&self.writer).write_all(&[7; FRAME_BYTES]).map_err(|e| broken(&e))))
    }

    fn is_gone(&self, _: u64) -> bool {
        self.arrived.load(Ordering::Acquire) > self.before.get()
    }
}

fn free_port() -> Result<u16, Problem> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|e| broken(&e))?;
    listener.local_addr().map(|address| address.port()).map_err(|e| broken(&e))
}
