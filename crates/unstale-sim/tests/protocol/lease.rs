//! The writer's half of an end by majority.

use unstale_sim::protocol::world::{MS, Members, SECOND, World};

#[test]
fn a_writer_that_is_cut_off_loses_its_lease_before_the_others_can_end_it() {
    // P-31: writer-lease, lease-from-echoed-instant
    let mut world = World::joined(3, Members::Fixed, 61);
    world.isolate(0);
    world.run_for(2 * SECOND);
    assert!(world.peek(0).announces(world.now), "a majority echoed it a moment ago");
    world.run_for(SECOND - 40 * MS);
    assert!(
        !world.peek(0).announces(world.now),
        "no sooner than L can it be ended, and not later does it stop"
    );
    assert!(world.peek(1).announces(world.now));
}
