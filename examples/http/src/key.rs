//! Keys of the product cache.

use bytes::Bytes;
use unstale::Key;

/// What an act in the product cache can be about.
///
/// Nothing is ever stored under [`ProductKey::Shelf`]: lists of a category depend on it, and whoever changes which
/// products a category has removes it. So one batch in one cache covers the rows and every list that they are in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ProductKey {
    /// The product with this id.
    Product(String),
    /// The set of products that this category has.
    Shelf(String),
}

impl Key for ProductKey {
    type Kept = Self;

    fn encode(&self) -> Bytes {
        match self {
            Self::Product(id) => format!("p{id}").into(),
            Self::Shelf(category) => format!("s{category}").into(),
        }
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        match text.split_at_checked(1)? {
            ("p", id) => Some(Self::Product(id.to_owned())),
            ("s", category) => Some(Self::Shelf(category.to_owned())),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_back_from_its_bytes_and_nothing_else_is_a_key() {
        for key in [
            ProductKey::Product("1".into()),
            ProductKey::Shelf("1".into()),
            ProductKey::Product(String::new()),
        ] {
            assert_eq!(ProductKey::decode(&key.encode()), Some(key));
        }
        for bytes in [&b""[..], b"x1", b"p\xff", "é".as_bytes()] {
            assert_eq!(ProductKey::decode(bytes), None, "{bytes:?}");
        }
    }
}
