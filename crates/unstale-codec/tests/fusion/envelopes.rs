//! Envelopes: those of real nodes, and what their readers take.

use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};
use unstale_codec::fusion::{
    DecodeErrorKind, EncodeError, Envelope, Format, Metadata, TAGS_MAX, Text, Ticks, ValueForm, ValueType,
    value_json,
};

use crate::captured::{Captured, envelopes};
use crate::{decode, encode, hex, unhex};

/// An envelope as the captured records print it, its value apart.
pub(crate) fn printed(envelope: &Envelope) -> Value {
    let ticks = |ticks: Option<Ticks>| ticks.map(|ticks| ticks.0);
    json!({
        "timestamp_ticks": envelope.timestamp.0,
        "logical_expiration_ticks": envelope.logical_expiration.0,
        "tags": envelope.tags.as_ref().map(|tags| tags.iter().map(Text::as_str).collect::<Vec<_>>()),
        "metadata": envelope.metadata.as_ref().map(|metadata| json!({
            "is_stale": metadata.is_stale,
            "eager_expiration_ticks": ticks(metadata.eager_expiration),
            "etag": metadata.etag.as_ref().map(Text::as_str),
            "last_modified_ticks": ticks(metadata.last_modified),
            "size": metadata.size,
            "priority": metadata.priority,
        })),
    })
}

/// The value as the record prints it and as ours does.
fn values(captured: &Captured, envelope: &Envelope) -> (Value, Value) {
    let value_type: ValueType =
        captured.record["value_type"].as_str().expect("a type").parse().expect("known");
    let shown = value_json(&captured.format, Some(&value_type), &envelope.value);
    let shown = shown.unwrap_or_else(|error| panic!("{}: {error}", captured.name()));
    let shown = serde_json::from_str(&shown).expect("it is JSON");
    let printed = captured.record["entry"]["value"].clone();
    let is_stored = captured.record.get("fields").is_some();
    let keeps_kinds = !matches!(captured.format, Format::MessagePack | Format::ProtobufNet);
    if is_stored || keeps_kinds { (printed, shown) } else { (without_zones(printed), without_zones(shown)) }
}

/// Records of envelopes alone print the value that was given to the serializer. MessagePack and protobuf-net do not keep whether
/// a time was said to be UTC.
fn without_zones(value: Value) -> Value {
    match value {
        Value::Array(elements) => elements.into_iter().map(without_zones).collect(),
        Value::Object(mut members) => {
            if let Some(Value::String(born)) = members.get_mut("Born") {
                *born = born.trim_end_matches('Z').to_owned();
            }
            Value::Object(members)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

/// Equal, where 0 and 0.0 are the same number.
fn is_same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            left == right || left.as_f64() == right.as_f64() && (left.is_f64() || right.is_f64())
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| is_same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            let same = |(name, left)| right.get(name).is_some_and(|right| is_same(left, right));
            left.len() == right.len() && left.iter().all(same)
        }
        _ => left == right,
    }
}

#[test]
fn every_captured_envelope_decodes_to_its_fields_and_encodes_to_its_bytes() {
    let test = "every_captured_envelope_decodes_to_its_fields_and_encodes_to_its_bytes";
    let Some(all) = envelopes(test) else { return };
    assert_eq!(all.len(), 139 + 240);
    for captured in &all {
        let envelope = decode(&captured.format, captured.bytes.clone());
        let mut expected = captured.record["entry"].clone();
        expected.as_object_mut().and_then(|entry| entry.remove("value")).expect("a value");
        assert_eq!(printed(&envelope), expected, "{}", captured.name());
        let (given, shown) = values(captured, &envelope);
        assert!(is_same(&given, &shown), "{}: {given} is shown as {shown}", captured.name());
        assert_eq!(hex(&encode(&captured.format, &envelope)), hex(&captured.bytes), "{}", captured.name());
    }
}

#[test]
fn every_captured_envelope_cut_anywhere_is_an_error_or_lacks_later_fields_only() {
    let test = "every_captured_envelope_cut_anywhere_is_an_error_or_lacks_later_fields_only";
    let Some(all) = envelopes(test) else { return };
    for captured in &all {
        let whole = decode(&captured.format, captured.bytes.clone());
        let length = captured.bytes.len();
        // The long ones are cut near their ends alone.
        for cut in (0..length).filter(|cut| *cut < 500 || length - cut < 500) {
            let bytes = captured.bytes.slice(..cut);
            match Envelope::decode(&captured.format, bytes) {
                Err(error) => assert!(error.offset <= cut, "{} cut to {cut}: {error}", captured.name()),
                Ok(shorter) => {
                    assert_eq!(captured.format, Format::ProtobufNet, "{} cut to {cut}", captured.name());
                    assert!(lacks_only(&shorter, &whole), "{} cut to {cut}: {shorter:?}", captured.name());
                }
            }
        }
    }
}

/// Whether every field of `shorter` is that of `whole` or was left out. Only protobuf does not say where a message ends.
fn lacks_only(shorter: &Envelope, whole: &Envelope) -> bool {
    let or_zero = |shorter: Ticks, whole: Ticks| shorter == whole || shorter == Ticks(0);
    let (tags, all) = (shorter.tags.iter().flatten(), whole.tags.iter().flatten());
    whole.value.0.starts_with(&shorter.value.0)
        && or_zero(shorter.timestamp, whole.timestamp)
        && or_zero(shorter.logical_expiration, whole.logical_expiration)
        && tags.zip(all).all(|(tag, all)| tag == all)
        && (shorter.metadata.is_none() || shorter.metadata == whole.metadata)
}

/// An envelope with everything.
pub(crate) fn full(value: &'static [u8]) -> Envelope {
    Envelope {
        value: ValueForm(Bytes::from_static(value)),
        timestamp: Ticks(639_028_224_010_000_000),
        logical_expiration: Ticks(639_028_224_310_000_000),
        tags: Some(vec!["x".into(), "é \"".into()]),
        metadata: Some(Metadata {
            is_stale: true,
            eager_expiration: Some(Ticks(7)),
            etag: Some("\"e\"".into()),
            last_modified: Some(Ticks(-1)),
            size: Some(i64::MIN),
            priority: Some(3),
        }),
    }
}

#[test]
fn what_a_later_version_adds_is_skipped() {
    let system = br#"{"$id":"1","Value":{"a":[1]},"New":{"deep":[[{}]]},"Timestamp":5,"Metadata":{"More":[1,2],"Size":3}}"#;
    let newtonsoft = br#"{"$type":"x, y","v":{"a":[1]},"new":[],"t":5,"m":{"q":{},"z":3}}"#;
    let message_pack = unhex(
        "86 a16e 82 01 c0 a161 93 01 c0 c7 01 05 ff a176 81 a161 91 01 07 a0 a174 05 a0 c0 a16d 82 a371 71 71 c4 01 ff a17a 03",
    );
    let protobuf = unhex(
        "0a03 616263 12 04 2803 7801 1805 9a06 02 ffff 5b 0a00 5b 5c 5c 51 0102030405060708 55 01020304",
    );
    for (format, bytes, value) in [
        (Format::SystemTextJson, Bytes::from_static(system), &br#"{"a":[1]}"#[..]),
        (Format::Newtonsoft, Bytes::from_static(newtonsoft), br#"{"a":[1]}"#),
        (Format::MessagePack, message_pack, &[0x81, 0xa1, 0x61, 0x91, 0x01]),
        (Format::ProtobufNet, protobuf, b"\x0a\x03abc"),
    ] {
        let envelope = decode(&format, bytes);
        let expected = Envelope {
            value: ValueForm(Bytes::from_static(value)),
            timestamp: Ticks(5),
            metadata: Some(Metadata { size: Some(3), ..Metadata::default() }),
            ..Envelope::default()
        };
        assert_eq!(envelope, expected, "{format:?}");
    }
}

#[test]
fn what_is_missing_has_its_default() {
    for (format, bytes) in [
        (Format::SystemTextJson, &b" {\"Tags\":null} "[..]),
        (Format::Newtonsoft, b"{}"),
        (Format::MessagePack, &[0x80]),
        // A field that nobody knows.
        (Format::ProtobufNet, &[0x78, 0x00]),
    ] {
        assert_eq!(decode(&format, bytes), Envelope::default(), "{format:?}");
        assert_eq!(value_json(&format, None, &ValueForm::default()), Ok("null".into()));
    }
}

#[test]
fn of_what_occurs_twice_the_last_counts() {
    let json = br#"{"Timestamp":1,"Value":1,"Tags":["a"],"Timestamp":2,"Value":2,"Tags":["b"]}"#;
    let envelope = decode(&Format::SystemTextJson, &json[..]);
    assert_eq!((envelope.timestamp, &envelope.value.0[..]), (Ticks(2), &b"2"[..]));
    assert_eq!(envelope.tags, Some(vec!["b".into()]));
    let pack = decode(&Format::MessagePack, unhex("83 a174 01 a176 c0 a174 02"));
    assert_eq!(pack.timestamp, Ticks(2));
}

#[test]
fn fields_of_a_value_that_lie_apart_are_joined() {
    let envelope = decode(&Format::ProtobufNet, unhex("0801 0802 1805 0803 0804"));
    assert_eq!(envelope.value, ValueForm(unhex("0801 0802 0803 0804")));
    let list = "list<i32>".parse().ok();
    assert_eq!(value_json(&Format::ProtobufNet, list.as_ref(), &envelope.value), Ok("[1,2,3,4]".into()));
}

#[test]
fn older_writers_leave_out_zeros_in_protobuf() {
    let envelope = decode(&Format::ProtobufNet, unhex("1200"));
    assert_eq!(envelope.metadata, Some(Metadata::default()));
    assert_eq!(hex(&encode(&Format::ProtobufNet, &envelope)), "120018002800");
}

#[test]
fn texts_of_memory_pack_are_also_read_in_utf_16() {
    let format = Format::MemoryPack(ValueType::Text);
    let utf_8 = unhex("05 fdffffff 01000000 c3a9 0500000000000000 0600000000000000 ffffffff ff");
    let unsaid = unhex("05 fdffffff ffffffff c3a9 0500000000000000 0600000000000000 ffffffff ff");
    let utf_16 = unhex("05 01000000 e900 0500000000000000 0600000000000000 ffffffff ff");
    for bytes in [utf_8, unsaid, utf_16] {
        let envelope = decode(&format, bytes);
        assert_eq!(value_json(&format, None, &envelope.value), Ok("\"é\"".into()));
        assert_eq!(envelope.timestamp, Ticks(5));
    }
    let wrong_length = ValueForm(unhex("fdffffff 02000000 c3a9"));
    assert!(value_json(&format, None, &wrong_length).is_err_and(|error| error.offset == 4));
}

#[test]
fn values_are_slices_and_are_taken_through_as_they_are() {
    for (format, value) in [
        (Format::SystemTextJson, &b"{ \"odd\" : [ 1.50 ] }"[..]),
        (Format::Newtonsoft, b"\"\\u0041\""),
        (Format::MessagePack, &[0xd9, 0x01, 0x61]),
        (Format::MemoryPack("i32".parse().expect("a type")), &[1, 2, 3, 4]),
        (Format::ProtobufNet, &[0x0d, 1, 2, 3, 4, 0x0a, 0x81, 0x00, 0xff]),
    ] {
        let envelope = full(value);
        let bytes = encode(&format, &envelope);
        let within = bytes.as_ptr_range();
        let back = decode(&format, bytes);
        assert_eq!(back, envelope, "{format:?}");
        assert!(within.contains(&back.value.0.as_ptr()), "{format:?} copied the value");
    }
}

#[test]
fn a_value_that_is_left_out_is_written_as_each_serializer_writes_it() {
    let absent = Envelope { timestamp: Ticks(1), ..Envelope::default() };
    let json = br#"{"Value":null,"Timestamp":1,"LogicalExpirationTimestamp":0,"Tags":null,"Metadata":null}"#;
    assert_eq!(encode(&Format::SystemTextJson, &absent), &json[..]);
    assert_eq!(encode(&Format::Newtonsoft, &absent), &br#"{"t":1}"#[..]);
    assert_eq!(hex(&encode(&Format::MessagePack, &absent)), "85a176c0a17401a16c00a178c0a16dc0");
    assert_eq!(hex(&encode(&Format::ProtobufNet, &absent)), "18012800");
    let refused = absent.encode(&Format::MemoryPack(ValueType::Text), &mut BytesMut::new());
    assert_eq!(refused, Err(EncodeError::NoValue));
}

#[test]
fn more_tags_than_are_read_are_not_written() {
    let tags = |count: usize| Envelope { tags: Some(vec!["t".into(); count]), ..full(b"1") };
    for format in [Format::SystemTextJson, Format::Newtonsoft, Format::MessagePack, Format::ProtobufNet] {
        let mut out = BytesMut::from(&b"before"[..]);
        let error = EncodeError::TooMany { what: "tags", count: TAGS_MAX + 1, limit: TAGS_MAX };
        assert_eq!(tags(TAGS_MAX + 1).encode(&format, &mut out), Err(error));
        assert_eq!(&out[..], b"before");
        let value: &[u8] = if format == Format::ProtobufNet { &[0x08, 1] } else { b"1" };
        let most = Envelope { value: ValueForm(value.to_vec().into()), ..tags(TAGS_MAX) };
        assert_eq!(decode(&format, encode(&format, &most)), most);
    }
}

#[test]
fn nothing_is_no_envelope_and_nothing_may_follow_one() {
    for (format, bytes) in [
        (Format::SystemTextJson, &b"{}{"[..]),
        (Format::MessagePack, &[0x80, 0xc0]),
        (
            Format::MemoryPack("u8".parse().expect("a type")),
            &[5, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 0],
        ),
    ] {
        let empty = Envelope::decode(&format, Bytes::new()).expect_err("it is empty");
        assert_eq!((empty.offset, empty.kind), (0, DecodeErrorKind::Empty("envelope")));
        let trailing = Envelope::decode(&format, bytes.into()).expect_err("something follows");
        assert_eq!(trailing.offset, bytes.len() - 1, "{trailing}");
        assert!(Envelope::decode(&format, bytes[..bytes.len() - 1].into()).is_ok());
    }
}
