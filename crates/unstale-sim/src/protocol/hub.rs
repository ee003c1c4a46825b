//! Random schedules of nodes that talk through a broker, which loses its register, drops subscribers, restarts and delays.

use super::broker::Kept;
use super::random::write_until;
use super::world::{MS, Members, SECOND, World};
use crate::violation::{Promise, Violation};

/// A world of random faults around a broker.
#[derive(Clone, Copy, Debug)]
pub struct HubSchedule {
    /// Where all dice begin.
    pub seed: u64,
    /// How many nodes.
    pub nodes: usize,
    /// How many faults.
    pub faults: u64,
    /// Messages lost of 1,000.
    pub lost: u64,
    /// The most that the broker delays a message, in milliseconds.
    pub jitter_ms: u64,
    /// Whether it has a common link.
    pub has_common: bool,
}

impl HubSchedule {
    /// A schedule of 2 to 5 nodes.
    pub const fn new(seed: u64) -> Self {
        let lost = if seed.is_multiple_of(3) { 10 + seed % 60 } else { 0 };
        let (nodes, jitter_ms) = (2 + (seed % 4) as usize, seed % 12);
        Self { seed, nodes, faults: 1 + seed % 5, lost, jitter_ms, has_common: !seed.is_multiple_of(7) }
    }

    /// Plays it, with a mechanism switched off or with all of them.
    pub fn run(&self, without: Option<&str>) -> Result<(), Violation> {
        let mut world = World::new(self.nodes, Members::Registered, self.seed).without(without);
        for wire in world.wires.values_mut() {
            wire.jitter = self.jitter_ms * MS;
            wire.lost_of_1000 = self.lost;
        }
        let broker = world.broker();
        broker.jitter = self.jitter_ms * MS;
        broker.lost_of_1000 = self.lost;
        broker.has_no_common = !self.has_common;
        world.start_all();
        let settled = world.random.below(3) > 0;
        world.run_for(if settled { 4 * SECOND } else { 600 * MS });
        for _ in 0..self.faults {
            let fault = inject(&mut world);
            let until = world.now + world.random.below(7) * SECOND + 200 * MS;
            write_until(&mut world, until);
            if world.random.below(3) > 0 {
                heal(&mut world, &fault);
            }
        }
        self.end(world)
    }

    fn end(&self, mut world: World) -> Result<(), Violation> {
        for index in 0..self.nodes {
            if world.nodes[index].is_none() {
                world.start(index);
            }
            world.reach_broker(index);
        }
        world.mend_all();
        let healed = world.now;
        write_until(&mut world, healed + 9 * SECOND);
        // Pauses may have lasted into this time.
        if world.alive().any(|node| node.paused) {
            world.run_for(15 * SECOND);
        }
        world.run_for(SECOND);
        let joined = world.are_joined_within(if self.lost > 0 { 1_200 } else { 500 });
        world.demand(Promise::P9, joined, "not joined after all faults");
        world.demand_coherent();
        let leased = world.alive().all(|node| node.announces(world.now));
        world.demand(Promise::P9, leased, "no lease after all faults");
        world.verdict()
    }
}

enum Fault {
    Dead(usize),
    Passing,
    CutOff(usize),
    Dropped(usize),
    Cut(usize, usize),
}

fn inject(world: &mut World) -> Fault {
    let nodes = world.nodes.len() as u64;
    let a = world.random.below(nodes) as usize;
    let b = (a + 1 + world.random.below(nodes - 1) as usize) % world.nodes.len();
    match world.random.below(10) {
        0 if world.nodes[a].as_ref().is_some_and(|node| !node.paused) => {
            world.leave(a);
            world.run_for(300 * MS);
            world.kill(a);
            Fault::Dead(a)
        }
        0 | 1 => {
            world.kill(a);
            Fault::Dead(a)
        }
        2 | 3 => {
            let length = 300 * MS + world.random.below(8_000) * MS;
            if world.nodes[a].as_ref().is_some_and(|node| !node.paused) {
                world.pause(a, length);
            }
            Fault::Passing
        }
        4 | 5 => {
            world.cut_from_broker(a);
            Fault::CutOff(a)
        }
        6 => {
            world.drop_common(a);
            Fault::Dropped(a)
        }
        7 => {
            world.lose_register();
            Fault::Passing
        }
        8 => {
            let (kept, length) = (world.random.below(2), world.random.below(5_000) * MS);
            world.restart_broker(length, if kept == 0 { Kept::Nothing } else { Kept::Register });
            Fault::Passing
        }
        _ => {
            world.cut(a, b);
            Fault::Cut(a, b)
        }
    }
}

fn heal(world: &mut World, fault: &Fault) {
    match *fault {
        Fault::Dead(a) => {
            if world.nodes[a].is_none() {
                world.start(a);
            }
        }
        Fault::Passing => {}
        Fault::CutOff(a) => world.reach_broker(a),
        Fault::Dropped(a) => world.raise_common(a),
        Fault::Cut(a, b) => world.mend(a, b),
    }
}
