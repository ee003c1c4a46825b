//! Nodes over a real Redis that dies, stands still, loses its data and hands over: what they promise holds.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up its stage has failed")]

mod estate;
mod faults;
mod hundred;
mod writers;
