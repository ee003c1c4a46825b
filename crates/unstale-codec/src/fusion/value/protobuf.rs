//! Values of protobuf-net: fields of one number, which their type explains, or else how they are written.

use bytes::Bytes;

use super::{
    Sequence, Zone, name_since, put_bytes, put_date_time, put_default, put_display, put_f32, put_f64,
    put_guid, put_string,
};
use crate::fusion::error::{DecodeErrorKind, error};
use crate::fusion::protobuf::{Tag, message, pass, tag, text, wire};
use crate::fusion::reader::{Reader, Result};
use crate::fusion::ticks::Ticks;
use crate::fusion::value_type::{Scalar, ValueType};

/// Numbers of the fields in a pair of a map, in an identifier and in a time.
const KEY: u64 = 1;
const VALUE: u64 = 2;
const LOW: u64 = 1;
const HIGH: u64 = 2;
const COUNT: u64 = 1;
const SCALE: u64 = 2;
const KIND: u64 = 3;

/// What the fields with number `field` in `bytes` are: elements and pairs one after the other, else the last of them.
pub(super) fn put(value_type: &ValueType, bytes: &Bytes, field: u64, out: &mut String) -> Result<()> {
    let mut fields = Fields { r: Reader::new(bytes.clone()), field };
    match value_type {
        ValueType::Nullable(inner) if fields.next()?.is_some() => put(inner, bytes, field, out),
        ValueType::List(element) => put_all(('[', ']'), &mut fields, out, |tag, r, brackets, out| {
            put_element(element, tag, r, brackets, out)
        }),
        ValueType::Map(key, value) => put_all(('{', '}'), &mut fields, out, |tag, r, brackets, out| {
            put_pair(key, value, tag, r, brackets, out)
        }),
        ValueType::Scalar(_)
        | ValueType::Text
        | ValueType::Bytes
        | ValueType::Nullable(_)
        | ValueType::Object(_) => {
            let mut last = None;
            while let Some(tag) = fields.next()? {
                last = Some((tag, fields.r.at()));
                pass(tag, &mut fields.r)?;
            }
            let Some((tag, at)) = last else {
                put_default(Some(value_type), out);
                return Ok(());
            };
            let mut r = Reader::new(bytes.clone());
            r.advance(at as u64)?;
            put_one(value_type, tag, &mut r, out)
        }
    }
}

/// All fields between brackets; null if there are none.
fn put_all(
    (open, close): (char, char),
    fields: &mut Fields,
    out: &mut String,
    mut put: impl FnMut(Tag, &mut Reader, &mut Sequence, &mut String) -> Result<()>,
) -> Result<()> {
    let Some(mut tag) = fields.next()? else {
        out.push_str("null");
        return Ok(());
    };
    let mut brackets = Sequence::open(open, close, out);
    loop {
        put(tag, &mut fields.r, &mut brackets, out)?;
        match fields.next()? {
            Some(next) => tag = next,
            None => break,
        }
    }
    brackets.close(out);
    Ok(())
}

/// Fields of one number; passes over the others.
struct Fields {
    r: Reader,
    field: u64,
}

impl Fields {
    /// The tag of the next such field, whose content comes next.
    fn next(&mut self) -> Result<Option<Tag>> {
        while self.r.left() > 0 {
            let tag = tag(&mut self.r)?;
            if tag.field == self.field {
                return Ok(Some(tag));
            }
            pass(tag, &mut self.r)?;
        }
        Ok(None)
    }
}

/// One field of a map.
fn put_pair(
    key: &ValueType,
    value: &ValueType,
    tag: Tag,
    r: &mut Reader,
    brackets: &mut Sequence,
    out: &mut String,
) -> Result<()> {
    brackets.next(tag.at, out)?;
    let (at, pair) = message(tag, r, "pair")?;
    let name = out.len();
    put(key, &pair, KEY, out).map_err(|wrong| wrong.shifted(at))?;
    name_since(name, at, out)?;
    put(value, &pair, VALUE, out).map_err(|wrong| wrong.shifted(at))
}

/// One field of a list: an element, or many that are packed.
fn put_element(
    element: &ValueType,
    tag: Tag,
    r: &mut Reader,
    brackets: &mut Sequence,
    out: &mut String,
) -> Result<()> {
    match packed(element) {
        Some(wire) if tag.wire == wire::LENGTH => {
            let (at, elements) = message(tag, r, "elements")?;
            let mut r = Reader::new(elements);
            while r.left() > 0 {
                brackets.next(at + r.at(), out)?;
                let tag = Tag { at: r.at(), wire, ..tag };
                put_one(element, tag, &mut r, out).map_err(|wrong| wrong.shifted(at))?;
            }
            Ok(())
        }
        Some(_) | None => {
            brackets.next(tag.at, out)?;
            put_one(element, tag, r, out)
        }
    }
}

/// How the elements of a packed list are written; nothing for what is never packed.
const fn packed(element: &ValueType) -> Option<u8> {
    let ValueType::Scalar(scalar) = element else { return None };
    match scalar {
        Scalar::F32 => Some(wire::FIXED_32),
        Scalar::F64 => Some(wire::FIXED_64),
        Scalar::Guid | Scalar::DateTime => None,
        Scalar::Bool
        | Scalar::I8
        | Scalar::I16
        | Scalar::I32
        | Scalar::I64
        | Scalar::U8
        | Scalar::U16
        | Scalar::U32
        | Scalar::U64 => Some(wire::VARINT),
    }
}

/// The content of one field.
fn put_one(value_type: &ValueType, tag: Tag, r: &mut Reader, out: &mut String) -> Result<()> {
    match value_type {
        ValueType::Scalar(scalar) => put_scalar(*scalar, tag, r, out)?,
        ValueType::Text => put_string(text(tag, r, "text")?.as_str(), out),
        ValueType::Bytes => put_bytes(&message(tag, r, "bytes")?.1, out),
        ValueType::Object(members) => {
            let (at, bytes) = message(tag, r, "object")?;
            let mut shown = Sequence::open('{', '}', out);
            for (number, (name, member)) in (1..).zip(members) {
                shown.next(tag.at, out)?;
                put_string(name, out);
                out.push(':');
                put(member, &bytes, number, out).map_err(|wrong| wrong.shifted(at))?;
            }
            shown.close(out);
        }
        ValueType::Nullable(inner) => put_one(inner, tag, r, out)?,
        ValueType::List(_) | ValueType::Map(..) => {
            let kind = DecodeErrorKind::Type("protobuf-net writes no list or map directly in a list or map");
            return Err(error(tag.at, kind));
        }
    }
    Ok(())
}

fn put_scalar(scalar: Scalar, tag: Tag, r: &mut Reader, out: &mut String) -> Result<()> {
    match scalar {
        Scalar::Bool => out.push_str(if varint(tag, r, 0, 1)? == 0 { "false" } else { "true" }),
        Scalar::I8 => put_display(varint(tag, r, i8::MIN.into(), i8::MAX.into())?, out),
        Scalar::I16 => put_display(varint(tag, r, i16::MIN.into(), i16::MAX.into())?, out),
        Scalar::I32 => put_display(varint(tag, r, i32::MIN.into(), i32::MAX.into())?, out),
        Scalar::I64 => put_display(varint(tag, r, i64::MIN, i64::MAX)?, out),
        Scalar::U8 => put_display(varint(tag, r, 0, u8::MAX.into())?, out),
        Scalar::U16 => put_display(varint(tag, r, 0, u16::MAX.into())?, out),
        Scalar::U32 => put_display(varint(tag, r, 0, u32::MAX.into())?, out),
        Scalar::U64 => put_display(varint(tag, r, i64::MIN, i64::MAX)?.cast_unsigned(), out),
        Scalar::F32 => put_f32(f32::from_le_bytes(fixed(tag, wire::FIXED_32, r)?), out),
        Scalar::F64 => put_f64(f64::from_le_bytes(fixed(tag, wire::FIXED_64, r)?), out),
        Scalar::Guid => {
            let (at, bytes) = message(tag, r, "guid")?;
            let half = |field| half_of(&bytes, field).map_err(|wrong| wrong.shifted(at));
            let mut guid = [0; 16];
            guid[..8].copy_from_slice(&half(LOW)?);
            guid[8..].copy_from_slice(&half(HIGH)?);
            put_guid(guid, out);
        }
        Scalar::DateTime => {
            let (at, bytes) = message(tag, r, "datetime")?;
            put_time(&bytes, out).map_err(|wrong| wrong.shifted(at))?;
        }
    }
    Ok(())
}

fn unexpected(tag: Tag, what: &'static str) -> DecodeErrorKind {
    DecodeErrorKind::Unexpected { what, found: (tag.field << 3) as u8 | tag.wire }
}

fn varint(tag: Tag, r: &mut Reader, least: i64, greatest: i64) -> Result<i64> {
    if tag.wire != wire::VARINT {
        return Err(error(tag.at, unexpected(tag, "number")));
    }
    let number = r.varint()?.cast_signed();
    let kind = DecodeErrorKind::OutOfRange { what: "number", value: number.into() };
    if (least..=greatest).contains(&number) { Ok(number) } else { Err(error(tag.at, kind)) }
}

fn fixed<const N: usize>(tag: Tag, wire: u8, r: &mut Reader) -> Result<[u8; N]> {
    if tag.wire == wire { r.array() } else { Err(error(tag.at, unexpected(tag, "number"))) }
}

/// Half of an identifier: eight bytes, zeros where they are missing.
fn half_of(bytes: &Bytes, field: u64) -> Result<[u8; 8]> {
    let mut fields = Fields { r: Reader::new(bytes.clone()), field };
    let mut half = [0; 8];
    while let Some(tag) = fields.next()? {
        half = fixed(tag, wire::FIXED_64, &mut fields.r)?;
    }
    Ok(half)
}

/// A number of some unit since 1970, with zigzag; or the ends of time.
fn put_time(bytes: &Bytes, out: &mut String) -> Result<()> {
    let last = |field: u64| -> Result<u64> {
        let mut fields = Fields { r: Reader::new(bytes.clone()), field };
        let mut number = 0;
        while let Some(tag) = fields.next()? {
            number = varint(tag, &mut fields.r, i64::MIN, i64::MAX)?.cast_unsigned();
        }
        Ok(number)
    };
    let (count, scale, kind) = (last(COUNT)?, last(SCALE)?, last(KIND)?);
    let count = i128::from((count >> 1).cast_signed() ^ -(count & 1).cast_signed());
    let second = 10_000_000;
    let unit = match scale {
        0 => 86_400 * second,
        1 => 3_600 * second,
        2 => 60 * second,
        3 => second,
        4 => second / 1_000,
        5 => 1,
        15 if count == -1 => return put_date_time(0, Zone::Unsaid, 0, out),
        15 if count == 1 => return put_date_time(Ticks::MAX.0, Zone::Unsaid, 0, out),
        _ => {
            let kind = DecodeErrorKind::OutOfRange { what: "unit of a time", value: scale.into() };
            return Err(error(0, kind));
        }
    };
    let ticks = count * unit + 621_355_968_000_000_000;
    let range = DecodeErrorKind::OutOfRange { what: "time", value: ticks };
    let zone = if kind == 1 { Zone::Utc } else { Zone::Unsaid };
    put_date_time(i64::try_from(ticks).map_err(|_| error(0, range))?, zone, 0, out)
}

/// What fields mean most likely: one is a value, many are a list, none is null.
pub(super) fn put_guess(bytes: &Bytes, out: &mut String) -> Result<()> {
    let mut r = Reader::new(bytes.clone());
    let mut fields = 0_usize;
    while r.left() > 0 {
        let tag = tag(&mut r)?;
        pass(tag, &mut r)?;
        fields += 1;
    }
    let mut r = Reader::new(bytes.clone());
    match fields {
        0 => out.push_str("null"),
        1 => put_guess_of_one(&mut r, out)?,
        _ => {
            let mut elements = Sequence::open('[', ']', out);
            for _ in 0..fields {
                elements.next(r.at(), out)?;
                put_guess_of_one(&mut r, out)?;
            }
            elements.close(out);
        }
    }
    Ok(())
}

fn put_guess_of_one(r: &mut Reader, out: &mut String) -> Result<()> {
    let tag = tag(r)?;
    match tag.wire {
        wire::VARINT => put_display(r.varint()?.cast_signed(), out),
        wire::FIXED_64 => put_f64(f64::from_le_bytes(r.array()?), out),
        wire::FIXED_32 => put_f32(f32::from_le_bytes(r.array()?), out),
        wire::LENGTH => {
            let (_, bytes) = message(tag, r, "value")?;
            match std::str::from_utf8(&bytes) {
                Ok(text) => put_string(text, out),
                Err(_) => put_bytes(&bytes, out),
            }
        }
        _ => {
            let start = r.at();
            pass(tag, r)?;
            put_bytes(&r.since(start), out);
        }
    }
    Ok(())
}
