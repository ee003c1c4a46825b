//! Session tokens: "at least as new as that write", to carry from node to node (P-36).

use std::fmt;
use std::str::FromStr;

use unstale_core::{Incarnation, ProcessId, Seq, Stream};

/// Names a write: a read that demands the token sees that write or something newer, on any node.
///
/// It travels as text ([`fmt::Display`], [`FromStr`]) of at most [`SessionToken::TEXT_BYTES_MAX`] bytes, which are safe
/// in an HTTP header: three groups of lower-case hexadecimal digits with dots between. A token says nothing about
/// time and holds no secret; a forged one costs a reader at most a short wait and a bypass.
///
/// ```
/// use unstale::SessionToken;
///
/// let text = "000102030405060708090a0b0c0d0e0f.1.2a";
/// let token: SessionToken = text.parse()?;
/// assert_eq!(token.to_string(), text);
/// # Ok::<(), unstale::SessionTokenError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionToken {
    stream: Stream,
    seq: Seq,
}

impl SessionToken {
    /// The most bytes that a token has as text.
    pub const TEXT_BYTES_MAX: usize = 32 + 1 + 8 + 1 + 16;

    pub(crate) const fn new(stream: Stream, seq: Seq) -> Self {
        Self { stream, seq }
    }

    /// The origin of the write.
    pub const fn stream(&self) -> Stream {
        self.stream
    }

    /// The write's number in its origin's stream; of a batch, the last one.
    pub const fn seq(&self) -> Seq {
        self.seq
    }

    /// The newer of two tokens of one origin; nothing if they come from different origins and both must be kept.
    #[must_use]
    pub fn merged(self, other: Self) -> Option<Self> {
        if self.stream != other.stream {
            return None;
        }
        Some(if self.seq >= other.seq { self } else { other })
    }
}

/// Why some text is no [`SessionToken`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionTokenError {
    /// Longer than any token.
    #[error("a session token of {0} bytes exceeds the limit of {max}", max = SessionToken::TEXT_BYTES_MAX)]
    TooLong(usize),
    /// Not three groups with two dots.
    #[error("a session token has three groups with dots between, not {0}")]
    Groups(usize),
    /// A group that is not the canonical form of its number.
    #[error("group {0} of a session token is not a lower-case hexadecimal number in its shortest form")]
    Number(usize),
}

impl fmt::Display for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stream { process, incarnation } = self.stream;
        write!(f, "{:032x}.{:x}.{:x}", process.0, incarnation.0, self.seq.0)
    }
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionToken({self})")
    }
}

impl FromStr for SessionToken {
    type Err = SessionTokenError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > Self::TEXT_BYTES_MAX {
            return Err(SessionTokenError::TooLong(text.len()));
        }
        let groups: Vec<&str> = text.split('.').collect();
        let [process, incarnation, seq] = groups[..] else {
            return Err(SessionTokenError::Groups(groups.len()));
        };
        if process.len() != 32 || !is_lower_hex(process) {
            return Err(SessionTokenError::Number(1));
        }
        let process = u128::from_str_radix(process, 16).map_err(|_| SessionTokenError::Number(1))?;
        let incarnation = shortest(incarnation).ok_or(SessionTokenError::Number(2))?;
        let incarnation = u32::try_from(incarnation).map_err(|_| SessionTokenError::Number(2))?;
        let seq = shortest(seq).ok_or(SessionTokenError::Number(3))?;
        let stream = Stream { process: ProcessId(process), incarnation: Incarnation(incarnation) };
        Ok(Self { stream, seq: Seq(seq) })
    }
}

fn is_lower_hex(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The number, if the text is the one way of writing it.
fn shortest(text: &str) -> Option<u64> {
    if !is_lower_hex(text) || (text.len() > 1 && text.starts_with('0')) {
        return None;
    }
    u64::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(process: u128, incarnation: u32, seq: u64) -> SessionToken {
        SessionToken::new(
            Stream { process: ProcessId(process), incarnation: Incarnation(incarnation) },
            Seq(seq),
        )
    }

    #[test]
    fn a_token_survives_the_way_through_a_header() {
        for token in [token(0, 0, 0), token(7, 1, 42), token(u128::MAX, u32::MAX, u64::MAX)] {
            let text = token.to_string();
            assert!(text.len() <= SessionToken::TEXT_BYTES_MAX && text.len() < 64);
            assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.'));
            assert_eq!(text.parse(), Ok(token));
        }
    }

    #[test]
    fn anything_but_the_canonical_text_is_refused_with_the_reason() {
        let process = "000102030405060708090a0b0c0d0e0f";
        let cases = [
            (String::new(), SessionTokenError::Groups(1)),
            ("a.b".to_owned(), SessionTokenError::Groups(2)),
            ("1.1.1".to_owned(), SessionTokenError::Number(1)),
            (format!("{}.1.1", process.to_uppercase()), SessionTokenError::Number(1)),
            (format!("+{}.1.1", &process[1..]), SessionTokenError::Number(1)),
            (format!("{process}.01.1"), SessionTokenError::Number(2)),
            (format!("{process}.1."), SessionTokenError::Number(3)),
            (format!("{process}.1.+1"), SessionTokenError::Number(3)),
            (format!("{process}.1.{}", "f".repeat(17)), SessionTokenError::Number(3)),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<SessionToken>(), Err(expected), "{text:?}");
        }
        assert_eq!("x".repeat(59).parse::<SessionToken>(), Err(SessionTokenError::TooLong(59)));
    }

    #[test]
    fn tokens_of_one_origin_merge_to_the_newer_one() {
        assert_eq!(token(1, 1, 3).merged(token(1, 1, 5)), Some(token(1, 1, 5)));
        assert_eq!(token(1, 1, 3).merged(token(1, 2, 5)), None);
    }
}
