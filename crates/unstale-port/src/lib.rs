//! The contracts that unstale's adapters implement. They move bytes and give them no meaning.
//!
//! A [`Backplane`] is links to peers, a [`Store`] the shared second level; a [`Foreign`] is a cache that programs of others
//! write too, and [`Scripts`] the server that they share. [`memory`] has the references for both; the
//! decorators [`Faulty`], [`Throttled`], [`Metered`] and [`FaultyStore`] wrap any of them. unstale-conformance tests them.

mod backplane;
mod dice;
mod error;
mod faulty;
mod faulty_store;
mod foreign;
pub mod memory;
mod metered;
mod register;
mod scripts;
mod store;
mod throttled;
mod timer;

pub use backplane::{
    Backplane, Delivery, Event, Frame, LinkId, Peer, Peers, Properties, Remote, close, next_event,
};
pub use error::{Error, Kind, Retry};
pub use faulty::{Faults, Faulty};
pub use faulty_store::{FaultyStore, StoreFaults, StoreFaultsHandle};
pub use foreign::{Foreign, ForeignAct, ForeignFeed, ForeignHeard, ProcessBytes};
pub use metered::{Counts, Meter, Metered};
pub use register::{EndedEntry, Entry, Listed, Listing, RegisterRequest};
pub use scripts::{Heard, Listener, Reply, Script, Scripts};
pub use store::{Condition, Intent, Lease, Lookup, Record, Store, StoreFuture, Turn, Written};
pub use throttled::Throttled;
pub use timer::{ManualTimer, Sleep, SystemTimer, Timer};
