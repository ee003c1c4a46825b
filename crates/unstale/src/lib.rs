//! Coherent typed caches: in a process, across the nodes of a cluster, and beyond.

mod error;
mod event;
mod freshness;
pub mod metrics;
mod receipt;
mod session;

pub use error::{Error, ErrorKind};
pub use event::{
    BypassReason, CacheEvent, Event, Events, FillRefusal, LoadFailure, LoadTrigger, StaleReason,
    StoreOutcome, WriteKind,
};
pub use freshness::{Freshness, Otherwise};
pub use receipt::Receipt;
pub use session::{SessionToken, SessionTokenError};
