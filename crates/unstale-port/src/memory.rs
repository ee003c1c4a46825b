//! References in memory: a hub that links backplanes within one process, a store, and foreign writers that say what a test says.

mod hub;
mod marks;
mod net;
mod store;
mod strangers;
mod turns;

pub use hub::{Hub, HubOptions, MemoryBackplane};
pub use store::{MemoryStore, StoreLimits};
pub use strangers::Strangers;
