//! Coherent typed caches: in a process, across the nodes of a cluster, and beyond.

mod cache;
mod error;
mod event;
mod freshness;
pub mod metrics;
mod node;
mod receipt;
mod session;

#[cfg(feature = "json")]
pub use cache::Json;
pub use cache::{
    Cache, CacheBuilder, Codec, EntryOptions, FailSafe, FindOrLoad, GetOrLoad, Key, Load, Loaded, Lookup,
    Overdue, Pending, Probe, Raw, Read, ReadOrFind, ReadOrLoad, Served, Skip, Value,
};
pub use error::{Error, ErrorKind};
pub use event::{
    BypassReason, CacheEvent, Event, Events, FillRefusal, LoadFailure, LoadTrigger, StaleReason,
    StoreOutcome, WriteKind,
};
pub use freshness::{Freshness, Otherwise};
pub use node::{BootClock, Clock, Membership, Node, NodeBuilder, Readiness, TokioClock, Writes};
pub use receipt::Receipt;
pub use session::{SessionToken, SessionTokenError};
pub use unstale_core::{
    Closed, DistrustCause, EndCause, Event as ProtocolEvent, Instant, MemberStatus, Name, Range, Seq,
    SlotStatus, State, Status, Stream, Via,
};
