//! Fuzz targets of the decoder: `./fuzz` runs them for as long as wanted, `cargo test` for a second each.
//!
//! What holds for any bytes is checked by [`judge`], which takes the decoder as an argument: broken ones show that it can fail.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use unstale_codec::native::{self, DECODE_ALLOCATION_MAX, DecodeError};
use unstale_core::{Frame, Hello, Message};

use crate::spoil::{Spoil, spoilt};
use crate::strategies::{any_message, any_unknown_fields};
use crate::{encode, samples};

const BUDGET: Duration = Duration::from_secs(1);

/// The most memory that decoding takes for a byte of a message: an act of two bytes is the worst. Nothing is taken for elements that
/// are only announced.
const ALLOCATION_PER_BYTE_MAX: usize = 64;
/// And for a message of hardly any bytes.
const ALLOCATION_MIN: usize = 512;

/// What is wrong with what a decoder made of any bytes, if anything is.
fn judge(bytes: &Bytes, decode: impl Fn(Bytes) -> Result<Message, DecodeError>) -> Result<(), String> {
    let mut decoded = None;
    let taken = allocation_counter::measure(|| decoded = Some(decode(bytes.clone())));
    let allowed = DECODE_ALLOCATION_MAX.min(ALLOCATION_MIN + ALLOCATION_PER_BYTE_MAX * bytes.len());
    if taken.bytes_max > allowed as u64 {
        return Err(format!(
            "{} bytes took {} bytes of memory, {allowed} allowed",
            bytes.len(),
            taken.bytes_max
        ));
    }
    let message = match decoded {
        Some(Ok(message)) => message,
        Some(Err(error)) if error.offset <= bytes.len() => return Ok(()),
        Some(Err(error)) => return Err(format!("{error}, of {} bytes", bytes.len())),
        None => return Err("it did not run".to_owned()),
    };
    let again = encode(&message);
    let back =
        decode(again.clone()).map_err(|error| format!("what it took it does not take again: {error}"))?;
    if back != message || encode(&back) != again {
        return Err(format!("{message:?} came back as {back:?}"));
    }
    forwards(&again, &message, &decode)
}

/// P-5: fields of a later version are sent on as they came, and change nothing else.
fn forwards(
    bytes: &Bytes,
    message: &Message,
    decode: impl Fn(Bytes) -> Result<Message, DecodeError>,
) -> Result<(), String> {
    let (Message::Frame(Frame { unknown, .. }) | Message::Hello(Hello { unknown, .. })) = message else {
        return Ok(());
    };
    if !unknown.is_empty() {
        return Ok(());
    }
    let mut later = BytesMut::from(&bytes[..]);
    later.extend_from_slice(&[0x07, 0x02, 1, 2]);
    let later = later.freeze();
    let passed = decode(later.clone()).map_err(|error| format!("a later field is refused: {error}"))?;
    if encode(&passed) == later { Ok(()) } else { Err(format!("{passed:?} lost a later field")) }
}

fn drawn<T>(seed: [u8; 32], strategy: &impl Strategy<Value = T>) -> T {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    strategy.new_tree(&mut runner).expect("nothing is filtered out").current()
}

#[test]
fn fuzz_messages_come_back_and_spoilt_ones_are_messages_or_errors() {
    let (messages, later) = (any_message(), any_unknown_fields());
    bolero::check!().with_test_time(BUDGET).with_type::<([u8; 32], Vec<Spoil>)>().for_each(
        |(seed, spoils)| {
            let message = drawn(*seed, &messages);
            let bytes = encode(&message);
            assert_eq!(native::decode(bytes.clone()).as_ref(), Ok(&message));
            assert_eq!(judge(&bytes, native::decode), Ok(()));
            assert_eq!(judge(&spoilt(bytes.to_vec(), spoils), native::decode), Ok(()));
            let with_later = [&bytes[..], &drawn(*seed, &later)].concat();
            assert_eq!(judge(&with_later.into(), native::decode), Ok(()));
        },
    );
}

#[test]
fn fuzz_any_bytes_of_any_kind_are_a_message_or_an_error() {
    bolero::check!().with_test_time(BUDGET).for_each(|bytes: &[u8]| {
        assert_eq!(judge(&Bytes::copy_from_slice(bytes), native::decode), Ok(()));
        // Few random bytes begin as a message does.
        if let [kind, rest @ ..] = bytes {
            let bytes = [&[0xa1, kind % 16], rest].concat();
            assert_eq!(judge(&bytes.into(), native::decode), Ok(()));
        }
    });
}

/// Whether some sample, sound or spoilt in a few simple ways, shows that a decoder is broken.
fn is_caught(decode: impl Fn(Bytes) -> Result<Message, DecodeError> + Copy) -> bool {
    let samples = samples::small().into_iter().chain(samples::full());
    samples.map(|(_, message)| encode(&message).to_vec()).any(|bytes| {
        let cut = spoilt(bytes.clone(), &[Spoil::Cut { at: 40 }]);
        judge(&bytes.into(), decode).is_err() || judge(&cut, decode).is_err()
    })
}

#[test]
fn the_judge_catches_broken_decoders_and_no_sound_one() {
    assert!(!is_caught(native::decode));
    let forgets_later_fields = |bytes| {
        let mut message = native::decode(bytes)?;
        if let Message::Frame(Frame { unknown, .. }) | Message::Hello(Hello { unknown, .. }) = &mut message {
            *unknown = Bytes::new();
        }
        Ok(message)
    };
    assert!(is_caught(forgets_later_fields));
    let counts_hops = |bytes| {
        let mut message = native::decode(bytes)?;
        if let Message::Frame(frame) = &mut message {
            frame.hops = frame.hops.wrapping_add(1);
        }
        Ok(message)
    };
    assert!(is_caught(counts_hops));
    let believes_a_length = |bytes: Bytes| {
        let announced = usize::from(bytes.get(20).copied().unwrap_or_default()) << 12;
        std::hint::black_box(Vec::<u8>::with_capacity(announced));
        native::decode(bytes)
    };
    assert!(is_caught(believes_a_length));
    let misplaces_errors = |bytes| {
        native::decode(bytes).map_err(|mut error| {
            error.offset += 1 << 20;
            error
        })
    };
    assert!(is_caught(misplaces_errors));
}
