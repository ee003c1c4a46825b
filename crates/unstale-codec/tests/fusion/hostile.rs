//! Bytes that are no envelope: errors that say where, in so many words.

use unstale_codec::fusion::{DecodeErrorKind, Envelope, Format, TAGS_MAX, ValueType};

use crate::envelopes::full;
use crate::{encode, unhex};

fn refused(format: &Format, bytes: impl Into<bytes::Bytes>) -> String {
    Envelope::decode(format, bytes.into()).expect_err("it is no envelope").to_string()
}

#[test]
fn json_that_is_no_envelope_says_where() {
    for (text, error) in [
        ("x", "at byte 0: expected value"),
        ("[]", "at byte 0: invalid type: sequence, expected an envelope"),
        ("null", "at byte 3: invalid type: null, expected an envelope"),
        ("{\"Value\":1", "at byte 9: EOF while parsing an object"),
        ("{\n  \"Timestamp\": \"1\"}", "at byte 19: invalid type: string \"1\", expected i64"),
        (
            "{\"Timestamp\":9223372036854775808}",
            "at byte 31: invalid value: integer `9223372036854775808`, expected i64",
        ),
        ("{\"Tags\":[null]}", "at byte 12: invalid type: null, expected a text"),
        ("{\"Tags\":[\"\\ud800\"]}", "at byte 16: unexpected end of hex escape"),
        ("{\"Metadata\":[]}", "at byte 13: invalid type: sequence, expected metadata"),
        ("{\"Metadata\":{\"Priority\":256}}", "at byte 26: invalid value: integer `256`, expected u8"),
        ("{\"Value\":01}", "at byte 10: invalid number"),
    ] {
        assert_eq!(refused(&Format::SystemTextJson, text), error, "{text}");
    }
    let utf_8 =
        Envelope::decode(&Format::Newtonsoft, b"{\"x\":[\"\xff\"]}"[..].into()).expect_err("not UTF-8");
    assert!(utf_8.offset >= 6 && utf_8.to_string().contains("invalid unicode"), "{utf_8}");
    let long = format!("{{\"Timestamp\":\"{}\"}}", "é".repeat(10_000));
    assert!(refused(&Format::SystemTextJson, long).len() < 300, "an error does not repeat a long text");
}

#[test]
fn depth_costs_nothing_that_is_not_there() {
    let deep = |open: &str, close: &str| {
        format!("{{\"Value\":{0}{1},\"New\":{0}{1}}}", open.repeat(100_000), close.repeat(100_000))
    };
    assert!(Envelope::decode(&Format::SystemTextJson, deep("[", "]").into()).is_ok());
    let pack = [
        unhex("82 a176"),
        vec![0x91; 100_000].into(),
        unhex("c0 a17a"),
        vec![0x91; 100_000].into(),
        unhex("c0"),
    ];
    assert!(Envelope::decode(&Format::MessagePack, pack.concat().into()).is_ok());
    let groups = [vec![0x7b; 100_000], vec![0x7c; 100_000]].concat();
    assert_eq!(refused(&Format::ProtobufNet, groups), "at byte 64: nested deeper than 64 levels");
}

#[test]
fn message_pack_that_is_no_envelope_says_where() {
    for (bytes, error) in [
        ("90", "at byte 0: envelope begins with 0x90"),
        ("c0", "at byte 0: envelope begins with 0xc0"),
        ("81 a174 a131", "at byte 3: timestamp begins with 0xa1"),
        ("81 a174 cf8000000000000000", "at byte 3: timestamp 9223372036854775808 is out of range"),
        ("81 a178 91c0", "at byte 4: tag begins with 0xc0"),
        ("81 a178 91a1ff", "at byte 5: tag is not UTF-8"),
        ("81 a178 ddffffffff", "at byte 3: the bytes end 4294967295 too early"),
        ("81 a16d 81 a173 01", "at byte 6: staleness begins with 0x01"),
        ("81 a16d 81 a170 cd0100", "at byte 6: priority 256 is out of range"),
        ("df ffffffff", "at byte 0: the bytes end 8589934590 too early"),
        ("81 a176 dbffffffff 00", "at byte 3: the bytes end 4294967294 too early"),
        ("81 a176 c1", "at byte 3: MessagePack begins with 0xc1"),
    ] {
        assert_eq!(refused(&Format::MessagePack, unhex(bytes)), error, "{bytes}");
    }
}

#[test]
fn memory_pack_that_is_no_envelope_says_where() {
    let format = Format::MemoryPack("u8".parse().expect("a type"));
    let head = "05 01 0500000000000000 0600000000000000";
    for (bytes, error) in [
        ("06 01".to_owned(), "at byte 0: envelope begins with 0x06"),
        ("ff".to_owned(), "at byte 0: envelope begins with 0xff"),
        (format!("{head} feffffff"), "at byte 18: tags of -2"),
        (format!("{head} ffffff7f"), "at byte 18: the bytes end 8589934588 too early"),
        (format!("{head} 01000000 ffffffff ff"), "at byte 22: tag is empty"),
        (format!("{head} ffffffff 05"), "at byte 22: metadata begins with 0x05"),
        (format!("{head} ffffffff 06 02"), "at byte 23: staleness begins with 0x02"),
        (format!("{head} ffffffff 06 01 02"), "at byte 24: presence begins with 0x02"),
    ] {
        assert_eq!(refused(&format, unhex(&bytes)), error, "{bytes}");
    }
    let of = |value_type: &str| Format::MemoryPack(value_type.parse().expect("a type"));
    assert_eq!(refused(&of("string"), unhex("05 00000080")), "at byte 5: the bytes end 2147483651 too early");
    assert_eq!(
        refused(&of("list<string>"), unhex("05 ffffff7f")),
        "at byte 1: the bytes end 2147483647 too early"
    );
}

#[test]
fn protobuf_that_is_no_envelope_says_where() {
    for (bytes, error) in [
        ("00", "at byte 0: field 0 is out of range"),
        ("8080808010", "at byte 0: field 536870912 is out of range"),
        ("1d 00000000", "at byte 0: timestamp begins with 0x1d"),
        ("1a 00", "at byte 0: timestamp begins with 0x1a"),
        ("10 01", "at byte 0: metadata begins with 0x10"),
        ("12 02 08 02", "at byte 2: staleness 2 is out of range"),
        ("12 03 30 8002", "at byte 2: priority 256 is out of range"),
        ("12 03 1a 01 ff", "at byte 4: etag is not UTF-8"),
        ("22 01 ff", "at byte 2: tag is not UTF-8"),
        ("22 ffffffffffffffffff01", "at byte 11: the bytes end 18446744073709551615 too early"),
        ("0c", "at byte 0: a field begins with 0x0c"),
        ("0e", "at byte 0: a field begins with 0x0e"),
        ("0b 14", "at byte 1: a field begins with 0x14"),
        ("0b", "at byte 1: the bytes end 1 too early"),
    ] {
        assert_eq!(refused(&Format::ProtobufNet, unhex(bytes)), error, "{bytes}");
    }
}

#[test]
fn more_tags_than_are_read_are_refused() {
    let count = TAGS_MAX + 1;
    let text = format!("{{\"Tags\":[{}\"\"]}}", "\"\",".repeat(TAGS_MAX));
    assert!(refused(&Format::SystemTextJson, text).ends_with(": more than 4096 tags"));
    let pack = [&[0x81, 0xa1, b'x', 0xdc][..], &(count as u16).to_be_bytes(), &vec![0xa0; count]].concat();
    let said = "4097 tags exceed the limit of 4096";
    assert_eq!(refused(&Format::MessagePack, pack), format!("at byte 3: {said}"));
    let protobuf = unhex("2200").repeat(count);
    assert_eq!(refused(&Format::ProtobufNet, protobuf), format!("at byte 8192: {said}"));
    let head = unhex("05 01 0500000000000000 0600000000000000");
    let memory = [&head[..], &(count as u32).to_le_bytes(), &vec![0; 4 * count], &[0xff]].concat();
    let format = Format::MemoryPack("u8".parse().expect("a type"));
    assert_eq!(refused(&format, memory), format!("at byte 18: {said}"));
}

#[test]
fn every_byte_changed_to_every_value_never_panics() {
    let samples = [
        (Format::SystemTextJson, &b"[1,null]"[..]),
        (Format::Newtonsoft, b"[1,null]"),
        (Format::MessagePack, &[0x92, 0x01, 0xc0]),
        (
            Format::MemoryPack("list<string?>".parse().expect("a type")),
            &[1, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 1, 0, 0, 0, b'a'],
        ),
        (Format::ProtobufNet, b"\x0a\x01a\x0a\x01b"),
    ];
    for (format, value) in samples {
        let whole = encode(&format, &full(value));
        for at in 0..whole.len() {
            for byte in 0..=u8::MAX {
                let mut bytes = whole.to_vec();
                bytes[at] = byte;
                if let Err(error) = Envelope::decode(&format, bytes.into()) {
                    assert!(error.offset <= whole.len(), "{error}");
                }
            }
        }
    }
    let too_large = Envelope::decode(&Format::MemoryPack(ValueType::Text), vec![0; (512 << 20) + 1].into());
    assert!(matches!(too_large.expect_err("too large").kind, DecodeErrorKind::TooLarge { .. }));
}
