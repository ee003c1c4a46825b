//! Nodes of one cluster in one process, linked by the memory backplane, on tokio's paused clock.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up its stage has failed")]

mod cluster;
mod faults;
mod frames;
mod lifecycle;
mod links;
mod membership;
mod proof;
mod registered;
mod scopes;
mod sessions;
mod writes;
