//! Random schedules against the model of announced acts: S1, S2 and S3 are checked with every output, liveness at the end.

use unstale_core::{Order, Range, Seq};

use super::world::{MS, Members, SECOND, World};
use crate::violation::{Promise, Violation};

/// A world of random faults.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// Where all dice begin.
    pub seed: u64,
    /// How many nodes.
    pub nodes: usize,
    /// Whether a successor proves its predecessor's death.
    pub one_host: bool,
    /// Whether each node dials the others under addresses that only it knows.
    pub behind_proxies: bool,
    /// Kills, goodbyes, pauses, cuts, stalls.
    pub faults: u64,
    /// Messages lost of 1,000; above 0 links are unordered.
    pub lost: u64,
}

impl Schedule {
    /// A schedule over links that keep order, of 3 to 5 nodes.
    pub const fn in_order(seed: u64) -> Self {
        let nodes = 3 + (seed % 3) as usize;
        let behind_proxies = seed.is_multiple_of(3);
        Self { seed, nodes, one_host: seed.is_multiple_of(2), behind_proxies, faults: 1 + seed % 5, lost: 0 }
    }

    /// A schedule over links that lose and reorder, of 3 or 4 nodes.
    pub const fn lossy(seed: u64) -> Self {
        let nodes = 3 + (seed % 2) as usize;
        let (faults, lost) = (1 + seed % 3, 20 + seed % 100);
        Self { seed, nodes, one_host: seed.is_multiple_of(2), behind_proxies: false, faults, lost }
    }

    /// Plays it, with a mechanism switched off or with all of them.
    pub fn run(&self, without: Option<&str>) -> Result<(), Violation> {
        let mut world = World::new(self.nodes, Members::Fixed, self.seed).without(without);
        if self.one_host {
            world = world.on_one_host();
        }
        if self.behind_proxies {
            world = world.behind_proxies();
        }
        if self.lost > 0 {
            for wire in world.wires.values_mut() {
                wire.order = Order::Unordered;
                wire.jitter = 15 * MS;
                wire.lost_of_1000 = self.lost;
            }
        }
        world.start_all();
        world.run_for(600 * MS);
        for _ in 0..self.faults {
            let fault = plan_fault(&mut world);
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
        }
        world.mend_all();
        let healed = world.now;
        write_until(&mut world, healed + 5 * SECOND);
        // Pauses may have lasted into this time.
        if world.alive().any(|node| node.paused) {
            world.run_for(13 * SECOND);
        }
        world.run_for(SECOND);
        let joined = world.are_joined_within(if self.lost > 0 { 1_000 } else { 400 });
        world.demand(Promise::P9, joined, "not joined after all faults");
        world.demand_coherent();
        let leased = world.alive().all(|node| node.announces(world.now));
        world.demand(Promise::P9, leased, "no lease after all faults");
        world.verdict()
    }
}

enum Fault {
    Kill(usize),
    Leave(usize),
    Pause,
    Cut(usize, usize),
    Isolate(usize),
    Stall(usize, usize),
}

fn plan_fault(world: &mut World) -> Fault {
    let nodes = world.nodes.len();
    let a = world.random.below(nodes as u64) as usize;
    let b = (a + 1 + world.random.below(nodes as u64 - 1) as usize) % nodes;
    // Two goodbyes at once may leave one alone (PROTOCOL.md, "Not promised").
    let may_leave = world.nodes.iter().flatten().filter(|node| !node.paused).count() == nodes;
    match world.random.below(7) {
        6 if may_leave => {
            world.leave(a);
            world.run_for(300 * MS);
            world.kill(a);
            Fault::Leave(a)
        }
        0 => {
            world.kill(a);
            Fault::Kill(a)
        }
        1 => {
            let length = 300 * MS + world.random.below(8_000) * MS;
            if world.nodes[a].as_ref().is_some_and(|node| !node.paused) {
                world.pause(a, length);
            }
            Fault::Pause
        }
        2 => {
            world.cut(a, b);
            Fault::Cut(a, b)
        }
        3 | 4 => {
            world.isolate(a);
            Fault::Isolate(a)
        }
        _ => {
            world.stall(a, b);
            Fault::Stall(a, b)
        }
    }
}

fn heal(world: &mut World, fault: &Fault) {
    match *fault {
        Fault::Kill(a) | Fault::Leave(a) => {
            if world.nodes[a].is_none() {
                world.start(a);
            }
        }
        Fault::Pause => {}
        Fault::Cut(a, b) | Fault::Stall(a, b) => world.mend(a, b),
        Fault::Isolate(a) => (0..world.nodes.len()).filter(|b| *b != a).for_each(|b| world.mend(a, b)),
    }
}

/// Everybody writes, sometimes in bursts or commits, sometimes with the driver late to be told.
pub(super) fn write_until(world: &mut World, until: u64) {
    while world.now < until && world.violation.is_none() {
        let index = world.random.below(world.nodes.len() as u64) as usize;
        if world.nodes[index].as_ref().is_some_and(|node| !node.paused) {
            write(world, index);
        }
        let pause = world.random.below(40) * MS;
        world.run_for(pause);
    }
}

fn write(world: &mut World, index: usize) {
    if world.random.below(20) == 0 {
        let first = world.random.below(1_000);
        world.commit(index, Range { first: Seq(first), last: Seq(first + 5) });
    }
    let burst = if world.random.below(20) == 0 { 30 } else { 1 };
    for _ in 0..burst {
        let key = world.random.below(1_000);
        world.append(index, key);
    }
    if world.random.below(4) == 0 {
        world.run_for(world.random.0 % (3 * MS));
    }
    world.hand_over(index);
}
