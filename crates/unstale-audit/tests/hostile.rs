//! Whatever the bytes are, they are a history or an error that says where.

use proptest::collection::vec;
use proptest::prelude::*;
use unstale_audit::{
    Begin, Clock, Error, Flaw, KEY_BYTES_MAX, MAGIC, Marks, Read, Reader, Record, Scribe, Served, Terms,
    Token, Write, check,
};

/// `records`, each with its length before it, behind the magic.
fn history(records: &[&[u8]]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    for record in records {
        bytes.push(record.len() as u8);
        bytes.extend_from_slice(record);
    }
    bytes
}

fn begin() -> Vec<u8> {
    let mut begin = vec![1, 0];
    begin.extend([0; 16]);
    begin.extend([0, 0, 0]);
    begin
}

/// Where the first error is, in which record, and what it is.
fn flaw(bytes: &[u8]) -> Option<(u64, u64, Flaw)> {
    let mut reader = match Reader::new(bytes) {
        Ok(reader) => reader,
        Err(Error::Bad { offset, record, flaw }) => return Some((offset, record, flaw)),
        Err(error) => panic!("{error}"),
    };
    loop {
        match reader.next() {
            Ok(Some(_)) => {}
            Ok(None) => return None,
            Err(Error::Bad { offset, record, flaw }) => return Some((offset, record, flaw)),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn an_error_says_where_it_is_and_what_is_wrong() {
    let begin = begin();
    // The begin has 21 bytes and its length one; eight bytes are before it.
    let at = |record: &[u8]| flaw(&history(&[&begin, record]));
    assert_eq!(at(&[6, 0, 0, 0]), Some((30, 2, Flaw::Undefined { what: "process", number: 0, known: 0 })));
    assert_eq!(at(&[2]), Some((30, 2, Flaw::Short("name"))));
    assert_eq!(at(&[2, 3, b'a']), Some((30, 2, Flaw::Short("name"))));
    assert_eq!(at(&[2, 1, 0xff, 0]), Some((30, 2, Flaw::Text("name"))));
    assert_eq!(at(&[11, 0x80, 0]), Some((30, 2, Flaw::Number("count"))));
    assert_eq!(
        at(&[11, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2]),
        Some((30, 2, Flaw::Number("count")))
    );
    assert_eq!(at(&[7, 4]), Some((30, 2, Flaw::Choice("flags", 4))));
    assert_eq!(at(&[10, 0, 0]), Some((30, 2, Flaw::Undefined { what: "fault", number: 0, known: 0 })));
    assert_eq!(at(&[]), Some((30, 2, Flaw::Length(0))));
    assert_eq!(flaw(&history(&[&[12]])), Some((8, 1, Flaw::NoBegin)));
    assert_eq!(flaw(b"unstale\x02"), Some((0, 0, Flaw::Version(2))));
    assert_eq!(flaw(b"something else"), Some((0, 0, Flaw::NoHistory)));
    let long = [history(&[&begin]), vec![0xff, 0xff, 0xff, 0x7f]].concat();
    assert_eq!(flaw(&long), Some((30, 2, Flaw::Length(0x7fff))));
}

#[test]
fn what_later_versions_add_is_skipped_and_told() {
    let end_with_more: &[u8] = &[12, 1, 2, 3];
    let bytes = history(&[&begin(), &[99, 1, 2], end_with_more]);
    let report = check(1, |_| Ok(bytes.as_slice()), Terms::default(), |_| {}).expect("a history");
    assert_eq!((report.files[0].unknown, report.files[0].ended, report.is_complete()), (1, true, false));
}

#[test]
fn an_empty_file_is_an_empty_history_and_half_a_beginning_is_a_torn_one() {
    let report =
        |bytes: &[u8]| check(1, |_| Ok(bytes), Terms::default(), |_| {}).expect("a history").files[0];
    assert_eq!((report(b"").records, report(b"").torn), (0, None));
    assert_eq!((report(b"unst").records, report(b"unst").torn), (0, Some(0)));
}

#[test]
fn names_that_are_too_long_are_refused_when_they_are_written() {
    let begin = Begin { clock: Clock::Own, marks: Marks::None, at: 0, source: "test" };
    let mut scribe = Scribe::new(Vec::new(), &begin).expect("memory");
    assert!(scribe.process(&"n".repeat(256), 0).is_err());
    let process = scribe.process(&"n".repeat(255), 0).expect("short enough");
    let mut read = |bytes: usize| scribe.read(&Read::new(process, vec![0; bytes].as_slice(), 1, Served::Hit));
    assert!(read(KEY_BYTES_MAX).is_ok());
    assert!(read(KEY_BYTES_MAX + 1).is_err());
    let nobody = scribe.write(&Write::new(process + 1, b"k".as_slice(), 1));
    assert!(nobody.is_err());
    assert_eq!(flaw(&scribe.finish().expect("memory")), None, "nothing of that was written");
}

fn sample() -> Vec<u8> {
    let begin = Begin { clock: Clock::Boot([7; 16]), marks: Marks::EveryFault, at: 1_000, source: "test" };
    let mut scribe = Scribe::new(Vec::new(), &begin).expect("memory");
    let process = scribe.process("a", 3).expect("memory");
    let token = Some(Token { stream: b"s".as_slice(), number: 9 });
    scribe.write(&Write { token, ended: 2_000, ..Write::new(process, b"k".as_slice(), 2) }).expect("memory");
    let read = Read {
        began: 900,
        ended: 3_000,
        within: Some(5),
        token,
        ..Read::new(process, b"k".as_slice(), 2, Served::Load)
    };
    scribe.read(&read).expect("memory");
    let fault = scribe.fault_begins(5_000, "cut").expect("memory");
    scribe.fault_heals(fault, 6_000).expect("memory");
    scribe.finish().expect("memory")
}

proptest! {
    #[test]
    fn any_bytes_are_read_to_their_end_or_to_an_error(bytes in vec(any::<u8>(), 0..300), with_begin: bool) {
        let begin = if with_begin { history(&[&begin()]) } else { MAGIC.to_vec() };
        flaw(&[begin, bytes].concat());
    }

    #[test]
    fn a_changed_byte_makes_an_error_or_another_history_and_never_a_panic(at: prop::sample::Index, byte: u8) {
        let mut bytes = sample();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = check(1, |_| Ok(bytes.as_slice()), Terms::default(), |_| {});
    }

    #[test]
    fn a_history_cut_anywhere_is_one_with_fewer_records(at: prop::sample::Index) {
        let bytes = sample();
        let cut = at.index(bytes.len());
        prop_assert_eq!(flaw(&bytes[..cut]), None);
    }

    #[test]
    fn a_read_is_read_back_as_it_was_written(
        (version, began, took) in (any::<Option<u64>>(), any::<u64>(), any::<u32>()),
        (within, own, due, session) in any::<(Option<u64>, Option<u64>, Option<u64>, Option<u64>)>(),
        number in any::<Option<u64>>(),
        served in prop::sample::select(vec![Served::Hit, Served::Load, Served::Stale, Served::Bypass]),
        at: u64,
    ) {
        let begin = Begin { clock: Clock::Own, marks: Marks::None, at, source: "test" };
        let mut scribe = Scribe::new(Vec::new(), &begin).expect("memory");
        scribe.process("a", 0).expect("memory");
        let ended = began.saturating_add(u64::from(took));
        let token = number.map(|number| Token { stream: b"s".as_slice(), number });
        let read = Read { process: 0, key: b"k".as_slice(), version, began, ended, served, within, own, due, token, session };
        scribe.read(&read).expect("memory");
        let bytes = scribe.finish().expect("memory");
        let mut reader = Reader::new(bytes.as_slice()).expect("a history");
        let mut found = None;
        while let Some(record) = reader.next().expect("a record") {
            if let Record::Read(read) = record {
                found = Some(read);
            }
        }
        let token = number.map(|number| Token { stream: 0, number });
        let wanted = Read { process: 0, key: 0, version, began, ended, served, within, own, due, token, session };
        prop_assert_eq!(found, Some(wanted));
    }
}
