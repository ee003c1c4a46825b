//! The checkers find what a checker finds that compares everything with everything, as the promises are worded.

use std::time::Duration;

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use unstale_audit::{
    Begin, Clock, Floor, Marks, Monotone, Promise, Read, Scribe, Served, Terms, Token, Write, check,
};

const KEYS: [&[u8]; 2] = [b"x", b"y"];
const STREAMS: [&[u8]; 2] = [b"s", b"t"];
const SETTLING: u64 = 5;
const CALM_AGE_MAX: u64 = 3;

type NamedRead = Read<&'static [u8], &'static [u8]>;
type NamedWrite = Write<&'static [u8], &'static [u8]>;

#[derive(Clone, Debug)]
enum Noted {
    Read(NamedRead),
    Write(NamedWrite),
    Floor(Floor<&'static [u8]>),
    Fault(u64, Option<u64>),
}

impl Noted {
    fn write(&self) -> Option<&NamedWrite> {
        if let Self::Write(write) = self { Some(write) } else { None }
    }
}

/// Small numbers, so that everything meets everything.
fn instant() -> impl Strategy<Value = u64> {
    0_u64..40
}

fn token() -> impl Strategy<Value = Option<Token<&'static [u8]>>> {
    of((0..STREAMS.len(), 1_u64..6))
        .prop_map(|token| token.map(|(stream, number)| Token { stream: STREAMS[stream], number }))
}

fn read() -> impl Strategy<Value = NamedRead> {
    let what = (0..2_u32, 0..KEYS.len(), of(0_u64..6), instant(), 0_u64..5);
    let asked = (of(0_u64..8), of(0_u64..3), of(0_u64..4), token(), of(0_u64..2));
    (what, asked).prop_map(|((process, key, version, began, took), (within, own, due, token, session))| {
        Read {
            process,
            key: KEYS[key],
            version,
            began,
            ended: began + took,
            served: Served::Hit,
            within,
            own,
            due,
            token,
            session,
        }
    })
}

fn write() -> impl Strategy<Value = NamedWrite> {
    let what = (0..2_u32, 0..KEYS.len(), 1_u64..6, instant(), 0_u64..5, any::<bool>(), token());
    what.prop_map(|(process, key, version, began, took, announced, token)| Write {
        process,
        key: KEYS[key],
        version,
        began,
        ended: began + took,
        announced,
        token,
    })
}

fn noted() -> impl Strategy<Value = Noted> {
    prop_oneof![
        8 => read().prop_map(Noted::Read),
        6 => write().prop_map(Noted::Write),
        1 => (0..KEYS.len(), 1_u64..4, instant())
            .prop_map(|(key, version, from)| Noted::Floor(Floor { key: KEYS[key], version, from })),
        1 => (instant(), of(0_u64..9)).prop_map(|(at, took)| Noted::Fault(at, took.map(|took| at + took))),
    ]
}

/// As the promises are worded, in a time of reads times everything.
fn naive(all: &[Noted], marks: Marks, monotone: Monotone) -> [u64; Promise::ALL.len()] {
    let mut violations = [0; Promise::ALL.len()];
    for noted in all {
        let Noted::Read(read) = noted else { continue };
        let Some(version) = read.version else { continue };
        let of_key = |write: &&NamedWrite| write.key == read.key && write.version > version;
        let writes = || all.iter().filter_map(Noted::write).filter(of_key);
        let own = match read.own {
            Some(own) => version < own,
            None => writes().any(|write| write.process == read.process && write.ended < read.began),
        };
        let by_token = read.token.is_some_and(|demanded| {
            writes().any(|write| {
                let is_before =
                    |token: Token<_>| token.stream == demanded.stream && token.number <= demanded.number;
                write.token.is_some_and(is_before)
            })
        });
        let session = read.due.is_some_and(|due| version < due) || by_token;
        let announced_before =
            |age: u64| writes().any(|write| write.announced && write.ended + age < read.began);
        let proven = read.within.is_some_and(announced_before);
        let below_floor = all.iter().any(|noted| {
            matches!(noted, Noted::Floor(floor)
                if floor.key == read.key && floor.from <= read.began && version < floor.version)
        });
        let is_in_trouble = all.iter().any(|noted| {
            matches!(noted, Noted::Fault(at, healed)
                if *at <= read.began && healed.is_none_or(|healed| read.began < healed + SETTLING))
        });
        let is_calm = marks == Marks::EveryFault && !is_in_trouble;
        let settled = below_floor || (is_calm && announced_before(CALM_AGE_MAX));
        let went_back = monotone == Monotone::Promised
            && read.session.is_some()
            && all.iter().any(|noted| {
                matches!(noted, Noted::Read(other)
                    if other.key == read.key
                        && other.session == read.session
                        && other.ended < read.began
                        && other.version > Some(version))
            });
        let found = [own, session, proven, settled, went_back].into_iter().position(|is_broken| is_broken);
        if let Some(promise) = found {
            violations[promise] += 1;
        }
    }
    violations
}

fn fast(all: &[Noted], marks: Marks, monotone: Monotone) -> [u64; Promise::ALL.len()] {
    let begin = Begin { clock: Clock::virtual_time(), marks, at: 0, source: "test" };
    let mut scribe = Scribe::new(Vec::new(), &begin).expect("memory");
    for name in ["a", "b"] {
        scribe.process(name, 0).expect("memory");
    }
    for noted in all {
        match noted {
            Noted::Read(read) => scribe.read(read),
            Noted::Write(write) => scribe.write(write),
            Noted::Floor(floor) => scribe.floor(floor),
            Noted::Fault(at, healed) => scribe
                .fault_begins(*at, "fault")
                .and_then(|fault| healed.map_or(Ok(()), |healed| scribe.fault_heals(fault, healed))),
        }
        .expect("memory");
    }
    let history = scribe.finish().expect("memory");
    let terms = Terms {
        monotone,
        settling: Duration::from_nanos(SETTLING),
        calm_age_max: Duration::from_nanos(CALM_AGE_MAX),
    };
    check(1, |_| Ok(history.as_slice()), terms, |_| {}).expect("a history").violations
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn the_fast_checker_finds_what_the_naive_one_finds(
        all in vec(noted(), 0..40),
        marks in prop_oneof![Just(Marks::None), Just(Marks::EveryFault)],
        monotone in prop_oneof![Just(Monotone::Unpromised), Just(Monotone::Promised)],
    ) {
        prop_assert_eq!(fast(&all, marks, monotone), naive(&all, marks, monotone));
    }
}

#[test]
fn random_histories_break_every_promise_often_enough_to_compare() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut sums = [0; Promise::ALL.len()];
    for _ in 0..1_000 {
        let all = vec(noted(), 0..40).new_tree(&mut runner).expect("a history").current();
        let violations = naive(&all, Marks::EveryFault, Monotone::Promised);
        sums.iter_mut().zip(violations).for_each(|(sum, more)| *sum += more);
    }
    assert!(sums.iter().all(|sum| *sum > 20), "{sums:?}");
}
