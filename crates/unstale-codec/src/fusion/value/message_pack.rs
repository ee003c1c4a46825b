//! Values of MessagePack, which say themselves what they are.

use bytes::Bytes;

use super::{
    DEPTH_MAX, Sequence, Zone, name_since, put_bytes, put_date_time, put_display, put_f32, put_f64,
    put_string,
};
use crate::fusion::error::{DecodeErrorKind, error};
use crate::fusion::message_pack::{Token, Unpacker};
use crate::fusion::reader::Result;

/// The type of the extension that is a time.
const TIME: i8 = -1;

pub(super) fn put_all(value: Bytes, out: &mut String) -> Result<()> {
    let mut r = Unpacker::new(value);
    put(&mut r, DEPTH_MAX, out)?;
    r.reader.end()
}

fn put(r: &mut Unpacker, depth: usize, out: &mut String) -> Result<()> {
    let start = r.reader.at();
    let deeper = || depth.checked_sub(1).ok_or(error(start, DecodeErrorKind::TooDeep { limit: DEPTH_MAX }));
    match r.token()? {
        Token::Nil => out.push_str("null"),
        Token::Bool(value) => out.push_str(if value { "true" } else { "false" }),
        Token::Integer(number) => put_display(number, out),
        Token::F32(number) => put_f32(number, out),
        Token::F64(number) => put_f64(number, out),
        Token::Text(length) => put_string(r.reader.text("text", length)?.as_str(), out),
        Token::Bytes(length) => put_bytes(&r.reader.slice(length)?, out),
        Token::Extension { kind: TIME, length } => put_time(&r.reader.slice(length)?, start, out)?,
        Token::Extension { kind, length } => {
            out.push_str("{\"extension\":");
            put_display(kind, out);
            out.push_str(",\"bytes\":");
            put_bytes(&r.reader.slice(length)?, out);
            out.push('}');
        }
        Token::Array(count) => {
            let depth = deeper()?;
            let mut elements = Sequence::open('[', ']', out);
            for _ in 0..count {
                elements.next(r.reader.at(), out)?;
                put(r, depth, out)?;
            }
            elements.close(out);
        }
        Token::Map(count) => {
            let depth = deeper()?;
            let mut members = Sequence::open('{', '}', out);
            for _ in 0..count {
                members.next(r.reader.at(), out)?;
                let (at, name) = (r.reader.at(), out.len());
                put(r, depth, out)?;
                name_since(name, at, out)?;
                put(r, depth, out)?;
            }
            members.close(out);
        }
    }
    Ok(())
}

/// Seconds since 1970, with nanoseconds where there is room.
fn put_time(bytes: &[u8], at: usize, out: &mut String) -> Result<()> {
    let word = |range: std::ops::Range<usize>| {
        bytes[range].iter().fold(0_u64, |word, byte| word << 8 | u64::from(*byte))
    };
    let (seconds, nanoseconds) = match bytes.len() {
        4 => (word(0..4).cast_signed(), 0),
        8 => ((word(0..8) & 0x3_ffff_ffff).cast_signed(), word(0..8) >> 34),
        12 => (word(4..12).cast_signed(), word(0..4)),
        _ => return Err(error(at, DecodeErrorKind::Type("a time of neither 4, 8 nor 12 bytes"))),
    };
    let ticks = i128::from(seconds) * 10_000_000 + i128::from(nanoseconds / 100) + 621_355_968_000_000_000;
    let kind = DecodeErrorKind::OutOfRange { what: "time", value: ticks };
    put_date_time(i64::try_from(ticks).map_err(|_| error(at, kind))?, Zone::Utc, at, out)
}
