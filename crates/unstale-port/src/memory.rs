//! References in memory: a hub that links backplanes within one process, and a store.

mod hub;
mod marks;
mod net;
mod store;
mod turns;

pub use hub::{Hub, HubOptions, MemoryBackplane};
pub use store::{MemoryStore, StoreLimits};
