//! The hash of an entry in Redis, and marks.

use std::time::Duration;

use bytes::Bytes;
use unstale_codec::fusion::{
    DecodeErrorKind, Format, MARK_FRESH, MARK_KEPT, Mark, Stored, Subject, Ticks, absolute_expiration,
};

use crate::captured::format;
use crate::names::names_of_case;
use crate::records::records;
use crate::{decode, encode, hex, unhex};

#[test]
fn every_captured_hash_has_the_names_fields_and_life_that_ours_would_have() {
    let test = "every_captured_hash_has_the_names_fields_and_life_that_ours_would_have";
    let Some(records) = records(test, "second_level.json") else { return };
    assert_eq!(records.len(), 240);
    let mut marks = 0;
    for record in &records {
        let what = format!("{} by {}", record["case"], record["serializer"]);
        let field = |name: &str| record["fields"][name].as_str().expect("a field").to_owned();
        let data = unhex(&field("data"));
        let fields = [Some(field("absexp").into()), Some(field("sldexp").into()), Some(data.clone())];
        let stored =
            Stored::from_fields(fields.clone()).expect("the fields are decimal").expect("there is data");
        assert_eq!(stored.sliding, None);
        assert_eq!(stored.fields().map(|(_, value)| Some(value)), fields, "{what}");

        let names = names_of_case(record["case"].as_str().expect("a case"));
        let store_key = record["redis_key"].as_str().expect("a key");
        let cache_key = names.cache_key_of(store_key).unwrap_or_else(|| panic!("{what}: {store_key}"));
        assert_eq!(names.store_key(cache_key), store_key);
        let format = format(record);
        let envelope = decode(&format, data.clone());
        let absolute = stored.absolute.expect("an end");
        check_life(absolute, envelope.timestamp, &stored, record["pttl_seconds_rounded"].as_u64(), &what);
        if let Some(Subject::Key(key)) = names.subject(cache_key) {
            assert!(key.starts_with(record["cache_key"].as_str().expect("a key")), "{what}: {key}");
        } else {
            marks += 1;
            let mark = Mark::of(&format, &envelope).expect("a mark's value is a number");
            assert_eq!(record["entry"]["value"], mark.value.0, "{what}");
            assert!(mark.timestamp.since(mark.value) < Duration::from_millis(1), "{what}");
            assert_eq!(hex(&encode(&format, &mark.envelope(&format))), hex(&data), "{what}");
            assert_eq!(envelope.logical_expiration, mark.timestamp.plus(MARK_FRESH));
            assert_eq!(absolute.since(mark.timestamp).as_secs(), MARK_KEPT.as_secs(), "{what}");
        }
    }
    assert_eq!(marks, 45);
}

/// The hash ends a whole number of seconds after an instant shortly after the value was made, and Redis was given what was left
/// of it when the command was built.
fn check_life(absolute: Ticks, made: Ticks, stored: &Stored, life: Option<u64>, what: &str) {
    let seconds = absolute.since(made).as_secs();
    let written = Ticks(absolute.0 - seconds.cast_signed() * 10_000_000);
    if absolute == Ticks::MAX {
        assert_eq!(stored.expire_seconds(made), life, "{what}");
        return;
    }
    let lasting = Duration::from_secs(seconds);
    assert_eq!(absolute_expiration(written, lasting, None), absolute, "{what}");
    assert!(written.since(made) < Duration::from_secs(1), "{what}: {written} after {made}");
    let command = written.plus(Duration::from_micros(1));
    let left = stored.expire_seconds(command).expect("it ends");
    // One case was looked at a second later.
    let later = u64::from(what.starts_with("\"stale after"));
    assert_eq!(Some(left - later), life, "{what}");
}

#[test]
fn an_entry_ends_after_the_longer_of_its_duration_and_fail_safe() {
    let now = Ticks(639_028_224_010_000_000);
    let seconds = Duration::from_secs;
    assert_eq!(absolute_expiration(now, seconds(30), None), now.plus(seconds(30)));
    assert_eq!(absolute_expiration(now, seconds(30), Some(seconds(3_600))), now.plus(seconds(3_600)));
    assert_eq!(absolute_expiration(now, seconds(30), Some(seconds(1))), now.plus(seconds(30)));
    assert_eq!(absolute_expiration(now, Duration::MAX, None), Ticks::MAX);
    let short = Stored::new(absolute_expiration(now, Duration::from_millis(999), None), Bytes::new());
    assert_eq!(short.expire_seconds(now), Some(0), "which deletes the key");
    assert_eq!(short.expire_seconds(Ticks::MAX), Some(0));
}

#[test]
fn a_hash_is_read_as_dotnet_reads_it() {
    let field = |text: &'static str| Some(Bytes::from_static(text.as_bytes()));
    let only_data = Stored { absolute: None, sliding: None, data: "d".into() };
    assert_eq!(Stored::from_fields([None, None, field("d")]), Ok(Some(only_data.clone())));
    assert_eq!(Stored::from_fields([field("-1"), field("-1"), field("d")]), Ok(Some(only_data.clone())));
    assert_eq!(only_data.expire_seconds(Ticks(0)), None);
    assert_eq!(Stored::from_fields([field("5"), field("-1"), None]), Ok(None), "a miss");
    let sliding = Stored::from_fields([field("600000000"), field("100000000"), field("d")]);
    let sliding = sliding.expect("decimal").expect("there is data");
    assert_eq!(sliding.expire_seconds(Ticks(0)), Some(10));
    assert_eq!(sliding.expire_seconds(Ticks(599_000_000)), Some(0));
    for (fields, name) in [
        ([field("x"), None, field("d")], "absexp"),
        ([None, field("9223372036854775808"), field("d")], "sldexp"),
        ([field(""), None, field("d")], "absexp"),
    ] {
        let error = Stored::from_fields(fields).expect_err("no decimal number");
        assert_eq!((error.offset, error.kind), (0, DecodeErrorKind::Decimal(name)));
    }
}

#[test]
fn a_mark_comes_back_in_every_format() {
    for value in [0, 1, 639_028_224_010_000_000, i64::MAX] {
        let mark = Mark { value: Ticks(value), timestamp: Ticks(639_028_224_010_000_057) };
        for format in [
            Format::SystemTextJson,
            Format::Newtonsoft,
            Format::MessagePack,
            Format::MemoryPack("Person".parse().expect("a type")),
            Format::ProtobufNet,
        ] {
            let format = Mark::format(&format);
            let back = Mark::of(&format, &decode(&format, encode(&format, &mark.envelope(&format))));
            assert_eq!(back, Ok(mark), "{format:?}");
        }
    }
}

#[test]
fn an_entry_that_is_no_mark_is_told_from_one() {
    for (format, value) in [
        (Format::SystemTextJson, &b"\"text\""[..]),
        (Format::Newtonsoft, b"1.5"),
        (Format::MessagePack, &[0xa1, 0x61]),
        (Format::MessagePack, &[0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        (Mark::format(&Format::MemoryPack("u8".parse().expect("a type"))), &[1]),
        (Format::ProtobufNet, b"\x0a\x01a"),
    ] {
        let envelope = crate::envelopes::full(value);
        assert!(Mark::of(&format, &envelope).is_err(), "{format:?}");
    }
}
