//! Values in words: what only some types have, and bytes that are no value.

use unstale_codec::fusion::{
    DecodeErrorKind, Format, VALUE_JSON_BYTES_MAX, ValueForm, ValueType, value_json,
};

use crate::unhex;

fn parsed(value_type: &str) -> Option<ValueType> {
    (!value_type.is_empty()).then(|| value_type.parse().expect("a type"))
}

fn format(name: &str, value_type: &str) -> Format {
    match name {
        "stj" => Format::SystemTextJson,
        "newtonsoft" => Format::Newtonsoft,
        "messagepack" => Format::MessagePack,
        "protobuf" => Format::ProtobufNet,
        _ => Format::MemoryPack(parsed(value_type).expect("MemoryPack needs a type")),
    }
}

/// The value, or the error with its place.
fn shown(name: &str, value_type: &str, bytes: impl Into<bytes::Bytes>) -> String {
    let value = ValueForm(bytes.into());
    let shown = value_json(&format(name, value_type), parsed(value_type).as_ref(), &value);
    shown.unwrap_or_else(|error| error.to_string())
}

#[test]
fn what_is_left_out_is_the_default_of_its_type() {
    for (value_type, default) in [
        ("", "null"),
        ("i32", "0"),
        ("f32", "0"),
        ("bool", "false"),
        ("string", "null"),
        ("list<i32>", "null"),
        ("i32?", "null"),
        ("guid", "\"00000000-0000-0000-0000-000000000000\""),
        ("datetime", "\"0001-01-01T00:00:00\""),
    ] {
        for name in ["newtonsoft", "stj", "messagepack", "protobuf"] {
            assert_eq!(shown(name, value_type, ""), default, "{value_type} by {name}");
        }
    }
}

#[test]
fn json_stays_as_it_is_but_for_blanks() {
    assert_eq!(
        shown("stj", "", "{ \"n\": 12345678901234567890.50,\n\"t\": \"\\u003c \\\" \" }"),
        r#"{"n":12345678901234567890.50,"t":"\u003c \" "}"#
    );
    assert_eq!(shown("stj", "bytes", "\"AAE=\""), r#"{"base64":"AAE="}"#);
    assert_eq!(shown("stj", "bytes?", "null"), "null");
    assert_eq!(shown("newtonsoft", "", "{\"a\":}"), "at byte 5: expected value");
    for (text, error) in [
        (r#"["\ud800"]"#.to_owned(), "at byte 8: unexpected end of hex escape"),
        ("[1e999]".to_owned(), "at byte 5: number out of range"),
        ("[".repeat(129) + &"]".repeat(129), "at byte 127: recursion limit exceeded"),
    ] {
        assert_eq!(shown("stj", "", text), error);
    }
}

#[test]
fn times_are_written_as_dotnet_writes_them() {
    for (bytes, text) in [
        ("d6ff 6956f781", "\"2026-01-01T22:38:57Z\""),
        ("d7ff ee6b27fc 6956f781", "\"2026-01-01T22:38:57.9999999Z\""),
        ("c70cff 00000000 fffffff1886e0900", "\"0001-01-01T00:00:00Z\""),
    ] {
        assert_eq!(shown("messagepack", "", unhex(bytes)), text);
    }
    assert_eq!(shown("memorypack", "datetime", unhex("00005d5fcdc6f247")), "\"1815-12-10T00:00:00Z\"");
    assert_eq!(shown("memorypack", "datetime", unhex("00005d5fcdc6f207")), "\"1815-12-10T00:00:00\"");
    for (bytes, text) in [
        ("0a04 089bef06", "\"1815-12-10T00:00:00\""),
        ("0a04 0801 100f", "\"0001-01-01T00:00:00\""),
        ("0a04 0802 100f", "\"9999-12-31T23:59:59.9999999\""),
        ("0a06 0804 1003 1801", "\"1970-01-01T00:00:02Z\""),
        ("0a04 0803 1005", "\"1969-12-31T23:59:59.9999998\""),
        ("0a00", "\"1970-01-01T00:00:00\""),
    ] {
        assert_eq!(shown("protobuf", "datetime", unhex(bytes)), text);
    }
    assert_eq!(
        shown("protobuf", "datetime", unhex("0a04 0802 1009")),
        "at byte 2: unit of a time 9 is out of range"
    );
    let beyond = i128::from(i64::MAX) * 10_000_000 + 621_355_968_000_000_000;
    let error = format!("at byte 0: time {beyond} is out of range");
    assert_eq!(shown("messagepack", "", unhex("c70cff 00000000 7fffffffffffffff")), error);
}

#[test]
fn what_json_has_no_form_for_is_shown_all_the_same() {
    assert_eq!(shown("messagepack", "", unhex("c403 0001ff")), r#"{"base64":"AAH/"}"#);
    assert_eq!(shown("messagepack", "", unhex("d40501")), r#"{"extension":5,"bytes":{"base64":"AQ=="}}"#);
    assert_eq!(
        shown("messagepack", "", unhex("83 01 c0 c3 ff cb3ff8000000000000 a161")),
        r#"{"1":null,"true":-1,"1.5":"a"}"#
    );
    assert_eq!(shown("messagepack", "", unhex("81 90 c0")), "at byte 1: a key that is no text and no number");
    assert_eq!(shown("messagepack", "", unhex("ca7fc00000")), "\"NaN\"");
    assert_eq!(shown("messagepack", "", unhex("cf ffffffffffffffff")), "18446744073709551615");
}

#[test]
fn pairs_of_scalars_lie_in_memory_pack_as_in_memory() {
    let bytes = unhex("01000000 07000000 eeeeeeee 0900000000000000");
    assert_eq!(shown("memorypack", "map<i32,i64>", bytes), r#"{"7":9}"#);
    let bytes = unhex("01000000 0900000000000000 07 eeeeeeeeeeeeee");
    assert_eq!(shown("memorypack", "map<i64,u8>", bytes), r#"{"9":7}"#);
    let bytes = unhex("01000000 01000000 07000000 01 eeeeee 33221100554477668899aabbccddeeff");
    let guid = r#"{"1":"00112233-4455-6677-8899-aabbccddeeff"}"#;
    assert_eq!(shown("memorypack", "map<i32,guid?>", [&bytes[..8], &bytes[12..]].concat()), guid);
    let unknown = "MemoryPack: how a datetime lies in something larger is up to .NET";
    assert_eq!(shown("memorypack", "datetime?", vec![0; 16]), format!("at byte 0: {unknown}"));
    assert_eq!(shown("memorypack", "map<i32,datetime>", vec![0; 16]), format!("at byte 4: {unknown}"));
}

#[test]
fn values_of_another_type_are_errors_with_their_place() {
    for (name, value_type, bytes, error) in [
        ("memorypack", "i64", "01000000", "at byte 0: the bytes end 4 too early"),
        ("memorypack", "u8", "0100", "at byte 1: 1 bytes follow the end"),
        ("memorypack", "bool", "02", "at byte 0: bool begins with 0x02"),
        ("memorypack", "bool?", "0202", "at byte 0: presence begins with 0x02"),
        ("memorypack", "string", "feffffff 01000000 ff", "at byte 8: text is not UTF-8"),
        ("memorypack", "string", "01000000 00d8", "at byte 0: text is not UTF-8"),
        ("memorypack", "list<i64>", "fe ff ff ff", "at byte 0: elements of -2"),
        ("memorypack", "list<i64>", "ffffff7f 00", "at byte 0: the bytes end 2147483646 too early"),
        ("memorypack", "{a:i32}", "02 00000000", "at byte 0: object begins with 0x02"),
        ("protobuf", "i32", "088080808010", "at byte 0: number 4294967296 is out of range"),
        ("protobuf", "u8", "08ff03", "at byte 0: number 511 is out of range"),
        ("protobuf", "i32", "0a0101", "at byte 0: number begins with 0x0a"),
        ("protobuf", "string", "0801", "at byte 0: text begins with 0x08"),
        ("protobuf", "string", "0a01ff", "at byte 2: text is not UTF-8"),
        (
            "protobuf",
            "list<list<i32>>",
            "0801",
            "at byte 0: protobuf-net writes no list or map directly in a list or map",
        ),
        ("protobuf", "{a:{b:i32}}", "0a07 0a05 0d00000000", "at byte 4: number begins with 0x0d"),
        ("protobuf", "i32", "08ffffffffffffffffff02", "at byte 1: a varint exceeds 64 bits"),
        ("messagepack", "", "c1", "at byte 0: MessagePack begins with 0xc1"),
        ("messagepack", "", "92c0", "at byte 0: the bytes end 1 too early"),
        ("messagepack", "", "c0c0", "at byte 1: 1 bytes follow the end"),
    ] {
        assert_eq!(shown(name, value_type, unhex(bytes)), error, "{value_type} by {name}");
    }
}

#[test]
fn protobuf_without_a_type_is_guessed() {
    for (bytes, guess) in [
        ("", "null"),
        ("082a", "42"),
        ("08ffffffffffffffffff01", "-1"),
        ("0a0161", "\"a\""),
        ("0a01ff", r#"{"base64":"/w=="}"#),
        ("0801 0802", "[1,2]"),
        ("09 000000000000f83f", "1.5"),
        ("0d 0000c03f", "1.5"),
        ("0b 0c", r#"{"base64":"DA=="}"#),
    ] {
        assert_eq!(shown("protobuf", "", unhex(bytes)), guess, "{bytes}");
    }
}

#[test]
fn packed_lists_are_lists() {
    assert_eq!(shown("protobuf", "list<i32>", unhex("0a03 01 02 03 0804")), "[1,2,3,4]");
    assert_eq!(shown("protobuf", "list<f32>", unhex("0a08 0000c03f 0000c03f")), "[1.5,1.5]");
    assert_eq!(shown("protobuf", "list<u8>", unhex("0a02 01 ff")), "at byte 4: the bytes end 1 too early");
}

#[test]
fn nothing_nests_deeper_than_is_read() {
    let nested = |levels: usize| [vec![0x91; levels], vec![0xc0]].concat();
    assert_eq!(shown("messagepack", "", nested(64)), format!("{}null{}", "[".repeat(64), "]".repeat(64)));
    assert_eq!(shown("messagepack", "", nested(65)), "at byte 64: nested deeper than 64 levels");
    let groups = |levels: usize| [vec![0x0b; levels], vec![0x0c; levels]].concat();
    assert!(shown("protobuf", "", groups(64)).starts_with("{\"base64\""));
    assert_eq!(shown("protobuf", "", groups(65)), "at byte 64: nested deeper than 64 levels");
}

#[test]
fn a_type_cannot_make_more_json_than_the_limit() {
    let names: Vec<String> = (0..200).map(|member| format!("n{member:012}:i32")).collect();
    let value_type: ValueType = format!("list<{{{}}}>", names.join(",")).parse().expect("a type");
    let empty = ValueForm(unhex("0a00").repeat(100_000).into());
    let error = value_json(&Format::ProtobufNet, Some(&value_type), &empty).expect_err("each takes 5 kB");
    let limit = VALUE_JSON_BYTES_MAX;
    assert!(
        matches!(error.kind, DecodeErrorKind::TooLarge { bytes, .. } if bytes < limit + 10_000),
        "{error}"
    );
}
