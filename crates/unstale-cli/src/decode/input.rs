//! Lines of any length, of which no more is kept than is read.

use std::io::{self, BufRead};

/// The longest line that is read, in characters: 8 MiB of bytes.
pub(super) const LINE_BYTES_MAX: usize = 16 << 20;

/// A line, without its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// What stands in it.
    Text(&'a [u8]),
    /// It is longer than [`LINE_BYTES_MAX`]; it was passed over.
    TooLong,
}

/// The next line, in `buffer`; nothing after the last. The last one need not be ended.
pub(super) fn next_line<'a>(
    input: &mut impl BufRead,
    buffer: &'a mut Vec<u8>,
) -> io::Result<Option<Line<'a>>> {
    buffer.clear();
    let mut is_too_long = false;
    let mut is_begun = false;
    loop {
        let available = match input.fill_buf() {
            Ok(available) => available,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if available.is_empty() {
            break;
        }
        is_begun = true;
        let end = available.iter().position(|byte| *byte == b'\n');
        let part = &available[..end.unwrap_or(available.len())];
        let room = LINE_BYTES_MAX - buffer.len();
        is_too_long |= part.len() > room;
        buffer.extend_from_slice(&part[..part.len().min(room)]);
        let consumed = end.map_or(available.len(), |end| end + 1);
        input.consume(consumed);
        if end.is_some() {
            break;
        }
    }
    Ok(match (is_begun, is_too_long) {
        (false, _) => None,
        (true, true) => Some(Line::TooLong),
        (true, false) => Some(Line::Text(buffer)),
    })
}
