use bytes::Bytes;

use super::*;
use crate::{Act, Name, ProcessId, Range, Scope, Seq, Stamp, Stream, Subject, Verb, Voided};

const MUCH: usize = 64 << 10;

fn set(key: u64) -> Act {
    let cache = Name::new("users").unwrap();
    Act { verb: Verb::Set, subject: Subject::Key { cache, key: key.to_string().into() } }
}

/// One act for each number.
fn frame(first: u64, last: u64) -> Frame {
    Frame {
        stream: Stream::first(ProcessId(7)),
        range: Range::new(Seq(first), Seq(last)).unwrap(),
        stamp: Stamp(last),
        scope: Scope(0),
        batch: Batch::Loose,
        hops: 0,
        voided: Voided::Yes,
        acts: (first..=last).map(set).collect(),
        unknown: Bytes::new(),
    }
}

fn queue(frames: impl IntoIterator<Item = Frame>) -> PeerQueue {
    let mut queue = PeerQueue::new();
    queue.extend(frames.into_iter().map(Arc::new));
    queue
}

fn taken(mut queue: PeerQueue, bytes_max: usize) -> Vec<Frame> {
    std::iter::from_fn(|| queue.take(bytes_max)).collect()
}

fn ranges(frames: &[Frame]) -> Vec<(u64, u64)> {
    frames.iter().map(|frame| (frame.range.first.0, frame.range.last.0)).collect()
}

#[test]
fn neighbours_are_sent_as_one_frame_with_the_newest_stamp() {
    let frames = taken(queue([frame(1, 2), frame(3, 3), Frame { hops: 2, ..frame(4, 6) }]), MUCH);
    assert_eq!(frames, [Frame { hops: 2, ..frame(1, 6) }]);
}

#[test]
fn neighbours_are_merged_only_as_far_as_the_bytes_go() {
    let bytes_max = Size::of_frame(&frame(1, 4)).bytes;
    let frames = taken(queue([frame(1, 2), frame(3, 4), frame(5, 5)]), bytes_max);
    assert_eq!(ranges(&frames), [(1, 4), (5, 5)]);
}

#[test]
fn a_commit_is_sent_by_itself() {
    // streams P-6
    let commit = Frame { batch: Batch::Whole, ..frame(2, 3) };
    let frames = taken(queue([frame(1, 1), commit.clone(), frame(4, 4)]), MUCH);
    assert_eq!(frames, [frame(1, 1), commit, frame(4, 4)]);
}

#[test]
fn frames_of_two_scopes_are_never_merged() {
    // streams P-7
    let scoped = |first, last, scope| Frame { scope: Scope(scope), ..frame(first, last) };
    let frames = [scoped(1, 1, 1), scoped(2, 2, 2), scoped(3, 3, 2)];
    assert_eq!(taken(queue(frames), MUCH), [scoped(1, 1, 1), scoped(2, 3, 2)]);

    let mut queue = PeerQueue::with_bound(Size { bytes: MUCH, acts: 2 });
    queue.extend([scoped(1, 1, 1), scoped(2, 2, 2), scoped(3, 3, 1), scoped(4, 4, 2)].map(Arc::new));
    let frames = taken(queue, MUCH);
    let scopes: Vec<_> = frames.iter().map(|frame| frame.scope).collect();
    assert_eq!((scopes, ranges(&frames)), (vec![Scope(1), Scope(2)], vec![(1, 3), (2, 4)]));
}

#[test]
fn a_skip_is_merged_with_neighbours_of_its_own_scope() {
    let skip = Frame { acts: Vec::new(), ..frame(2, 3) };
    let frames = taken(queue([frame(1, 1), skip]), MUCH);
    assert_eq!(frames, [Frame { range: frame(1, 3).range, stamp: Stamp(3), ..frame(1, 1) }]);
}

#[test]
fn frames_with_a_gap_between_or_of_another_stream_stay_apart() {
    let other = Frame { stream: Stream::first(ProcessId(8)), ..frame(4, 4) };
    let frames = taken(queue([frame(1, 1), frame(3, 3), other.clone(), frame(4, 4)]), MUCH);
    assert_eq!(frames, [frame(1, 1), frame(3, 3), other, frame(4, 4)]);
}

#[test]
fn a_frame_with_unknown_fields_is_sent_as_it_came() {
    let foreign = Frame { unknown: Bytes::from_static(b"?"), ..frame(2, 2) };
    let frames = taken(queue([frame(1, 1), foreign.clone(), frame(3, 3)]), MUCH);
    assert_eq!(frames, [frame(1, 1), foreign, frame(3, 3)]);
}

#[test]
fn a_frame_larger_than_the_transport_takes_gets_wider_acts_and_keeps_its_range() {
    // streams P-2
    let mut commit = frame(1, 500);
    commit.batch = Batch::Whole;
    let frames = taken(queue([commit]), 200);
    assert_eq!(ranges(&frames), [(1, 500)]);
    let users = Subject::Cache { cache: Name::new("users").unwrap() };
    assert_eq!(frames[0].acts, [Act { verb: Verb::Expire, subject: users }]);
}

#[test]
fn a_slow_peers_queue_stays_bounded_and_its_ranges_exact() {
    // streams section 2, P-1, P-2
    let mut queue = PeerQueue::new();
    for n in 1..=20_000 {
        queue.push(Arc::new(frame(n, n)));
        assert!(queue.size().fits(Size::QUEUE_MAX));
    }
    assert!(queue.coalesced() > 0);
    let frames = taken(queue, MUCH);
    assert_eq!(frames[0].range.first, Seq(1));
    assert_eq!(frames.last().map(|frame| frame.range.last), Some(Seq(20_000)));
    assert!(frames.windows(2).all(|pair| pair[0].range.last.next() == pair[1].range.first));
}

#[test]
fn who_holds_a_commit_after_coalescing_is_a_commit() {
    // streams P-6
    let mut queue = PeerQueue::with_bound(Size { bytes: MUCH, acts: 8 });
    let other = Act { verb: Verb::Remove, subject: Subject::Tag { cache: None, tag: "t".into() } };
    let commit = Frame { batch: Batch::Whole, acts: vec![set(1), other], ..frame(2, 3) };
    queue.extend([frame(1, 1), commit, frame(4, 9)].map(Arc::new));
    let frames = taken(queue, MUCH);
    assert_eq!(ranges(&frames), [(1, 9)]);
    assert_eq!(frames[0].batch, Batch::Whole);
    assert_eq!(frames[0].acts.len(), 2);
}

#[test]
fn too_many_separate_ranges_become_one_that_says_everything() {
    let mut queue = PeerQueue::with_bound(Size { bytes: MUCH, acts: 4 });
    queue.extend((0..5).map(|n| Arc::new(frame(n * 10 + 1, n * 10 + 1))));
    let frames = taken(queue, MUCH);
    assert_eq!(ranges(&frames), [(1, 41)]);
    assert_eq!(frames[0].acts, [Act { verb: Verb::Remove, subject: Subject::All }]);
}

#[test]
fn many_streams_beyond_the_bound_say_one_thing_each() {
    let mut queue = PeerQueue::with_bound(Size { bytes: MUCH, acts: 3 });
    let of = |n| Stream::first(ProcessId(n));
    queue.extend((1..=4).map(|n| Arc::new(Frame { stream: of(n), ..frame(1, 3) })));
    assert_eq!(queue.size().acts, 4);
    let frames = taken(queue, MUCH);
    assert_eq!(ranges(&frames), [(1, 3); 4]);
    assert!(frames.iter().all(|frame| frame.acts == [Act { verb: Verb::Expire, subject: Subject::All }]));
}

#[test]
fn an_emptied_queue_costs_nothing() {
    let mut queue = queue([frame(1, 3), Frame { acts: Vec::new(), ..frame(4, 4) }]);
    assert!(!queue.is_empty());
    while queue.take(MUCH).is_some() {}
    assert!(queue.is_empty());
    assert_eq!(queue.size(), Size::default());
}

#[test]
fn what_the_store_may_still_hold_is_said_of_what_it_is_merged_into() {
    // P-24
    let unsafe_one = Frame { voided: Voided::Owed, ..frame(3, 3) };
    let frames = taken(queue([frame(1, 2), unsafe_one.clone(), frame(4, 6)]), MUCH);
    assert_eq!(frames, [frame(1, 2), unsafe_one.clone(), frame(4, 6)], "as long as there is room");
    let mut tight = PeerQueue::with_bound(Size { bytes: 1 << 20, acts: 4 });
    tight.extend([frame(1, 2), unsafe_one, frame(4, 6)].map(Arc::new));
    let frames = taken(tight, MUCH);
    assert_eq!(frames.len(), 1);
    assert_eq!((frames[0].range, frames[0].voided), (frame(1, 6).range, Voided::Owed));
}
