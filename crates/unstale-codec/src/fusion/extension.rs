//! What unstale nodes say among themselves, behind a message that .NET nodes read.

use bytes::{BufMut, Bytes, BytesMut};

use super::backplane::MESSAGE_BYTES_MAX;
use super::error::EncodeError;

/// The first four bytes of an extension: one that never occurs in UTF-8, two letters, and the version of the extension.
pub const EXTENSION_MAGIC: [u8; 4] = [0xf5, b'u', b'n', 1];

/// The most bytes that an extension carries.
pub const EXTENSION_BYTES_MAX: usize = MESSAGE_BYTES_MAX / 2;

/// The bytes that the extension at the beginning of `rest` carries, if there is one: opaque here. What follows it is not looked at.
///
/// Anything else is nothing: another magic, a length beyond the end or beyond [`EXTENSION_BYTES_MAX`]. Does not copy.
///
/// ```
/// use bytes::BytesMut;
/// use unstale_codec::fusion::{extension, put_extension};
///
/// let mut rest = BytesMut::new();
/// put_extension(b"ours", &mut rest)?;
/// assert_eq!(extension(&rest.freeze()).as_deref(), Some(&b"ours"[..]));
/// assert_eq!(extension(&b"somebody else's".as_slice().into()), None);
/// # Ok::<(), unstale_codec::fusion::EncodeError>(())
/// ```
pub fn extension(rest: &Bytes) -> Option<Bytes> {
    let (magic, after) = rest.split_first_chunk()?;
    let (length, after) = after.split_first_chunk()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    if *magic != EXTENSION_MAGIC || length > EXTENSION_BYTES_MAX {
        return None;
    }
    after.get(..length).map(|bytes| rest.slice_ref(bytes))
}

/// Appends an extension that carries `bytes` to `out`, which is to be [`BackplaneMessage::rest`](super::BackplaneMessage::rest).
///
/// # Errors
/// More than [`EXTENSION_BYTES_MAX`] bytes. Nothing is appended then.
pub fn put_extension(bytes: &[u8], out: &mut BytesMut) -> Result<(), EncodeError> {
    if bytes.len() > EXTENSION_BYTES_MAX {
        let limit = EXTENSION_BYTES_MAX;
        return Err(EncodeError::TooLong { what: "extension", bytes: bytes.len(), limit });
    }
    out.put_slice(&EXTENSION_MAGIC);
    out.put_u32_le(bytes.len() as u32);
    out.put_slice(bytes);
    Ok(())
}
