//! Beats, echoes and the proof.

use unstale_core::{
    Event, Input, Instant, MemberInfo, Message, Order, ProcessId, Proof, Seq, State, Stream, View,
};

use unstale_sim::protocol::node::name;
use unstale_sim::protocol::puppet::Puppet;
use unstale_sim::protocol::truth::Truth;
use unstale_sim::protocol::world::{MS, Members, SECOND, World};

#[test]
fn the_proof_is_never_older_than_two_beats_and_two_ways() {
    // P-9, P-16
    let mut world = World::new(4, Members::Fixed, 5);
    for wire in world.wires.values_mut() {
        wire.delay = 25 * MS;
    }
    world.start_all();
    world.run_for(2 * SECOND);
    for step in 0..2_000 {
        if step % 7 == 0 {
            world.write(step % 4, step as u64);
        }
        world.run_for(MS);
        let now = world.now;
        let oldest = world.alive().filter_map(|node| node.proof_age_ms(now)).max().unwrap();
        assert!(oldest <= 2 * 100 + 2 * 25 + 1, "{oldest} ms");
    }
}

#[test]
fn an_act_that_its_driver_was_not_told_of_stops_the_proofs_of_others() {
    // P-3, P-9: beats say the act counter, not what was sent.
    let mut world = World::joined(3, Members::Fixed, 6);
    world.append(0, 1);
    let appended = world.now;
    world.run_for(400 * MS);
    for index in [1, 2] {
        let node = world.peek(index);
        let Proof::Instant(proven) = node.proof else { panic!("no proof") };
        assert!(proven <= node.local(appended), "S1");
    }
    world.hand_over(0);
    world.run_for(200 * MS);
    world.assert_joined();
}

#[test]
fn a_burst_is_followed_by_beats_after_ten_and_thirty_ms() {
    // P-9
    let (mut puppet, links) = Puppet::joined(2, 0);
    puppet.pass(1_000);
    puppet.drain_links();
    let [act] = [unstale_sim::protocol::node::key_act(1)];
    puppet.node.append(puppet.now, &[act], unstale_core::Batch::Loose);
    puppet.node.hand_over(puppet.now, &Truth::default());
    assert!(matches!(puppet.sent(links[0]).as_slice(), [Message::Frame(_)]));
    let begin = puppet.now;
    let mut beats = Vec::new();
    while puppet.now < begin + 35 * MS {
        puppet.pass(1);
        beats.extend(puppet.sent(links[0]).iter().map(|_| (puppet.now - begin) / MS));
    }
    assert!(beats.contains(&10) && beats.contains(&30), "{beats:?}");
}

#[test]
fn a_beat_proves_nothing_until_its_number_is_counted() {
    // P-10
    let (mut puppet, links) = Puppet::joined(2, 0);
    puppet.pass(10);
    puppet.say_beat(links[0], 1, 0, SECOND);
    assert_eq!(puppet.node.proof, Proof::Instant(Instant(SECOND)));
    let mut beat = puppet.beat(1, 2, SECOND + MS);
    beat.flushed = Seq::ZERO;
    puppet.say(links[0], Message::Beat(beat));
    puppet.say_frame(links[0], 1, 1, 1);
    assert_eq!(puppet.node.proof, Proof::Instant(Instant(SECOND)));
    puppet.say_frame(links[0], 1, 2, 2);
    assert_eq!(puppet.node.proof, Proof::Instant(Instant(SECOND + MS)));
}

#[test]
fn an_echo_for_an_earlier_life_proves_nothing() {
    // P-11
    let (mut puppet, links) = Puppet::joined(2, 0);
    puppet.pass(10);
    let mut beat = puppet.beat(1, 0, SECOND + MS);
    if let Some(echo) = &mut beat.echo {
        echo.stream = Stream { process: ProcessId(1), incarnation: unstale_core::Incarnation(7) };
    }
    puppet.say(links[0], Message::Beat(beat));
    assert_eq!(puppet.node.proof, Proof::None);
}

#[test]
fn an_echo_of_an_instant_to_come_is_not_believed() {
    // P-11
    let (mut puppet, links) = Puppet::joined(2, 0);
    puppet.say_beat(links[0], 1, 0, puppet.now + SECOND);
    assert_eq!(puppet.node.proof, Proof::None);
}

#[test]
fn a_silent_member_stops_the_proof() {
    // P-12, P-30
    let mut world = World::joined(2, Members::Fixed, 7);
    world.kill(1);
    world.run_for(20 * SECOND);
    assert!(world.peek(0).proof_age_ms(world.now).unwrap() >= 19_900);
    assert_eq!(world.peek(0).state, State::Joined);
    assert_eq!(world.events(0, |event| matches!(event, Event::MemberSilent { .. })), 1);
}

#[test]
fn a_newcomer_stops_the_proof_until_it_is_heard() {
    // P-12, P-26
    let (mut puppet, links) = Puppet::joined(2, 0);
    puppet.pass(10);
    puppet.say_beat(links[0], 1, 0, SECOND + MS);
    assert_ne!(puppet.node.proof, Proof::None);
    let link = puppet.link_up(Order::Fifo);
    puppet.hello(link, 2, true);
    assert_eq!(puppet.node.proof, Proof::None);
    let now = puppet.now;
    puppet.say_beat(link, 2, 0, now);
    assert_eq!(puppet.node.proof, Proof::Instant(Instant(SECOND + MS)));
}

#[test]
fn a_beat_whose_sender_knows_a_member_unknown_here_proves_nothing() {
    // P-27
    let (mut puppet, links) = Puppet::joined(2, 0);
    puppet.pass(10);
    let mut beat = puppet.beat(1, 0, SECOND + MS);
    beat.view = 42;
    puppet.drain_links();
    puppet.say(links[0], Message::Beat(beat));
    assert_eq!(puppet.node.proof, Proof::None);
    assert!(puppet.sent(links[0]).iter().any(|message| matches!(message, Message::ViewWant(_))));
    let info = |stream, text: &str| MemberInfo { stream, name: name(text), address: None, have: Seq::ZERO };
    let members = vec![info(puppet.me(), "a"), info(Puppet::peer(1), "b"), info(Puppet::peer(5), "f")];
    puppet
        .say(links[0], Message::View(View { stream: Puppet::peer(1), view: 42, members, ended: Vec::new() }));
    // Now it is known, and holds the proof itself.
    assert_eq!(puppet.node.machine.status(Instant(puppet.now)).members.len(), 2);
    assert_eq!(puppet.node.proof, Proof::None);
    let link = puppet.link_up(Order::Fifo);
    puppet.hello(link, 5, true);
    let now = puppet.now;
    puppet.say_beat(link, 5, 0, now);
    assert_eq!(puppet.node.proof, Proof::Instant(Instant(SECOND + MS)));
}

#[test]
fn an_exchange_proves_from_now_on_in_one_round_trip() {
    // P-15
    let mut world = World::joined(3, Members::Fixed, 8);
    for wire in world.wires.values_mut() {
        wire.delay = 7 * MS;
    }
    for id in 0..20 {
        let asked = world.peek(0).local(world.now);
        let begin = world.now;
        world.input(0, Input::Exchange { id });
        world.run_until_true(15 * MS, "an answer", |world| {
            world.peek(0).exchanged.last().is_some_and(|last| last.0 == id)
        });
        assert!(world.now - begin <= 15 * MS);
        let (_, Proof::Instant(proven)) = world.peek(0).exchanged.last().copied().unwrap() else {
            panic!("no proof")
        };
        assert!(proven >= asked);
        world.run_for(13 * MS);
    }
}

#[test]
fn an_exchange_with_a_silent_member_ends_in_time_with_the_proof_there_is() {
    // P-15
    let mut world = World::joined(3, Members::Fixed, 9);
    world.pause(2, SECOND);
    world.run_for(500 * MS);
    world.input(0, Input::Exchange { id: 1 });
    world.input(0, Input::Exchange { id: 2 });
    world.run_for(310 * MS);
    let node = world.peek(0);
    assert_eq!(node.exchanged.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [1, 2]);
    assert!(node.exchanged.iter().all(|(_, proof)| *proof == node.proof));
}

#[test]
fn exchanges_beyond_the_bound_are_answered_at_once() {
    // P-15, S5
    let (mut puppet, _) = Puppet::joined(2, 0);
    for id in 0..2_000 {
        puppet.input(Input::Exchange { id });
    }
    assert_eq!(puppet.node.exchanged.len(), 2_000 - 1_024);
}

#[test]
fn a_cut_pair_with_a_node_between_goes_on_proving_through_it() {
    // P-16a
    let mut world = World::joined(3, Members::Fixed, 10);
    world.cut(0, 2);
    world.run_for(SECOND);
    for step in 0..500 {
        world.write(step % 3, step as u64);
        world.run_for(10 * MS);
        let now = world.now;
        let oldest = world.alive().filter_map(|node| node.proof_age_ms(now)).max().unwrap();
        assert!(oldest <= 1_000, "{oldest} ms\n{}", world.describe());
    }
    // Nobody is voted out: the one between says that it heard.
    assert!(world.alive().all(|node| node.ended.is_empty()));
    world.mend_all();
    world.run_for(SECOND);
    world.assert_joined();
    world.assert_coherent();
}

#[test]
fn a_one_way_cut_stops_no_proof_for_long_and_ends_nobody() {
    // P-16a
    let mut world = World::joined(3, Members::Fixed, 11);
    world.stall(0, 2);
    world.run_for(SECOND);
    for step in 0..500 {
        world.write(step % 3, step as u64);
        world.run_for(10 * MS);
        let now = world.now;
        let oldest = world.alive().filter_map(|node| node.proof_age_ms(now)).max().unwrap();
        assert!(oldest <= 1_500, "{oldest} ms\n{}", world.describe());
    }
    assert!(world.alive().all(|node| node.ended.is_empty()));
}

#[test]
fn confirmed_is_the_greatest_number_that_another_member_counts() {
    // P-23
    let mut world = World::joined(3, Members::Fixed, 12);
    world.cut(0, 1);
    world.write(0, 1);
    world.write(0, 2);
    assert_eq!(world.peek(0).confirmed, Seq(0));
    world.run_for(150 * MS);
    assert_eq!(world.peek(0).confirmed, Seq(2));
    world.isolate(0);
    world.write(0, 3);
    world.run_for(SECOND);
    assert_eq!(world.peek(0).confirmed, Seq(2));
}
