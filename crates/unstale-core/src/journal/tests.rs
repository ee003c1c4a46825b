use super::*;
use crate::{Batch, Name, ProcessId, Stamp, SuspectFilter, Verb, Voided};

const MUCH: usize = 64 << 10;
const OWN: Stream = Stream::first(ProcessId(7));
const PEER: Stream = Stream::first(ProcessId(8));

fn users() -> Name {
    Name::new("users").unwrap()
}

fn range(first: u64, last: u64) -> Range {
    Range::new(Seq(first), Seq(last)).unwrap()
}

/// One act for each number, on a key of that number.
fn frame(stream: Stream, first: u64, last: u64) -> Frame {
    let key = |n: u64| Subject::Key { cache: users(), key: n.to_string().into() };
    Frame {
        stream,
        range: range(first, last),
        stamp: Stamp(0),
        scope: Scope(0),
        batch: Batch::Loose,
        hops: 0,
        voided: Voided::Yes,
        acts: (first..=last).map(|n| Act { verb: Verb::Set, subject: key(n) }).collect(),
        unknown: Bytes::new(),
    }
}

/// Room for about `frames` single-act frames of this process, `rows` rows, `peers` single-act frames of peers.
fn journal(frames: usize, rows: usize, peers: usize) -> Journal {
    let mut one = Journal::default();
    one.push_own(Arc::new(frame(OWN, 1_000, 1_000)));
    one.push_peer(&frame(PEER, 1_000, 1_000));
    Journal::with_bound(JournalBound {
        own_frames_bytes: frames * one.bytes().own_frames_bytes,
        own_rows_bytes: rows * 9 + 256,
        peer_frames_bytes: peers * one.bytes().peer_frames_bytes,
    })
}

fn found(found: &Found) -> Vec<(u64, u64)> {
    match found {
        Found::Frames(frames) => {
            frames.iter().map(|frame| (frame.range.first.0, frame.range.last.0)).collect()
        }
        Found::Digest(_) | Found::Gone(_) => Vec::new(),
    }
}

fn filter(digest: &Digest) -> SuspectFilter {
    let mut filter = SuspectFilter::default();
    filter.add(&digest.rows);
    filter
}

#[test]
fn whole_frames_cover_what_was_asked() {
    // streams P-2
    let mut journal = Journal::default();
    for (first, last) in [(1, 3), (4, 4), (5, 9), (10, 12)] {
        journal.push_own(Arc::new(frame(OWN, first, last)));
    }
    assert_eq!(found(&journal.frames(OWN, range(3, 6), MUCH)), [(1, 3), (4, 4), (5, 9)]);
    assert_eq!(found(&journal.frames(OWN, range(11, 11), MUCH)), [(10, 12)]);
}

#[test]
fn an_answer_ends_at_the_limit_but_holds_one_frame_at_least() {
    let mut journal = Journal::default();
    for n in 1..=5 {
        journal.push_own(Arc::new(frame(OWN, n, n)));
    }
    assert_eq!(found(&journal.frames(OWN, range(1, 5), 250)), [(1, 1), (2, 2)]);
    assert_eq!(found(&journal.frames(OWN, range(3, 5), 1)), [(3, 3)]);
}

#[test]
fn own_acts_older_than_the_frames_are_answered_by_a_digest() {
    // streams section 2, P-19
    let mut journal = journal(10, 1_000, 0);
    for n in 1_000..1_100 {
        journal.push_own(Arc::new(frame(OWN, n, n)));
    }
    let Found::Digest(digest) = journal.frames(OWN, range(1_005, 1_020), MUCH) else { panic!("no digest") };
    assert_eq!(digest.range, range(1_005, 1_020));
    let filter = filter(&digest);
    assert!((1_005..=1_020).all(|n: u64| filter.holds_key(&users(), n.to_string().as_bytes())));
    assert_eq!(found(&journal.frames(OWN, range(1_095, 1_096), MUCH)), [(1_095, 1_095), (1_096, 1_096)]);
}

#[test]
fn a_digest_goes_on_from_rows_into_frames() {
    let mut journal = journal(10, 1_000, 0);
    for n in 1_000..1_100 {
        journal.push_own(Arc::new(frame(OWN, n, n)));
    }
    let digest = journal.digest(OWN, range(1_000, 1_099), MUCH).unwrap();
    assert_eq!(digest.range, range(1_000, 1_099));
    assert_eq!(digest.rows.len(), 100);
    assert!(digest.rows.is_sorted());
}

#[test]
fn acts_older_than_the_rows_are_gone_and_the_answer_names_the_oldest_held() {
    let mut journal = journal(10, 300, 0);
    for n in 1_000..3_000 {
        journal.push_own(Arc::new(frame(OWN, n, n)));
    }
    let Found::Gone(gone) = journal.frames(OWN, range(1_000, 2_999), MUCH) else { panic!("not gone") };
    assert!(gone.oldest > Seq(2_000) && gone.oldest < Seq(2_990));
    assert!(matches!(
        journal.frames(OWN, Range { first: gone.oldest, last: Seq(2_999) }, MUCH),
        Found::Digest(_)
    ));
    let before = Range { first: Seq(1_000), last: Seq(gone.oldest.0 - 1) };
    assert_eq!(
        journal.digest(OWN, before, MUCH),
        Err(Gone { stream: OWN, range: before, oldest: gone.oldest })
    );
}

#[test]
fn an_unknown_stream_is_gone_with_nothing_held() {
    let gone = Gone { stream: PEER, range: range(3, 5), oldest: Seq(6) };
    assert_eq!(Journal::default().frames(PEER, range(3, 5), MUCH), Found::Gone(gone));
}

#[test]
fn a_digest_ends_before_a_number_that_is_not_held() {
    // streams P-18, digest-only-if-whole
    let mut journal = Journal::default();
    for n in [4, 5, 7] {
        journal.push_peer(&frame(PEER, n, n));
    }
    assert_eq!(journal.digest(PEER, range(4, 7), MUCH).unwrap().range, range(4, 5));
    let gone = Gone { stream: PEER, range: range(6, 7), oldest: Seq(7) };
    assert_eq!(journal.digest(PEER, range(6, 7), MUCH), Err(gone));
}

#[test]
fn a_digest_is_limited_in_bytes_and_says_how_far_it_goes() {
    let mut journal = Journal::default();
    for n in 1..=50 {
        journal.push_own(Arc::new(frame(OWN, n, n)));
    }
    let digest = journal.digest(OWN, range(1, 50), 96 + 10 * 20).unwrap();
    assert_eq!((digest.range, digest.rows.len()), (range(1, 20), 20));
}

#[test]
fn a_frame_with_more_rows_than_the_limit_is_answered_with_everything() {
    let mut journal = Journal::default();
    journal.push_own(Arc::new(frame(OWN, 1, 50)));
    let digest = journal.digest(OWN, range(1, 50), 96 + 10 * 20).unwrap();
    assert_eq!((digest.range, filter(&digest).holds_everything()), (range(1, 50), true));
}

#[test]
fn of_peers_frames_the_oldest_to_arrive_goes_first_over_all_peers() {
    let mut journal = journal(0, 0, 3);
    let other = Stream::first(ProcessId(9));
    journal.push_peer(&frame(PEER, 1_009, 1_009));
    journal.push_peer(&frame(other, 1_001, 1_001));
    journal.push_peer(&frame(PEER, 1_003, 1_003));
    journal.push_peer(&frame(PEER, 1_004, 1_004));
    assert!(matches!(journal.frames(PEER, range(1_009, 1_009), MUCH), Found::Gone(_)));
    assert_eq!(found(&journal.frames(PEER, range(1_003, 1_004), MUCH)), [(1_003, 1_003), (1_004, 1_004)]);
    assert_eq!(found(&journal.frames(other, range(1_001, 1_001), MUCH)), [(1_001, 1_001)]);
}

#[test]
fn a_coarse_frame_takes_the_place_of_the_fine_ones_that_it_covers() {
    let mut journal = Journal::default();
    for n in 1..=4 {
        journal.push_peer(&frame(PEER, n, n));
    }
    journal.push_peer(&frame(PEER, 2, 3));
    assert_eq!(found(&journal.frames(PEER, range(1, 4), MUCH)), [(1, 1), (2, 3), (4, 4)]);
    journal.push_peer(&frame(PEER, 2, 2));
    assert_eq!(found(&journal.frames(PEER, range(2, 2), MUCH)), [(2, 3)]);
}

#[test]
fn frames_that_overlap_are_served_until_the_range_is_covered() {
    let mut journal = Journal::default();
    journal.push_peer(&frame(PEER, 1, 5));
    journal.push_peer(&frame(PEER, 4, 8));
    journal.push_peer(&frame(PEER, 2, 6));
    assert_eq!(found(&journal.frames(PEER, range(1, 8), MUCH)), [(1, 5), (4, 8)]);
}

#[test]
fn a_frame_of_a_part_of_the_stream_is_not_kept() {
    // streams P-7
    let mut journal = Journal::default();
    journal.push_peer(&Frame { scope: Scope(3), ..frame(PEER, 1, 1) });
    journal.push_own(Arc::new(Frame { scope: Scope(3), ..frame(OWN, 1, 1) }));
    assert!(matches!(journal.frames(PEER, range(1, 1), MUCH), Found::Gone(_)));
    assert!(matches!(journal.frames(OWN, range(1, 1), MUCH), Found::Gone(_)));
}

#[test]
fn a_peers_frame_is_kept_without_the_buffer_that_it_was_decoded_from() {
    let buffer = Bytes::from(vec![b'x'; 1 << 20]);
    let subject = Subject::Key { cache: Name::new(buffer.slice(..5)).unwrap(), key: buffer.slice(5..7) };
    let acts = vec![Act { verb: Verb::Set, subject: subject.clone() }, Act { verb: Verb::Remove, subject }];
    let decoded = Frame { acts, ..frame(PEER, 1, 2) };
    let mut journal = Journal::default();
    journal.push_peer(&decoded);
    assert_eq!(journal.frames(PEER, range(1, 2), MUCH), Found::Frames(vec![Arc::new(decoded)]));
    assert!(buffer.is_unique(), "the journal still holds the buffer");
}

#[test]
fn acts_of_an_ended_stream_of_this_process_are_served_still() {
    // streams P-34
    let mut journal = Journal::default();
    journal.push_own(Arc::new(frame(OWN, 1, 2)));
    journal.push_own(Arc::new(frame(OWN.next(), 1, 1)));
    assert_eq!(found(&journal.frames(OWN, range(1, 2), MUCH)), [(1, 2)]);
    assert_eq!(found(&journal.frames(OWN.next(), range(1, 1), MUCH)), [(1, 1)]);
}

#[test]
fn the_last_number_that_there_is_can_be_asked_for() {
    let last = Range { first: Seq(u64::MAX), last: Seq(u64::MAX) };
    let mut journal = Journal::default();
    journal.push_peer(&Frame { range: last, ..frame(PEER, 1, 1) });
    assert!(matches!(journal.frames(PEER, last, MUCH), Found::Frames(frames) if frames.len() == 1));
    assert_eq!(journal.digest(PEER, last, MUCH).map(|digest| digest.range), Ok(last));
}

#[test]
fn nine_hundred_thousand_own_acts_or_nearly_so_keep_their_rows_in_eight_mib() {
    // streams section 2, digest rows
    let mut rows = Rows::new(8 << 20);
    for n in 1..=820_000 {
        rows.push(&frame(OWN, n, n));
    }
    assert!(rows.bytes() <= 8 << 20);
    assert_eq!(rows.oldest(OWN, Seq(1)), Some(Seq(1)));
}
