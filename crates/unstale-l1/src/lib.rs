//! The in-process cache engine of unstale: values that an invalidation made old are never served again, whatever was loading,
//! cached, evicted or computed from them at the time.
//!
//! A [`Domain`] holds the typed [`Table`]s of a node. One count of finished acts, a fixed set of *fences* over hashed
//! subjects, and *tokens* keep stale loads out (docs/fences.md): a load takes the count before it reads anything, and its
//! value can be used only if no fence that it touches is above that. [`Flights`] let callers share loads, a [`Scope`] records
//! what a load reads, so that its value goes when any of that goes.
//!
//! Time is a coarse tick set from outside ([`Clock`]); there are no tasks, no sockets and no other clock in here.

mod act;
mod batch;
mod distrust;
mod domain;
mod entry;
mod fence;
mod flight;
mod flights;
mod floor;
mod key;
mod mechanism;
mod new_entry;
mod registry;
mod scope;
mod shim;
mod table;
mod tick;

pub use batch::{Acted, Committed, LocalActs};
pub use distrust::Suspects;
pub use domain::{Applied, Domain, DomainConfig, Fills};
pub use entry::{Body, Found, Handle, SUBJECTS_MAX};
pub use fence::{Lines, SubjectRef, Token};
pub use flight::{FlightKey, Lead, Wait, Waited};
pub use flights::{Flights, Joined, Mark};
pub use key::{Borrower, Equivalent, Kept, Key, Probe, Text};
#[cfg(feature = "mutations")]
pub use mechanism::Mechanism;
pub use new_entry::NewEntry;
pub use registry::TableExists;
pub use scope::{Recorded, Recorder, Records, Scope, ScopeOf, Scoped};
pub use table::{
    Absence, ENTRY_OVERHEAD_BYTES, Landed, Lookup, Refusal, Sweep, Swept, Table, TableConfig, Weigher,
};
pub use tick::{Clock, Tick};
