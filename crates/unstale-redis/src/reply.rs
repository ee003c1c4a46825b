//! What a Redis says, RESP3: bytes to values, one whole value at a time.
//!
//! Nothing is allocated by a length that a server states: a value is built only once all of its bytes are there, and they
//! are bounded.

use std::fmt;

use bytes::{Buf, Bytes, BytesMut};

/// The most bytes of one value, everything in it included, unless less is said.
pub(crate) const VALUE_BYTES_MAX: usize = 128 << 20;
/// How deep values may be nested.
const DEPTH_MAX: usize = 8;
/// The longest line of a length, a number or an error.
const LINE_BYTES_MAX: usize = 64 << 10;

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// A line or a string.
    Text(Bytes),
    /// An error line.
    Error(String),
    Number(i64),
    Nothing,
    /// An array or a set; a map is a list of keys and values in turn.
    List(Vec<Value>),
    /// What comes unasked.
    Push(Vec<Value>),
}

/// What is no RESP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(&'static str);

impl Value {
    pub(crate) fn bytes(&self) -> Option<&Bytes> {
        if let Self::Text(bytes) = self { Some(bytes) } else { None }
    }

    /// The text, if it is one and UTF-8.
    pub(crate) fn text(&self) -> Option<&str> {
        self.bytes().and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    pub(crate) fn number(&self) -> Option<i64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }

    pub(crate) fn list(&self) -> &[Value] {
        if let Self::List(list) = self { list } else { &[] }
    }

    /// The value under `key` in a map.
    pub(crate) fn field(&self, key: &str) -> Option<&Value> {
        self.list().chunks_exact(2).find(|pair| pair[0].text() == Some(key)).map(|pair| &pair[1])
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed reply: {}", self.0)
    }
}

impl std::error::Error for Malformed {}

/// Takes the next value out of `buffer`, if it is all there; no value may have more than `bytes_max`.
pub(crate) fn decode(buffer: &mut BytesMut, bytes_max: usize) -> Result<Option<Value>, Malformed> {
    let Some(length) = measure(buffer, bytes_max)? else { return Ok(None) };
    let mut whole = buffer.split_to(length).freeze();
    build(&mut whole).map(Some)
}

/// How many bytes the next value takes, if they are all there.
fn measure(bytes: &[u8], bytes_max: usize) -> Result<Option<usize>, Malformed> {
    let mut at = 0;
    // How many values are still to come at each depth.
    let mut open = [0; DEPTH_MAX];
    open[0] = 1;
    let mut depth = 0;
    loop {
        if open[depth] == 0 {
            if depth == 0 {
                return Ok(Some(at));
            }
            depth -= 1;
            continue;
        }
        open[depth] -= 1;
        let Some(line) = line(&bytes[at..])? else { return Ok(None) };
        at += line.len() + 2;
        match shape(line)? {
            Shape::Line | Shape::Values(0) => {}
            Shape::Bytes(length) => at += length + 2,
            Shape::Values(count) => {
                depth += 1;
                *open.get_mut(depth).ok_or(Malformed("nested too deep"))? = count;
            }
        }
        if at > bytes_max {
            return Err(Malformed("a value that is too long"));
        }
        if at > bytes.len() {
            return Ok(None);
        }
    }
}

/// What follows a line.
enum Shape {
    Line,
    Bytes(usize),
    Values(u64),
}

fn shape(line: &[u8]) -> Result<Shape, Malformed> {
    let (kind, rest) = line.split_first().ok_or(Malformed("an empty line"))?;
    Ok(match kind {
        b'+' | b'-' | b'_' | b',' | b'#' | b'(' => Shape::Line,
        b':' => {
            number(rest)?;
            Shape::Line
        }
        b'$' | b'=' | b'!' => match number(rest)? {
            -1 => Shape::Line,
            length => Shape::Bytes(bounded(length)? as usize),
        },
        b'*' | b'~' | b'>' => match number(rest)? {
            -1 => Shape::Line,
            count => Shape::Values(bounded(count)?),
        },
        b'%' => Shape::Values(2 * bounded(number(rest)?)?),
        _ => return Err(Malformed("an unknown type")),
    })
}

fn bounded(number: i64) -> Result<u64, Malformed> {
    match u64::try_from(number) {
        Ok(number) if number <= VALUE_BYTES_MAX as u64 => Ok(number),
        _ => Err(Malformed("a length out of bounds")),
    }
}

/// The line at the beginning, without its end, if it is all there.
fn line(bytes: &[u8]) -> Result<Option<&[u8]>, Malformed> {
    let seen = &bytes[..bytes.len().min(LINE_BYTES_MAX)];
    match seen.iter().position(|byte| *byte == b'\r') {
        Some(end) if bytes.get(end + 1).is_some_and(|byte| *byte != b'\n') => {
            Err(Malformed("a line without its end"))
        }
        Some(end) if bytes.len() > end + 1 => Ok(Some(&bytes[..end])),
        None if seen.len() == LINE_BYTES_MAX => Err(Malformed("a line that is too long")),
        Some(_) | None => Ok(None),
    }
}

fn number(digits: &[u8]) -> Result<i64, Malformed> {
    let text = std::str::from_utf8(digits).map_err(|_| Malformed("a number that is none"))?;
    text.parse().map_err(|_| Malformed("a number that is none"))
}

/// Builds the value at the beginning of `bytes`, which is all there.
fn build(bytes: &mut Bytes) -> Result<Value, Malformed> {
    let end = line(bytes)?.ok_or(Malformed("a value that is cut"))?.len();
    let line = bytes.split_to(end);
    bytes.advance(2);
    let lossy = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
    Ok(match (shape(&line)?, line[0]) {
        (Shape::Line, b'+' | b',' | b'(') => Value::Text(line.slice(1..)),
        (Shape::Line, b'-') => Value::Error(lossy(&line.slice(1..))),
        (Shape::Line, b':') => Value::Number(number(&line[1..])?),
        (Shape::Line, b'#') => Value::Number(i64::from(&line[..] == b"#t")),
        (Shape::Line, _) => Value::Nothing,
        (Shape::Bytes(length), kind) => {
            if bytes.get(length..length + 2) != Some(b"\r\n") {
                return Err(Malformed("a string without its end"));
            }
            let text = bytes.split_to(length);
            bytes.advance(2);
            match kind {
                b'!' => Value::Error(lossy(&text)),
                // Three letters say what kind of text it is.
                b'=' => Value::Text(text.slice(text.len().min(4)..)),
                _ => Value::Text(text),
            }
        }
        (Shape::Values(count), kind) => {
            let mut values = Vec::new();
            for _ in 0..count {
                values.push(build(bytes)?);
            }
            if kind == b'>' { Value::Push(values) } else { Value::List(values) }
        }
    })
}

/// Writes a command: an array of strings.
pub(crate) fn encode(command: &[&[u8]], into: &mut BytesMut) {
    head(b'*', command.len(), into);
    for word in command {
        string(word, into);
    }
}

/// The beginning of an array of strings, `count` of which are written after it by [`string`].
pub(crate) fn head(kind: u8, count: usize, into: &mut BytesMut) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = count;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    into.extend_from_slice(&[kind]);
    into.extend_from_slice(&digits[at..]);
    into.extend_from_slice(b"\r\n");
}

/// A string of a command.
pub(crate) fn string(word: &[u8], into: &mut BytesMut) {
    head(b'$', word.len(), into);
    into.extend_from_slice(word);
    into.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
