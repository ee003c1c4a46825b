//! Votes, and the leases that hold against them.

use super::counting::settle;
use crate::protocol::world::{MS, Members, SECOND, World};
use crate::violation::Violation;

fn joined(seed: u64, without: Option<&str>) -> World {
    World::new(3, Members::Fixed, seed).without(without).join()
}

/// One node is cut off from two that go on (P-30).
pub(crate) fn one_against_two(without: Option<&str>) -> Result<(), Violation> {
    let mut world = joined(281, without);
    world.isolate(0);
    for key in 0..200 {
        world.write(1 + key as usize % 2, key);
        world.run_for(50 * MS);
    }
    world.mend_all();
    world.run_for(2 * SECOND);
    settle(world)
}

/// A writer is cut off for longer than its lease lasts (P-31).
pub(crate) fn writer_cut_off(without: Option<&str>) -> Result<(), Violation> {
    let mut world = joined(282, without);
    world.isolate(2);
    for key in 0..80 {
        world.write(2, key);
        world.run_for(100 * MS);
    }
    world.mend_all();
    world.run_for(2 * SECOND);
    settle(world)
}

/// A writer hears the others, who do not hear it: their beats echo the same instant again and again (P-31).
pub(crate) fn writer_not_heard(without: Option<&str>) -> Result<(), Violation> {
    let mut world = joined(283, without);
    world.stall(2, 0);
    world.stall(2, 1);
    world.run_for(2_900 * MS);
    // Nor does it hear that they end it.
    world.stall(0, 2);
    world.stall(1, 2);
    for key in 0..50 {
        world.write(2, key);
        world.run_for(100 * MS);
    }
    world.mend_all();
    world.run_for(3 * SECOND);
    settle(world)
}

/// A writer is cut off for half of L (P-30).
pub(crate) fn short_cut(without: Option<&str>) -> Result<(), Violation> {
    let mut world = joined(284, without);
    world.isolate(2);
    for key in 0..30 {
        world.write(2, key);
        world.run_for(50 * MS);
    }
    world.mend_all();
    world.run_for(2 * SECOND);
    settle(world)
}

/// A node that voted hears its candidate again, and another one, which still has its vote, votes later (P-30).
pub(crate) fn heard_after_the_vote(without: Option<&str>) -> Result<(), Violation> {
    let mut world = joined(285, without);
    // a hears nobody, b and c hear it: it votes on both.
    world.stall(1, 0);
    world.stall(2, 0);
    world.run_for(3_300 * MS);
    // It hears c again. b hears nobody any more, but c hears b.
    world.release(2, 0);
    world.run_for(100 * MS);
    world.stall(0, 1);
    world.stall(2, 1);
    world.run_for(2_900 * MS);
    world.stall(1, 2);
    world.run_for(200 * MS);
    // b has voted on c, too. It hears a again, and a keeps the news from c.
    world.stall(0, 2);
    world.release(0, 1);
    world.release(1, 0);
    for key in 0..100 {
        world.run_for(20 * MS);
        world.write(2, key);
    }
    world.mend_all();
    world.run_for(8 * SECOND);
    settle(world)
}
