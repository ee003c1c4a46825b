//! The contract of foreign writers: programs of others that share a cache and speak no numbers (P-8).

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;

use crate::Store;

/// The process that a node is, as its streams name it: 128 random bits.
pub type ProcessBytes = [u8; 16];

/// A cache that programs of others write too: the store that they share, and what they tell one another.
///
/// Promises: the store's own acts reach the others by themselves, the store first and then the message. What the others
/// do comes out of the feed, once it has happened to the store.
pub trait Foreign: Send + Sync + 'static {
    /// The store that all of them share.
    fn store(&self) -> Arc<dyn Store>;

    /// What the others say. Asked for once, when the cache is built, by the process that will hear it.
    fn feed(&self, process: ProcessBytes) -> Box<dyn ForeignFeed>;
}

/// What the others of a cache do, as it is heard.
pub trait ForeignFeed: Send + 'static {
    /// What is heard next.
    fn poll_heard(&mut self, cx: &mut Context<'_>) -> Poll<ForeignHeard>;
}

/// What is heard of the others of a cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForeignHeard {
    /// From now on everything is heard, until it says otherwise.
    Began,
    /// An act. Of a `process` that speaks numbers too, it is known by them as well, or will be.
    Act {
        /// What it did.
        act: ForeignAct,
        /// Who did it, if it is a node of ours.
        process: Option<ProcessBytes>,
    },
    /// Nothing is heard any more until it begins anew; what happens meanwhile is never told.
    Lost(String),
}

/// Something that a foreign writer did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForeignAct {
    /// A key is gone, also for fail-safe.
    Remove(Bytes),
    /// A key is stale: expired, or written anew.
    Expire(Bytes),
    /// What carries a tag is stale.
    ExpireTag(Bytes),
    /// Everything is gone.
    Clear,
    /// Everything is stale.
    ExpireAll,
}
