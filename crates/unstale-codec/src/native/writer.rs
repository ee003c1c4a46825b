//! Writes the format's primitives.

use bytes::{BufMut, Bytes, BytesMut};
use unstale_core::{Instant, Name, Range, Seq, Stamp, Stream};

use super::error::EncodeError;
use super::reader::Reader;

type Result = std::result::Result<(), EncodeError>;

/// Where a message is appended.
pub(super) struct Writer<'a> {
    out: &'a mut BytesMut,
}

impl<'a> Writer<'a> {
    pub(super) const fn new(out: &'a mut BytesMut) -> Self {
        Self { out }
    }

    pub(super) fn byte(&mut self, byte: u8) {
        self.out.put_u8(byte);
    }

    pub(super) fn word(&mut self, word: u64) {
        self.out.put_u64(word);
    }

    pub(super) fn number(&mut self, number: u64) {
        let mut rest = number;
        while rest >= 0x80 {
            self.out.put_u8(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.out.put_u8(rest as u8);
    }

    pub(super) fn key(&mut self, key: &[u8]) {
        self.number(key.len() as u64);
        self.out.put_slice(key);
    }

    pub(super) fn label(&mut self, what: &'static str, label: &[u8]) -> Result {
        let limit = usize::from(u8::MAX);
        let count = u8::try_from(label.len());
        let count = count.map_err(|_| EncodeError::TooLong { what, bytes: label.len(), limit })?;
        self.byte(count);
        self.out.put_slice(label);
        Ok(())
    }

    pub(super) fn name(&mut self, name: &Name) -> Result {
        self.label("name", name.as_bytes())
    }

    pub(super) fn optional<T>(
        &mut self,
        value: Option<&T>,
        write: impl FnOnce(&mut Self, &T) -> Result,
    ) -> Result {
        self.byte(u8::from(value.is_some()));
        value.map_or(Ok(()), |value| write(self, value))
    }

    pub(super) fn list<'t, T>(
        &mut self,
        what: &'static str,
        limit: usize,
        list: &'t [T],
        mut write: impl FnMut(&mut Self, &'t T) -> Result,
    ) -> Result {
        let count = list.len();
        if count > limit {
            return Err(EncodeError::TooMany { what, count, limit });
        }
        self.number(count as u64);
        list.iter().try_for_each(|element| write(self, element))
    }

    pub(super) fn seq(&mut self, seq: Seq) {
        self.number(seq.0);
    }

    pub(super) fn instant(&mut self, instant: Instant) {
        self.word(instant.0);
    }

    pub(super) fn stamp(&mut self, stamp: Stamp) {
        self.word(stamp.0);
    }

    pub(super) fn stream(&mut self, stream: Stream) {
        self.out.put_u128(stream.process.0);
        self.number(u64::from(stream.incarnation.0));
    }

    pub(super) fn range(&mut self, range: Range) -> Result {
        let Range { first: Seq(first), last: Seq(last) } = range;
        if first == 0 || first > last {
            return Err(EncodeError::Range { first, last });
        }
        self.number(first);
        self.number(last - first);
        Ok(())
    }

    /// Fields that came from elsewhere, sent on.
    pub(super) fn unknown_fields(&mut self, known: u64, fields: &Bytes) -> Result {
        Reader::new(fields.clone()).unknown_fields(known).map_err(EncodeError::UnknownFields)?;
        self.out.put_slice(fields);
        Ok(())
    }
}
