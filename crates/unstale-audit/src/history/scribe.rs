//! Writes a history: gives names their numbers, and bytes to whatever takes them.

use std::io::Write as Sink;

use foldhash::quality::RandomState;
use hashbrown::HashMap;

use super::encode::Encoder;
use super::{
    Begin, Error, Fault, Flaw, Floor, KEY_BYTES_MAX, LABEL_BYTES_MAX, MAGIC, NUMBERS_MAX, Read, Record,
    Token, Write,
};

/// Once so many names, or bytes of names, have numbers, all are forgotten and numbers begin anew. Readers know more at a time
/// ([`NUMBERS_MAX`]); but to forget takes a while, and whoever notes something waits for it.
const NAMES_MAX: usize = 1 << 17;
const NAMES_BYTES_MAX: usize = 16 << 20;
const _: () =
    assert!(NAMES_MAX <= NUMBERS_MAX as usize, "a reader has to know as many names as a writer uses");

/// Writes a history. An error of its sink leaves half a record behind, and the history should end there.
#[derive(Debug)]
pub struct Scribe<W> {
    sink: W,
    encoder: Encoder,
    buffer: Vec<u8>,
    offset: u64,
    records: u64,
    processes: u32,
    faults: u32,
    lost: u64,
    keys: Names,
    streams: Names,
}

impl<W: Sink> Scribe<W> {
    /// Begins a new history.
    pub fn new(mut sink: W, begin: &Begin<'_>) -> Result<Self, Error> {
        sink.write_all(&MAGIC).map_err(|source| Error::Io { offset: 0, source })?;
        Self::go_on(sink, begin)
    }

    /// Begins anew behind whole records of a history.
    pub(crate) fn go_on(sink: W, begin: &Begin<'_>) -> Result<Self, Error> {
        let mut scribe = Self {
            sink,
            encoder: Encoder::default(),
            buffer: Vec::new(),
            offset: 0,
            records: 0,
            processes: 0,
            faults: 0,
            lost: 0,
            keys: Names::default(),
            streams: Names::default(),
        };
        scribe.check("source", begin.source.as_bytes(), LABEL_BYTES_MAX)?;
        scribe.put(&Record::Begin(*begin))?;
        Ok(scribe)
    }

    /// Introduces a process: the name of its node, and which of the processes of that name it is. Returns its number.
    pub fn process(&mut self, name: &str, life: u64) -> Result<u32, Error> {
        self.check("name", name.as_bytes(), LABEL_BYTES_MAX)?;
        self.put(&Record::Process { name, life })?;
        self.processes += 1;
        Ok(self.processes - 1)
    }

    /// Notes a read.
    pub fn read(&mut self, read: &Read<&[u8], &[u8]>) -> Result<(), Error> {
        self.introduced(read.process)?;
        self.make_room(read.key, read.token.map(|token| token.stream))?;
        let key = self.key(read.key)?;
        let token = self.token(read.token)?;
        self.put(&Record::Read(read.renamed(key, token)))
    }

    /// Notes a write.
    pub fn write(&mut self, write: &Write<&[u8], &[u8]>) -> Result<(), Error> {
        self.introduced(write.process)?;
        self.make_room(write.key, write.token.map(|token| token.stream))?;
        let key = self.key(write.key)?;
        let token = self.token(write.token)?;
        self.put(&Record::Write(write.renamed(key, token)))
    }

    /// Notes what every later read of a key shows.
    pub fn floor(&mut self, floor: &Floor<&[u8]>) -> Result<(), Error> {
        self.make_room(floor.key, None)?;
        let key = self.key(floor.key)?;
        self.put(&Record::Floor(Floor { key, version: floor.version, from: floor.from }))
    }

    /// Notes that a fault begins.
    pub fn fault_begins(&mut self, at: u64, what: &str) -> Result<Fault, Error> {
        self.check("fault", what.as_bytes(), LABEL_BYTES_MAX)?;
        self.put(&Record::FaultBegins { at, what })?;
        self.faults += 1;
        Ok(Fault(self.faults - 1))
    }

    /// Notes that it is healed.
    pub fn fault_heals(&mut self, fault: Fault, at: u64) -> Result<(), Error> {
        self.put(&Record::FaultHeals { fault, at })
    }

    /// Notes that records had no room.
    pub fn lost(&mut self, records: u64) -> Result<(), Error> {
        self.lost += records;
        self.put(&Record::Lost(records))
    }

    /// How many records had no room so far.
    pub(crate) const fn lost_so_far(&self) -> u64 {
        self.lost
    }

    /// Notes that nothing is missing at the end.
    pub(crate) fn end(&mut self) -> Result<(), Error> {
        self.put(&Record::End)
    }

    /// Notes that nothing is missing at the end, and returns the sink.
    pub fn finish(mut self) -> Result<W, Error> {
        self.end()?;
        self.sink.flush().map_err(|source| Error::Io { offset: self.offset, source })?;
        Ok(self.sink)
    }

    /// Where the bytes go.
    pub(crate) const fn sink(&mut self) -> &mut W {
        &mut self.sink
    }

    fn put(&mut self, record: &Record<'_>) -> Result<(), Error> {
        self.buffer.clear();
        self.encoder.encode(record, &mut self.buffer);
        self.sink.write_all(&self.buffer).map_err(|source| Error::Io { offset: self.offset, source })?;
        self.offset += self.buffer.len() as u64;
        self.records += 1;
        Ok(())
    }

    /// Forgets every name when a record has names for which there may be no numbers left.
    fn make_room(&mut self, key: &[u8], stream: Option<&[u8]>) -> Result<(), Error> {
        let bytes = key.len() + stream.map_or(0, <[u8]>::len);
        if self.keys.has_room(bytes) && self.streams.has_room(bytes) {
            return Ok(());
        }
        self.keys = Names::default();
        self.streams = Names::default();
        self.put(&Record::Forget)
    }

    fn key(&mut self, key: &[u8]) -> Result<u32, Error> {
        if let Some(number) = self.keys.numbers.get(key) {
            return Ok(*number);
        }
        self.check("key", key, KEY_BYTES_MAX)?;
        self.put(&Record::Key(key))?;
        Ok(self.keys.introduce(key))
    }

    fn token(&mut self, token: Option<Token<&[u8]>>) -> Result<Option<Token>, Error> {
        let Some(Token { stream, number }) = token else { return Ok(None) };
        if let Some(stream) = self.streams.numbers.get(stream) {
            return Ok(Some(Token { stream: *stream, number }));
        }
        self.check("stream", stream, LABEL_BYTES_MAX)?;
        self.put(&Record::Stream(stream))?;
        Ok(Some(Token { stream: self.streams.introduce(stream), number }))
    }

    fn introduced(&self, process: u32) -> Result<(), Error> {
        if process < self.processes {
            return Ok(());
        }
        let flaw = Flaw::Undefined { what: "process", number: u64::from(process), known: self.processes };
        Err(self.bad(flaw))
    }

    fn check(&self, what: &'static str, name: &[u8], bytes_max: usize) -> Result<(), Error> {
        if name.len() <= bytes_max { Ok(()) } else { Err(self.bad(Flaw::Long { what, bytes: name.len() })) }
    }

    const fn bad(&self, flaw: Flaw) -> Error {
        Error::Bad { offset: self.offset, record: self.records + 1, flaw }
    }
}

/// Names and their numbers.
#[derive(Debug, Default)]
struct Names {
    numbers: HashMap<Box<[u8]>, u32, RandomState>,
    bytes: usize,
}

impl Names {
    fn has_room(&self, bytes: usize) -> bool {
        self.numbers.len() < NAMES_MAX && self.bytes + bytes <= NAMES_BYTES_MAX
    }

    fn introduce(&mut self, name: &[u8]) -> u32 {
        let number = self.numbers.len() as u32;
        self.numbers.insert(name.into(), number);
        self.bytes += name.len();
        number
    }
}
