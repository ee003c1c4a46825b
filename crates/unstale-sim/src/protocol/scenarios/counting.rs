//! Numbers, frames and holes.

use unstale_core::{DistrustCause, JournalBound, Output, Range, Seq, Size, Suspects};

use crate::protocol::node::suspects;
use crate::protocol::world::{MS, Members, SECOND, World};
use crate::violation::{Promise, Violation};

/// An act is known to its own node only until the driver is told; meanwhile beats go on (P-3).
pub(crate) fn driver_told_late(without: Option<&str>) -> Result<(), Violation> {
    let mut world = World::new(3, Members::Fixed, 201).without(without).join();
    world.append(0, 1);
    world.run_for(400 * MS);
    world.hand_over(0);
    world.run_for(200 * MS);
    settle(world)
}

/// Frames that wait are sent as one (P-2).
pub(crate) fn frames_joined(without: Option<&str>) -> Result<(), Violation> {
    let mut world = World::new(3, Members::Fixed, 202).without(without).join();
    world.wire(0, 1).cost = 20 * MS;
    for key in 0..20 {
        world.write(0, key);
        world.run_for(MS);
    }
    world.wire(0, 1).cost = 0;
    settle(world)
}

/// A peer takes so little that keys become caches and then everything, while another one gets every key (P-1).
pub(crate) fn slow_peer(without: Option<&str>) -> Result<(), Violation> {
    let bound = Size { bytes: 4_096, acts: 64 };
    let mut world = World::new(3, Members::Fixed, 203).without(without);
    for index in 0..3 {
        world.config_mut(index).limits.peer_queue = bound;
    }
    let mut world = world.join();
    world.wire(0, 1).cost = 500 * MS;
    for key in 0..600 {
        world.write_in(0, &format!("cache-{}", key % 40), key);
        world.run_for(MS);
        let members = world.peek(0).machine.status(world.peek(0).local(world.now)).members;
        let bounded = members.iter().all(|member| member.queue.fits(bound));
        world.demand(Promise::P7, bounded, "a queue grows beyond its bound");
        let prompt = world.peek(2).missing.len() < 20;
        world.demand(Promise::P3, prompt, "the other peer is held up");
    }
    world.wire(0, 1).cost = 0;
    world.run_for(SECOND);
    let exact = world.nodes.iter().flatten().all(|node| node.distrusts.is_empty());
    world.demand(Promise::P3, exact, "a slow peer distrusts");
    settle(world)
}

/// The frames that a node missed are gone from the journal of their origin, just those (P-17, P-19, P-20).
pub(crate) fn journal_overflows_at_hole(without: Option<&str>) -> Result<(), Violation> {
    let mut world = World::new(3, Members::Fixed, 204).without(without);
    for index in 0..3 {
        world.config_mut(index).limits.journal =
            JournalBound { own_frames_bytes: 2_000, own_rows_bytes: 1 << 20, peer_frames_bytes: 0 };
    }
    let mut world = world.join();
    world.isolate(1);
    for key in 0..100 {
        world.write(0, key);
        world.run_for(10 * MS);
    }
    world.mend_all();
    world.run_for(SECOND);
    let is_narrow = |distrust: &Output| matches!(suspects(distrust), Some(Suspects::Hashes(filter)) if !filter.holds_everything());
    let narrow = world.peek(1).distrusts.iter().all(is_narrow);
    world.demand(Promise::P3, narrow, "more is distrusted than was missed");
    settle(world)
}

/// Nobody holds what was missed: what the origin may have written is distrusted, then counted (P-17, P-20).
pub(crate) fn nobody_holds_it(without: Option<&str>) -> Result<(), Violation> {
    let mut world = World::new(3, Members::Fixed, 205).without(without);
    for index in 0..3 {
        world.config_mut(index).limits.journal =
            JournalBound { own_frames_bytes: 0, own_rows_bytes: 0, peer_frames_bytes: 0 };
    }
    let mut world = world.join();
    world.isolate(1);
    world.write(0, 1);
    world.run_for(SECOND);
    world.mend_all();
    world.run_for(SECOND);
    settle(world)
}

/// An origin leaves; who missed some of it asks a member that counts all of it and holds the end of it only (P-18).
pub(crate) fn holder_of_a_part(without: Option<&str>) -> Result<(), Violation> {
    let mut world = World::new(3, Members::Fixed, 206).without(without);
    world.config_mut(1).limits.journal.peer_frames_bytes = 4_000;
    let mut world = world.join();
    world.cut(0, 2);
    for key in 0..100 {
        world.write(2, key);
        world.run_for(2 * MS);
    }
    world.leave(2);
    world.run_for(2 * SECOND);
    let unrepairable = DistrustCause::Unrepairable(world.stream(2));
    let is_that =
        |output: &Output| matches!(output, Output::Distrust { cause, .. } if *cause == unrepairable);
    let distrusted = world.peek(0).distrusts.iter().any(is_that);
    world.demand(Promise::S3, distrusted, "what nobody holds is not distrusted");
    world.kill(2);
    world.mend_all();
    settle(world)
}

/// A commit comes when the frame before it is nearly full (P-6).
pub(crate) fn commit_at_the_bound(without: Option<&str>) -> Result<(), Violation> {
    let mut world = World::new(3, Members::Fixed, 207).without(without);
    world.config_mut(0).limits.message_bytes = 40 << 10;
    let mut world = world.join();
    for key in 0..900 {
        world.append(0, key);
    }
    world.commit(0, Range { first: Seq(5_000), last: Seq(5_899) });
    world.run_for(100 * MS);
    settle(world)
}

/// A node is cut off for long enough to be ended, goes on under its next stream, and numbers begin at 1 again (P-11, P-34).
pub(crate) fn next_incarnation(without: Option<&str>) -> Result<(), Violation> {
    let mut world = World::new(3, Members::Fixed, 208).without(without).join();
    for key in 0..5 {
        world.write(2, key);
    }
    world.run_for(200 * MS);
    world.isolate(2);
    world.run_for(10 * SECOND);
    world.mend_all();
    world.run_for(2 * SECOND);
    for key in 10..15 {
        world.write(2, key);
        world.run_for(50 * MS);
    }
    settle(world)
}

/// A cut hides some acts; after it both sides say hello again, and the answer names a last number (P-25).
pub(crate) fn hello_again(without: Option<&str>) -> Result<(), Violation> {
    let mut world = World::new(3, Members::Fixed, 209).without(without).join();
    world.isolate(1);
    for key in 0..50 {
        world.write(key as usize % 3, key);
        world.run_for(20 * MS);
    }
    world.mend_all();
    world.run_for(SECOND);
    settle(world)
}

/// One frame is lost, and the beats behind it are not (P-10, P-17).
pub(crate) fn lost_frame(without: Option<&str>) -> Result<(), Violation> {
    let mut world = World::new(3, Members::Fixed, 210).unordered().without(without).join();
    let mut is_lost = false;
    world.filter = Some(Box::new(move |from, to, message| {
        let first = (from, to) == (0, 1) && matches!(message, unstale_core::Message::Frame(_)) && !is_lost;
        is_lost |= first;
        first
    }));
    world.write(0, 1);
    let repaired = |world: &World| world.peek(1).repaired > 0;
    world.demand_within(Promise::S4, SECOND, "the lost frame is replayed", repaired);
    settle(world)
}

/// All live and have repaired what they missed.
pub(super) fn settle(mut world: World) -> Result<(), Violation> {
    world.run_for(500 * MS);
    world.demand_joined();
    world.demand_coherent();
    world.verdict()
}
