//! Why bytes are nothing of FusionCache's, and why something has no bytes.

use thiserror::Error;

/// Bytes that are no message, no envelope or no value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("at byte {offset}: {kind}")]
pub struct DecodeError {
    /// Where the part begins that is wrong, counted from the first of the bytes that were given.
    pub offset: usize,
    /// What is wrong with it.
    pub kind: DecodeErrorKind,
}

/// What is wrong with some bytes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The bytes end too early.
    #[error("the bytes end {missing} too early")]
    Truncated {
        /// How many bytes more this part needs at least.
        missing: u64,
    },
    /// There is more after the end.
    #[error("{0} bytes follow the end")]
    Trailing(usize),
    /// More bytes than are read.
    #[error("{bytes} bytes exceed the limit of {limit}")]
    TooLarge {
        /// How many there are.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// More elements than are read.
    #[error("{count} {what} exceed the limit of {limit}")]
    TooMany {
        /// The elements.
        what: &'static str,
        /// How many there are at least.
        count: u64,
        /// The limit.
        limit: u64,
    },
    /// Nested deeper than is read.
    #[error("nested deeper than {limit} levels")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// Another version of the backplane's message.
    #[error("version {0} of a backplane message is unknown")]
    Version(u8),
    /// A length or a count below zero.
    #[error("{what} of {value}")]
    Length {
        /// Whose.
        what: &'static str,
        /// The length.
        value: i32,
    },
    /// Nothing where something must be.
    #[error("{0} is empty")]
    Empty(&'static str),
    /// A timestamp that no message has.
    #[error("timestamp {0} is not after the year 1")]
    Timestamp(i64),
    /// An action that is none.
    #[error("action {0} is unknown")]
    Action(u8),
    /// Text that is no UTF-8.
    #[error("{0} is not UTF-8")]
    NotUtf8(&'static str),
    /// Not the JSON of an envelope; what is wrong with it, in words.
    #[error("{0}")]
    Json(Box<str>),
    /// Something else than what must be there.
    #[error("{what} begins with {found:#04x}")]
    Unexpected {
        /// What must be there.
        what: &'static str,
        /// The byte that is there.
        found: u8,
    },
    /// A number beyond what its field takes.
    #[error("{what} {value} is out of range")]
    OutOfRange {
        /// The field.
        what: &'static str,
        /// The number.
        value: i128,
    },
    /// A varint of more than 64 bits.
    #[error("a varint exceeds 64 bits")]
    Varint,
    /// Text that is no decimal number.
    #[error("{0} is no decimal number")]
    Decimal(&'static str),
    /// A type that this serializer does not write, or whose bytes depend on the runtime.
    #[error("{0}")]
    Type(&'static str),
}

pub(super) const fn error(offset: usize, kind: DecodeErrorKind) -> DecodeError {
    DecodeError { offset, kind }
}

impl DecodeError {
    /// The same error of bytes that begin `by` bytes into others.
    pub(super) fn shifted(mut self, by: usize) -> Self {
        self.offset += by;
        self
    }
}

/// Something that .NET nodes would not take, or that has no bytes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// Nothing where something must be.
    #[error("{0} is empty")]
    Empty(&'static str),
    /// A timestamp that .NET nodes ignore.
    #[error("timestamp {0} is not after the year 1")]
    Timestamp(i64),
    /// Longer than is written.
    #[error("{what} of {bytes} bytes exceeds the limit of {limit}")]
    TooLong {
        /// What.
        what: &'static str,
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// More elements than are written.
    #[error("{count} {what} exceed the limit of {limit}")]
    TooMany {
        /// The elements.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// The limit.
        limit: usize,
    },
    /// A value that is left out, of a serializer that leaves out none.
    #[error("MemoryPack leaves no value out")]
    NoValue,
}
