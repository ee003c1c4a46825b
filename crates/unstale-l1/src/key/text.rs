//! Text as tables keep it.

use std::borrow::Borrow;
use std::sync::Arc;

use bytes::Bytes;
use compact_str::CompactString;
use quick_cache::Equivalent;

use super::{Borrower, Kept, Key, Probe};

/// A text key in a table: up to 24 bytes of it lie in the table itself. So such keys cost no allocation, and comparing them
/// waits for no further line of memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Text(CompactString);

impl Text {
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

macro_rules! text_keys {
    ($($key:ty)+) => {$(
        impl Equivalent<Text> for $key {
            #[inline]
            fn equivalent(&self, kept: &Text) -> bool {
                **self == *kept.0
            }
        }

        impl Key for $key {
            type Kept = Text;

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

        impl Kept<$key> for Text {
            fn of(key: &$key) -> Self {
                Self(CompactString::new(key))
            }
        }

        impl Probe<$key> for Text {
            fn with_key_bytes<R>(&self, read: impl FnOnce(&[u8]) -> R) -> R {
                read(self.0.as_bytes())
            }

            fn to_key(&self) -> $key {
                <$key>::from(self.as_str())
            }

            fn to_kept(&self) -> Self {
                self.clone()
            }
        }

        impl Probe<$key> for str {
            fn with_key_bytes<R>(&self, read: impl FnOnce(&[u8]) -> R) -> R {
                read(self.as_bytes())
            }

            fn to_key(&self) -> $key {
                <$key>::from(self)
            }

            fn to_kept(&self) -> Text {
                Text(CompactString::new(self))
            }
        }
    )+};
}

text_keys!(String Arc<str>);

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use super::*;

    fn is_the_same_whoever_asks<K>(text: &str)
    where
        K: Key<Kept = Text> + PartialEq + std::fmt::Debug + for<'a> From<&'a str>,
        Text: Kept<K>,
        str: Probe<K>,
    {
        let (key, hasher) = (K::from(text), foldhash::fast::FixedState::default());
        let kept: Text = Probe::<K>::to_kept(text);
        assert_eq!(kept, Text::of(&key));
        assert_eq!(Probe::<K>::to_key(&kept), key);
        assert!(text.equivalent(&kept) && key.equivalent(&kept) && kept.equivalent(&kept));
        assert_eq!(hasher.hash_one(text), hasher.hash_one(&kept));
        assert_eq!(hasher.hash_one(&key), hasher.hash_one(&kept));
        Probe::<K>::with_key_bytes(&kept, |bytes| assert_eq!(bytes, text.as_bytes()));
        let other: Text = Probe::<K>::to_kept(format!("{text}.").as_str());
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
