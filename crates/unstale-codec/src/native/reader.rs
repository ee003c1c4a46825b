//! Reads the format's primitives, with every length checked before it is used.

use bytes::Bytes;
use unstale_core::{Incarnation, Instant, Name, ProcessId, Range, Seq, Stamp, Stream};

use super::error::{DecodeError, DecodeErrorKind, decode_error};

type Result<T> = std::result::Result<T, DecodeError>;

/// A place in the bytes of one message.
pub(super) struct Reader {
    bytes: Bytes,
    at: usize,
}

impl Reader {
    pub(super) const fn new(bytes: Bytes) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) const fn at(&self) -> usize {
        self.at
    }

    fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// Moves on by `count` bytes, if there are so many; gives where they begin.
    fn advance(&mut self, count: usize) -> Result<usize> {
        let left = self.left();
        if count > left {
            return Err(decode_error(self.at, DecodeErrorKind::Truncated { missing: count - left }));
        }
        let start = self.at;
        self.at += count;
        Ok(start)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let start = self.advance(N)?;
        let mut array = [0; N];
        array.copy_from_slice(&self.bytes[start..start + N]);
        Ok(array)
    }

    pub(super) fn byte(&mut self) -> Result<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// Eight bytes, the most significant first.
    pub(super) fn word(&mut self) -> Result<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// An unsigned LEB128 number of 64 bits in its shortest form.
    pub(super) fn number(&mut self) -> Result<u64> {
        let start = self.at;
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit; a last byte of 0 after others says nothing.
            if (shift == 63 && byte > 1) || (shift > 0 && byte == 0) {
                return Err(decode_error(start, DecodeErrorKind::Number));
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(decode_error(start, DecodeErrorKind::Number))
    }

    /// A number that its field limits.
    pub(super) fn number_up_to(&mut self, what: &'static str, limit: u64) -> Result<u64> {
        let start = self.at;
        let value = self.number()?;
        if value > limit {
            return Err(decode_error(start, DecodeErrorKind::TooGreat { what, value, limit }));
        }
        Ok(value)
    }

    pub(super) fn number_u32(&mut self, what: &'static str) -> Result<u32> {
        self.number_up_to(what, u64::from(u32::MAX)).map(|value| value as u32)
    }

    pub(super) fn number_u16(&mut self, what: &'static str) -> Result<u16> {
        self.number_up_to(what, u64::from(u16::MAX)).map(|value| value as u16)
    }

    /// A byte of flags, of which only those in `known` may be set.
    pub(super) fn flags(&mut self, known: u8) -> Result<u8> {
        let start = self.at;
        let flags = self.byte()?;
        if flags & !known != 0 {
            let value = u64::from(flags);
            return Err(decode_error(start, DecodeErrorKind::Unknown { what: "byte of flags", value }));
        }
        Ok(flags)
    }

    fn slice(&mut self, count: usize) -> Result<Bytes> {
        let start = self.advance(count)?;
        Ok(self.bytes.slice(start..start + count))
    }

    /// Bytes with their length before them as a number.
    pub(super) fn key(&mut self) -> Result<Bytes> {
        let count = self.number()?;
        // A length beyond the address space is beyond the message, too.
        self.slice(usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// Up to 255 bytes with their length before them as one byte.
    pub(super) fn label(&mut self) -> Result<Bytes> {
        let count = self.byte()?;
        self.slice(usize::from(count))
    }

    pub(super) fn name(&mut self) -> Result<Name> {
        let start = self.at;
        Name::new(self.label()?).map_err(|error| decode_error(start, DecodeErrorKind::Name(error)))
    }

    /// A byte that says whether something follows, then that.
    pub(super) fn optional<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<Option<T>> {
        let start = self.at;
        match self.byte()? {
            0 => Ok(None),
            1 => read(self).map(Some),
            other => {
                let value = u64::from(other);
                Err(decode_error(start, DecodeErrorKind::Unknown { what: "presence", value }))
            }
        }
    }

    /// A count of at most `limit` elements that take at least `bytes_min` bytes each: never more than the rest of the
    /// message has room for.
    pub(super) fn count(&mut self, what: &'static str, limit: usize, bytes_min: usize) -> Result<usize> {
        let start = self.at;
        let count = self.number()?;
        let limit = limit.min(self.left() / bytes_min) as u64;
        if count > limit {
            return Err(decode_error(start, DecodeErrorKind::TooMany { what, count, limit }));
        }
        Ok(count as usize)
    }

    /// A count as [`Reader::count`] reads it, then as many elements.
    pub(super) fn list<T>(
        &mut self,
        what: &'static str,
        limit: usize,
        bytes_min: usize,
        mut read: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        let count = self.count(what, limit, bytes_min)?;
        let mut list = Vec::with_capacity(count);
        for _ in 0..count {
            list.push(read(self)?);
        }
        Ok(list)
    }

    pub(super) fn seq(&mut self) -> Result<Seq> {
        self.number().map(Seq)
    }

    pub(super) fn instant(&mut self) -> Result<Instant> {
        self.word().map(Instant)
    }

    pub(super) fn stamp(&mut self) -> Result<Stamp> {
        self.word().map(Stamp)
    }

    pub(super) fn stream(&mut self) -> Result<Stream> {
        let process = ProcessId(self.array().map(u128::from_be_bytes)?);
        let incarnation = Incarnation(self.number_u32("incarnation")?);
        Ok(Stream { process, incarnation })
    }

    /// The first number, then how many more there are.
    pub(super) fn range(&mut self) -> Result<Range> {
        let start = self.at;
        let first = self.number()?;
        let more = self.number()?;
        let last = first.checked_add(more).map(Seq);
        last.and_then(|last| Range::new(Seq(first), last)).ok_or(decode_error(start, DecodeErrorKind::Range))
    }

    /// The later field of this tag, if it comes next.
    pub(super) fn later_field(&mut self, tag: u64) -> Result<Option<Bytes>> {
        let start = self.at;
        if self.left() > 0 && self.number()? == tag {
            return self.key().map(Some);
        }
        self.at = start;
        Ok(None)
    }

    /// The rest of the message: fields beyond the tag `known`, that this version does not know, each a tag, a length and bytes.
    pub(super) fn unknown_fields(&mut self, known: u64) -> Result<Bytes> {
        let start = self.at;
        let mut before = known;
        while self.left() > 0 {
            let field = self.at;
            let tag = self.number()?;
            if tag <= before {
                return Err(decode_error(field, DecodeErrorKind::Tag(tag)));
            }
            before = tag;
            self.key()?;
        }
        // Without fields nothing of the message is kept in memory by them.
        if start == self.at { Ok(Bytes::new()) } else { Ok(self.bytes.slice(start..)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(bytes: &'static [u8]) -> Result<u64> {
        Reader::new(Bytes::from_static(bytes)).number()
    }

    #[test]
    fn numbers_take_one_form_only() {
        assert_eq!(number(&[0x00]), Ok(0));
        assert_eq!(number(&[0xac, 0x02]), Ok(300));
        let greatest = &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(number(greatest), Ok(u64::MAX));
        let wrong = Err(decode_error(0, DecodeErrorKind::Number));
        assert_eq!(number(&[0xac, 0x82, 0x00]), wrong);
        assert_eq!(number(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02]), wrong);
        assert_eq!(number(&[0x80; 11]), wrong);
    }

    #[test]
    fn a_count_beyond_the_rest_of_the_message_is_refused_before_anything_is_allocated() {
        let mut reader = Reader::new(Bytes::from_static(&[0xff, 0xff, 0xff, 0xff, 0x0f, 1, 2, 3, 4]));
        let list = reader.list("elements", usize::MAX, 2, |_| -> Result<u8> { panic!("nothing is read") });
        let kind = DecodeErrorKind::TooMany { what: "elements", count: 0xffff_ffff, limit: 2 };
        assert_eq!(list, Err(decode_error(0, kind)));
    }

    #[test]
    fn a_length_beyond_the_message_says_how_much_is_missing() {
        let mut reader = Reader::new(Bytes::from_static(&[9, 1, 2]));
        assert_eq!(reader.key(), Err(decode_error(1, DecodeErrorKind::Truncated { missing: 7 })));
    }

    #[test]
    fn unknown_fields_have_rising_tags() {
        let rising = Bytes::from_static(&[1, 0, 2, 1, 7]);
        assert_eq!(Reader::new(rising.clone()).unknown_fields(0), Ok(rising));
        let repeated = Bytes::from_static(&[1, 0, 1, 0]);
        assert_eq!(Reader::new(repeated).unknown_fields(0), Err(decode_error(2, DecodeErrorKind::Tag(1))));
    }
}
