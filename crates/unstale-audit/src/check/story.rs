//! What happened around a broken promise, in words.

use std::fmt::Write as _;

use super::Found;
use super::report::{Example, File, Line};
use crate::catalog::{Catalog, Event};
use crate::history::{Read, Write};
use crate::judgement::Promise;

/// How many writes before the read's end, and reads of the same process before its beginning, are told.
const BEFORE_MAX: usize = 3;

/// Around every broken promise that was kept.
#[derive(Debug)]
pub(super) struct Stories {
    stories: Vec<Story>,
}

#[derive(Debug)]
struct Story {
    found: Found,
    due: Option<(u64, Event)>,
    writes: Vec<(u64, Write)>,
    later: Option<(u64, Write)>,
    reads: Vec<(u64, Read)>,
}

impl Stories {
    pub(super) fn new(found: Vec<Found>) -> Self {
        let story = |found| Story { found, due: None, writes: Vec::new(), later: None, reads: Vec::new() };
        Self { stories: found.into_iter().map(story).collect() }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.stories.is_empty()
    }

    pub(super) fn note(&mut self, clock: u32, event: &Event, record: u64) {
        for story in &mut self.stories {
            story.note(clock, event, record);
        }
    }

    pub(super) fn tell(self, catalog: &Catalog, files: &[File]) -> Vec<Example> {
        let mut told = [0; Promise::ALL.len()];
        let mut examples: Vec<_> = self
            .stories
            .into_iter()
            .map(|story| {
                let place = &mut told[story.found.promise as usize];
                *place += 1;
                (*place, story.tell(catalog, files))
            })
            .collect();
        // The first of each promise, then the second of each, and so on.
        examples.sort_by_key(|(place, example)| (*place, example.promise));
        examples.into_iter().map(|(_, example)| example).collect()
    }
}

impl Story {
    fn note(&mut self, clock: u32, event: &Event, record: u64) {
        let Found { read, due, .. } = &self.found;
        if record == self.found.record {
            return;
        }
        // Where nobody said which record it was, a write of that version is.
        let is_told = due.record != 0;
        let makes_it = |event: &Event| matches!(event, Event::Write(write) if write.key == read.key && write.version == due.version);
        if record == due.record || (!is_told && makes_it(event)) {
            self.due = Some((record, *event));
            return;
        }
        match event {
            Event::Write(write) if write.key == read.key && clock == self.found.clock => {
                if write.ended <= read.ended {
                    self.writes.push((record, *write));
                    self.writes.sort_by_key(|(_, write)| std::cmp::Reverse(write.ended));
                    self.writes.truncate(BEFORE_MAX);
                } else if self.later.is_none_or(|(_, later)| write.ended < later.ended) {
                    self.later = Some((record, *write));
                }
            }
            Event::Read(_, other)
                if other.key == read.key && other.process == read.process && other.ended <= read.began =>
            {
                self.reads.push((record, *other));
                self.reads.sort_by_key(|(_, read)| std::cmp::Reverse(read.ended));
                self.reads.truncate(BEFORE_MAX);
            }
            Event::Write(_)
            | Event::Read(..)
            | Event::Floor(_)
            | Event::Marks(_)
            | Event::FaultBegins(_)
            | Event::FaultHeals(..)
            | Event::Lost(_)
            | Event::End
            | Event::Unknown
            | Event::Name => {}
        }
    }

    fn tell(self, catalog: &Catalog, files: &[File]) -> Example {
        let Found { promise, due, read, record, .. } = self.found;
        let mut lines = vec![of_read(catalog, record, &read, read.began)];
        lines[0].2.push_str("  <- the read");
        lines.extend(self.reads.iter().map(|(record, other)| of_read(catalog, *record, other, read.began)));
        let writes = self.writes.iter().chain(&self.later);
        lines.extend(writes.map(|(record, write)| of_write(catalog, *record, write, read.began)));
        if let Some((record, event)) = self.due {
            let line = match event {
                Event::Write(write) => Some(of_write(catalog, record, &write, read.began)),
                Event::Read(_, other) => Some(of_read(catalog, record, &other, read.began)),
                Event::Floor(floor) => {
                    let after = between(floor.from, read.began);
                    let words = format!("from here on every read shows version {}", floor.version);
                    Some((record, after, words))
                }
                Event::Marks(_)
                | Event::FaultBegins(_)
                | Event::FaultHeals(..)
                | Event::Lost(_)
                | Event::End
                | Event::Unknown
                | Event::Name => None,
            };
            lines.extend(line.map(|(record, after, words)| (record, after, words + "  <- this was due")));
        }
        lines.sort_by_key(|(record, after, _)| (*after, *record));
        let line = |(record, after, words)| {
            let (file, record) = place(files, record);
            Line { file, record, after, words }
        };
        let (file, record) = place(files, record);
        Example {
            promise,
            file,
            record,
            process: catalog.process(read.process),
            key: text(catalog.key(read.key)),
            version: read.version.unwrap_or_default(),
            due,
            lines: lines.into_iter().map(line).collect(),
        }
    }
}

fn of_read(catalog: &Catalog, record: u64, read: &Read, zero: u64) -> (u64, i64, String) {
    let mut words = format!("{} read ", catalog.process(read.process));
    let _ = match read.version {
        Some(version) => write!(words, "version {version}"),
        None => write!(words, "no version"),
    };
    let _ = write!(words, " ({}, took {})", read.served.word(), millis(read.ended - read.began));
    if let Some(within) = read.within {
        let _ = write!(words, ", proven within {}", millis(within));
    }
    if let Some(version) = read.due {
        let _ = write!(words, ", with the token of version {version}");
    }
    if let Some(token) = read.token {
        let _ = write!(words, ", with the token of act {}", token.number);
    }
    if let Some(session) = read.session {
        let _ = write!(words, ", in session {session}");
    }
    (record, between(read.ended, zero), words)
}

fn of_write(catalog: &Catalog, record: u64, write: &Write, zero: u64) -> (u64, i64, String) {
    let announced = if write.announced { "announced" } else { "unannounced" };
    let (process, took) = (catalog.process(write.process), millis(write.ended - write.began));
    let words = format!("{process} wrote version {} ({announced}, took {took})", write.version);
    (record, between(write.ended, zero), words)
}

fn between(instant: u64, zero: u64) -> i64 {
    instant.wrapping_sub(zero).cast_signed()
}

fn millis(nanos: u64) -> String {
    format!("{:.3} ms", nanos as f64 / 1e6)
}

/// The index of the history, and the record's number there.
fn place(files: &[File], record: u64) -> (usize, u64) {
    let file = files.partition_point(|file| file.before < record).saturating_sub(1);
    (file, record - files.get(file).map_or(0, |file| file.before))
}

/// A key as people can read it.
fn text(key: &[u8]) -> String {
    match std::str::from_utf8(key) {
        Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
        Ok(_) | Err(_) => key.iter().fold("0x".to_owned(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        }),
    }
}
