//! Ends: clean ones, and those of the dead.

use unstale_core::{Input, Message};

use super::counting::settle;
use crate::protocol::node::name;
use crate::protocol::world::{MS, Members, SECOND, World};
use crate::violation::{Promise, Violation};

/// A process is killed inside a call that had not drawn its number yet: nobody hears of it, and nothing was promised.
pub(crate) fn killed_before_the_number(without: Option<&str>) -> Result<(), Violation> {
    killed_inside_an_act(without, 0)
}

/// A process is killed when its acts were announced, and nothing of them was sent (P-32).
pub(crate) fn killed_after_the_number(without: Option<&str>) -> Result<(), Violation> {
    killed_inside_an_act(without, 3)
}

fn killed_inside_an_act(without: Option<&str>, acts: u64) -> Result<(), Violation> {
    let mut world = World::new(3, Members::Fixed, 261).without(without).join();
    world.write(2, 100);
    world.run_for(50 * MS);
    for key in 0..acts {
        world.append(2, key);
    }
    world.kill(2);
    for key in 200..260 {
        world.write(0, key);
        world.run_for(100 * MS);
    }
    world.start(2);
    world.run_for(2 * SECOND);
    settle(world)
}

/// A goodbye overtakes the last frame, which is lost (P-29).
pub(crate) fn goodbye_overtakes(without: Option<&str>) -> Result<(), Violation> {
    let mut world = World::new(3, Members::Fixed, 262).unordered().without(without).join();
    let mut is_lost = false;
    world.filter = Some(Box::new(move |from, to, message| {
        let first = (from, to) == (2, 0) && matches!(message, Message::Frame(_)) && !is_lost;
        is_lost |= first;
        first
    }));
    world.write(2, 1);
    world.leave(2);
    world.run_for(SECOND);
    world.kill(2);
    settle(world)
}

/// A node writes while it is cut off, announced as long as its lease lasts, is ended, and comes back (P-34).
pub(crate) fn comes_back_with_a_tail(without: Option<&str>) -> Result<(), Violation> {
    let mut world = World::new(3, Members::Fixed, 263).without(without).join();
    world.isolate(2);
    for key in 0..80 {
        world.write(2, key);
        world.run_for(100 * MS);
    }
    world.mend_all();
    world.run_for(2 * SECOND);
    settle(world)
}

/// While a node is cut off, one that it knows writes, leaves and is gone (P-21).
pub(crate) fn left_unseen(without: Option<&str>) -> Result<(), Violation> {
    let mut world = World::new(3, Members::Fixed, 264).without(without).join();
    world.isolate(0);
    world.run_for(500 * MS);
    for key in 0..10 {
        world.write(2, key);
        world.run_for(20 * MS);
    }
    world.leave(2);
    world.run_for(500 * MS);
    world.kill(2);
    world.mend_all();
    world.run_for(2 * SECOND);
    settle(world)
}

/// While a node is cut off, one that it never met comes, writes and leaves (P-21).
pub(crate) fn lived_unseen(without: Option<&str>) -> Result<(), Violation> {
    let mut world = World::new(3, Members::Fixed, 265).without(without).join();
    world.leave(2);
    world.run_for(500 * MS);
    world.kill(2);
    world.isolate(0);
    world.start(2);
    world.run_for(5 * SECOND);
    for key in 0..10 {
        world.write(2, key);
        world.run_for(20 * MS);
    }
    world.leave(2);
    world.run_for(500 * MS);
    world.kill(2);
    world.mend_all();
    world.run_for(2 * SECOND);
    settle(world)
}

/// Two nodes, one of which is killed: nothing is proven until the operator says that it is dead (P-30).
pub(crate) fn two_nodes_one_killed(without: Option<&str>) -> Result<(), Violation> {
    let mut world = World::new(2, Members::Fixed, 266).without(without).join();
    world.append(1, 1);
    world.kill(1);
    world.run_for(20 * SECOND);
    let unproven = world.oldest_proof_ms().is_none_or(|age| age >= 19_000);
    world.demand(Promise::S1, unproven, "proven although the other may have written");
    world.input(0, Input::EndByOperator { name: name("b") });
    world.run_for(SECOND);
    world.demand_coherent();
    let proven = world.oldest_proof_ms().is_some_and(|age| age < 400);
    world.demand(Promise::P9, proven, "not proven although the other is known to be dead");
    world.start(1);
    world.run_for(SECOND);
    settle(world)
}
