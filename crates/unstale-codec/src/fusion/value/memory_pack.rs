//! Values of MemoryPack, which only their type explains.

use bytes::Bytes;

use super::{
    Sequence, Zone, name_since, put_bytes, put_date_time, put_display, put_f32, put_f64, put_guid, put_string,
};
use crate::fusion::error::{DecodeErrorKind, error};
use crate::fusion::memory_pack::{NULL, count, flag, text};
use crate::fusion::reader::{Reader, Result};
use crate::fusion::value_type::{Scalar, ValueType};

/// How a value lies in memory, if it is written as it lies there.
#[derive(Clone, Copy)]
struct Layout {
    size: u64,
    /// To what it is aligned in something larger; unknown where .NET may choose.
    align: Option<u64>,
}

impl Layout {
    const fn of(scalar: Scalar) -> Self {
        let size = match scalar {
            Scalar::Bool | Scalar::I8 | Scalar::U8 => 1,
            Scalar::I16 | Scalar::U16 => 2,
            Scalar::I32 | Scalar::U32 | Scalar::F32 => 4,
            Scalar::I64 | Scalar::U64 | Scalar::F64 => 8,
            Scalar::Guid => return Self { size: 16, align: Some(4) },
            Scalar::DateTime => return Self { size: 8, align: None },
        };
        Self { size, align: Some(size) }
    }

    /// Where `self` begins behind `before` bytes.
    fn behind(self, before: u64, at: usize) -> Result<u64> {
        let kind = DecodeErrorKind::Type("MemoryPack: how a datetime lies in something larger is up to .NET");
        self.align.map(|align| before.next_multiple_of(align)).ok_or(error(at, kind))
    }
}

/// The layout of what is written as it lies in memory; nothing for the rest.
fn layout(value_type: &ValueType, at: usize) -> Result<Option<Layout>> {
    Ok(match value_type {
        ValueType::Scalar(scalar) => Some(Layout::of(*scalar)),
        ValueType::Nullable(inner) => match layout(inner, at)? {
            Some(inner) => Some(Layout { size: inner.behind(1, at)? + inner.size, align: inner.align }),
            None => None,
        },
        ValueType::Text
        | ValueType::Bytes
        | ValueType::List(_)
        | ValueType::Map(..)
        | ValueType::Object(_) => None,
    })
}

/// Where the value of a pair begins and how long the pair is, if both lie in it as in memory.
fn pair(key: &ValueType, value: &ValueType, at: usize) -> Result<Option<(u64, u64)>> {
    let (Some(key), Some(value)) = (layout(key, at)?, layout(value, at)?) else { return Ok(None) };
    let begin = value.behind(key.size, at)?;
    let end = key.behind(begin + value.size, at)?;
    Ok(Some((begin, value.behind(end, at)?)))
}

/// Passes over a value without looking into it.
pub(in crate::fusion) fn pass(value_type: &ValueType, r: &mut Reader) -> Result<()> {
    if let Some(Layout { size, .. }) = layout(value_type, r.at())? {
        return r.advance(size).map(drop);
    }
    match value_type {
        ValueType::Nullable(inner) => pass(inner, r),
        ValueType::Text => pass_text(r),
        ValueType::Bytes => {
            let bytes = count(r, "bytes", 1)?.unwrap_or(0);
            r.advance(bytes).map(drop)
        }
        ValueType::List(element) => {
            let size = layout(element, r.at())?.map(|layout| layout.size);
            let count = count(r, "elements", size.unwrap_or(1))?.unwrap_or(0);
            match size {
                Some(size) => r.advance(count * size).map(drop),
                None => (0..count).try_for_each(|_| pass(element, r)),
            }
        }
        ValueType::Map(key, value) => {
            let pair = pair(key, value, r.at())?;
            let count = count(r, "pairs", pair.map_or(2, |(_, size)| size))?.unwrap_or(0);
            match pair {
                Some((_, size)) => r.advance(count * size).map(drop),
                None => (0..count).try_for_each(|_| pass(key, r).and_then(|()| pass(value, r))),
            }
        }
        ValueType::Object(members) => {
            if object(members.len(), r)? {
                members.iter().try_for_each(|(_, member)| pass(member, r))?;
            }
            Ok(())
        }
        // It has a layout.
        ValueType::Scalar(_) => Ok(()),
    }
}

fn pass_text(r: &mut Reader) -> Result<()> {
    let length = r.i32()?;
    let bytes = match length {
        -1 | 0 => 0,
        1.. => u64::from(length.unsigned_abs()) * 2,
        _ => 4 + u64::from((!length).unsigned_abs()),
    };
    r.advance(bytes).map(drop)
}

/// The byte before an object's members: whether there is one, which must have as many as its type.
fn object(members: usize, r: &mut Reader) -> Result<bool> {
    let start = r.at();
    match r.byte()? {
        NULL => Ok(false),
        found if usize::from(found) == members => Ok(true),
        found => Err(error(start, DecodeErrorKind::Unexpected { what: "object", found })),
    }
}

pub(super) fn put_all(value_type: &ValueType, value: Bytes, out: &mut String) -> Result<()> {
    let mut r = Reader::new(value);
    put(value_type, &mut r, out)?;
    r.end()
}

fn put(value_type: &ValueType, r: &mut Reader, out: &mut String) -> Result<()> {
    match value_type {
        ValueType::Scalar(scalar) => put_scalar(*scalar, r, out)?,
        ValueType::Text => match text(r, "text")? {
            Some(text) => put_string(text.as_str(), out),
            None => out.push_str("null"),
        },
        ValueType::Bytes => match count(r, "bytes", 1)? {
            Some(count) => put_bytes(&r.slice(count)?, out),
            None => out.push_str("null"),
        },
        ValueType::Nullable(inner) => put_nullable(inner, r, out)?,
        ValueType::List(element) => match count(r, "elements", 1)? {
            Some(count) => put_list(element, count, r, out)?,
            None => out.push_str("null"),
        },
        ValueType::Map(key, value) => match count(r, "pairs", 2)? {
            Some(count) => put_map(key, value, count, r, out)?,
            None => out.push_str("null"),
        },
        ValueType::Object(members) if object(members.len(), r)? => {
            let mut shown = Sequence::open('{', '}', out);
            for (name, member) in members {
                shown.next(r.at(), out)?;
                put_string(name, out);
                out.push(':');
                put(member, r, out)?;
            }
            shown.close(out);
        }
        ValueType::Object(_) => out.push_str("null"),
    }
    Ok(())
}

fn put_scalar(scalar: Scalar, r: &mut Reader, out: &mut String) -> Result<()> {
    match scalar {
        Scalar::Bool => out.push_str(if flag(r, "bool")? { "true" } else { "false" }),
        Scalar::I8 => put_display(r.array().map(i8::from_le_bytes)?, out),
        Scalar::I16 => put_display(r.array().map(i16::from_le_bytes)?, out),
        Scalar::I32 => put_display(r.i32()?, out),
        Scalar::I64 => put_display(r.i64()?, out),
        Scalar::U8 => put_display(r.byte()?, out),
        Scalar::U16 => put_display(r.array().map(u16::from_le_bytes)?, out),
        Scalar::U32 => put_display(r.array().map(u32::from_le_bytes)?, out),
        Scalar::U64 => put_display(r.array().map(u64::from_le_bytes)?, out),
        Scalar::F32 => put_f32(r.array().map(f32::from_le_bytes)?, out),
        Scalar::F64 => put_f64(r.array().map(f64::from_le_bytes)?, out),
        Scalar::Guid => put_guid(r.array()?, out),
        Scalar::DateTime => {
            let at = r.at();
            // The upper two bits say of which kind it is.
            let bits = r.array().map(u64::from_le_bytes)?;
            let zone = if bits >> 62 == 1 { Zone::Utc } else { Zone::Unsaid };
            put_date_time((bits & (u64::MAX >> 2)).cast_signed(), zone, at, out)?;
        }
    }
    Ok(())
}

/// Of what is written as it lies in memory a flag stands before it, in as much room as it is aligned to.
fn put_nullable(inner: &ValueType, r: &mut Reader, out: &mut String) -> Result<()> {
    let at = r.at();
    let Some(layout) = layout(inner, at)? else { return put(inner, r, out) };
    let begin = layout.behind(1, at)?;
    if flag(r, "presence")? {
        r.advance(begin - 1)?;
        return put(inner, r, out);
    }
    r.advance(begin - 1 + layout.size)?;
    out.push_str("null");
    Ok(())
}

fn put_list(element: &ValueType, count: u64, r: &mut Reader, out: &mut String) -> Result<()> {
    let mut elements = Sequence::open('[', ']', out);
    for _ in 0..count {
        elements.next(r.at(), out)?;
        put(element, r, out)?;
    }
    elements.close(out);
    Ok(())
}

fn put_map(key: &ValueType, value: &ValueType, count: u64, r: &mut Reader, out: &mut String) -> Result<()> {
    let pair = pair(key, value, r.at())?;
    let mut members = Sequence::open('{', '}', out);
    for _ in 0..count {
        members.next(r.at(), out)?;
        let (at, name) = (r.at(), out.len());
        put(key, r, out)?;
        name_since(name, at, out)?;
        if let Some((begin, _)) = pair {
            r.advance(begin - (r.at() - at) as u64)?;
        }
        put(value, r, out)?;
        if let Some((_, size)) = pair {
            r.advance(size - (r.at() - at) as u64)?;
        }
    }
    members.close(out);
    Ok(())
}
