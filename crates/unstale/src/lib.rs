//! Coherent typed caches: in a process, across the nodes of a cluster, and beyond.
//!
//! A service that runs as many processes over one database keeps what it read in memory. This crate keeps those memories
//! coherent: what one process changes is gone from all of them, a load that had begun before cannot bring it back, lost
//! messages are noticed and repaired, and each read can demand a bound on its staleness that is *proven*, not hoped for.
//!
//! ```
//! use std::time::Duration;
//! use unstale::{Cache, Freshness, Node};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # async fn from_database(id: u64) -> Result<String, std::io::Error> { Ok(format!("user {id}")) }
//! let node = Node::builder("shop").start().await?; // .backplane(mesh) links it to the others
//! let users: Cache<u64, String> = node.cache("users").time_to_live(Duration::from_secs(300)).build()?;
//!
//! let user = users.get_or_load(&7, async |_load| from_database(7).await).await?;
//! assert_eq!(*user, "user 7");
//!
//! let receipt = users.remove(&7).await?; // on every node
//! assert!(receipt.announced());
//!
//! let at = node.now(); // once per request
//! let freshness = Freshness::within(Duration::from_millis(250)).or_bypass();
//! let read = users.get_or_load(&7, async |_load| from_database(7).await).freshness(freshness).at(at).await?;
//! assert!(read.proven());
//! # Ok(())
//! # }
//! ```
//!
//! # The model
//! A [`Node`] is the process as the cluster sees it; its *driver*, a task, talks to the other nodes over a backplane
//! (`unstale_port::Backplane`: in memory, a mesh over TCP, …). [`Cache`]s of one name and key type on several nodes are one
//! cache. An *act* (`set`, `remove`, `expire`, on a key, a tag, a cache or everything) is applied here when its call returns,
//! has its number in this node's stream then, and reaches the others as fast as the links allow. Values never travel between
//! nodes: each loads its own.
//!
//! # What is promised
//! - A load that began before an invalidation is never served to a read that begins after it, on the node that applied it.
//! - When a write returned, this node serves nothing older.
//! - A write whose [`Receipt`] says *announced* is covered by all proofs: a read answered as proven within `d` reflects every
//!   write announced anywhere up to `d` before it began. Only the node's own clock takes part.
//! - A lost, repeated or reordered message is noticed, and repaired from journals; what cannot be repaired is distrusted, as
//!   narrowly as possible: not dropped, but revalidated when it is read.
//! - A [`SessionToken`] makes a read on any node at least as new as the write that it names.
//! - Every queue has a bound, and reaching it costs precision, never an invalidation.
//!
//! # What is not
//! - Plain reads have no bound while a node is cut off; ask for a [`Freshness`] where it matters.
//! - A write counts from the return of its call, not from the database's commit before it.
//! - Reads of a database replica that lags behind the write, and writers that speak to no member, are not seen.
//!
//! # Features
//! | feature | default | what it adds |
//! |---|---|---|
//! | `json` | yes | `Json`: values of the second level (L2) as JSON, by serde |
//! | `messagepack` | no | `MessagePack`: the same as MessagePack |
//! | `compression` | no | `Compressed`: what another codec writes, as LZ4 above a threshold |
//! | `mutations` | no | for simulators: `NodeBuilder::without` switches a mechanism off, to show what it is for |

#[cfg(doctest)]
mod documents;

mod cache;
mod error;
mod event;
mod freshness;
mod level;
pub mod metrics;
mod node;
mod receipt;
mod session;

#[cfg(feature = "compression")]
pub use cache::Compressed;
#[cfg(feature = "json")]
pub use cache::Json;
#[cfg(feature = "messagepack")]
pub use cache::MessagePack;
pub use cache::{
    Bare, Borrower, Cache, CacheBuilder, Codec, EntryOptions, Equivalent, FailSafe, FindOrLoad, GetOrLoad,
    Kept, Key, Load, Loaded, Lookup, Overdue, Pending, PendingMany, Probe, Raw, Read, ReadMany, ReadOrFind,
    ReadOrLoad, Recovery, Served, Skip, StoreFills, Text, Value, WithProof,
};
pub use error::{Error, ErrorKind};
pub use event::{
    BypassReason, CacheEvent, Event, Events, FillRefusal, LoadFailure, LoadTrigger, Origin, StaleReason,
    StoreEvent, StoreOutcome, WriteKind,
};
pub use freshness::{Freshness, Otherwise};
pub use level::StoreBreaker;
pub use node::{BootClock, Clock, Membership, Node, NodeBuilder, Readiness, TokioClock, Writes};
pub use receipt::Receipt;
pub use session::{SessionToken, SessionTokenError};
pub use unstale_core::{
    Closed, DistrustCause, EndCause, Event as ProtocolEvent, Instant, MemberStatus, Name, Range, Seq,
    SlotStatus, State, Status, Stream, Via,
};
