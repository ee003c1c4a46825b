//! Reads an envelope in one pass: unknown properties are skipped, of equal names the last counts, the value is not looked into.

use std::fmt;

use bytes::Bytes;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::Properties;
use crate::fusion::envelope::{Envelope, Metadata, TAGS_MAX, ValueForm};
use crate::fusion::text::Text;
use crate::fusion::ticks::Ticks;

/// An envelope in `bytes`.
pub(super) struct EnvelopeSeed<'a> {
    pub(super) properties: &'static Properties,
    pub(super) bytes: &'a Bytes,
}

impl<'de> DeserializeSeed<'de> for EnvelopeSeed<'de> {
    type Value = Envelope;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Envelope, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for EnvelopeSeed<'de> {
    type Value = Envelope;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an envelope")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Envelope, A::Error> {
        let Self { properties, bytes } = self;
        let names = [
            properties.value,
            properties.timestamp,
            properties.logical_expiration,
            properties.tags,
            properties.metadata,
        ];
        let mut envelope = Envelope::default();
        while let Some(name) = map.next_key_seed(OneOf(&names))? {
            match name {
                Some(0) => {
                    let raw: &'de RawValue = map.next_value()?;
                    envelope.value = ValueForm(bytes.slice_ref(raw.get().as_bytes()));
                }
                Some(1) => envelope.timestamp = Ticks(map.next_value()?),
                Some(2) => envelope.logical_expiration = Ticks(map.next_value()?),
                Some(3) => envelope.tags = map.next_value_seed(Nullable(TagsVisitor { bytes }))?,
                Some(4) => {
                    let visitor = MetadataVisitor { properties, bytes };
                    envelope.metadata = map.next_value_seed(Nullable(visitor))?;
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(envelope)
    }
}

/// Something or null.
struct Nullable<V>(V);

impl<'de, V: Visitor<'de>> DeserializeSeed<'de> for Nullable<V> {
    type Value = Option<V::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Nullable<V> {
    type Value = Option<V::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self.0).map(Some)
    }
}

struct TagsVisitor<'a> {
    bytes: &'a Bytes,
}

impl<'de> Visitor<'de> for TagsVisitor<'de> {
    type Value = Vec<Text>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of tags")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<Text>, A::Error> {
        let mut tags = Vec::new();
        while let Some(tag) = seq.next_element_seed(TextSeed { bytes: self.bytes })? {
            if tags.len() == TAGS_MAX {
                return Err(A::Error::custom(format_args!("more than {TAGS_MAX} tags")));
            }
            tags.push(tag);
        }
        Ok(tags)
    }
}

struct MetadataVisitor<'a> {
    properties: &'static Properties,
    bytes: &'a Bytes,
}

impl<'de> Visitor<'de> for MetadataVisitor<'de> {
    type Value = Metadata;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("metadata")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Metadata, A::Error> {
        let Self { properties, bytes } = self;
        let names = [
            properties.is_stale,
            properties.eager_expiration,
            properties.etag,
            properties.last_modified,
            properties.size,
            properties.priority,
        ];
        let mut metadata = Metadata::default();
        while let Some(name) = map.next_key_seed(OneOf(&names))? {
            match name {
                Some(0) => metadata.is_stale = map.next_value()?,
                Some(1) => metadata.eager_expiration = map.next_value::<Option<i64>>()?.map(Ticks),
                Some(2) => metadata.etag = map.next_value_seed(Nullable(TextSeed { bytes }))?,
                Some(3) => metadata.last_modified = map.next_value::<Option<i64>>()?.map(Ticks),
                Some(4) => metadata.size = map.next_value()?,
                Some(5) => metadata.priority = map.next_value()?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(metadata)
    }
}

/// Which of some names it is, if any.
struct OneOf<'n>(&'n [&'static str]);

impl<'de> DeserializeSeed<'de> for OneOf<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for OneOf<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a property's name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|known| *known == name))
    }
}

/// A text, which is a slice of the bytes unless it has escapes.
struct TextSeed<'a> {
    bytes: &'a Bytes,
}

impl<'de> DeserializeSeed<'de> for TextSeed<'de> {
    type Value = Text;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Text, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for TextSeed<'de> {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text, E> {
        Text::new(self.bytes.slice_ref(text.as_bytes())).ok_or_else(|| E::custom("not UTF-8"))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Text, E> {
        Ok(Text::from(text))
    }
}
