use super::*;

fn range(first: u64, last: u64) -> Range {
    Range::new(Seq(first), Seq(last)).unwrap()
}

fn holes(ranges: &Ranges, last: u64) -> Vec<(u64, u64)> {
    ranges.holes(Seq(last)).map(|hole| (hole.first.0, hole.last.0)).collect()
}

#[test]
fn numbers_in_order_raise_the_count() {
    let mut ranges = Ranges::default();
    assert_eq!(ranges.insert(range(1, 3)), Inserted::Raised);
    assert_eq!(ranges.insert(range(4, 4)), Inserted::Raised);
    assert_eq!(ranges.have(), Seq(4));
}

#[test]
fn what_came_already_is_a_repeat_below_the_count_and_above_it() {
    let mut ranges = Ranges::new(Seq(5));
    ranges.insert(range(8, 9));
    assert_eq!(ranges.insert(range(2, 5)), Inserted::Repeat);
    assert_eq!(ranges.insert(range(9, 9)), Inserted::Repeat);
}

#[test]
fn a_range_beyond_a_hole_waits_until_the_hole_is_filled() {
    let mut ranges = Ranges::new(Seq(5));
    assert_eq!(ranges.insert(range(7, 9)), Inserted::Above);
    assert_eq!(ranges.have(), Seq(5));
    assert_eq!(ranges.highest(), Seq(9));
    assert_eq!(ranges.insert(range(6, 6)), Inserted::Raised);
    assert_eq!(ranges.have(), Seq(9));
}

#[test]
fn a_coarse_range_that_overlaps_the_count_and_later_ranges_joins_them() {
    let mut ranges = Ranges::new(Seq(5));
    ranges.insert(range(8, 9));
    ranges.insert(range(12, 12));
    assert_eq!(ranges.insert(range(3, 8)), Inserted::Raised);
    assert_eq!(ranges.have(), Seq(9));
    assert_eq!(holes(&ranges, 12), [(10, 11)]);
}

#[test]
fn holes_end_at_the_last_number_that_was_given_out() {
    let mut ranges = Ranges::new(Seq(5));
    ranges.insert(range(8, 9));
    assert_eq!(holes(&ranges, 5), []);
    assert_eq!(holes(&ranges, 6), [(6, 6)]);
    assert_eq!(holes(&ranges, 9), [(6, 7)]);
    assert_eq!(holes(&ranges, 11), [(6, 7), (10, 11)]);
}

#[test]
fn at_the_bound_the_highest_range_is_forgotten_and_is_a_hole_again() {
    // streams section 2, ranges above `have`
    let mut ranges = Ranges::default();
    for n in 1..=Ranges::ABOVE_MAX as u64 {
        ranges.insert(range(n * 10, n * 10));
    }
    assert_eq!(ranges.highest(), Seq(320));
    ranges.insert(range(5, 5));
    assert_eq!(ranges.highest(), Seq(310));
    assert_eq!(holes(&ranges, 320).last(), Some(&(311, 320)));
}

#[test]
fn a_number_above_a_full_set_is_not_kept() {
    let mut ranges = Ranges::default();
    for n in 1..=Ranges::ABOVE_MAX as u64 {
        ranges.insert(range(n * 10, n * 10));
    }
    assert_eq!(ranges.insert(range(1_000, 1_000)), Inserted::Above);
    assert_eq!(ranges.highest(), Seq(320));
    assert!(!ranges.contains(range(1_000, 1_000)));
}

#[test]
fn raising_counts_everything_below_and_joins_what_waits_above() {
    let mut ranges = Ranges::new(Seq(5));
    ranges.insert(range(8, 9));
    assert_eq!(ranges.raise(Seq(7)), Inserted::Raised);
    assert_eq!(ranges.have(), Seq(9));
    assert_eq!(ranges.raise(Seq(9)), Inserted::Repeat);
    assert_eq!(ranges.raise(Seq(2)), Inserted::Repeat);
}

#[test]
fn a_peer_that_claims_the_last_number_there_is_breaks_nothing() {
    let mut ranges = Ranges::new(Seq(5));
    assert_eq!(ranges.insert(range(7, u64::MAX)), Inserted::Above);
    assert_eq!(holes(&ranges, u64::MAX), [(6, 6)]);
    assert_eq!(ranges.insert(range(6, 6)), Inserted::Raised);
    assert_eq!(ranges.insert(range(u64::MAX, u64::MAX)), Inserted::Repeat);
    assert_eq!(ranges.raise(Seq(u64::MAX)), Inserted::Repeat);
    assert_eq!(holes(&ranges, u64::MAX), []);
}
