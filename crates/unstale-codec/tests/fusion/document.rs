//! The examples of docs/formats/fusion.md are what the code does.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Value, json};
use unstale_codec::fusion::{
    BackplaneMessage, ENVELOPE_BYTES_MAX, EXTENSION_BYTES_MAX, Format, MESSAGE_BYTES_MAX, Mark, Metadata,
    TAGS_MAX, Ticks, ValueType, extension, value_json,
};

use crate::envelopes::printed;
use crate::{decode, encode, encode_message, hex, unhex};

const DOCUMENT: &str = include_str!("../../../../docs/formats/fusion.md");

/// The blocks of the document that are fenced as `kind NAME`.
fn examples(kind: &str) -> BTreeMap<&'static str, String> {
    let mut examples = BTreeMap::new();
    let mut lines = DOCUMENT.lines();
    let fence = format!("```{kind} ");
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix(&fence) {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            let before = examples.insert(name, block.join("\n"));
            assert_eq!(before, None, "two examples are called {name}");
        }
    }
    examples
}

fn bytes_of(name: &str) -> Bytes {
    unhex(examples("hex").get(name).unwrap_or_else(|| panic!("no example {name}")))
}

fn json_of(name: &str) -> Value {
    serde_json::from_str(&examples("json")[name]).expect("it is JSON")
}

#[test]
fn the_message_is_what_the_document_says() {
    let bytes = bytes_of("message");
    let message = BackplaneMessage::decode(bytes.clone()).expect("it is a message");
    let said = json!({
        "source_id": message.source_id.as_str(),
        "timestamp_ticks": message.timestamp.0,
        "action": message.action as u8,
        "action_name": message.action.name(),
        "cache_key": message.cache_key.as_str(),
    });
    assert_eq!(said, json_of("message"));
    assert_eq!(encode_message(&message), bytes);
}

#[test]
fn the_extension_says_whose_act_it_is_and_which() {
    let message = BackplaneMessage::decode(bytes_of("extension")).expect("it is a message");
    let inner = extension(&message.rest).expect("it has an extension");
    let parts = [&[10; 16][..], &300_u64.to_le_bytes(), &[0]].concat();
    assert_eq!(inner, parts);
}

#[test]
fn the_envelopes_are_what_the_document_says() {
    let text = |name: &str| Bytes::from(examples("text")[name].clone());
    let said = json_of("envelope");
    for (format, bytes) in [
        (Format::SystemTextJson, text("system-text-json")),
        (Format::Newtonsoft, text("newtonsoft")),
        (Format::MemoryPack(ValueType::Text), bytes_of("memory-pack")),
        (Format::ProtobufNet, bytes_of("protobuf")),
    ] {
        let envelope = decode(&format, bytes.clone());
        let mut shown = printed(&envelope);
        let value = value_json(&format, None, &envelope.value).expect("it is a value");
        shown["value"] = serde_json::from_str(&value).expect("it is JSON");
        assert_eq!(shown, said, "{format:?}");
        assert_eq!(hex(&encode(&format, &envelope)), hex(&bytes), "{format:?}");
    }
    let bytes = bytes_of("message-pack");
    let envelope = decode(&Format::MessagePack, bytes.clone());
    let metadata = Metadata { is_stale: true, etag: Some("abc".into()), ..Metadata::default() };
    assert_eq!(envelope.metadata, Some(metadata));
    assert_eq!(envelope.tags, Some(vec!["x".into(), "y".into()]));
    assert_eq!(encode(&Format::MessagePack, &envelope), bytes);
}

#[test]
fn the_mark_is_what_the_document_says() {
    let mark = Mark { value: Ticks(639_028_224_010_000_000), timestamp: Ticks(639_028_224_010_000_057) };
    let bytes = encode(&Format::MessagePack, &mark.envelope(&Format::MessagePack));
    assert_eq!(hex(&bytes), hex(&bytes_of("mark")));
}

#[test]
fn the_limits_and_words_in_the_document_are_those_of_the_code() {
    for said in [
        format!("{} bytes", grouped(MESSAGE_BYTES_MAX)),
        format!("at most {}", grouped(EXTENSION_BYTES_MAX)),
        format!("{} bytes and {} tags", grouped(ENVELOPE_BYTES_MAX), grouped(TAGS_MAX)),
        format!("ends at {}", grouped(Ticks::MAX.0 as usize)),
        format!("`{}`", ValueType::PERSON),
    ] {
        assert!(DOCUMENT.contains(&said), "the document does not say {said:?}");
    }
}

/// A number as the document writes it: 1,048,576.
fn grouped(number: usize) -> String {
    let rest = number % 1_000;
    if number < 1_000 { rest.to_string() } else { format!("{},{rest:03}", grouped(number / 1_000)) }
}
