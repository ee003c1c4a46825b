//! Values that are JSON already.

use bytes::Bytes;

use crate::fusion::error::DecodeError;
use crate::fusion::json::located;
use crate::fusion::value_type::ValueType;

pub(super) fn put(
    value_type: Option<&ValueType>,
    value: &Bytes,
    out: &mut String,
) -> Result<(), DecodeError> {
    let raw: &serde_json::value::RawValue =
        serde_json::from_slice(value).map_err(|wrong| located(&wrong, value))?;
    let raw = raw.get();
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
