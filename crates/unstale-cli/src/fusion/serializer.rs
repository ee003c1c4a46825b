//! Which serializer wrote an entry.

use std::fmt;

use bytes::Bytes;
use clap::ValueEnum;
use unstale_codec::fusion::{Envelope, Format, Scalar, Ticks, ValueType};

/// The serializers of .NET, by the names that their packages have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Serializer {
    /// System.Text.Json
    Stj,
    /// Newtonsoft.Json
    Newtonsoft,
    /// MessagePack for C#
    #[value(name = "messagepack")]
    MessagePack,
    /// MemoryPack
    #[value(name = "memorypack")]
    MemoryPack,
    /// protobuf-net
    Protobuf,
}

/// What an entry's bytes are recognised as.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Recognised {
    pub(crate) serializer: Serializer,
    /// What stands in it; not to be had of MemoryPack with a value of a type that is not guessed.
    pub(crate) envelope: Option<Envelope>,
}

/// Entries are from between 2000 and 2200: what decodes to another time was written by another serializer, whose names of
/// fields this one skips.
const TIMES: std::ops::Range<i64> = 630_822_816_000_000_000..693_937_152_000_000_000;

impl Serializer {
    /// The format of entries whose value is a number, as marks have it.
    pub(crate) fn mark_format(self) -> Format {
        match self {
            Self::Stj => Format::SystemTextJson,
            Self::Newtonsoft => Format::Newtonsoft,
            Self::MessagePack => Format::MessagePack,
            Self::MemoryPack => Format::MemoryPack(ValueType::Scalar(Scalar::I64)),
            Self::Protobuf => Format::ProtobufNet,
        }
    }
}

impl fmt::Display for Serializer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stj => "stj",
            Self::Newtonsoft => "newtonsoft",
            Self::MessagePack => "messagepack",
            Self::MemoryPack => "memorypack",
            Self::Protobuf => "protobuf",
        })
    }
}

/// Says by their bytes who wrote an entry; nothing if no serializer writes such bytes.
pub(crate) fn recognise(data: &Bytes) -> Option<Recognised> {
    let plain = [
        (Serializer::Stj, Format::SystemTextJson),
        (Serializer::Newtonsoft, Format::Newtonsoft),
        (Serializer::MessagePack, Format::MessagePack),
    ];
    for (serializer, format) in plain {
        if let Some(envelope) = decode(&format, data) {
            return Some(Recognised { serializer, envelope: Some(envelope) });
        }
    }
    // Five members, and at least two timestamps, no tags and no metadata behind a value of a byte.
    if data.first() == Some(&5) && data.len() >= 23 {
        let envelope = ["i64", "string", "bytes", "i32", "bool"]
            .iter()
            .find_map(|guess| decode(&Format::MemoryPack(guess.parse().ok()?), data));
        return Some(Recognised { serializer: Serializer::MemoryPack, envelope });
    }
    let envelope = decode(&Format::ProtobufNet, data)?;
    Some(Recognised { serializer: Serializer::Protobuf, envelope: Some(envelope) })
}

fn decode(format: &Format, data: &Bytes) -> Option<Envelope> {
    let envelope = Envelope::decode(format, data.clone()).ok()?;
    let Ticks(timestamp) = envelope.timestamp;
    TIMES.contains(&timestamp).then_some(envelope)
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use unstale_codec::fusion::Mark;

    use super::*;

    const TICKS: Ticks = Ticks(639_028_224_010_000_000);

    fn bytes(serializer: Serializer) -> Bytes {
        let format = serializer.mark_format();
        let mut out = BytesMut::new();
        Mark { value: TICKS, timestamp: TICKS }.envelope(&format).encode(&format, &mut out).expect("a mark");
        out.freeze()
    }

    #[test]
    fn each_serializer_is_recognised_by_its_bytes() {
        for serializer in Serializer::value_variants() {
            let found = recognise(&bytes(*serializer)).expect("somebody wrote it");
            assert_eq!(found.serializer, *serializer);
            assert_eq!(found.envelope.map(|envelope| envelope.timestamp), Some(TICKS), "{serializer}");
        }
    }

    #[test]
    fn memory_pack_with_an_unknown_value_is_recognised_without_its_fields() {
        let mut data = BytesMut::from(&[5, 3, 1, 2, 3][..]);
        data.extend_from_slice(&[0xee; 30]);
        let found = recognise(&data.freeze()).expect("MemoryPack");
        assert_eq!((found.serializer, found.envelope), (Serializer::MemoryPack, None));
    }

    #[test]
    fn other_bytes_are_nobodys() {
        for data in ["", "{}", "plain text", "{\"a\":1}", "\u{5}", "{\"v\":1,\"t\":5,\"l\":6}"] {
            assert_eq!(recognise(&data.into()), None, "{data:?}");
        }
    }

    #[test]
    fn fuzz_any_bytes_are_recognised_or_not() {
        bolero::check!().with_type::<Vec<u8>>().for_each(|data| {
            let _ = recognise(&data.clone().into());
        });
    }
}
