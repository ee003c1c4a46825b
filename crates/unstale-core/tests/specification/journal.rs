use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, Strategy};
use proptest::sample::Index;
use proptest::{prop_assert, prop_assert_eq, prop_assume, proptest};
use unstale_core::{
    Act, Batch, Digest, Found, Frame, Gone, Journal, JournalBound, Range, Scope, Seq, SuspectFilter,
};

use crate::history::{Truth, acts, batch, frame, range, stream};

fn bounds() -> impl Strategy<Value = JournalBound> {
    (0..6_000_usize, 0..2_000_usize, 0..6_000_usize).prop_map(
        |(own_frames_bytes, own_rows_bytes, peer_frames_bytes)| JournalBound {
            own_frames_bytes,
            own_rows_bytes,
            peer_frames_bytes,
        },
    )
}

const OWN: u128 = 1;
const PEERS: [u128; 2] = [2, 3];

/// A journal that was given all own frames in order and some of the peers' in some order, and all that was ever said.
fn journals() -> impl Strategy<Value = (Journal, Truth, u64)> {
    let calls = || vec((acts(), batch()), 1..20);
    let lost_and_order = vec((0..4_u8, 0..1_000_u32), 40);
    (calls(), [calls(), calls()], lost_and_order, bounds()).prop_map(|(own, peers, fate, bound)| {
        let mut truth = Truth::default();
        let mut journal = Journal::with_bound(bound);
        let own = frames(OWN, own, &mut truth);
        let last = own.last().map_or(0, |frame| frame.range.last.0);
        for frame in own {
            journal.push_own(Arc::new(frame));
        }
        let peers = PEERS
            .into_iter()
            .zip(peers)
            .flat_map(|(of, calls)| frames(of, calls, &mut truth))
            .collect::<Vec<_>>();
        let mut arriving: Vec<_> = peers.into_iter().zip(fate).filter(|(_, (lost, _))| *lost > 0).collect();
        arriving.sort_by_key(|(_, (_, order))| *order);
        for (frame, _) in arriving {
            journal.push_peer(&frame);
        }
        (journal, truth, last)
    })
}

fn frames(of: u128, calls: Vec<(Vec<Act>, Batch)>, truth: &mut Truth) -> Vec<Frame> {
    let mut next = 1;
    let mut frames = Vec::new();
    for (acts, batch) in calls {
        let frame = frame(stream(of), Scope(0), next, acts, batch);
        next = frame.range.last.0 + 1;
        truth.say(frame.stream, frame.scope, frame.range, &frame.acts, batch);
        frames.push(frame);
    }
    frames
}

fn asked() -> impl Strategy<Value = (u128, Range, usize)> {
    (1..=3_u128, 1..80_u64, 0..80_u64, 100..2_000_usize)
        .prop_map(|(of, first, more, bytes_max)| (of, range(first, first + more), bytes_max))
}

fn suspects(digest: &Digest) -> SuspectFilter {
    let mut filter = SuspectFilter::default();
    filter.add(&digest.rows);
    filter
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// P-2.
    #[test]
    fn frames_that_are_served_hold_every_act_from_the_first_number_asked_for_on(
        (journal, truth, _) in journals(), (of, asked, bytes_max) in asked(),
    ) {
        if let Found::Frames(frames) = journal.frames(stream(of), asked, bytes_max) {
            let mut next = asked.first;
            for frame in frames {
                prop_assert!(frame.range.first <= next && next <= frame.range.last, "{frame:?} does not hold {next:?}");
                prop_assert!(truth.is_contained_in(&frame));
                prop_assert!(truth.splits_no_commit_over(&frame));
                next = frame.range.last.next();
            }
        }
    }

    /// P-18, P-19: false positives, never false negatives.
    #[test]
    fn a_digest_names_every_subject_of_the_range_that_it_states(
        (journal, truth, _) in journals(), (of, asked, bytes_max) in asked(),
    ) {
        if let Ok(digest) = journal.digest(stream(of), asked, bytes_max) {
            prop_assert_eq!(digest.range.first, asked.first);
            prop_assert!(digest.range.last <= asked.last);
            let filter = suspects(&digest);
            let said: Vec<_> = truth.acts_in(stream(of), digest.range).collect();
            prop_assert_eq!(said.len() as u64, digest.range.count(), "it states numbers that were never given");
            for act in said {
                prop_assert!(crate::digests::is_suspect(&filter, &act.subject), "{act:?}");
            }
        }
    }

    /// P-18, digest-only-if-whole: the peers' frames that were lost are in no digest and in no answer.
    #[test]
    fn what_is_gone_is_said_to_be_gone_up_to_the_oldest_number_held(
        (journal, _, _) in journals(), (of, asked, bytes_max) in asked(),
    ) {
        if let Found::Gone(Gone { oldest, .. }) = journal.frames(stream(of), asked, bytes_max) {
            prop_assert!(asked.first < oldest && oldest <= asked.last.next());
            if let Some(rest) = Range::new(oldest, asked.last) {
                prop_assert!(!matches!(journal.frames(stream(of), rest, bytes_max), Found::Gone(_)));
            }
            for seq in asked.first.0..oldest.0 {
                prop_assert!(journal.digest(stream(of), range(seq, seq), bytes_max).is_err());
            }
        }
    }

    /// Section 2 of streams: whole frames, then digest rows, then nothing; never frames older than rows.
    #[test]
    fn of_own_acts_the_newest_are_whole_older_ones_digested_and_the_oldest_gone((journal, _, last) in journals()) {
        let grade = |seq| match journal.frames(stream(OWN), range(seq, seq), 1) {
            Found::Frames(_) => 2,
            Found::Digest(_) => 1,
            Found::Gone(_) => 0,
        };
        prop_assert!((1..=last).map(grade).is_sorted());
    }

    /// Section 2 of streams.
    #[test]
    fn it_keeps_no_more_than_its_bound(calls in vec((acts(), batch()), 1..40), bound in bounds()) {
        let mut journal = Journal::with_bound(bound);
        for frame in frames(OWN, calls, &mut Truth::default()) {
            journal.push_peer(&frame);
            journal.push_own(Arc::new(frame));
            let held = journal.bytes();
            prop_assert!(held.own_frames_bytes <= bound.own_frames_bytes);
            prop_assert!(held.own_rows_bytes <= bound.own_rows_bytes);
            prop_assert!(held.peer_frames_bytes <= bound.peer_frames_bytes);
        }
    }

    /// Asking again for what is still missing ends, and nothing that is held is missed.
    #[test]
    fn asking_again_for_the_rest_gets_all_of_what_is_wholly_held(
        calls in vec((acts(), batch()), 1..20), bytes_max in 1..2_000_usize, from in proptest::arbitrary::any::<Index>(),
    ) {
        let mut journal = Journal::default();
        let frames = frames(OWN, calls, &mut Truth::default());
        let last = frames.last().map_or(Seq(0), |frame| frame.range.last);
        prop_assume!(last > Seq(0));
        for frame in frames {
            journal.push_own(Arc::new(frame));
        }
        let mut next = Seq(1 + from.index(last.0 as usize) as u64);
        while let Some(missing) = Range::new(next, last) {
            let found = journal.frames(stream(OWN), missing, bytes_max);
            let Found::Frames(frames) = found else { panic!("{missing:?} is held, but {found:?}") };
            next = frames.last().map_or(next, |frame| frame.range.last.next());
        }
        prop_assert_eq!(next, last.next());
    }
}
