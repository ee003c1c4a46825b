//! Who has joined, and who works without.

use unstale_sim::protocol::world::{MS, Members, SECOND, World};
use unstale_sim::violation::Promise;

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

#[test]
fn behind_proxies_of_their_own_two_of_three_start_while_the_third_never_comes_up() {
    // P-25a: voters who share no name for a slot name those who are there
    let mut world = World::new(3, Members::Fixed, 54).behind_proxies();
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
fn behind_proxies_three_of_five_start_and_two_of_five_do_not() {
    // P-25a
    let mut world = World::new(5, Members::Fixed, 55).behind_proxies();
    world.start(0);
    world.start(1);
    world.run_for(10 * SECOND);
    assert!((0..2).all(|index| !world.peek(index).announces(world.now)));
    world.start(2);
    world.run_for(5 * SECOND);
    for index in 0..3 {
        assert!(world.peek(index).announces(world.now));
        assert!(world.peek(index).proof_age_ms(world.now).is_some_and(|age| age < 400));
    }
    world.start(3);
    world.start(4);
    world.run_for(2 * SECOND);
    world.assert_joined();
    world.assert_coherent();
}

#[test]
fn behind_proxies_a_node_restarts_while_another_one_is_down() {
    // P-25a: what the others ended has no name that the newcomer could find a slot by
    let mut world = World::new(3, Members::Fixed, 56).behind_proxies();
    world.start_all();
    world.run_for(SECOND);
    world.assert_joined();
    world.kill(2);
    world.run_for(5 * SECOND);
    world.kill(1);
    world.start(1);
    world.run_for(8 * SECOND);
    for index in [0, 1] {
        assert!(world.peek(index).announces(world.now), "{index}");
        assert!(world.peek(index).proof_age_ms(world.now).is_some_and(|age| age < 400));
    }
    world.start(2);
    world.run_for(2 * SECOND);
    world.assert_joined();
    world.assert_coherent();
}

#[test]
fn a_member_that_only_some_have_heard_is_no_empty_slot() {
    // P-25a: c hears nobody but a, and is no newcomer to it
    let mut world = World::new(3, Members::Fixed, 57).behind_proxies();
    world.cut(1, 2);
    world.start_all();
    world.run_for(10 * SECOND);
    let vacant = |index| world.events(index, |event| matches!(event, unstale_core::Event::SlotVacant { .. }));
    assert!((0..3).all(|index| vacant(index) == 0));
    world.mend(1, 2);
    world.run_for(SECOND);
    world.assert_joined();
    world.assert_coherent();
}

#[test]
fn who_stored_before_it_ever_joined_distrusts_all_of_it_when_it_joins() {
    // P-25: b wrote while it was alone, and died before a met it; nobody else knows.
    let mut world = World::joined(2, Members::Fixed, 59).on_one_host();
    world.leave(0);
    world.run_for(500 * MS);
    world.kill(0);
    world.isolate(0);
    world.start(0);
    world.run_for(SECOND);
    world.write(1, 1);
    assert!(world.truth.records[0].announced);
    world.kill(1);
    world.mend_all();
    world.start(1);
    world.run_for(2 * SECOND);
    world.assert_joined();
    world.assert_coherent();
    assert_eq!(world.peek(0).distrusts.len(), 1);
    assert!(world.peek(1).distrusts.is_empty(), "it stored nothing before it joined");
}

#[test]
fn fixme_a_node_left_alone_by_goodbyes_is_not_told_that_a_new_majority_writes_without_it() {
    // P-25a, P-25b: b and c left, so a proves the present; behind a cut they start anew, and find its slot vacant.
    let mut world = World::joined(3, Members::Fixed, 58);
    for index in [1, 2] {
        world.leave(index);
        world.run_for(500 * MS);
        world.kill(index);
    }
    world.isolate(0);
    world.start(1);
    world.start(2);
    world.run_for(5 * SECOND);
    world.write(1, 1);
    assert_eq!(world.verdict().map_err(|violation| violation.promise), Err(Promise::S1));
}
