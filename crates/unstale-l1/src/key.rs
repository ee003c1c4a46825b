//! Keys: typed in the process, opaque bytes between nodes.

use std::hash::Hash;

use bytes::Bytes;
/// How what is asked by is compared with what is kept (crate `equivalent`).
pub use quick_cache::Equivalent;

mod forms;
mod text;

pub use text::Text;

/// What a cache is asked by.
///
/// `decode(encode(k)) == Some(k)` for every key, two keys that differ have different bytes, and `decode` answers `None` for
/// bytes that no key encodes to. The bytes have to be the same on every node of a cluster: acts name keys by them.
///
/// ```
/// use bytes::Bytes;
/// use unstale_l1::Key;
///
/// #[derive(Clone, PartialEq, Eq, Hash, Debug)]
/// struct UserId(u64);
///
/// impl Key for UserId {
///     type Kept = Self;
///
///     fn encode(&self) -> Bytes {
///         self.0.encode()
///     }
///
///     fn decode(bytes: &[u8]) -> Option<Self> {
///         u64::decode(bytes).map(Self)
///     }
/// }
///
/// assert_eq!(UserId::decode(&UserId(7).encode()), Some(UserId(7)));
/// assert_eq!(UserId::decode(b"7"), None);
/// ```
pub trait Key: Hash + Eq + Clone + Equivalent<<Self as Key>::Kept> + Send + Sync + 'static {
    /// What tables keep of a key: `Self`, unless another form takes less memory, as [`Text`] does for a `String`. It hashes and
    /// compares as the key: see [`Kept`].
    type Kept: Kept<Self>;

    /// The bytes of the key.
    fn encode(&self) -> Bytes;

    /// The key of these bytes, if there is one.
    fn decode(bytes: &[u8]) -> Option<Self>;

    /// Lends the bytes of the key. Worth writing where they need not be allocated.
    fn with_bytes<R>(&self, read: impl FnOnce(&[u8]) -> R) -> R {
        read(&self.encode())
    }

    /// Whether [`Key::borrow`] allocates nothing. If so, acts of other nodes look keys up by their bytes, and it is called while
    /// the mutex of acts is held.
    const BORROWS: bool = false;

    /// Lends the key of these bytes, if there is one, in any form that it can be looked up by. Worth writing, with
    /// [`Key::BORROWS`], where a key owns memory and its bytes are as good.
    fn borrow<B: Borrower<Self>>(bytes: &[u8], borrower: B) -> Option<B::Output> {
        Self::decode(bytes).map(|key| borrower.borrow(&key))
    }
}

/// What is done with a key that is lent: see [`Key::borrow`].
///
/// ```
/// use unstale_l1::{Borrower, Key, Probe};
///
/// struct Length;
///
/// impl Borrower<String> for Length {
///     type Output = usize;
///
///     fn borrow<Q: Probe<String> + ?Sized>(self, key: &Q) -> usize {
///         key.with_key_bytes(<[u8]>::len)
///     }
/// }
///
/// assert_eq!(String::borrow("é".as_bytes(), Length), Some(2));
/// assert_eq!(String::borrow(&[0xff], Length), None);
/// ```
pub trait Borrower<K: Key> {
    /// What it gives.
    type Output;

    /// Does it.
    fn borrow<Q: Probe<K> + ?Sized>(self, key: &Q) -> Self::Output;
}

/// What a key can be looked up by: the key itself, or a borrowed form that hashes, compares and encodes alike.
pub trait Probe<K: Key>: Hash + Equivalent<K::Kept> + Sync {
    /// Lends the bytes of the key.
    fn with_key_bytes<R>(&self, read: impl FnOnce(&[u8]) -> R) -> R;

    /// The bytes of the key.
    fn key_bytes(&self) -> Bytes {
        self.with_key_bytes(Bytes::copy_from_slice)
    }

    /// The key.
    fn to_key(&self) -> K;

    /// The key as tables keep it. Worth writing where the key itself need not be made for it.
    fn to_kept(&self) -> K::Kept {
        K::Kept::of(&self.to_key())
    }

    /// Lends the key.
    fn with_key<R>(&self, read: impl FnOnce(&K) -> R) -> R {
        read(&self.to_key())
    }
}

/// What tables keep of a key. It hashes as the key does, and is equal exactly where keys are: whoever asks by the key, by a
/// borrowed form of it or by what is kept has to find the same entry, else what was removed would be served.
pub trait Kept<K: Key>: Probe<K> + Clone + Eq + Send + 'static {
    /// Of this key.
    fn of(key: &K) -> Self;

    /// Of a key that is not needed any more.
    fn from_key(key: K) -> Self {
        Self::of(&key)
    }

    /// Lends that of a key.
    fn lend<R>(key: &K, read: impl FnOnce(&Self) -> R) -> R {
        read(&Self::of(key))
    }
}

impl<K: Key<Kept = K>> Kept<K> for K {
    fn of(key: &K) -> Self {
        key.clone()
    }

    fn from_key(key: K) -> Self {
        key
    }

    fn lend<R>(key: &K, read: impl FnOnce(&Self) -> R) -> R {
        read(key)
    }
}

impl<K: Key> Probe<K> for K {
    fn with_key_bytes<R>(&self, read: impl FnOnce(&[u8]) -> R) -> R {
        self.with_bytes(read)
    }

    fn key_bytes(&self) -> Bytes {
        self.encode()
    }

    fn to_key(&self) -> K {
        self.clone()
    }

    fn to_kept(&self) -> K::Kept {
        K::Kept::of(self)
    }

    fn with_key<R>(&self, read: impl FnOnce(&K) -> R) -> R {
        read(self)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn check<K: Key + std::fmt::Debug>(key: K, bytes: &[u8]) {
        assert_eq!(key.encode(), bytes);
        key.with_bytes(|lent| assert_eq!(lent, bytes));
        assert_eq!(K::decode(bytes), Some(key));
    }

    #[test]
    fn keys_become_bytes_and_come_back() {
        check(String::from("é"), "é".as_bytes());
        check(Arc::<str>::from("a"), b"a");
        check(vec![1, 2], &[1, 2]);
        check(Bytes::from_static(b"x"), b"x");
        check([1_u8, 2, 3], &[1, 2, 3]);
        check(0x0102_u16, &[1, 2]);
        check(-2_i32, &[255, 255, 255, 254]);
        check((String::from("ab"), 7_u8), &[0, 0, 0, 2, b'a', b'b', 7]);
    }

    #[test]
    fn bytes_of_no_key_are_refused() {
        assert_eq!(String::decode(&[0xff]), None);
        assert_eq!(u64::decode(b"1234567"), None);
        assert_eq!(<[u8; 2]>::decode(b"abc"), None);
        assert_eq!(<(String, u8)>::decode(&[0, 0, 0, 9, b'a']), None);
        assert_eq!(<(String, u8)>::decode(&[0, 0]), None);
    }

    /// What a borrower is lent, as an owned key.
    struct Owned;

    impl<K: Key> Borrower<K> for Owned {
        type Output = K;

        fn borrow<Q: Probe<K> + ?Sized>(self, key: &Q) -> K {
            key.to_key()
        }
    }

    #[test]
    fn the_key_that_bytes_lend_is_the_one_they_decode_to() {
        fn check<K: Key + std::fmt::Debug>(bytes: &[u8]) {
            assert_eq!(K::borrow(bytes, Owned), K::decode(bytes));
        }
        for bytes in [&b"key"[..], b"", &[0xff], &[0; 8]] {
            check::<String>(bytes);
            check::<Arc<str>>(bytes);
            check::<Vec<u8>>(bytes);
            check::<Bytes>(bytes);
            check::<u64>(bytes);
            check::<[u8; 3]>(bytes);
        }
    }

    #[test]
    fn a_borrowed_form_asks_for_the_same_key() {
        let by_form: String = Probe::<String>::to_key("k");
        assert_eq!(by_form, "k");
        assert_eq!(Probe::<String>::key_bytes("k"), String::from("k").encode());
        assert_eq!(Probe::<Bytes>::key_bytes([1_u8, 2].as_slice()), Bytes::from_static(&[1, 2]));
    }
}
