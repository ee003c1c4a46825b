//! Fuzz targets of the decoders: `./fuzz 600 fusion` runs them for ten minutes each, `cargo test` for a second.
//!
//! What holds for any bytes is checked by the judges, which take the decoder as an argument: broken ones show that they can fail.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use unstale_codec::fusion::{
    BackplaneMessage, DecodeError, Envelope, Format, ValueForm, ValueType, extension, value_json,
};

use crate::envelopes::full;
use crate::spoil::{Spoil, spoilt};
use crate::strategies::{any_envelope, any_message, any_sample};
use crate::{encode, encode_message};

const BUDGET: Duration = Duration::from_secs(1);

/// The most memory that a decoder takes for a byte, and for hardly any bytes.
const ALLOCATION_PER_BYTE_MAX: usize = 64;
const ALLOCATION_MIN: usize = 1_024;

/// What came of decoding, if it took no more memory than it may.
fn measured<T>(length: usize, decode: impl FnOnce() -> T) -> Result<T, String> {
    let mut decoded = None;
    let taken = allocation_counter::measure(|| decoded = Some(decode()));
    let allowed = (ALLOCATION_MIN + ALLOCATION_PER_BYTE_MAX * length) as u64;
    if taken.bytes_max > allowed {
        return Err(format!("{length} bytes took {} bytes of memory, {allowed} allowed", taken.bytes_max));
    }
    decoded.ok_or_else(|| "it did not run".to_owned())
}

fn within(error: &DecodeError, length: usize) -> Result<(), String> {
    if error.offset <= length { Ok(()) } else { Err(format!("{error}, of {length} bytes")) }
}

/// What is wrong with what a decoder of messages made of any bytes.
fn judge_message(
    bytes: &Bytes,
    decode: impl Fn(Bytes) -> Result<BackplaneMessage, DecodeError>,
) -> Result<(), String> {
    let message = match measured(bytes.len(), || decode(bytes.clone()))? {
        Ok(message) => message,
        Err(error) => return within(&error, bytes.len()),
    };
    if !bytes.ends_with(&message.rest) {
        return Err(format!("{message:?} lost what follows its key"));
    }
    let _ = extension(&message.rest);
    let mut again = BytesMut::new();
    message.encode(&mut again).map_err(|error| format!("what it took cannot be sent: {error}"))?;
    match decode(again.freeze()) {
        Ok(back) if back == message => Ok(()),
        back => Err(format!("{message:?} came back as {back:?}")),
    }
}

/// What is wrong with what a decoder of envelopes made of any bytes.
fn judge_envelope(
    format: &Format,
    bytes: &Bytes,
    decode: impl Fn(&Format, Bytes) -> Result<Envelope, DecodeError>,
) -> Result<(), String> {
    let mut envelope = match measured(bytes.len(), || decode(format, bytes.clone()))? {
        Ok(envelope) => envelope,
        Err(error) => return within(&error, bytes.len()),
    };
    judge_value(format, None, &envelope.value)?;
    if envelope.value.0.is_empty() {
        // Where .NET always writes one, so do we.
        match format {
            Format::SystemTextJson => envelope.value = ValueForm("null".into()),
            Format::MessagePack => envelope.value = ValueForm(vec![0xc0].into()),
            Format::Newtonsoft | Format::MemoryPack(_) | Format::ProtobufNet => {}
        }
    }
    let mut again = BytesMut::new();
    envelope
        .encode(format, &mut again)
        .map_err(|error| format!("what it took cannot be written: {error}"))?;
    let again = again.freeze();
    match decode(format, again.clone()) {
        Ok(back) if back == envelope && encode(format, &back) == again => Ok(()),
        back => Err(format!("{envelope:?} came back as {back:?}")),
    }
}

/// What is wrong with what is said of any bytes as a value.
fn judge_value(format: &Format, value_type: Option<&ValueType>, value: &ValueForm) -> Result<(), String> {
    match value_json(format, value_type, value) {
        Err(error) => within(&error, value.0.len()),
        Ok(shown) if shown.contains('\n') => Err(format!("more than one line: {shown}")),
        Ok(shown) if value_type.is_none() && shown.len() > 64 + 20 * value.0.len() => {
            Err(format!("{} bytes became {}", value.0.len(), shown.len()))
        }
        Ok(shown) => match serde_json::from_str::<serde_json::Value>(&shown) {
            Ok(_) => Ok(()),
            Err(error) => Err(format!("{error}: {shown}")),
        },
    }
}

fn drawn<T>(seed: [u8; 32], strategy: &impl Strategy<Value = T>) -> T {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    strategy.new_tree(&mut runner).expect("nothing is filtered out").current()
}

/// Every format, MemoryPack with a type that has a bit of everything.
fn formats() -> [Format; 5] {
    let value_type = "{a:list<Person?>,b:map<string,list<i32?>>,c:bytes,d:map<i32,u8>?,e:guid?}";
    [
        Format::SystemTextJson,
        Format::Newtonsoft,
        Format::MessagePack,
        Format::MemoryPack(value_type.parse().expect("a type")),
        Format::ProtobufNet,
    ]
}

#[test]
fn fuzz_fusion_messages_come_back_and_spoilt_ones_are_messages_or_errors() {
    let messages = any_message();
    bolero::check!().with_test_time(BUDGET).with_type::<([u8; 32], Vec<Spoil>)>().for_each(
        |(seed, spoils)| {
            let bytes = encode_message(&drawn(*seed, &messages));
            assert_eq!(judge_message(&bytes, BackplaneMessage::decode), Ok(()));
            assert_eq!(judge_message(&spoilt(bytes.to_vec(), spoils), BackplaneMessage::decode), Ok(()));
        },
    );
}

#[test]
fn fuzz_fusion_envelopes_come_back_and_spoilt_ones_are_envelopes_or_errors() {
    let samples = any_sample();
    bolero::check!().with_test_time(BUDGET).with_type::<([u8; 32], Vec<Spoil>)>().for_each(
        |(seed, spoils)| {
            let sample = drawn(*seed, &samples);
            let envelope = drawn(*seed, &any_envelope(sample.form.clone()));
            let bytes = encode(&sample.format, &envelope);
            assert_eq!(judge_envelope(&sample.format, &bytes, Envelope::decode), Ok(()));
            let bytes = spoilt(bytes.to_vec(), spoils);
            assert_eq!(judge_envelope(&sample.format, &bytes, Envelope::decode), Ok(()));
            let value = ValueForm(spoilt(sample.form.to_vec(), spoils));
            assert_eq!(judge_value(&sample.format, Some(&sample.value_type), &value), Ok(()));
        },
    );
}

#[test]
fn fuzz_fusion_any_bytes_are_a_message_an_envelope_or_an_error() {
    let formats = formats();
    bolero::check!().with_test_time(BUDGET).for_each(|bytes: &[u8]| {
        let bytes = Bytes::copy_from_slice(bytes);
        assert_eq!(judge_message(&bytes, BackplaneMessage::decode), Ok(()));
        for format in &formats {
            assert_eq!(judge_envelope(format, &bytes, Envelope::decode), Ok(()));
            // Few random bytes begin as an envelope does.
            let head: &[u8] = match format {
                Format::SystemTextJson => b"{\"Value\":",
                Format::Newtonsoft => b"{\"v\":",
                Format::MessagePack => &[0x85, 0xa1, b'v'],
                Format::MemoryPack(_) => &[5, 5],
                Format::ProtobufNet => &[0x12],
            };
            let bytes = [head, &bytes].concat().into();
            assert_eq!(judge_envelope(format, &bytes, Envelope::decode), Ok(()));
        }
    });
}

#[test]
fn fuzz_fusion_any_words_are_a_type_in_its_one_form_or_an_error() {
    bolero::check!().with_test_time(BUDGET).with_type::<(Vec<u8>, Vec<u8>)>().for_each(|(picks, bytes)| {
        let words =
            ["list", "map", "<", ">", ",", "?", "i32", "string", "{", "}", "a", ":", " ", "guid", "é"];
        let text: String = picks.iter().map(|pick| words[usize::from(*pick) % words.len()]).collect();
        let Ok(value_type) = text.parse::<ValueType>() else { return };
        assert_eq!(value_type.to_string().parse(), Ok(value_type.clone()), "{text}");
        let value = ValueForm(Bytes::copy_from_slice(bytes));
        for format in [Format::MemoryPack(value_type.clone()), Format::ProtobufNet, Format::MessagePack] {
            assert_eq!(judge_value(&format, Some(&value_type), &value), Ok(()), "{value_type}");
        }
    });
}

/// Whether some sample, sound or cut, shows that a decoder of envelopes is broken.
fn is_caught(decode: impl Fn(&Format, Bytes) -> Result<Envelope, DecodeError> + Copy) -> bool {
    let values: [&[u8]; 5] = [b"1", b"1", &[1], &[0xff], &[0x08, 1]];
    formats().iter().zip(values).any(|(format, value)| {
        let bytes = encode(format, &full(value)).to_vec();
        let cut = spoilt(bytes.clone(), &[Spoil::Cut { at: 40 }]);
        judge_envelope(format, &bytes.into(), decode).is_err()
            || judge_envelope(format, &cut, decode).is_err()
    })
}

#[test]
fn the_judges_catch_broken_decoders_and_no_sound_one() {
    assert!(!is_caught(Envelope::decode));
    let counts_up = |format: &Format, bytes| {
        let mut envelope = Envelope::decode(format, bytes)?;
        envelope.timestamp.0 += 1;
        Ok(envelope)
    };
    assert!(is_caught(counts_up));
    let believes_a_length = |format: &Format, bytes: Bytes| {
        let announced = usize::from(bytes.get(7).copied().unwrap_or_default()) << 12;
        std::hint::black_box(Vec::<u8>::with_capacity(announced));
        Envelope::decode(format, bytes)
    };
    assert!(is_caught(believes_a_length));
    let misplaces_errors = |format: &Format, bytes| {
        Envelope::decode(format, bytes).map_err(|mut error| {
            error.offset += 1 << 20;
            error
        })
    };
    assert!(is_caught(misplaces_errors));

    let bytes = encode_message(&drawn([7; 32], &any_message()));
    let with_rest = Bytes::from([&bytes[..], b"rest"].concat());
    assert_eq!(judge_message(&with_rest, BackplaneMessage::decode), Ok(()));
    let forgets_the_rest = |bytes| {
        let mut message = BackplaneMessage::decode(bytes)?;
        message.rest = Bytes::from_static(b"other");
        Ok(message)
    };
    assert!(judge_message(&with_rest, forgets_the_rest).is_err());
}
