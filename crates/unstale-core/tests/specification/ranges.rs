use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, Strategy};
use proptest::{prop_assert, prop_assert_eq, proptest};
use unstale_core::{Inserted, Range, Ranges, Seq};

use crate::history::range;

fn arriving(
    numbers: std::ops::Range<u64>,
    count: std::ops::Range<usize>,
) -> impl Strategy<Value = Vec<Range>> {
    vec((numbers, 0..4_u64).prop_map(|(first, more)| range(first, first + more)), count)
}

/// All numbers that came, one by one.
#[derive(Default)]
struct Model(BTreeSet<u64>);

impl Model {
    fn insert(&mut self, range: Range) -> bool {
        let before = self.0.len();
        self.0.extend(range.first.0..=range.last.0);
        self.0.len() > before
    }

    fn have(&self) -> Seq {
        Seq((1..1_000).take_while(|seq| self.0.contains(seq)).last().unwrap_or(0))
    }

    fn missing(&self, last: u64) -> Vec<u64> {
        (1..=last).filter(|seq| !self.0.contains(seq)).collect()
    }
}

fn missing(ranges: &Ranges, last: u64) -> Vec<u64> {
    ranges.holes(Seq(last)).flat_map(|hole| hole.first.0..=hole.last.0).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// P-4: below the bound (32 ranges cannot lie apart in 60 numbers) nothing is lost, whatever the order.
    #[test]
    fn the_count_and_the_holes_are_those_of_the_numbers_that_came(arriving in arriving(1..60, 0..60)) {
        let mut ranges = Ranges::default();
        let mut model = Model::default();
        for range in arriving {
            let before = ranges.have();
            let inserted = ranges.insert(range);
            prop_assert_eq!(inserted != Inserted::Repeat, model.insert(range));
            prop_assert_eq!(inserted == Inserted::Raised, ranges.have() > before);
            prop_assert_eq!(ranges.have(), model.have());
            prop_assert_eq!(missing(&ranges, 70), model.missing(70));
            prop_assert!(ranges.contains(range));
        }
    }

    /// S2: at the bound it may forget, and so ask again, but it counts and claims only what came.
    #[test]
    fn it_never_claims_a_number_that_did_not_come(arriving in arriving(1..400, 60..160)) {
        let mut ranges = Ranges::default();
        let mut model = Model::default();
        for range in arriving {
            let before = ranges.have();
            ranges.insert(range);
            model.insert(range);
            prop_assert!(before <= ranges.have() && ranges.have() <= model.have());
            let missing: BTreeSet<_> = missing(&ranges, 410).into_iter().collect();
            prop_assert!(model.missing(410).iter().all(|seq| missing.contains(seq)), "a hole is not seen");
            prop_assert!(ranges.holes(Seq(u64::MAX)).count() <= Ranges::ABOVE_MAX + 1);
        }
    }

    /// P-17: repair ends. Whoever is sent each hole, lowest first, counts everything.
    #[test]
    fn filling_the_holes_one_after_the_other_counts_everything(arriving in arriving(1..400, 0..160)) {
        let mut ranges = Ranges::default();
        for range in arriving {
            ranges.insert(range);
        }
        loop {
            let Some(hole) = ranges.holes(Seq(410)).next() else { break };
            prop_assert_eq!(ranges.insert(hole), Inserted::Raised);
        }
        prop_assert_eq!(ranges.have(), Seq(410));
    }
}
