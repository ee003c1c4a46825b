//! Whatever comes in sealed records, and in what only looks like them: from the network, and from a peer that has the keys.

use bolero::TypeGenerator;

use super::tests::{Pair, pair};
use super::*;
use crate::fuzz::{BUDGET, Spoil, spoilt};

/// What comes next.
#[derive(Clone, Debug, TypeGenerator)]
enum Comes {
    /// A record of the peer, perhaps of no kind that there is.
    Sealed { kind: u8, body: Vec<u8> },
    /// A whole part, or a frame that fills a record.
    Large { is_last: bool },
    /// A record that changed on its way.
    Spoilt { body: Vec<u8>, spoils: Vec<Spoil> },
    /// The record before, once more.
    Again,
    /// The record after one that was left out.
    Gap,
    /// Any bytes.
    Garbage(Vec<u8>),
}

/// What a reader should make of a record, said without keys and buffers.
#[derive(Debug, PartialEq, Eq)]
enum Makes {
    Nothing,
    Frame(usize),
    Verdict,
    Refusal,
}

impl From<Result<Opened, Refused>> for Makes {
    fn from(opened: Result<Opened, Refused>) -> Self {
        match opened {
            Ok(Opened::Nothing) => Self::Nothing,
            Ok(Opened::Frame(frame)) => Self::Frame(frame.len()),
            Ok(Opened::Verdict(_)) => Self::Verdict,
            Err(_) => Self::Refusal,
        }
    }
}

/// What should come of an untouched record; `joined` is the length of the parts before it.
fn expected(kind: u8, body: &[u8], joined: &mut usize) -> Makes {
    let whole = *joined + body.len();
    match kind {
        1 | 2 if whole > 1_048_576 => Makes::Refusal,
        1 => {
            *joined = 0;
            Makes::Frame(whole)
        }
        2 => {
            *joined = whole;
            Makes::Nothing
        }
        3 if body.first().is_some_and(|verdict| *verdict < 3) => Makes::Verdict,
        3 => Makes::Refusal,
        _ => Makes::Nothing,
    }
}

/// What is wrong with what a reader made of what came, if anything is.
fn judge(comes: &[Comes], open: impl Fn(&mut Pair, &[u8]) -> Result<Opened, Refused>) -> Result<(), String> {
    let mut pair = pair();
    let (mut joined, mut before) = (0, Vec::new());
    for next in comes {
        let kept = joined;
        let (record, wanted) = next_record(next, &mut pair, &before, &mut joined);
        let mut made = Makes::Nothing;
        let taken = allocation_counter::measure(|| made = open(&mut pair, &record).into());
        if made != wanted {
            return Err(format!("{next:?} is {wanted:?}, not {made:?}"));
        }
        let room = 4 * (kept + record.len()) as u64 + 4_096;
        if taken.bytes_max > room {
            return Err(format!("{next:?} took {} bytes of memory", taken.bytes_max));
        }
        if made == Makes::Refusal {
            // The connection is closed.
            return Ok(());
        }
        before = record;
    }
    Ok(())
}

fn next_record(next: &Comes, pair: &mut Pair, before: &[u8], joined: &mut usize) -> (Vec<u8>, Makes) {
    match next {
        Comes::Sealed { kind, body } => {
            let kind = if *kind < 128 { kind % 4 } else { *kind };
            (pair.seal_kind(kind, body), expected(kind, body, joined))
        }
        Comes::Large { is_last } => {
            let (kind, body) = (if *is_last { KIND_FRAME } else { KIND_PART }, vec![7; PART_BYTES_MAX]);
            (pair.seal_kind(kind, &body), expected(kind, &body, joined))
        }
        Comes::Spoilt { body, spoils } => {
            let sealed = pair.seal_kind(KIND_FRAME, body);
            let record = spoilt(sealed.clone(), spoils);
            let wanted = if record == sealed { expected(KIND_FRAME, body, joined) } else { Makes::Refusal };
            (record, wanted)
        }
        Comes::Again => (before.to_vec(), Makes::Refusal),
        Comes::Gap => {
            pair.seal_kind(KIND_FRAME, b"left out");
            (pair.seal_kind(KIND_FRAME, b"the next"), Makes::Refusal)
        }
        Comes::Garbage(bytes) => (bytes.clone(), Makes::Refusal),
    }
}

#[test]
fn fuzz_sealed_records_open_once_in_their_turn_and_frames_stay_within_their_limit() {
    bolero::check!()
        .with_test_time(BUDGET)
        .with_type::<Vec<Comes>>()
        .for_each(|comes| assert_eq!(judge(comes, Pair::open), Ok(())));
}

#[test]
fn the_judge_catches_readers_that_forgive_forget_or_never_stop() {
    let sealed = |kind, body: &[u8]| Comes::Sealed { kind, body: body.to_vec() };
    let replay = [sealed(1, b"one"), Comes::Again];
    let parts = [sealed(2, b"one"), sealed(1, b"two")];
    let flood: Vec<_> = std::iter::repeat_n(Comes::Large { is_last: false }, 17).collect();
    for sound in [&replay[..], &parts, &flood] {
        assert_eq!(judge(sound, Pair::open), Ok(()));
    }
    let forgives = |pair: &mut Pair, record: &[u8]| match pair.open(record) {
        Err(Refused::Seal) => Ok(Opened::Nothing),
        opened => opened,
    };
    assert!(judge(&replay, forgives).is_err());
    let forgets = |pair: &mut Pair, record: &[u8]| {
        pair.listener.joined.clear();
        pair.open(record)
    };
    assert!(judge(&parts, forgets).is_err());
    let never_stops = |pair: &mut Pair, record: &[u8]| match pair.open(record) {
        Err(Refused::Frame { .. }) => Ok(Opened::Nothing),
        opened => opened,
    };
    assert!(judge(&flood, never_stops).is_err());
    let believes_a_length = |pair: &mut Pair, record: &[u8]| {
        std::hint::black_box(Vec::<u8>::with_capacity(1 << 24));
        pair.open(record)
    };
    assert!(judge(&parts, believes_a_length).is_err());
}
