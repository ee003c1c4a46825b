//! Bytes that are no message: errors with an offset, never a panic, never more memory than stated.

use std::mem::size_of;

use bytes::Bytes;
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};
use proptest::{collection, sample};
use unstale_codec::native::{self, DECODE_ALLOCATION_MAX, DecodeErrorKind, FRAME_BYTES_MAX};
use unstale_core::{Act, DigestRow, Ended, MemberInfo, Message, Name, Range, RoundRow, VectorRow, Vouch};

use crate::strategies::any_message;
use crate::{decode, encode, samples};

/// What a message holds beside slices of the bytes that it was decoded from.
fn allocated(message: &Message) -> usize {
    match message {
        Message::Frame(frame) => frame.acts.capacity() * size_of::<Act>(),
        Message::Beat(beat) => {
            beat.vector.capacity() * size_of::<VectorRow>() + beat.vouches.capacity() * size_of::<Vouch>()
        }
        Message::Hello(hello) => {
            lists(&hello.members, &hello.ended) + hello.scopes.capacity() * size_of::<Name>()
        }
        Message::Admit(admit) => {
            lists(&admit.members, &admit.ended) + admit.scopes.capacity() * size_of::<Name>()
        }
        Message::View(view) => lists(&view.members, &view.ended),
        Message::Want(want) => want.ranges.capacity() * size_of::<Range>(),
        Message::Digest(digest) => digest.rows.capacity() * size_of::<DigestRow>(),
        Message::DigestWant(_)
        | Message::Gone(_)
        | Message::ViewWant(_)
        | Message::Bye(_)
        | Message::Reset(_)
        | Message::Vote(_)
        | Message::Answer(_) => 0,
        Message::Round(round) => round.rows.capacity() * size_of::<RoundRow>(),
        _ => panic!("a kind of message that this test does not know"),
    }
}

fn lists(members: &Vec<MemberInfo>, ended: &Vec<Ended>) -> usize {
    members.capacity() * size_of::<MemberInfo>() + ended.capacity() * size_of::<Ended>()
}

/// Decodes what may be anything, and checks what holds for anything.
fn try_decode(bytes: &Bytes) {
    match native::decode(bytes.clone()) {
        Ok(message) => {
            assert!(allocated(&message) <= DECODE_ALLOCATION_MAX);
            // What was accepted can be sent on, and is then understood alike.
            let again = encode(&message);
            assert_eq!(decode(again), message);
        }
        Err(error) => assert!(error.offset <= bytes.len(), "{error}"),
    }
}

/// Ways to spoil a message.
#[derive(Clone, Debug)]
enum Spoil {
    Flip(sample::Index, u8),
    Cut(sample::Index),
    Insert(sample::Index, Vec<u8>),
    Repeat(sample::Index, sample::Index),
}

fn spoil() -> impl Strategy<Value = Spoil> {
    let at = || any::<sample::Index>();
    let interesting = prop_oneof![any::<u8>(), Just(0), Just(0x7f), Just(0x80), Just(0xff)];
    prop_oneof![
        4 => (at(), interesting.clone()).prop_map(|(at, byte)| Spoil::Flip(at, byte)),
        1 => at().prop_map(Spoil::Cut),
        1 => (at(), collection::vec(interesting, 1..12)).prop_map(|(at, bytes)| Spoil::Insert(at, bytes)),
        1 => (at(), at()).prop_map(|(from, to)| Spoil::Repeat(from, to)),
    ]
}

fn apply(bytes: &mut Vec<u8>, spoil: &Spoil) {
    if bytes.is_empty() {
        return;
    }
    match spoil {
        Spoil::Flip(at, byte) => {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        Spoil::Cut(at) => bytes.truncate(at.index(bytes.len())),
        Spoil::Insert(at, more) => {
            let at = at.index(bytes.len());
            bytes.splice(at..at, more.iter().copied());
        }
        Spoil::Repeat(from, to) => {
            let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
            let part = bytes[from.min(to)..from.max(to)].to_vec();
            bytes.extend(part);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn spoilt_messages_never_panic(message in any_message().boxed(), spoils in collection::vec(spoil(), 1..4)) {
        let mut bytes = encode(&message).to_vec();
        for spoil in &spoils {
            apply(&mut bytes, spoil);
        }
        try_decode(&bytes.into());
    }

    #[test]
    fn random_bytes_of_every_kind_never_panic(kind in 0..18_u8, rest in collection::vec(any::<u8>(), 0..300)) {
        let mut bytes = vec![0xa1, kind];
        bytes.extend(rest);
        try_decode(&bytes.into());
    }
}

#[test]
fn a_message_cut_anywhere_is_an_error_with_an_offset_or_lacks_later_fields_only() {
    for (name, message) in samples::small().into_iter().chain(samples::full()) {
        let whole = encode(&message);
        for length in 0..whole.len() {
            let cut = whole.slice(..length);
            match native::decode(cut.clone()) {
                Err(error) => assert!(error.offset <= length, "{name} cut to {length}: {error}"),
                // Only fields that this version does not know may be missing: each ends where the next one begins.
                Ok(shorter) => {
                    assert_eq!(encode(&shorter), cut, "{name} cut to {length}");
                    assert!(
                        matches!(shorter, Message::Frame(_) | Message::Hello(_)),
                        "{name} cut to {length}"
                    );
                }
            }
        }
    }
}

#[test]
fn every_byte_changed_to_every_value_never_panics() {
    for (_, message) in samples::small() {
        let whole = encode(&message);
        for at in 0..whole.len() {
            for value in 0..=u8::MAX {
                let mut bytes = whole.to_vec();
                bytes[at] = value;
                try_decode(&bytes.into());
            }
        }
    }
}

/// The kind of error, for bytes after the first two.
fn refused(kind: u8, rest: &[&[u8]]) -> (usize, DecodeErrorKind) {
    let mut bytes = vec![0xa1, kind];
    bytes.extend(rest.concat());
    let error = native::decode(bytes.into()).expect_err("it is no message");
    (error.offset, error.kind)
}

const STREAM: &[u8] = &[7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 1];

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let decode = |bytes: &'static [u8]| {
        let error = native::decode(Bytes::from_static(bytes)).expect_err("it is no message");
        error.to_string()
    };
    assert_eq!(decode(b""), "at byte 0: the message ends 1 bytes too early");
    assert_eq!(decode(b"{}"), "at byte 0: first byte 0x7b is not of the native format");
    assert_eq!(decode(&[0xa2, 1]), "at byte 0: version 2 of the native format is unknown");
    assert_eq!(decode(&[0xa1, 99]), "at byte 1: kind of message 99 is unknown");
    let unknown = |what, value| DecodeErrorKind::Unknown { what, value };
    assert_eq!(refused(2, &[STREAM, &[0x80]]), (19, unknown("byte of flags", 0x80)));
    assert_eq!(refused(6, &[STREAM, &[0, 1]]), (19, DecodeErrorKind::Range));
    assert_eq!(refused(6, &[STREAM, &[0xff; 9], &[1, 1]]), (19, DecodeErrorKind::Range));
    assert_eq!(refused(11, &[STREAM, &[0xff; 10]]), (19, DecodeErrorKind::Number));
    assert_eq!(refused(11, &[STREAM, &[1], &[0, 0]]), (20, DecodeErrorKind::Tag(0)));
    assert_eq!(refused(13, &[STREAM, &[1, 0xff]]).0, 19);
    assert_eq!(refused(13, &[STREAM, &[1, b'a', 3]]), (21, unknown("subject of a vote", 3)));
}

#[test]
fn acts_that_make_no_sense_are_refused() {
    let head: [&[u8]; 3] = [STREAM, &[1, 0], &[0; 9]];
    let acts = |acts: &[u8]| refused(1, &[head[0], head[1], head[2], acts]);
    let first = |value| DecodeErrorKind::Unknown { what: "first byte of an act", value };
    assert_eq!(acts(&[1, 0x03]), (31, first(0x03)), "a fourth verb");
    assert_eq!(acts(&[1, 0x14]), (31, first(0x14)), "a sixth subject");
    assert_eq!(acts(&[1, 0x30]), (31, first(0x30)), "the same cache for what has none");
    assert_eq!(acts(&[1, 0x40]), (31, first(0x40)), "a bit that means nothing");
    let index = DecodeErrorKind::TooGreat { what: "index of a cache", value: 1, limit: 0 };
    assert_eq!(acts(&[1, 0x00, 1, 0]), (32, index));
    assert_eq!(acts(&[1, 0x20, 0]).0, 32, "the same cache before the first one");
}

#[test]
fn counts_beyond_the_message_or_the_limit_are_refused_before_the_first_element() {
    let huge: &[u8] = &[0xff, 0xff, 0xff, 0xff, 0x7f];
    let counted = |kind, before: &[&[u8]]| {
        let mut rest = before.to_vec();
        rest.push(huge);
        let (_, kind) = refused(kind, &rest);
        matches!(kind, DecodeErrorKind::TooMany { .. })
    };
    assert!(counted(1, &[STREAM, &[1, 0], &[0; 9]]), "acts");
    assert!(counted(2, &[STREAM, &[0], &[0; 18]]), "rows of a vector");
    assert!(counted(2, &[STREAM, &[0], &[0; 18], &[0]]), "vouches");
    assert!(counted(3, &[STREAM, &[0, 1, 1, 1, b'c', 1, b'a', 0]]), "scopes");
    assert!(counted(5, &[STREAM]), "ranges");
    assert!(counted(7, &[STREAM, &[1, 0]]), "hashes");
    assert!(counted(10, &[STREAM, &[0; 8]]), "members");
    assert!(counted(10, &[STREAM, &[0; 8], &[0]]), "ended streams");
    let fits_but_too_many = vec![0x10; 5_000];
    let (_, kind) = refused(1, &[STREAM, &[1, 0], &[0; 9], &[0x81, 0x20], &fits_but_too_many]);
    assert_eq!(kind, DecodeErrorKind::TooMany { what: "acts", count: 4_097, limit: 4_096 });
}

#[test]
fn the_largest_lists_stay_within_the_stated_memory() {
    // One digest of as many hashes as a message has room for: the most memory for its bytes among long messages.
    let hashes = (FRAME_BYTES_MAX - 64) / 8;
    let mut bytes = vec![0xa1, 7];
    bytes.extend_from_slice(STREAM);
    bytes.extend_from_slice(&[1, 0]);
    bytes.extend_from_slice(&[hashes as u8 | 0x80, (hashes >> 7) as u8 | 0x80, (hashes >> 14) as u8]);
    bytes.resize(bytes.len() + hashes * 8 + 3, 0);
    let digest = native::decode(bytes.into()).expect("it is a digest");
    assert!(allocated(&digest) <= DECODE_ALLOCATION_MAX);
    let too_long = native::decode(vec![0xa1; FRAME_BYTES_MAX + 1].into()).expect_err("it is too long");
    let kind = DecodeErrorKind::TooLarge { bytes: FRAME_BYTES_MAX + 1, limit: FRAME_BYTES_MAX };
    assert_eq!(too_long.kind, kind);
}
