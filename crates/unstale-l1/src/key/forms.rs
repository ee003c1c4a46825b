//! Keys of bytes, of integers and of two parts.

use bytes::Bytes;

use super::{Borrower, Key, Probe};

impl Probe<Vec<u8>> for [u8] {
    fn with_key_bytes<R>(&self, read: impl FnOnce(&[u8]) -> R) -> R {
        read(self)
    }

    fn to_key(&self) -> Vec<u8> {
        self.to_vec()
    }

    fn to_kept(&self) -> Vec<u8> {
        self.to_vec()
    }
}

impl Probe<Bytes> for [u8] {
    fn with_key_bytes<R>(&self, read: impl FnOnce(&[u8]) -> R) -> R {
        read(self)
    }

    fn to_key(&self) -> Bytes {
        Bytes::copy_from_slice(self)
    }

    fn to_kept(&self) -> Bytes {
        Bytes::copy_from_slice(self)
    }
}

impl Key for Vec<u8> {
    type Kept = Self;

    const BORROWS: bool = true;

    fn borrow<B: Borrower<Self>>(bytes: &[u8], borrower: B) -> Option<B::Output> {
        Some(borrower.borrow(bytes))
    }

    fn encode(&self) -> Bytes {
        Bytes::copy_from_slice(self)
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        Some(bytes.to_vec())
    }

    fn with_bytes<R>(&self, read: impl FnOnce(&[u8]) -> R) -> R {
        read(self)
    }
}

impl Key for Bytes {
    type Kept = Self;

    const BORROWS: bool = true;

    fn borrow<B: Borrower<Self>>(bytes: &[u8], borrower: B) -> Option<B::Output> {
        Some(borrower.borrow(bytes))
    }

    fn encode(&self) -> Bytes {
        self.clone()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        Some(Self::copy_from_slice(bytes))
    }

    fn with_bytes<R>(&self, read: impl FnOnce(&[u8]) -> R) -> R {
        read(self)
    }
}

impl<const N: usize> Key for [u8; N] {
    type Kept = Self;

    const BORROWS: bool = true;

    fn encode(&self) -> Bytes {
        Bytes::copy_from_slice(self)
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok()
    }

    fn with_bytes<R>(&self, read: impl FnOnce(&[u8]) -> R) -> R {
        read(self)
    }
}

/// Big-endian, in the width of the type.
macro_rules! integer_keys {
    ($($integer:ty)+) => {$(
        impl Key for $integer {
            type Kept = Self;

            const BORROWS: bool = true;

            fn encode(&self) -> Bytes {
                Bytes::copy_from_slice(&self.to_be_bytes())
            }

            fn decode(bytes: &[u8]) -> Option<Self> {
                Some(Self::from_be_bytes(bytes.try_into().ok()?))
            }

            fn with_bytes<R>(&self, read: impl FnOnce(&[u8]) -> R) -> R {
                read(&self.to_be_bytes())
            }
        }
    )+};
}

integer_keys!(u8 u16 u32 u64 u128 i8 i16 i32 i64 i128);

/// The first part's length as four bytes, big-endian, then both parts.
impl<A: Key, B: Key> Key for (A, B) {
    type Kept = Self;

    fn encode(&self) -> Bytes {
        let (first, second) = (self.0.encode(), self.1.encode());
        let mut bytes = Vec::with_capacity(4 + first.len() + second.len());
        bytes.extend_from_slice(&(first.len() as u32).to_be_bytes());
        bytes.extend_from_slice(&first);
        bytes.extend_from_slice(&second);
        bytes.into()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (len, rest) = bytes.split_first_chunk::<4>()?;
        let len = u32::from_be_bytes(*len) as usize;
        let (first, second) = rest.split_at_checked(len)?;
        Some((A::decode(first)?, B::decode(second)?))
    }
}
