//! Why bytes are no message, and why a message cannot become bytes.

use thiserror::Error;
use unstale_core::NameError;

/// Bytes that are no message.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("at byte {offset}: {kind}")]
pub struct DecodeError {
    /// Where the part begins that is wrong, counted from the first byte of the message.
    pub offset: usize,
    /// What is wrong with it.
    pub kind: DecodeErrorKind,
}

/// What is wrong with some bytes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The message ends too early.
    #[error("the message ends {missing} bytes too early")]
    Truncated {
        /// How many bytes more this part needs at least.
        missing: usize,
    },
    /// The message is too long.
    #[error("a message of {bytes} bytes exceeds the limit of {limit}")]
    TooLarge {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// Not this format.
    #[error("first byte {0:#04x} is not of the native format")]
    Magic(u8),
    /// Another version of this format.
    #[error("version {0} of the native format is unknown")]
    Version(u8),
    /// A kind of message that this version does not know. To be counted and ignored.
    #[error("kind of message {0} is unknown")]
    Message(u8),
    /// A number longer than it need be, or beyond 64 bits.
    #[error("a number is longer than it need be or exceeds 64 bits")]
    Number,
    /// A number beyond what its field takes.
    #[error("{what} {value} exceeds the limit of {limit}")]
    TooGreat {
        /// The field.
        what: &'static str,
        /// Its value.
        value: u64,
        /// The greatest one.
        limit: u64,
    },
    /// More elements than the list may have, or than the rest of the message has room for.
    #[error("{count} {what} exceed the limit of {limit}")]
    TooMany {
        /// The elements.
        what: &'static str,
        /// How many the message claims.
        count: u64,
        /// The limit, or for how many there is room.
        limit: u64,
    },
    /// A value that its field does not have.
    #[error("{what} {value} is unknown")]
    Unknown {
        /// The field.
        what: &'static str,
        /// Its value.
        value: u64,
    },
    /// No name.
    #[error("{0}")]
    Name(NameError),
    /// A range of numbers that begins at 0 or goes beyond 64 bits.
    #[error("a range of numbers begins at 0 or exceeds 64 bits")]
    Range,
    /// The fields after the known ones are not in rising order of their tags.
    #[error("tag {0} of an unknown field is not greater than the one before")]
    Tag(u64),
}

pub(super) const fn decode_error(offset: usize, kind: DecodeErrorKind) -> DecodeError {
    DecodeError { offset, kind }
}

/// A message that this version of the format cannot carry.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The message would be too long.
    #[error("a message of {bytes} bytes exceeds the limit of {limit}")]
    TooLarge {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// A list has too many elements.
    #[error("{count} {what} exceed the limit of {limit}")]
    TooMany {
        /// The elements.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// The limit.
        limit: usize,
    },
    /// A text is too long.
    #[error("{what} of {bytes} bytes exceeds the limit of {limit}")]
    TooLong {
        /// The text.
        what: &'static str,
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// A range that begins at 0 or after its end.
    #[error("range {first} to {last} is none")]
    Range {
        /// Its first number.
        first: u64,
        /// Its last number.
        last: u64,
    },
    /// Unknown fields to be sent on that are no fields.
    #[error("unknown fields are malformed: {0}")]
    UnknownFields(DecodeError),
    /// A kind of message that this version does not know.
    #[error("this kind of message has no native form")]
    Message,
}
