use super::*;
use crate::{Name, ProcessId, Subject, Verb};

fn users() -> Name {
    Name::new("users").unwrap()
}

fn set(key: usize) -> Act {
    Act { verb: Verb::Set, subject: Subject::Key { cache: users(), key: key.to_string().into() } }
}

fn sets(keys: std::ops::Range<usize>) -> Vec<Act> {
    keys.map(set).collect()
}

fn log() -> ActLog {
    ActLog::new(Stream::first(ProcessId(7)))
}

fn ranges(frames: &[Frame]) -> Vec<(u64, u64)> {
    frames.iter().map(|frame| (frame.range.first.0, frame.range.last.0)).collect()
}

#[test]
fn numbers_are_given_at_the_call_one_for_each_act() {
    // streams P-1, P-3
    let mut log = log();
    let appended = log.append(&sets(0..3), Batch::Loose, 5);
    assert_eq!(appended.range, Range { first: Seq(1), last: Seq(3) });
    assert_eq!(log.last(), Seq(3));
    assert_eq!(log.append(&sets(3..4), Batch::Whole, 5).range, Range { first: Seq(4), last: Seq(4) });
}

#[test]
fn loose_acts_are_gathered_into_one_frame_and_commits_keep_their_own() {
    // streams P-6
    let mut log = log();
    log.append(&sets(0..2), Batch::Loose, 5);
    log.append(&sets(2..3), Batch::Loose, 6);
    log.append(&sets(3..5), Batch::Whole, 7);
    log.append(&sets(5..6), Batch::Loose, 8);
    let frames = log.drain();
    assert_eq!(ranges(&frames), [(1, 3), (4, 5), (6, 6)]);
    let batches: Vec<_> = frames.iter().map(|frame| frame.batch).collect();
    assert_eq!(batches, [Batch::Loose, Batch::Whole, Batch::Loose]);
    assert_eq!(frames[0].stamp, Stamp::at_millis(6));
}

#[test]
fn a_commit_of_one_act_needs_no_frame_of_its_own() {
    let mut log = log();
    log.append(&sets(0..1), Batch::Whole, 5);
    log.append(&sets(1..2), Batch::Loose, 5);
    assert_eq!(ranges(&log.drain()), [(1, 2)]);
}

#[test]
fn a_drained_log_is_empty_and_numbers_go_on() {
    let mut log = log();
    log.append(&sets(0..1), Batch::Loose, 5);
    assert!(!log.is_drained());
    log.drain();
    assert!(log.is_drained());
    assert_eq!(log.waiting(), Size::default());
    log.append(&sets(1..2), Batch::Loose, 5);
    assert_eq!(ranges(&log.drain()), [(2, 2)]);
}

#[test]
fn a_commit_larger_than_a_frame_is_collapsed_and_not_split() {
    // streams P-6
    let mut log = log();
    let appended = log.append(&sets(0..Size::FRAME_MAX.acts + 1), Batch::Whole, 5);
    let frames = log.drain();
    assert_eq!(frames.len(), 1);
    assert_eq!(frames[0].range, appended.range);
    assert_eq!(frames[0].acts, [Act { verb: Verb::Expire, subject: Subject::Cache { cache: users() } }]);
}

#[test]
fn a_key_larger_than_a_frame_becomes_its_cache() {
    let mut log = log();
    let key = vec![0; Size::FRAME_MAX.bytes].into();
    log.append(&[Act { verb: Verb::Set, subject: Subject::Key { cache: users(), key } }], Batch::Loose, 5);
    let frames = log.drain();
    assert_eq!(frames[0].acts, [Act { verb: Verb::Expire, subject: Subject::Cache { cache: users() } }]);
}

#[test]
fn many_loose_acts_of_one_call_become_several_frames() {
    let mut log = log();
    log.append(&sets(0..3_000), Batch::Loose, 5);
    let frames = log.drain();
    assert_eq!(ranges(&frames), [(1, 1_024), (1_025, 2_048), (2_049, 3_000)]);
    assert_eq!(log.coalesced(), 0);
}

#[test]
fn an_undrained_log_stays_bounded_and_ends_with_the_same_number() {
    // streams section 2, P-1, P-2
    let mut log = log();
    for n in 0..20_000 {
        log.append(&[set(n)], Batch::Loose, 5);
        assert!(log.waiting().fits(Size::QUEUE_MAX));
    }
    assert!(log.coalesced() > 0);
    let frames = log.drain();
    assert_eq!(frames[0].range.first, Seq(1));
    assert_eq!(frames.last().map(|frame| frame.range.last), Some(Seq(20_000)));
    assert_eq!(frames[0].acts[0], Act { verb: Verb::Expire, subject: Subject::Cache { cache: users() } });
}

#[test]
fn one_hot_key_stays_exact_however_long_the_log_is_not_drained() {
    let mut log = log();
    for _ in 0..20_000 {
        log.append(&[set(1)], Batch::Loose, 5);
    }
    assert!(log.drain().iter().flat_map(|frame| &frame.acts).all(|act| *act == set(1)));
}

#[test]
fn after_a_restart_what_waited_is_drained_under_the_stream_that_ended() {
    // streams P-34
    let first = Stream::first(ProcessId(7));
    let mut log = ActLog::new(first);
    log.append(&sets(0..2), Batch::Loose, 5);
    let before = log.stamp();
    assert_eq!(log.restart(), (Seq(2), first.next()));
    assert_eq!((log.stream(), log.last()), (first.next(), Seq::ZERO));
    let appended = log.append(&sets(2..3), Batch::Loose, 5);
    assert_eq!((appended.stream, appended.range.first), (first.next(), Seq(1)));
    assert!(appended.stamp > before);
    let frames = log.drain();
    assert_eq!(frames.iter().map(|frame| frame.stream).collect::<Vec<_>>(), [first, first.next()]);
    assert_eq!(ranges(&frames), [(1, 2), (1, 1)]);
}

#[test]
fn a_merged_stamp_makes_later_acts_newer() {
    // streams P-37
    let mut log = log();
    let peers = Stamp::at_millis(5_900);
    assert!(log.merge_stamp(peers, 5_000));
    assert!(log.append(&sets(0..1), Batch::Loose, 5_000).stamp > peers);
    assert!(!log.merge_stamp(Stamp::at_millis(7_000), 5_000));
}

#[test]
fn a_drawn_stamp_lies_between_those_of_the_acts_before_and_after_and_takes_no_number() {
    // streams P-24
    let mut log = log();
    let before = log.append(&sets(0..1), Batch::Loose, 5);
    let drawn = log.draw_stamp(5);
    let after = log.append(&sets(1..2), Batch::Loose, 5);
    assert!(before.stamp < drawn && drawn < after.stamp);
    assert_eq!(after.range.first, before.range.last.next());
}

#[test]
#[should_panic(expected = "an append without acts")]
fn an_append_without_acts_is_a_fault_of_the_caller() {
    log().append(&[], Batch::Loose, 5);
}

#[test]
fn a_log_that_tells_nobody_numbers_its_acts_and_keeps_one_on_everything() {
    let stream = Stream::first(ProcessId(7));
    let mut log = ActLog::untold(stream);
    assert!(!log.keeps_acts());
    log.append(&sets(0..3), Batch::Whole, 5);
    let appended = log.append_untold(2, 6);
    assert_eq!((appended.range.first, appended.range.last), (Seq(4), Seq(5)));
    log.restart();
    let act = sets(3..4).remove(0);
    assert_eq!(log.append_one(act, 7).range.last, Seq(1));
    let frames = log.drain();
    assert_eq!(ranges(&frames), [(1, 5), (1, 1)]);
    assert_eq!(frames[0].stamp, appended.stamp);
    let everything = Act { verb: Verb::Remove, subject: Subject::All };
    assert!(frames.iter().all(|frame| frame.acts == [everything.clone()]));
}

#[test]
fn acts_appended_one_by_one_or_together_are_what_is_drained() {
    let mut one_by_one = log();
    for act in sets(0..600) {
        one_by_one.append_one(act, 5);
    }
    assert_eq!(
        one_by_one.drain().iter().flat_map(|frame| frame.acts.clone()).collect::<Vec<_>>(),
        sets(0..600)
    );
    let mut together = log();
    together.append_all(sets(0..600), Batch::Whole, 5);
    assert_eq!(together.drain()[0].acts, sets(0..600));
}

#[test]
fn acts_that_the_store_may_still_hold_are_in_frames_of_their_own() {
    // P-24
    let mut log = log();
    let owed = Told { wall_ms: 5, voided: Voided::Owed };
    log.append(&[set(1), set(2)], Batch::Loose, 5);
    log.append_one(set(3), owed);
    log.append(&[set(4), set(5)], Batch::Whole, owed);
    log.append_one(set(6), 5);
    let said: Vec<_> = log.drain().iter().map(|frame| (frame.acts.len(), frame.voided)).collect();
    assert_eq!(said, [(2, Voided::Yes), (1, Voided::Owed), (2, Voided::Owed), (1, Voided::Yes)]);
}
