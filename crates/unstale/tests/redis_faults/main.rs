//! Nodes with both levels and a backplane on one real Redis that is killed, paused, flushed, cut off, short of memory and
//! handed over, while they are written and read: each read is compared with the database, what recovers is timed, and
//! what was kept is counted.
//!
//! The figures are printed, and stand in docs/redis.md. `UNSTALE_FAULT_SECONDS` makes the run of faults in random order as
//! long as it says.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up its stage has failed")]

mod authority;
mod clocks;
mod estate;
mod failover;
mod figures;
mod flawed;
mod judge;
mod kills;
mod links;
mod member;
mod memory;
mod offset;
mod planted;
mod random;
mod stalls;
mod traffic;
