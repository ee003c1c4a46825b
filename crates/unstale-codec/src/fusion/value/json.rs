//! Values that are JSON already.

use std::fmt;

use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::fusion::error::DecodeError;
use crate::fusion::json::located;
use crate::fusion::value_type::ValueType;

pub(super) fn put(
    value_type: Option<&ValueType>,
    value: &Bytes,
    out: &mut String,
) -> Result<(), DecodeError> {
    serde_json::from_slice::<Readable>(value).map_err(|wrong| located(&wrong, value))?;
    let raw = std::str::from_utf8(value).unwrap_or_default().trim_ascii();
    let of_bytes = match value_type {
        Some(ValueType::Nullable(inner)) => **inner == ValueType::Bytes,
        value_type => value_type == Some(&ValueType::Bytes),
    };
    if of_bytes && raw.starts_with('"') {
        out.push_str("{\"base64\":");
        out.push_str(raw);
        out.push('}');
    } else {
        put_compact(raw, out);
    }
    Ok(())
}

/// JSON that every reader takes: whole surrogates, numbers that a double has room for, at most 128 levels.
struct Readable;

impl<'de> Deserialize<'de> for Readable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Readable {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self, A::Error> {
        while seq.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
}

/// The same JSON without blanks between its parts.
fn put_compact(json: &str, out: &mut String) {
    let mut in_text = false;
    let mut escaped = false;
    for c in json.chars() {
        if in_text || !matches!(c, ' ' | '\t' | '\n' | '\r') {
            out.push(c);
        }
        match c {
            '"' if !escaped => in_text = !in_text,
            _ => {}
        }
        escaped = c == '\\' && !escaped;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_go_and_texts_stay() {
        let mut out = String::new();
        put_compact("{ \"a b\" :\n [ 1 , \" \\\" \\\\\" , 1e5 ]\t}", &mut out);
        assert_eq!(out, r#"{"a b":[1," \" \\",1e5]}"#);
    }
}
