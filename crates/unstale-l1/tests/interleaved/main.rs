//! The engine under races: on the scheduler of shuttle, which chooses schedules at random from a seed, or on real threads (F-8).
//!
//! `cargo test -p unstale-l1 --features shuttle,mutations --test interleaved`
#![cfg(not(loom))]

#[cfg(all(feature = "shuttle", feature = "mutations"))]
mod caught;
mod course;
#[cfg(feature = "shuttle")]
mod inertia;
mod race;
mod row;
mod scenarios;
mod world;

use std::sync::Arc;

use course::Course;
use race::Race;
use scenarios::{DOUBTS, LISTS, LOADS, NAMED, Named, PLAIN, STALE, SWEEPS, WRITERS, combinations};
use world::{Begun, SEED, number, run};

/// How many schedules of each named race are run, and of each combination. `UNSTALE_SCHEDULES` multiplies both, and
/// `UNSTALE_SEED` draws others.
const SCHEDULES: (usize, usize) = if cfg!(miri) {
    (1, 1)
} else if cfg!(feature = "shuttle") {
    (300, 40)
} else {
    (30, 4)
};

fn check(name: &str, race: Race, schedules: usize) {
    eprintln!("{name}: {race:?}");
    let times = number("UNSTALE_SCHEDULES").map_or(1, |times| usize::try_from(times).unwrap_or(usize::MAX));
    let seed = number("UNSTALE_SEED").unwrap_or(SEED);
    run(seed, schedules.saturating_mul(times), &Arc::new(Begun::new(0)), move || Course::new(race).run());
}

fn check_all(named: &[Named]) {
    for (name, race) in named {
        check(name, *race, SCHEDULES.0);
    }
}

#[test]
fn no_read_is_older_than_an_act_that_returned_whatever_is_cached_or_evicted() {
    check_all(PLAIN);
    // Miri is a thousand times slower, so it runs some of them.
    for race in combinations().step_by(if cfg!(miri) { 23 } else { 1 }) {
        check("a combination", race, SCHEDULES.1);
    }
}

#[test]
fn no_two_races_have_one_name() {
    let mut names: Vec<_> = NAMED.into_iter().flatten().map(|(name, _)| name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn none_of_it_depends_on_how_loads_go_on_or_end() {
    check_all(LOADS);
}

#[test]
fn no_read_is_older_than_an_act_on_one_of_many_parts() {
    check_all(LISTS);
}

#[test]
fn none_of_it_depends_on_what_is_swept() {
    check_all(SWEEPS);
}

#[test]
fn no_read_is_older_than_a_doubt_about_it() {
    check_all(DOUBTS);
}

#[test]
fn none_of_it_depends_on_who_else_writes() {
    check_all(WRITERS);
}

#[test]
fn no_stale_answer_is_older_than_an_act_that_ended_it() {
    check_all(STALE);
}
