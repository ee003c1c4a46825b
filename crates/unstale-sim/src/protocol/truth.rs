//! What really happened, as nobody in the world can know it.

use std::collections::BTreeSet;

use unstale_core::{Range, Seq, Stream, Subject};

/// An act of the whole world.
#[derive(Clone, Debug)]
pub struct Record {
    /// Whose.
    pub stream: Stream,
    /// Its number.
    pub seq: Seq,
    /// The numbers of its commit, if readers have to see that whole.
    pub whole: Option<Range>,
    /// What it ends.
    pub subject: Subject,
    /// When its call returned, in the world's time.
    pub at: u64,
    /// Whether its receipt said that it was announced.
    pub announced: bool,
}

/// All acts, and the streams that nobody writes any more.
#[derive(Debug, Default)]
pub struct Truth {
    /// All acts, in order.
    pub records: Vec<Record>,
    /// Streams whose process is dead, has left, or has gone on under the next one.
    pub gone: BTreeSet<Stream>,
}

impl Truth {
    /// An act, by its place.
    pub fn record(&self, index: usize) -> &Record {
        &self.records[index]
    }
}
