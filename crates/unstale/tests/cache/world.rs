//! The nodes that the tests run on: paused time, a backplane in memory, and loaders that count.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use unstale::metrics::{Metric, names};
use unstale::{Cache, Load, Node, NodeBuilder, SessionToken, TokioClock};
use unstale_port::memory::Hub;

pub(crate) const HOUR: Duration = Duration::from_secs(3_600);

pub(crate) const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub(crate) const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A node without peers.
pub(crate) async fn alone() -> Node {
    builder("alone").start().await.unwrap()
}

pub(crate) fn builder(name: &str) -> NodeBuilder {
    Node::builder("shop").name(name).clock(TokioClock::new())
}

/// Two joined nodes.
pub(crate) async fn pair() -> (Node, Node) {
    let hub = Hub::new();
    let one = builder("a").backplane(hub.join("a")).start().await.unwrap();
    let other = builder("b").backplane(hub.join("b")).start().await.unwrap();
    one.joined().await.unwrap();
    other.joined().await.unwrap();
    (one, other)
}

/// Waits until `node` has applied the write that `session` names.
pub(crate) async fn applied(node: &Node, session: SessionToken) {
    let marks: Cache<u64, u64> = node.cache("marks of the test").build().unwrap();
    marks.get_or_load(&0, async |_| Ok::<_, Infallible>(0)).session(session).await.unwrap();
}

/// Moves time on, ticks included: entries age, timers come due.
pub(crate) async fn pass(span: Duration) {
    tokio::time::sleep(span).await;
}

/// Lets tasks run that have nothing to wait for.
pub(crate) async fn settle() {
    for _ in 0..32 {
        tokio::task::yield_now().await;
    }
}

pub(crate) fn total(node: &Node, metric: Metric, reason: &str) -> u64 {
    node.metrics().total(metric, &[(names::REASON, reason)]) as u64
}

/// A database of one value: counts how often it is asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Database {
    reads: Arc<AtomicU32>,
}

impl Database {
    pub(crate) fn reads(&self) -> u32 {
        self.reads.load(Ordering::Relaxed)
    }

    /// A loader that answers with `value`.
    pub(crate) fn gives<V: Send + Sync + 'static>(
        &self,
        value: V,
    ) -> impl FnOnce(Load<V>) -> std::future::Ready<Result<V, Infallible>> + use<V> {
        let reads = Arc::clone(&self.reads);
        move |_load| {
            reads.fetch_add(1, Ordering::Relaxed);
            std::future::ready(Ok(value))
        }
    }

    /// A loader that fails.
    pub(crate) fn fails<V: Send + Sync + 'static>(
        &self,
    ) -> impl FnOnce(Load<V>) -> std::future::Ready<Result<V, io::Error>> + use<V> {
        let reads = Arc::clone(&self.reads);
        move |_load| {
            reads.fetch_add(1, Ordering::Relaxed);
            std::future::ready(Err(io::Error::other("the database is down")))
        }
    }
}
