//! References in memory: a hub and a broker that link backplanes within one process, a store, and foreign writers that say
//! what a test says.

mod broker;
mod desk;
mod hub;
mod marks;
mod net;
mod rolls;
mod store;
mod strangers;
mod turns;

pub use broker::{Broker, BrokerBackplane, BrokerOptions};
pub use hub::{Hub, HubOptions, MemoryBackplane};
pub use store::{MemoryStore, StoreLimits};
pub use strangers::Strangers;
