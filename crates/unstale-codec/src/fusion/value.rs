//! What the bytes of a value mean, as JSON: for eyes and tools, not for the cache.

mod json;
pub(super) mod memory_pack;
mod message_pack;
mod protobuf;

use std::fmt::Write as _;

use super::envelope::{Format, ValueForm};
use super::error::{DecodeError, DecodeErrorKind, error};
use super::json::{Escapes, put_text};
use super::ticks::Ticks;
use super::value_type::{Scalar, ValueType};

/// After so many bytes of JSON no element is added to it.
pub const VALUE_JSON_BYTES_MAX: usize = 64 << 20;

/// How deep a value of a format that describes itself may nest.
const DEPTH_MAX: usize = 64;

/// A value as one line of JSON.
///
/// Bytes become `{"base64": …}`, identifiers and times become text as .NET writes them, keys of maps become text; what JSON
/// has no number for (not a number, infinity) becomes text. JSON stays as it is but for blanks.
///
/// The type says what a value is that was left out (0, `false`, else `null`), and which texts in JSON are bytes where the
/// whole value is. Without it a protobuf value is guessed from how it is written: a number, a text where it is UTF-8, else
/// bytes. MemoryPack goes by the type of its format.
///
/// # Errors
/// Where and why the bytes are no value of that format and type, counted from the first byte of the value; a type that the
/// serializer does not write; more than 64 levels of MessagePack or 128 of JSON; JSON with half a surrogate or a number beyond a
/// double; more than [`VALUE_JSON_BYTES_MAX`] bytes of JSON, which otherwise has at most 20 bytes for a byte of the value and
/// what the type adds to each object. Never panics.
///
/// ```
/// use unstale_codec::fusion::{Format, ValueForm, value_json};
///
/// let value = ValueForm(vec![0x93, 1, 2, 0xcd, 0x01, 0x2c].into());
/// assert_eq!(value_json(&Format::MessagePack, None, &value)?, "[1,2,300]");
/// # Ok::<(), unstale_codec::fusion::DecodeError>(())
/// ```
pub fn value_json(
    format: &Format,
    value_type: Option<&ValueType>,
    value: &ValueForm,
) -> Result<String, DecodeError> {
    let bytes = &value.0;
    let mut out = String::new();
    match format {
        Format::MemoryPack(value_type) => memory_pack::put_all(value_type, bytes.clone(), &mut out)?,
        Format::ProtobufNet => match value_type {
            Some(value_type) => protobuf::put(value_type, bytes, super::protobuf::VALUE, &mut out)?,
            None => protobuf::put_guess(bytes, &mut out)?,
        },
        _ if bytes.is_empty() => put_default(value_type, &mut out),
        Format::SystemTextJson | Format::Newtonsoft => json::put(value_type, bytes, &mut out)?,
        Format::MessagePack => message_pack::put_all(bytes.clone(), &mut out)?,
    }
    Ok(out)
}

/// What a value is that was left out.
fn put_default(value_type: Option<&ValueType>, out: &mut String) {
    out.push_str(match value_type {
        Some(ValueType::Scalar(Scalar::Bool)) => "false",
        Some(ValueType::Scalar(Scalar::Guid)) => r#""00000000-0000-0000-0000-000000000000""#,
        Some(ValueType::Scalar(Scalar::DateTime)) => r#""0001-01-01T00:00:00""#,
        Some(ValueType::Scalar(_)) => "0",
        Some(_) | None => "null",
    });
}

/// Appends anything that has a decimal form. Memory takes every write.
fn put_display(number: impl std::fmt::Display, out: &mut String) {
    let _ = write!(out, "{number}");
}

fn put_string(text: &str, out: &mut String) {
    put_text(text, Escapes::Newtonsoft, out);
}

fn put_f64(number: f64, out: &mut String) {
    put_float(serde_json::to_string(&number), number, out);
}

fn put_f32(number: f32, out: &mut String) {
    put_float(serde_json::to_string(&number), number.into(), out);
}

/// The shortest digits that read back, whole numbers without a point.
fn put_float(digits: serde_json::Result<String>, number: f64, out: &mut String) {
    match digits {
        Ok(digits) if number.is_finite() => {
            // -0.0 keeps its point: JSON's -0 is an integer, which has no sign.
            let whole = digits.strip_suffix(".0").filter(|_| number != 0.0 || number.is_sign_positive());
            out.push_str(whole.unwrap_or(&digits));
        }
        _ if number.is_nan() => out.push_str("\"NaN\""),
        _ => out.push_str(if number > 0.0 { "\"Infinity\"" } else { "\"-Infinity\"" }),
    }
}

/// An identifier: three numbers as they lie in memory, then eight bytes.
fn put_guid(bytes: [u8; 16], out: &mut String) {
    const ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    out.push('"');
    for (index, byte) in ORDER.into_iter().map(|place| bytes[place]).enumerate() {
        let dash = if matches!(index, 4 | 6 | 8 | 10) { "-" } else { "" };
        let _ = write!(out, "{dash}{byte:02x}");
    }
    out.push('"');
}

/// Whether a time says that it is UTC.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Zone {
    Utc,
    Unsaid,
}

/// A time; `at` is where it stands.
fn put_date_time(ticks: i64, zone: Zone, at: usize, out: &mut String) -> Result<(), DecodeError> {
    let kind = DecodeErrorKind::OutOfRange { what: "time", value: ticks.into() };
    let text = Ticks(ticks).date_time().ok_or(error(at, kind))?;
    let zone = if zone == Zone::Utc { "Z" } else { "" };
    let _ = write!(out, "\"{text}{zone}\"");
    Ok(())
}

fn put_bytes(bytes: &[u8], out: &mut String) {
    out.push_str("{\"base64\":\"");
    put_base64(bytes, out);
    out.push_str("\"}");
}

fn put_base64(bytes: &[u8], out: &mut String) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for group in bytes.chunks(3) {
        let byte = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let shown = digit <= group.len();
            let index = (bits >> (18 - 6 * digit)) as usize & 63;
            out.push(if shown { DIGITS[index].into() } else { '=' });
        }
    }
}

/// What was appended to `out` since `start` as the name of a member: numbers in quotes, texts as they are.
fn name_since(start: usize, at: usize, out: &mut String) -> Result<(), DecodeError> {
    match out.as_bytes().get(start) {
        Some(b'"') => {}
        Some(b'{' | b'[') | None => {
            return Err(error(at, DecodeErrorKind::Type("a key that is no text and no number")));
        }
        Some(_) => {
            out.insert(start, '"');
            out.push('"');
        }
    }
    out.push(':');
    Ok(())
}

/// Elements between brackets, with commas.
struct Sequence {
    close: char,
    first: bool,
}

impl Sequence {
    fn open(open: char, close: char, out: &mut String) -> Self {
        out.push(open);
        Self { close, first: true }
    }

    /// Makes room for an element, which begins at `at`.
    fn next(&mut self, at: usize, out: &mut String) -> Result<(), DecodeError> {
        if out.len() > VALUE_JSON_BYTES_MAX {
            let kind = DecodeErrorKind::TooLarge { bytes: out.len(), limit: VALUE_JSON_BYTES_MAX };
            return Err(error(at, kind));
        }
        if !std::mem::take(&mut self.first) {
            out.push(',');
        }
        Ok(())
    }

    fn close(self, out: &mut String) {
        out.push(self.close);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(put: impl FnOnce(&mut String)) -> String {
        let mut out = String::new();
        put(&mut out);
        out
    }

    #[test]
    fn bytes_are_base64_of_any_length() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(shown(|out| put_base64(bytes.as_bytes(), out)), text);
        }
        assert_eq!(shown(|out| put_base64(&[0xfb, 0xff, 0xfe], out)), "+//+");
    }

    #[test]
    fn floating_point_is_short_and_always_json() {
        for (number, text) in [
            (0.0, "0"),
            (-0.0, "-0.0"),
            (12.5, "12.5"),
            (3.0, "3"),
            (1e300, "1e+300"),
            (f64::NAN, "\"NaN\""),
            (f64::NEG_INFINITY, "\"-Infinity\""),
        ] {
            let shown = shown(|out| put_f64(number, out));
            assert_eq!(shown, text);
            assert!(serde_json::from_str::<serde_json::Value>(&shown).is_ok());
        }
        assert_eq!(shown(|out| put_f32(0.1, out)), "0.1");
    }
}
