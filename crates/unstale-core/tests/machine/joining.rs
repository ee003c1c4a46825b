//! Who has joined, and who works without.

use crate::world::{Members, SECOND, World};

#[test]
fn two_of_three_start_while_the_third_never_comes_up() {
    // P-25a: the slot is declared vacant after L
    let mut world = World::new(3, Members::Fixed, 51);
    world.start(0);
    world.start(1);
    world.run_for(SECOND);
    assert!(!world.peek(0).announces(world.now), "the third may be there, unheard");
    world.run_for(5 * SECOND);
    for index in [0, 1] {
        assert!(world.peek(index).announces(world.now));
        assert!(world.peek(index).proof_age_ms(world.now).is_some_and(|age| age < 400));
    }
    world.start(2);
    world.run_for(2 * SECOND);
    world.assert_joined();
    world.assert_coherent();
}

#[test]
fn one_of_two_announces_and_proves_nothing_until_the_other_is_there() {
    // P-25, P-25b: an unreachable configured peer makes a node unjoined, never alone
    let mut world = World::new(2, Members::Fixed, 52);
    world.start(0);
    world.run_for(20 * SECOND);
    assert!(!world.peek(0).announces(world.now));
    assert!(world.peek(0).proof_age_ms(world.now).is_none());
    world.start(1);
    world.run_for(2 * SECOND);
    world.assert_joined();
    world.assert_coherent();
}

#[test]
fn nodes_of_an_elastic_cluster_join_whoever_they_meet() {
    // P-25, P-26
    let mut world = World::joined(3, Members::Elastic, 53);
    world.write(0, 1);
    world.run_for(SECOND);
    world.assert_joined();
    world.assert_coherent();
}
