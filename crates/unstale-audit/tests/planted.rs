//! Each promise, broken once on purpose, is found by its name and its record; kept by a hair it is not.

use unstale_audit::{
    Begin, Clock, Floor, Marks, Monotone, Promise, Read, Report, Scribe, Served, Terms, Token, Write, check,
};

const SECOND: u64 = 1_000_000_000;
const KEY: &[u8] = b"k";

type Memory = Scribe<Vec<u8>>;

/// A history by one virtual clock with two processes, 0 and 1. Faults are marked.
fn scribe() -> Memory {
    let begin = Begin { clock: Clock::virtual_time(), marks: Marks::EveryFault, at: 0, source: "test" };
    with_processes(&begin)
}

fn with_processes(begin: &Begin<'_>) -> Memory {
    let mut scribe = Scribe::new(Vec::new(), begin).expect("memory");
    for name in ["a", "b"] {
        scribe.process(name, 0).expect("memory");
    }
    scribe
}

fn read(scribe: &mut Memory, read: Read<&[u8], &[u8]>) {
    scribe.read(&Read { ended: read.began.max(read.ended), ..read }).expect("memory");
}

fn write(scribe: &mut Memory, process: u32, version: u64, ended: u64) {
    scribe.write(&Write { announced: true, ended, ..Write::new(process, KEY, version) }).expect("memory");
}

fn plain(version: u64, began: u64) -> Read<&'static [u8], &'static [u8]> {
    Read { began, ..Read::new(0, KEY, version, Served::Hit) }
}

fn checked(scribes: Vec<Memory>, terms: Terms) -> Report {
    let files: Vec<_> = scribes.into_iter().map(|scribe| scribe.finish().expect("memory")).collect();
    let report = check(files.len(), |file| Ok(files[file].as_slice()), terms, |_| {}).expect("histories");
    assert!(report.is_complete());
    report
}

/// The promise that is broken by one read, the read's record and that of what it missed.
fn broken(scribe: Memory) -> Option<(Promise, u64, u64)> {
    let terms = Terms { monotone: Monotone::Promised, ..Terms::default() };
    only(&checked(vec![scribe], terms))
}

fn only(report: &Report) -> Option<(Promise, u64, u64)> {
    assert_eq!(report.stale_reads(), report.examples.len() as u64, "{:?}", report.examples);
    assert!(report.examples.len() <= 1, "{:?}", report.examples);
    report.examples.first().map(|example| (example.promise, example.record, example.due.record))
}

#[test]
fn a_proven_read_that_misses_a_write_announced_before_its_bound_is_found() {
    let planted = |age| {
        let mut scribe = scribe();
        // Begin, two processes and the key are the records before it.
        write(&mut scribe, 1, 2, SECOND);
        read(&mut scribe, Read { within: Some(250), ..plain(1, SECOND + age) });
        broken(scribe)
    };
    assert_eq!(planted(251), Some((Promise::Proven, 6, 5)));
    assert_eq!(planted(250), None);
}

#[test]
fn a_bypass_has_to_show_what_was_announced_before_it_began() {
    let planted = |began| {
        let mut scribe = scribe();
        write(&mut scribe, 1, 2, SECOND);
        read(&mut scribe, Read { within: Some(0), served: Served::Bypass, ..plain(1, began) });
        broken(scribe)
    };
    assert_eq!(planted(SECOND + 1), Some((Promise::Proven, 6, 5)));
    assert_eq!(planted(SECOND), None);
}

#[test]
fn a_read_older_than_what_its_process_had_written_is_found_announced_or_not() {
    let planted = |process, began| {
        let mut scribe = scribe();
        scribe.write(&Write { ended: SECOND, ..Write::new(process, KEY, 2) }).expect("memory");
        read(&mut scribe, plain(1, began));
        broken(scribe)
    };
    assert_eq!(planted(0, SECOND + 1), Some((Promise::OwnWrites, 6, 5)));
    assert_eq!(planted(0, SECOND), None, "it had not returned before");
    assert_eq!(planted(1, 9 * SECOND), None, "another process's unannounced write");
}

#[test]
fn what_a_process_says_that_it_had_written_counts_more_than_what_was_recorded() {
    let planted = |own| {
        let mut scribe = scribe();
        scribe.write(&Write { ended: SECOND, ..Write::new(0, KEY, 2) }).expect("memory");
        read(&mut scribe, Read { own: Some(own), ..plain(1, 9 * SECOND) });
        broken(scribe).map(|(promise, ..)| promise)
    };
    assert_eq!(planted(2), Some(Promise::OwnWrites));
    assert_eq!(planted(0), None);
}

#[test]
fn a_read_older_than_the_write_of_its_token_is_found_across_clocks() {
    let planted = |number| {
        let token = |number| Some(Token { stream: b"stream".as_slice(), number });
        let mut here = scribe();
        let elsewhere = Begin { clock: Clock::Own, marks: Marks::None, at: 77 * SECOND, source: "elsewhere" };
        let mut there = with_processes(&elsewhere);
        let act = Write { ended: 77 * SECOND, token: token(5), ..Write::new(1, KEY, 2) };
        there.write(&act).expect("memory");
        read(&mut here, Read { token: token(number), ..plain(1, SECOND) });
        only(&checked(vec![here, there], Terms::default()))
    };
    // Records are counted over both: seven of the first (an end mark among them), then begin, processes, key, stream.
    assert_eq!(planted(5), Some((Promise::Session, 6, 7 + 6)));
    assert_eq!(planted(6), Some((Promise::Session, 6, 7 + 6)), "a token stands for all acts before it, too");
    assert_eq!(planted(4), None);
}

#[test]
fn a_read_older_than_the_version_that_it_demanded_is_found() {
    let planted = |due| {
        let mut scribe = scribe();
        read(&mut scribe, Read { due: Some(due), ..plain(1, SECOND) });
        broken(scribe)
    };
    assert_eq!(planted(2), Some((Promise::Session, 5, 0)));
    assert_eq!(planted(1), None);
}

#[test]
fn a_plain_read_is_settled_but_near_a_fault() {
    let planted = |began, fault: Option<(u64, u64)>| {
        let mut scribe = scribe();
        write(&mut scribe, 1, 2, 10 * SECOND);
        if let Some((begins, heals)) = fault {
            let fault = scribe.fault_begins(begins, "cut").expect("memory");
            scribe.fault_heals(fault, heals).expect("memory");
        }
        read(&mut scribe, plain(1, began));
        broken(scribe).map(|(promise, ..)| promise)
    };
    assert_eq!(planted(11 * SECOND, None), None);
    assert_eq!(planted(11 * SECOND + 1, None), Some(Promise::Settled));
    let fault = Some((9 * SECOND, 15 * SECOND));
    assert_eq!(planted(20 * SECOND - 1, fault), None);
    assert_eq!(planted(20 * SECOND, fault), Some(Promise::Settled));
}

#[test]
fn a_read_below_a_floor_is_found_although_its_write_was_never_announced() {
    let planted = |began| {
        let mut scribe = scribe();
        scribe.floor(&Floor { key: KEY, version: 2, from: SECOND }).expect("memory");
        read(&mut scribe, plain(1, began));
        broken(scribe)
    };
    assert_eq!(planted(SECOND), Some((Promise::Settled, 6, 5)));
    assert_eq!(planted(SECOND - 1), None);
}

#[test]
fn a_session_that_goes_back_is_found_and_only_told_where_that_was_not_promised() {
    let planted = |began, session, monotone| {
        let mut scribe = scribe();
        read(&mut scribe, Read { session: Some(1), ended: SECOND, ..plain(2, SECOND / 2) });
        read(&mut scribe, Read { session, process: 1, ..plain(1, began) });
        let report = checked(vec![scribe], Terms { monotone, ..Terms::default() });
        (only(&report), report.went_back)
    };
    let found = Some((Promise::Monotone, 6, 5));
    assert_eq!(planted(SECOND + 1, Some(1), Monotone::Promised), (found, 1));
    assert_eq!(planted(SECOND + 1, Some(1), Monotone::Unpromised), (None, 1));
    assert_eq!(planted(SECOND, Some(1), Monotone::Promised), (None, 0), "they overlap");
    assert_eq!(planted(SECOND + 1, Some(2), Monotone::Promised), (None, 0), "another session");
    assert_eq!(planted(SECOND + 1, None, Monotone::Promised), (None, 0), "no session");
}

#[test]
fn where_faults_are_not_marked_stale_plain_reads_are_counted_with_their_age() {
    let begin = Begin { clock: Clock::virtual_time(), marks: Marks::None, at: 0, source: "test" };
    let mut scribe = with_processes(&begin);
    write(&mut scribe, 1, 2, SECOND);
    read(&mut scribe, plain(1, 9 * SECOND));
    let report = checked(vec![scribe], Terms::default());
    assert_eq!((report.stale_reads(), report.is_marked()), (0, false));
    assert_eq!((report.stale_unpromised, report.stale_unpromised_age_max), (1, 8 * SECOND));
}

#[test]
fn writes_of_another_clock_convict_nobody_by_their_instants() {
    let mut here = scribe();
    let elsewhere = Begin { clock: Clock::Own, marks: Marks::EveryFault, at: 0, source: "elsewhere" };
    let mut there = with_processes(&elsewhere);
    write(&mut there, 1, 2, SECOND);
    read(&mut here, Read { within: Some(0), ..plain(1, 9 * SECOND) });
    let report = checked(vec![here, there], Terms::default());
    assert_eq!((report.stale_reads(), report.clocks), (0, 2));
}

#[test]
fn a_read_that_said_that_it_may_be_stale_is_excused_and_one_without_a_version_is_not_judged() {
    let mut scribe = scribe();
    write(&mut scribe, 0, 2, SECOND);
    read(&mut scribe, Read { served: Served::Stale, ..plain(1, 9 * SECOND) });
    read(&mut scribe, Read { version: None, ..plain(1, 9 * SECOND) });
    read(&mut scribe, Read { served: Served::Stale, ..plain(2, 9 * SECOND) });
    let report = checked(vec![scribe], Terms::default());
    assert_eq!((report.stale_reads(), report.unversioned), (0, 1));
    assert_eq!((report.said_stale, report.excused), (2, 1));
}

#[test]
fn keys_without_number_are_introduced_again_when_their_writer_had_to_forget_them() {
    // More than a writer knows at a time.
    const KEYS: u32 = 150_000;
    let mut scribe = scribe();
    write(&mut scribe, 1, 2, SECOND);
    for key in 0..KEYS {
        let key = key.to_le_bytes();
        scribe.read(&Read::new(0, key.as_slice(), 1, Served::Load)).expect("memory");
    }
    read(&mut scribe, Read { within: Some(250), ..plain(1, 2 * SECOND) });
    let report = checked(vec![scribe], Terms::default());
    assert_eq!(report.keys, KEYS as usize + 1);
    // Each key has a record of its own, the last read's a second one, and one record says that all were forgotten.
    let records = 3 + 2 + 2 * u64::from(KEYS) + 1 + 2;
    assert_eq!(only(&report), Some((Promise::Proven, records, 5)));
}

#[test]
fn the_story_of_a_violation_names_the_records_around_it_by_time() {
    let mut scribe = scribe();
    write(&mut scribe, 1, 1, SECOND / 2);
    read(&mut scribe, plain(1, SECOND * 3 / 4));
    write(&mut scribe, 1, 2, SECOND);
    read(&mut scribe, Read { within: Some(250_000), ..plain(1, SECOND + 1_000_000) });
    write(&mut scribe, 1, 3, 2 * SECOND);
    let report = checked(vec![scribe], Terms::default());
    let example = &report.examples[0];
    assert_eq!((example.process.as_str(), example.key.as_str(), example.version), ("a", "k", 1));
    assert_eq!((example.record, example.due.version, example.due.record), (8, 2, 7));
    let lines: Vec<_> =
        example.lines.iter().map(|line| (line.record, line.after, line.words.as_str())).collect();
    assert_eq!(
        lines,
        [
            (5, -501_000_000, "b wrote version 1 (announced, took 500.000 ms)"),
            (6, -251_000_000, "a read version 1 (hit, took 0.000 ms)"),
            (7, -1_000_000, "b wrote version 2 (announced, took 1000.000 ms)  <- this was due"),
            (8, 0, "a read version 1 (hit, took 0.000 ms), proven within 0.250 ms  <- the read"),
            (9, 999_000_000, "b wrote version 3 (announced, took 2000.000 ms)"),
        ]
    );
}

#[test]
fn a_history_that_ends_without_its_mark_lost_records_or_is_torn_is_not_complete() {
    let whole = |lost| {
        let mut scribe = scribe();
        if lost > 0 {
            scribe.lost(lost).expect("memory");
        }
        scribe.finish().expect("memory")
    };
    let report = |bytes: &[u8]| check(1, |_| Ok(bytes), Terms::default(), |_| {}).expect("a history");
    let bytes = whole(0);
    assert!(report(&bytes).is_complete());
    let lossy = report(&whole(3));
    assert_eq!((lossy.is_complete(), lossy.files[0].lost), (false, 3));
    // The end mark has two bytes.
    let unended = report(&bytes[..bytes.len() - 2]);
    assert_eq!((unended.is_complete(), unended.files[0].torn, unended.files[0].ended), (false, None, false));
    let torn = report(&bytes[..bytes.len() - 1]);
    assert_eq!((torn.is_complete(), torn.files[0].torn), (false, Some(bytes.len() as u64 - 2)));
}
