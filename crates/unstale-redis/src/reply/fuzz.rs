//! Any bytes, however they are cut: no panic, the same values, nothing that the bytes have no room for.

use bolero::{TypeGenerator, check};
use bytes::BytesMut;

use super::{Malformed, VALUE_BYTES_MAX, Value, decode};

/// Pieces of replies, so that more than the first byte is looked at.
#[derive(Clone, Debug, TypeGenerator)]
enum Piece {
    Bytes(Vec<u8>),
    Length(u8, i16),
    End,
    String(Vec<u8>),
    Huge(u8),
}

#[test]
fn fuzz_replies() {
    check!().with_type::<(Vec<Piece>, u8)>().for_each(|(pieces, cut)| {
        judge(&assemble(pieces), usize::from(*cut).max(1));
    });
}

fn assemble(pieces: &[Piece]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Bytes(raw) => bytes.extend_from_slice(raw),
            Piece::Length(kind, length) => {
                let kind = b"$*%>~:!=+-"[usize::from(*kind) % 10];
                bytes.push(kind);
                bytes.extend_from_slice(format!("{}\r\n", length % 40).as_bytes());
            }
            Piece::End => bytes.extend_from_slice(b"\r\n"),
            Piece::String(text) => {
                bytes.extend_from_slice(format!("${}\r\n", text.len()).as_bytes());
                bytes.extend_from_slice(text);
                bytes.extend_from_slice(b"\r\n");
            }
            Piece::Huge(kind) => {
                bytes.push(*kind);
                bytes.extend_from_slice(b"134217728\r\n");
            }
        }
    }
    bytes
}

/// What must hold of all bytes.
fn judge(bytes: &[u8], cut: usize) {
    let at_once = all(&mut BytesMut::from(bytes));
    let mut buffer = BytesMut::new();
    let mut values = Vec::new();
    let mut end = Ok(());
    for piece in bytes.chunks(cut) {
        buffer.extend_from_slice(piece);
        let (more, stop) = all(&mut buffer);
        values.extend(more);
        if let Err(malformed) = stop {
            end = Err(malformed);
            break;
        }
    }
    assert_eq!(values, at_once.0, "cut into pieces of {cut}");
    assert_eq!(end.is_err(), at_once.1.is_err(), "cut into pieces of {cut}");
    let room: usize = values.iter().map(size).sum();
    assert!(room <= bytes.len(), "{room} values and bytes from {} bytes", bytes.len());
}

fn all(buffer: &mut BytesMut) -> (Vec<Value>, Result<(), Malformed>) {
    let mut values = Vec::new();
    loop {
        match decode(buffer, VALUE_BYTES_MAX) {
            Ok(Some(value)) => values.push(value),
            Ok(None) => return (values, Ok(())),
            Err(malformed) => return (values, Err(malformed)),
        }
    }
}

fn size(value: &Value) -> usize {
    match value {
        Value::Text(text) => 1 + text.len(),
        // What is not UTF-8 in an error is replaced by three bytes each.
        Value::Error(_) | Value::Number(_) | Value::Nothing => 1,
        Value::List(list) | Value::Push(list) => 1 + list.iter().map(size).sum::<usize>(),
    }
}
