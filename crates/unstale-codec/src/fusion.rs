//! The bytes of FusionCache v2, the cache of .NET: its backplane, its names, its entries in Redis. See docs/formats/fusion.md.
//!
//! A node that speaks this shares one Redis with .NET nodes:
//! - [`BackplaneMessage`] is what they publish; [`extension`] is what ours say behind it.
//! - [`Names`] makes channels, keys and marks, and takes keys apart.
//! - [`Stored`] is the hash of an entry in Redis, [`Envelope`] what stands in it, in the bytes of one of five serializers
//!   ([`Format`]); the value's own bytes are taken through as they are ([`ValueForm`]).
//! - [`Mark`] is an entry that expires or removes others by tag or all.
//! - [`value_json`] tells people what a value's bytes mean.
//!
//! Nothing here has a clock: [`Ticks`] are arguments. Whatever the bytes, a decoder gives a result or an error with its offset.

mod backplane;
mod envelope;
mod error;
mod extension;
mod json;
mod mark;
mod memory_pack;
mod message_pack;
mod names;
mod protobuf;
mod reader;
mod stored;
mod strings;
mod text;
mod ticks;
mod value;
mod value_type;

pub use backplane::{Action, BackplaneMessage, MESSAGE_BYTES_MAX};
pub use envelope::{ENVELOPE_BYTES_MAX, Envelope, Format, Metadata, TAGS_MAX, ValueForm};
pub use error::{DecodeError, DecodeErrorKind, EncodeError};
pub use extension::{EXTENSION_BYTES_MAX, EXTENSION_MAGIC, extension, put_extension};
pub use mark::{MARK_FRESH, MARK_KEPT, Mark};
pub use names::{KeyModifier, Names, Subject};
pub use stored::{STORED_FIELDS, Stored, absolute_expiration};
pub use strings::InternalStrings;
pub use text::Text;
pub use ticks::Ticks;
pub use value::{VALUE_JSON_BYTES_MAX, value_json};
pub use value_type::{Scalar, TypeError, ValueType};
