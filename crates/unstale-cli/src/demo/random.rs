//! Seeded randomness: the same seed gives the same schedule and the same order of keys.

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// A generator that gives the same numbers for the same seed.
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A generator whose numbers have nothing to do with this one's, for `purpose`.
    pub(crate) fn fork(&self, purpose: u64) -> Self {
        let mut fork = Self(self.0 ^ purpose.wrapping_mul(0xd6e8_feb8_6659_fd93));
        Self(fork.next())
    }

    /// The next 64 bits.
    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to `bound` - 1; 0 if `bound` is 0.
    pub(crate) const fn below(&mut self, bound: u64) -> u64 {
        // The bias of the multiplication is below bound / 2^64.
        ((self.next() as u128 * bound as u128) >> 64) as u64
    }

    /// A fraction from 0 to just below 1.
    pub(crate) fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Draws rows so that row `i` comes with a chance proportional to 1 / (i + 1)^s.
#[derive(Clone, Debug)]
pub(crate) struct Zipf {
    /// The chance of a row up to this one.
    cumulated: Vec<f64>,
}

impl Zipf {
    /// Over `rows` rows (at least one) with exponent `s`.
    pub(crate) fn new(rows: u32, s: f64) -> Self {
        let mut sum = 0.0;
        let mut cumulated: Vec<f64> = (1..=rows.max(1))
            .map(|rank| {
                sum += f64::from(rank).powf(-s);
                sum
            })
            .collect();
        for chance in &mut cumulated {
            *chance /= sum;
        }
        Self { cumulated }
    }

    /// One row.
    pub(crate) fn draw(&self, random: &mut Random) -> u32 {
        let fraction = random.fraction();
        let row = self.cumulated.partition_point(|chance| *chance <= fraction);
        row.min(self.cumulated.len() - 1) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_numbers_and_a_fork_has_its_own() {
        let numbers = |mut random: Random| (0..8).map(|_| random.next()).collect::<Vec<_>>();
        let seeded = Random::new(7);
        assert_eq!(numbers(seeded.clone()), numbers(Random::new(7)));
        assert_ne!(numbers(seeded.clone()), numbers(Random::new(8)));
        assert_ne!(numbers(seeded.fork(1)), numbers(seeded.fork(2)));
    }

    #[test]
    fn a_number_below_a_bound_reaches_every_value_and_never_the_bound() {
        let mut random = Random::new(1);
        let mut seen = [0u32; 5];
        for _ in 0..1_000 {
            seen[random.below(5) as usize] += 1;
        }
        assert!(seen.iter().all(|count| *count > 100), "{seen:?}");
        assert_eq!(random.below(0), 0);
    }

    #[test]
    fn zipf_draws_the_first_row_twice_as_often_as_the_second() {
        let zipf = Zipf::new(1_000, 1.0);
        let mut random = Random::new(3);
        let mut seen = vec![0u32; 1_000];
        for _ in 0..200_000 {
            seen[zipf.draw(&mut random) as usize] += 1;
        }
        let ratio = f64::from(seen[0]) / f64::from(seen[1]);
        assert!((1.9..2.1).contains(&ratio), "{ratio}");
        assert!(seen[999] > 0, "the last row is drawn too");
    }

    #[test]
    fn zipf_over_one_row_draws_that_row() {
        assert_eq!(Zipf::new(1, 0.99).draw(&mut Random::new(0)), 0);
    }
}
