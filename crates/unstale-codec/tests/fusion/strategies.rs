//! Messages, envelopes and values of all kinds. Values are written here a second time, apart from the codec.

use bytes::Bytes;
use proptest::prelude::{BoxedStrategy, Just, Strategy, any, prop_oneof};
use proptest::{collection, option};
use serde_json::{Value, json};
use unstale_codec::fusion::{
    Action, BackplaneMessage, Envelope, Format, Metadata, Scalar, Text, Ticks, ValueForm, ValueType,
};

pub(crate) fn any_message() -> impl Strategy<Value = BackplaneMessage> {
    let action = prop_oneof![Just(Action::Set), Just(Action::Remove), Just(Action::Expire)];
    let rest = collection::vec(any::<u8>(), 0..40);
    (any_text(1), 1..=i64::MAX, action, any_text(1), rest).prop_map(
        |(source_id, ticks, action, cache_key, rest)| BackplaneMessage {
            source_id,
            timestamp: Ticks(ticks),
            action,
            cache_key,
            rest: rest.into(),
        },
    )
}

fn any_text(length_min: usize) -> impl Strategy<Value = Text> {
    let plain =
        collection::vec(prop_oneof![any::<char>(), (0..0x80_u8).prop_map(char::from)], length_min..40);
    plain.prop_map(|chars| Text::from(chars.into_iter().collect::<String>()))
}

fn any_ticks() -> impl Strategy<Value = Ticks> {
    prop_oneof![
        any::<i64>(),
        Just(0_i64),
        -200_i64..200,
        639_000_000_000_000_000_i64..640_000_000_000_000_000
    ]
    .prop_map(Ticks)
}

fn any_metadata() -> impl Strategy<Value = Metadata> {
    let numbers = (option::of(any_ticks()), option::of(any_ticks()), option::of(any_ticks()));
    (any::<bool>(), numbers, option::of(any_text(0)), option::of(any::<u8>())).prop_map(
        |(is_stale, (eager_expiration, last_modified, size), etag, priority)| Metadata {
            is_stale,
            eager_expiration,
            etag,
            last_modified,
            size: size.map(|size| size.0),
            priority,
        },
    )
}

/// An envelope around a value.
pub(crate) fn any_envelope(value: Bytes) -> impl Strategy<Value = Envelope> {
    let tags = option::of(collection::vec(any_text(0), 0..6));
    (any_ticks(), any_ticks(), tags, option::of(any_metadata())).prop_map(
        move |(timestamp, logical_expiration, tags, metadata)| Envelope {
            value: ValueForm(value.clone()),
            timestamp,
            logical_expiration,
            tags,
            metadata,
        },
    )
}

/// A value of some type in the bytes of some serializer, with what it is as JSON.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) format: Format,
    pub(crate) value_type: ValueType,
    pub(crate) form: Bytes,
    pub(crate) json: Value,
}

/// Which serializer.
#[derive(Clone, Copy, Debug)]
enum Serializer {
    Json,
    MessagePack,
    MemoryPack,
    Protobuf,
}

pub(crate) fn any_sample() -> impl Strategy<Value = Sample> {
    let serializer = prop_oneof![
        Just(Serializer::Json),
        Just(Serializer::MessagePack),
        Just(Serializer::MemoryPack),
        Just(Serializer::Protobuf),
    ];
    (serializer, any::<bool>()).prop_flat_map(|(serializer, system)| {
        let depth = if matches!(serializer, Serializer::Protobuf) { 1 } else { 3 };
        any_type(depth).prop_flat_map(move |value_type| {
            let format = match serializer {
                Serializer::Json if system => Format::SystemTextJson,
                Serializer::Json => Format::Newtonsoft,
                Serializer::MessagePack => Format::MessagePack,
                Serializer::MemoryPack => Format::MemoryPack(value_type.clone()),
                Serializer::Protobuf => Format::ProtobufNet,
            };
            any_value(&value_type).prop_map(move |json| {
                let mut form = Vec::new();
                match serializer {
                    Serializer::Json => form = json.to_string().into_bytes(),
                    Serializer::MessagePack => write_message_pack(&json, &mut form),
                    Serializer::MemoryPack => write_memory_pack(&value_type, &json, &mut form),
                    Serializer::Protobuf => write_protobuf(&value_type, &json, 1, &mut form),
                }
                Sample { format: format.clone(), value_type: value_type.clone(), form: form.into(), json }
            })
        })
    })
}

fn any_type(depth: u32) -> BoxedStrategy<ValueType> {
    let scalar = [Scalar::Bool, Scalar::I8, Scalar::I32, Scalar::I64, Scalar::U16, Scalar::U64, Scalar::F64];
    let leaf = prop_oneof![
        proptest::sample::select(scalar.to_vec()).prop_map(ValueType::Scalar),
        Just(ValueType::Text),
    ];
    if depth == 0 {
        return leaf.boxed();
    }
    let inner = any_type(depth - 1);
    let key = prop_oneof![Just(ValueType::Text), Just(ValueType::Scalar(Scalar::I32))];
    prop_oneof![
        3 => leaf.clone(),
        1 => leaf.prop_map(|inner| ValueType::Nullable(Box::new(inner))),
        2 => inner.clone().prop_map(|element| ValueType::List(Box::new(element))),
        1 => (key, inner.clone()).prop_map(|(key, value)| ValueType::Map(Box::new(key), Box::new(value))),
        1 => collection::vec(inner, 1..4).prop_map(|members| {
            ValueType::Object((b'a'..).zip(members).map(|(name, member)| (char::from(name).into(), member)).collect())
        }),
    ]
    .boxed()
}

fn any_value(value_type: &ValueType) -> BoxedStrategy<Value> {
    match value_type {
        ValueType::Scalar(Scalar::Bool) => any::<bool>().prop_map(Value::from).boxed(),
        ValueType::Scalar(Scalar::I8) => any::<i8>().prop_map(Value::from).boxed(),
        ValueType::Scalar(Scalar::I32) => any::<i32>().prop_map(Value::from).boxed(),
        ValueType::Scalar(Scalar::I64) => any::<i64>().prop_map(Value::from).boxed(),
        ValueType::Scalar(Scalar::U16) => any::<u16>().prop_map(Value::from).boxed(),
        ValueType::Scalar(Scalar::U64) => any::<u64>().prop_map(Value::from).boxed(),
        ValueType::Scalar(Scalar::F64) => {
            any::<i32>().prop_map(|number| Value::from(f64::from(number) + 0.5)).boxed()
        }
        ValueType::Text => any_text(0).prop_map(|text| Value::from(text.as_str())).boxed(),
        ValueType::Nullable(inner) => prop_oneof![Just(Value::Null), any_value(inner)].boxed(),
        // protobuf-net reads nothing back as null.
        ValueType::List(element) => collection::vec(any_value(element), 1..5).prop_map(Value::from).boxed(),
        ValueType::Map(key, value) => {
            let name =
                any_value(key).prop_map(|key| key.as_str().map_or_else(|| key.to_string(), str::to_owned));
            collection::btree_map(name, any_value(value), 1..4)
                .prop_map(|members| Value::Object(members.into_iter().collect()))
                .boxed()
        }
        ValueType::Object(members) => {
            let members: Vec<_> =
                members.iter().map(|(name, member)| (Just(name.clone()), any_value(member))).collect();
            members.prop_map(|members| Value::Object(members.into_iter().collect())).boxed()
        }
        ValueType::Scalar(_) | ValueType::Bytes => panic!("{value_type} is not drawn"),
    }
}

fn write_message_pack(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(0xc0),
        Value::Bool(value) => out.push(0xc2 | u8::from(*value)),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => tagged(0xcf, &number.to_be_bytes(), out),
            (_, Some(number)) => tagged(0xd3, &number.to_be_bytes(), out),
            _ => tagged(0xcb, &number.as_f64().expect("a number").to_be_bytes(), out),
        },
        Value::String(text) => {
            tagged(0xdb, &(text.len() as u32).to_be_bytes(), out);
            out.extend_from_slice(text.as_bytes());
        }
        Value::Array(elements) => {
            tagged(0xdd, &(elements.len() as u32).to_be_bytes(), out);
            for element in elements {
                write_message_pack(element, out);
            }
        }
        Value::Object(members) => {
            tagged(0xdf, &(members.len() as u32).to_be_bytes(), out);
            for (name, member) in members {
                write_message_pack(&json!(name), out);
                write_message_pack(member, out);
            }
        }
    }
}

fn tagged(tag: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    out.extend_from_slice(bytes);
}

/// The bytes of a scalar in memory.
fn in_memory(scalar: Scalar, value: &Value) -> Vec<u8> {
    let signed = value.as_i64().unwrap_or_default();
    match scalar {
        Scalar::Bool => vec![u8::from(value.as_bool().expect("a bool"))],
        Scalar::I8 => (signed as i8).to_le_bytes().into(),
        Scalar::U16 => (signed as u16).to_le_bytes().into(),
        Scalar::I32 => (signed as i32).to_le_bytes().into(),
        Scalar::I64 => signed.to_le_bytes().into(),
        Scalar::U64 => value.as_u64().expect("unsigned").to_le_bytes().into(),
        Scalar::F64 => value.as_f64().expect("a number").to_le_bytes().into(),
        Scalar::I16 | Scalar::U8 | Scalar::U32 | Scalar::F32 | Scalar::Guid | Scalar::DateTime => {
            panic!("{scalar:?} is not drawn")
        }
    }
}

fn pad(to: usize, out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(to), 0xee);
}

fn write_memory_pack(value_type: &ValueType, value: &Value, out: &mut Vec<u8>) {
    let count = |count: usize| (count as u32).to_le_bytes();
    match (value_type, value) {
        (ValueType::Scalar(scalar), value) => out.extend(in_memory(*scalar, value)),
        (ValueType::Nullable(inner), value) => match (&**inner, value) {
            (ValueType::Scalar(scalar), Value::Null) => {
                let size = in_memory(*scalar, &zero(*scalar)).len();
                out.resize(out.len() + 2 * size, 0);
            }
            (ValueType::Scalar(scalar), value) => {
                let value = in_memory(*scalar, value);
                out.push(1);
                out.resize(out.len() + value.len() - 1, 0);
                out.extend(value);
            }
            (_, Value::Null) => out.extend([0xff; 4]),
            (inner, value) => write_memory_pack(inner, value, out),
        },
        (ValueType::Text, Value::String(text)) if text.is_empty() => out.extend([0; 4]),
        (ValueType::Text, Value::String(text)) => {
            out.extend((!(text.len() as u32)).to_le_bytes());
            out.extend(count(text.encode_utf16().count()));
            out.extend(text.as_bytes());
        }
        (ValueType::List(element), Value::Array(elements)) => {
            out.extend(count(elements.len()));
            for value in elements {
                write_memory_pack(element, value, out);
            }
        }
        (ValueType::Map(key, value), Value::Object(members)) => {
            out.extend(count(members.len()));
            for (name, member) in members {
                match (&**key, &**value) {
                    // A pair of scalars lies there as in memory.
                    (ValueType::Scalar(_), value) if align_of(value).is_some() => {
                        let align = align_of(value).expect("it has one");
                        let mut pair = name.parse::<i32>().expect("a number").to_le_bytes().to_vec();
                        pad(align, &mut pair);
                        write_memory_pack(value, member, &mut pair);
                        pad(align.max(4), &mut pair);
                        out.extend(pair);
                    }
                    (ValueType::Scalar(_), value) => {
                        out.extend(name.parse::<i32>().expect("a number").to_le_bytes());
                        write_memory_pack(value, member, out);
                    }
                    (key, value) => {
                        write_memory_pack(key, &json!(name), out);
                        write_memory_pack(value, member, out);
                    }
                }
            }
        }
        (ValueType::Object(types), Value::Object(members)) => {
            out.push(types.len() as u8);
            for (name, member) in types {
                write_memory_pack(member, &members[name], out);
            }
        }
        (value_type, value) => panic!("{value} is no {value_type}"),
    }
}

/// To what a scalar is aligned, nullable or not.
fn align_of(value_type: &ValueType) -> Option<usize> {
    match value_type {
        ValueType::Scalar(scalar) => Some(in_memory(*scalar, &zero(*scalar)).len()),
        ValueType::Nullable(inner) => align_of(inner),
        ValueType::Text
        | ValueType::Bytes
        | ValueType::List(_)
        | ValueType::Map(..)
        | ValueType::Object(_) => None,
    }
}

fn zero(scalar: Scalar) -> Value {
    if scalar == Scalar::Bool { json!(false) } else { json!(0) }
}

fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn field(number: u64, wire: u64, out: &mut Vec<u8>) {
    varint(number << 3 | wire, out);
}

fn write_protobuf(value_type: &ValueType, value: &Value, number: u64, out: &mut Vec<u8>) {
    let bytes = |bytes: &[u8], out: &mut Vec<u8>| {
        field(number, 2, out);
        varint(bytes.len() as u64, out);
        out.extend_from_slice(bytes);
    };
    match (value_type, value) {
        (_, Value::Null) => {}
        (ValueType::Nullable(inner), value) => write_protobuf(inner, value, number, out),
        (ValueType::Scalar(Scalar::F64), value) => {
            field(number, 1, out);
            out.extend(value.as_f64().expect("a number").to_le_bytes());
        }
        (ValueType::Scalar(_), value) => {
            field(number, 0, out);
            let whole = value.as_u64().or_else(|| value.as_i64().map(i64::cast_unsigned));
            varint(whole.unwrap_or_else(|| u64::from(value == &json!(true))), out);
        }
        (ValueType::Text, Value::String(text)) => bytes(text.as_bytes(), out),
        (ValueType::List(element), Value::Array(elements)) => {
            for value in elements {
                write_protobuf(element, value, number, out);
            }
        }
        (ValueType::Map(key, inner), Value::Object(members)) => {
            for (name, member) in members {
                let mut pair = Vec::new();
                let name =
                    if **key == ValueType::Text { json!(name) } else { json!(name.parse::<i32>().ok()) };
                write_protobuf(key, &name, 1, &mut pair);
                write_protobuf(inner, member, 2, &mut pair);
                bytes(&pair, out);
            }
        }
        (ValueType::Object(types), Value::Object(members)) => {
            let mut object = Vec::new();
            for (number, (name, member)) in (1..).zip(types) {
                write_protobuf(member, &members[name], number, &mut object);
            }
            bytes(&object, out);
        }
        (value_type, value) => panic!("{value} is no {value_type}"),
    }
}
