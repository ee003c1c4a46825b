//! Holes: seen, and closed by replay, digest or distrust.

use unstale_core::{
    Closed, Digest, DigestRow, DigestWant, DistrustCause, EndCause, Event, JournalBound, Message, Order,
    Output, Range, Scope, Seq, Suspects, Want,
};

use unstale_sim::protocol::node::{key_act, name};
use unstale_sim::protocol::puppet::Puppet;
use unstale_sim::protocol::truth::Truth;
use unstale_sim::protocol::world::{MS, Members, SECOND, World};

/// A joined world over unordered links.
fn unordered(nodes: usize, seed: u64) -> World {
    let mut world = World::new(nodes, Members::Fixed, seed);
    for wire in world.wires.values_mut() {
        wire.order = Order::Unordered;
    }
    world.start_all();
    world.run_for(SECOND);
    world.assert_joined();
    world
}

fn gaps(world: &World, index: usize) -> Vec<(u64, u64, Closed)> {
    let closed = |event: &Event| match event {
        Event::GapClosed { how, since_up, since_seen, .. } => Some((
            since_up.saturating_sub(*since_seen).as_millis() as u64,
            since_seen.as_millis() as u64,
            *how,
        )),
        _ => None,
    };
    world.peek(index).events.iter().filter_map(closed).collect()
}

#[test]
fn no_hole_is_seen_where_none_is() {
    // P-17: a beat may overtake a backlog, and the act counter runs ahead of what was handed over.
    let mut world = World::joined(3, Members::Fixed, 20);
    world.wire(0, 1).cost = 3 * MS;
    for step in 0..2_000 {
        world.append(0, step);
        if step % 3 == 0 {
            world.hand_over(0);
        }
        world.run_for(MS);
    }
    world.hand_over(0);
    world.run_for(SECOND);
    world.assert_coherent();
    let is_gap = |event: &Event| matches!(event, Event::GapSeen { .. });
    assert_eq!([1, 2].map(|index| world.events(index, is_gap)), [0, 0]);
}

#[test]
fn a_lost_frame_is_seen_in_250_ms_and_replayed_in_a_second_even_if_a_beat_is_lost_too() {
    // P-17, S4
    for seed in 0..50 {
        let mut world = unordered(3, seed);
        world.run_for(seed * 3 * MS);
        let (mut frames, mut beats) = (0, 0);
        world.filter = Some(Box::new(move |from, to, message| {
            let counter = match message {
                _ if (from, to) != (0, 1) => return false,
                Message::Frame(_) => &mut frames,
                Message::Beat(_) => &mut beats,
                _ => return false,
            };
            *counter += 1;
            // The frame, and three beats: both tail beats, and the next one.
            *counter <= if matches!(message, Message::Frame(_)) { 1 } else { 3 }
        }));
        world.write(0, 1);
        let seen = world.run_until_true(250 * MS, "seen", |world| {
            world.events(1, |event| matches!(event, Event::GapSeen { .. })) == 1
        });
        world.run_until_true(SECOND - seen, "closed", |world| !gaps(world, 1).is_empty());
        assert_eq!(gaps(&world, 1)[0].2, Closed::Replay);
        world.assert_coherent();
        assert!(world.peek(1).repaired >= 1 && world.peek(1).distrusts.is_empty());
    }
}

#[test]
fn what_an_unordered_transport_turns_round_is_no_hole() {
    // P-17
    let (mut puppet, _) = Puppet::joined(2, 0);
    let link = puppet.link_up(Order::Unordered);
    puppet.hello(link, 1, false);
    puppet.drain_links();
    puppet.say_frame(link, 1, 2, 2);
    puppet.pass(19);
    assert!(puppet.node.events.iter().all(|event| !matches!(event, Event::GapSeen { .. })));
    puppet.say_frame(link, 1, 1, 1);
    puppet.pass(50);
    assert!(puppet.node.events.iter().all(|event| !matches!(event, Event::GapSeen { .. })));
    assert_eq!(puppet.counted(1), 2);
}

#[test]
fn on_a_link_that_keeps_order_a_frame_beyond_the_count_is_a_hole_at_once() {
    // P-17
    let (mut puppet, links) = Puppet::joined(2, 0);
    puppet.say_frame(links[0], 1, 3, 4);
    let asked = puppet.sent(links[0]);
    let want = Want { stream: Puppet::peer(1), ranges: vec![Range::new(Seq(1), Seq(2)).unwrap()] };
    assert!(asked.contains(&Message::Want(want)), "{asked:?}");
    assert_eq!((puppet.node.applied, puppet.counted(1)), (1, 0));
    puppet.say_frame(links[0], 1, 1, 2);
    assert_eq!(puppet.counted(1), 4);
}

#[test]
fn acts_are_applied_at_once_in_any_order_and_counted_in_order() {
    // P-4
    let (mut puppet, links) = Puppet::joined(2, 0);
    for first in [9, 5, 7, 3] {
        puppet.say_frame(links[0], 1, first, first + 1);
        assert_eq!(puppet.counted(1), 0);
    }
    assert_eq!(puppet.node.applied, 4);
    puppet.say_frame(links[0], 1, 1, 2);
    assert_eq!(puppet.counted(1), 10);
    puppet.say_frame(links[0], 1, 1, 2);
    assert_eq!(puppet.node.applied, 5, "a repeated frame is not applied again");
}

#[test]
fn a_fine_and_a_coarse_frame_of_one_range_are_both_valid() {
    // P-1, P-2
    let (mut puppet, links) = Puppet::joined(2, 0);
    puppet.say_frame(links[0], 1, 2, 3);
    puppet.say_frame(links[0], 1, 1, 6);
    assert_eq!(puppet.counted(1), 6);
}

#[test]
fn frames_of_a_stream_that_is_not_tracked_are_applied_and_counted_nowhere() {
    // P-5
    let (mut puppet, links) = Puppet::joined(2, 0);
    puppet.say_frame(links[0], 7, 1, 2);
    assert_eq!(puppet.node.applied, 1);
    assert!(!puppet.node.counted.contains_key(&Puppet::peer(7)));
}

#[test]
fn a_frame_of_a_part_of_a_stream_closes_no_hole_of_the_whole() {
    // P-7: skip-keeps-scope
    let (mut puppet, links) = Puppet::joined(2, 0);
    let mut skip = Puppet::frame(Puppet::peer(1), 1, 3);
    skip.scope = Scope(4);
    skip.acts.clear();
    puppet.say(links[0], Message::Frame(skip));
    assert_eq!(puppet.counted(1), 0);
}

#[test]
fn a_skip_of_the_whole_stream_is_counted() {
    // P-7
    let (mut puppet, links) = Puppet::joined(2, 0);
    let mut skip = Puppet::frame(Puppet::peer(1), 1, 3);
    skip.acts.clear();
    puppet.say(links[0], Message::Frame(skip));
    assert_eq!((puppet.counted(1), puppet.node.applied), (3, 0));
}

#[test]
fn what_the_origin_does_not_answer_is_asked_of_a_member_that_counts_it() {
    // P-17, P-18
    let mut world = unordered(3, 21);
    let mut lost = 0;
    world.filter = Some(Box::new(move |from, to, message| match message {
        Message::Frame(frame) if (from, to) == (0, 1) => {
            lost += 1;
            lost == 1 && frame.range.last == Seq(1)
        }
        Message::Want(_) => (from, to) == (1, 0),
        _ => false,
    }));
    world.write(0, 1);
    world.run_for(600 * MS);
    assert_eq!(gaps(&world, 1).iter().map(|(_, _, how)| *how).collect::<Vec<_>>(), [Closed::Replay]);
    world.assert_coherent();
    assert!(world.peek(1).distrusts.is_empty());
}

#[test]
fn what_is_gone_from_the_journal_is_repaired_by_digest_and_only_that_is_suspect() {
    // P-17, P-19; journal overflow exactly at the hole
    let mut world = World::new(3, Members::Fixed, 22);
    for index in 0..3 {
        world.config_mut(index).limits.journal =
            JournalBound { own_frames_bytes: 2_000, own_rows_bytes: 1 << 20, peer_frames_bytes: 0 };
    }
    world.start_all();
    world.run_for(SECOND);
    world.isolate(1);
    for key in 0..100 {
        world.write(0, key);
        world.run_for(10 * MS);
    }
    world.mend_all();
    world.run_for(SECOND);
    world.assert_joined();
    world.assert_coherent();
    let node = world.peek(1);
    assert_eq!(gaps(&world, 1).iter().map(|(_, _, how)| *how).collect::<Vec<_>>(), [Closed::Digest]);
    for distrust in &node.distrusts {
        let Output::Distrust { what: Suspects::Hashes(filter), cause, .. } = distrust else {
            panic!("{distrust:?}")
        };
        assert_eq!(*cause, DistrustCause::Unrepairable(world.stream(0)));
        assert!(!filter.holds_everything() && !filter.holds_key(&name("users"), &5_000_u64.to_be_bytes()));
    }
}

#[test]
fn what_nobody_holds_any_more_is_distrusted_by_scope_and_then_counted() {
    // P-17, P-20
    let mut world = World::new(3, Members::Fixed, 23);
    for index in 0..3 {
        world.config_mut(index).limits.journal =
            JournalBound { own_frames_bytes: 0, own_rows_bytes: 0, peer_frames_bytes: 0 };
        world.config_mut(index).scopes = vec![name("users")];
    }
    world.start_all();
    world.run_for(SECOND);
    world.isolate(1);
    world.write(0, 1);
    world.write(0, 2);
    world.run_for(SECOND);
    let mended = world.now;
    world.mend_all();
    world.run_until_true(SECOND, "closed", |world| !gaps(world, 1).is_empty());
    assert!(world.now - mended < SECOND, "S4");
    let node = world.peek(1);
    assert_eq!(gaps(&world, 1)[0].2, Closed::Distrust);
    let Output::Distrust { what, cause, .. } = &node.distrusts[0] else { panic!() };
    assert_eq!(
        (what, cause),
        (&Suspects::Caches(vec![name("users")]), &DistrustCause::Unrepairable(world.stream(0)))
    );
    assert_eq!(node.counted[&world.stream(0)], Seq(2));
}

#[test]
fn only_a_node_whose_own_count_covers_a_range_answers_a_digest_of_it() {
    // P-18: digest-only-if-whole
    let (mut puppet, links) = Puppet::joined(3, 0);
    puppet.say_frame(links[0], 1, 1, 2);
    puppet.say_frame(links[0], 1, 4, 5);
    let digest_of = |puppet: &mut Puppet, first, last| {
        let range = Range::new(Seq(first), Seq(last)).unwrap();
        puppet.drain_links();
        puppet.say(links[1], Message::DigestWant(DigestWant { stream: Puppet::peer(1), range }));
        puppet.sent(links[1])
    };
    let answer = digest_of(&mut puppet, 1, 5);
    assert!(matches!(answer.as_slice(), [Message::Gone(_)]), "{answer:?}");
    let answer = digest_of(&mut puppet, 4, 5);
    assert!(
        matches!(answer.as_slice(), [Message::Gone(_)]),
        "what lies above a hole proves nothing: {answer:?}"
    );
    let answer = digest_of(&mut puppet, 1, 2);
    let [Message::Digest(digest)] = answer.as_slice() else { panic!("{answer:?}") };
    assert_eq!(digest.range, Range::new(Seq(1), Seq(2)).unwrap());
    assert_eq!(digest.rows.len(), 2);
}

#[test]
fn a_digest_is_distrusted_before_it_is_counted() {
    // P-20: the world checks that nothing is counted before it is covered; here a digest that nobody asked for is not taken.
    let (mut puppet, links) = Puppet::joined(2, 0);
    let range = Range::new(Seq(1), Seq(2)).unwrap();
    let rows = vec![DigestRow::of(&key_act(1).subject)];
    let digest = Digest { stream: Puppet::peer(1), range, rows };
    puppet.say(links[0], Message::Digest(digest.clone()));
    assert_eq!((puppet.counted(1), puppet.distrusts()), (0, 0));
    puppet.say_frame(links[0], 1, 3, 3);
    puppet.say(links[0], Message::Digest(digest));
    assert_eq!((puppet.counted(1), puppet.distrusts()), (3, 1));
}

#[test]
fn while_an_origin_is_cut_off_nothing_is_distrusted_for_its_holes() {
    // P-17: with the link down the proof waits anyway
    let (mut puppet, links) = Puppet::joined(3, 0);
    puppet.say_frame(links[0], 1, 3, 3);
    puppet.input(unstale_core::Input::LinkDown { link: links[0] });
    puppet.node.links.remove(&links[0]);
    puppet.pass(2_500);
    assert_eq!((puppet.distrusts(), puppet.counted(1)), (0, 0));
    let link = puppet.link_up(Order::Fifo);
    puppet.hello(link, 1, false);
    assert!(puppet.sent(link).iter().any(|message| matches!(message, Message::Want(_))));
}

#[test]
fn an_end_that_only_one_side_knows_is_taken_over_by_the_other() {
    // P-21: dead-origins-in-vector
    let (mut puppet, links) = Puppet::joined(3, 0);
    puppet.pass(50);
    let mut hello = puppet.hello_of(Puppet::peer(1), 1, false);
    hello.ended = vec![
        Puppet::ended(Puppet::peer(2), 2, 0, EndCause::Majority),
        Puppet::ended(Puppet::peer(8), 8, 5, EndCause::Majority),
    ];
    puppet.say(links[0], Message::Hello(hello));
    let ended: Vec<_> = puppet
        .node
        .ended
        .iter()
        .map(|output| matches!(output, Output::Ended { stream, .. } if *stream == Puppet::peer(2)))
        .collect();
    assert_eq!(ended, [true]);
    assert_eq!(puppet.distrusts(), 2, "the scopes of both: one was tracked, one lived and died unseen");
}

#[test]
fn a_stream_that_lived_and_left_unseen_is_repaired_from_who_counts_it() {
    // P-21
    let (mut puppet, links) = Puppet::joined(3, 0);
    puppet.pass(50);
    let mut hello = puppet.hello_of(Puppet::peer(1), 1, false);
    hello.ended = vec![Puppet::ended(Puppet::peer(8), 8, 5, EndCause::Bye)];
    puppet.drain_links();
    puppet.say(links[0], Message::Hello(hello));
    let want = Want { stream: Puppet::peer(8), ranges: vec![Range::new(Seq(1), Seq(5)).unwrap()] };
    assert!(puppet.sent(links[0]).contains(&Message::Want(want)));
    puppet.say(links[0], Message::Frame(Puppet::frame(Puppet::peer(8), 1, 5)));
    assert_eq!((puppet.node.ended.len(), puppet.distrusts()), (1, 0));
}

#[test]
fn a_slow_peer_gets_wider_acts_with_exact_ranges_and_holds_up_nobody() {
    // P-2, S5: coalesce-at-bound
    let mut world = World::joined(3, Members::Fixed, 24);
    world.wire(0, 1).cost = 200 * MS;
    for step in 0..40_000 {
        world.append(0, step);
        if step % 100 == 0 {
            world.hand_over(0);
            world.run_for(5 * MS);
        }
        let now = world.now;
        if step % 1_000 == 0 && step > 0 {
            let member = world.peek(0).machine.status(world.peek(0).local(now)).members;
            assert!(member.iter().all(|member| member.queue.acts <= 4_096 && member.queue.bytes <= 1 << 20));
            assert!(world.peek(2).missing.len() < 200, "the other peer is not held up");
        }
    }
    world.hand_over(0);
    world.wire(0, 1).cost = 0;
    world.run_for(SECOND);
    world.assert_coherent();
    world.assert_joined();
    assert!(world.peek(1).distrusts.is_empty());
}

#[test]
fn replays_and_live_frames_take_turns() {
    // P-17: a backlog holds up nothing
    let (mut puppet, links) = Puppet::joined(2, 0);
    let mut first = 1;
    let mut write = |puppet: &mut Puppet, count: u64| {
        let acts: Vec<_> = (first..first + count).map(key_act).collect();
        first += count;
        puppet.node.append(puppet.now, &acts, unstale_core::Batch::Loose);
        puppet.node.hand_over(puppet.now, &Truth::default());
    };
    write(&mut puppet, 3);
    puppet.drain_links();
    let stream = puppet.me();
    puppet.say(links[0], Message::Want(Want { stream, ranges: vec![Range::new(Seq(1), Seq(3)).unwrap()] }));
    write(&mut puppet, 1);
    let sent = puppet.sent(links[0]);
    let ranges: Vec<_> = sent
        .iter()
        .filter_map(|message| match message {
            Message::Frame(frame) => Some((frame.range.first.0, frame.range.last.0)),
            _ => None,
        })
        .collect();
    assert!(ranges.contains(&(1, 3)) && ranges.contains(&(4, 4)), "{ranges:?}");
}
