//! What a Redis answers, read leniently: a server of another version may give a list for a map or a line for a string.

use bytes::Bytes;
use redis::Value;

/// The bytes of a string.
pub(crate) fn bytes(value: &Value) -> Option<Bytes> {
    if let Value::BulkString(bytes) = value {
        return Some(Bytes::copy_from_slice(bytes));
    }
    if let Value::SimpleString(text) | Value::VerbatimString { text, .. } = value {
        return Some(Bytes::copy_from_slice(text.as_bytes()));
    }
    (*value == Value::Okay).then(|| Bytes::from_static(b"OK"))
}

/// A string for people: what is no UTF-8 is replaced.
pub(crate) fn text(value: &Value) -> Option<String> {
    bytes(value).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// A number, also one that is written in digits.
pub(crate) fn number(value: &Value) -> Option<i64> {
    if let Value::Int(number) = value { Some(*number) } else { text(value)?.parse().ok() }
}

/// The values of a list or a set.
pub(crate) fn list(value: &Value) -> &[Value] {
    if let Value::Array(values) | Value::Set(values) = value { values } else { &[] }
}

/// Keys and values, of a map or of a list of them in turn.
pub(crate) fn pairs(value: &Value) -> Vec<(Value, Value)> {
    if let Value::Map(pairs) = value {
        return pairs.clone();
    }
    list(value).chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
}
