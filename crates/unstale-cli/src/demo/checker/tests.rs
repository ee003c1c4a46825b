use super::*;
use crate::demo::line::{ActNumber, How, Served};

const SECOND: u64 = 1_000_000_000;
const MILLI: u64 = 1_000_000;
/// After every read of these tests.
const JUDGEMENT: u64 = 100 * SECOND;

/// Row 0 became version 2 at second 10 and version 3 at second 20, both announced.
fn checker() -> Checker {
    let mut checker = Checker::new(2, None);
    announce(&mut checker, 2, 10 * SECOND);
    announce(&mut checker, 3, 20 * SECOND);
    checker
}

fn announce(checker: &mut Checker, version: Version, returned: u64) {
    checker.write(&write(version, returned, true));
}

fn write(version: Version, returned: u64, announced: bool) -> Write {
    Write {
        row: 0,
        version,
        began: returned,
        returned,
        announced,
        act: ActNumber::default(),
        token: String::new(),
    }
}

fn read(version: Version, began: u64, how: How) -> Read {
    Read { row: 0, version, began, ended: began, own: 0, how, served: Served::Hit, reader: 0 }
}

fn broken(mut checker: Checker, read: Read) -> Option<Promise> {
    checker.read(4, read);
    checker.judge(JUDGEMENT);
    let found = checker.findings();
    assert_eq!(found.stale_reads(), found.examples.len() as u64);
    assert!(found.examples.iter().all(|violation| violation.node == 4 && violation.read == read));
    found.examples.first().map(|violation| violation.promise)
}

#[test]
fn a_read_older_than_a_write_that_returned_on_its_node_is_found() {
    let after = |own| Read { own, ..read(2, 5 * SECOND, How::Plain) };
    assert_eq!(broken(checker(), after(3)), Some(Promise::OwnWrites));
    assert_eq!(broken(checker(), after(2)), None);
}

#[test]
fn a_read_older_than_the_write_of_its_token_is_found_even_during_a_fault() {
    let mut faulty = checker();
    faulty.fault_begins(SECOND);
    assert_eq!(broken(faulty, read(2, 20 * SECOND, How::Session(3))), Some(Promise::Session));
    assert_eq!(broken(checker(), read(3, 20 * SECOND, How::Session(3))), None);
}

#[test]
fn a_read_called_proven_is_found_when_it_misses_a_write_announced_before_its_bound() {
    let within = How::Within(250 * MILLI);
    let in_trouble = |read| {
        let mut checker = checker();
        checker.fault_begins(SECOND);
        broken(checker, read)
    };
    assert_eq!(in_trouble(read(2, 20 * SECOND + 251 * MILLI, within)), Some(Promise::Proven));
    assert_eq!(in_trouble(read(2, 20 * SECOND + 250 * MILLI, within)), None);
    assert_eq!(in_trouble(read(3, 99 * SECOND, within)), None);
    // Version 2 came in time, but version 1 misses version 2 as well, and that one long ago.
    assert_eq!(in_trouble(read(1, 20 * SECOND + 1, within)), Some(Promise::Proven));
}

#[test]
fn a_bypass_must_show_everything_announced_before_it_began() {
    assert_eq!(broken(checker(), read(2, 20 * SECOND + 1, How::Within(0))), Some(Promise::Proven));
    assert_eq!(broken(checker(), read(2, 20 * SECOND, How::Within(0))), None);
}

#[test]
fn the_write_announced_first_counts_where_versions_were_announced_out_of_order() {
    let mut checker = Checker::new(1, None);
    announce(&mut checker, 2, 30 * SECOND);
    announce(&mut checker, 3, 10 * SECOND);
    assert_eq!(broken(checker, read(1, 12 * SECOND, How::Within(SECOND))), Some(Promise::Proven));
}

#[test]
fn a_write_reported_after_the_read_still_convicts_it() {
    let mut checker = Checker::new(1, None);
    checker.read(0, read(1, 11 * SECOND, How::Within(0)));
    checker.judge(10 * SECOND);
    announce(&mut checker, 2, 10 * SECOND);
    checker.judge(11 * SECOND);
    assert_eq!(checker.findings().violations, [0, 0, 1, 0]);
}

#[test]
fn an_unannounced_write_convicts_nobody_but_its_own_node_and_its_token() {
    let mut checker = Checker::new(1, None);
    checker.write(&write(2, 10 * SECOND, false));
    checker.read(0, read(1, 15 * SECOND, How::Within(0)));
    checker.judge(JUDGEMENT);
    assert_eq!(checker.findings().stale_reads(), 0);
}

#[test]
fn a_plain_read_is_found_when_nothing_is_wrong_and_it_is_more_than_a_second_behind() {
    assert_eq!(broken(checker(), read(2, 21 * SECOND + 1, How::Plain)), Some(Promise::Settled));
    assert_eq!(broken(checker(), read(2, 21 * SECOND, How::Plain)), None);
}

#[test]
fn stale_plain_reads_during_a_fault_and_five_seconds_after_it_are_counted_apart_with_their_age() {
    let mut checker = checker();
    let fault = checker.fault_begins(19 * SECOND);
    checker.fault_heals(fault, 22 * SECOND);
    checker.read(0, read(2, 21 * SECOND, How::Plain));
    checker.read(0, read(2, 26 * SECOND, How::Plain));
    checker.judge(JUDGEMENT);
    assert_eq!(checker.findings().stale_reads(), 0);
    assert_eq!(checker.findings().during_faults.len(), 2);
    let oldest = checker.findings().during_faults.max();
    assert!((5_990..6_010).contains(&oldest), "{oldest} ms");

    checker.read(0, read(2, 27 * SECOND, How::Plain));
    checker.judge(JUDGEMENT);
    assert_eq!(checker.findings().violations, [0, 0, 0, 1]);
}

#[test]
fn once_settled_no_read_is_older_than_the_database_announced_or_not() {
    let settled = || {
        let mut checker = Checker::new(2, None);
        checker.settled(30 * SECOND, &[5, 1]);
        checker
    };
    assert_eq!(broken(settled(), read(4, 30 * SECOND, How::Plain)), Some(Promise::Settled));
    assert_eq!(broken(settled(), read(5, 30 * SECOND, How::Plain)), None);
    assert_eq!(broken(settled(), read(4, 30 * SECOND - 1, How::Plain)), None);
}

#[test]
fn reads_are_held_until_every_report_is_in_and_old_writes_are_forgotten_but_for_the_newest() {
    let mut checker = checker();
    checker.read(0, read(3, 21 * SECOND, How::Plain));
    checker.judge(21 * SECOND - 1);
    assert_eq!(checker.findings().judged, Judged::default());
    checker.judge(21 * SECOND);
    assert_eq!(checker.findings().judged.plain, 1);

    checker.judge(21 * SECOND + nanos(MEMORY));
    assert_eq!(checker.ledger.remembered(CLOCK, 0), 1);
    checker.read(0, read(1, 90 * SECOND, How::Plain));
    checker.judge(JUDGEMENT);
    assert_eq!(checker.findings().violations, [0, 0, 0, 1]);
    assert_eq!(checker.findings().at_node, [1]);
}
