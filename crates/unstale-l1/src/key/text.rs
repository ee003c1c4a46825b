//! Text as tables keep it.

use std::borrow::Borrow;
use std::sync::Arc;

use bytes::Bytes;
use compact_str::CompactString;
use quick_cache::Equivalent;

use super::{Borrower, Kept, Key, Probe};

/// A text key in a table: up to 24 bytes of it lie in the table itself. So such keys cost no allocation, and comparing them
/// waits for no further line of memory.
///
/// Keys that are made of one text can be kept so, too:
///
/// ```
/// # use bytes::Bytes;
/// use unstale_l1::{Equivalent, Kept, Key, Probe, Text};
///
/// #[derive(Clone, PartialEq, Eq, Hash, Debug)]
/// struct Sku(String);
///
/// impl Key for Sku {
///     type Kept = Text;
///
///     fn encode(&self) -> Bytes {
///         self.0.encode()
///     }
///
///     fn decode(bytes: &[u8]) -> Option<Self> {
///         String::decode(bytes).map(Self)
///     }
/// }
///
/// impl Equivalent<Text> for Sku {
///     fn equivalent(&self, kept: &Text) -> bool {
///         self.0 == kept.as_str()
///     }
/// }
///
/// impl Kept<Sku> for Text {
///     fn of(key: &Sku) -> Self {
///         Self::new(&key.0)
///     }
/// }
///
/// // A text that is kept is asked by in its turn; it has to hash as the key does.
/// impl Probe<Sku> for Text {
///     fn with_key_bytes<R>(&self, read: impl FnOnce(&[u8]) -> R) -> R {
///         read(self.as_str().as_bytes())
///     }
///
///     fn to_key(&self) -> Sku {
///         Sku(self.as_str().to_owned())
///     }
/// }
///
/// let sku = Sku("A-7".to_owned());
/// assert_eq!(Probe::<Sku>::to_key(&sku.to_kept()), sku);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Text(CompactString);

impl Text {
    /// Of this text: allocates if that is longer than 24 bytes.
    pub fn new(text: &str) -> Self {
        Self(CompactString::new(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

// A `CompactString` hashes and compares as the `str` that it is.
impl Borrow<str> for Text {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Equivalent<Text> for String {
    #[inline]
    fn equivalent(&self, kept: &Text) -> bool {
        **self == *kept.0
    }
}

impl Kept<String> for Text {
    fn of(key: &String) -> Self {
        Self::new(key)
    }
}

impl Probe<String> for Text {
    fn with_key_bytes<R>(&self, read: impl FnOnce(&[u8]) -> R) -> R {
        read(self.0.as_bytes())
    }

    fn to_key(&self) -> String {
        self.as_str().to_owned()
    }

    fn to_kept(&self) -> Self {
        self.clone()
    }
}

macro_rules! text_keys {
    ($($key:ty, kept as $kept:ty, by $keep:path;)+) => {$(
        impl Key for $key {
            type Kept = $kept;

            const BORROWS: bool = true;

            fn borrow<B: Borrower<Self>>(bytes: &[u8], borrower: B) -> Option<B::Output> {
                std::str::from_utf8(bytes).ok().map(|text| borrower.borrow(text))
            }

            fn encode(&self) -> Bytes {
                Bytes::copy_from_slice(self.as_bytes())
            }

            fn decode(bytes: &[u8]) -> Option<Self> {
                std::str::from_utf8(bytes).ok().map(Self::from)
            }

            fn with_bytes<R>(&self, read: impl FnOnce(&[u8]) -> R) -> R {
                read(self.as_bytes())
            }
        }

        impl Probe<$key> for str {
            fn with_key_bytes<R>(&self, read: impl FnOnce(&[u8]) -> R) -> R {
                read(self.as_bytes())
            }

            fn to_key(&self) -> $key {
                <$key>::from(self)
            }

            fn to_kept(&self) -> $kept {
                $keep(self)
            }
        }
    )+};
}

text_keys! {
    String, kept as Text, by Text::new;
    // Whoever shares a text goes on sharing it.
    Arc<str>, kept as Arc<str>, by Arc::from;
}

#[cfg(test)]
mod tests {
    use std::fmt;
    use std::hash::BuildHasher;

    use super::*;

    fn is_the_same_whoever_asks<K>(text: &str)
    where
        K: Key + PartialEq + fmt::Debug + for<'a> From<&'a str>,
        K::Kept: fmt::Debug,
        str: Probe<K>,
    {
        let (key, hasher) = (K::from(text), foldhash::fast::FixedState::default());
        let kept = text.to_kept();
        assert_eq!(kept, K::Kept::of(&key));
        assert_eq!(kept, K::Kept::from_key(key.clone()));
        K::Kept::lend(&key, |lent| assert_eq!(*lent, kept));
        assert_eq!(kept.to_key(), key);
        assert!(text.equivalent(&kept) && key.equivalent(&kept) && kept.equivalent(&kept));
        assert_eq!(hasher.hash_one(text), hasher.hash_one(&kept));
        assert_eq!(hasher.hash_one(&key), hasher.hash_one(&kept));
        kept.with_key_bytes(|bytes| assert_eq!(bytes, text.as_bytes()));
        let other = format!("{text}.").as_str().to_kept();
        assert!(!text.equivalent(&other) && !key.equivalent(&other) && !kept.equivalent(&other));
    }

    #[test]
    fn short_or_long_text_is_the_same_in_every_form() {
        for length in [0, 1, 23, 24, 25, 200] {
            let text = "é".repeat(length / 2) + &"x".repeat(length % 2);
            is_the_same_whoever_asks::<String>(&text);
            is_the_same_whoever_asks::<Arc<str>>(&text);
        }
    }

    #[test]
    fn it_takes_no_more_room_than_a_string() {
        assert_eq!(size_of::<Text>(), size_of::<String>());
    }
}
