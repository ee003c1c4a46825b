//! An estate: two unstale nodes and two .NET nodes on one Redis, which also carries what the unstale nodes say, random operations from all of them, and a database that says
//! what is true. Every answer of the unstale nodes is judged by the promise of docs/fusion.md; stale answers of the .NET nodes
//! are counted apart.
//!
//! Runs for 60 s, or for as many as `UNSTALE_ESTATE_SECONDS` says, and prints what happened.

mod authority;
mod estate;
mod faults;
mod ours;
mod run;
mod theirs;
