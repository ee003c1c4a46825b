//! What every subject is given: the same keys, the same values, the same order of access.

use std::borrow::Borrow;
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

/// Entries, unless a case says otherwise.
pub(crate) const ENTRIES: usize = 100_000;

/// Bytes of a value.
pub(crate) const VALUE_BYTES: usize = 256;

/// The exponent of the zipf distribution of accesses.
const ZIPF: f64 = 0.99;

/// A key of a workload, text or an integer.
pub(crate) trait BenchKey: unstale::Key + Borrow<Self::Asked> {
    /// What is asked by.
    type Asked: Hash + Eq + ToOwned<Owned = Self> + unstale::Probe<Self> + ?Sized + 'static;

    /// The same as readers hold it: one for each key, which all of them share.
    type Shared: Borrow<Self::Asked> + Clone + fmt::Debug + PartialEq + Send + Sync;

    /// The key of an index.
    fn of(index: usize) -> Self;

    /// What readers of this key hold.
    fn shared(&self) -> Self::Shared;
}

impl BenchKey for String {
    type Asked = str;
    type Shared = Arc<str>;

    fn shared(&self) -> Arc<str> {
        Arc::from(self.as_str())
    }

    fn of(index: usize) -> Self {
        let mut random = Random::new(index as u64);
        format!("{:016x}{:08x}", random.next(), random.next() as u32)
    }
}

impl BenchKey for u64 {
    type Asked = Self;
    type Shared = Self;

    fn shared(&self) -> Self {
        *self
    }

    fn of(index: usize) -> Self {
        Random::new(index as u64).next()
    }
}

/// One access: a key, and its index, which its value carries.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ask<K: BenchKey> {
    key: K::Shared,
    /// The index.
    pub(crate) index: u32,
}

impl<K: BenchKey> Ask<K> {
    /// What to ask by.
    pub(crate) fn key(&self) -> &K::Asked {
        self.key.borrow()
    }
}

/// Keys and an order of access to them.
#[derive(Clone, Debug)]
pub(crate) struct Workload<K: BenchKey> {
    /// The keys.
    pub(crate) keys: Arc<Vec<K>>,
    /// What is asked for, one list per thread. Each names its keys itself, as the live node of FusionCache does when it measures
    /// itself: to look them up by their indices would cost a line of memory for each access, which is not the subject's.
    pub(crate) orders: Vec<Arc<Vec<Ask<K>>>>,
}

/// Every key once, as they come.
pub(crate) fn in_order<K: BenchKey>(keys: &[K]) -> Vec<Ask<K>> {
    keys.iter().enumerate().map(|(index, key)| Ask { key: key.shared(), index: index as u32 }).collect()
}

/// Texts of 40 bytes, which nobody keeps in place.
pub(crate) fn long_texts(entries: usize) -> Vec<String> {
    (0..entries).map(|index| String::of(index) + &String::of(entries + index)[..16]).collect()
}

impl<K: BenchKey> Workload<K> {
    /// `operations` zipf accesses to `entries` keys by each of `threads` threads.
    pub(crate) fn zipf(entries: usize, operations: usize, threads: usize) -> Self {
        Self::zipf_of((0..entries).map(K::of).collect(), operations, threads)
    }

    /// The same to these keys.
    pub(crate) fn zipf_of(keys: Vec<K>, operations: usize, threads: usize) -> Self {
        let (entries, keys) = (keys.len(), Arc::new(keys));
        let (table, all) = (cumulative(entries), in_order(&keys));
        let order = |thread: usize| {
            let mut random = Random::new(0x5eed + thread as u64);
            let pick = |_| {
                let share = random.unit();
                all[table.partition_point(|&below| below < share).min(entries - 1)].clone()
            };
            Arc::new((0..operations).map(pick).collect())
        };
        Self { keys, orders: (0..threads).map(order).collect() }
    }

    /// Every access to the one key there is.
    pub(crate) fn hot(operations: usize, threads: usize) -> Self {
        let keys = Arc::new(vec![K::of(0)]);
        let order = Arc::new(vec![in_order(&keys).remove(0); operations]);
        Self { keys, orders: vec![order; threads] }
    }
}

/// The value of the key of an index.
pub(crate) fn value(index: usize) -> [u8; VALUE_BYTES] {
    let mut value = [0x5a; VALUE_BYTES];
    value[..8].copy_from_slice(&(index as u64).to_le_bytes());
    value
}

/// The same behind a count, as subjects hold it that clone their values.
pub(crate) fn shared_value(index: usize) -> Arc<[u8]> {
    Arc::from(value(index).as_slice())
}

/// Whether `bytes` are the value of the key of `index`.
pub(crate) fn is_value(bytes: &[u8], index: u32) -> bool {
    bytes.len() == VALUE_BYTES && bytes[..8] == u64::from(index).to_le_bytes()
}

/// The indices of `entries` keys in an order that has nothing to do with how they came in.
pub(crate) fn shuffled(entries: usize, random: &mut Random) -> Vec<u32> {
    let mut order: Vec<u32> = (0..entries as u32).collect();
    for last in (1..entries).rev() {
        order.swap(last, (random.next() % (last as u64 + 1)) as usize);
    }
    order
}

fn cumulative(entries: usize) -> Vec<f64> {
    let mut sum = 0.0;
    let mut table: Vec<f64> = (1..=entries)
        .map(|rank| {
            sum += (rank as f64).powf(-ZIPF);
            sum
        })
        .collect();
    for below in &mut table {
        *below /= sum;
    }
    table
}

/// SplitMix64 (G. Steele et al., 2014): the same numbers on every machine.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// Numbers of a seed.
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The next number in 0..1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_key_is_the_hottest_and_the_order_repeats() {
        let one = Workload::<u64>::zipf(1_000, 10_000, 2);
        let two = Workload::<u64>::zipf(1_000, 10_000, 2);
        assert_eq!(one.orders, two.orders);
        assert_ne!(one.orders[0], one.orders[1]);
        let hits = one.orders[0].iter().filter(|ask| ask.index == 0).count();
        assert!(
            (1_000..2_000).contains(&hits),
            "zipf 0.99 over 1,000 keys gives the first about 13 %, not {hits}"
        );
    }

    #[test]
    fn a_value_is_known_by_its_index() {
        assert!(is_value(&value(7), 7));
        assert!(!is_value(&value(7), 8));
        assert!(!is_value(&value(7)[..9], 7));
    }
}
