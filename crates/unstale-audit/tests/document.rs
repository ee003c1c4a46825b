//! The examples of docs/formats/history.md are what the code does.

use unstale_audit::{
    Begin, Clock, Floor, Marks, Promise, Read, Reader, Scribe, Served, Terms, Token, Write, check,
};

const DOCUMENT: &str = include_str!("../../../docs/formats/history.md");

/// The bytes of the blocks that are fenced as `hex`, with what stands behind a bar left out.
fn examples() -> Vec<Vec<u8>> {
    let blocks = DOCUMENT.split("```hex\n").skip(1).map(|block| block.split("```").next().expect("an end"));
    blocks.map(unhex).collect()
}

fn unhex(block: &str) -> Vec<u8> {
    let words = block.lines().flat_map(|line| line.split('|').next().unwrap_or_default().split_whitespace());
    words.map(|word| u8::from_str_radix(word, 16).expect("two hexadecimal digits")).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

const KEY: &[u8] = b"user 7";

/// The first example: a run of two nodes, in which one misses what the other had announced.
fn run() -> Vec<u8> {
    let begin =
        Begin { clock: Clock::Boot([0x11; 16]), marks: Marks::EveryFault, at: 1_000_000, source: "demo" };
    let mut scribe = Scribe::new(Vec::new(), &begin).expect("memory");
    let (a, b) = (scribe.process("a1", 0).expect("memory"), scribe.process("b1", 2).expect("memory"));
    let token = Some(Token { stream: b"s1".as_slice(), number: 300 });
    let write = Write { began: 1_000_500, ended: 1_000_800, announced: true, token, ..Write::new(b, KEY, 2) };
    scribe.write(&write).expect("memory");
    let proven = Read { within: Some(250), own: Some(1), ..Read::new(a, KEY, 1, Served::Hit) };
    scribe.read(&Read { began: 1_001_100, ended: 1_001_120, ..proven }).expect("memory");
    let fault = scribe.fault_begins(1_002_000, "cut").expect("memory");
    scribe.fault_heals(fault, 1_003_000).expect("memory");
    scribe.floor(&Floor { key: KEY, version: 2, from: 1_004_000 }).expect("memory");
    let session = Read { token, session: Some(5), ..Read::new(a, KEY, 2, Served::Load) };
    scribe.read(&Read { began: 1_003_900, ended: 1_004_900, ..session }).expect("memory");
    scribe.lost(3).expect("memory");
    scribe.finish().expect("memory")
}

#[test]
fn the_worked_example_is_what_is_written() {
    let examples = examples();
    assert_eq!(examples.len(), 2);
    assert_eq!(hex(&examples[0]), hex(&run()));
}

#[test]
fn the_worked_example_is_checked_as_the_document_says() {
    let example = &examples()[0];
    let report = check(1, |_| Ok(example.as_slice()), Terms::default(), |_| {}).expect("a history");
    assert_eq!(report.violations, [0, 0, 1, 0, 0]);
    let found = &report.examples[0];
    assert_eq!((found.promise, found.record, found.due.record), (Promise::Proven, 7, 6));
    assert_eq!((report.files[0].lost, report.is_complete()), (3, false));
}

#[test]
fn the_torn_example_ends_where_the_document_says() {
    let torn = &examples()[1];
    let mut reader = Reader::new(torn.as_slice()).expect("a history");
    while reader.next().expect("whole records").is_some() {}
    assert_eq!((reader.records(), reader.torn()), (1, Some(36)));
}
