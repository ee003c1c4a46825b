//! Cuts the bytes of a connection into records: a length of two bytes, big-endian, then that many bytes.

use std::ops::Range;

/// What a length costs on the wire.
pub(crate) const LENGTH_BYTES: usize = 2;
/// The longest record that the length can say.
pub(crate) const RECORD_BYTES_MAX: usize = 65_535;
/// What is kept of the buffer while nothing is in it.
const KEPT_BYTES_MAX: usize = 16 * 1_024;

/// A record that says that it is longer than allowed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong {
    pub(crate) bytes: usize,
    pub(crate) limit: usize,
}

/// Bytes that came in and were not taken yet.
///
/// It holds what arrived and nothing for what was only announced; the caller reads no more while a whole record is in it,
/// so it never exceeds one record and one read.
#[derive(Default)]
pub(crate) struct Records {
    bytes: Vec<u8>,
    start: usize,
}

impl Records {
    /// Appends bytes that came in.
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.start);
        self.start = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// Takes the next whole record of at most `limit` bytes; its place is good for [`Self::get`] until the next `extend`.
    pub(crate) fn take(&mut self, limit: usize) -> Result<Option<Range<usize>>, TooLong> {
        let Some((length, rest)) = self.bytes[self.start..].split_first_chunk::<LENGTH_BYTES>() else {
            self.shrink();
            return Ok(None);
        };
        let bytes = usize::from(u16::from_be_bytes(*length));
        if bytes > limit {
            return Err(TooLong { bytes, limit });
        }
        if rest.len() < bytes {
            return Ok(None);
        }
        let start = self.start + LENGTH_BYTES;
        self.start = start + bytes;
        Ok(Some(start..self.start))
    }

    /// The bytes of a record.
    pub(crate) fn get(&self, record: Range<usize>) -> &[u8] {
        &self.bytes[record]
    }

    fn shrink(&mut self) {
        if self.start == self.bytes.len() {
            self.bytes.clear();
            self.start = 0;
            self.bytes.shrink_to(KEPT_BYTES_MAX);
        }
    }
}

/// Appends a record whose `bytes` bytes are written by `fill`.
pub(crate) fn append<E>(
    out: &mut Vec<u8>,
    bytes: usize,
    fill: impl FnOnce(&mut [u8]) -> Result<(), E>,
) -> Result<(), E> {
    let length = u16::try_from(bytes).expect("records are built within RECORD_BYTES_MAX");
    out.extend_from_slice(&length.to_be_bytes());
    let start = out.len();
    out.resize(start + bytes, 0);
    fill(&mut out[start..])
}

#[cfg(test)]
mod tests;
