//! Values that are compressed where that pays.

use std::error::Error as StdError;
use std::fmt;

use bytes::{Bytes, BytesMut};
use lz4_flex::block;

use super::Codec;

/// The first byte: the rest is the inner codec's bytes.
const PLAIN: u8 = 0;
/// The first byte: four bytes with the length before compression (little-endian) and an LZ4 block follow.
const LZ4: u8 = 1;
const HEADER_BYTES: usize = 5;
/// An LZ4 block never grows by more when it is decompressed.
const GROWTH_MAX: usize = 255;

/// Another codec's bytes, compressed by LZ4 above a threshold. Feature `compression`.
///
/// A value of more bytes than [`Compressed::above`] says is compressed, and stored so if it becomes smaller; any other costs one
/// byte more. What is read back is checked before memory is taken for it: nothing is decompressed to more than
/// [`Compressed::at_most`], or to more than 255 times its bytes. All nodes that share a store need the same codec; threshold
/// and limit may differ.
///
/// ```
/// use unstale::{Codec, Compressed, Raw};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let codec = Compressed::new(Raw).above(100);
/// let text = "coherent ".repeat(100);
/// let bytes = codec.encode(&text)?;
/// assert!(bytes.len() < 100);
/// let again: String = codec.decode(&bytes)?;
/// assert_eq!(again, text);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Compressed<C> {
    inner: C,
    above: usize,
    at_most: usize,
}

impl<C> Compressed<C> {
    /// The bytes of `inner`, compressed above 1 KiB, of at most 64 MiB.
    pub const fn new(inner: C) -> Self {
        Self { inner, above: 1 << 10, at_most: 64 << 20 }
    }

    /// Compresses what has more bytes than this.
    #[must_use]
    pub fn above(self, bytes: usize) -> Self {
        Self { above: bytes, ..self }
    }

    /// Refuses what has more bytes than this before it is compressed: not stored, and not believed when it is read.
    #[must_use]
    pub fn at_most(self, bytes: usize) -> Self {
        Self { at_most: bytes, ..self }
    }

    fn checked(&self, bytes: usize) -> Result<(), Fault> {
        if bytes > self.at_most { Err(Fault::TooLarge { bytes, at_most: self.at_most }) } else { Ok(()) }
    }
}

/// Why bytes are no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Truncated,
    Form(u8),
    TooLarge { bytes: usize, at_most: usize },
    Length { bytes: usize, of: usize },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("the header is not complete"),
            Self::Form(form) => write!(f, "form {form} is neither {PLAIN} (plain) nor {LZ4} (LZ4)"),
            Self::TooLarge { bytes, at_most } => write!(f, "{bytes} bytes are more than {at_most}"),
            Self::Length { bytes, of } => write!(f, "{of} bytes cannot be {bytes} when decompressed"),
        }
    }
}

impl StdError for Fault {}

impl<V, C: Codec<V>> Codec<V> for Compressed<C> {
    fn encode(&self, value: &V) -> Result<Bytes, Box<dyn StdError + Send + Sync>> {
        let plain = self.inner.encode(value)?;
        self.checked(plain.len())?;
        let mut bytes = BytesMut::new();
        if plain.len() > self.above && u32::try_from(plain.len()).is_ok() {
            bytes.resize(HEADER_BYTES + block::get_maximum_output_size(plain.len()), 0);
            bytes[0] = LZ4;
            bytes[1..HEADER_BYTES].copy_from_slice(&(plain.len() as u32).to_le_bytes());
            let length = HEADER_BYTES + block::compress_into(&plain, &mut bytes[HEADER_BYTES..])?;
            if length <= plain.len() {
                bytes.truncate(length);
                // What is kept in memory as well must not hold on to the room that compressing needed.
                return Ok(Bytes::copy_from_slice(&bytes));
            }
            bytes.clear();
        }
        bytes.extend_from_slice(&[PLAIN]);
        bytes.extend_from_slice(&plain);
        Ok(bytes.freeze())
    }

    fn decode(&self, bytes: &Bytes) -> Result<V, Box<dyn StdError + Send + Sync>> {
        let plain = match *bytes.first().ok_or(Fault::Truncated)? {
            PLAIN => bytes.slice(1..),
            LZ4 => {
                let length = bytes.get(1..HEADER_BYTES).and_then(|length| length.try_into().ok());
                let length = u32::from_le_bytes(length.ok_or(Fault::Truncated)?) as usize;
                let block = &bytes[HEADER_BYTES..];
                self.checked(length)?;
                if length / GROWTH_MAX > block.len() {
                    return Err(Fault::Length { bytes: length, of: block.len() }.into());
                }
                let plain = block::decompress(block, length)?;
                if plain.len() != length {
                    return Err(Fault::Length { bytes: length, of: plain.len() }.into());
                }
                plain.into()
            }
            form => return Err(Fault::Form(form).into()),
        };
        self.checked(plain.len())?;
        self.inner.decode(&plain)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Raw;
    use super::*;

    fn decoded(codec: Compressed<Raw>, bytes: &[u8]) -> Result<Vec<u8>, String> {
        codec.decode(&Bytes::copy_from_slice(bytes)).map_err(|error| error.to_string())
    }

    #[test]
    fn small_values_and_those_that_do_not_shrink_stay_as_they_are() {
        let codec = Compressed::new(Raw).above(16);
        let noise: Vec<u8> = (0..200_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for value in [vec![], vec![7; 16], noise] {
            let bytes = codec.encode(&value).unwrap();
            assert_eq!((bytes[0], &bytes[1..]), (PLAIN, &value[..]));
            assert_eq!(decoded(codec, &bytes), Ok(value));
        }
    }

    #[test]
    fn large_values_shrink_and_come_back_whatever_the_reader_s_threshold() {
        let value = vec![7_u8; 100_000];
        let bytes = Compressed::new(Raw).encode(&value).unwrap();
        assert!(bytes.len() < 1_000 && bytes[0] == LZ4);
        assert_eq!(decoded(Compressed::new(Raw).above(usize::MAX), &bytes), Ok(value));
    }

    #[test]
    fn lengths_are_not_believed() {
        let codec = Compressed::new(Raw).at_most(1 << 20);
        let claim = |length: u32, block: &[u8]| [&[LZ4][..], &length.to_le_bytes(), block].concat();
        for bytes in [
            vec![],
            vec![9, 1],
            vec![LZ4, 1, 0],
            claim(u32::MAX, &[0; 8]),
            claim((1 << 20) + 1, &[0; 9_000]),
            claim(1 << 20, &[0; 8]),
            claim(10, &[0x50, b'a']),
            claim(9, &Compressed::new(Raw).above(0).encode(&vec![7_u8; 64]).unwrap()[HEADER_BYTES..]),
            claim(90, &Compressed::new(Raw).above(0).encode(&vec![7_u8; 64]).unwrap()[HEADER_BYTES..]),
        ] {
            assert!(decoded(codec, &bytes).is_err(), "{bytes:?}");
        }
        let large = vec![7; (1 << 20) + 1];
        assert!(codec.encode(&large).is_err());
        assert!(decoded(codec, &[&[PLAIN][..], &large].concat()).is_err());
    }

    #[test]
    fn fuzz_compressed_any_bytes_are_a_value_or_an_error() {
        bolero::check!().for_each(|bytes: &[u8]| {
            let codec = Compressed::new(Raw).at_most(1 << 16);
            if let Ok(value) = decoded(codec, bytes) {
                assert!(value.len() <= 1 << 16);
                assert_eq!(decoded(codec, &codec.encode(&value).unwrap()), Ok(value));
            }
        });
    }
}
