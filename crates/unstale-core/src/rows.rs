//! Digest rows of this process's own acts, kept when their frames had to go.

use std::collections::BTreeMap;

use crate::{DigestRow, Frame, Seq, Stream, SubjectKind};

/// Rows in blocks of neighbouring frames, up to a bound in bytes; the oldest block goes first.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    bytes_max: usize,
    bytes: usize,
    blocks: BTreeMap<(Stream, Seq), Block>,
}

/// What the acts of a range touched. A digest answers with whole blocks: a small block names few subjects too many.
#[derive(Clone, Debug)]
struct Block {
    last: Seq,
    // Side by side: 9 bytes a row instead of 16.
    hashes: Vec<u64>,
    kinds: Vec<SubjectKind>,
}

const BLOCK_ROWS: usize = 128;
const BLOCK_BYTES: usize = 128;
const ROW_BYTES: usize = size_of::<u64>() + size_of::<SubjectKind>();

impl Rows {
    pub(crate) const fn new(bytes_max: usize) -> Self {
        Self { bytes_max, bytes: 0, blocks: BTreeMap::new() }
    }

    /// Keeps the rows of a frame. Frames of one stream come in order.
    pub(crate) fn push(&mut self, frame: &Frame) {
        let rows = frame.acts.iter().map(|act| DigestRow::of(&act.subject));
        match self.blocks.range_mut(..=(frame.stream, frame.range.first)).next_back() {
            Some((place, block))
                if place.0 == frame.stream
                    && block.last.next() == frame.range.first
                    && block.hashes.len() + frame.acts.len() <= BLOCK_ROWS =>
            {
                block.extend(rows);
                block.last = frame.range.last;
            }
            Some(_) | None => {
                let mut block = Block { last: frame.range.last, hashes: Vec::new(), kinds: Vec::new() };
                block.extend(rows);
                self.blocks.insert((frame.stream, frame.range.first), block);
                self.bytes += BLOCK_BYTES;
            }
        }
        self.bytes += frame.acts.len() * ROW_BYTES;
        while self.bytes > self.bytes_max {
            let Some((_, block)) = self.blocks.pop_first() else { break };
            self.bytes -= block.bytes();
        }
    }

    /// The block that holds a number: its last number and its rows.
    pub(crate) fn at(
        &self,
        stream: Stream,
        seq: Seq,
    ) -> Option<(Seq, impl ExactSizeIterator<Item = DigestRow>)> {
        let (_, block) = self.blocks.range((stream, Seq::ZERO)..=(stream, seq)).next_back()?;
        (block.last >= seq).then(|| (block.last, block.rows()))
    }

    /// The first number from `seq` on that is held.
    pub(crate) fn oldest(&self, stream: Stream, seq: Seq) -> Option<Seq> {
        if self.at(stream, seq).is_some() {
            return Some(seq);
        }
        let (place, _) = self.blocks.range((stream, seq)..=(stream, Seq(u64::MAX))).next()?;
        Some(place.1)
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Block {
    fn extend(&mut self, rows: impl ExactSizeIterator<Item = DigestRow>) {
        self.hashes.reserve_exact(rows.len());
        self.kinds.reserve_exact(rows.len());
        for row in rows {
            self.hashes.push(row.hash);
            self.kinds.push(row.kind);
        }
    }

    fn rows(&self) -> impl ExactSizeIterator<Item = DigestRow> {
        self.kinds.iter().zip(&self.hashes).map(|(kind, hash)| DigestRow { kind: *kind, hash: *hash })
    }

    const fn bytes(&self) -> usize {
        BLOCK_BYTES + self.hashes.len() * ROW_BYTES
    }
}
