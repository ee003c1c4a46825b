//! The native format: compact, versioned, extensible, decoded without copying. See docs/formats/native.md.
//!
//! One message is one frame of the backplane. The format is canonical: what [`encode`] wrote decodes to the same message,
//! and that encodes to the same bytes.

mod beat;
mod error;
mod farewell;
mod frame;
mod greeting;
mod reader;
mod register;
mod repair;
mod round;
mod writer;

use bytes::{Bytes, BytesMut};
use unstale_core::Message;

pub use error::{DecodeError, DecodeErrorKind, EncodeError};
pub use register::{decode_entry, encode_entry, entry_id};

use error::decode_error;
use reader::Reader;
use writer::Writer;

/// The version of the format that [`encode`] writes and [`decode`] reads.
pub const VERSION: u8 = 1;

/// The longest message, in bytes. A batch, a digest or a hello that would be longer is to be cut by who makes it.
pub const FRAME_BYTES_MAX: usize = 1 << 20;

/// The most bytes that [`decode`] allocates for one message, beside the bytes it is given.
pub const DECODE_ALLOCATION_MAX: usize = 4 << 20;

/// The most elements of each kind of list in a message.
mod limits {
    pub(super) const ACTS: usize = 4_096;
    pub(super) const MEMBERS: usize = 2_048;
    pub(super) const ENDED: usize = 4_096;
    pub(super) const SCOPES: usize = 4_096;
    pub(super) const RANGES: usize = 256;
}

/// The high half of the first byte of every message; the low half is the version.
const MAGIC: u8 = 0xa0;

/// The second byte of a message.
mod kind {
    pub(super) const FRAME: u8 = 1;
    pub(super) const BEAT: u8 = 2;
    pub(super) const HELLO: u8 = 3;
    pub(super) const ADMIT: u8 = 4;
    pub(super) const WANT: u8 = 5;
    pub(super) const DIGEST_WANT: u8 = 6;
    pub(super) const DIGEST: u8 = 7;
    pub(super) const GONE: u8 = 8;
    pub(super) const VIEW_WANT: u8 = 9;
    pub(super) const VIEW: u8 = 10;
    pub(super) const BYE: u8 = 11;
    pub(super) const RESET: u8 = 12;
    pub(super) const VOTE: u8 = 13;
    pub(super) const ROUND: u8 = 14;
    pub(super) const ANSWER: u8 = 15;
}

/// Appends the bytes of `message` to `out`.
///
/// # Errors
/// What this version cannot carry: more than [`FRAME_BYTES_MAX`] bytes, a list or a text beyond its limit, a range that is
/// none, unknown fields that are malformed, or a kind of message that it does not know. Nothing is appended then.
///
/// ```
/// use bytes::BytesMut;
/// use unstale_codec::native;
/// use unstale_core::{Bye, Message, ProcessId, Seq, Stream};
///
/// let bye = Message::Bye(Bye { stream: Stream::first(ProcessId(7)), last: Seq(300) });
/// let mut bytes = BytesMut::new();
/// native::encode(&bye, &mut bytes)?;
/// assert_eq!(bytes.len(), 21);
/// assert_eq!(native::decode(bytes.freeze())?, bye);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn encode(message: &Message, out: &mut BytesMut) -> Result<(), EncodeError> {
    let start = out.len();
    let mut writer = Writer::new(out);
    let written = write(message, &mut writer);
    let bytes = out.len() - start;
    let checked = match written {
        Ok(()) if bytes > FRAME_BYTES_MAX => Err(EncodeError::TooLarge { bytes, limit: FRAME_BYTES_MAX }),
        written => written,
    };
    if checked.is_err() {
        out.truncate(start);
    }
    checked
}

/// The message that `bytes` are. Names, keys, tags and unknown fields are slices of `bytes` and keep all of them in memory.
///
/// Fields that this version does not know are skipped; in frames and hellos they are kept in `unknown`.
///
/// # Errors
/// Where and why the bytes are no message of this version. Allocates at most [`DECODE_ALLOCATION_MAX`] bytes, and that
/// only for as many elements as the bytes have room for. Never panics.
pub fn decode(bytes: Bytes) -> Result<Message, DecodeError> {
    check_length(&bytes)?;
    read(&mut Reader::new(bytes))
}

fn write(message: &Message, w: &mut Writer<'_>) -> Result<(), EncodeError> {
    w.byte(MAGIC | VERSION);
    match message {
        Message::Frame(frame) => {
            w.byte(kind::FRAME);
            frame::write(frame, w)
        }
        Message::Beat(beat) => {
            w.byte(kind::BEAT);
            beat::write(beat, w)
        }
        Message::Hello(hello) => {
            w.byte(kind::HELLO);
            greeting::write_hello(hello, w)
        }
        Message::Admit(admit) => {
            w.byte(kind::ADMIT);
            greeting::write_admit(admit, w)
        }
        Message::Want(want) => {
            w.byte(kind::WANT);
            repair::write_want(want, w)
        }
        Message::DigestWant(want) => {
            w.byte(kind::DIGEST_WANT);
            repair::write_digest_want(want, w)
        }
        Message::Digest(digest) => {
            w.byte(kind::DIGEST);
            repair::write_digest(digest, w)
        }
        Message::Gone(gone) => {
            w.byte(kind::GONE);
            repair::write_gone(gone, w)
        }
        Message::ViewWant(want) => {
            w.byte(kind::VIEW_WANT);
            w.stream(want.stream);
            Ok(())
        }
        Message::View(view) => {
            w.byte(kind::VIEW);
            greeting::write_view(view, w)
        }
        Message::Bye(bye) => {
            w.byte(kind::BYE);
            farewell::write_bye(bye, w);
            Ok(())
        }
        Message::Reset(reset) => {
            w.byte(kind::RESET);
            farewell::write_reset(reset, w);
            Ok(())
        }
        Message::Vote(vote) => {
            w.byte(kind::VOTE);
            farewell::write_vote(vote, w)
        }
        Message::Round(round) => {
            w.byte(kind::ROUND);
            round::write_round(round, w)
        }
        Message::Answer(answer) => {
            w.byte(kind::ANSWER);
            round::write_answer(answer, w);
            Ok(())
        }
        _ => Err(EncodeError::Message),
    }
}

fn read(r: &mut Reader) -> Result<Message, DecodeError> {
    read_version(r)?;
    let message = match r.byte()? {
        // These two take the unknown fields themselves.
        kind::FRAME => return frame::read(r).map(Message::Frame),
        kind::HELLO => return greeting::read_hello(r).map(Message::Hello),
        kind::BEAT => Message::Beat(beat::read(r)?),
        kind::ADMIT => Message::Admit(greeting::read_admit(r)?),
        kind::WANT => Message::Want(repair::read_want(r)?),
        kind::DIGEST_WANT => Message::DigestWant(repair::read_digest_want(r)?),
        kind::DIGEST => Message::Digest(repair::read_digest(r)?),
        kind::GONE => Message::Gone(repair::read_gone(r)?),
        kind::VIEW_WANT => Message::ViewWant(unstale_core::ViewWant { stream: r.stream()? }),
        kind::VIEW => Message::View(greeting::read_view(r)?),
        kind::BYE => Message::Bye(farewell::read_bye(r)?),
        kind::RESET => Message::Reset(farewell::read_reset(r)?),
        kind::VOTE => Message::Vote(farewell::read_vote(r)?),
        kind::ROUND => Message::Round(round::read_round(r)?),
        kind::ANSWER => Message::Answer(round::read_answer(r)?),
        unknown => return Err(decode_error(1, DecodeErrorKind::Message(unknown))),
    };
    r.unknown_fields(0)?;
    Ok(message)
}

fn check_length(bytes: &Bytes) -> Result<(), DecodeError> {
    if bytes.len() > FRAME_BYTES_MAX {
        let kind = DecodeErrorKind::TooLarge { bytes: bytes.len(), limit: FRAME_BYTES_MAX };
        return Err(decode_error(FRAME_BYTES_MAX, kind));
    }
    Ok(())
}

/// The magic and the version: the first byte.
fn read_version(r: &mut Reader) -> Result<(), DecodeError> {
    let first = r.byte()?;
    if first & 0xf0 != MAGIC {
        return Err(decode_error(0, DecodeErrorKind::Magic(first)));
    }
    if first & 0x0f != VERSION {
        return Err(decode_error(0, DecodeErrorKind::Version(first & 0x0f)));
    }
    Ok(())
}
