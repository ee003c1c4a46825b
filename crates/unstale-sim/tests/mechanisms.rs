//! What each mechanism is for: with nothing off every scenario passes, with one off the promise that it keeps is broken.

use unstale_core::Mechanism;
use unstale_sim::protocol::scenarios;
use unstale_sim::violation::{Promise, Violation};

/// A mechanism, the scenario that shows it, and the promise that breaks without it (streams.md, section 9).
const TABLE: &[(&str, &str, Promise)] = &[
    ("incarnation-in-key", "next-incarnation", Promise::S2),
    ("number-at-call", "driver-told-late", Promise::S1),
    ("range-holds-all-keys", "frames-joined", Promise::S2),
    ("distrust-before-count", "journal-overflows-at-hole", Promise::S2),
    ("digest-only-if-whole", "nobody-holds-it", Promise::S2),
    ("dead-origins-in-vector", "left-unseen", Promise::S3),
    ("act-visible-before-have", "hello-again", Promise::S2),
    ("batch-whole", "commit-at-the-bound", Promise::P5),
    ("coalesce-at-bound", "slow-peer", Promise::P7),
    ("count-before-echo", "driver-told-late", Promise::S1),
    ("silent-members-count", "silent-writer", Promise::S1),
    ("echo-keyed-by-life", "clock-of-another-life", Promise::S1),
    ("last-read-after-echo", "beat-before-the-driver-knows", Promise::S1),
    ("waiting-beats", "steady-backlog", Promise::S1),
    ("view-hash-in-beat", "newcomer-reaches-one", Promise::S1),
    ("join-wait", "admitter-dies", Promise::S1),
    ("store-after-join", "loads-before-it-joined", Promise::S2),
    ("base-only-while-joining", "hello-again", Promise::S2),
    ("first-heard-is-hole", "newcomer-reaches-one", Promise::S1),
    ("distrust-on-unclean-end", "killed-after-the-number", Promise::S3),
    ("goodbye-awaits-tail", "goodbye-overtakes", Promise::S3),
    ("reset-names-tail", "comes-back-with-a-tail", Promise::S3),
    ("majority-for-exclusion", "one-against-two", Promise::S1),
    ("writer-lease", "writer-cut-off", Promise::S1),
    ("lease-from-echoed-instant", "writer-not-heard", Promise::S1),
    ("vote-after-silence", "short-cut", Promise::S1),
    ("no-echo-after-vote", "heard-after-the-vote", Promise::S1),
    ("self-end-after-pause", "stopped-and-forgotten", Promise::S1),
    ("stamp-clamp", "wall-clock-ahead", Promise::P1),
    ("proof-before-entry", "act-comes-with-the-proof", Promise::S1),
    ("clock-not-self-ticked", "reader-runs-first", Promise::S1),
    ("boottime", "machine-suspended", Promise::S1),
    ("foreign-writer-unproven", "foreign-writer", Promise::S1),
    ("l2-void-before-number", "store-is-told-late", Promise::P1),
    ("token-of-ended-stream", "token-of-the-dead", Promise::P9),
    ("register-instant-caps", "newcomer-while-cut-off", Promise::S1),
    ("two-rounds-back", "round-comes-late", Promise::S1),
    ("await-vector", "lossy-common-link", Promise::S1),
    ("no-assumed-answer", "answer-missing", Promise::S1),
    ("first-instant-of-repeat", "answers-repeated", Promise::S1),
];

fn play(name: &str, without: Option<&str>) -> Result<(), Violation> {
    let found = scenarios().iter().find(|scenario| scenario.name == name);
    (found.unwrap_or_else(|| panic!("no scenario {name}")).run)(without)
}

#[test]
fn with_nothing_switched_off_every_scenario_passes() {
    for scenario in scenarios() {
        let verdict = (scenario.run)(None);
        assert!(verdict.is_ok(), "{}: {verdict:?}", scenario.name);
    }
}

#[test]
fn without_a_mechanism_its_scenario_breaks_its_promise() {
    for (mechanism, scenario, promise) in TABLE {
        let verdict = play(scenario, Some(mechanism));
        assert_eq!(
            verdict.map_err(|violation| violation.promise),
            Err(*promise),
            "{scenario} without {mechanism}"
        );
    }
}

#[test]
fn every_mechanism_is_in_the_table() {
    let shown: Vec<_> = TABLE.iter().map(|(mechanism, ..)| *mechanism).collect();
    let all: Vec<_> = Mechanism::ALL.iter().map(|mechanism| mechanism.name()).collect();
    for mechanism in &all {
        assert!(shown.contains(mechanism), "nothing shows {mechanism}");
    }
    assert_eq!(shown.len(), all.len());
}
