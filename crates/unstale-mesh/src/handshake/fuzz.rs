//! Whatever somebody sends who has not proven anything: to a listener, and to a dialler.

use bolero::TypeGenerator;

use super::*;
use crate::fuzz::{BUDGET, Spoil, spoilt};
use crate::record::{LENGTH_BYTES, Records};

/// The most memory that a connection takes for what came over it in a handshake, and for answering it.
const ALLOCATION_MAX: u64 = 32 * 1_024;

/// What somebody sends, and how it is cut on its way.
#[derive(Clone, Debug, TypeGenerator)]
struct Sent {
    begin: Begin,
    spoils: Vec<Spoil>,
    pieces: Vec<u8>,
}

#[derive(Clone, Debug, TypeGenerator)]
enum Begin {
    /// The record that belongs here.
    Genuine,
    /// The beginning of a greeting in clear, and any bytes.
    Preamble(Vec<u8>),
    /// A record of any bytes.
    Record(Vec<u8>),
    /// Any bytes.
    Raw(Vec<u8>),
}

impl Sent {
    fn bytes(&self, genuine: &[u8]) -> Vec<u8> {
        let record = |body: &[u8]| [&(body.len() as u16).to_be_bytes(), body].concat();
        let bytes = match &self.begin {
            Begin::Genuine => genuine.to_vec(),
            Begin::Preamble(rest) => record(&[&genuine[LENGTH_BYTES..][..PREAMBLE_BYTES], rest].concat()),
            Begin::Record(body) => record(body),
            Begin::Raw(bytes) => bytes.clone(),
        };
        spoilt(bytes, &self.spoils)
    }

    /// The first record, as a connection takes it out of the pieces that come; none if it is too long or does not come.
    fn first_record(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut records = Records::default();
        let mut rest = bytes;
        let mut pieces = self.pieces.iter().map(|piece| usize::from(*piece)).chain(std::iter::repeat(200));
        while !rest.is_empty() {
            let (piece, tail) = rest.split_at(pieces.next().unwrap_or(200).clamp(1, rest.len()));
            records.extend(piece);
            rest = tail;
            if let Some(record) = records.take(MESSAGE_BYTES_MAX).ok()? {
                return Some(records.get(record).to_vec());
            }
        }
        None
    }
}

fn terms(identity: u8) -> Terms {
    Terms::new(Identity([identity; 16]), "shop", Secret::new("secret").expect("not empty"))
}

/// What is wrong with how a listener takes what was sent, if anything is.
fn judge(
    sent: &Sent,
    genuine: &[u8],
    answer: impl Fn(&[u8], &mut Vec<u8>) -> Result<(Session, Identity), Refusal>,
) -> Result<(), String> {
    let bytes = sent.bytes(genuine);
    let (mut record, mut reply, mut answered) = (None, Vec::new(), None);
    let taken = allocation_counter::measure(|| {
        record = sent.first_record(&bytes);
        answered = record.as_ref().map(|record| answer(record, &mut reply).map(|(_, identity)| identity));
    });
    if taken.bytes_max > ALLOCATION_MAX {
        return Err(format!("{} bytes took {} bytes of memory", bytes.len(), taken.bytes_max));
    }
    let is_genuine = record.as_deref() == Some(&genuine[LENGTH_BYTES..]);
    match answered {
        Some(Ok(identity)) if !is_genuine || identity != Identity([1; 16]) => {
            Err(format!("{record:?} was taken for a greeting"))
        }
        Some(Err(refusal)) if is_genuine => Err(format!("the greeting was refused: {refusal}")),
        Some(Err(refusal)) => {
            let allowed = if refusal.code().is_some() { LENGTH_BYTES + 1 } else { 0 };
            if reply.len() == allowed { Ok(()) } else { Err(format!("{refusal} was told with {reply:?}")) }
        }
        Some(Ok(_)) | None => Ok(()),
    }
}

#[test]
fn fuzz_a_listener_believes_nobody_without_the_secret() {
    let (listener, mut genuine) = (terms(2), Vec::new());
    terms(1).greet(&mut genuine);
    bolero::check!().with_test_time(BUDGET).with_type::<Sent>().for_each(|sent| {
        assert_eq!(judge(sent, &genuine, |record, reply| listener.answer(record, reply)), Ok(()));
    });
}

#[test]
fn fuzz_a_dialler_believes_nobody_without_the_secret() {
    let (dialler, listener) = (terms(1), terms(2));
    bolero::check!().with_test_time(BUDGET).with_type::<Sent>().for_each(|sent| {
        let (mut greeting, mut genuine) = (Vec::new(), Vec::new());
        let greeted = dialler.greet(&mut greeting);
        listener.answer(&greeting[LENGTH_BYTES..], &mut genuine).expect("a good greeting");
        let Some(record) = sent.first_record(&sent.bytes(&genuine)) else { return };
        let is_genuine = record == genuine[LENGTH_BYTES..];
        assert_eq!(greeted.read_answer(&record).is_ok(), is_genuine, "{record:?}");
    });
}

#[test]
fn the_judge_catches_listeners_that_believe_and_those_that_talk_too_much() {
    let (listener, mut genuine) = (terms(2), Vec::new());
    terms(1).greet(&mut genuine);
    let sent = |begin| Sent { begin, spoils: Vec::new(), pieces: vec![1, 40] };
    let sound = |record: &[u8], reply: &mut Vec<u8>| listener.answer(record, reply);
    let forged = sent(Begin::Preamble(vec![7; 64]));
    assert_eq!(judge(&forged, &genuine, sound), Ok(()));
    assert_eq!(judge(&sent(Begin::Genuine), &genuine, sound), Ok(()));

    let body = &genuine[LENGTH_BYTES..];
    let believes_the_preamble = |record: &[u8], reply: &mut Vec<u8>| {
        listener.check_preamble(record)?;
        listener.answer(body, reply)
    };
    assert!(judge(&forged, &genuine, believes_the_preamble).is_err());
    let refuses_all = |_: &[u8], _: &mut Vec<u8>| Err(Refusal::Garbage);
    assert!(judge(&sent(Begin::Genuine), &genuine, refuses_all).is_err());
    let echoes = |record: &[u8], reply: &mut Vec<u8>| {
        reply.extend_from_slice(record);
        Err(Refusal::Garbage)
    };
    assert!(judge(&forged, &genuine, echoes).is_err());
    let believes_a_length = |record: &[u8], reply: &mut Vec<u8>| {
        std::hint::black_box(Vec::<u8>::with_capacity(usize::from(record[0]) << 16));
        listener.answer(record, reply)
    };
    assert!(judge(&forged, &genuine, believes_a_length).is_err());
}
