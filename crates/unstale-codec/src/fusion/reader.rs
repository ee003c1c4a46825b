//! Reads primitives, with every length checked before it is used.

use bytes::Bytes;

use super::error::{DecodeError, DecodeErrorKind, error};
use super::text::Text;

pub(super) type Result<T> = std::result::Result<T, DecodeError>;

/// A place in some bytes.
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

    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// Moves on by `count` bytes, if there are so many; gives where they begin.
    pub(super) fn advance(&mut self, count: u64) -> Result<usize> {
        let start = self.at;
        match usize::try_from(count) {
            Ok(count) if count <= self.left() => {
                self.at += count;
                Ok(start)
            }
            _ => Err(error(start, DecodeErrorKind::Truncated { missing: count - self.left() as u64 })),
        }
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let start = self.advance(N as u64)?;
        let mut array = [0; N];
        array.copy_from_slice(&self.bytes[start..start + N]);
        Ok(array)
    }

    pub(super) fn byte(&mut self) -> Result<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn i32(&mut self) -> Result<i32> {
        self.array().map(i32::from_le_bytes)
    }

    pub(super) fn i64(&mut self) -> Result<i64> {
        self.array().map(i64::from_le_bytes)
    }

    /// An unsigned LEB128 number of at most 64 bits, as protobuf has it: also longer than it need be.
    pub(super) fn varint(&mut self) -> Result<u64> {
        let start = self.at;
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            // The tenth byte has room for one bit.
            if shift == 63 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(error(start, DecodeErrorKind::Varint))
    }

    /// A signed length of 32 bits that must not be below zero.
    pub(super) fn length(&mut self, what: &'static str) -> Result<u64> {
        let start = self.at;
        let value = self.i32()?;
        u64::try_from(value).map_err(|_| error(start, DecodeErrorKind::Length { what, value }))
    }

    pub(super) fn slice(&mut self, count: u64) -> Result<Bytes> {
        let start = self.advance(count)?;
        Ok(self.bytes.slice(start..self.at))
    }

    /// So many bytes, which must be UTF-8.
    pub(super) fn text(&mut self, what: &'static str, count: u64) -> Result<Text> {
        let start = self.at;
        Text::new(self.slice(count)?).ok_or(error(start, DecodeErrorKind::NotUtf8(what)))
    }

    /// What was read since `start`.
    pub(super) fn since(&self, start: usize) -> Bytes {
        self.between(start, self.at)
    }

    /// What was read from `start` to `end`.
    pub(super) fn between(&self, start: usize, end: usize) -> Bytes {
        self.bytes.slice(start..end)
    }

    /// The byte that comes next, if one does.
    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// What is left.
    pub(super) fn rest(self) -> Bytes {
        self.bytes.slice(self.at..)
    }

    /// Nothing may be left.
    pub(super) fn end(&self) -> Result<()> {
        match self.left() {
            0 => Ok(()),
            left => Err(error(self.at, DecodeErrorKind::Trailing(left))),
        }
    }
}
