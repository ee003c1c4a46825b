//! Random schedules against the model of announced acts: S1, S2 and S3 are checked with every output, liveness at the end.

use unstale_core::Order;

use crate::world::{MS, Members, SECOND, World};

struct Schedule {
    seed: u64,
    nodes: usize,
    members: Members,
    one_host: bool,
    behind_proxies: bool,
    /// Kills, pauses, cuts, stalls.
    faults: u64,
    /// Messages lost of 1,000; above 0 links are unordered.
    lost: u64,
}

fn run(schedule: &Schedule) {
    let mut world = World::new(schedule.nodes, schedule.members, schedule.seed);
    if schedule.one_host {
        world = world.on_one_host();
    }
    if schedule.behind_proxies {
        world = world.behind_proxies();
    }
    if schedule.lost > 0 {
        for wire in world.wires.values_mut() {
            wire.order = Order::Unordered;
            wire.jitter = 15 * MS;
            wire.lost_of_1000 = schedule.lost;
        }
    }
    world.start_all();
    world.run_for(600 * MS);
    for _ in 0..schedule.faults {
        let fault = plan_fault(&mut world, schedule.nodes);
        let until = world.now + world.random.below(7) * SECOND + 200 * MS;
        write_until(&mut world, until);
        if world.random.below(3) == 0 {
            continue;
        }
        heal(&mut world, &fault);
    }
    for index in 0..schedule.nodes {
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
    let age = if schedule.lost > 0 { 1_000 } else { 400 };
    assert!(world.are_joined_within(age), "not joined after all faults\n{}", world.describe());
    world.assert_coherent();
    assert!(world.alive().all(|node| node.announces(world.now)), "no lease\n{}", world.describe());
}

enum Fault {
    Kill(usize),
    Pause,
    Cut(usize, usize),
    Isolate(usize),
    Stall(usize, usize),
}

fn plan_fault(world: &mut World, nodes: usize) -> Fault {
    let a = world.random.below(nodes as u64) as usize;
    let b = (a + 1 + world.random.below(nodes as u64 - 1) as usize) % nodes;
    match world.random.below(6) {
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
        Fault::Kill(a) => {
            if world.nodes[a].is_none() {
                world.start(a);
            }
        }
        Fault::Pause => {}
        Fault::Cut(a, b) | Fault::Stall(a, b) => world.mend(a, b),
        Fault::Isolate(a) => (0..world.nodes.len()).filter(|b| *b != a).for_each(|b| world.mend(a, b)),
    }
}

/// Everybody writes, sometimes in bursts, sometimes with the driver late to be told.
fn write_until(world: &mut World, until: u64) {
    while world.now < until {
        let index = world.random.below(world.nodes.len() as u64) as usize;
        if world.nodes[index].as_ref().is_some_and(|node| !node.paused) {
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
        let pause = world.random.below(40) * MS;
        world.run_for(pause);
    }
}

fn run_all(seeds: std::ops::Range<u64>, schedule: impl Fn(u64) -> Schedule) {
    for seed in seeds {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(&schedule(seed))));

        if let Err(cause) = outcome {
            eprintln!("seed {seed}");
            std::panic::resume_unwind(cause);
        }
    }
}

#[test]
fn random_faults_of_fixed_clusters_break_no_promise() {
    run_all(0..24, |seed| Schedule {
        seed,
        nodes: 3 + (seed % 3) as usize,
        members: Members::Fixed,
        one_host: seed % 2 == 0,
        behind_proxies: seed % 3 == 0,
        faults: 1 + seed % 5,
        lost: 0,
    });
}

#[test]
fn random_faults_over_lossy_links_break_no_promise() {
    run_all(5000..5012, |seed| Schedule {
        seed,
        nodes: 3 + (seed % 2) as usize,
        members: Members::Fixed,
        one_host: seed % 2 == 0,
        behind_proxies: false,
        faults: 1 + seed % 3,
        lost: 20 + seed % 100,
    });
}
