//! What the second level keeps of an entry: `FusionCacheDistributedEntry` of .NET.

use bytes::{Bytes, BytesMut};

use super::error::{DecodeError, DecodeErrorKind, EncodeError, error};
use super::text::Text;
use super::ticks::Ticks;
use super::value_type::ValueType;
use super::{json, memory_pack, message_pack, protobuf};

/// The longest envelope that is read or written, in bytes: what Redis takes as one value.
pub const ENVELOPE_BYTES_MAX: usize = 512 << 20;

/// The most tags of an entry that are read or written.
pub const TAGS_MAX: usize = 4_096;

/// The serializers of .NET whose envelopes are read and written. Nothing in an envelope says which one wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// System.Text.Json.
    SystemTextJson,
    /// Newtonsoft.Json.
    Newtonsoft,
    /// MessagePack for C#, contractless.
    MessagePack,
    /// MemoryPack, which tells a value's end only to who knows its type.
    MemoryPack(ValueType),
    /// protobuf-net.
    ProtobufNet,
}

/// The bytes of a value as its serializer wrote them into the envelope; empty where the envelope leaves the value out.
///
/// | format | bytes | left out |
/// |---|---|---|
/// | System.Text.Json | the JSON text | not by .NET; written as `null` |
/// | Newtonsoft.Json | the JSON text | the default of its type: `null`, 0, `false` |
/// | MessagePack | the MessagePack | not by .NET; written as nil |
/// | MemoryPack | the MemoryPack | never |
/// | protobuf-net | all fields with number 1, each with its tag: a list has many, null none | null, an empty list |
///
/// The codec takes them through and never looks into them; what they mean is the affair of the value's own serialiser.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ValueForm(pub Bytes);

/// An entry of the second level.
///
/// ```
/// use bytes::BytesMut;
/// use unstale_codec::fusion::{Envelope, Format, Ticks, ValueForm};
///
/// let timestamp = Ticks(639_028_224_010_000_000);
/// let envelope = Envelope {
///     value: ValueForm(r#""bar""#.into()),
///     timestamp,
///     logical_expiration: timestamp.plus(std::time::Duration::from_secs(30)),
///     tags: None,
///     metadata: None,
/// };
/// let mut bytes = BytesMut::new();
/// envelope.encode(&Format::Newtonsoft, &mut bytes)?;
/// assert_eq!(bytes, r#"{"v":"bar","t":639028224010000000,"l":639028224310000000}"#);
/// assert_eq!(Envelope::decode(&Format::Newtonsoft, bytes.freeze())?, envelope);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// The value's bytes.
    pub value: ValueForm,
    /// When the value was made; the backplane's message has the same.
    pub timestamp: Ticks,
    /// Until when it is fresh. Fail-safe keeps it longer, in the hash's own expiration.
    pub logical_expiration: Ticks,
    /// Its tags. `None` and none at all mean the same and have other bytes.
    pub tags: Option<Vec<Text>>,
    /// What only some entries have.
    pub metadata: Option<Metadata>,
}

/// What only some entries have. .NET writes it where fail-safe, eager refresh, a size, a priority or a validator is used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Whether it is a stale value that fail-safe made fresh for a while.
    pub is_stale: bool,
    /// From when on a hit refreshes it.
    pub eager_expiration: Option<Ticks>,
    /// The validator for conditional refresh.
    pub etag: Option<Text>,
    /// When the authority last changed the value.
    pub last_modified: Option<Ticks>,
    /// Its size for .NET's memory cache, in the user's units.
    pub size: Option<i64>,
    /// Its priority in .NET's memory cache: 0 low, 2 high, 3 never removed; normal (1) is written as none.
    pub priority: Option<u8>,
}

impl Envelope {
    /// The envelope that `bytes` are. The value, and texts without escapes, are slices of `bytes`.
    ///
    /// What this version does not know is skipped: JSON properties, MessagePack keys, protobuf fields. What is missing has
    /// its default, as .NET has it. Of what occurs twice the last counts. MemoryPack has exactly the fields that it has.
    ///
    /// # Errors
    /// Where and why the bytes are no envelope of that format; nothing may follow its end. Never panics. Allocates nothing for
    /// lengths that the bytes only claim, at most 64 bytes of memory for a byte of the envelope beside it, and for at most
    /// [`TAGS_MAX`] tags.
    pub fn decode(format: &Format, bytes: Bytes) -> Result<Self, DecodeError> {
        if bytes.is_empty() {
            return Err(error(0, DecodeErrorKind::Empty("envelope")));
        }
        if bytes.len() > ENVELOPE_BYTES_MAX {
            let kind = DecodeErrorKind::TooLarge { bytes: bytes.len(), limit: ENVELOPE_BYTES_MAX };
            return Err(error(ENVELOPE_BYTES_MAX, kind));
        }
        match format {
            Format::SystemTextJson => json::decode(&json::SYSTEM_TEXT_JSON, &bytes),
            Format::Newtonsoft => json::decode(&json::NEWTONSOFT, &bytes),
            Format::MessagePack => message_pack::decode(bytes),
            Format::MemoryPack(value_type) => memory_pack::decode(value_type, bytes),
            Format::ProtobufNet => protobuf::decode(bytes),
        }
    }

    /// Appends the envelope to `out`, in the bytes that .NET writes for it.
    ///
    /// # Errors
    /// More than [`TAGS_MAX`] tags, more than [`ENVELOPE_BYTES_MAX`] bytes, or MemoryPack without a value. Nothing is appended
    /// then.
    pub fn encode(&self, format: &Format, out: &mut BytesMut) -> Result<(), EncodeError> {
        let count = self.tags.as_ref().map_or(0, Vec::len);
        if count > TAGS_MAX {
            return Err(EncodeError::TooMany { what: "tags", count, limit: TAGS_MAX });
        }
        if self.value.0.is_empty() && matches!(format, Format::MemoryPack(_)) {
            return Err(EncodeError::NoValue);
        }
        let start = out.len();
        match format {
            Format::SystemTextJson => json::encode_system_text_json(self, out),
            Format::Newtonsoft => json::encode_newtonsoft(self, out),
            Format::MessagePack => message_pack::encode(self, out),
            Format::MemoryPack(_) => memory_pack::encode(self, out),
            Format::ProtobufNet => protobuf::encode(self, out),
        }
        let bytes = out.len() - start;
        if bytes > ENVELOPE_BYTES_MAX {
            out.truncate(start);
            return Err(EncodeError::TooLong { what: "envelope", bytes, limit: ENVELOPE_BYTES_MAX });
        }
        Ok(())
    }
}
