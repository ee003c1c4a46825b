//! What is encoded decodes to the same, and encodes to the same bytes again.

use bytes::{Bytes, BytesMut};
use proptest::prelude::{Just, ProptestConfig, Strategy as _, any, prop_oneof, proptest};
use proptest::{collection, sample};
use unstale_codec::native::{self, EncodeError, FRAME_BYTES_MAX};
use unstale_core::{Frame, Hello, Message, Name, Range, Seq, Subject, frame_bytes};

use crate::strategies::{any_entry, any_frame, any_message, any_unknown_fields};
use crate::{decode, encode, samples};

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_message_comes_back_as_it_was_and_has_one_form(message in any_message().boxed()) {
        let bytes = encode(&message);
        let back = decode(bytes.clone());
        assert_eq!(encode(&back), bytes);
        assert_eq!(back, message);
    }

    #[test]
    fn every_entry_comes_back_as_it_was_whatever_a_later_version_adds(entry in any_entry(), later in any_unknown_fields()) {
        let mut bytes = BytesMut::from(&native::encode_entry(&entry).expect("it can be written")[..]);
        bytes.extend_from_slice(&later);
        assert_eq!(native::decode_entry(bytes.freeze()), Ok(entry));
    }

    #[test]
    fn an_entry_that_ends_too_early_is_none(entry in any_entry(), cut in any::<sample::Index>()) {
        let bytes = native::encode_entry(&entry).expect("it can be written");
        let error = native::decode_entry(bytes.slice(..cut.index(bytes.len()))).expect_err("a part of it is missing");
        assert!(error.offset <= bytes.len());
    }

    #[test]
    fn any_bytes_are_an_entry_or_an_error(bytes in collection::vec(any::<u8>(), 0..200), first in prop_oneof![Just(0xa1), any::<u8>()]) {
        let bytes: Bytes = std::iter::once(first).chain(bytes).collect();
        if let Ok(entry) = native::decode_entry(bytes) {
            assert_eq!(native::decode_entry(native::encode_entry(&entry).expect("it was read")), Ok(entry));
        }
    }

    #[test]
    fn a_frame_takes_no_more_than_the_core_counts_for_it(frame in any_frame()) {
        assert!(encode(&Message::Frame(frame.clone())).len() <= frame_bytes(&frame));
    }

    #[test]
    fn fields_of_later_versions_are_skipped_in_every_message(message in any_message().boxed(), later in any_unknown_fields()) {
        let mut bytes = BytesMut::from(&encode(&without_unknown(message.clone()))[..]);
        bytes.extend_from_slice(&later);
        let back = decode(bytes.freeze());
        assert_eq!(without_unknown(back.clone()), without_unknown(message));
        let (Message::Frame(Frame { unknown, .. }) | Message::Hello(Hello { unknown, .. })) = back else {
            return Ok(());
        };
        // P-5: what is forwarded loses nothing.
        assert_eq!(unknown, later);
    }
}

fn without_unknown(mut message: Message) -> Message {
    if let Message::Frame(Frame { unknown, .. }) | Message::Hello(Hello { unknown, .. }) = &mut message {
        *unknown = Bytes::new();
    }
    message
}

fn small(name: &str) -> Message {
    let found = samples::small().into_iter().find(|(of, _)| *of == name);
    found.unwrap_or_else(|| panic!("no sample {name}")).1
}

fn frame_with(change: impl FnOnce(&mut Frame)) -> Message {
    let Message::Frame(mut frame) = small("frame") else { panic!("it is a frame") };
    change(&mut frame);
    Message::Frame(frame)
}

#[test]
fn fields_of_a_later_version_survive_two_relays() {
    let later = Bytes::from_static(&[0x09, 0x03, 1, 2, 3]);
    let sent = encode(&frame_with(|frame| frame.unknown = later.clone()));
    let mut passed = sent.clone();
    for hops in 1..=2 {
        let Message::Frame(frame) = decode(passed) else { panic!("a frame stays one") };
        passed = encode(&Message::Frame(Frame { hops, ..frame }));
    }
    let Message::Frame(arrived) = decode(passed) else { panic!("a frame stays one") };
    assert_eq!((arrived.unknown, arrived.hops), (later, 2));
}

#[test]
fn a_quiet_beat_takes_60_to_90_bytes() {
    let bytes = encode(&small("beat")).len();
    assert!((60..=90).contains(&bytes), "{bytes} bytes");
}

#[test]
fn a_cache_is_named_once_however_many_keys_it_has() {
    let Message::Frame(Frame { acts, .. }) = small("frame") else { panic!("it is a frame") };
    let of_acts = |count: usize| {
        let acts = acts.iter().take(1).cycle().take(count).cloned().collect();
        encode(&frame_with(|frame| frame.acts = acts)).len()
    };
    // One byte for verb, subject and "same cache", one for the length of the key, two for the key.
    assert_eq!(of_acts(101) - of_acts(100), 4);
}

#[test]
fn decoding_copies_no_key() {
    let bytes = encode(&small("frame"));
    let within = bytes.as_ptr_range();
    let Message::Frame(frame) = decode(bytes.clone()) else { panic!("it is a frame") };
    for act in frame.acts {
        let (Subject::Key { cache, key: part } | Subject::Tag { cache: Some(cache), tag: part }) =
            act.subject
        else {
            panic!("the sample has keys and tags of caches")
        };
        assert!(within.contains(&part.as_ptr()) && within.contains(&cache.as_bytes().as_ptr()));
    }
}

#[test]
fn what_exceeds_a_limit_is_not_encoded_and_leaves_no_trace() {
    let act = |frame: &Frame| frame.acts[0].clone();
    let cases = [
        frame_with(|frame| frame.acts = vec![act(frame); 4_097]),
        frame_with(|frame| frame.range = Range { first: Seq(0), last: Seq(1) }),
        frame_with(|frame| frame.range = Range { first: Seq(2), last: Seq(1) }),
        frame_with(|frame| frame.unknown = Bytes::from_static(&[9, 5, 0])),
        frame_with(|frame| {
            let key = vec![0; FRAME_BYTES_MAX].into();
            frame.acts[0].subject = Subject::Key { cache: Name::new("c").expect("a name"), key };
        }),
    ];
    let mut out = BytesMut::from(&b"before"[..]);
    let errors =
        cases.map(|message| native::encode(&message, &mut out).expect_err("beyond a limit").to_string());
    assert_eq!(&out[..], b"before");
    let expected = [
        "4097 acts exceed the limit of 4096",
        "range 0 to 1 is none",
        "range 2 to 1 is none",
        "unknown fields are malformed: at byte 2: the message ends 4 bytes too early",
        "a message of 1048640 bytes exceeds the limit of 1048576",
    ];
    assert_eq!(errors, expected);
}

#[test]
fn an_address_beyond_255_bytes_is_an_error() {
    let Message::Hello(mut hello) = small("hello") else { panic!("it is a hello") };
    hello.address = Some(vec![b'x'; 256].into());
    let refused = native::encode(&Message::Hello(hello), &mut BytesMut::new());
    assert_eq!(refused, Err(EncodeError::TooLong { what: "address", bytes: 256, limit: 255 }));
}
