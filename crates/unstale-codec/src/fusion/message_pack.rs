//! Envelopes of MessagePack for C#, contractless: maps with names of one letter.

use std::io;

use bytes::{BufMut, Bytes, BytesMut};
use rmp::Marker;
use rmp::encode::{
    ValueWriteError, write_array_len, write_bool, write_map_len, write_nil, write_sint, write_str,
    write_str_len,
};

use super::envelope::{Envelope, Metadata, TAGS_MAX, ValueForm};
use super::error::{DecodeErrorKind, error};
use super::reader::{Reader, Result};
use super::text::Text;
use super::ticks::Ticks;

pub(super) fn decode(bytes: Bytes) -> Result<Envelope> {
    let mut r = Unpacker::new(bytes);
    let mut envelope = Envelope::default();
    for _ in 0..r.map("envelope")? {
        match r.name()? {
            Some(b'v') => envelope.value = ValueForm(r.any()?),
            Some(b't') => envelope.timestamp = Ticks(r.integer("timestamp")?),
            Some(b'l') => envelope.logical_expiration = Ticks(r.integer("logical expiration")?),
            Some(b'x') => envelope.tags = r.tags()?,
            Some(b'm') => envelope.metadata = metadata(&mut r)?,
            _ => drop(r.any()?),
        }
    }
    r.reader.end()?;
    Ok(envelope)
}

fn metadata(r: &mut Unpacker) -> Result<Option<Metadata>> {
    if r.nil()? {
        return Ok(None);
    }
    let mut metadata = Metadata::default();
    for _ in 0..r.map("metadata")? {
        match r.name()? {
            Some(b's') => metadata.is_stale = r.boolean("staleness")?,
            Some(b'e') => metadata.eager_expiration = r.optional("eager expiration")?.map(Ticks),
            Some(b't') => metadata.etag = if r.nil()? { None } else { Some(r.text("etag")?) },
            Some(b'm') => metadata.last_modified = r.optional("last modification")?.map(Ticks),
            Some(b'z') => metadata.size = r.optional("size")?,
            Some(b'p') => metadata.priority = priority(r)?,
            _ => drop(r.any()?),
        }
    }
    Ok(Some(metadata))
}

fn priority(r: &mut Unpacker) -> Result<Option<u8>> {
    let start = r.reader.at();
    let number = r.optional("priority")?;
    let byte = number.map(|number| {
        let kind = DecodeErrorKind::OutOfRange { what: "priority", value: number.into() };
        u8::try_from(number).map_err(|_| error(start, kind))
    });
    byte.transpose()
}

/// The integer that a value is.
pub(super) fn number(value: Bytes) -> Result<i64> {
    let mut r = Unpacker::new(value);
    let number = r.integer("number")?;
    r.reader.end()?;
    Ok(number)
}

/// What comes next: a scalar, so many bytes of something, or so many elements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Token {
    Nil,
    Bool(bool),
    Integer(i128),
    F32(f32),
    F64(f64),
    Text(u64),
    Bytes(u64),
    Extension { kind: i8, length: u64 },
    Array(u64),
    Map(u64),
}

/// Reads MessagePack.
pub(super) struct Unpacker {
    pub(super) reader: Reader,
}

impl Unpacker {
    pub(super) const fn new(bytes: Bytes) -> Self {
        Self { reader: Reader::new(bytes) }
    }

    /// The marker that comes next with its numbers; what a length stands for comes after it. A count of elements is never
    /// greater than the rest has room for.
    pub(super) fn token(&mut self) -> Result<Token> {
        let r = &mut self.reader;
        let start = r.at();
        let token = match Marker::from_u8(r.byte()?) {
            Marker::Null => Token::Nil,
            Marker::False => Token::Bool(false),
            Marker::True => Token::Bool(true),
            Marker::FixPos(number) => Token::Integer(number.into()),
            Marker::FixNeg(number) => Token::Integer(number.into()),
            Marker::U8 => Token::Integer(r.byte()?.into()),
            Marker::U16 => Token::Integer(r.array().map(u16::from_be_bytes)?.into()),
            Marker::U32 => Token::Integer(r.array().map(u32::from_be_bytes)?.into()),
            Marker::U64 => Token::Integer(r.array().map(u64::from_be_bytes)?.into()),
            Marker::I8 => Token::Integer(r.array().map(i8::from_be_bytes)?.into()),
            Marker::I16 => Token::Integer(r.array().map(i16::from_be_bytes)?.into()),
            Marker::I32 => Token::Integer(r.array().map(i32::from_be_bytes)?.into()),
            Marker::I64 => Token::Integer(r.array().map(i64::from_be_bytes)?.into()),
            Marker::F32 => Token::F32(r.array().map(f32::from_be_bytes)?),
            Marker::F64 => Token::F64(r.array().map(f64::from_be_bytes)?),
            Marker::FixStr(length) => Token::Text(length.into()),
            Marker::Str8 => Token::Text(length::<1>(r)?),
            Marker::Str16 => Token::Text(length::<2>(r)?),
            Marker::Str32 => Token::Text(length::<4>(r)?),
            Marker::Bin8 => Token::Bytes(length::<1>(r)?),
            Marker::Bin16 => Token::Bytes(length::<2>(r)?),
            Marker::Bin32 => Token::Bytes(length::<4>(r)?),
            Marker::FixExt1 => extension(r, 1)?,
            Marker::FixExt2 => extension(r, 2)?,
            Marker::FixExt4 => extension(r, 4)?,
            Marker::FixExt8 => extension(r, 8)?,
            Marker::FixExt16 => extension(r, 16)?,
            Marker::Ext8 => length::<1>(r).and_then(|length| extension(r, length))?,
            Marker::Ext16 => length::<2>(r).and_then(|length| extension(r, length))?,
            Marker::Ext32 => length::<4>(r).and_then(|length| extension(r, length))?,
            Marker::FixArray(count) => Token::Array(count.into()),
            Marker::Array16 => Token::Array(length::<2>(r)?),
            Marker::Array32 => Token::Array(length::<4>(r)?),
            Marker::FixMap(count) => Token::Map(count.into()),
            Marker::Map16 => Token::Map(length::<2>(r)?),
            Marker::Map32 => Token::Map(length::<4>(r)?),
            Marker::Reserved => return Err(error(start, unexpected("MessagePack", 0xc1))),
        };
        let room = match token {
            Token::Array(count) => count,
            Token::Map(count) => count * 2,
            Token::Text(length) | Token::Bytes(length) | Token::Extension { length, .. } => length,
            Token::Nil | Token::Bool(_) | Token::Integer(_) | Token::F32(_) | Token::F64(_) => 0,
        };
        match room.checked_sub(r.left() as u64) {
            None | Some(0) => Ok(token),
            Some(missing) => Err(error(start, DecodeErrorKind::Truncated { missing })),
        }
    }

    /// The bytes of whatever comes next, however deep it is.
    fn any(&mut self) -> Result<Bytes> {
        let start = self.reader.at();
        let mut left = 1_u64;
        while left > 0 {
            left -= 1;
            match self.token()? {
                // Each count is bounded by the bytes there are, so the sum of them is far below 2^64.
                Token::Array(count) => left += count,
                Token::Map(count) => left += count * 2,
                Token::Text(length) | Token::Bytes(length) | Token::Extension { length, .. } => {
                    self.reader.advance(length)?;
                }
                Token::Nil | Token::Bool(_) | Token::Integer(_) | Token::F32(_) | Token::F64(_) => {}
            }
        }
        Ok(self.reader.since(start))
    }

    /// The next token, if `wanted` finds in it what must be there.
    fn expect<T>(&mut self, what: &'static str, wanted: impl FnOnce(Token) -> Option<T>) -> Result<T> {
        let start = self.reader.at();
        let found = self.reader.peek().unwrap_or_default();
        wanted(self.token()?).ok_or(error(start, unexpected(what, found)))
    }

    fn map(&mut self, what: &'static str) -> Result<u64> {
        self.expect(what, |token| if let Token::Map(count) = token { Some(count) } else { None })
    }

    /// A name of one letter; nothing for any other key.
    fn name(&mut self) -> Result<Option<u8>> {
        let key = self.any()?;
        // A text of one byte.
        Ok(if let [0xa1, letter] = key[..] { Some(letter) } else { None })
    }

    /// Whether nil comes next; passes over it.
    fn nil(&mut self) -> Result<bool> {
        let nil = self.reader.peek() == Some(0xc0);
        if nil {
            self.reader.advance(1)?;
        }
        Ok(nil)
    }

    fn boolean(&mut self, what: &'static str) -> Result<bool> {
        self.expect(what, |token| if let Token::Bool(value) = token { Some(value) } else { None })
    }

    fn integer(&mut self, what: &'static str) -> Result<i64> {
        let start = self.reader.at();
        let number =
            self.expect(what, |token| if let Token::Integer(number) = token { Some(number) } else { None })?;
        i64::try_from(number).map_err(|_| error(start, DecodeErrorKind::OutOfRange { what, value: number }))
    }

    fn optional(&mut self, what: &'static str) -> Result<Option<i64>> {
        if self.nil()? { Ok(None) } else { self.integer(what).map(Some) }
    }

    fn text(&mut self, what: &'static str) -> Result<Text> {
        let length =
            self.expect(what, |token| if let Token::Text(length) = token { Some(length) } else { None })?;
        self.reader.text(what, length)
    }

    fn tags(&mut self) -> Result<Option<Vec<Text>>> {
        if self.nil()? {
            return Ok(None);
        }
        let start = self.reader.at();
        let count =
            self.expect("tags", |token| if let Token::Array(count) = token { Some(count) } else { None })?;
        if count > TAGS_MAX as u64 {
            return Err(error(
                start,
                DecodeErrorKind::TooMany { what: "tags", count, limit: TAGS_MAX as u64 },
            ));
        }
        let mut tags = Vec::with_capacity(count as usize);
        for _ in 0..count {
            tags.push(self.text("tag")?);
        }
        Ok(Some(tags))
    }
}

/// A length in the `N` bytes that come next.
fn length<const N: usize>(r: &mut Reader) -> Result<u64> {
    Ok(r.array::<N>()?.iter().fold(0, |length, byte| length << 8 | u64::from(*byte)))
}

fn extension(r: &mut Reader, length: u64) -> Result<Token> {
    Ok(Token::Extension { kind: r.array().map(i8::from_be_bytes)?, length })
}

const fn unexpected(what: &'static str, found: u8) -> DecodeErrorKind {
    DecodeErrorKind::Unexpected { what, found }
}

pub(super) fn encode(envelope: &Envelope, out: &mut BytesMut) {
    write(envelope, &mut out.writer()).expect("memory takes every write");
}

pub(super) fn put_number(number: i64, out: &mut BytesMut) {
    write_sint(&mut out.writer(), number).expect("memory takes every write");
}

type Written = std::result::Result<(), ValueWriteError>;

fn write<W: io::Write>(envelope: &Envelope, w: &mut W) -> Written {
    write_map_len(w, 5)?;
    write_str(w, "v")?;
    let value = &envelope.value.0;
    w.write_all(if value.is_empty() { &[0xc0] } else { value }).map_err(ValueWriteError::InvalidDataWrite)?;
    write_str(w, "t")?;
    write_sint(w, envelope.timestamp.0)?;
    write_str(w, "l")?;
    write_sint(w, envelope.logical_expiration.0)?;
    write_str(w, "x")?;
    write_or_nil(w, envelope.tags.as_ref(), |w, tags| {
        write_array_len(w, tags.len() as u32)?;
        tags.iter().try_for_each(|tag| write_text(w, tag))
    })?;
    write_str(w, "m")?;
    write_or_nil(w, envelope.metadata.as_ref(), write_metadata)
}

fn write_metadata<W: io::Write>(w: &mut W, metadata: &Metadata) -> Written {
    let Metadata { is_stale, eager_expiration, etag, last_modified, size, priority } = metadata;
    let number = |w: &mut W, number: &i64| write_sint(w, *number).map(drop);
    write_map_len(w, 6)?;
    write_str(w, "s")?;
    write_bool(w, *is_stale).map_err(ValueWriteError::InvalidMarkerWrite)?;
    write_str(w, "e")?;
    write_or_nil(w, eager_expiration.map(|ticks| ticks.0).as_ref(), number)?;
    write_str(w, "t")?;
    write_or_nil(w, etag.as_ref(), write_text)?;
    write_str(w, "m")?;
    write_or_nil(w, last_modified.map(|ticks| ticks.0).as_ref(), number)?;
    write_str(w, "z")?;
    write_or_nil(w, size.as_ref(), number)?;
    write_str(w, "p")?;
    write_or_nil(w, priority.map(i64::from).as_ref(), number)
}

fn write_or_nil<W: io::Write, T>(
    w: &mut W,
    value: Option<&T>,
    write: impl FnOnce(&mut W, &T) -> Written,
) -> Written {
    match value {
        Some(value) => write(w, value),
        None => write_nil(w).map_err(ValueWriteError::InvalidMarkerWrite),
    }
}

fn write_text<W: io::Write>(w: &mut W, text: &Text) -> Written {
    let bytes = text.as_bytes();
    write_str_len(w, bytes.len() as u32)?;
    w.write_all(bytes).map_err(ValueWriteError::InvalidDataWrite)
}
