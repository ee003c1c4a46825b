//! What an entry of a register says of its node, and what it is known by.

use bytes::{Bytes, BytesMut};
use unstale_core::{Entry, Stream};

use super::error::{DecodeError, EncodeError};
use super::greeting::{NAME_BYTES_MIN, read_cause, write_cause};
use super::reader::Reader;
use super::writer::Writer;
use super::{MAGIC, VERSION, check_length, limits, read_version};

/// What an entry is known by: its stream, the process and the incarnation in 16 and 4 bytes, most significant first.
///
/// ```
/// use unstale_codec::native;
/// use unstale_core::{ProcessId, Stream};
///
/// let id = native::entry_id(Stream::first(ProcessId(7)));
/// assert_eq!((id.len(), id[15], id[19]), (20, 7, 1));
/// ```
pub fn entry_id(stream: Stream) -> Bytes {
    let mut id = Vec::with_capacity(20);
    id.extend_from_slice(&stream.process.0.to_be_bytes());
    id.extend_from_slice(&stream.incarnation.0.to_be_bytes());
    id.into()
}

/// The bytes of an entry: magic and version, then its fields.
///
/// # Errors
/// More scopes than the format carries.
///
/// ```
/// use unstale_codec::native;
/// use unstale_core::{Entry, Name, ProcessId, Stream};
///
/// let (stream, name) = (Stream::first(ProcessId(7)), Name::new("a")?);
/// let entry = Entry { stream, name, scopes: Vec::new(), end: None };
/// assert_eq!(native::decode_entry(native::encode_entry(&entry)?)?, entry);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn encode_entry(entry: &Entry) -> Result<Bytes, EncodeError> {
    let mut out = BytesMut::new();
    let w = &mut Writer::new(&mut out);
    w.byte(MAGIC | VERSION);
    w.stream(entry.stream);
    w.name(&entry.name)?;
    w.list("scopes", limits::SCOPES, &entry.scopes, Writer::name)?;
    w.optional(entry.end.as_ref(), |w, (cause, last)| {
        write_cause(*cause, w);
        w.seq(*last);
        Ok(())
    })?;
    Ok(out.freeze())
}

/// The entry that `bytes` are. Fields after the known ones are skipped; names are slices of `bytes`.
///
/// # Errors
/// Where and why the bytes are no entry. Never panics; allocates for no more scopes than the bytes have room for.
pub fn decode_entry(bytes: Bytes) -> Result<Entry, DecodeError> {
    check_length(&bytes)?;
    let r = &mut Reader::new(bytes);
    read_version(r)?;
    let entry = Entry {
        stream: r.stream()?,
        name: r.name()?,
        scopes: r.list("scopes", limits::SCOPES, NAME_BYTES_MIN, Reader::name)?,
        end: r.optional(|r| Ok((read_cause(r)?, r.seq()?)))?,
    };
    r.unknown_fields(0)?;
    Ok(entry)
}
