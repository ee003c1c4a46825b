//! FusionCache's formats: bytes of real nodes, round trips, hostile bytes, the document.

mod captured;
mod document;

mod envelopes;
mod fuzz;

mod hostile;
mod messages;
mod names;
mod records;
mod round_trip;
mod second_level;
#[path = "../native/spoil.rs"]
mod spoil;
mod strategies;
mod values;

use bytes::{Bytes, BytesMut};
use unstale_codec::fusion::{BackplaneMessage, Envelope, Format};

fn encode_message(message: &BackplaneMessage) -> Bytes {
    let mut out = BytesMut::new();
    message.encode(&mut out).expect("the message is one that .NET takes");
    out.freeze()
}

fn encode(format: &Format, envelope: &Envelope) -> Bytes {
    let mut out = BytesMut::new();
    envelope.encode(format, &mut out).expect("the envelope is within the limits");
    out.freeze()
}

fn decode(format: &Format, bytes: impl Into<Bytes>) -> Envelope {
    Envelope::decode(format, bytes.into()).expect("the bytes are an envelope")
}

/// Bytes from hexadecimal digits; blanks, and what follows a bar on a line, are remarks.
fn unhex(text: &str) -> Bytes {
    let lines = text.lines().map(|line| line.split('|').next().unwrap_or_default());
    let digits: Vec<u8> = lines.flat_map(str::bytes).filter(|byte| !byte.is_ascii_whitespace()).collect();
    let pairs = digits.chunks(2).map(|pair| std::str::from_utf8(pair).expect("ASCII"));
    pairs.map(|pair| u8::from_str_radix(pair, 16).expect("two hexadecimal digits")).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}
