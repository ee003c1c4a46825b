//! The contracts that unstale's adapters implement. They move bytes and give them no meaning.

mod backplane;
mod error;
mod store;

pub use backplane::{Backplane, Delivery, Event, Frame, LinkId, Peer, Peers, Properties, Reach, Remote};
pub use error::{Error, Kind, Retry};
pub use store::{Condition, Lookup, Record, Store, StoreFuture, Written};
