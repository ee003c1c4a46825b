//! Entries: records of unstale in the envelopes of .NET, and back.

use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use unstale_codec::fusion::{Envelope, Format, Metadata, Text, Ticks, ValueForm, ValueType};
use unstale_port::{Error, Kind, Record, Retry};

use crate::clock::{micros_of, ticks};
use crate::replies::{Content, number};
use crate::settings::FusionSettings;

/// Our note on an entry, good only for the content that it was written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    /// When its load began, or when it was set: by the server's clock.
    pub(crate) began: u64,
    pub(crate) stamp: u64,
    pub(crate) version: Option<u64>,
    pub(crate) fresh_until: u64,
}

impl Note {
    /// The note of `content`, if it is on that very content. As `note_on` of the scripts.
    pub(crate) fn on(content: &Content) -> Option<Self> {
        let (absexp, data) = (content.absexp.as_ref()?, content.data.as_ref()?);
        let words: Vec<&[u8]> = content.note.as_ref()?.split(|byte| *byte == b' ').collect();
        let [b"1", for_absexp, length, _kind, began, stamp, version, fresh_until] = words[..] else {
            return None;
        };
        (for_absexp == &absexp[..] && number(length)? == data.len() as u64).then_some(())?;
        let version = if version.is_empty() { None } else { Some(number(version)?) };
        Some(Self {
            began: number(began)?,
            stamp: number(stamp)?,
            version,
            fresh_until: number(fresh_until)?,
        })
    }
}

/// An entry as it was found.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) envelope: Envelope,
    /// None if a foreign writer wrote it.
    pub(crate) note: Option<Note>,
}

impl Entry {
    /// The entry of a hash; nothing if there is none, or bytes that are no envelope of the cache's serializer, which is to
    /// .NET nodes an error.
    pub(crate) fn of(settings: &FusionSettings, content: &Content) -> Result<Option<Self>, Error> {
        let Some(data) = &content.data else { return Ok(None) };
        let envelope = Envelope::decode(&settings.format, data.clone()).map_err(|error| {
            // Its reason may quote the value, which is never logged.
            let detail =
                format!("the entry is no envelope of {:?} from byte {} on", settings.format, error.offset);
            Error::new(Kind::Rejected, Retry::Never, "decode", detail).with_source(error)
        })?;
        Ok(Some(Self { envelope, note: Note::on(content) }))
    }

    /// Its tags, as bytes.
    pub(crate) fn tags(&self) -> Vec<Bytes> {
        self.envelope.tags.iter().flatten().map(|tag| tag.as_bytes().clone()).collect()
    }

    /// The record, `left` before it ends, at `now` of the server's clock.
    pub(crate) fn record(self, settings: &FusionSettings, now: u64, left: Duration) -> Record {
        let tags = self.tags();
        let Envelope { value, timestamp, logical_expiration, metadata, .. } = self.envelope;
        let fresh_until = self.note.map_or_else(|| micros_of(logical_expiration), |note| note.fresh_until);
        let fresh_for = Duration::from_micros(fresh_until.saturating_sub(now)).min(left);
        let metadata = metadata.unwrap_or_default();
        Record {
            value: value_of(settings, value),
            stamp: self.note.map_or_else(|| micros_of(timestamp).max(1), |note| note.stamp),
            // Fail-safe of .NET made it fresh once more, which says nothing to ours.
            fresh_for: if metadata.is_stale { Duration::ZERO } else { fresh_for },
            keep_for: left,
            tags,
            version: self.note.and_then(|note| note.version),
            etag: metadata.etag.map(|etag| etag.to_string()),
            last_modified: metadata.last_modified.and_then(time_of),
        }
    }
}

/// The envelope of a record that is made at `timestamp` and written at `now`. An error says nothing of the server.
pub(crate) fn envelope(
    settings: &FusionSettings,
    record: &Record,
    timestamp: Ticks,
    now: Ticks,
) -> Result<Bytes, Error> {
    let last_modified = record.last_modified.and_then(ticks_of);
    let etag = record.etag.clone().map(Text::from);
    let is_kept_longer = record.keep_for > record.fresh_for;
    let metadata = (etag.is_some() || last_modified.is_some() || is_kept_longer).then(|| Metadata {
        etag,
        last_modified,
        ..Metadata::default()
    });
    let tags = record.tags.iter().map(|tag| {
        Text::new(tag.clone()).ok_or_else(|| refused("a tag is no UTF-8, as .NET nodes need it".to_owned()))
    });
    let tags = tags.collect::<Result<Vec<_>, _>>()?;
    let envelope = Envelope {
        value: form_of(settings, record.value.clone())?,
        timestamp,
        logical_expiration: now.plus(record.fresh_for),
        tags: (!tags.is_empty()).then_some(tags),
        metadata,
    };
    let mut bytes = BytesMut::new();
    envelope.encode(&settings.format, &mut bytes).map_err(|error| refused(error.to_string()))?;
    Ok(bytes.freeze())
}

/// The value's bytes, or none for null.
fn value_of(settings: &FusionSettings, form: ValueForm) -> Option<Bytes> {
    if form.0.is_empty() {
        return settings.default_value.clone();
    }
    (null(&settings.format) != Some(&form.0[..])).then_some(form.0)
}

fn form_of(settings: &FusionSettings, value: Option<Bytes>) -> Result<ValueForm, Error> {
    match (&settings.format, value) {
        (_, Some(value)) => Ok(ValueForm(value)),
        (Format::MemoryPack(value_type), None) => {
            let null = null(&settings.format);
            let null = null.ok_or_else(|| refused(format!("no value, and {value_type} has no null")))?;
            Ok(ValueForm(Bytes::from_static(null)))
        }
        // The envelope leaves it out, or says null by itself.
        (_, None) => Ok(ValueForm::default()),
    }
}

/// How a serializer writes null, where it does not leave it out.
fn null(format: &Format) -> Option<&'static [u8]> {
    match format {
        Format::SystemTextJson | Format::Newtonsoft => Some(b"null"),
        Format::MessagePack => Some(&[0xc0]),
        Format::ProtobufNet => None,
        Format::MemoryPack(value_type) => {
            let inner = if let ValueType::Nullable(inner) = value_type { inner } else { value_type };
            match inner {
                // Their lengths are -1, a class has no members.
                ValueType::Text | ValueType::Bytes | ValueType::List(_) | ValueType::Map(..) => {
                    Some(&[0xff; 4])
                }
                ValueType::Object(_) => Some(&[0xff]),
                ValueType::Scalar(_) | ValueType::Nullable(_) => None,
            }
        }
    }
}

fn time_of(ticks: Ticks) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(ticks.to_unix()?)
}

fn ticks_of(time: SystemTime) -> Option<Ticks> {
    time.duration_since(SystemTime::UNIX_EPOCH).ok().map(Ticks::from_unix)
}

/// The timestamp at which what was loaded under a lease is said to be made: when its load began.
pub(crate) fn timestamp_of(began: u64) -> Ticks {
    ticks(began)
}

fn refused(detail: String) -> Error {
    Error::new(Kind::TooLarge, Retry::Never, "encode", detail)
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn an_entry_that_is_none_is_told_without_what_is_in_it() {
        let data = br#"{"Value":1,"Timestamp":"of the customer","LogicalExpirationTimestamp":1}"#;
        let settings = FusionSettings::new("c", Format::SystemTextJson);
        let content = Content { data: Some(Bytes::from_static(data)), ..Content::default() };
        let error = Entry::of(&settings, &content).expect_err("a timestamp is a number");
        let reason = error.source().expect("the reason").to_string();
        assert!(reason.contains("of the customer") && !error.to_string().contains("customer"), "{error}");
    }
}
