//! Who ends a silent member, and when.

use unstale_core::{DistrustCause, EndCause, Event, Input, Output, SelfEnd, Suspects};

use unstale_sim::protocol::node::name;
use unstale_sim::protocol::world::{MS, Members, SECOND, World};

fn ended_by(world: &World, index: usize, cause: EndCause) -> usize {
    world.events(index, |event| matches!(event, Event::MemberEnded { cause: by, .. } if *by == cause))
}

#[test]
fn a_majority_ends_a_dead_member_after_l_and_distrusts_what_it_wrote_before_proofs_go_on() {
    // P-30 (b), P-32
    let mut world = World::joined(3, Members::Fixed, 41);
    let dead = world.stream(2);
    world.kill(2);
    world.run_for(2 * SECOND);
    assert_eq!(ended_by(&world, 0, EndCause::Majority), 0, "nobody votes before L");
    assert!(
        world.peek(0).proof_age_ms(world.now).is_none_or(|age| age > 1_500),
        "its silence stops the proof"
    );
    world.run_for(2 * SECOND + 500 * MS);
    for index in [0, 1] {
        assert_eq!(ended_by(&world, index, EndCause::Majority), 1);
        let [Output::Distrust { cause, .. }] = world.peek(index).distrusts.as_slice() else { panic!() };
        assert_eq!(*cause, DistrustCause::Silent(dead));
        assert!(world.peek(index).proof_age_ms(world.now).is_some_and(|age| age < 400));
    }
    world.assert_coherent();
}

#[test]
fn who_voted_in_vain_does_not_wait_again_for_a_member_that_its_process_has_not_heard_for_l() {
    // P-30 (b), P-34
    let mut world = World::joined(3, Members::Fixed, 47);
    world.kill(2);
    world.cut(0, 1);
    world.run_for(3 * SECOND + 500 * MS);
    world.mend(0, 1);
    world.run_for(1_500 * MS);
    let in_vain = |index| {
        let is_in_vain = |event: &Event| matches!(event, Event::SelfEnded { why: SelfEnd::VotedInVain, .. });
        world.events(index, is_in_vain)
    };
    assert!(in_vain(0) + in_vain(1) > 0, "each had voted on the other");
    for index in [0, 1] {
        assert_eq!(ended_by(&world, index, EndCause::Majority), 1, "the dead one, and nobody else");
        assert!(world.peek(index).proof_age_ms(world.now).is_some_and(|age| age < 400));
    }
    world.assert_coherent();
}

#[test]
fn two_nodes_have_no_majority_so_the_operator_ends_the_dead_one() {
    // P-30 (d)
    let mut world = World::joined(2, Members::Fixed, 42);
    world.kill(1);
    world.run_for(20 * SECOND);
    assert!(world.peek(0).distrusts.is_empty());
    assert!(world.peek(0).proof_age_ms(world.now).is_none_or(|age| age > 15_000));
    world.input(0, Input::EndByOperator { name: name("b") });
    world.run_for(SECOND);
    assert_eq!(ended_by(&world, 0, EndCause::Operator), 1);
    assert!(!world.peek(0).distrusts.is_empty());
    world.assert_coherent();
}

#[test]
fn a_successor_on_the_same_address_proves_the_death_of_its_predecessor_without_waiting_for_l() {
    // P-30 (c)
    let mut world = World::new(3, Members::Fixed, 43).on_one_host();
    world.start_all();
    world.run_for(SECOND);
    world.kill(1);
    world.run_for(300 * MS);
    world.start(1);
    world.run_for(SECOND);
    assert_eq!(ended_by(&world, 0, EndCause::SuccessorHolds), 1);
    world.assert_joined();
    world.assert_coherent();
}

#[test]
fn a_member_that_says_goodbye_is_ended_at_once_and_nothing_is_distrusted() {
    // P-29
    let mut world = World::joined(3, Members::Fixed, 44);
    world.write(2, 1);
    world.input(2, Input::Leave);
    world.run_for(500 * MS);
    for index in [0, 1] {
        assert_eq!(ended_by(&world, index, EndCause::Bye), 1);
        assert!(world.peek(index).distrusts.is_empty());
        assert!(world.peek(index).proof_age_ms(world.now).is_some_and(|age| age < 400));
    }
    world.assert_coherent();
}

#[test]
fn an_unclean_end_distrusts_only_what_the_stream_declared() {
    // P-32, P-35
    let mut world = World::new(3, Members::Fixed, 45);
    world.config_mut(2).scopes = vec![name("orders")];
    world.start_all();
    world.run_for(SECOND);
    world.assert_joined();
    world.kill(2);
    world.run_for(40 * SECOND);
    for index in [0, 1] {
        let distrusted = &world.peek(index).distrusts;
        assert_eq!(distrusted.len(), 2, "at its end, and when its longest transaction was over");
        for output in distrusted {
            let Output::Distrust { what, .. } = output else { panic!() };
            assert_eq!(*what, Suspects::Caches(vec![name("orders")]));
        }
    }
}

#[test]
fn a_view_that_comes_back_is_compared_again_so_the_end_of_who_was_in_between_is_learnt() {
    // P-21, P-29: while a and c are cut from each other c leaves, and the view of b is what it was before c had joined.
    let mut world = World::joined(3, Members::Fixed, 45);
    world.cut(0, 2);
    world.write(2, 1);
    world.leave(2);
    world.run_for(500 * MS);
    assert_eq!(ended_by(&world, 0, EndCause::Bye), 1);
    assert!(world.peek(0).proof_age_ms(world.now).is_some_and(|age| age < 400));
    assert!(world.peek(0).distrusts.is_empty(), "b holds what c wrote");
    world.assert_coherent();
}
