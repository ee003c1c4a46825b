use std::collections::HashMap;

use unstale_core::{Name, key_hash};

use super::*;

fn fences(lines: Lines) -> Fences {
    Fences::new(lines, 0x5eed, Mechanisms::default())
}

fn keys(fences: &Fences, range: std::ops::Range<u32>) -> Vec<SubjectRef> {
    let cache = Name::new("users").expect("a short name");
    range.map(|key| fences.of_key_hash(key_hash(&cache, &key.to_be_bytes()))).collect()
}

#[test]
fn a_line_is_a_line_of_the_processors_cache() {
    assert_eq!((size_of::<Line>(), align_of::<Line>()), (64, 64));
}

#[test]
fn a_raised_fence_is_seen_by_every_older_token_and_by_no_younger_one() {
    for bits in [0, 1, 12, 14, 99] {
        let fences = fences(Lines::of_bits(bits));
        let subject = keys(&fences, 0..1)[0];
        fences.raise(subject, 3, Reach::Gone);
        fences.raise(subject, 5, Reach::Stale);
        assert!(fences.moved_since(subject, 4));
        assert!(!fences.moved_since(subject, 5));
        assert!(fences.ended_since(subject, 2));
        assert!(!fences.ended_since(subject, 3));
    }
}

// Whatever order acts come in, what shares a line, and what is displaced: too high at times, never too low.
#[test]
fn no_act_is_ever_forgotten() {
    for bits in [0, 2, 6] {
        let fences = fences(Lines::of_bits(bits));
        let subjects = keys(&fences, 0..200);
        let (mut moved, mut ended) = (HashMap::new(), HashMap::new());
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        for number in 1..=20_000 {
            random = mix(random ^ number);
            let subject = subjects[random as usize % subjects.len()];
            let reach = if random >> 60 < 6 { Reach::Gone } else { Reach::Stale };
            fences.raise(subject, number, reach);
            moved.insert(subject, number);
            if reach == Reach::Gone {
                ended.insert(subject, number);
            }
            let asked = subjects[(random >> 20) as usize % subjects.len()];
            for (last, says) in [
                (moved.get(&asked), Fences::moved_since as fn(&Fences, SubjectRef, u64) -> bool),
                (ended.get(&asked), Fences::ended_since),
            ] {
                let last = last.copied().unwrap_or(0);
                assert!(last == 0 || says(&fences, asked, last - 1), "act {last} is forgotten at {number}");
                assert!(!says(&fences, asked, number), "nothing came after act {number}");
            }
        }
    }
}

#[test]
fn a_few_subjects_of_one_line_are_told_apart() {
    let fences = fences(Lines::of_bits(0));
    let subjects = keys(&fences, 0..LASTS as u32 + 1);
    for (subject, number) in subjects[1..].iter().zip(1..) {
        fences.raise(*subject, number, Reach::Gone);
    }
    assert!(!fences.moved_since(subjects[0], 0));
    for (subject, number) in subjects[1..].iter().zip(1..) {
        assert!(fences.moved_since(*subject, number - 1) && !fences.moved_since(*subject, number));
    }
    // One more than there is room for: the oldest act is anybody's now.
    fences.raise(subjects[0], 100, Reach::Stale);
    assert!(fences.moved_since(subjects[1], 0) && fences.ended_since(subjects[2], 0));
    assert!(!fences.moved_since(subjects[1], 1) && !fences.ended_since(subjects[0], 1));
}

// F-2: an innocent key is refused only while a hot one is in its line and has its mark, or six of them are in its line.
#[test]
fn hardly_any_innocent_key_starves_beside_ten_thousand_hot_ones() {
    let fences = fences(Lines::LARGE);
    for number in 1..=3 {
        for hot in keys(&fences, 0..10_000) {
            fences.raise(hot, number, Reach::Stale);
        }
    }
    let starving = keys(&fences, 10_000..110_000).into_iter().filter(|key| fences.moved_since(*key, 2));
    let starving = starving.count();
    assert!(starving < 100, "{starving} of 100,000");
}

// What a tag that lies still pays for acts on others: a load too many.
#[test]
fn a_subject_that_lies_still_is_rarely_taken_for_one_of_many_that_moved() {
    let fences = fences(Lines::LARGE);
    let still = keys(&fences, 1_000_000..1_010_000);
    let mut number = 0;
    for (acts, most) in [(10_000, 10), (20_000, 160), (35_536, 2_500)] {
        for moved in keys(&fences, number as u32..number as u32 + acts) {
            number += 1;
            fences.raise(moved, number, Reach::Gone);
        }
        let taken = still.iter().filter(|subject| fences.moved_since(**subject, 0)).count();
        assert!(taken < most, "{taken} of 10,000 after {number} acts");
    }
}

#[test]
fn a_tag_has_the_same_first_half_in_every_cache_and_another_second_half() {
    let fences = fences(Lines::LARGE);
    let [users, orders] = ["users", "orders"].map(|name| Name::new(name).unwrap());
    let [one, two] = [&users, &orders].map(|cache| fences.tag(cache, b"org:7"));
    assert_eq!(one.first(), two.first());
    assert_ne!(one.second(), two.second());
    assert_ne!(fences.whole(&users), fences.whole(&orders));
}
