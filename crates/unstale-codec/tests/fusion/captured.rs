//! Envelopes that were captured from real .NET nodes.

use serde_json::Value;
use unstale_codec::fusion::Format;

use crate::records::records;

/// One captured envelope: alone, or in a hash of Redis.
pub(crate) struct Captured {
    /// The record it comes from.
    pub(crate) record: Value,
    pub(crate) format: Format,
    pub(crate) bytes: bytes::Bytes,
}

impl Captured {
    /// Where it is from, for whoever has to look.
    pub(crate) fn name(&self) -> String {
        format!("{} by {}, a {}", self.record["case"], self.record["serializer"], self.record["value_type"])
    }
}

/// All captured envelopes.
pub(crate) fn envelopes(test: &str) -> Option<Vec<Captured>> {
    let alone = records(test, "envelopes.json")?.into_iter().map(|record| (record["hex"].clone(), record));
    let stored = records(test, "second_level.json")?
        .into_iter()
        .map(|record| (record["fields"]["data"].clone(), record));
    let captured = |(hex, record): (Value, Value)| {
        let format = format(&record);
        let bytes = crate::unhex(hex.as_str().expect("hexadecimal digits"));
        Captured { record, format, bytes }
    };
    Some(alone.chain(stored).map(captured).collect())
}

pub(crate) fn format(record: &Value) -> Format {
    let value_type = record["value_type"].as_str().expect("a type").parse();
    match record["serializer"].as_str().expect("a serializer") {
        "System.Text.Json" => Format::SystemTextJson,
        "Newtonsoft.Json" => Format::Newtonsoft,
        "MessagePack" => Format::MessagePack,
        "MemoryPack" => Format::MemoryPack(value_type.expect("a type that is known")),
        "protobuf-net" => Format::ProtobufNet,
        other => panic!("unknown serializer {other}"),
    }
}
