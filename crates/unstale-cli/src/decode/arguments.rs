//! The command line of `unstale decode`.

use clap::{Args, ValueEnum};
use unstale_codec::fusion::{Format, ValueType};

use super::{Codec, Source};

/// Reads messages as hexadecimal digits, each with one line of JSON as the answer: its fields (docs/formats/native.md,
/// docs/formats/fusion.md), or why it is none and at which byte, {"error":…,"offset":…}. Blanks between digits say nothing.
/// Without HEX and --lines all of standard input is one message.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// What the bytes are to be understood as
    #[arg(long, value_enum, value_name = "CODEC")]
    codec: CodecName,
    /// The type of an entry's value, in the words below; only fusion-memorypack has to have it
    #[arg(long, value_name = "T")]
    value_type: Option<ValueType>,
    /// Each line of standard input is a message
    #[arg(long, conflicts_with = "hex")]
    lines: bool,
    /// The message
    #[arg(value_name = "HEX")]
    hex: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum CodecName {
    /// A message of unstale's own format
    Native,
    /// A message of FusionCache's backplane
    FusionBackplane,
    /// An entry by System.Text.Json
    FusionStj,
    /// An entry by Newtonsoft.Json
    FusionNewtonsoft,
    /// An entry by MessagePack for C#
    #[value(name = "fusion-messagepack")]
    FusionMessagePack,
    /// An entry by MemoryPack
    #[value(name = "fusion-memorypack")]
    FusionMemoryPack,
    /// An entry by protobuf-net
    FusionProtobuf,
}

const EXAMPLES: &str = "Examples:
  unstale decode --codec native a10b0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a01ac02
  redis-cli --raw HGET v2:user:42 data | head -c -1 | xxd -p | unstale decode --codec fusion-messagepack
  unstale decode --codec fusion-memorypack --value-type 'list<string?>' --lines < entries.hex | jq .value
  unstale decode --codec fusion-memorypack --value-type string 0500000000809690b5c848de08803972c7c848de08ffffffffff

Types: bool, i8 to i64, u8 to u64, f32, f64, string, bytes, guid, datetime, list<T>, map<K,V>, {Name:T,Other:T},
T? (or null), and Person, the class of docs/formats/fusion.md.

Each message is answered by one line of JSON: its fields, with the names of docs/formats/native.md and fusion.md, or
{\"error\":…,\"offset\":…} with the byte where it goes wrong (of what is no digit, its place in the line). Without HEX
and --lines all of standard input is one message. Blanks between digits say nothing; a line has at most 16777216
characters. Without a type a protobuf value is guessed from how it is written.

Exit codes: 0 all were messages, 64 bad usage, 65 some were not, 66 standard input cannot be read.";

impl Arguments {
    /// How bytes are to be understood, or why that makes no sense.
    pub(super) fn codec(&self) -> Result<Codec, &'static str> {
        let value_type = self.value_type.clone();
        let format = match (self.codec, &value_type) {
            (CodecName::Native | CodecName::FusionBackplane, Some(_)) => {
                return Err("--value-type is for entries: this codec's messages have no value");
            }
            (CodecName::Native, None) => return Ok(Codec::Native),
            (CodecName::FusionBackplane, None) => return Ok(Codec::Backplane),
            (CodecName::FusionStj, _) => Format::SystemTextJson,
            (CodecName::FusionNewtonsoft, _) => Format::Newtonsoft,
            (CodecName::FusionMessagePack, _) => Format::MessagePack,
            (CodecName::FusionMemoryPack, Some(value_type)) => Format::MemoryPack(value_type.clone()),
            (CodecName::FusionMemoryPack, None) => {
                return Err("fusion-memorypack needs --value-type: its bytes do not tell where a value ends");
            }
            (CodecName::FusionProtobuf, _) => Format::ProtobufNet,
        };
        Ok(Codec::Envelope(format, value_type))
    }

    /// What is to be decoded.
    pub(super) fn source(&self) -> Source<'_> {
        match (&self.hex, self.lines) {
            (Some(digits), _) => Source::Digits(digits),
            (None, true) => Source::Lines,
            (None, false) => Source::Whole,
        }
    }
}
