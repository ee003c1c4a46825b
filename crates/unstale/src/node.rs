//! The node: one per process, shared by all its caches.

mod acts;
mod builder;
mod clock;
mod driver;
mod exchange;
mod host;
mod links;
mod nowhere;
mod observe;
mod origins;
mod outputs;
mod readiness;
mod register;
mod scopes;
mod sessions;
mod shared;
mod start;
mod watched;
mod words;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use unstale_core::{Announce, Instant, Name, State, Status};

pub use builder::{Membership, NodeBuilder, Writes};
pub use clock::{BootClock, Clock, TokioClock};
use driver::{Command, Farewell};
pub use readiness::Readiness;
pub(crate) use shared::Shared;

use crate::metrics::Metrics;
use crate::{Error, ErrorKind, Events, Receipt};

/// A process as the cluster sees it: identity, links to the others, clocks. Many typed caches share it.
///
/// Clones are cheap and are the same node. A task on the tokio runtime that the node was started on (its *driver*) talks to
/// the other nodes; reads never wait for it. When the last clone is dropped, those in caches included, the node says
/// goodbye by itself; [`Node::shutdown`] does so and waits for it.
///
/// If the driver dies with its runtime, the node is closed, not open: nothing is proven, no write is announced, and
/// nothing cached is served as fresh.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), unstale::Error> {
/// use unstale::Node;
///
/// let node = Node::builder("shop").name("a").start().await?;
/// node.joined().await?;
/// assert!(node.ready().is_ready());
/// node.shutdown().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Node {
    handle: Arc<Handle>,
}

/// Dropped with the last clone of a node: the driver sees the end of its commands, and leaves.
struct Handle {
    shared: Arc<Shared>,
    commands: mpsc::Sender<Command>,
}

impl Node {
    /// Configures a node of the cluster named `cluster`; nodes of other clusters are refused.
    pub fn builder(cluster: impl Into<String>) -> NodeBuilder {
        NodeBuilder::new(cluster.into())
    }

    /// This node's present: take it once when a request arrives, and hand it to the request's bounded reads. About 30 ns.
    pub fn now(&self) -> Instant {
        self.shared().now_of_read()
    }

    /// The node's state, members and limits as they were at most 250 ms ago, with proof and lease as they are now.
    pub fn ready(&self) -> Readiness {
        Readiness::of(self.shared())
    }

    /// What the protocol machine knew at most 250 ms ago: members, slots, ended streams, queues, limits.
    pub fn status(&self) -> Arc<Status> {
        Arc::clone(&self.shared().status.borrow())
    }

    /// Waits until the node is joined or alone and holds its lease: from then on its writes are announced, and what it loads is
    /// stored. Cancel-safe.
    ///
    /// # Errors
    /// [`ErrorKind::ShutDown`] if the node closes first.
    pub async fn joined(&self) -> Result<(), Error> {
        let mut status = self.shared().status.subscribe();
        let settled = status.wait_for(|status| match status.state {
            State::Joined | State::Alone => status.announce != Announce::Never,
            State::Joining | State::Unjoined => false,
            State::Left => true,
        });
        match settled.await {
            Ok(status) if status.state != State::Left => Ok(()),
            Ok(_) | Err(_) => Err(closed("joined")),
        }
    }

    /// Whether a write could be announced now (P-31). A service that must not change its database otherwise asks this
    /// before its transaction, and answers 503 on an error. About 30 ns.
    ///
    /// # Errors
    /// [`ErrorKind::Unannounced`].
    pub fn writable(&self) -> Result<(), Error> {
        self.shared().writable("writable")
    }

    /// Waits until at least one other member counts the write (P-23): then it survives the death of this process. Returns at
    /// once on a node that is alone. Cancel-safe.
    ///
    /// # Errors
    /// [`ErrorKind::Unannounced`] if this node was ended meanwhile, or the receipt is another node's; [`ErrorKind::ShutDown`]
    /// if it closes.
    pub async fn confirmed(&self, receipt: &Receipt) -> Result<(), Error> {
        let session = receipt.session();
        let mut confirmed = self.shared().confirmed.subscribe();
        let mut status = self.shared().status.subscribe();
        let decided =
            confirmed.wait_for(|(stream, seq)| *stream != session.stream() || *seq >= session.seq());
        let without_others = status.wait_for(|status| matches!(status.state, State::Alone | State::Left));
        tokio::select! {
            // In this order, not in a random one: a seeded run repeats itself.
            biased;
            decided = decided => match decided {
                Ok(confirmed) if confirmed.0 == session.stream() => Ok(()),
                Ok(_) => Err(Error::new(
                    ErrorKind::Unannounced,
                    "confirmed",
                    format!("the stream of write {session} ended before another member counted it"),
                )),
                Err(_) => Err(closed("confirmed")),
            },
            alone = without_others => match alone {
                Ok(status) if status.state == State::Alone => Ok(()),
                Ok(_) | Err(_) => Err(closed("confirmed")),
            },
        }
    }

    /// Ends the silent member of this name, or the empty slot, by the operator's word (P-30 d). Whoever calls this vouches
    /// that the process is dead: a member that is heard is not ended, and [`crate::ProtocolEvent::EndRefused`] says so.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a name that no node can have; [`ErrorKind::ShutDown`] if the node has closed.
    pub async fn end_member(&self, name: &str) -> Result<(), Error> {
        let name = Name::new(Bytes::copy_from_slice(name.as_bytes())).map_err(|error| {
            Error::caused(ErrorKind::Config, "end_member", format!("the name {name:?}"), error)
        })?;
        self.handle.commands.send(Command::EndMember(name)).await.map_err(|_| closed("end_member"))
    }

    /// What happens on this node from now on, for programs.
    pub fn events(&self) -> Events {
        self.shared().events.subscribe()
    }

    /// All counters and histograms at this moment.
    pub fn metrics(&self) -> Metrics {
        let mut metrics = Metrics::default();
        self.shared().metrics.collect(&mut metrics);
        self.ready().collect(&mut metrics);
        for level in self.shared().levels() {
            level.collect(&mut metrics);
        }
        metrics
    }

    /// Says goodbye to the others, hands over what was not sent yet, and closes the links, within the deadline that
    /// [`NodeBuilder::drain_deadline`] set. Afterwards nothing is cached any more and writes are applied here only.
    /// Cancelling it does not stop the goodbye. A second call returns at once.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`] if the deadline came first: peers then find out as if the process had died.
    pub async fn shutdown(&self) -> Result<(), Error> {
        let (answer, farewell) = oneshot::channel();
        if self.handle.commands.send(Command::Leave(answer)).await.is_err() {
            return Ok(());
        }
        match farewell.await {
            Ok(Farewell::Said) | Err(_) => Ok(()),
            Ok(Farewell::CutShort) => Err(Error::new(
                ErrorKind::Timeout,
                "shutdown",
                "the deadline came before all was handed over",
            )),
        }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.shared().status.borrow();
        f.debug_struct("Node").field("state", &status.state).finish_non_exhaustive()
    }
}

fn closed(operation: &'static str) -> Error {
    Error::new(ErrorKind::ShutDown, operation, "the node has closed")
}
