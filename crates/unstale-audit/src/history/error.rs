//! Why bytes are no history.

use std::io;

use super::{KEY_BYTES_MAX, LABEL_BYTES_MAX, NUMBERS_MAX, RECORD_BYTES_MAX};

/// What is wrong with some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// The file begins with something else.
    #[error("not a history: it does not begin with `unstale`")]
    NoHistory,
    /// A version of the format that this program does not know.
    #[error("version {0} of the format is not known, version 1 is")]
    Version(u8),
    /// A record's length.
    #[error("a record of {0} bytes: it has to have 1 to {RECORD_BYTES_MAX}")]
    Length(u64),
    /// A record ends within a field.
    #[error("the record ends within its {0}")]
    Short(&'static str),
    /// A number that takes more than 64 bits, or more bytes than it needs.
    #[error("the {0} is no number of 64 bits in its shortest form")]
    Number(&'static str),
    /// A flag or a choice that this version does not name.
    #[error("the {0} is {1:#04x}, which version 1 does not know")]
    Choice(&'static str, u8),
    /// An instant beyond 64 bits.
    #[error("the {0} lies beyond the end of time")]
    Instant(&'static str),
    /// A name that is no UTF-8.
    #[error("the {0} is not text in UTF-8")]
    Text(&'static str),
    /// A name or a key that is too long.
    #[error("a {what} of {bytes} bytes: at most {} may be", if *.what == "key" { KEY_BYTES_MAX } else { LABEL_BYTES_MAX })]
    Long {
        /// Of what.
        what: &'static str,
        /// How many bytes it has.
        bytes: usize,
    },
    /// A number that stands for nothing.
    #[error("{what} {number} was not introduced; {known} were")]
    Undefined {
        /// Of what.
        what: &'static str,
        /// The number.
        number: u64,
        /// How many were introduced.
        known: u32,
    },
    /// More names than may have numbers.
    #[error("more than {NUMBERS_MAX} of {0} without a forget")]
    Many(&'static str),
    /// A record before anybody began.
    #[error("a record before the first begin")]
    NoBegin,
}

/// Why a history cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be read or written.
    #[error("at byte {offset}")]
    Io {
        /// Where.
        offset: u64,
        /// Why.
        source: io::Error,
    },
    /// Its bytes are wrong.
    #[error("at byte {offset}, record {record}: {flaw}")]
    Bad {
        /// Where the record begins.
        offset: u64,
        /// Which record, from 1.
        record: u64,
        /// Why.
        flaw: Flaw,
    },
}
