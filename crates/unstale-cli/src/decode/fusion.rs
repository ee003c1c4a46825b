//! Messages and entries of FusionCache, with the names of fields that docs/formats/fusion.md has.

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use unstale_codec::fusion::{
    BackplaneMessage, DecodeError, Envelope, Format, Metadata, Text, ValueType, extension, value_json,
};
use unstale_fusion::Ours;

use super::json::Json;
use super::{Refused, hex};

/// A message, and what follows its key: all of it as digits, and what a node of unstale says of itself there.
#[derive(Serialize)]
struct Message<'a> {
    source_id: &'a str,
    timestamp_ticks: i64,
    action: u8,
    action_name: &'static str,
    cache_key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extension: Option<Json>,
}

#[derive(Serialize)]
struct Entry<'a> {
    value: Box<RawValue>,
    timestamp_ticks: i64,
    logical_expiration_ticks: i64,
    tags: Option<Vec<&'a str>>,
    metadata: Option<EntryMetadata<'a>>,
}

#[derive(Serialize)]
struct EntryMetadata<'a> {
    is_stale: bool,
    eager_expiration_ticks: Option<i64>,
    etag: Option<&'a str>,
    last_modified_ticks: Option<i64>,
    size: Option<i64>,
    priority: Option<u8>,
}

impl From<DecodeError> for Refused {
    fn from(wrong: DecodeError) -> Self {
        Self { error: wrong.kind.to_string(), offset: wrong.offset }
    }
}

pub(super) fn message(bytes: Bytes) -> Result<String, Refused> {
    Ok(line(&fields(&BackplaneMessage::decode(bytes)?)))
}

/// What is said of a message.
pub(crate) fn fields(message: &BackplaneMessage) -> impl Serialize + '_ {
    let extension = extension(&message.rest).map(|inner| match Ours::behind(message) {
        Some(Ours { process, stamp, hops }) => Json::Object(vec![
            ("process", hex::digits(&process).into()),
            ("stamp", Json::Number(stamp)),
            ("hops", Json::Number(hops.into())),
        ]),
        None => Json::Object(vec![("hex", hex::digits(&inner).into())]),
    });
    Message {
        source_id: message.source_id.as_str(),
        timestamp_ticks: message.timestamp.0,
        action: message.action as u8,
        action_name: message.action.name(),
        cache_key: message.cache_key.as_str(),
        rest: (!message.rest.is_empty()).then(|| hex::digits(&message.rest)),
        extension,
    }
}

pub(super) fn envelope(
    format: &Format,
    value_type: Option<&ValueType>,
    bytes: &Bytes,
) -> Result<String, Refused> {
    let envelope = Envelope::decode(format, bytes.clone())?;
    let value = value_json(format, value_type, &envelope.value).map_err(|mut wrong| {
        wrong.offset += place(bytes, &envelope.value.0);
        wrong
    })?;
    let Metadata { is_stale, eager_expiration, etag, last_modified, size, priority } =
        envelope.metadata.clone().unwrap_or_default();
    let metadata = EntryMetadata {
        is_stale,
        eager_expiration_ticks: eager_expiration.map(|ticks| ticks.0),
        etag: etag.as_ref().map(Text::as_str),
        last_modified_ticks: last_modified.map(|ticks| ticks.0),
        size,
        priority,
    };
    Ok(line(&Entry {
        value: RawValue::from_string(value)
            .map_err(|wrong| Refused { error: wrong.to_string(), offset: place(bytes, &envelope.value.0) })?,
        timestamp_ticks: envelope.timestamp.0,
        logical_expiration_ticks: envelope.logical_expiration.0,
        tags: envelope.tags.as_ref().map(|tags| tags.iter().map(Text::as_str).collect()),
        metadata: envelope.metadata.is_some().then_some(metadata),
    }))
}

/// Where a value begins in its envelope; 0 for one whose parts lie apart there.
fn place(envelope: &Bytes, value: &Bytes) -> usize {
    let (envelope, value) = (envelope.as_ptr_range(), value.as_ptr());
    if envelope.contains(&value) { value.addr() - envelope.start.addr() } else { 0 }
}

fn line(fields: &impl Serialize) -> String {
    // Numbers, text, lists and objects always have a form in JSON.
    serde_json::to_string(fields).unwrap_or_default()
}
