use proptest::prelude::*;

use super::*;
use crate::handshake::{Identity, Terms};
use crate::record::Records;
use crate::secret::Secret;

pub(super) struct Pair {
    pub(super) dialler: Session,
    pub(super) listener: Session,
    pub(super) plain: Vec<u8>,
}

pub(super) fn pair() -> Pair {
    let terms = |identity| Terms::new(Identity(identity), "shop", Secret::new("secret").expect("not empty"));
    let (dialler, listener) = (terms([1; 16]), terms([2; 16]));
    let (mut greeting, mut answer) = (Vec::new(), Vec::new());
    let greeted = dialler.greet(&mut greeting);
    let (at_listener, _) = listener.answer(&greeting[2..], &mut answer).expect("a good greeting");
    let (at_dialler, _) = greeted.read_answer(&answer[2..]).expect("a good answer");
    Pair { dialler: at_dialler, listener: at_listener, plain: vec![0; RECORD_BYTES_MAX] }
}

impl Pair {
    /// The records of a frame that the dialler sends.
    fn sealed(&mut self, frame: &[u8]) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        self.dialler.seal_frame(frame, &mut self.plain, &mut out);
        let mut records = Records::default();
        records.extend(&out);
        let mut sealed = Vec::new();
        while let Some(record) = records.take(RECORD_BYTES_MAX).expect("within the limit") {
            sealed.push(records.get(record).to_vec());
        }
        sealed
    }

    pub(super) fn open(&mut self, record: &[u8]) -> Result<Opened, Refused> {
        self.listener.open(record, &mut self.plain)
    }

    /// Seals a record of any kind, as a peer of another version or without manners would.
    pub(super) fn seal_kind(&mut self, kind: u8, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        self.dialler.seal(kind, body, &mut self.plain, &mut out);
        out.split_off(2)
    }
}

fn frame(text: &'static [u8]) -> Opened {
    Opened::Frame(Bytes::from_static(text))
}

#[test]
fn a_replayed_record_is_refused() {
    let mut pair = pair();
    let first = pair.sealed(b"one").remove(0);
    assert_eq!(pair.open(&first), Ok(frame(b"one")));
    assert_eq!(pair.open(&first), Err(Refused::Seal));
}

#[test]
fn reordered_and_left_out_records_are_refused() {
    let mut pair = pair();
    let (_, second) = (pair.sealed(b"one"), pair.sealed(b"two").remove(0));
    assert_eq!(pair.open(&second), Err(Refused::Seal));
}

#[test]
fn a_record_sent_back_to_its_sender_is_refused() {
    let mut pair = pair();
    let record = pair.sealed(b"one").remove(0);
    assert_eq!(pair.dialler.open(&record, &mut pair.plain), Err(Refused::Seal));
}

#[test]
fn every_damaged_or_missing_byte_of_a_record_is_noticed() {
    let mut pair = pair();
    let record = pair.sealed(b"frame").remove(0);
    for at in 0..record.len() {
        let mut damaged = record.clone();
        damaged[at] ^= 0x80;
        assert_eq!(pair.open(&damaged), Err(Refused::Seal), "byte {at}");
        assert_eq!(pair.open(&record[..at]), Err(Refused::Seal), "cut to {at} bytes");
    }
    assert_eq!(
        pair.open(&record),
        Ok(frame(b"frame")),
        "a refused record does not use up the turn of the right one"
    );
}

#[test]
fn frames_beyond_one_record_are_split_and_joined() {
    let mut pair = pair();
    for (bytes, records) in [(0, 1), (PART_BYTES_MAX, 1), (PART_BYTES_MAX + 1, 2), (3 * PART_BYTES_MAX, 3)] {
        let sent: Vec<u8> = (0..bytes).map(|at| (at % 251) as u8).collect();
        let sealed = pair.sealed(&sent);
        assert_eq!(sealed.len(), records, "{bytes} bytes");
        let mut opened: Vec<_> =
            sealed.iter().map(|record| pair.open(record).expect("a good record")).collect();
        assert_eq!(opened.pop(), Some(Opened::Frame(sent.into())));
        assert!(opened.iter().all(|part| *part == Opened::Nothing));
    }
}

#[test]
fn a_frame_that_grows_beyond_the_limit_is_refused_before_it_is_kept() {
    let mut pair = pair();
    let part = vec![0; PART_BYTES_MAX];
    for _ in 0..FRAME_BYTES_MAX / PART_BYTES_MAX {
        let record = pair.seal_kind(KIND_PART, &part);
        assert_eq!(pair.open(&record), Ok(Opened::Nothing));
    }
    let record = pair.seal_kind(KIND_PART, &part);
    assert_eq!(pair.open(&record), Err(Refused::Frame { limit: FRAME_BYTES_MAX }));
    assert!(pair.listener.joined.len() <= FRAME_BYTES_MAX);
}

#[test]
fn kinds_of_later_versions_are_skipped_and_nonsense_is_refused() {
    let mut pair = pair();
    let later = pair.seal_kind(200, b"what the future brings");
    assert_eq!(pair.open(&later), Ok(Opened::Nothing));
    for verdict in [&[][..], &[3]] {
        let record = pair.seal_kind(KIND_VERDICT, verdict);
        assert_eq!(pair.open(&record), Err(Refused::Sense));
    }
    let mut empty = vec![0; SEAL_BYTES];
    pair.dialler.noise.write_message(&[], &mut empty).expect("there is room");
    assert_eq!(pair.open(&empty), Err(Refused::Sense));
}

#[test]
fn the_key_changes_on_both_ends_after_so_many_records() {
    let mut pair = pair();
    for at in 0..KEY_RECORDS_MAX + 2 {
        let record = pair.sealed(b"tick").remove(0);
        assert_eq!(pair.open(&record), Ok(frame(b"tick")), "record {at}");
    }
}

#[test]
fn an_end_that_keeps_its_key_is_lost_after_so_many_records() {
    let mut pair = pair();
    let keep = |pair: &mut Pair| {
        let record = pair.sealed(b"tick").remove(0);
        pair.listener.noise.read_message(&record, &mut pair.plain).is_ok()
    };
    for at in 0..KEY_RECORDS_MAX {
        assert!(keep(&mut pair), "record {at}");
    }
    assert!(!keep(&mut pair), "the sender has another key now");
}

proptest! {
    #[test]
    fn garbage_never_opens(garbage in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let mut pair = pair();
        prop_assert_eq!(pair.open(&garbage), Err(Refused::Seal));
    }
}
