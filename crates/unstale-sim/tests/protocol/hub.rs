//! Nodes that talk through a broker: a register, a common link, rounds (P-28, P-28a, P-28b).

use unstale_core::{
    Answer, Batch, Config, DistrustCause, EndCause, Entry, Event, Input, LinkId, Listed, Listing, Membership,
    Message, Order, Output, RegisterRequest, SelfEnd, Seq, State, Stream,
};

use unstale_sim::protocol::hub::HubSchedule;
use unstale_sim::protocol::node::{key_act, name};
use unstale_sim::protocol::puppet::Puppet;
use unstale_sim::protocol::truth::Truth;
use unstale_sim::protocol::world::{MS, Members, SECOND, World};

#[test]
fn registered_nodes_join_prove_and_pass_on_acts() {
    for seed in 1..5 {
        let mut world = World::joined(3, Members::Registered, seed);
        world.assert_kept();
        for key in 0..200 {
            world.write(key as usize % 3, key);
            world.run_for(7 * MS);
            assert!(world.oldest_proof_ms().is_some_and(|age| age < 450), "{}", world.describe());
        }
        world.run_for(SECOND);
        world.assert_coherent();
        world.assert_joined();
        assert!(world.truth.records.iter().all(|act| act.announced));
    }
}

#[test]
fn large_groups_join_prove_pass_on_acts_and_end_who_dies() {
    // P-28a, P-28b: beats of all to all from 17 members on are too many, and above 100 rounds are slower
    for (nodes, acts, oldest_proof_ms) in [(24, 40, 450), (104, 3, 900)] {
        let mut world = World::joined(nodes, Members::Registered, 81);
        for key in 0..acts {
            world.write(key as usize % nodes, key);
            world.run_for(20 * MS);
            assert!(world.oldest_proof_ms().is_some_and(|age| age < oldest_proof_ms), "{}", world.describe());
        }
        world.kill(0);
        world.kill(nodes - 1);
        world.run_for(5 * SECOND);
        assert_eq!(ended_by(&world, 1, EndCause::Arbiter), 2, "{nodes} nodes");
        world.write(1, 7);
        world.run_for(SECOND);
        world.assert_coherent();
        world.assert_joined();
        assert!(world.oldest_proof_ms().is_some_and(|age| age < oldest_proof_ms), "{}", world.describe());
    }
}

#[test]
fn what_a_dead_node_may_have_written_is_not_served_for_long_once_its_successor_is_there() {
    // P-20, P-33: a stream that the arbiter has ended may come back, unless another process has its name
    for successor_comes_after_ms in [500, 6_000] {
        let mut world = World::joined(3, Members::Registered, 91);
        world.write(2, 1);
        world.run_for(SECOND);
        let dead = world.stream(2);
        world.kill(2);
        world.run_for(successor_comes_after_ms * MS);
        world.start(2);
        world.run_for(10 * SECOND);
        for index in [0, 1] {
            assert_eq!(ended_by(&world, index, EndCause::Arbiter), 1);
            let node = world.nodes[index].as_ref().expect("it lives");
            let mut causes = node.distrusts.iter().filter_map(|output| match output {
                Output::Distrust { cause, .. } => Some(*cause),
                _ => None,
            });
            let last = causes.rfind(|cause| *cause != DistrustCause::Joined);
            assert_eq!(last, Some(DistrustCause::Dead(dead)), "after {successor_comes_after_ms} ms");
        }
        world.assert_joined();
        world.assert_coherent();
    }
}

#[test]
fn random_faults_around_a_broker_break_no_promise() {
    for seed in 1..=12 {
        let schedule = HubSchedule::new(seed);
        let verdict = schedule.run(None);
        assert!(verdict.is_ok(), "{schedule:?}\n{}", verdict.unwrap_err());
    }
}

fn ended_by(world: &World, index: usize, cause: EndCause) -> usize {
    world.events(index, |event| matches!(event, Event::MemberEnded { cause: by, .. } if *by == cause))
}

/// How often each node distrusted what another one may have written; all of them joined by a distrust, as the era was new (P-25, P-28).
fn doubts(world: &World) -> Vec<usize> {
    let is_doubt =
        |output: &&Output| !matches!(output, Output::Distrust { cause: DistrustCause::Joined, .. });
    world.alive().map(|node| node.distrusts.iter().filter(is_doubt).count()).collect()
}

#[test]
fn an_end_that_is_listed_for_longer_than_it_is_remembered_is_distrusted_once() {
    // P-30a: the broker of this world lists ends for ever
    let mut world = World::joined(4, Members::Registered, 71);
    world.write(2, 1);
    world.write(3, 2);
    world.run_for(SECOND);
    world.leave(2);
    world.run_for(SECOND);
    world.kill(2);
    world.kill(3);
    world.run_for(40 * SECOND);
    for index in [0, 1] {
        assert_eq!(ended_by(&world, index, EndCause::Bye), 1);
        assert_eq!(ended_by(&world, index, EndCause::Arbiter), 1);
    }
    assert_eq!(doubts(&world), [2, 2], "at the unclean end, and when the longest transaction was over");
    world.run_for(660 * SECOND);
    assert_eq!(doubts(&world), [2, 2], "{}", world.describe());
    world.assert_joined();
    world.assert_coherent();
}

#[test]
fn an_entry_that_a_leaver_could_not_end_is_ended_by_those_who_heard_its_goodbye() {
    // P-30a
    let mut world = World::joined(3, Members::Registered, 72);
    world.write(2, 1);
    world.leave(2);
    // Its goodbyes are on their way; it is stopped before it asks the broker for anything.
    world.pause(2, 600 * SECOND);
    world.run_for(5 * MS);
    world.kill(2);
    assert_eq!(world.broker().count(), 3, "its entry is still there");
    for index in [0, 1] {
        assert_eq!(ended_by(&world, index, EndCause::Bye), 1);
    }
    world.run_for(2 * SECOND);
    assert_eq!(world.broker().count(), 3, "not before its count stood still for L");
    world.run_for(3 * SECOND);
    assert_eq!(world.broker().count(), 2);
    for _ in 0..680 {
        world.run_for(SECOND);
        world.assert_joined();
    }
    assert_eq!(doubts(&world), [0, 0], "it said goodbye, and all of it is here");
    world.assert_coherent();
}

/// Node a in a register, with a common link, and what its broker would hold.
struct Registered {
    puppet: Puppet,
    common: LinkId,
    /// The others that are listed, with their numbers.
    listed: Vec<usize>,
    renewals: u64,
}

impl Registered {
    const COMMON: LinkId = LinkId(1_000);

    fn new() -> Self {
        let mut puppet = Puppet::with(Config::new(name("shop"), name("a"), Membership::Registered));
        puppet.input(Input::CommonUp { link: Self::COMMON });
        Self { puppet, common: Self::COMMON, listed: Vec::new(), renewals: 0 }
    }

    /// The same, joined with b.
    fn joined() -> (Self, LinkId) {
        let mut node = Self::new();
        node.listed.push(1);
        node.pass(300);
        let link = node.meet(1);
        node.pass(4_000);
        assert_eq!(node.puppet.node.state, State::Joined);
        (node, link)
    }

    fn meet(&mut self, index: usize) -> LinkId {
        let link = self.puppet.link_up(Order::Unordered);
        self.puppet.hello(link, index, false);
        self.puppet.admit(link, index, 0);
        link
    }

    /// Time passes, and each reading is answered; nothing is sent.
    fn pass(&mut self, ms: u64) {
        for _ in 0..ms / 20 {
            self.puppet.pass(20);
            self.answer(Vec::new());
        }
    }

    fn answer(&mut self, ended: Vec<unstale_core::Ended>) {
        let requests = std::mem::take(&mut self.puppet.node.requests);
        let reading = requests.iter().rev().find_map(|request| match request {
            RegisterRequest::Read { reading } => Some(*reading),
            _ => None,
        });
        let Some(reading) = reading else { return };
        self.renewals += 1;
        let others = self.listed.iter().map(|index| (Puppet::peer(*index), "peer"));
        let entry = |(stream, called): (Stream, &str)| Listed {
            entry: Entry { stream, name: name(called), scopes: Vec::new(), end: None },
            renewals: self.renewals,
        };
        let entries = others.chain([(self.puppet.me(), "a")]).map(entry).collect();
        self.puppet.input(Input::Listed(Listing { reading, era: 1, entries, ended }));
    }

    /// The number of the round that is opened now, if any is.
    fn opens(&mut self) -> Option<u64> {
        round(&self.puppet.sent(self.common))
    }

    fn answer_round(&mut self, link: LinkId, index: usize, number: u64) {
        let (stream, pacemaker) = (Puppet::peer(index), self.puppet.me());
        let (joining, missed, hurry) = (false, false, false);
        let answer = Answer { stream, pacemaker, number, last: Seq::ZERO, joining, missed, hurry };
        self.puppet.say(link, Message::Answer(answer));
    }

    /// Whether it asked for the end of its own entry.
    fn has_retired(&self) -> bool {
        let is_it = |request: &RegisterRequest| matches!(request, RegisterRequest::Retire(entry) if entry.stream == self.puppet.me());
        self.puppet.node.requests.iter().any(is_it)
    }
}

fn round(messages: &[Message]) -> Option<u64> {
    messages.iter().find_map(|message| match message {
        Message::Round(round) => Some(round.number),
        _ => None,
    })
}

#[test]
fn a_newcomer_that_comes_before_the_next_round_is_written_is_asked_to_answer_the_last_one() {
    // P-28a: the common link takes nothing while the newcomer comes
    let (mut node, b) = Registered::joined();
    let first = node.opens().unwrap();
    node.answer_round(b, 1, first);
    node.pass(100);
    node.listed.push(2);
    let c = node.meet(2);
    assert_eq!(node.opens(), None, "the newcomer has not answered the last round");
    node.puppet.drain_links();
    node.pass(300);
    assert_eq!(round(&node.puppet.sent(c)), Some(first), "nobody asks the newcomer");
    node.answer_round(c, 2, first);
    node.pass(100);
    assert_eq!(node.opens(), Some(first + 1));
}

#[test]
fn what_waits_under_the_next_stream_is_not_said_to_be_sent_because_the_last_one_had_sent_more() {
    // P-9, P-34
    let (mut node, b) = Registered::joined();
    let write = |node: &mut Registered| {
        let now = node.puppet.now;
        node.puppet.node.append(now, &[key_act(1)], Batch::Loose);
        node.puppet.node.hand_over(now, &Truth::default());
    };
    for _ in 0..3 {
        write(&mut node);
    }
    let sent = node.puppet.sent(node.common);
    assert!(sent.iter().any(|message| matches!(message, Message::Frame(_))), "{sent:?}");
    let me = node.puppet.me();
    node.puppet.input(Input::Tick);
    node.pass(80);
    node.puppet.pass(100);
    node.answer(vec![Puppet::ended(me, 0, 3, EndCause::Arbiter)]);
    assert_ne!(node.puppet.me(), me);
    let ends = |event: &&Event| matches!(event, Event::SelfEnded { why: SelfEnd::Ended, .. });
    assert_eq!(node.puppet.node.events.iter().filter(ends).count(), 1);
    write(&mut node);
    node.pass(200);
    let flushed = node.puppet.sent(b).into_iter().find_map(|message| match message {
        Message::Beat(beat) => Some((beat.last, beat.flushed)),
        _ => None,
    });
    assert_eq!(flushed, Some((Seq(1), Seq::ZERO)), "its frame waits for the common link");
}

#[test]
fn a_leaver_ends_its_entry_when_the_last_link_that_a_goodbye_is_due_on_goes_down() {
    // P-30a
    let (mut node, b) = Registered::joined();
    let c = node.meet(2);
    node.puppet.input(Input::Leave);
    let said = node.puppet.sent(b);
    assert!(matches!(said.last(), Some(Message::Bye(_))), "{said:?}");
    node.puppet.input(Input::Tick);
    assert!(!node.has_retired(), "a goodbye is due to c");
    node.puppet.input(Input::LinkDown { link: c });
    assert!(node.has_retired());
}

#[test]
fn a_leaver_ends_its_entry_whatever_links_come_up_after_it_began_to_leave() {
    // P-30a
    let (mut node, b) = Registered::joined();
    node.puppet.input(Input::Leave);
    let late = node.puppet.link_up(Order::Unordered);
    assert!(node.puppet.sent(late).is_empty(), "nothing is said to who comes now");
    assert!(!node.has_retired());
    node.puppet.sent(b);
    node.puppet.input(Input::Tick);
    assert!(node.has_retired());
}
