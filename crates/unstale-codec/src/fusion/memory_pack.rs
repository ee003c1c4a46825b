//! Envelopes of MemoryPack: fields without names, in a fixed order, numbers as they lie in memory.

use bytes::{BufMut, Bytes, BytesMut};

use super::envelope::{Envelope, Metadata, TAGS_MAX, ValueForm};
use super::error::{DecodeErrorKind, error};
use super::reader::{Reader, Result};
use super::text::Text;
use super::ticks::Ticks;
use super::value::memory_pack as value;
use super::value_type::ValueType;

/// How many fields an envelope has: its first byte.
const MEMBERS: u8 = 5;
const METADATA_MEMBERS: u8 = 6;
/// Instead of the number of fields: null.
pub(super) const NULL: u8 = 0xff;

pub(super) fn decode(value_type: &ValueType, bytes: Bytes) -> Result<Envelope> {
    let mut r = Reader::new(bytes);
    members(&mut r, "envelope", MEMBERS)?;
    let start = r.at();
    value::pass(value_type, &mut r)?;
    let envelope = Envelope {
        value: ValueForm(r.since(start)),
        timestamp: Ticks(r.i64()?),
        logical_expiration: Ticks(r.i64()?),
        tags: tags(&mut r)?,
        metadata: metadata(&mut r)?,
    };
    r.end()?;
    Ok(envelope)
}

fn members(r: &mut Reader, what: &'static str, count: u8) -> Result<()> {
    let start = r.at();
    let found = r.byte()?;
    if found == count { Ok(()) } else { Err(error(start, DecodeErrorKind::Unexpected { what, found })) }
}

fn tags(r: &mut Reader) -> Result<Option<Vec<Text>>> {
    let start = r.at();
    let Some(count) = count(r, "tags", 4)? else { return Ok(None) };
    if count > TAGS_MAX as u64 {
        return Err(error(start, DecodeErrorKind::TooMany { what: "tags", count, limit: TAGS_MAX as u64 }));
    }
    let mut tags = Vec::with_capacity(count as usize);
    for _ in 0..count {
        let at = r.at();
        tags.push(text(r, "tag")?.ok_or(error(at, DecodeErrorKind::Empty("tag")))?);
    }
    Ok(Some(tags))
}

fn metadata(r: &mut Reader) -> Result<Option<Metadata>> {
    if r.peek() == Some(NULL) {
        r.advance(1)?;
        return Ok(None);
    }
    members(r, "metadata", METADATA_MEMBERS)?;
    Ok(Some(Metadata {
        is_stale: flag(r, "staleness")?,
        eager_expiration: optional(r)?.map(Ticks),
        etag: text(r, "etag")?,
        last_modified: optional(r)?.map(Ticks),
        size: optional(r)?,
        priority: {
            let present = flag(r, "presence")?;
            let priority = r.byte()?;
            present.then_some(priority)
        },
    }))
}

/// A byte that is 0 or 1.
pub(super) fn flag(r: &mut Reader, what: &'static str) -> Result<bool> {
    let start = r.at();
    match r.byte()? {
        0 => Ok(false),
        1 => Ok(true),
        found => Err(error(start, DecodeErrorKind::Unexpected { what, found })),
    }
}

/// A nullable number of 64 bits: a flag, seven bytes that mean nothing, the number.
fn optional(r: &mut Reader) -> Result<Option<i64>> {
    let present = flag(r, "presence")?;
    r.advance(7)?;
    let number = r.i64()?;
    Ok(present.then_some(number))
}

/// A count of elements that take at least `bytes_min` bytes each; -1 is null. Never more than the rest has room for.
pub(super) fn count(r: &mut Reader, what: &'static str, bytes_min: u64) -> Result<Option<u64>> {
    let start = r.at();
    let value = r.i32()?;
    if value == -1 {
        return Ok(None);
    }
    let count = u64::try_from(value).map_err(|_| error(start, DecodeErrorKind::Length { what, value }))?;
    match (count * bytes_min).checked_sub(r.left() as u64) {
        None | Some(0) => Ok(Some(count)),
        Some(missing) => Err(error(start, DecodeErrorKind::Truncated { missing })),
    }
}

/// A text or null. Above zero the first number counts units of UTF-16 that follow; below -1 it is the complement of how many
/// bytes of UTF-8 follow a second number, their length in UTF-16, which may be left unsaid.
pub(super) fn text(r: &mut Reader, what: &'static str) -> Result<Option<Text>> {
    let start = r.at();
    let length = r.i32()?;
    match length {
        -1 => Ok(None),
        0 => Ok(Some(Text::default())),
        1.. => {
            let units = r.slice(u64::from(length.unsigned_abs()) * 2)?;
            let units = units.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
            let text: std::result::Result<String, _> = char::decode_utf16(units).collect();
            text.map(|text| Some(text.into())).map_err(|_| error(start, DecodeErrorKind::NotUtf8(what)))
        }
        _ => {
            let at = r.at();
            let units = r.i32()?;
            let text = r.text(what, u64::from((!length).unsigned_abs()))?;
            // A wrong number is what other bytes look like that are taken for a text.
            if units > 0 && text.as_str().encode_utf16().count() as u64 != u64::from(units.unsigned_abs()) {
                return Err(error(
                    at,
                    DecodeErrorKind::OutOfRange { what: "length in UTF-16", value: units.into() },
                ));
            }
            Ok(Some(text))
        }
    }
}

pub(super) fn encode(envelope: &Envelope, out: &mut BytesMut) {
    out.put_u8(MEMBERS);
    out.put_slice(&envelope.value.0);
    out.put_i64_le(envelope.timestamp.0);
    out.put_i64_le(envelope.logical_expiration.0);
    match &envelope.tags {
        None => out.put_i32_le(-1),
        Some(tags) => {
            out.put_u32_le(tags.len() as u32);
            for tag in tags {
                put_text(Some(tag), out);
            }
        }
    }
    match &envelope.metadata {
        None => out.put_u8(NULL),
        Some(metadata) => {
            let Metadata { is_stale, eager_expiration, etag, last_modified, size, priority } = metadata;
            out.put_u8(METADATA_MEMBERS);
            out.put_u8(u8::from(*is_stale));
            put_optional(eager_expiration.map(|ticks| ticks.0), out);
            put_text(etag.as_ref(), out);
            put_optional(last_modified.map(|ticks| ticks.0), out);
            put_optional(*size, out);
            out.put_slice(&[u8::from(priority.is_some()), priority.unwrap_or(0)]);
        }
    }
}

fn put_optional(number: Option<i64>, out: &mut BytesMut) {
    out.put_u64_le(u64::from(number.is_some()));
    out.put_i64_le(number.unwrap_or(0));
}

fn put_text(text: Option<&Text>, out: &mut BytesMut) {
    match text {
        None => out.put_i32_le(-1),
        Some(text) if text.is_empty() => out.put_i32_le(0),
        Some(text) => {
            let bytes = text.as_bytes();
            out.put_u32_le(!(bytes.len() as u32));
            out.put_u32_le(text.as_str().encode_utf16().count() as u32);
            out.put_slice(bytes);
        }
    }
}
