//! What the data parts of the core promise, for any history: each test is one sentence of streams.md, checked against a
//! model that is too simple to be wrong.

mod digests;
mod history;
mod journal;
mod log;
mod queue;
mod ranges;
