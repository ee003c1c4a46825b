//! What a node misses, kept by the checks: acts of others that it neither applied nor distrusts.

use std::collections::BTreeMap;

use unstale_core::{Act, Range, Stream, Subject, Suspects};

use super::truth::{Record, Truth};
use crate::violation::{Promise, Violation};

/// The acts of others since a node stores, by what it did about them. Places in [`Truth::records`].
#[derive(Debug, Default)]
pub struct Ledger {
    missing: Vec<usize>,
    /// Not applied, but covered by these distrusts.
    doubted: BTreeMap<usize, Vec<u64>>,
}

impl Ledger {
    /// An act of another node was announced, or not.
    pub fn add(&mut self, index: usize) {
        self.missing.push(index);
    }

    /// How many acts are neither applied nor distrusted.
    pub fn len(&self) -> usize {
        self.missing.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty()
    }

    /// The first that is missing of those for which `holds`.
    pub fn find<'a>(&self, truth: &'a Truth, holds: impl Fn(&Record) -> bool) -> Option<&'a Record> {
        self.missing.iter().map(|index| truth.record(*index)).find(|record| holds(record))
    }

    /// A frame was applied. It has to hold all acts of its range, and no part of a commit only.
    pub fn apply(
        &mut self,
        truth: &Truth,
        stream: Stream,
        range: Range,
        acts: &[Act],
    ) -> Result<(), Violation> {
        let mut verdict = Ok(());
        let mut is_done = |index: usize| {
            let record = truth.record(index);
            let here = record.stream == stream && range.first <= record.seq && record.seq <= range.last;
            if here && !acts.iter().any(|act| includes(&act.subject, &record.subject)) {
                let text = format!("the frame {range:?} of {stream} does not hold {record:?}");
                verdict = Err(Violation::new(Promise::S2, text));
            } else if here && record.whole.is_some_and(|whole| !range.covers(whole)) {
                let text =
                    format!("the frame {range:?} of {stream} holds a part of the commit of {record:?}");
                verdict = Err(Violation::new(Promise::P5, text));
            }
            here
        };
        self.missing.retain(|index| !is_done(*index));
        self.doubted.retain(|index, _| !is_done(*index));
        verdict
    }

    /// What is resident became suspect.
    pub fn distrust(&mut self, truth: &Truth, id: u64, what: &Suspects) {
        for (_, doubts) in
            self.doubted.iter_mut().filter(|(index, _)| covers(what, &truth.record(**index).subject))
        {
            doubts.push(id);
        }
        let doubted = &mut self.doubted;
        self.missing.retain(|index| {
            let covered = covers(what, &truth.record(*index).subject);
            if covered {
                doubted.insert(*index, vec![id]);
            }
            !covered
        });
    }

    /// A distrust was lifted: whatever it alone covered is missing again. Nothing should be.
    pub fn lift(&mut self, id: u64) {
        let missing = &mut self.missing;
        self.doubted.retain(|index, doubts| {
            doubts.retain(|doubt| *doubt != id);
            if doubts.is_empty() {
                missing.push(*index);
            }
            !doubts.is_empty()
        });
        self.missing.sort_unstable();
    }
}

fn includes(wider: &Subject, subject: &Subject) -> bool {
    wider == subject
        || match (wider, subject) {
            (Subject::All, _) => true,
            (Subject::Cache { cache }, Subject::Key { cache: of, .. }) => cache == of,
            (Subject::Cache { .. } | Subject::Key { .. } | Subject::Tag { .. }, _) => false,
        }
}

fn covers(what: &Suspects, subject: &Subject) -> bool {
    match (what, subject) {
        (Suspects::Everything, _) => true,
        (Suspects::Caches(caches), Subject::Key { cache, .. }) => caches.contains(cache),
        (Suspects::Hashes(filter), Subject::Key { cache, key }) => {
            filter.holds_everything() || filter.holds_cache(cache) || filter.holds_key(cache, key)
        }
        (Suspects::Caches(_) | Suspects::Hashes(_), _) => false,
    }
}
