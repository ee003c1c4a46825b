//! Fences: for every subject, hashed, the number of the last act on it (F-2).

use std::hint::black_box;

use unstale_core::{Name, Subject, subject_hash, tag_hash};

use crate::mechanism::{Mechanism, Mechanisms};
use crate::shim::{AtomicU64, Ordering};

/// How many acts were finished when something began; compared with the numbers of acts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub(crate) u64);

/// A key, a tag or a whole cache, as its place in both rows of fences. Two subjects may share one by chance, at a cost of hits.
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

/// How many fences each of the four rows has. Fewer cost hits where many subjects are under change, never more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rows {
    bits: u32,
}

impl Rows {
    /// 2^16: 2 MiB in all.
    pub const LARGE: Self = Self { bits: 16 };

    /// 2^14: 512 KiB in all, for nodes with few keys under change.
    pub const SMALL: Self = Self { bits: 14 };

    /// 2^`bits`, at most 2^16. One fence for everything (0 bits) is right, too, and useful to provoke what sharing does.
    pub const fn of_bits(bits: u32) -> Self {
        Self { bits: if bits > Self::LARGE.bits { Self::LARGE.bits } else { bits } }
    }
}

impl Default for Rows {
    fn default() -> Self {
        Self::LARGE
    }
}

/// The fences of a node: two rows for acts of any reach, two for those that end what they touch.
///
/// A fence only grows. It never forgets, so that a load of any age is judged rightly.
#[derive(Debug)]
pub(crate) struct Fences {
    stale: Pair,
    gone: Pair,
    secret: u64,
    mechanisms: Mechanisms,
}

impl Fences {
    pub(crate) fn new(rows: Rows, secret: u64, mechanisms: Mechanisms) -> Self {
        Self { stale: Pair::new(rows.bits), gone: Pair::new(rows.bits), secret, mechanisms }
    }

    /// The place of a tag of a cache: in the first row by the hash that it has for the whole node, in the second by the one
    /// for its cache. A digest may hold either.
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

    /// Brings the fences of a subject near.
    #[inline]
    pub(crate) fn touch(&self, subject: SubjectRef) {
        for pair in [&self.stale, &self.gone] {
            black_box(pair.first(subject).load(Ordering::Relaxed));
            black_box(pair.second(subject).load(Ordering::Relaxed));
        }
    }

    /// Records act `number` on a subject.
    pub(crate) fn raise(&self, subject: SubjectRef, number: u64, reach: Reach) {
        self.stale.raise(subject, number, self.mechanisms);
        if reach == Reach::Gone {
            self.gone.raise(subject, number, self.mechanisms);
        }
    }

    /// Whether there was an act on the subject that something of this token may have missed.
    #[inline]
    pub(crate) fn moved_since(&self, subject: SubjectRef, token: u64) -> bool {
        self.stale.moved_since(subject, token, self.mechanisms)
    }

    /// The count under which a list of subjects may be remembered as unmoved: `before` was read before their fences.
    pub(crate) fn count_before(&self, before: u64, applied: &AtomicU64) -> u64 {
        if self.mechanisms.on(Mechanism::CountBeforeList) { before } else { applied.load(Ordering::Acquire) }
    }

    /// Whether such an act ended the subject.
    pub(crate) fn ended_since(&self, subject: SubjectRef, token: u64) -> bool {
        self.gone.moved_since(subject, token, self.mechanisms)
    }
}

impl SubjectRef {
    const fn of(first: u16, second: u16) -> Self {
        Self((first as u32) << 16 | second as u32)
    }

    /// Its place in the first row.
    pub(crate) const fn first(self) -> u16 {
        (self.0 >> 16) as u16
    }

    /// Its place in the second row.
    pub(crate) const fn second(self) -> u16 {
        self.0 as u16
    }
}

/// A count-min sketch of maxima: a subject moved only if both rows say so. With one row, keys that share a fence with a
/// subject invalidated during every load would never be stored.
#[derive(Debug)]
struct Pair {
    rows: [Box<[AtomicU64]>; 2],
    shift: u32,
}

impl Pair {
    fn new(bits: u32) -> Self {
        let row = || (0..1_usize << bits).map(|_| AtomicU64::new(0)).collect();
        Self { rows: [row(), row()], shift: 16 - bits }
    }

    // Nobody else writes while the mutex of acts is held, so the maximum needs no read-modify-write: four of them for each
    // key, every one a barrier, would cost a batch as much as all its cache misses.
    fn raise(&self, subject: SubjectRef, number: u64, mechanisms: Mechanisms) {
        for fence in [self.first(subject), self.second(subject)] {
            if fence.load(Ordering::Relaxed) < number || !mechanisms.on(Mechanism::RaiseByMax) {
                fence.store(number, Ordering::Release);
            }
        }
    }

    // Acquire makes reads causal between two subjects: who saw the second act sees the first one too.
    #[inline]
    fn moved_since(&self, subject: SubjectRef, token: u64, mechanisms: Mechanisms) -> bool {
        let order = mechanisms.order(Mechanism::ReaderAcquire, Ordering::Acquire);
        self.first(subject).load(order) > token
            && (self.second(subject).load(order) > token || !mechanisms.on(Mechanism::TwoRows))
    }

    #[inline]
    fn first(&self, subject: SubjectRef) -> &AtomicU64 {
        &self.rows[0][(u32::from(subject.first()) >> self.shift) as usize]
    }

    #[inline]
    fn second(&self, subject: SubjectRef) -> &AtomicU64 {
        &self.rows[1][(u32::from(subject.second()) >> self.shift) as usize]
    }
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
mod tests {
    use unstale_core::{Name, key_hash};

    use super::*;

    fn fences(rows: Rows) -> Fences {
        Fences::new(rows, 0x5eed, Mechanisms::default())
    }

    fn keys(fences: &Fences, range: std::ops::Range<u32>) -> Vec<SubjectRef> {
        let cache = Name::new("users").expect("a short name");
        range.map(|key| fences.of_key_hash(key_hash(&cache, &key.to_be_bytes()))).collect()
    }

    #[test]
    fn a_raised_fence_is_seen_by_every_older_token_and_by_no_younger_one() {
        for bits in [0, 1, 14, 16, 99] {
            let fences = fences(Rows::of_bits(bits));
            let subject = keys(&fences, 0..1)[0];
            fences.raise(subject, 5, Reach::Stale);
            fences.raise(subject, 3, Reach::Gone);
            assert!(fences.moved_since(subject, 4));
            assert!(!fences.moved_since(subject, 5));
            assert!(fences.ended_since(subject, 2));
            assert!(!fences.ended_since(subject, 3));
        }
    }

    // F-2: with one row 1.5 % of the innocent keys would never be stored again, with two 0.02 %.
    #[test]
    fn few_innocent_keys_share_both_fences_with_a_thousand_hot_ones() {
        let fences = fences(Rows::LARGE);
        for hot in keys(&fences, 0..1_000) {
            fences.raise(hot, 1, Reach::Stale);
        }
        let starving = keys(&fences, 1_000..101_000).into_iter().filter(|key| fences.moved_since(*key, 0));
        assert!(starving.count() < 100);
    }

    #[test]
    fn a_tag_has_the_same_first_half_in_every_cache_and_another_second_half() {
        let fences = fences(Rows::LARGE);
        let [users, orders] = ["users", "orders"].map(|name| Name::new(name).unwrap());
        let [one, two] = [&users, &orders].map(|cache| fences.tag(cache, b"org:7"));
        assert_eq!(one.first(), two.first());
        assert_ne!(one.second(), two.second());
        assert_ne!(fences.whole(&users), fences.whole(&orders));
    }
}
