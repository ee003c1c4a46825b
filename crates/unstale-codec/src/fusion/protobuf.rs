//! Envelopes of protobuf-net.

use bytes::{BufMut, Bytes, BytesMut};

use super::envelope::{Envelope, Metadata, TAGS_MAX, ValueForm};
use super::error::{DecodeErrorKind, error};
use super::reader::{Reader, Result};
use super::text::Text;
use super::ticks::Ticks;

/// Numbers of the envelope's fields.
pub(super) const VALUE: u64 = 1;
const METADATA: u64 = 2;
const TIMESTAMP: u64 = 3;
const TAGS: u64 = 4;
const LOGICAL_EXPIRATION: u64 = 5;

const IS_STALE: u64 = 1;
const LAST_MODIFIED: u64 = 2;
const ETAG: u64 = 3;
const EAGER_EXPIRATION: u64 = 4;
const SIZE: u64 = 5;
const PRIORITY: u64 = 6;

/// How a field's content is written: the lowest three bits of its tag.
pub(super) mod wire {
    pub(in crate::fusion) const VARINT: u8 = 0;
    pub(in crate::fusion) const FIXED_64: u8 = 1;
    pub(in crate::fusion) const LENGTH: u8 = 2;
    pub(in crate::fusion) const GROUP: u8 = 3;
    pub(in crate::fusion) const GROUP_END: u8 = 4;
    pub(in crate::fusion) const FIXED_32: u8 = 5;
}

/// How deep groups nest at most; nobody has written them for long.
const GROUP_DEPTH_MAX: usize = 64;

/// The tag of a field.
#[derive(Clone, Copy)]
pub(super) struct Tag {
    /// Where it begins.
    pub(super) at: usize,
    pub(super) field: u64,
    pub(super) wire: u8,
}

pub(super) fn decode(bytes: Bytes) -> Result<Envelope> {
    let mut r = Reader::new(bytes);
    let mut envelope = Envelope::default();
    let mut value = Joined::default();
    while r.left() > 0 {
        let tag = tag(&mut r)?;
        match tag.field {
            VALUE => {
                pass(tag, &mut r)?;
                value.push(tag.at, &r);
            }
            METADATA => {
                let (at, bytes) = message(tag, &mut r, "metadata")?;
                let metadata = envelope.metadata.get_or_insert_default();
                read_metadata(metadata, bytes).map_err(|wrong| wrong.shifted(at))?;
            }
            TIMESTAMP => envelope.timestamp = Ticks(integer(tag, &mut r, "timestamp")?),
            LOGICAL_EXPIRATION => {
                envelope.logical_expiration = Ticks(integer(tag, &mut r, "logical expiration")?);
            }
            TAGS => {
                let tags = envelope.tags.get_or_insert_default();
                if tags.len() == TAGS_MAX {
                    let (count, limit) = (TAGS_MAX as u64 + 1, TAGS_MAX as u64);
                    return Err(error(tag.at, DecodeErrorKind::TooMany { what: "tags", count, limit }));
                }
                tags.push(text(tag, &mut r, "tag")?);
            }
            _ => pass(tag, &mut r)?,
        }
    }
    envelope.value = ValueForm(value.finish(&r));
    Ok(envelope)
}

fn read_metadata(metadata: &mut Metadata, bytes: Bytes) -> Result<()> {
    let mut r = Reader::new(bytes);
    while r.left() > 0 {
        let tag = tag(&mut r)?;
        match tag.field {
            IS_STALE => metadata.is_stale = boolean(tag, &mut r, "staleness")?,
            LAST_MODIFIED => metadata.last_modified = Some(Ticks(integer(tag, &mut r, "last modification")?)),
            ETAG => metadata.etag = Some(text(tag, &mut r, "etag")?),
            EAGER_EXPIRATION => {
                metadata.eager_expiration = Some(Ticks(integer(tag, &mut r, "eager expiration")?));
            }
            SIZE => metadata.size = Some(integer(tag, &mut r, "size")?),
            PRIORITY => {
                let number = integer(tag, &mut r, "priority")?;
                let kind = DecodeErrorKind::OutOfRange { what: "priority", value: number.into() };
                metadata.priority = Some(u8::try_from(number).map_err(|_| error(tag.at, kind))?);
            }
            _ => pass(tag, &mut r)?,
        }
    }
    Ok(())
}

/// The integer that a value is.
pub(super) fn number(value: Bytes) -> Result<i64> {
    let mut r = Reader::new(value);
    let mut number = 0;
    while r.left() > 0 {
        let tag = tag(&mut r)?;
        number = integer(tag, &mut r, "number")?;
    }
    Ok(number)
}

pub(super) fn tag(r: &mut Reader) -> Result<Tag> {
    let at = r.at();
    let number = r.varint()?;
    let field = number >> 3;
    // Fields have 29 bits.
    if field == 0 || field >= 1 << 29 {
        return Err(error(at, DecodeErrorKind::OutOfRange { what: "field", value: field.into() }));
    }
    Ok(Tag { at, field, wire: (number & 7) as u8 })
}

/// Passes over the content of a field.
pub(super) fn pass(tag: Tag, r: &mut Reader) -> Result<()> {
    let mut groups = Vec::new();
    let mut tag = tag;
    loop {
        match tag.wire {
            wire::VARINT => drop(r.varint()?),
            wire::FIXED_64 => drop(r.advance(8)?),
            wire::FIXED_32 => drop(r.advance(4)?),
            wire::LENGTH => {
                let length = r.varint()?;
                r.advance(length)?;
            }
            wire::GROUP if groups.len() < GROUP_DEPTH_MAX => groups.push(tag.field),
            wire::GROUP => return Err(error(tag.at, DecodeErrorKind::TooDeep { limit: GROUP_DEPTH_MAX })),
            wire::GROUP_END if groups.last() == Some(&tag.field) => drop(groups.pop()),
            _ => return Err(wrong_wire(tag, "a field")),
        }
        if groups.is_empty() {
            return Ok(());
        }
        tag = self::tag(r)?;
    }
}

fn wrong_wire(tag: Tag, what: &'static str) -> super::error::DecodeError {
    error(tag.at, DecodeErrorKind::Unexpected { what, found: (tag.field << 3) as u8 | tag.wire })
}

fn integer(tag: Tag, r: &mut Reader, what: &'static str) -> Result<i64> {
    if tag.wire == wire::VARINT { r.varint().map(u64::cast_signed) } else { Err(wrong_wire(tag, what)) }
}

fn boolean(tag: Tag, r: &mut Reader, what: &'static str) -> Result<bool> {
    match integer(tag, r, what)? {
        0 => Ok(false),
        1 => Ok(true),
        value => Err(error(tag.at, DecodeErrorKind::OutOfRange { what, value: value.into() })),
    }
}

/// The content of a message and where it begins.
pub(super) fn message(tag: Tag, r: &mut Reader, what: &'static str) -> Result<(usize, Bytes)> {
    if tag.wire != wire::LENGTH {
        return Err(wrong_wire(tag, what));
    }
    let length = r.varint()?;
    let at = r.at();
    Ok((at, r.slice(length)?))
}

pub(super) fn text(tag: Tag, r: &mut Reader, what: &'static str) -> Result<Text> {
    let (at, bytes) = message(tag, r, what)?;
    Text::new(bytes).ok_or(error(at, DecodeErrorKind::NotUtf8(what)))
}

/// Fields of one number, usually one after the other: a slice of the message, and copied only if they are not.
#[derive(Default)]
struct Joined {
    /// Where the fields so far begin and end, while nothing lies between them.
    run: Option<(usize, usize)>,
    copied: Option<BytesMut>,
}

impl Joined {
    fn push(&mut self, start: usize, r: &Reader) {
        let end = r.at();
        match (&mut self.copied, self.run) {
            (Some(copied), _) => copied.put_slice(&r.between(start, end)),
            (None, None) => self.run = Some((start, end)),
            (None, Some((first, last))) if last == start => self.run = Some((first, end)),
            (None, Some((first, last))) => {
                let mut copied = BytesMut::from(&r.between(first, last)[..]);
                copied.put_slice(&r.between(start, end));
                self.copied = Some(copied);
            }
        }
    }

    fn finish(self, r: &Reader) -> Bytes {
        match (self.copied, self.run) {
            (Some(copied), _) => copied.freeze(),
            (None, Some((start, end))) => r.between(start, end),
            (None, None) => Bytes::new(),
        }
    }
}

/// Values before metadata: protobuf-net writes fields in the order of their numbers.
pub(super) fn encode(envelope: &Envelope, out: &mut BytesMut) {
    out.put_slice(&envelope.value.0);
    if let Some(metadata) = &envelope.metadata {
        let mut inner = BytesMut::new();
        put_metadata(metadata, &mut inner);
        put_bytes(METADATA, &inner, out);
    }
    put_number(TIMESTAMP, envelope.timestamp.0, out);
    for tag in envelope.tags.iter().flatten() {
        put_bytes(TAGS, tag.as_bytes(), out);
    }
    put_number(LOGICAL_EXPIRATION, envelope.logical_expiration.0, out);
}

fn put_metadata(metadata: &Metadata, out: &mut BytesMut) {
    let Metadata { is_stale, eager_expiration, etag, last_modified, size, priority } = metadata;
    if *is_stale {
        put_number(IS_STALE, 1, out);
    }
    if let Some(ticks) = last_modified {
        put_number(LAST_MODIFIED, ticks.0, out);
    }
    if let Some(etag) = etag {
        put_bytes(ETAG, etag.as_bytes(), out);
    }
    if let Some(ticks) = eager_expiration {
        put_number(EAGER_EXPIRATION, ticks.0, out);
    }
    if let Some(size) = size {
        put_number(SIZE, *size, out);
    }
    if let Some(priority) = priority {
        put_number(PRIORITY, i64::from(*priority), out);
    }
}

pub(super) fn put_number(field: u64, number: i64, out: &mut BytesMut) {
    put_varint(field << 3 | u64::from(wire::VARINT), out);
    put_varint(number.cast_unsigned(), out);
}

fn put_bytes(field: u64, bytes: &[u8], out: &mut BytesMut) {
    put_varint(field << 3 | u64::from(wire::LENGTH), out);
    put_varint(bytes.len() as u64, out);
    out.put_slice(bytes);
}

fn put_varint(number: u64, out: &mut BytesMut) {
    let mut rest = number;
    while rest >= 0x80 {
        out.put_u8(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.put_u8(rest as u8);
}
