//! Nodes that talk through a broker: a register, a common link, rounds (P-28, P-28a, P-28b).

use unstale_sim::protocol::hub::HubSchedule;
use unstale_sim::protocol::world::{MS, Members, SECOND, World};

#[test]
fn registered_nodes_join_prove_and_pass_on_acts() {
    for seed in 1..5 {
        let mut world = World::joined(3, Members::Registered, seed);
        world.assert_kept();
        for key in 0..200 {
            world.write(key as usize % 3, key);
            world.run_for(7 * MS);
            assert!(world.oldest_proof_ms().is_some_and(|age| age < 450), "{}", world.describe());
        }
        world.run_for(SECOND);
        world.assert_coherent();
        world.assert_joined();
        assert!(world.truth.records.iter().all(|act| act.announced));
    }
}

#[test]
fn random_faults_around_a_broker_break_no_promise() {
    for seed in 1..=12 {
        let schedule = HubSchedule::new(seed);
        let verdict = schedule.run(None);
        assert!(verdict.is_ok(), "{schedule:?}\n{}", verdict.unwrap_err());
    }
}
