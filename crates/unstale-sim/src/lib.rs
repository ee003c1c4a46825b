//! The deterministic simulator: the shipping code under virtual time and every fault, each read checked by a reference
//! model that was written apart from it.

pub mod caches;
pub mod cli;
pub mod clock;
pub mod database;
pub mod dice;
pub mod fault;
pub mod layout;
pub mod model;
pub mod mutation;
pub mod network;
pub mod planted;
pub mod process;
pub mod protocol;
pub mod report;
pub mod run;
pub mod schedule;
pub mod shrink;
pub mod store;
pub mod story;
pub mod violation;
pub mod world;
