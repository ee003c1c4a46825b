//! Nodes that talk through a broker: its register, its common link, and rounds.

use std::collections::BTreeSet;

use unstale_core::{Event, Message, SelfEnd, State};

use super::counting::settle;
use crate::protocol::broker::Kept;
use crate::protocol::world::{MS, Members, SECOND, World};
use crate::violation::{Promise, Violation};

fn joined(nodes: usize, seed: u64, without: Option<&str>) -> World {
    World::new(nodes, Members::Registered, seed).without(without).join()
}

/// A node lost its last member by a goodbye, and is cut off when somebody else comes (P-28).
pub(crate) fn newcomer_while_cut_off(without: Option<&str>) -> Result<(), Violation> {
    let mut world = World::new(3, Members::Registered, 301).without(without);
    world.start(0);
    world.start(1);
    world.run_for(5 * SECOND);
    world.demand_joined();
    world.leave(1);
    world.run_for(500 * MS);
    world.kill(1);
    world.cut_from_broker(0);
    world.start(2);
    world.run_for(8 * SECOND);
    for key in 0..50 {
        world.write(2, key);
        world.run_for(20 * MS);
    }
    let announced = world.truth.records.iter().any(|act| act.announced);
    world.demand(Promise::P9, announced, "the newcomer never joined");
    world.reach_broker(0);
    world.start(1);
    world.run_for(5 * SECOND);
    settle(world)
}

/// A member hears each round late, and another one's acts later still (P-28a).
pub(crate) fn round_comes_late(without: Option<&str>) -> Result<(), Violation> {
    let mut world = joined(3, 302, without);
    let mut seen = BTreeSet::new();
    world.filter = Some(Box::new(move |from, to, message| match (from, to, message) {
        (0, 2, Message::Round(round)) => seen.insert(round.number),
        (1, 2, Message::Frame(_) | Message::Beat(_)) => true,
        _ => false,
    }));
    for key in 0..100 {
        world.write(1, key);
        world.run_for(31 * MS);
    }
    world.filter = None;
    world.run_for(2 * SECOND);
    settle(world)
}

/// A third of all that goes over the common link is lost (P-28a).
pub(crate) fn lossy_common_link(without: Option<&str>) -> Result<(), Violation> {
    let mut world = joined(3, 303, without);
    world.broker().lost_of_1000 = 300;
    for key in 0..500 {
        world.write(key as usize % 3, key);
        world.run_for(10 * MS);
    }
    world.broker().lost_of_1000 = 0;
    world.run_for(2 * SECOND);
    settle(world)
}

/// A member has its lease and writes, but its answers do not reach the pacemaker, nor its acts another one (P-28a).
pub(crate) fn answer_missing(without: Option<&str>) -> Result<(), Violation> {
    let mut world = joined(3, 304, without);
    world.filter = Some(Box::new(|from, to, message| {
        let is_answer = matches!(message, Message::Answer(_));
        let is_live = matches!(message, Message::Frame(_) | Message::Beat(_));
        (from, to) == (1, 0) && is_answer || (from, to) == (1, 2) && is_live
    }));
    for key in 0..100 {
        world.write(1, key);
        world.run_for(20 * MS);
    }
    let all = world.truth.records.iter().all(|act| act.announced);
    world.demand(Promise::P9, all, "a node with a lease does not announce");
    world.filter = None;
    world.run_for(2 * SECOND);
    settle(world)
}

/// A subscriber was dropped: rounds reach it one by one, again and again, late and out of order (P-28a).
pub(crate) fn answers_repeated(without: Option<&str>) -> Result<(), Violation> {
    let mut world = joined(3, 305, without);
    world.drop_common(2);
    world.wire(0, 2).jitter = 200 * MS;
    for key in 0..1_500 {
        world.write(1, key);
        world.run_for(10 * MS);
    }
    world.raise_common(2);
    world.wire(0, 2).jitter = 0;
    world.run_for(2 * SECOND);
    settle(world)
}

/// The register is lost and comes back empty, when a member is dead that nobody will renew, and a newcomer comes (P-28).
pub(crate) fn register_lost(without: Option<&str>) -> Result<(), Violation> {
    let mut world = World::new(4, Members::Registered, 306).without(without);
    for index in 0..3 {
        world.start(index);
    }
    world.run_for(5 * SECOND);
    world.demand_joined();
    world.cut_from_broker(0);
    world.kill(1);
    world.lose_register();
    world.start(3);
    for key in 0..200 {
        world.write([0, 2, 3][key as usize % 3], key);
        world.run_for(10 * MS);
    }
    let early = world.peek(3).state != State::Joined;
    world.demand(Promise::S1, early, "a newcomer joined before every lease of the lost register had run out");
    world.run_for(4 * SECOND);
    world.reach_broker(0);
    world.run_for(4 * SECOND);
    world.start(1);
    world.run_for(2 * SECOND);
    world.demand_joined();
    settle(world)
}

/// The broker is restarted, empty: every node goes on under the stream that it had (P-28).
pub(crate) fn broker_restarted(without: Option<&str>) -> Result<(), Violation> {
    let mut world = joined(3, 307, without);
    let doubts = |world: &World| world.alive().map(|node| node.distrusts.len()).sum::<usize>();
    let before = doubts(&world);
    world.restart_broker(SECOND, Kept::Nothing);
    for key in 0..300 {
        world.write(key as usize % 3, key);
        world.run_for(10 * MS);
    }
    let is_first = world.alive().all(|node| node.machine.stream().incarnation.0 == 1);
    let is_kept = is_first && doubts(&world) == before;
    world.demand(Promise::P3, is_kept, "a broker that was away for a second costs a stream or distrust");
    world.run_for(SECOND);
    world.demand_joined();
    settle(world)
}

/// The pacemaker dies: the arbiter ends it after L, and the next one opens rounds (P-28a, P-30).
pub(crate) fn pacemaker_dies(without: Option<&str>) -> Result<(), Violation> {
    let mut world = joined(4, 308, without);
    world.kill(0);
    for key in 0..300 {
        world.write(1 + key as usize % 3, key);
        world.run_for(20 * MS);
    }
    let paces = |world: &World| {
        let next = world.stream(1);
        world.events(2, |event| matches!(event, Event::Pacemaker { stream, .. } if *stream == next)) > 0
    };
    world.demand(Promise::P9, paces(&world), "nobody took over the rounds");
    world.demand_joined();
    world.start(0);
    world.run_for(2 * SECOND);
    settle(world)
}

/// Two newcomers at once, both before anybody else (P-25, P-28).
pub(crate) fn two_newcomers(without: Option<&str>) -> Result<(), Violation> {
    let mut world = World::new(4, Members::Registered, 309).without(without);
    world.start(0);
    world.start(1);
    world.run_for(5 * SECOND);
    world.start(2);
    world.start(3);
    for key in 0..300 {
        world.write(key as usize % 4, key);
        world.run_for(5 * MS);
    }
    world.demand_joined();
    settle(world)
}

/// A node is stopped for longer than L, is ended by the arbiter, and comes back with what waited for it (P-30, P-34).
pub(crate) fn expelled_while_paused(without: Option<&str>) -> Result<(), Violation> {
    let mut world = joined(3, 310, without);
    world.append(1, 1_000);
    world.pause(1, 8 * SECOND);
    for key in 0..400 {
        world.write(2 * (key as usize % 2), key);
        world.run_for(20 * MS);
    }
    world.run_for(3 * SECOND);
    let ended = world.events(1, |event| matches!(event, Event::SelfEnded { why: SelfEnd::Paused, .. }));
    world.demand(Promise::P9, ended == 1, "a node that was stopped for 8 s goes on as if nothing were");
    let lifted = !world.peek(0).lifts.is_empty();
    world.demand(Promise::P3, lifted, "the doubt of a node that came back was not lifted");
    settle(world)
}
