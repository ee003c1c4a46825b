//! Newcomers.

use super::counting::settle;
use crate::protocol::world::{MS, Members, SECOND, World};
use crate::violation::Violation;

/// Three nodes of which the third has left.
fn third_left(seed: u64, without: Option<&str>) -> World {
    let mut world = World::new(3, Members::Fixed, seed).without(without).join();
    world.leave(2);
    world.run_for(500 * MS);
    world.kill(2);
    world
}

/// The only member that a newcomer reached dies before it told anybody, and comes back (P-25).
pub(crate) fn admitter_dies(without: Option<&str>) -> Result<(), Violation> {
    let mut world = World::new(3, Members::Fixed, 241).on_one_host().without(without);
    world.config_mut(1).scopes = vec![crate::protocol::node::name("orders")];
    let mut world = world.join();
    world.leave(2);
    world.run_for(500 * MS);
    world.kill(2);
    world.cut(0, 2);
    world.stall(1, 0);
    world.start(2);
    world.run_for(200 * MS);
    world.kill(1);
    world.cut(1, 2);
    world.start(1);
    for key in 0..200 {
        world.run_for(10 * MS);
        world.write(2, key);
    }
    world.mend_all();
    world.run_for(6 * SECOND);
    settle(world)
}

/// A newcomer would store what it loads while it has no base for the acts of others yet (P-25).
pub(crate) fn loads_before_it_joined(without: Option<&str>) -> Result<(), Violation> {
    let mut world = World::new(3, Members::Fixed, 242).without(without);
    world.start(0);
    world.start(1);
    world.run_for(10 * SECOND);
    world.start(2);
    world.run_for(MS / 2);
    world.write(0, 1);
    world.run_for(SECOND);
    settle(world)
}

/// A newcomer is admitted, and all it says is held up on the way to one member (P-26).
pub(crate) fn first_word_held_up(without: Option<&str>) -> Result<(), Violation> {
    let mut world = third_left(243, without);
    world.start(2);
    // Its hello has come and was answered; nothing else has come.
    world.run_for(13 * MS / 10);
    world.stall(2, 0);
    world.run_for(300 * MS);
    for key in 0..100 {
        world.write(2, key);
        world.run_for(10 * MS);
    }
    world.release(2, 0);
    world.run_for(SECOND);
    settle(world)
}

/// Two newcomers come at once, each through another member (P-25, P-27).
pub(crate) fn two_at_once(without: Option<&str>) -> Result<(), Violation> {
    let mut world = World::new(4, Members::Fixed, 244).without(without).join();
    for index in [2, 3] {
        world.leave(index);
        world.run_for(500 * MS);
        world.kill(index);
    }
    world.cut(0, 3);
    world.cut(1, 2);
    world.cut(2, 3);
    world.start(2);
    world.start(3);
    for key in 0..300 {
        world.write(key as usize % 4, key);
        world.run_for(5 * MS);
    }
    world.mend_all();
    world.run_for(2 * SECOND);
    settle(world)
}

/// A newcomer that is cut off stores without having joined, and whoever wrote meanwhile dies before it was met (P-25).
pub(crate) fn stores_unjoined(without: Option<&str>) -> Result<(), Violation> {
    let mut world = World::new(2, Members::Fixed, 245).on_one_host().without(without).join();
    world.leave(0);
    world.run_for(500 * MS);
    world.kill(0);
    world.isolate(0);
    world.start(0);
    world.run_for(SECOND);
    for key in 0..10 {
        world.write(1, key);
        world.run_for(20 * MS);
    }
    world.kill(1);
    world.mend_all();
    world.start(1);
    world.run_for(SECOND);
    settle(world)
}
