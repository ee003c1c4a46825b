//! Distrust (P-19, P-20, P-32): what may have missed an act is a suspect, until it was loaded again or the doubt is lifted.

use unstale_core::{Name, SuspectFilter};

use crate::fence::{Fences, SubjectRef};
use crate::tick::Tick;

/// The most rows of distrust that are told apart; beyond that the two oldest become one that cannot be lifted.
const ROWS_MAX: usize = 64;

/// What may be stale.
#[derive(Clone, Copy, Debug)]
pub enum Suspects<'a> {
    /// Everything.
    Everything,
    /// Some caches, and what was computed from them.
    Caches(&'a [Name]),
    /// What a digest names by hashes, and what was computed from it.
    Hashes(&'a SuspectFilter),
}

/// Every distrust that stands.
#[derive(Debug, Default)]
pub(crate) struct Distrust {
    rows: Vec<Row>,
}

/// Entries with a token below `number` are suspects if the extent touches them.
#[derive(Debug)]
struct Row {
    id: Option<u64>,
    number: u64,
    serve_until: Tick,
    extent: Extent,
}

#[derive(Debug, Default)]
struct Extent {
    everything: bool,
    /// Keys and whole caches, sorted. Both halves of a place are compared: 32 bits.
    exact: Vec<SubjectRef>,
    tags: Option<Box<TagHalves>>,
}

/// Tags by each half of their place: a digest's hash is for the whole node or for one cache, and does not say which.
#[derive(Debug)]
struct TagHalves {
    node: [u64; 1_024],
    cache: [u64; 1_024],
}

impl Distrust {
    pub(crate) fn add(
        &mut self,
        id: u64,
        number: u64,
        serve_until: Tick,
        suspects: Suspects<'_>,
        fences: &Fences,
    ) {
        self.rows.push(Row { id: Some(id), number, serve_until, extent: Extent::new(suspects, fences) });
        if self.rows.len() > ROWS_MAX {
            let oldest = self.rows.remove(0);
            self.rows[0].absorb(oldest);
        }
    }

    pub(crate) fn lift(&mut self, id: u64) {
        self.rows.retain(|row| row.id != Some(id));
    }

    /// Whether an entry is a suspect, and until when it may be served nevertheless. `own` is its cache and its key.
    pub(crate) fn suspect_until(
        &self,
        token: u64,
        own: [SubjectRef; 2],
        others: &[SubjectRef],
    ) -> Option<Tick> {
        let touches = |extent: &Extent| {
            extent.everything || own.iter().chain(others).any(|subject| extent.holds(*subject))
        };
        let rows = self.rows.iter().filter(|row| row.number > token && touches(&row.extent));
        rows.map(|row| row.serve_until).min()
    }
}

impl Row {
    fn absorb(&mut self, older: Self) {
        self.id = None;
        self.number = self.number.max(older.number);
        self.serve_until = self.serve_until.min(older.serve_until);
        self.extent.absorb(older.extent);
    }
}

impl Extent {
    fn new(suspects: Suspects<'_>, fences: &Fences) -> Self {
        match suspects {
            Suspects::Everything => Self { everything: true, ..Self::default() },
            Suspects::Caches(names) => Self::of_exact(names.iter().map(|name| fences.whole(name))),
            Suspects::Hashes(filter) if filter.holds_everything() => {
                Self { everything: true, ..Self::default() }
            }
            Suspects::Hashes(filter) => {
                let hashes = filter.keys().iter().chain(filter.caches());
                let mut extent = Self::of_exact(hashes.map(|hash| fences.of_key_hash(*hash)));
                if !filter.tags().is_empty() {
                    extent.tags = Some(TagHalves::new(filter.tags(), fences));
                }
                extent
            }
        }
    }

    fn of_exact(subjects: impl Iterator<Item = SubjectRef>) -> Self {
        let mut extent = Self { exact: subjects.collect(), ..Self::default() };
        extent.exact.sort_unstable();
        extent
    }

    fn holds(&self, subject: SubjectRef) -> bool {
        self.exact.binary_search(&subject).is_ok()
            || self.tags.as_ref().is_some_and(|tags| tags.holds(subject))
    }

    fn absorb(&mut self, other: Self) {
        self.everything |= other.everything;
        self.exact.extend(other.exact);
        self.exact.sort_unstable();
        self.exact.dedup();
        self.tags = match (self.tags.take(), other.tags) {
            (Some(mut one), Some(two)) => {
                one.absorb(&two);
                Some(one)
            }
            (one, two) => one.or(two),
        };
    }
}

impl TagHalves {
    fn new(hashes: &[u64], fences: &Fences) -> Box<Self> {
        let mut halves = Box::new(Self { node: [0; 1_024], cache: [0; 1_024] });
        for hash in hashes {
            set(&mut halves.node, fences.node_half(*hash));
            set(&mut halves.cache, fences.cache_half(*hash));
        }
        halves
    }

    fn holds(&self, subject: SubjectRef) -> bool {
        is_set(&self.node, subject.first()) || is_set(&self.cache, subject.second())
    }

    fn absorb(&mut self, other: &Self) {
        for (word, other) in self.node.iter_mut().zip(other.node) {
            *word |= other;
        }
        for (word, other) in self.cache.iter_mut().zip(other.cache) {
            *word |= other;
        }
    }
}

fn set(bits: &mut [u64; 1_024], index: u16) {
    bits[usize::from(index >> 6)] |= 1 << (index & 63);
}

fn is_set(bits: &[u64; 1_024], index: u16) -> bool {
    bits[usize::from(index >> 6)] >> (index & 63) & 1 == 1
}
