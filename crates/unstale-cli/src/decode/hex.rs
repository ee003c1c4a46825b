//! Bytes from hexadecimal digits, and digits from bytes.

use super::Refused;

/// The bytes that pairs of digits are; blanks between digits say nothing.
pub(crate) fn bytes(text: &[u8]) -> Result<Vec<u8>, Refused> {
    let mut bytes = Vec::with_capacity(text.len() / 2);
    let mut high = None;
    for (offset, sign) in text.iter().enumerate() {
        if sign.is_ascii_whitespace() {
            continue;
        }
        let Some(digit) = char::from(*sign).to_digit(16) else {
            let error = if sign.is_ascii_graphic() {
                format!("`{}` is no hexadecimal digit", char::from(*sign))
            } else {
                format!("byte {sign:#04x} is no hexadecimal digit")
            };
            return Err(Refused { error, offset });
        };
        match high.take() {
            None => high = Some(digit as u8),
            Some(high) => bytes.push(high << 4 | digit as u8),
        }
    }
    match high {
        None => Ok(bytes),
        Some(_) => {
            Err(Refused { error: "an odd number of hexadecimal digits".to_owned(), offset: text.len() })
        }
    }
}

/// Two digits for each byte.
pub(crate) fn digits(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0x0f)]).collect()
}
