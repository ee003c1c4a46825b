//! Each rule is needed: without it a promise breaks, and the model says how.

use unstale_model::{Bounds, Counterexample, Promise, Protocol, Rule, Rules, explore};

use Promise::{S1, S2, S3, S4};

const ACT: Bounds = Bounds { acts: 1, ..Bounds::NONE };
const ACTS: Bounds = Bounds { acts: 2, ..Bounds::NONE };
const NEWCOMER: Bounds = Bounds { crashes: 1, restarts: 1, ..ACT };
const BUSY_NEWCOMER: Bounds = Bounds { crashes: 1, restarts: 1, ..ACTS };
const LOSS: Bounds = Bounds { losses: 1, ..ACT };
const VOTES: Bounds = Bounds { votes: 2, ..ACT };
const COMEBACK: Bounds = Bounds { resets: 1, ..VOTES };
const GOODBYE: Bounds = Bounds { byes: 1, ..ACT };

/// What breaks, and in how many steps.
type Breaks = &'static [(Promise, usize)];

/// Which promises break without a rule, within which bounds, and in how many steps. docs/model.md shows it.
const BREAKS: &[(Rule, Bounds, Breaks)] = &[
    (Rule::NumberAtCall, ACT, &[(S1, 1)]),
    (Rule::RangeHoldsAllKeys, ACTS, &[(S1, 3), (S2, 3)]),
    (Rule::ActVisibleBeforeHave, ACT, &[(S1, 2), (S2, 2)]),
    (Rule::IncarnationInKey, BUSY_NEWCOMER, &[(S2, 6)]),
    (Rule::DistrustBeforeCount, ACT, &[(S1, 2), (S2, 2)]),
    (Rule::DigestOnlyIfWhole, ACT, &[(S1, 2), (S2, 2)]),
    (Rule::RepairOfHoles, LOSS, &[(S4, 3)]),
    (Rule::CountBeforeEcho, ACT, &[(S1, 1)]),
    (Rule::SilentMembersCount, ACT, &[(S1, 1)]),
    (Rule::EchoKeyedByLife, NEWCOMER, &[(S1, 9)]),
    (Rule::VouchBeforeEcho, ACT, &[(S1, 1)]),
    (Rule::JoinWait, NEWCOMER, &[(S1, 3)]),
    (Rule::StoreAfterJoin, NEWCOMER, &[(S1, 9), (S2, 5)]),
    (Rule::BaseOnlyWhileJoining, NEWCOMER, &[(S1, 3), (S2, 3)]),
    (Rule::FirstHeardIsHole, ACTS, &[(S1, 3), (S2, 3)]),
    (Rule::DistrustOnUncleanEnd, VOTES, &[(S1, 4), (S3, 4)]),
    (Rule::GoodbyeAwaitsTail, GOODBYE, &[(S1, 3), (S3, 3)]),
    (Rule::ResetNamesTail, COMEBACK, &[(S3, 6)]),
    (Rule::MajorityForExclusion, VOTES, &[(S1, 3), (S3, 3)]),
    (Rule::WriterLease, VOTES, &[(S1, 4), (S3, 4)]),
    (Rule::LeaseFromEchoedInstant, VOTES, &[(S1, 4), (S3, 4)]),
    (Rule::VoteAfterSilence, VOTES, &[(S1, 4), (S3, 4)]),
    (Rule::NoEchoAfterVote, VOTES, &[(S1, 4), (S3, 4)]),
];

#[test]
fn each_rule_that_is_switched_off_breaks_the_promises_that_it_guards() {
    let mut wrong = Vec::new();
    for (rule, bounds, promises) in BREAKS {
        for (promise, steps) in *promises {
            let found = counterexample(*bounds, Rules::ALL.without(*rule), *promise);
            let found = found.map(|example| (example.promise, example.steps));
            if found != Some((*promise, *steps)) {
                wrong.push(format!(
                    "{}: {} in {steps} steps expected, {found:?} found",
                    rule.name(),
                    promise.name()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_breaks_within_those_bounds_while_all_rules_hold() {
    for bounds in [ACT, ACTS, NEWCOMER, VOTES, GOODBYE, Bounds { losses: 1, ..ACTS }] {
        let outcome = explore(Protocol::new(bounds, Rules::ALL), 1, |_| ());
        assert_eq!(outcome.counterexample, None, "{bounds:?}");
    }
}

/// The hash of the view is a second line of defence: with a fixed list, a newcomer has joined only when every slot has admitted it.
#[test]
fn the_view_hash_is_needed_only_where_a_node_works_before_it_has_joined() {
    let without_hash = Rules::ALL.without(Rule::ViewHashInBeat);
    assert_eq!(counterexample(NEWCOMER, without_hash, S1), None);
    let with_a_friend = Bounds { restarts: 1, ..NEWCOMER };
    let alone = counterexample(with_a_friend, Rules::ALL.without(Rule::JoinWait), S1).expect("one");
    let both = counterexample(with_a_friend, without_hash.without(Rule::JoinWait), S1).expect("one");
    assert!(both.steps <= alone.steps, "{both:?} {alone:?}");
}

#[test]
fn a_counterexample_reads_as_a_history_with_clauses_and_names() {
    let example = counterexample(ACT, Rules::ALL.without(Rule::DigestOnlyIfWhole), S2).expect("one");
    let text = example.lines.join("\n");
    let expected = "  1  P3Act       A acts: A:1, announced\n  2  P18Digest   C answers B with a digest of A\n     \
                    S2 broken: B still serves what A:1 made stale\n     (S2: an act that is counted is reflected)";
    assert_eq!(text, expected);
}

fn counterexample(bounds: Bounds, rules: Rules, promise: Promise) -> Option<Counterexample> {
    explore(Protocol::new(bounds, rules).only(&[promise]), 1, |_| ()).counterexample
}
