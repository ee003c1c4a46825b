//! Digests (P-19): hashes of what a range touched, and the filter of suspects made of them.

use crate::hash::{xxh64, xxh64_of};
use crate::{DigestRow, Name, Subject, SubjectKind};

/// The hash of a subject's canonical bytes, the same on every node and in every version of the protocol (P-19).
///
/// Canonical bytes: one byte of kind (key 1, tag 2, cache 3, all 4), one byte with the length of the cache's name (0 where
/// there is none), the name, then the key's or tag's bytes. The hash is XXH64 of them with seed 0.
///
/// ```
/// use unstale_core::{Name, Subject, subject_hash};
///
/// let subject = Subject::Key { cache: Name::new("users").unwrap(), key: "42".into() };
/// assert_eq!(subject_hash(&subject), 0xd81a_2184_86e0_b87f);
/// ```
pub fn subject_hash(subject: &Subject) -> u64 {
    match subject {
        Subject::Key { cache, key } => key_hash(cache, key),
        Subject::Tag { cache, tag } => tag_hash(cache.as_ref(), tag),
        Subject::Cache { cache } => canonical_hash(KIND_CACHE, Some(cache), &[]),
        Subject::All => canonical_hash(KIND_ALL, None, &[]),
    }
}

/// [`subject_hash`] of a key, without a subject to be built for it. No allocation below 254 bytes of cache and key.
pub fn key_hash(cache: &Name, key: &[u8]) -> u64 {
    canonical_hash(KIND_KEY, Some(cache), key)
}

/// [`key_hash`] for the keys of one cache, whose name it has ready.
///
/// ```
/// use unstale_core::{KeyHasher, Name, key_hash};
///
/// let cache = Name::new("users").unwrap();
/// assert_eq!(KeyHasher::new(&cache).hash(b"42"), key_hash(&cache, b"42"));
/// ```
#[derive(Clone, Debug)]
pub struct KeyHasher {
    cache: Name,
    /// The canonical bytes in front of a key, and zeros.
    bytes: [u8; SMALL],
    /// How many there are.
    head: usize,
}

impl KeyHasher {
    /// For the keys of `cache`.
    pub fn new(cache: &Name) -> Self {
        let name: &[u8] = cache.as_bytes();
        let (mut bytes, head) = ([0; SMALL], 2 + name.len());
        if head <= HEAD_MAX {
            joined([&[KIND_KEY, name.len() as u8], name, &[]], &mut bytes);
        }
        Self { cache: cache.clone(), bytes, head }
    }

    /// [`key_hash`] of a key.
    #[inline]
    pub fn hash(&self, key: &[u8]) -> u64 {
        let Some((first, _)) = key.split_first_chunk().filter(|_| self.head <= HEAD_MAX) else {
            return key_hash(&self.cache, key);
        };
        let (len, first) = (self.head + key.len(), u64::from_le_bytes(*first));
        // Joined in a buffer, words would be read that were not written as such, which a processor has to wait for.
        let word = |index: usize| {
            let at = 8 * index;
            if let Some(in_key) = at.checked_sub(self.head) {
                return little_endian(key, in_key);
            }
            let shared = self.head - at;
            let head = little_endian(&self.bytes, at);
            if shared < 8 { head | first << (8 * shared) } else { head }
        };
        // Less than a word, and a key has at least one.
        xxh64_of(len, word, &key[key.len() - len % 8..])
    }
}

fn little_endian(bytes: &[u8], at: usize) -> u64 {
    let (word, _) = bytes[at..].split_first_chunk().expect("a word is in one of both");
    u64::from_le_bytes(*word)
}

/// Nearly every key fits this with the name of its cache.
const SMALL: usize = 64;
/// As many bytes, and a word can be read behind any of them.
const HEAD_MAX: usize = SMALL - 8;

/// [`subject_hash`] of a tag in one cache or (`None`) in every cache of the node.
pub fn tag_hash(cache: Option<&Name>, tag: &[u8]) -> u64 {
    canonical_hash(KIND_TAG, cache, tag)
}

const KIND_KEY: u8 = 1;
const KIND_TAG: u8 = 2;
const KIND_CACHE: u8 = 3;
const KIND_ALL: u8 = 4;

fn canonical_hash(kind: u8, cache: Option<&Name>, rest: &[u8]) -> u64 {
    let cache: &[u8] = cache.map_or(&[], |name| name.as_bytes());
    // A name has at most 255 bytes, so its length fits one.
    let head = [kind, cache.len() as u8];
    let parts = [&head, cache, rest];
    let len: usize = parts.iter().map(|part| part.len()).sum();
    // The smaller buffer takes less to clear.
    if len <= SMALL {
        xxh64(joined(parts, &mut [0; SMALL]))
    } else if len <= 256 {
        xxh64(joined(parts, &mut [0; 256]))
    } else {
        xxh64(&parts.concat())
    }
}

fn joined<'a>(parts: [&[u8]; 3], buffer: &'a mut [u8]) -> &'a [u8] {
    let mut at = 0;
    for part in parts {
        buffer[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    }
    &buffer[..at]
}

impl DigestRow {
    /// The row that stands for a subject.
    pub fn of(subject: &Subject) -> Self {
        let kind = match subject {
            Subject::Key { .. } => SubjectKind::Key,
            Subject::Tag { .. } => SubjectKind::Tag,
            Subject::Cache { .. } => SubjectKind::Cache,
            Subject::All => SubjectKind::All,
        };
        Self { kind, hash: subject_hash(subject) }
    }
}

/// What digests make suspect: hashes of keys, tags and caches. False positives, never false negatives (P-19).
///
/// Holds at most [`SuspectFilter::HASHES_MAX`] hashes; beyond that everything is in it.
///
/// ```
/// use unstale_core::{DigestRow, Name, Subject, SuspectFilter};
///
/// let users = Name::new("users").unwrap();
/// let touched = Subject::Key { cache: users.clone(), key: "42".into() };
/// let mut filter = SuspectFilter::default();
/// filter.add(&[DigestRow::of(&touched)]);
/// assert!(filter.holds_key(&users, b"42"));
/// assert!(!filter.holds_key(&users, b"43"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SuspectFilter {
    everything: bool,
    // Sorted, each once.
    keys: Vec<u64>,
    tags: Vec<u64>,
    caches: Vec<u64>,
}

impl SuspectFilter {
    /// The most hashes in a filter: 8 MiB of them.
    pub const HASHES_MAX: usize = 1 << 20;

    /// Adds the rows of a digest. About linear in the hashes held and added.
    pub fn add(&mut self, rows: &[DigestRow]) {
        for row in rows {
            match row.kind {
                SubjectKind::Key => self.keys.push(row.hash),
                SubjectKind::Tag => self.tags.push(row.hash),
                SubjectKind::Cache => self.caches.push(row.hash),
                SubjectKind::All => self.everything = true,
            }
        }
        self.settle();
    }

    /// Adds all that another filter holds.
    pub fn merge(&mut self, other: &Self) {
        self.everything |= other.everything;
        self.keys.extend_from_slice(&other.keys);
        self.tags.extend_from_slice(&other.tags);
        self.caches.extend_from_slice(&other.caches);
        self.settle();
    }

    /// Whether everything is in it: a digest said so, or there were too many hashes.
    pub const fn holds_everything(&self) -> bool {
        self.everything
    }

    /// Whether nothing is in it.
    pub const fn is_empty(&self) -> bool {
        !self.everything && self.hashes() == 0
    }

    /// How many hashes it holds.
    pub const fn hashes(&self) -> usize {
        self.keys.len() + self.tags.len() + self.caches.len()
    }

    /// The hashes of keys, sorted, each once; none if everything is in it.
    pub fn keys(&self) -> &[u64] {
        &self.keys
    }

    /// The hashes of tags, sorted, each once; none if everything is in it.
    pub fn tags(&self) -> &[u64] {
        &self.tags
    }

    /// The hashes of whole caches in it, sorted, each once.
    pub fn caches(&self) -> &[u64] {
        &self.caches
    }

    /// Whether a whole cache is in it: all its keys and tags are then, too.
    pub fn holds_cache(&self, cache: &Name) -> bool {
        let hash = || canonical_hash(KIND_CACHE, Some(cache), &[]);
        self.everything || holds(&self.caches, hash)
    }

    /// Whether a key of a cache is in it, by itself. Ask [`SuspectFilter::holds_cache`] once per cache beside it.
    pub fn holds_key(&self, cache: &Name, key: &[u8]) -> bool {
        self.everything || holds(&self.keys, || key_hash(cache, key))
    }

    /// Whether a tag is in it as entries of `cache` carry it: as a tag of that cache or of the whole node.
    pub fn holds_tag(&self, cache: &Name, tag: &[u8]) -> bool {
        self.everything
            || holds(&self.tags, || tag_hash(Some(cache), tag))
            || holds(&self.tags, || tag_hash(None, tag))
    }

    #[expect(
        clippy::stable_sort_primitive,
        reason = "the stable sort merges what is sorted already in linear time"
    )]
    fn settle(&mut self) {
        for hashes in [&mut self.keys, &mut self.tags, &mut self.caches] {
            hashes.sort();
            hashes.dedup();
        }
        if self.everything || self.hashes() > Self::HASHES_MAX {
            *self = Self { everything: true, ..Self::default() };
        }
    }
}

fn holds(sorted: &[u64], hash: impl FnOnce() -> u64) -> bool {
    !sorted.is_empty() && sorted.binary_search(&hash()).is_ok()
}

#[cfg(test)]
mod tests;
