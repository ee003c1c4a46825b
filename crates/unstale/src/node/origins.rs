//! Which message of another node was behind what happens here (P10): kept for a while, looked up only when something is told.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use unstale_core::{Act, Name, Range, Seq, Stream, Subject, Suspects, subject_hash};

use crate::event::Origin;

/// Acts that are remembered.
const ACTS_MAX: usize = 1_024;

/// Of a larger frame it is only known that it came.
const FRAME_ACTS_MAX: usize = 64;

/// Doubts that are remembered.
const DOUBTS_MAX: usize = 64;

/// The latest acts of other nodes, and the doubts about them.
#[derive(Debug, Default)]
pub(crate) struct Origins {
    acts: Mutex<VecDeque<Applied>>,
    doubts: Mutex<VecDeque<Doubt>>,
}

#[derive(Clone, Copy, Debug)]
struct Applied {
    /// Of the subject; none for one of a frame that was too large to be remembered act by act.
    subject: Option<u64>,
    origin: Origin,
    at_ms: u64,
}

#[derive(Clone, Debug)]
struct Doubt {
    id: u64,
    /// `None` is all of them.
    caches: Option<Vec<Name>>,
    origin: Origin,
}

impl Origins {
    /// Acts of another node are about to be applied; `at_ms` is of the coarse clock.
    pub(super) fn applying(&self, stream: Stream, range: Range, acts: &[Act], at_ms: u64) {
        let mut rows = lock(&self.acts);
        // A frame as its origin built it has one number for each act; one that was widened on the way has not.
        let is_exact = acts.len() as u64 == range.count();
        let origin = |index: usize| {
            let number = Seq(range.first.0 + index as u64);
            Origin { stream, range: if is_exact { Range { first: number, last: number } } else { range } }
        };
        if acts.len() > FRAME_ACTS_MAX {
            rows.push_back(Applied { subject: None, origin: Origin { stream, range }, at_ms });
        } else {
            let row = |(index, act): (usize, &Act)| {
                let subject = Some(subject_hash(&act.subject));
                Applied { subject, origin: origin(index), at_ms }
            };
            rows.extend(acts.iter().enumerate().map(row));
        }
        while rows.len() > ACTS_MAX {
            rows.pop_front();
        }
    }

    /// The latest act of another node since `since_ms` that ended `key` of `cache`, or what carries one of `tags`. None if there was
    /// none that is known: then it was an act of this node, or on something that the value depends on.
    pub(crate) fn act_on(&self, cache: &Name, key: &Bytes, tags: &[Bytes], since_ms: u64) -> Option<Origin> {
        let tag_of =
            |cache: Option<&Name>, tag: &Bytes| Subject::Tag { cache: cache.cloned(), tag: tag.clone() };
        let subjects = [
            Subject::Key { cache: cache.clone(), key: key.clone() },
            Subject::Cache { cache: cache.clone() },
            Subject::All,
        ];
        let tags = tags.iter().flat_map(|tag| [tag_of(Some(cache), tag), tag_of(None, tag)]);
        let hashes: Vec<u64> =
            subjects.into_iter().chain(tags).map(|subject| subject_hash(&subject)).collect();
        let rows = lock(&self.acts);
        let recent = || rows.iter().rev().take_while(|row| row.at_ms >= since_ms);
        let exact = recent().find(|row| row.subject.is_some_and(|subject| hashes.contains(&subject)));
        exact.or_else(|| recent().find(|row| row.subject.is_none())).map(|row| row.origin)
    }

    /// Something is distrusted, since these numbers of a stream may be missing.
    pub(super) fn distrusted(&self, id: u64, what: &Suspects, origin: Origin) {
        let caches = match what {
            Suspects::Everything | Suspects::Hashes(_) => None,
            Suspects::Caches(caches) => Some(caches.clone()),
        };
        let mut doubts = lock(&self.doubts);
        if doubts.len() == DOUBTS_MAX {
            doubts.pop_front();
        }
        doubts.push_back(Doubt { id, caches, origin });
    }

    pub(super) fn lifted(&self, id: u64) {
        lock(&self.doubts).retain(|doubt| doubt.id != id);
    }

    /// The latest doubt about a cache.
    pub(crate) fn doubt_about(&self, cache: &Name) -> Option<Origin> {
        let doubts = lock(&self.doubts);
        let concerns = |doubt: &&Doubt| doubt.caches.as_ref().is_none_or(|caches| caches.contains(cache));
        doubts.iter().rev().find(concerns).map(|doubt| doubt.origin)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use unstale_core::{ProcessId, Verb};

    use super::*;

    fn users() -> Name {
        Name::new("users").unwrap()
    }

    fn remove(key: &'static str) -> Act {
        Act { verb: Verb::Remove, subject: Subject::Key { cache: users(), key: key.into() } }
    }

    fn range(first: u64, last: u64) -> Range {
        Range { first: Seq(first), last: Seq(last) }
    }

    const STREAM: Stream = Stream::first(ProcessId(7));

    #[test]
    fn an_act_is_found_by_its_key_with_its_own_number_if_it_came_since() {
        let origins = Origins::default();
        origins.applying(STREAM, range(5, 6), &[remove("a"), remove("b")], 1_000);
        let found = |key: &'static str, since| origins.act_on(&users(), &key.into(), &[], since);
        assert_eq!(found("b", 1_000), Some(Origin { stream: STREAM, range: range(6, 6) }));
        assert_eq!(found("b", 1_001), None);
        assert_eq!(found("c", 0), None);
    }

    #[test]
    fn of_a_widened_or_a_large_frame_the_whole_range_is_told() {
        let origins = Origins::default();
        let tag = Subject::Tag { cache: None, tag: "t".into() };
        origins.applying(STREAM, range(1, 9), &[Act { verb: Verb::Expire, subject: tag }], 0);
        let found = origins.act_on(&users(), &"a".into(), &["t".into()], 0);
        assert_eq!(found, Some(Origin { stream: STREAM, range: range(1, 9) }));
        let many: Vec<_> = (0..100).map(|_| remove("x")).collect();
        origins.applying(STREAM, range(10, 109), &many, 0);
        assert_eq!(origins.act_on(&users(), &"a".into(), &[], 0).unwrap().range, range(10, 109));
    }

    #[test]
    fn the_latest_doubt_about_a_cache_is_told_until_it_is_lifted() {
        let origins = Origins::default();
        let origin = |first| Origin { stream: STREAM, range: range(first, first) };
        origins.distrusted(1, &Suspects::Everything, origin(3));
        origins.distrusted(2, &Suspects::Caches(vec![users()]), origin(4));
        assert_eq!(origins.doubt_about(&users()), Some(origin(4)));
        assert_eq!(origins.doubt_about(&Name::new("orders").unwrap()), Some(origin(3)));
        origins.lifted(2);
        assert_eq!(origins.doubt_about(&users()), Some(origin(3)));
    }
}
