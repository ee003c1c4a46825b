//! The checks can fail: what is switched off or planted is found, as a breach of a promise that it keeps, within so many seeds.

use unstale_sim::mutation::Mutation;
use unstale_sim::run::{Plan, Seeds, Summary};
use unstale_sim::schedule::WorldKind;
use unstale_sim::violation::Promise::{self, P1, P2, P4, P6, P9, S1, S2, S3};

/// New seeds after the kept ones, at the most. Most are found by the first kept one.
const SEEDS: u64 = 60;

fn run(mutation: Mutation) -> Summary {
    let plan = Plan { seeds: Seeds::New(SEEDS), world: WorldKind::Small, mutation, budget: None, jobs: 2 };
    plan.run(&|_, _, _| {})
}

fn assert_caught(name: &str, mutation: Option<Mutation>, promises: &[Promise]) {
    let mutation = mutation.unwrap_or_else(|| panic!("{name} is unknown"));
    let summary = run(mutation);
    let failure = summary.failures.first().unwrap_or_else(|| panic!("{name} was not caught"));
    assert!(promises.contains(&failure.violation.promise), "{name}: {}", failure.violation);
}

#[test]
fn each_planted_bug_is_found() {
    let names = Mutation::all_planted();
    assert!(names.len() >= 12);
    for name in names {
        assert_caught(name, Mutation::planted(name), &[P1, P2, P4, P6, P9, S2, S3]);
    }
}

#[test]
fn without_coherence_a_naive_cache_fails_with_the_first_seed() {
    let summary = run(Mutation::without("coherence").expect("it can be switched off"));
    assert_eq!((summary.seeds, summary.failures.len()), (1, 1));
}

#[test]
fn each_mechanism_of_the_first_level_that_turns_show_is_missed() {
    for (name, promises) in [
        ("token-before-read", &[P1, P2][..]),
        ("check-at-store", &[P1, P2]),
        ("reader-recheck", &[P1, P2, P6]),
        ("floor-recheck", &[P1, P2]),
        ("no-old-flight", &[P1, P2]),
        ("join-checks-subjects", &[P1, P2, P6]),
        ("flatten", &[P6]),
        ("token-at-start", &[P6]),
        ("set-fences", &[P1, P2, P6]),
        ("taint", &[P1, P6]),
    ] {
        assert_caught(name, Mutation::without(name), promises);
    }
}

#[test]
fn a_clock_that_stops_with_the_process_or_the_machine_proves_too_much() {
    // P-38, P-39
    for name in ["clock-not-self-ticked", "boottime"] {
        assert_caught(name, Mutation::without(name), &[P4, S1]);
    }
}

#[test]
fn every_listed_mechanism_can_be_switched_off() {
    for name in Mutation::mechanisms() {
        assert!(Mutation::without(name).is_some(), "{name}");
    }
}
