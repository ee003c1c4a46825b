//! Processes that are stopped, and clocks that are wrong.

use unstale_core::{Input, Proof};

use super::counting::settle;
use crate::protocol::world::{MS, Members, SECOND, World};
use crate::violation::{Promise, Violation};

/// A process is stopped for ten minutes, with requests that wait in its socket; others write meanwhile (P-39, P-41).
pub(crate) fn stopped_with_requests(without: Option<&str>) -> Result<(), Violation> {
    let mut world = World::new(3, Members::Fixed, 301).without(without).join();
    world.pause(2, 600 * SECOND);
    for id in 0..5 {
        world.run_for(100 * SECOND);
        world.write(0, id);
        world.input(2, Input::Exchange { id });
    }
    world.run_for(110 * SECOND);
    let asked_since = world.peek(2).local(world.now - 10 * SECOND);
    let is_honest = |proof: &Proof| *proof == Proof::None || *proof == Proof::Instant(asked_since);
    let honest = world.peek(2).exchanged.iter().all(|(_, proof)| match proof {
        Proof::Instant(instant) => *instant <= asked_since,
        Proof::None | Proof::Present => is_honest(proof),
    });
    world.demand(Promise::S1, honest, "an exchange proves what was not heard yet");
    settle(world)
}

/// A process is stopped for so long that the others forget its end, and the life of one that it never met (P-41).
pub(crate) fn stopped_and_forgotten(without: Option<&str>) -> Result<(), Violation> {
    let mut world = World::new(3, Members::Fixed, 302).without(without).join();
    world.leave(1);
    world.run_for(500 * MS);
    world.kill(1);
    world.pause(2, 720 * SECOND);
    world.cut(1, 2);
    world.start(1);
    world.run_for(10 * SECOND);
    for key in 0..10 {
        world.write(1, key);
        world.run_for(20 * MS);
    }
    world.leave(1);
    world.run_for(500 * MS);
    world.kill(1);
    world.run_for(720 * SECOND);
    world.mend_all();
    settle(world)
}

/// The wall clock of one node is an hour ahead (P-37).
pub(crate) fn wall_clock_ahead(without: Option<&str>) -> Result<(), Violation> {
    walls(without, 3_600_000)
}

/// The wall clock went back by an hour when a node restarted.
pub(crate) fn wall_clock_back(without: Option<&str>) -> Result<(), Violation> {
    walls(without, -3_600_000)
}

fn walls(without: Option<&str>, skew_ms: i64) -> Result<(), Violation> {
    let mut world = World::new(3, Members::Fixed, 303).without(without).join();
    world.write(2, 1);
    world.kill(2);
    world.run_for(5 * SECOND);
    world.start_with_wall(2, skew_ms);
    world.run_for(SECOND);
    for key in 0..30 {
        world.write(key as usize % 3, key);
        world.run_for(20 * MS);
    }
    settle(world)
}
