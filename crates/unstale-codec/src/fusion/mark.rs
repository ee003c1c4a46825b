//! Marks of tags and of clears: entries of the second level whose value is a timestamp.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::envelope::{Envelope, Format, Metadata, ValueForm};
use super::error::{DecodeError, DecodeErrorKind, error};
use super::ticks::Ticks;
use super::value_type::{Scalar, ValueType};
use super::{json, message_pack, protobuf};

/// How long .NET nodes take a mark for fresh.
pub const MARK_FRESH: Duration = Duration::from_secs(86_400);

/// How long .NET nodes keep a mark in the second level. Entries that live longer come to life again after that.
pub const MARK_KEPT: Duration = Duration::from_secs(10 * 86_400);

/// A mark: entries with its tag (or all, for a clear) written at `value` or before are expired or removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark {
    /// Up to when.
    pub value: Ticks,
    /// When the mark was written, which is a little later. The backplane's message has `value` and receivers go by that.
    pub timestamp: Ticks,
}

impl Mark {
    /// The envelope of the mark, as .NET nodes write it. Its bytes need [`Mark::format`].
    ///
    /// ```
    /// use unstale_codec::fusion::{Envelope, Format, Mark, Ticks};
    ///
    /// let mark = Mark { value: Ticks(639_028_224_010_000_000), timestamp: Ticks(639_028_224_010_000_057) };
    /// let format = Mark::format(&Format::MessagePack);
    /// let mut bytes = Default::default();
    /// mark.envelope(&format).encode(&format, &mut bytes)?;
    /// assert_eq!(Mark::of(&format, &Envelope::decode(&format, bytes.freeze())?)?, mark);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn envelope(self, format: &Format) -> Envelope {
        let metadata = Metadata { size: Some(0), priority: Some(3), ..Metadata::default() };
        Envelope {
            value: ValueForm(form(format, self.value.0)),
            timestamp: self.timestamp,
            logical_expiration: self.timestamp.plus(MARK_FRESH),
            tags: None,
            metadata: Some(metadata),
        }
    }

    /// The mark that an envelope holds.
    ///
    /// # Errors
    /// A value that is no integer; the offset is within the value's bytes. A value that is left out is 0.
    pub fn of(format: &Format, envelope: &Envelope) -> Result<Self, DecodeError> {
        let value = Ticks(number(format, &envelope.value.0)?);
        Ok(Self { value, timestamp: envelope.timestamp })
    }

    /// The format of marks in a cache whose entries have `format`.
    pub fn format(format: &Format) -> Format {
        match format {
            Format::MemoryPack(_) => Format::MemoryPack(ValueType::Scalar(Scalar::I64)),
            Format::SystemTextJson | Format::Newtonsoft | Format::MessagePack | Format::ProtobufNet => {
                format.clone()
            }
        }
    }
}

fn form(format: &Format, value: i64) -> Bytes {
    let mut out = BytesMut::new();
    match format {
        // The default of a type is left out.
        Format::Newtonsoft if value == 0 => {}
        Format::SystemTextJson | Format::Newtonsoft => json::put_number(value, &mut out),
        Format::MessagePack => message_pack::put_number(value, &mut out),
        Format::MemoryPack(_) => out.extend_from_slice(&value.to_le_bytes()),
        Format::ProtobufNet => protobuf::put_number(protobuf::VALUE, value, &mut out),
    }
    out.freeze()
}

fn number(format: &Format, value: &Bytes) -> Result<i64, DecodeError> {
    if value.is_empty() {
        return Ok(0);
    }
    match format {
        Format::SystemTextJson | Format::Newtonsoft => json::number(value),
        Format::MessagePack => message_pack::number(value.clone()),
        Format::MemoryPack(_) => {
            let bytes = value.as_ref().try_into();
            bytes.map(i64::from_le_bytes).map_err(|_| error(0, DecodeErrorKind::Type("no i64 of 8 bytes")))
        }
        Format::ProtobufNet => protobuf::number(value.clone()),
    }
}
