//! How values become bytes for the store (L2) and back.

use std::error::Error as StdError;

use bytes::Bytes;

#[cfg(feature = "compression")]
mod compressed;

#[cfg(feature = "compression")]
pub use compressed::Compressed;

/// Turns values of one type into bytes and back. A cache that is to use the node's store names one with
/// [`crate::CacheBuilder::stored_as`].
///
/// Promise: `decode(encode(v))` equals `v`. Bytes that are no value are an error, never a panic, and count as a store
/// failure: the value is loaded instead. Called without any lock held.
pub trait Codec<V>: Send + Sync + 'static {
    /// The bytes of `value`.
    ///
    /// # Errors
    /// What cannot be written is not stored, which is counted as a failure of the store.
    fn encode(&self, value: &V) -> Result<Bytes, Box<dyn StdError + Send + Sync>>;

    /// The value of `bytes`.
    ///
    /// # Errors
    /// Bytes that are no value of this type.
    fn decode(&self, bytes: &Bytes) -> Result<V, Box<dyn StdError + Send + Sync>>;
}

/// The bytes themselves, for `Bytes`, `Vec<u8>` and `String`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Raw;

impl Codec<Bytes> for Raw {
    fn encode(&self, value: &Bytes) -> Result<Bytes, Box<dyn StdError + Send + Sync>> {
        Ok(value.clone())
    }

    fn decode(&self, bytes: &Bytes) -> Result<Bytes, Box<dyn StdError + Send + Sync>> {
        Ok(bytes.clone())
    }
}

impl Codec<Vec<u8>> for Raw {
    fn encode(&self, value: &Vec<u8>) -> Result<Bytes, Box<dyn StdError + Send + Sync>> {
        Ok(Bytes::copy_from_slice(value))
    }

    fn decode(&self, bytes: &Bytes) -> Result<Vec<u8>, Box<dyn StdError + Send + Sync>> {
        Ok(bytes.to_vec())
    }
}

impl Codec<String> for Raw {
    fn encode(&self, value: &String) -> Result<Bytes, Box<dyn StdError + Send + Sync>> {
        Ok(Bytes::copy_from_slice(value.as_bytes()))
    }

    fn decode(&self, bytes: &Bytes) -> Result<String, Box<dyn StdError + Send + Sync>> {
        Ok(std::str::from_utf8(bytes)?.to_owned())
    }
}

/// JSON by serde, for any type that serde knows. Feature `json`.
#[cfg(feature = "json")]
#[derive(Clone, Copy, Debug, Default)]
pub struct Json;

#[cfg(feature = "json")]
impl<V: serde::Serialize + serde::de::DeserializeOwned> Codec<V> for Json {
    fn encode(&self, value: &V) -> Result<Bytes, Box<dyn StdError + Send + Sync>> {
        Ok(serde_json::to_vec(value)?.into())
    }

    fn decode(&self, bytes: &Bytes) -> Result<V, Box<dyn StdError + Send + Sync>> {
        Ok(serde_json::from_slice(bytes)?)
    }
}

/// MessagePack by serde, for any type that serde knows; structs as maps by the names of their fields, so that fields can be added
/// and moved. Feature `messagepack`.
#[cfg(feature = "messagepack")]
#[derive(Clone, Copy, Debug, Default)]
pub struct MessagePack;

#[cfg(feature = "messagepack")]
impl<V: serde::Serialize + serde::de::DeserializeOwned> Codec<V> for MessagePack {
    fn encode(&self, value: &V) -> Result<Bytes, Box<dyn StdError + Send + Sync>> {
        Ok(rmp_serde::to_vec_named(value)?.into())
    }

    fn decode(&self, bytes: &Bytes) -> Result<V, Box<dyn StdError + Send + Sync>> {
        let mut rest = &bytes[..];
        let value = rmp_serde::from_read(&mut rest)?;
        if rest.is_empty() { Ok(value) } else { Err(format!("{} bytes follow the value", rest.len()).into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_text_comes_back_and_bytes_that_are_no_text_are_an_error() {
        let bytes = Raw.encode(&"grün".to_owned()).unwrap();
        let text: String = Raw.decode(&bytes).unwrap();
        assert_eq!(text, "grün");
        assert!(Codec::<String>::decode(&Raw, &Bytes::from_static(&[0xff])).is_err());
    }

    #[cfg(feature = "json")]
    #[test]
    fn json_comes_back_and_other_bytes_are_an_error() {
        let bytes = Json.encode(&vec![Some(1), None]).unwrap();
        assert_eq!(&bytes[..], b"[1,null]");
        let numbers: Vec<Option<u8>> = Json.decode(&bytes).unwrap();
        assert_eq!(numbers, [Some(1), None]);
        assert!(Codec::<Vec<u8>>::decode(&Json, &Bytes::from_static(b"[1")).is_err());
    }

    #[cfg(feature = "messagepack")]
    #[test]
    fn message_pack_comes_back_and_other_bytes_are_an_error() {
        #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        struct User {
            id: u32,
            name: Option<String>,
        }
        let user = User { id: 7, name: Some("Ada".to_owned()) };
        let bytes = MessagePack.encode(&user).unwrap();
        assert_eq!(&bytes[..], b"\x82\xa2id\x07\xa4name\xa3Ada");
        assert_eq!(Codec::<User>::decode(&MessagePack, &bytes).unwrap(), user);
        for wrong in [&bytes[..bytes.len() - 1], &[&bytes[..], &[0]].concat(), b"\xdd\xff\xff\xff\xff", b""] {
            assert!(Codec::<User>::decode(&MessagePack, &Bytes::copy_from_slice(wrong)).is_err());
        }
        // An array that claims four thousand million elements takes no memory for them.
        let claim = Bytes::from_static(b"\xdd\xff\xff\xff\xff");
        assert!(Codec::<Vec<u64>>::decode(&MessagePack, &claim).is_err());
    }
}
