//! The backplane's message.

use bytes::{BufMut, Bytes, BytesMut};

use super::error::{DecodeError, DecodeErrorKind, EncodeError, error};
use super::reader::Reader;
use super::text::Text;
use super::ticks::Ticks;

/// The longest message that is read or written, in bytes, with what follows the key.
pub const MESSAGE_BYTES_MAX: usize = 4 << 20;

/// The one version of the message that there is.
const VERSION: u8 = 0;

/// What happened to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// It was written to the second level; marks of tags and of clears travel as this, too.
    Set = 1,
    /// It was removed.
    Remove = 2,
    /// It was expired: may still be served by fail-safe.
    Expire = 3,
}

impl Action {
    /// The name that .NET has for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Set => "EntrySet",
            Self::Remove => "EntryRemove",
            Self::Expire => "EntryExpire",
        }
    }

    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Set),
            2 => Some(Self::Remove),
            3 => Some(Self::Expire),
            _ => None,
        }
    }
}

/// A message of the backplane, as .NET nodes publish and obey it.
///
/// ```
/// use bytes::BytesMut;
/// use unstale_codec::fusion::{Action, BackplaneMessage, Ticks};
///
/// let message = BackplaneMessage {
///     source_id: "0HNI8P2QFG000".into(),
///     timestamp: Ticks(639_028_224_010_000_000),
///     action: Action::Set,
///     cache_key: "user:42".into(),
///     rest: Default::default(),
/// };
/// let mut bytes = BytesMut::new();
/// message.encode(&mut bytes)?;
/// assert_eq!(bytes.len(), 38);
/// assert_eq!(BackplaneMessage::decode(bytes.freeze())?, message);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackplaneMessage {
    /// Who sent it: one id per process and cache, which its own sender ignores when it comes back.
    pub source_id: Text,
    /// When it happened; for a set, the timestamp of the envelope.
    pub timestamp: Ticks,
    /// What happened.
    pub action: Action,
    /// To which key, the cache's prefix included ([`Names::subject`](super::Names::subject) takes it apart).
    pub cache_key: Text,
    /// What follows the key. .NET nodes do not look at it; ours may have an [extension](super::extension) there.
    pub rest: Bytes,
}

impl BackplaneMessage {
    /// The message that `bytes` are. Does not copy; text that is no UTF-8 is repaired as .NET does it.
    ///
    /// # Errors
    /// Where and why a .NET node would ignore it: malformed, another version, an empty source id or key, a timestamp that is
    /// not above zero, an unknown action; or because it has more than [`MESSAGE_BYTES_MAX`] bytes. Never panics.
    pub fn decode(bytes: Bytes) -> Result<Self, DecodeError> {
        if bytes.len() > MESSAGE_BYTES_MAX {
            let kind = DecodeErrorKind::TooLarge { bytes: bytes.len(), limit: MESSAGE_BYTES_MAX };
            return Err(error(MESSAGE_BYTES_MAX, kind));
        }
        let mut r = Reader::new(bytes);
        let version = r.byte()?;
        if version != VERSION {
            return Err(error(0, DecodeErrorKind::Version(version)));
        }
        let source_id = text(&mut r, "source id")?;
        let at = r.at();
        let timestamp = Ticks(r.i64()?);
        if timestamp.0 <= 0 {
            return Err(error(at, DecodeErrorKind::Timestamp(timestamp.0)));
        }
        let at = r.at();
        let action = r.byte()?;
        let action = Action::from_byte(action).ok_or(error(at, DecodeErrorKind::Action(action)))?;
        let cache_key = text(&mut r, "cache key")?;
        Ok(Self { source_id, timestamp, action, cache_key, rest: r.rest() })
    }

    /// Appends the message to `out`.
    ///
    /// # Errors
    /// What .NET nodes would ignore, and more than [`MESSAGE_BYTES_MAX`] bytes. Nothing is appended then.
    pub fn encode(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        for (what, text) in [("source id", &self.source_id), ("cache key", &self.cache_key)] {
            if text.is_empty() {
                return Err(EncodeError::Empty(what));
            }
        }
        if self.timestamp.0 <= 0 {
            return Err(EncodeError::Timestamp(self.timestamp.0));
        }
        let (source, key) = (self.source_id.as_bytes(), self.cache_key.as_bytes());
        let bytes = 18 + source.len() + key.len() + self.rest.len();
        if bytes > MESSAGE_BYTES_MAX {
            return Err(EncodeError::TooLong { what: "message", bytes, limit: MESSAGE_BYTES_MAX });
        }
        out.reserve(bytes);
        out.put_u8(VERSION);
        // Below the limit a length is the same without a sign.
        out.put_u32_le(source.len() as u32);
        out.put_slice(source);
        out.put_i64_le(self.timestamp.0);
        out.put_u8(self.action as u8);
        out.put_u32_le(key.len() as u32);
        out.put_slice(key);
        out.put_slice(&self.rest);
        Ok(())
    }
}

fn text(r: &mut Reader, what: &'static str) -> Result<Text, DecodeError> {
    let start = r.at();
    let count = r.length(what)?;
    if count == 0 {
        return Err(error(start, DecodeErrorKind::Empty(what)));
    }
    r.slice(count).map(Text::lossy)
}
