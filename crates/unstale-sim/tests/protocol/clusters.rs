//! Whole clusters under the faults of the demo.

use unstale_sim::protocol::world::{MS, Members, SECOND, World};

#[test]
fn three_nodes_join_prove_and_pass_on_acts() {
    let mut world = World::joined(3, Members::Fixed, 1);
    for key in 0..100 {
        world.write(key as usize % 3, key);
        world.run_for(3 * MS);
    }
    world.run_for(100 * MS);
    world.assert_coherent();
    world.assert_joined();
    assert!(world.truth.records.iter().all(|act| act.announced));
}

#[test]
fn a_cut_of_two_seconds_loses_nothing_and_distrusts_nothing() {
    let mut world = World::joined(3, Members::Fixed, 2);
    world.isolate(1);
    for key in 0..200 {
        world.write(key as usize % 3, key);
        world.run_for(10 * MS);
    }
    world.mend_all();
    world.run_for(SECOND + 50 * MS);
    world.assert_joined();
    world.assert_coherent();
    assert!(world.alive().all(|node| node.distrusts.is_empty()));
}

#[test]
fn a_cut_of_ten_seconds_ends_a_node_which_comes_back_and_is_repaired() {
    let mut world = World::joined(3, Members::Fixed, 3);
    world.isolate(1);
    for key in 0..1000 {
        world.write(key as usize % 3, key);
        world.run_for(10 * MS);
    }
    world.mend_all();
    world.run_for(2 * SECOND);
    world.assert_joined();
    world.assert_coherent();
    assert_eq!(world.stream(1).incarnation.0, 2);
    for index in [0, 2] {
        assert_eq!(world.peek(index).distrusts.len(), 1, "{:?}", world.peek(index).distrusts);
        assert_eq!(world.peek(index).lifts.len(), 1);
    }
    assert!(world.peek(1).distrusts.is_empty());
}
