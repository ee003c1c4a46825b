//! The native format: round trips, hostile bytes, the document, and bytes that never change.

mod document;
mod fuzz;
mod golden;
mod hostile;
mod round_trip;
mod samples;
mod spoil;
mod strategies;

use bytes::{Bytes, BytesMut};
use unstale_codec::native;
use unstale_core::Message;

fn encode(message: &Message) -> Bytes {
    let mut out = BytesMut::new();
    native::encode(message, &mut out).expect("the message is within the format's limits");
    out.freeze()
}

fn decode(bytes: Bytes) -> Message {
    native::decode(bytes).expect("the bytes are a message")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

/// Bytes from two-digit words; what follows a bar on a line is a remark.
fn unhex(text: &str) -> Bytes {
    let words = text.lines().flat_map(|line| line.split('|').next().unwrap_or_default().split_whitespace());
    words.map(|word| u8::from_str_radix(word, 16).expect("two hexadecimal digits")).collect()
}
