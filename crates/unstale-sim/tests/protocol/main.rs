//! The machine in a small world of virtual time: links that are cut, lose, delay and reorder, nodes that pause, die and restart.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test names the few messages and events that it is about"
)]

mod clusters;
mod ends;
mod holes;
mod hub;
mod joining;
mod lease;
mod lives;
mod proof;
mod random;
