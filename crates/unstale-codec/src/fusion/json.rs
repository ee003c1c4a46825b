//! Envelopes of System.Text.Json and of Newtonsoft.Json.

mod escape;
mod visitor;

use std::fmt::Write as _;

use bytes::{Bytes, BytesMut};
use serde::de::DeserializeSeed;

use super::envelope::{Envelope, Metadata};
use super::error::{DecodeError, DecodeErrorKind, error};
use super::text::Text;

pub(super) use escape::{Escapes, put_text};

use visitor::EnvelopeSeed;

/// The names of an envelope's properties.
pub(super) struct Properties {
    value: &'static str,
    timestamp: &'static str,
    logical_expiration: &'static str,
    tags: &'static str,
    metadata: &'static str,
    is_stale: &'static str,
    eager_expiration: &'static str,
    etag: &'static str,
    last_modified: &'static str,
    size: &'static str,
    priority: &'static str,
}

pub(super) const SYSTEM_TEXT_JSON: Properties = Properties {
    value: "Value",
    timestamp: "Timestamp",
    logical_expiration: "LogicalExpirationTimestamp",
    tags: "Tags",
    metadata: "Metadata",
    is_stale: "IsStale",
    eager_expiration: "EagerExpirationTimestamp",
    etag: "ETag",
    last_modified: "LastModifiedTimestamp",
    size: "Size",
    priority: "Priority",
};

pub(super) const NEWTONSOFT: Properties = Properties {
    value: "v",
    timestamp: "t",
    logical_expiration: "l",
    tags: "x",
    metadata: "m",
    is_stale: "s",
    eager_expiration: "e",
    etag: "t",
    last_modified: "m",
    size: "z",
    priority: "p",
};

/// What serde says of a wrong text may hold all of it.
const REASON_BYTES_MAX: usize = 200;

pub(super) fn decode(properties: &'static Properties, bytes: &Bytes) -> Result<Envelope, DecodeError> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let seed = EnvelopeSeed { properties, bytes };
    let envelope = seed.deserialize(&mut deserializer);
    envelope
        .and_then(|envelope| deserializer.end().map(|()| envelope))
        .map_err(|wrong| located(&wrong, bytes))
}

/// The integer that a value is.
pub(super) fn number(value: &Bytes) -> Result<i64, DecodeError> {
    serde_json::from_slice(value).map_err(|wrong| located(&wrong, value))
}

/// The error with an offset instead of a line and a column.
pub(super) fn located(wrong: &serde_json::Error, bytes: &[u8]) -> DecodeError {
    let line = wrong.line().saturating_sub(1);
    let newlines = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    let start = std::iter::once(0).chain(newlines).nth(line).unwrap_or(0);
    let offset = (start + wrong.column().saturating_sub(1)).min(bytes.len());
    let mut reason = wrong.to_string();
    // It ends in ` at line 1 column 2`.
    reason.truncate(reason.rfind(" at line ").unwrap_or(reason.len()));
    if reason.len() > REASON_BYTES_MAX {
        let end = (0..=REASON_BYTES_MAX).rev().find(|end| reason.is_char_boundary(*end));
        reason.truncate(end.unwrap_or(0));
    }
    error(offset, DecodeErrorKind::Json(reason.into()))
}

pub(super) fn encode_system_text_json(envelope: &Envelope, out: &mut BytesMut) {
    let mut object = Object::begin(out, Escapes::SystemTextJson);
    let names = &SYSTEM_TEXT_JSON;
    object.value(names.value, &envelope.value.0);
    object.number(names.timestamp, Some(envelope.timestamp.0));
    object.number(names.logical_expiration, Some(envelope.logical_expiration.0));
    object.tags(names.tags, envelope.tags.as_deref());
    match &envelope.metadata {
        None => object.raw(names.metadata, "null"),
        Some(metadata) => object.nested(names.metadata, |object| {
            let Metadata { is_stale, eager_expiration, etag, last_modified, size, priority } = metadata;
            object.raw(names.is_stale, if *is_stale { "true" } else { "false" });
            object.number(names.eager_expiration, eager_expiration.map(|ticks| ticks.0));
            object.text(names.etag, etag.as_ref());
            object.number(names.last_modified, last_modified.map(|ticks| ticks.0));
            object.number(names.size, *size);
            object.number(names.priority, priority.map(i64::from));
        }),
    }
    object.end();
}

/// Defaults are left out; a nullable that holds 0 is none.
pub(super) fn encode_newtonsoft(envelope: &Envelope, out: &mut BytesMut) {
    let mut object = Object::begin(out, Escapes::Newtonsoft);
    let names = &NEWTONSOFT;
    if !envelope.value.0.is_empty() {
        object.value(names.value, &envelope.value.0);
    }
    for (name, ticks) in
        [(names.timestamp, envelope.timestamp), (names.logical_expiration, envelope.logical_expiration)]
    {
        if ticks.0 != 0 {
            object.number(name, Some(ticks.0));
        }
    }
    if envelope.tags.is_some() {
        object.tags(names.tags, envelope.tags.as_deref());
    }
    if let Some(metadata) = &envelope.metadata {
        object.nested(names.metadata, |object| {
            let Metadata { is_stale, eager_expiration, etag, last_modified, size, priority } = metadata;
            if *is_stale {
                object.raw(names.is_stale, "true");
            }
            object.present(names.eager_expiration, eager_expiration.map(|ticks| ticks.0));
            if etag.is_some() {
                object.text(names.etag, etag.as_ref());
            }
            object.present(names.last_modified, last_modified.map(|ticks| ticks.0));
            object.present(names.size, *size);
            object.present(names.priority, priority.map(i64::from));
        });
    }
    object.end();
}

pub(super) fn put_number(number: i64, out: &mut BytesMut) {
    // Memory takes every write.
    let _ = write!(out, "{number}");
}

/// A JSON object that is being written, compactly.
struct Object<'a> {
    out: &'a mut BytesMut,
    escapes: Escapes,
    /// What comes before the next name.
    before: u8,
}

impl<'a> Object<'a> {
    fn begin(out: &'a mut BytesMut, escapes: Escapes) -> Self {
        Self { out, escapes, before: b'{' }
    }

    /// The names here need no escapes.
    fn name(&mut self, name: &str) {
        self.out.extend_from_slice(&[self.before, b'"']);
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.before = b',';
    }

    fn raw(&mut self, name: &str, json: &str) {
        self.name(name);
        self.out.extend_from_slice(json.as_bytes());
    }

    fn value(&mut self, name: &str, value: &[u8]) {
        self.name(name);
        self.out.extend_from_slice(if value.is_empty() { b"null" } else { value });
    }

    fn number(&mut self, name: &str, number: Option<i64>) {
        match number {
            None => self.raw(name, "null"),
            Some(number) => {
                self.name(name);
                put_number(number, self.out);
            }
        }
    }

    /// A number, if there is one.
    fn present(&mut self, name: &str, number: Option<i64>) {
        if number.is_some() {
            self.number(name, number);
        }
    }

    fn text(&mut self, name: &str, text: Option<&Text>) {
        match text {
            None => self.raw(name, "null"),
            Some(text) => {
                self.name(name);
                put_text(text.as_str(), self.escapes, self.out);
            }
        }
    }

    fn tags(&mut self, name: &str, tags: Option<&[Text]>) {
        let Some(tags) = tags else { return self.raw(name, "null") };
        self.name(name);
        self.out.extend_from_slice(b"[");
        for (index, tag) in tags.iter().enumerate() {
            if index > 0 {
                self.out.extend_from_slice(b",");
            }
            put_text(tag.as_str(), self.escapes, self.out);
        }
        self.out.extend_from_slice(b"]");
    }

    fn nested(&mut self, name: &str, write: impl FnOnce(&mut Object<'_>)) {
        self.name(name);
        let mut inner = Object::begin(self.out, self.escapes);
        write(&mut inner);
        inner.end();
    }

    fn end(self) {
        if self.before == b'{' {
            self.out.extend_from_slice(b"{");
        }
        self.out.extend_from_slice(b"}");
    }
}
