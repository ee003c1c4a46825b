//! Fences: for every subject, hashed, the number of the last act on it (F-2).

use prefetch_index::prefetch_index;
use unstale_core::{Name, Subject, subject_hash, tag_hash};

use crate::mechanism::{Mechanism, Mechanisms};
use crate::shim::{AtomicU64, Ordering};

/// How many acts were finished when something began; compared with the numbers of acts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub(crate) u64);

/// A key, a tag or a whole cache, as its place among the fences. Two subjects may share one by chance, at a cost of hits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubjectRef(u32);

/// How far an act reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// What it touches is stale: fail-safe may still serve it.
    Stale,
    /// What it touches is gone.
    Gone,
}

/// How many lines of fences there are. Fewer cost hits where many subjects are under change, never more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lines {
    bits: u32,
}

impl Lines {
    /// 2^14: 1 MiB in all.
    pub const LARGE: Self = Self { bits: 14 };

    /// 2^12: 256 KiB in all, for nodes with few keys under change.
    pub const SMALL: Self = Self { bits: 12 };

    /// 2^`bits`, at most 2^14. One line for everything (0 bits) is right, too, and useful to provoke what sharing does.
    pub const fn of_bits(bits: u32) -> Self {
        Self { bits: if bits > Self::LARGE.bits { Self::LARGE.bits } else { bits } }
    }
}

impl Default for Lines {
    fn default() -> Self {
        Self::LARGE
    }
}

/// The fences of a node: which act was the last on each subject, and which was the last that ended it.
///
/// What it says of an act is never too low, so that a load of any age is judged rightly; it may be too high for subjects that share
/// a line with many others.
#[derive(Debug)]
pub(crate) struct Fences {
    lines: Box<[Line]>,
    shift: u32,
    secret: u64,
    mechanisms: Mechanisms,
}

impl Fences {
    pub(crate) fn new(lines: Lines, secret: u64, mechanisms: Mechanisms) -> Self {
        let shift = u16::BITS - lines.bits;
        let lines = (0..1_usize << lines.bits).map(|_| Line::default()).collect();
        Self { lines, shift, secret, mechanisms }
    }

    /// The place of a tag of a cache: one half by the hash that it has for the whole node, the other by the one for its cache.
    /// A digest may hold either.
    pub(crate) fn tag(&self, cache: &Name, tag: &[u8]) -> SubjectRef {
        SubjectRef::of(self.node_half(tag_hash(None, tag)), self.cache_half(tag_hash(Some(cache), tag)))
    }

    /// The place of a whole cache, for what was computed from something in it.
    pub(crate) fn whole(&self, cache: &Name) -> SubjectRef {
        self.of_key_hash(subject_hash(&Subject::Cache { cache: cache.clone() }))
    }

    /// The place of a key or a whole cache. It comes from the hash that all nodes compute alike, so that a digest names the
    /// same fence (P-19).
    pub(crate) fn of_key_hash(&self, hash: u64) -> SubjectRef {
        SubjectRef(mix(hash ^ self.secret) as u32)
    }

    /// The first half of the place of a tag whose hash for the whole node this is.
    pub(crate) fn node_half(&self, hash: u64) -> u16 {
        mix(hash ^ self.secret.rotate_left(21)) as u16
    }

    /// The second half of the place of a tag whose hash for its cache this is.
    pub(crate) fn cache_half(&self, hash: u64) -> u16 {
        mix(hash ^ self.secret.rotate_left(42)) as u16
    }

    /// Has the processor bring the fence of a subject near, without waiting for it: it is on its way while locks are taken.
    #[inline]
    pub(crate) fn prefetch(&self, subject: SubjectRef) {
        if !cfg!(miri) {
            prefetch_index(&*self.lines, self.index(subject));
        }
    }

    /// Records act `number` on a subject.
    #[inline]
    pub(crate) fn raise(&self, subject: SubjectRef, number: u64, reach: Reach) {
        self.line(subject).raise(subject.mark(), number, reach, self.mechanisms);
    }

    /// Whether there was an act on the subject that something of this token may have missed.
    #[inline]
    pub(crate) fn moved_since(&self, subject: SubjectRef, token: u64) -> bool {
        let (line, mechanisms) = (self.line(subject), self.mechanisms);
        line.is_touched_since(token, mechanisms) && line.moved_since(subject.mark(), token, mechanisms)
    }

    /// The count under which a list of subjects may be remembered as unmoved: `before` was read before their fences.
    pub(crate) fn count_before(&self, before: u64, applied: &AtomicU64) -> u64 {
        if self.mechanisms.on(Mechanism::CountBeforeList) { before } else { applied.load(Ordering::Acquire) }
    }

    /// Whether such an act ended the subject.
    pub(crate) fn ended_since(&self, subject: SubjectRef, token: u64) -> bool {
        let (line, mechanisms) = (self.line(subject), self.mechanisms);
        line.is_touched_since(token, mechanisms) && line.ended_since(subject.mark(), token, mechanisms)
    }

    #[inline]
    fn line(&self, subject: SubjectRef) -> &Line {
        &self.lines[self.index(subject)]
    }

    #[inline]
    fn index(&self, subject: SubjectRef) -> usize {
        (u32::from(subject.first()) >> self.shift) as usize
    }
}

impl SubjectRef {
    const fn of(first: u16, second: u16) -> Self {
        Self((first as u32) << 16 | second as u32)
    }

    /// The half by which its line is found.
    pub(crate) const fn first(self) -> u16 {
        (self.0 >> 16) as u16
    }

    /// The half by which it is told from others there.
    pub(crate) const fn second(self) -> u16 {
        self.0 as u16
    }

    /// Both halves.
    pub(crate) const fn bits(self) -> u64 {
        self.0 as u64
    }

    const fn mark(self) -> Mark {
        Mark(self.0 as u64 & Mark::MAX)
    }
}

/// By what a subject is told from others of its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark(u64);

impl Mark {
    const BITS: u32 = 12;
    const MAX: u64 = (1 << Self::BITS) - 1;
}

/// The last act on a subject, in a word: its mark, the act's number, and whether it ended the subject. Numbers end after 2^51
/// acts, which is 70 years of a million each second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Last(u64);

impl Last {
    const NUMBER_BITS: u32 = u64::BITS - Mark::BITS - 1;
    const NUMBER_MAX: u64 = (1 << Self::NUMBER_BITS) - 1;

    fn new(mark: Mark, number: u64, reach: Reach) -> Self {
        assert!(number <= Self::NUMBER_MAX, "more acts than a process lives for");
        Self(mark.0 << (Self::NUMBER_BITS + 1) | number << 1 | u64::from(reach == Reach::Gone))
    }

    const fn is_of(self, mark: Mark) -> bool {
        self.0 >> (Self::NUMBER_BITS + 1) == mark.0
    }

    /// 0 if there was none yet.
    const fn number(self) -> u64 {
        self.0 >> 1 & Self::NUMBER_MAX
    }

    const fn ended(self) -> bool {
        self.0 & 1 == 1
    }
}

/// How many subjects a line tells apart; fewer where schedules are tried out, which every word multiplies.
const LASTS: usize = if cfg!(loom) {
    1
} else if cfg!(feature = "shuttle") {
    2
} else {
    5
};

/// The fences of the subjects that share a line of the processor's cache: the last acts on the few that had one lately, and for all
/// others a floor, below which nobody knows.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Line {
    /// The last act on any of them: all that a reader looks at where there was none since its token.
    newest: AtomicU64,
    /// The last act on any that is told apart no more.
    floor: AtomicU64,
    /// The same for acts that ended it.
    floor_gone: AtomicU64,
    lasts: [AtomicU64; LASTS],
}

impl Line {
    // Nobody else writes while the mutex of acts is held, so no read-modify-write is needed: each would be a barrier, and cost a
    // batch as much as all its cache misses.
    fn raise(&self, mark: Mark, number: u64, reach: Reach, mechanisms: Mechanisms) {
        let lasts = self.lasts.each_ref().map(|last| Last(last.load(Ordering::Relaxed)));
        let (place, is_own) = place_for(mark, reach, &lasts);
        let last = Last::new(mark, number, reach);
        let displaced = lasts[place];
        if is_own | (displaced.number() == 0) {
            self.lasts[place].store(last.0, Ordering::Release);
        } else if mechanisms.on(Mechanism::FloorBeforeLast) {
            // The floor rises before: whoever does not find the displaced one any more sees it.
            self.sink(displaced);
            self.lasts[place].store(last.0, Ordering::Release);
        } else {
            self.lasts[place].store(last.0, Ordering::Release);
            self.sink(displaced);
        }
        // Numbers grow as long as one act at a time takes one (raise-by-max).
        self.newest.store(number, Ordering::Release);
    }

    /// Forgets whose act this was.
    fn sink(&self, displaced: Last) {
        raise_to(&self.floor, displaced.number());
        if displaced.ended() {
            raise_to(&self.floor_gone, displaced.number());
        }
    }

    #[inline]
    fn is_touched_since(&self, token: u64, mechanisms: Mechanisms) -> bool {
        self.newest.load(reader_order(mechanisms)) > token
    }

    fn moved_since(&self, mark: Mark, token: u64, mechanisms: Mechanisms) -> bool {
        let moved = |last: Last| last.is_of(mark) && last.number() > token;
        !mechanisms.on(Mechanism::SubjectsApart)
            || self.has(moved, mechanisms)
            // After the last acts: see `raise`.
            || self.floor.load(reader_order(mechanisms)) > token
    }

    fn ended_since(&self, mark: Mark, token: u64, mechanisms: Mechanisms) -> bool {
        let ended = |last: Last| last.ended() && last.is_of(mark) && last.number() > token;
        !mechanisms.on(Mechanism::SubjectsApart)
            || self.has(ended, mechanisms)
            || self.floor_gone.load(reader_order(mechanisms)) > token
    }

    fn has(&self, is_it: impl Fn(Last) -> bool, mechanisms: Mechanisms) -> bool {
        let order = reader_order(mechanisms);
        self.lasts.iter().any(|last| is_it(Last(last.load(order))))
    }
}

// Acquire makes reads causal between two subjects: who saw the second act sees the first one too.
#[inline]
fn reader_order(mechanisms: Mechanisms) -> Ordering {
    mechanisms.order(Mechanism::ReaderAcquire, Ordering::Acquire)
}

fn raise_to(floor: &AtomicU64, number: u64) {
    if floor.load(Ordering::Relaxed) < number {
        floor.store(number, Ordering::Release);
    }
}

/// Where an act is recorded, and whether the subject's own last act lies there and says no more than this one will: one that ended
/// it is not forgotten for one that made it stale. Otherwise it is the place of the act that is longest ago.
// Without branches: where the subject lies is chance, and a wrong guess of the processor costs more than all of this.
#[inline]
fn place_for(mark: Mark, reach: Reach, lasts: &[Last]) -> (usize, bool) {
    let (mut place, mut least) = (0, u64::MAX);
    for (index, last) in lasts.iter().enumerate() {
        let says_no_more = last.is_of(mark) & ((reach == Reach::Gone) | !last.ended());
        let rank = if says_no_more { 0 } else { last.number() + 1 };
        (place, least) = if rank < least { (index, rank) } else { (place, least) };
    }
    (place, least == 0)
}

/// Spreads every bit over the word: the finaliser of MurmurHash3.
const fn mix(mut hash: u64) -> u64 {
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests;
