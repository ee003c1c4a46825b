//! Histories to try the parts with, and what is true of a history whatever became of its frames.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, prop_oneof};
use unstale_core::{
    Act, Batch, Frame, Name, ProcessId, Range, Scope, Seq, Size, Stamp, Stream, Subject, Verb, Voided,
};

/// Few names, so that acts meet; one long key, so that bytes matter as well as acts.
pub(crate) fn act() -> impl Strategy<Value = Act> {
    (verb(), subject()).prop_map(|(verb, subject)| Act { verb, subject })
}

fn verb() -> impl Strategy<Value = Verb> {
    prop_oneof![6 => Just(Verb::Set), 2 => Just(Verb::Expire), 2 => Just(Verb::Remove)]
}

fn subject() -> impl Strategy<Value = Subject> {
    prop_oneof![
        20 => (cache(), 0..40_u32).prop_map(|(cache, n)| Subject::Key { cache, key: n.to_string().into() }),
        2 => cache().prop_map(|cache| Subject::Key { cache, key: vec![b'k'; 300].into() }),
        4 => (cache(), 0..3_u32).prop_map(|(cache, n)| Subject::Tag { cache: Some(cache), tag: n.to_string().into() }),
        1 => (0..3_u32).prop_map(|n| Subject::Tag { cache: None, tag: n.to_string().into() }),
        1 => cache().prop_map(|cache| Subject::Cache { cache }),
        1 => Just(Subject::All),
    ]
}

pub(crate) fn cache() -> impl Strategy<Value = Name> {
    prop_oneof![Just("users"), Just("orders"), Just("a"), Just("b")]
        .prop_map(|name| Name::new(name).expect("a name"))
}

pub(crate) fn acts() -> impl Strategy<Value = Vec<Act>> {
    prop_oneof![4 => vec(act(), 1..4), 1 => vec(act(), 4..40)]
}

pub(crate) fn batch() -> impl Strategy<Value = Batch> {
    prop_oneof![2 => Just(Batch::Loose), 1 => Just(Batch::Whole)]
}

/// From bounds that hold next to nothing to those that are seldom reached.
pub(crate) fn bound() -> impl Strategy<Value = Size> {
    (200..4_000_usize, 2..100_usize).prop_map(|(bytes, acts)| Size { bytes, acts })
}

pub(crate) fn range(first: u64, last: u64) -> Range {
    Range::new(Seq(first), Seq(last)).expect("a range")
}

pub(crate) fn stream(n: u128) -> Stream {
    Stream::first(ProcessId(n))
}

/// What was said in one scope of one stream, act by act: the truth that frames are compared with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Truth {
    acts: BTreeMap<(Stream, Scope, Seq), Act>,
    commits: Vec<(Stream, Range)>,
}

impl Truth {
    /// Notes the acts of a call or of a frame that came with one act for each number.
    pub(crate) fn say(&mut self, stream: Stream, scope: Scope, range: Range, acts: &[Act], batch: Batch) {
        assert_eq!(range.count(), acts.len() as u64, "one number for each act");
        for (act, seq) in acts.iter().zip(range.first.0..) {
            self.acts.insert((stream, scope, Seq(seq)), act.clone());
        }
        if batch == Batch::Whole {
            self.commits.push((stream, range));
        }
    }

    /// P-2: a frame contains every act of its range, or one that includes it.
    pub(crate) fn is_contained_in(&self, frame: &Frame) -> bool {
        self.of(frame).all(|(_, said)| frame.acts.iter().any(|act| act.includes(said)))
    }

    /// P-1: a range holds no number that was never given, unless the frame says everything of what lies between.
    pub(crate) fn gave_all_numbers_of(&self, frame: &Frame) -> bool {
        let everything = Act { verb: Verb::Remove, subject: Subject::All };
        self.of(frame).count() as u64 == frame.range.count() || frame.acts.contains(&everything)
    }

    /// P-6: a commit lies wholly inside a frame or wholly outside, and readers of the frame see it whole.
    pub(crate) fn splits_no_commit_over(&self, frame: &Frame) -> bool {
        self.commits.iter().filter(|(stream, _)| *stream == frame.stream).all(|(stream, commit)| {
            let apart = commit.last < frame.range.first || frame.range.last < commit.first;
            let acts: Vec<_> = self.acts_in(*stream, *commit).collect();
            apart || (frame.range.covers(*commit) && shows_whole(frame, &acts))
        })
    }

    pub(crate) fn acts_in(&self, stream: Stream, range: Range) -> impl Iterator<Item = &Act> {
        self.acts.range((stream, Scope(0), range.first)..=(stream, Scope(0), range.last)).map(|(_, act)| act)
    }

    fn of(&self, frame: &Frame) -> impl Iterator<Item = (Seq, &Act)> {
        let at = |seq| (frame.stream, frame.scope, seq);
        self.acts.range(at(frame.range.first)..=at(frame.range.last)).map(|((_, _, seq), act)| (*seq, act))
    }
}

/// Whether readers see the acts of a commit at once: the frame is switched to as one, or one act of it includes them all.
pub(crate) fn shows_whole(frame: &Frame, commit: &[&Act]) -> bool {
    frame.batch == Batch::Whole || frame.acts.iter().any(|act| commit.iter().all(|part| act.includes(part)))
}

/// A frame with one act for each number.
pub(crate) fn frame(stream: Stream, scope: Scope, first: u64, acts: Vec<Act>, batch: Batch) -> Frame {
    Frame {
        stream,
        range: range(first, first + acts.len() as u64 - 1),
        stamp: Stamp(first),
        scope,
        batch,
        hops: 0,
        voided: Voided::Yes,
        acts,
        unknown: Bytes::new(),
    }
}
