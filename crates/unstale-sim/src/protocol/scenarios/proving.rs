//! Beats, echoes and what they prove.

use unstale_core::{Input, Range, Seq};

use super::counting::settle;
use crate::protocol::node::name;
use crate::protocol::world::{MS, Members, SECOND, World};
use crate::violation::{Promise, Violation};

/// A member is cut off for a while, and goes on announcing while its lease lasts (P-12).
pub(crate) fn silent_writer(without: Option<&str>) -> Result<(), Violation> {
    let mut world = World::new(3, Members::Fixed, 221).without(without).join();
    world.isolate(2);
    for key in 0..200 {
        world.write(2, key);
        world.run_for(10 * MS);
    }
    world.mend_all();
    world.run_for(SECOND);
    settle(world)
}

/// An act is announced, and before its driver is told a beat is asked for, which echoes a later instant (P-9).
pub(crate) fn beat_before_the_driver_knows(without: Option<&str>) -> Result<(), Violation> {
    let mut world = World::new(2, Members::Fixed, 222).without(without).join();
    for id in 0..20 {
        world.append(1, id);
        world.run_for(MS / 10);
        world.input(0, Input::Exchange { id });
        world.run_for(MS);
        world.hand_over(1);
        world.run_for(33 * MS);
    }
    settle(world)
}

/// A node restarts, its new clock being behind its old one, and its member has not taken note yet (P-11).
pub(crate) fn clock_of_another_life(without: Option<&str>) -> Result<(), Violation> {
    let before = 1_000 * SECOND;
    let mut world = World::new(2, Members::Fixed, 223).delayed(90 * MS).without(without);
    world.start_with_clock(0, before);
    world.start(1);
    world.run_for(2 * SECOND);
    world.demand_joined();
    world.kill(0);
    world.run_for(400 * MS);
    // Two seconds after its start its clock shows what its predecessor's showed at the end.
    world.start_with_clock(0, before - 2 * SECOND - 400 * MS);
    world.run_for(200 * MS);
    world.input(1, Input::EndByOperator { name: name("a") });
    for key in 0..800 {
        world.write(1, key);
        world.run_for(5 * MS);
    }
    world.run_for(2 * SECOND);
    settle(world)
}

/// Commits come as fast as a link takes them, and a backlog stays: no beat's number is counted before the next beat comes (P-10).
pub(crate) fn steady_backlog(without: Option<&str>) -> Result<(), Violation> {
    let mut world = World::new(2, Members::Fixed, 224).without(without).join();
    world.wire(0, 1).cost = 2 * MS;
    let commit = |world: &mut World, key: u64| {
        world.commit(0, Range { first: Seq(2 * key), last: Seq(2 * key + 1) });
    };
    for key in 0..150 {
        commit(&mut world, key);
    }
    for key in 150..2_000 {
        commit(&mut world, key);
        world.run_for(21 * MS / 10);
        let age = world.peek(1).proof_age_ms(world.now).unwrap_or_default();
        world.demand(Promise::S1, age <= 1_200, "under steady writes no proof comes any more");
    }
    world.run_for(2 * SECOND);
    world.wire(0, 1).cost = 0;
    settle(world)
}

/// A newcomer reaches one member only; the other hears of it through that one's view (P-16a, P-25, P-27).
pub(crate) fn newcomer_reaches_one(without: Option<&str>) -> Result<(), Violation> {
    let mut world = World::new(3, Members::Fixed, 225).without(without).join();
    world.leave(2);
    world.run_for(500 * MS);
    world.kill(2);
    world.cut(0, 2);
    world.start(2);
    world.run_for(SECOND);
    for key in 0..100 {
        world.write(2, key);
        world.run_for(10 * MS);
    }
    world.mend_all();
    world.run_for(SECOND);
    settle(world)
}

/// Two nodes are cut from each other, with one between them (P-16a): both proofs go on, and nobody is ended.
pub(crate) fn one_between(without: Option<&str>) -> Result<(), Violation> {
    let mut world = World::new(3, Members::Fixed, 226).without(without).join();
    world.cut(0, 2);
    goes_on(world)
}

/// A link carries in one direction only.
pub(crate) fn one_way_cut(without: Option<&str>) -> Result<(), Violation> {
    let mut world = World::new(3, Members::Fixed, 227).without(without).join();
    world.stall(0, 2);
    goes_on(world)
}

fn goes_on(mut world: World) -> Result<(), Violation> {
    world.run_for(SECOND);
    for step in 0..500 {
        world.write(step % 3, step as u64);
        world.run_for(10 * MS);
        let flows = world.oldest_proof_ms().is_some_and(|age| age <= 1_500);
        world.demand(Promise::S1, flows, "a proof stops although one node hears both");
    }
    let nobody = world.alive().all(|node| node.ended.is_empty());
    world.demand(Promise::P3, nobody, "somebody is ended although one node hears it");
    world.mend_all();
    world.run_for(SECOND);
    settle(world)
}
