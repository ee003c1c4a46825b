//! Messages of the backplane: those of real nodes, and what real nodes ignore.

use bytes::{Bytes, BytesMut};
use serde_json::Value;
use unstale_codec::fusion::{
    Action, BackplaneMessage, DecodeErrorKind, EXTENSION_BYTES_MAX, EXTENSION_MAGIC, EncodeError,
    MESSAGE_BYTES_MAX, Names, Subject, Ticks, extension, put_extension,
};

use crate::names::names_of_case;
use crate::records::records;
use crate::{encode_message, hex, unhex};

/// A set of `user:42`, 38 bytes.
fn sample() -> BackplaneMessage {
    BackplaneMessage {
        source_id: "0HNI8P2QFG000".into(),
        timestamp: Ticks(639_028_224_010_000_000),
        action: Action::Set,
        cache_key: "user:42".into(),
        rest: Bytes::new(),
    }
}

fn refused(bytes: impl Into<Bytes>) -> (usize, DecodeErrorKind) {
    let error = BackplaneMessage::decode(bytes.into()).expect_err("no node takes it");
    (error.offset, error.kind)
}

#[test]
fn every_captured_message_decodes_to_its_fields_and_encodes_to_its_bytes() {
    let Some(records) =
        records("every_captured_message_decodes_to_its_fields_and_encodes_to_its_bytes", "backplane.json")
    else {
        return;
    };
    assert_eq!(records.len(), 105);
    let mut published = 0;
    for record in &records {
        let Value::String(bytes) = &record["hex"] else {
            assert_eq!(record["note"], "no message published", "{record}");
            continue;
        };
        published += 1;
        let message = BackplaneMessage::decode(unhex(bytes)).expect("a real node sent it");
        assert_eq!(record["source_id"], message.source_id.as_str(), "{record}");
        assert_eq!(record["timestamp_ticks"], message.timestamp.0, "{record}");
        assert_eq!(record["action"], message.action as u8, "{record}");
        assert_eq!(record["action_name"], message.action.name(), "{record}");
        assert_eq!(record["cache_key"], message.cache_key.as_str(), "{record}");
        assert!(message.rest.is_empty());
        assert_eq!(hex(&encode_message(&message)), *bytes, "{record}");
        let names = names_of_case(record["case"].as_str().expect("a case"));
        assert_eq!(record["channel"], names.channel(), "{record}");
        check_subject(&names, &message, record["call"].as_str().expect("a call"));
    }
    assert_eq!(published, 99);
}

/// The subject that the call had, and the key that our names make for it.
fn check_subject(names: &Names, message: &BackplaneMessage, call: &str) {
    let key = message.cache_key.as_str();
    let subject = names.subject(key).expect("it is a key of this cache");
    let (made, expected) = match subject {
        Subject::Key(key) => (names.cache_key(key), "Set GetOrSet Remove Expire"),
        Subject::Tag(tag) => (names.tag_mark(tag), "RemoveByTag"),
        Subject::ClearExpire => (names.clear_expire_mark(), "Clear(true)"),
        Subject::ClearRemove => (names.clear_remove_mark(), "Clear(false)"),
    };
    assert_eq!(made, key);
    let verb = call.split(' ').next().expect("a verb");
    assert!(expected.split(' ').any(|known| known == verb), "{call} of {subject:?}");
}

#[test]
fn every_captured_message_cut_anywhere_is_an_error() {
    let Some(records) = records("every_captured_message_cut_anywhere_is_an_error", "backplane.json") else {
        return;
    };
    for record in records.iter().filter_map(|record| record["hex"].as_str()) {
        let whole = unhex(record);
        for length in 0..whole.len() {
            let (offset, kind) = refused(whole.slice(..length));
            assert!(
                offset <= length && matches!(kind, DecodeErrorKind::Truncated { .. }),
                "{record} cut to {length}"
            );
        }
    }
}

#[test]
fn the_forty_malformed_messages_are_errors() {
    let whole = encode_message(&sample());
    assert_eq!(whole.len(), 38);
    for length in 0..whole.len() {
        assert!(
            matches!(refused(whole.slice(..length)).1, DecodeErrorKind::Truncated { .. }),
            "cut to {length}"
        );
    }
    for (what, at) in [("source id", 1), ("cache key", 27)] {
        for length in [-1_i32, i32::MAX] {
            let mut bytes = whole.to_vec();
            bytes[at..at + 4].copy_from_slice(&length.to_le_bytes());
            let kind = match length {
                -1 => (at, DecodeErrorKind::Length { what, value: -1 }),
                _ => (
                    at + 4,
                    DecodeErrorKind::Truncated {
                        missing: u64::from(length.unsigned_abs()) - (34 - at as u64),
                    },
                ),
            };
            assert_eq!(refused(bytes), kind, "{what} of {length}");
        }
    }
}

#[test]
fn what_a_real_node_ignored_is_refused_with_its_place() {
    let whole = encode_message(&sample());
    let changed = |at: usize, bytes: &[u8]| {
        let mut all = whole.to_vec();
        all[at..at + bytes.len()].copy_from_slice(bytes);
        refused(all)
    };
    assert_eq!(changed(0, &[1]), (0, DecodeErrorKind::Version(1)));
    assert_eq!(changed(18, &[0; 8]), (18, DecodeErrorKind::Timestamp(0)));
    assert_eq!(changed(18, &[0xff; 8]), (18, DecodeErrorKind::Timestamp(-1)));
    assert_eq!(changed(26, &[0]), (26, DecodeErrorKind::Action(0)));
    assert_eq!(changed(26, &[4]), (26, DecodeErrorKind::Action(4)));
    let no_source = [&[0, 0, 0, 0, 0][..], &whole[18..]].concat();
    assert_eq!(refused(no_source), (1, DecodeErrorKind::Empty("source id")));
    let no_key = [&whole[..27], &[0; 4]].concat();
    assert_eq!(refused(no_key), (27, DecodeErrorKind::Empty("cache key")));
    let kind = DecodeErrorKind::TooLarge { bytes: MESSAGE_BYTES_MAX + 1, limit: MESSAGE_BYTES_MAX };
    assert_eq!(refused(vec![0; MESSAGE_BYTES_MAX + 1]), (MESSAGE_BYTES_MAX, kind));
}

#[test]
fn what_a_real_node_obeyed_is_read() {
    let long = "x".repeat(1_200);
    for source in ["x", "é", " ", &"a".repeat(26), &"b".repeat(36), &long] {
        let message = BackplaneMessage { source_id: source.into(), ..sample() };
        assert_eq!(BackplaneMessage::decode(encode_message(&message)), Ok(message));
    }
    for action in [Action::Set, Action::Remove, Action::Expire] {
        let message = BackplaneMessage { action, rest: vec![0xee; 64].into(), ..sample() };
        let bytes = encode_message(&message);
        assert_eq!(bytes.len(), 38 + 64);
        assert_eq!(BackplaneMessage::decode(bytes), Ok(message));
    }
}

#[test]
fn ill_formed_text_is_repaired_as_dotnet_repairs_it() {
    // .NET's own decoder: each maximal part of a sequence becomes one replacement.
    for (bytes, text) in [
        (&[b'a', 0xff, b'b'][..], "a\u{fffd}b"),
        (&[0xe2, 0x82], "\u{fffd}"),
        (&[0xed, 0xa0, 0x80], "\u{fffd}\u{fffd}\u{fffd}"),
        (&[0xf0, 0x9f, 0x99, b'x'], "\u{fffd}x"),
    ] {
        let whole = encode_message(&sample());
        let message = [&whole[..27], &[bytes.len() as u8, 0, 0, 0], bytes].concat();
        let message = BackplaneMessage::decode(message.into()).expect("a node takes it");
        assert_eq!(message.cache_key.as_str(), text);
    }
}

#[test]
fn what_no_node_would_take_is_not_encoded() {
    let mut out = BytesMut::from(&b"before"[..]);
    let cases = [
        (BackplaneMessage { source_id: "".into(), ..sample() }, EncodeError::Empty("source id")),
        (BackplaneMessage { cache_key: "".into(), ..sample() }, EncodeError::Empty("cache key")),
        (BackplaneMessage { timestamp: Ticks(0), ..sample() }, EncodeError::Timestamp(0)),
        (
            BackplaneMessage { rest: vec![0; MESSAGE_BYTES_MAX].into(), ..sample() },
            EncodeError::TooLong { what: "message", bytes: MESSAGE_BYTES_MAX + 38, limit: MESSAGE_BYTES_MAX },
        ),
    ];
    for (message, error) in cases {
        assert_eq!(message.encode(&mut out), Err(error));
    }
    assert_eq!(&out[..], b"before");
}

#[test]
fn decoding_copies_nothing() {
    let bytes = encode_message(&BackplaneMessage { rest: Bytes::from_static(b"rest"), ..sample() });
    // The first clone of a buffer makes it shared.
    let shared = bytes.clone();
    let taken = allocation_counter::measure(|| {
        let message = BackplaneMessage::decode(shared).expect("it is a message");
        std::hint::black_box(message);
    });
    assert_eq!(taken.count_total, 0);
}

#[test]
fn an_extension_is_found_behind_the_key_and_anything_else_is_none() {
    let mut rest = BytesMut::new();
    put_extension(b"ours", &mut rest).expect("short enough");
    rest.extend_from_slice(b"later");
    let rest = rest.freeze();
    assert_eq!(extension(&rest).as_deref(), Some(&b"ours"[..]));
    let passed =
        BackplaneMessage::decode(encode_message(&BackplaneMessage { rest, ..sample() })).expect("a message");
    assert_eq!(extension(&passed.rest).as_deref(), Some(&b"ours"[..]));
    let of = |magic: [u8; 4], length: u32, bytes: &[u8]| {
        extension(&[&magic[..], &length.to_le_bytes(), bytes].concat().into())
    };
    assert_eq!(of(EXTENSION_MAGIC, 0, b"").as_deref(), Some(&b""[..]));
    assert_eq!(of(EXTENSION_MAGIC, 5, b"four"), None);
    assert_eq!(of(EXTENSION_MAGIC, u32::MAX, b"four"), None);
    assert_eq!(of([0xf5, b'u', b'n', 2], 4, b"four"), None);
    for length in 0..8 {
        assert_eq!(extension(&passed.rest.slice(..length)), None, "cut to {length}");
    }
    let too_long = vec![0; EXTENSION_BYTES_MAX + 1];
    assert_eq!(of(EXTENSION_MAGIC, EXTENSION_BYTES_MAX as u32 + 1, &too_long), None);
    let mut out = BytesMut::new();
    assert!(put_extension(&too_long, &mut out).is_err() && out.is_empty());
}
