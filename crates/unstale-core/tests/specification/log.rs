use proptest::collection::vec;
use proptest::prelude::{Just, ProptestConfig, Strategy, prop_oneof};
use proptest::{prop_assert, prop_assert_eq, proptest};
use unstale_core::{Act, ActLog, Batch, Frame, Scope, Seq, Size, Stream};

use crate::history::{Truth, acts, batch, bound, stream};

#[derive(Clone, Debug)]
enum Step {
    Append(Vec<Act>, Batch),
    Drain,
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        20 => (acts(), batch()).prop_map(|(acts, batch)| Step::Append(acts, batch)),
        2 => Just(Step::Drain),
        1 => Just(Step::Restart),
    ];
    vec(step, 1..60)
}

/// What a log was told, what it gave out, and where its streams ended.
struct Run {
    truth: Truth,
    frames: Vec<Frame>,
    lasts: Vec<(Stream, Seq)>,
    most_waiting: Size,
}

fn run(steps: Vec<Step>, bound: Size) -> Run {
    let mut log = ActLog::with_bound(stream(7), bound);
    let mut run =
        Run { truth: Truth::default(), frames: vec![], lasts: vec![], most_waiting: Size::default() };
    for (step, wall_ms) in steps.into_iter().zip(0..) {
        match step {
            Step::Append(acts, batch) => {
                let appended = log.append(&acts, batch, wall_ms);
                run.truth.say(appended.stream, Scope(0), appended.range, &acts, batch);
            }
            Step::Drain => run.frames.extend(log.drain()),
            Step::Restart => {
                run.frames.extend(log.drain());
                run.lasts.push((log.stream(), log.last()));
                log.restart();
            }
        }
        let waiting = log.waiting();
        run.most_waiting.bytes = run.most_waiting.bytes.max(waiting.bytes);
        run.most_waiting.acts = run.most_waiting.acts.max(waiting.acts);
    }
    run.frames.extend(log.drain());
    run.lasts.push((log.stream(), log.last()));
    run
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// P-2, range-holds-all-keys.
    #[test]
    fn every_act_is_in_the_frame_whose_range_holds_its_number_or_is_included_there(steps in steps(), bound in bound()) {
        let run = run(steps, bound);
        for frame in &run.frames {
            prop_assert!(run.truth.is_contained_in(frame), "{frame:?}");
        }
    }

    /// P-1, number-at-call.
    #[test]
    fn the_ranges_of_a_stream_follow_one_another_from_1_to_the_last_number_given(steps in steps(), bound in bound()) {
        let run = run(steps, bound);
        for (stream, last) in run.lasts {
            let mut next = Seq(1);
            for frame in run.frames.iter().filter(|frame| frame.stream == stream) {
                prop_assert_eq!(frame.range.first, next);
                next = frame.range.last.next();
            }
            prop_assert_eq!(next, last.next());
        }
    }

    /// P-6, batch-whole.
    #[test]
    fn a_commit_is_in_one_frame_and_seen_whole(steps in steps(), bound in bound()) {
        let run = run(steps, bound);
        for frame in &run.frames {
            prop_assert!(run.truth.splits_no_commit_over(frame), "{frame:?}");
        }
    }

    /// P7 of coherence, coalesce-at-bound.
    #[test]
    fn what_waits_stays_within_the_bound(steps in steps(), bound in bound()) {
        prop_assert!(run(steps, bound).most_waiting.fits(bound));
    }

    /// P-37.
    #[test]
    fn stamps_never_fall_from_frame_to_frame(steps in steps(), bound in bound()) {
        prop_assert!(run(steps, bound).frames.is_sorted_by(|a, b| a.stamp <= b.stamp));
    }
}
