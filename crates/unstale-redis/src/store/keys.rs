//! Where things of a store are: shards, fences, names of keys.

use std::sync::Arc;

/// Fences of a shard: keys share them by their hash. The library of functions knows the number, too.
const FENCES: u64 = 16_384;

/// Buckets of tags in what a cache shows its readers; as above.
pub(super) const BUCKETS: usize = 64;

/// How the keys of one store are called.
#[derive(Clone, Debug)]
pub(super) struct Names {
    prefixes: Arc<[String]>,
}

/// Where a key of a cache is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) shard: u32,
    pub(super) fence: u64,
}

impl Names {
    pub(super) fn new(namespace: &str, shards: u32) -> Self {
        Self { prefixes: (0..shards).map(|shard| format!("{{{namespace}:{shard}}}:")).collect() }
    }

    pub(super) fn shards(&self) -> u32 {
        self.prefixes.len() as u32
    }

    /// Where a key is: the same for every process, in every version.
    pub(super) fn place(&self, cache: &str, key: &[u8]) -> Place {
        let hash = hash(&[cache.as_bytes(), &[0xff], key]);
        Place { shard: (hash % self.prefixes.len() as u64) as u32, fence: (hash >> 32) % FENCES }
    }

    /// What all keys of a shard begin with; the braces keep them in one slot of a cluster.
    pub(super) fn shard(&self, shard: u32) -> &str {
        &self.prefixes[shard as usize]
    }

    /// The bucket of a tag.
    pub(super) fn bucket(tag: &[u8]) -> usize {
        (hash(&[tag]) % BUCKETS as u64) as usize
    }

    /// A key's record (`r`), or the turn for a stale one (`l`). The length of the cache's name keeps caches apart, whatever
    /// their keys.
    pub(super) fn key(shard: &str, kind: u8, cache: &str, key: &[u8]) -> Vec<u8> {
        let mut name = Vec::with_capacity(shard.len() + cache.len() + key.len() + 8);
        name.extend_from_slice(shard.as_bytes());
        name.push(kind);
        // A name of a cache has at most 255 bytes.
        let length = cache.len();
        let digits = [(length / 100) as u8, (length / 10 % 10) as u8, (length % 10) as u8];
        name.extend(digits.map(|digit| b'0' + digit));
        name.extend_from_slice(cache.as_bytes());
        name.push(b':');
        name.extend_from_slice(key);
        name
    }

    /// What a cache shows its readers.
    pub(super) fn copy(shard: &str, cache: &str) -> Vec<u8> {
        [shard.as_bytes(), b"c", cache.as_bytes()].concat()
    }
}

/// FNV-1a, then mixed: its high bits alone would depend little on the last bytes.
fn hash(parts: &[&[u8]]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in parts.iter().copied().flatten() {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash ^ (hash >> 29)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_the_same_in_every_version() {
        // These decide which nodes find each other's records: they never change.
        let names = Names::new("unstale", 16);
        let places = ["a", "b", "user:42"].map(|key| names.place("users", key.as_bytes()));
        let shards = places.map(|place| (place.shard, place.fence));
        assert_eq!(shards, [(9, 1103), (11, 15602), (4, 5573)]);
        assert_eq!(["t", "org:7"].map(|tag| Names::bucket(tag.as_bytes())), [7, 34]);
    }

    #[test]
    fn keys_are_spread_over_shards_and_fences() {
        let names = Names::new("unstale", 16);
        let mut shards = [0_u32; 16];
        let mut fences = std::collections::HashSet::new();
        for key in 0_u32..4_096 {
            let place = names.place("users", &key.to_be_bytes());
            shards[place.shard as usize] += 1;
            fences.insert(place.fence);
        }
        assert!(shards.iter().all(|keys| (160..=360).contains(keys)), "{shards:?}");
        assert!(fences.len() > 3_500, "{} fences", fences.len());
    }

    #[test]
    fn names_of_caches_and_keys_do_not_run_into_each_other() {
        let one = Names::key("{u:0}:", b'r', "a:b", b"c");
        let other = Names::key("{u:0}:", b'r', "a", b"b:c");
        assert_eq!((&one[..], &other[..]), (&b"{u:0}:r003a:b:c"[..], &b"{u:0}:r001a:b:c"[..]));
    }
}
