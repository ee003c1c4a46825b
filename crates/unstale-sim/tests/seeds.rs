//! The promises hold under every fault, in every kind of world.

use unstale_sim::mutation::Mutation;
use unstale_sim::run::{Plan, Seeds, Summary};
use unstale_sim::schedule::WorldKind;

fn run(world: WorldKind, seeds: u64) -> Summary {
    let plan = Plan { seeds: Seeds::New(seeds), world, mutation: Mutation::Nothing, budget: None, jobs: 2 };
    let summary = plan.run(&|_, _, _| {});
    let failure = summary.failures.first().map(|failure| format!("{:?}: {}", failure.by, failure.violation));
    assert_eq!(failure, None, "in the {} world", world.name());
    summary
}

#[test]
fn no_promise_is_broken_by_the_faults_of_a_small_world() {
    let summary = run(WorldKind::Small, 40);
    assert!(summary.reads_checked > 1_000_000, "{}", summary.reads_checked);
    for fault in ["crash", "restart", "pause", "partition", "one-way", "loss", "reorder", "slow-loader"] {
        assert!(summary.faults[fault] > 0, "{fault} was never injected");
    }
}

#[test]
fn no_promise_is_broken_while_nodes_come_and_go() {
    let summary = run(WorldKind::Mesh, 8);
    assert!(summary.faults["join"] > 0, "nobody joined");
}

#[test]
fn no_promise_is_broken_around_a_broker() {
    // A seed draws a few kinds of faults only.
    let summary = run(WorldKind::Hub, 40);
    for fault in ["register-lost", "broker-restart", "subscriber-dropped"] {
        assert!(summary.faults[fault] > 0, "{fault} was never injected");
    }
}

#[test]
fn no_promise_is_broken_in_a_larger_cluster() {
    run(WorldKind::Cluster, 2);
}
