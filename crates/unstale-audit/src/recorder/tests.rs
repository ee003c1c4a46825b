use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;
use crate::history::{Marks, Reader, Record, Served};

const KEY: &[u8] = b"k";

fn begin() -> Begin<'static> {
    Begin { clock: Clock::virtual_time(), marks: Marks::EveryFault, at: 0, source: "test" }
}

fn read(recorder: &Recorder, version: u64) {
    recorder.read(&Read::new(0, KEY, version, Served::Hit));
}

/// Versions of reads as numbers, the other records as words.
fn told(bytes: &[u8]) -> Vec<String> {
    let mut reader = Reader::new(bytes).expect("a history");
    let mut told = Vec::new();
    while let Some(record) = reader.next().expect("records") {
        told.push(match record {
            Record::Read(read) => read.version.expect("a version").to_string(),
            Record::Begin(begin) => format!("begin {}", begin.source),
            Record::Lost(records) => format!("lost {records}"),
            Record::FaultBegins { what, .. } => what.to_owned(),
            Record::End => "end".to_owned(),
            Record::Key(_) => "key".to_owned(),
            Record::Process { name, .. } => format!("process {name}"),
            Record::Stream(_)
            | Record::Forget
            | Record::Write(_)
            | Record::Floor(_)
            | Record::FaultHeals { .. }
            | Record::Unknown(_) => "something else".to_owned(),
        });
    }
    told
}

#[test]
fn what_is_noted_is_in_the_file_once_the_recorder_is_closed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("history");
    let recorder = Recorder::open(&path, &begin()).expect("a new file");
    recorder.process("a", 0).expect("a short name");
    read(&recorder, 7);
    assert_eq!(recorder.close().expect("written"), 0);
    let bytes = std::fs::read(&path).expect("the file");
    assert_eq!(told(&bytes), ["begin test", "process a", "key", "7", "end"]);
}

#[test]
fn a_history_is_gone_on_with_or_replaced_and_what_is_no_history_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("history");
    for _ in 0..2 {
        drop(Recorder::open(&path, &begin()).expect("a history"));
    }
    let bytes = std::fs::read(&path).expect("the file");
    assert_eq!(told(&bytes), ["begin test", "end", "begin test", "end"]);

    drop(Recorder::create(&path, &begin()).expect("a history may be replaced"));
    assert_eq!(told(&std::fs::read(&path).expect("the file")), ["begin test", "end"]);

    std::fs::write(&path, b"something else").expect("written");
    assert!(Recorder::open(&path, &begin()).is_err());
    assert!(Recorder::create(&path, &begin()).is_err());
    assert_eq!(std::fs::read(&path).expect("the file"), b"something else");
}

#[test]
fn a_torn_record_is_cut_off_before_it_is_gone_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("history");
    let recorder = Recorder::open(&path, &begin()).expect("a new file");
    recorder.process("a", 0).expect("a short name");
    read(&recorder, 7);
    read(&recorder, 8);
    drop(recorder);
    let bytes = std::fs::read(&path).expect("the file");
    // The end mark has two bytes; one byte less and the second read is half there.
    std::fs::write(&path, &bytes[..bytes.len() - 3]).expect("written");
    let recorder = Recorder::open(&path, &begin()).expect("a history");
    drop(recorder);
    let told = told(&std::fs::read(&path).expect("the file"));
    assert_eq!(told, ["begin test", "process a", "key", "7", "begin test", "end"]);
}

/// A file that writes nothing before it may.
struct Slow {
    may: Receiver<()>,
    written: Sender<Vec<u8>>,
}

impl io::Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Once nobody gives leave any more, everything may be written.
        let _ = self.may.recv();
        let _ = self.written.send(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_has_no_room_is_dropped_at_once_and_the_history_says_how_much_and_where() {
    let (leave, may) = channel();
    let (written, bytes) = channel();
    let scribe = Scribe::new(Vec::new(), &begin()).expect("memory");
    let recorder = Recorder::start(Slow { may, written }, scribe, 1_000).expect("a thread");
    recorder.process("a", 0).expect("a short name");
    // The file takes nothing. Whoever notes does not wait for it.
    for version in 0..10_000 {
        read(&recorder, version);
    }
    recorder.fault_begins(1, "a mark has room").expect("memory");
    drop(leave);
    let lost = recorder.close().expect("written");
    let told = told(&bytes.iter().flatten().collect::<Vec<_>>());
    let kept = told.iter().filter(|word| word.parse::<u64>().is_ok()).count() as u64;
    assert!(lost > 5_000, "{lost}");
    assert_eq!(kept + lost, 10_000);
    let said: u64 = told.iter().filter_map(|word| word.strip_prefix("lost ")?.parse::<u64>().ok()).sum();
    assert_eq!(said, lost);
    let tail = &told[told.len() - 3..];
    assert!(tail[0].starts_with("lost ") && tail[1..] == ["a mark has room", "end"], "{tail:?}");
}

/// A file on a full disk.
struct Full;

impl io::Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_file_that_cannot_be_written_is_told_at_the_end() {
    let scribe = Scribe::new(Vec::new(), &begin()).expect("memory");
    let recorder = Recorder::start(Full, scribe, QUEUE_BYTES_MAX).expect("a thread");
    assert_eq!(recorder.close().map_err(|error| error.kind()), Err(io::ErrorKind::StorageFull));
}

#[test]
#[cfg(target_os = "linux")]
fn processes_of_one_boot_have_one_clock() {
    let clock = Clock::of_this_boot();
    assert!(matches!(clock, Clock::Boot(id) if id != [0; 16]), "{clock:?}");
    assert_eq!(clock, Clock::of_this_boot());
}
