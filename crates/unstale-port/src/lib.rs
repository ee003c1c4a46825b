//! The contracts that unstale's adapters implement. They move bytes and give them no meaning.
//!
//! A [`Backplane`] is links to peers, a [`Store`] the shared second level. [`memory`] has the references for both; the
//! decorators [`Faulty`], [`Throttled`], [`Metered`] and [`FaultyStore`] wrap any of them. unstale-conformance tests them.

mod backplane;
mod dice;
mod error;
mod faulty;
mod faulty_store;
pub mod memory;
mod metered;
mod register;
mod store;
mod throttled;
mod timer;

pub use backplane::{
    Backplane, Delivery, Event, Frame, LinkId, Peer, Peers, Properties, Remote, close, next_event,
};
pub use error::{Error, Kind, Retry};
pub use faulty::{Faults, Faulty};
pub use faulty_store::{FaultyStore, StoreFaults, StoreFaultsHandle};
pub use metered::{Counts, Meter, Metered};
pub use register::{EndedEntry, Entry, Listed, Listing, RegisterRequest};
pub use store::{Condition, Intent, Lease, Lookup, Record, Store, StoreFuture, Turn, Written};
pub use throttled::Throttled;
pub use timer::{ManualTimer, Sleep, SystemTimer, Timer};
