//! Two ends of a link, with the letters between them lost, held and cut at will.

use bolero::{TypeGenerator, check};
use unstale_port::{EndedEntry, Entry};

use super::*;

const A: Process = Process([1; 16]);
const B: Process = Process([2; 16]);

/// Two ends, the letters between them, and what the owners saw.
struct World {
    ends: [Links; 2],
    wire: [VecDeque<Letter>; 2],
    up: [Option<LinkId>; 2],
    writable: [bool; 2],
    /// What each end sent over the link that is up, by pairs of ends; and what came of it.
    came: [Vec<Frame>; 2],
    downs: usize,
    now: Instant,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            ends: [Links::new(A), Links::new(B)],
            wire: [VecDeque::new(), VecDeque::new()],
            up: [None; 2],
            writable: [false; 2],
            came: [Vec::new(), Vec::new()],
            downs: 0,
            now: Instant::now(),
        };
        for end in 0..2 {
            world.ends[end].connected(world.now);
            world.list(end);
        }
        world
    }

    fn list(&mut self, end: usize) {
        let id = |text: &'static str| BTreeSet::from([Bytes::from_static(text.as_bytes())]);
        let listed = BTreeMap::from([(A, id("a")), (B, id("b"))]);
        self.ends[end].list(&listed, &listing(&[]), self.now);
        self.see(end);
    }

    /// Takes in what an end says and sends.
    fn see(&mut self, end: usize) {
        self.ends[end].grant(true);
        while let Some(event) = self.ends[end].next_event() {
            match event {
                Event::Up { link, .. } => {
                    assert_eq!(self.up[end], None, "one link to one process");
                    self.up[end] = Some(link);
                    self.came[end].clear();
                }
                Event::Down { link, .. } => {
                    assert_eq!(self.up[end].take(), Some(link), "it was up");
                    (self.writable[end], self.downs) = (false, self.downs + 1);
                }
                Event::Writable { link } => {
                    assert_eq!((self.up[end], self.writable[end]), (Some(link), false));
                    self.writable[end] = true;
                }
                Event::Received { link, frame } => {
                    assert_eq!(self.up[end], Some(link), "it is up");
                    self.came[end].push(frame);
                }
                Event::UpCommon { .. }
                | Event::Listed(_)
                | Event::Recognised { .. }
                | Event::Note { .. }
                | _ => {
                    panic!("no business of links to single processes")
                }
            }
        }
        while let Some(letter) = self.ends[end].next_letter() {
            self.wire[end].push_back(letter);
        }
    }

    /// Delivers the oldest letter of an end.
    fn deliver(&mut self, from: usize) {
        let Some(letter) = self.wire[from].pop_front() else { return };
        let What::Link(pair, kind) = letter.head.what else { panic!("{letter:?}") };
        self.ends[1 - from].receive(letter.head.from, pair, kind, letter.frame, self.now);
        self.see(1 - from);
    }

    fn settle(&mut self) {
        while self.wire.iter().any(|wire| !wire.is_empty()) {
            self.deliver(0);
            self.deliver(1);
        }
    }

    fn send(&mut self, end: usize, frame: Frame) {
        let link = self.up[end].expect("it is up");
        self.writable[end] = false;
        self.ends[end].send(link, frame).expect("it is writable");
        self.see(end);
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        for end in 0..2 {
            self.ends[end].tick(self.now);
            self.see(end);
        }
    }
}

fn listing(ended: &[&'static str]) -> Listing {
    let ended = ended.iter().map(|id| EndedEntry {
        entry: Entry { id: Bytes::from_static(id.as_bytes()), about: Bytes::new() },
        ago: Duration::ZERO,
    });
    Listing { reading: 1, era: 1, entries: [].into(), ended: ended.collect() }
}

#[test]
fn a_link_comes_up_once_at_both_ends_and_carries_frames_in_order() {
    let mut world = World::new();
    world.settle();
    assert!(world.up.iter().all(Option::is_some) && world.writable == [true; 2]);
    for number in 0..10_u8 {
        world.send(0, Bytes::copy_from_slice(&[number]));
        world.send(1, Bytes::copy_from_slice(&[100 + number]));
        world.settle();
    }
    assert_eq!(world.came[1].iter().map(|frame| frame[0]).collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
    assert_eq!(world.came[0].len(), 10);
    assert_eq!(world.downs, 0);
}

#[test]
fn a_frame_that_is_lost_ends_the_link_at_both_ends_and_another_comes_up() {
    let mut world = World::new();
    world.settle();
    let before = world.up;
    world.send(0, Bytes::from_static(b"lost"));
    world.wire[0].clear();
    world.send(0, Bytes::from_static(b"after"));
    world.settle();
    assert_eq!(world.downs, 2);
    assert!(world.up.iter().all(Option::is_some) && world.up != before);
    assert_eq!(world.came[1], Vec::<Frame>::new());
}

#[test]
fn an_open_that_is_lost_is_said_again() {
    let mut world = World::new();
    world.wire = Default::default();
    world.pass(OPEN_EVERY);
    world.settle();
    assert!(world.up.iter().all(Option::is_some));
    // The last word of the handshake is lost: only one end is up, and the other asks again.
    let mut world = World::new();
    world.wire[0].clear();
    world.deliver(1);
    world.deliver(0);
    world.wire = Default::default();
    world.pass(OPEN_EVERY);
    world.settle();
    assert!(world.up.iter().all(Option::is_some), "{:?}", world.up);
}

#[test]
fn no_more_than_a_window_is_under_way_until_the_other_end_reads() {
    let mut world = World::new();
    world.settle();
    let frame = Bytes::from(vec![7; 10_000]);
    let mut sent = 0;
    while world.writable[0] {
        world.send(0, frame.clone());
        sent += 1;
    }
    assert_eq!(sent, WINDOW.div_ceil(units(&frame)));
    world.settle();
    assert!(world.writable[0], "what was read makes room");
    assert_eq!(world.came[1].len() as u64, sent);
}

#[test]
fn a_link_closed_by_its_owner_comes_up_again_a_little_later() {
    let mut world = World::new();
    world.settle();
    let link = world.up[0].expect("up");
    let now = world.now;
    world.ends[0].close(link, now);
    world.see(0);
    world.settle();
    assert_eq!((world.up, world.downs), ([None; 2], 2));
    world.pass(CLOSED_FOR);
    world.settle();
    assert!(world.up.iter().all(Option::is_some));
}

#[test]
fn a_connection_that_was_lost_costs_both_ends_their_link_once() {
    let mut world = World::new();
    world.settle();
    let now = world.now;
    world.ends[0].broken("gone", now);
    world.wire = Default::default();
    world.see(0);
    world.ends[0].connected(now);
    world.see(0);
    world.settle();
    assert_eq!(world.downs, 2);
    assert!(world.up.iter().all(Option::is_some));
}

#[test]
fn who_reaches_nobody_asks_again_and_is_found_by_whoever_comes_back() {
    let mut world = World::new();
    world.settle();
    let (link, now) = (world.up[0].expect("up"), world.now);
    world.ends[0].unreached(link.0, now);
    world.see(0);
    assert_eq!(world.up[0], None);
    world.ends[1].broken("gone", now);
    world.see(1);
    world.ends[1].connected(now);
    world.see(1);
    world.settle();
    assert!(world.up.iter().all(Option::is_some), "without waiting for the next try");
}

#[test]
fn a_link_stays_until_all_entries_of_its_process_ended_or_ten_minutes_without_one() {
    let mut world = World::new();
    world.settle();
    let now = world.now;
    let mine = BTreeMap::from([(A, BTreeSet::new())]);
    world.ends[0].list(&mine, &listing(&[]), now);
    world.see(0);
    assert!(world.up[0].is_some(), "a register that is lost costs no links");
    world.ends[0].list(&mine, &listing(&["b"]), now);
    world.see(0);
    assert_eq!(world.up[0], None);

    let mut world = World::new();
    world.settle();
    let now = world.now;
    world.ends[0].list(&mine, &listing(&[]), now);
    world.pass(Listing::ENDED_FOR / 2);
    assert!(world.up[0].is_some());
    world.pass(Listing::ENDED_FOR / 2);
    assert_eq!(world.up[0], None);
}

#[test]
fn frames_for_all_that_are_missing_are_noticed() {
    let mut world = World::new();
    let links = &mut world.ends[0];
    assert!(!links.misses_common(B, 100, b"first"), "where counting begins");
    assert!(!links.misses_common(B, 106, b"next"));
    assert!(links.misses_common(B, 112, b"after a hole"));
    links.forget_common();
    assert!(!links.misses_common(B, 7, b"anew"));
    assert!(!links.misses_common(Process([9; 16]), 1, b"of nobody that is listed"));
    assert!(links.misses_common(B, u64::MAX, b"of a count that nobody comes to"));
    assert!(links.misses_common(B, 0, b"from the beginning"));
}

#[derive(Clone, Copy, Debug, TypeGenerator)]
enum Step {
    Deliver(bool),
    Lose(bool),
    Repeat(bool),
    Send(bool, u8),
    Close(bool),
    Break(bool),
    Unreached(bool),
    Wait(u8),
    Strange(bool, u8, u8, u8, u8),
}

#[test]
fn fuzz_links() {
    check!().with_type::<Vec<Step>>().for_each(|steps| play(steps));
}

/// Whatever happens, what comes over a link is a beginning of what was sent over it; and when nothing happens any more,
/// the link comes up.
fn play(steps: &[Step]) {
    let mut world = World::new();
    let mut count = 0_u64;
    let mut sent: [BTreeMap<LinkId, Vec<u64>>; 2] = Default::default();
    let mut is_strange = false;
    for step in steps {
        let now = world.now;
        match *step {
            Step::Deliver(end) => world.deliver(usize::from(end)),
            Step::Lose(end) => drop(world.wire[usize::from(end)].pop_front()),
            Step::Repeat(end) => {
                let wire = &mut world.wire[usize::from(end)];
                if let Some(letter) = wire.front().cloned() {
                    wire.push_back(letter);
                }
            }
            Step::Send(end, size) => {
                let end = usize::from(end);
                if let Some(link) = world.up[end].filter(|_| world.writable[end]) {
                    count += 1;
                    sent[end].entry(link).or_default().push(count);
                    let mut frame = count.to_be_bytes().to_vec();
                    frame.resize(8 + usize::from(size) * 512, 0);
                    world.send(end, frame.into());
                }
            }
            Step::Close(end) => {
                let end = usize::from(end);
                if let Some(link) = world.up[end] {
                    world.ends[end].close(link, now);
                    world.see(end);
                }
            }
            Step::Break(end) => {
                let end = usize::from(end);
                world.ends[end].broken("broken", now);
                world.see(end);
                world.ends[end].connected(now);
                world.see(end);
            }
            Step::Unreached(end) => {
                let end = usize::from(end);
                if let Some(link) = world.up[end] {
                    world.ends[end].unreached(link.0, now);
                    world.see(end);
                }
            }
            Step::Wait(tens) => world.pass(Duration::from_millis(10) * u32::from(tens)),
            Step::Strange(end, mine, yours, kind, units) => {
                is_strange = true;
                let pair = Pair { mine: u64::from(mine), yours: u64::from(yours) };
                let units = u64::from(units);
                let kind = match kind % 4 {
                    0 => Kind::Open,
                    1 => Kind::Data { sent: units, received: units },
                    2 => Kind::Ack { received: units },
                    _ => Kind::Close,
                };
                let end = usize::from(end);
                let from = if end == 0 { B } else { A };
                world.ends[end].receive(from, pair, kind, Frame::from_static(b"strange!"), now);
                world.see(end);
            }
        }
        if !is_strange {
            judge(&world, &sent);
        }
    }
    if is_strange {
        return; // Whoever may write into an inbox can hold up its links, but nothing more.
    }
    for _ in 0..4 {
        world.pass(OPEN_EVERY);
        world.settle();
    }
    assert!(world.up.iter().all(Option::is_some), "{:?}", world.up);
    assert_eq!(world.writable, [true; 2]);
}

fn judge(world: &World, sent: &[BTreeMap<LinkId, Vec<u64>>; 2]) {
    for end in 0..2 {
        let came: Vec<_> = world.came[end]
            .iter()
            .map(|frame| u64::from_be_bytes(frame[..8].try_into().expect("eight")))
            .collect();
        let is_beginning = |sent: &Vec<u64>| sent.starts_with(&came);
        assert!(came.is_empty() || sent[1 - end].values().any(is_beginning), "{came:?} of {sent:?}");
    }
}
