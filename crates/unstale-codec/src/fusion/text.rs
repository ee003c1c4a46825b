//! Text that shares the bytes it was read from.

use std::fmt;

use bytes::Bytes;

/// UTF-8: a key, a tag, a source id, an etag.
///
/// What was decoded is a slice of the bytes that it came from and keeps all of them in memory: copy what is kept for long.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Bytes);

impl Text {
    /// The bytes as text, if they are UTF-8; does not copy them.
    ///
    /// ```
    /// use unstale_codec::fusion::Text;
    ///
    /// assert_eq!(Text::new("é".into()).map(|text| text.to_string()), Some("é".to_owned()));
    /// assert_eq!(Text::new(vec![0xff].into()), None);
    /// ```
    pub fn new(bytes: Bytes) -> Option<Self> {
        std::str::from_utf8(&bytes).is_ok().then_some(Self(bytes))
    }

    /// The bytes as .NET decodes them: each ill-formed sequence becomes U+FFFD. Copies only where there is one.
    pub(super) fn lossy(bytes: Bytes) -> Self {
        match String::from_utf8_lossy(&bytes) {
            std::borrow::Cow::Borrowed(_) => Self(bytes),
            std::borrow::Cow::Owned(replaced) => Self::from(replaced),
        }
    }

    /// The text. Costs a walk over the bytes.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// Its bytes.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
