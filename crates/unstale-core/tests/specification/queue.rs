use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::{Just, ProptestConfig, Strategy, prop_oneof};
use proptest::{prop_assert, prop_assert_eq, proptest};
use unstale_core::{Act, Batch, Frame, PeerQueue, Scope, Seq, Size, Stream, frame_bytes};

use crate::history::{Truth, acts, batch, bound, frame, shows_whole, stream};

#[derive(Clone, Debug)]
enum Step {
    /// The next acts of a stream in a scope, so many numbers after the ones before.
    Push {
        stream: u128,
        scope: u32,
        gap: u64,
        acts: Vec<Act>,
        batch: Batch,
    },
    Take {
        bytes_max: usize,
    },
}

fn steps(gap: impl Strategy<Value = u64>) -> impl Strategy<Value = Vec<Step>> {
    let push = (0..2_u128, 0..2_u32, gap, acts(), batch())
        .prop_map(|(stream, scope, gap, acts, batch)| Step::Push { stream, scope, gap, acts, batch });
    vec(prop_oneof![8 => push, 1 => (100..2_000_usize).prop_map(|bytes_max| Step::Take { bytes_max })], 1..60)
}

fn gaps() -> impl Strategy<Value = u64> {
    prop_oneof![3 => Just(0_u64), 1 => 1..5_u64]
}

struct Run {
    truth: Truth,
    pushed: Vec<Frame>,
    /// With the bytes that the transport had room for.
    taken: Vec<(Frame, usize)>,
    most_waiting: Size,
}

impl Run {
    fn taken_of(&self, stream: Stream, scope: Scope) -> impl Iterator<Item = &Frame> {
        self.taken
            .iter()
            .map(|(frame, _)| frame)
            .filter(move |frame| (frame.stream, frame.scope) == (stream, scope))
    }
}

fn run(steps: Vec<Step>, bound: Size) -> Run {
    let mut queue = PeerQueue::with_bound(bound);
    let mut run =
        Run { truth: Truth::default(), pushed: vec![], taken: vec![], most_waiting: Size::default() };
    let mut next = [[1; 2]; 2];
    for step in steps {
        match step {
            Step::Push { stream: of, scope, gap, acts, batch } => {
                let first = &mut next[of as usize][scope as usize];
                let frame = frame(stream(of), Scope(scope), *first + gap, acts, batch);
                *first = frame.range.last.0 + 1;
                run.truth.say(frame.stream, frame.scope, frame.range, &frame.acts, Batch::Loose);
                run.pushed.push(frame.clone());
                queue.push(Arc::new(frame));
            }
            Step::Take { bytes_max } => {
                run.taken.extend(queue.take(bytes_max).map(|frame| (frame, bytes_max)));
            }
        }
        run.most_waiting.bytes = run.most_waiting.bytes.max(queue.size().bytes);
        run.most_waiting.acts = run.most_waiting.acts.max(queue.size().acts);
    }
    run.taken.extend(std::iter::from_fn(|| queue.take(64 << 10)).map(|frame| (frame, 64 << 10)));
    assert!(queue.is_empty() && queue.size() == Size::default(), "an emptied queue has a size");
    run
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// P-2, P-7, range-holds-all-keys: the truth is kept by scope, so a merge across scopes would show here, too.
    #[test]
    fn every_act_is_in_a_frame_of_its_scope_whose_range_holds_its_number(steps in steps(gaps()), bound in bound()) {
        let run = run(steps, bound);
        for (frame, _) in &run.taken {
            prop_assert!(run.truth.is_contained_in(frame), "{frame:?}");
        }
        for frame in &run.pushed {
            let held = |seq| run.taken_of(frame.stream, frame.scope).any(|taken| taken.range.first <= seq && seq <= taken.range.last);
            prop_assert!((frame.range.first.0..=frame.range.last.0).all(|seq| held(Seq(seq))), "{frame:?} was dropped");
        }
    }

    /// P-1.
    #[test]
    fn a_range_claims_no_number_that_was_not_pushed_but_by_an_act_on_everything(steps in steps(gaps()), bound in bound()) {
        let run = run(steps, bound);
        for (frame, _) in &run.taken {
            prop_assert!(run.truth.gave_all_numbers_of(frame), "{frame:?}");
        }
    }

    /// P-1: what a peer on a first-in-first-out link sees of a slow sender has no holes and comes in order.
    #[test]
    fn a_stream_pushed_without_gaps_is_taken_without_gaps(steps in steps(Just(0)), bound in bound()) {
        let run = run(steps, bound);
        for (of, scope) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let mut next = Seq(1);
            for frame in run.taken_of(stream(of), Scope(scope)) {
                prop_assert_eq!(frame.range.first, next);
                next = frame.range.last.next();
            }
        }
    }

    /// P-6, batch-whole: of each commit that was pushed, one taken frame has all, and is seen whole.
    #[test]
    fn a_commit_is_taken_in_one_frame(steps in steps(gaps()), bound in bound()) {
        let run = run(steps, bound);
        for commit in run.pushed.iter().filter(|frame| frame.batch == Batch::Whole) {
            let acts: Vec<_> = commit.acts.iter().collect();
            let whole = run
                .taken_of(commit.stream, commit.scope)
                .any(|frame| frame.range.covers(commit.range) && shows_whole(frame, &acts));
            prop_assert!(whole, "{commit:?}");
        }
    }

    /// P7 of coherence, coalesce-at-bound: at most one frame of one act for each stream and scope is above it.
    #[test]
    fn what_waits_stays_within_the_bound(steps in steps(gaps()), bound in bound()) {
        let most = run(steps, bound).most_waiting;
        let least = Size { bytes: 4 * 120, acts: 4 };
        prop_assert!(most.bytes <= bound.bytes.max(least.bytes) && most.acts <= bound.acts.max(least.acts), "{most:?}");
    }

    #[test]
    fn a_taken_frame_fits_the_transport_or_has_one_act(steps in steps(gaps()), bound in bound()) {
        for (frame, bytes_max) in run(steps, bound).taken {
            prop_assert!(frame_bytes(&frame) <= bytes_max || frame.acts.len() == 1, "{frame:?}");
        }
    }
}
