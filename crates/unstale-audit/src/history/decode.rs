//! Bytes to records. Whatever the bytes are, nothing is allocated beyond one record.

use std::io::{self, BufRead};

use super::encode::{EVERY_FAULT, clock, kind, read, write};
use super::{
    Begin, Clock, Error, Fault, Flaw, Floor, KEY_BYTES_MAX, LABEL_BYTES_MAX, MAGIC, Marks, NUMBERS_MAX,
    RECORD_BYTES_MAX, Read, Record, Served, Token, Write,
};

/// Reads a history record by record.
#[derive(Debug)]
pub struct Reader<R> {
    source: R,
    offset: u64,
    records: u64,
    torn: Option<u64>,
    instant: u64,
    known: Known,
    buffer: Vec<u8>,
}

/// How many names have numbers.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    begun: bool,
    processes: u32,
    keys: u32,
    streams: u32,
    faults: u32,
}

impl<R: BufRead> Reader<R> {
    /// Reads from the beginning of a history. An empty source is an empty history.
    pub fn new(mut source: R) -> Result<Self, Error> {
        let mut magic = [0; MAGIC.len()];
        let length = fill(&mut source, &mut magic).map_err(|source| Error::Io { offset: 0, source })?;
        let bad = |flaw| Error::Bad { offset: 0, record: 0, flaw };
        if magic[..length] != MAGIC[..length] {
            let is_other_version = length == MAGIC.len() && magic[..length - 1] == MAGIC[..length - 1];
            return Err(bad(if is_other_version {
                Flaw::Version(magic[length - 1])
            } else {
                Flaw::NoHistory
            }));
        }
        let torn = (length > 0 && length < MAGIC.len()).then_some(0);
        let (known, buffer) = (Known::default(), Vec::new());
        Ok(Self { source, offset: length as u64, records: 0, torn, instant: 0, known, buffer })
    }

    /// The next record; `None` at the end, also if the last record is only half there.
    // Not an iterator: a record borrows the reader's buffer.
    #[expect(clippy::should_implement_trait, reason = "an iterator cannot lend its items")]
    pub fn next(&mut self) -> Result<Option<Record<'_>>, Error> {
        if self.torn.is_some() {
            return Ok(None);
        }
        let start = self.offset;
        let Some(length) = self.length(start)? else { return Ok(None) };
        self.buffer.resize(length, 0);
        let there =
            fill(&mut self.source, &mut self.buffer).map_err(|source| Error::Io { offset: start, source })?;
        if there < length {
            self.torn = Some(start);
            return Ok(None);
        }
        self.offset += length as u64;
        self.records += 1;
        let fields = Fields { bytes: &self.buffer, instant: &mut self.instant, known: &mut self.known };
        let record = self.records;
        fields.record().map(Some).map_err(|flaw| Error::Bad { offset: start, record, flaw })
    }

    /// Where the last, half-written record begins, once that was reached.
    pub const fn torn(&self) -> Option<u64> {
        self.torn
    }

    /// How many bytes were read, whole records only.
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// How many records were read.
    pub const fn records(&self) -> u64 {
        self.records
    }

    /// The length of the record that begins at `start`; none at the end.
    fn length(&mut self, start: u64) -> Result<Option<usize>, Error> {
        let mut length = 0;
        for shift in [0, 7] {
            let mut byte = [0];
            if fill(&mut self.source, &mut byte).map_err(|source| Error::Io { offset: start, source })? == 0 {
                self.torn = (shift > 0).then_some(start);
                return Ok(None);
            }
            self.offset += 1;
            length |= u64::from(byte[0] & 0x7f) << shift;
            if byte[0] < 0x80 {
                break;
            }
            // A third byte would be beyond the limit.
            length |= if shift > 0 { 1 << 14 } else { 0 };
        }
        if length == 0 || length > RECORD_BYTES_MAX as u64 {
            let record = self.records + 1;
            return Err(Error::Bad { offset: start, record, flaw: Flaw::Length(length) });
        }
        Ok(Some(length as usize))
    }
}

/// How many bytes of a history are whole records: what follows is half of one.
pub(crate) fn whole_until<R: BufRead>(source: R) -> Result<u64, Error> {
    let mut reader = Reader::new(source)?;
    while reader.next()?.is_some() {}
    Ok(reader.torn().unwrap_or(reader.offset()))
}

/// Fills `bytes` as far as the source reaches.
fn fill(source: &mut impl BufRead, bytes: &mut [u8]) -> io::Result<usize> {
    let mut there = 0;
    while there < bytes.len() {
        let some = match source.fill_buf() {
            Ok(some) => some,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if some.is_empty() {
            break;
        }
        let taken = some.len().min(bytes.len() - there);
        bytes[there..there + taken].copy_from_slice(&some[..taken]);
        source.consume(taken);
        there += taken;
    }
    Ok(there)
}

/// The fields of one record.
struct Fields<'a, 'b> {
    bytes: &'a [u8],
    instant: &'b mut u64,
    known: &'b mut Known,
}

impl<'a> Fields<'a, '_> {
    /// Bytes behind the last field belong to later versions.
    fn record(mut self) -> Result<Record<'a>, Flaw> {
        let kind = self.byte("kind")?;
        if !self.known.begun && kind != kind::BEGIN {
            return Err(Flaw::NoBegin);
        }
        match kind {
            kind::BEGIN => self.begin().map(Record::Begin),
            kind::PROCESS => {
                let (name, life) = (self.label("name")?, self.number("life")?);
                introduce(&mut self.known.processes, "processes")?;
                Ok(Record::Process { name, life })
            }
            kind::KEY => {
                introduce(&mut self.known.keys, "keys")?;
                self.rest("key", KEY_BYTES_MAX).map(Record::Key)
            }
            kind::STREAM => {
                introduce(&mut self.known.streams, "streams")?;
                self.rest("stream", LABEL_BYTES_MAX).map(Record::Stream)
            }
            kind::FORGET => {
                (self.known.keys, self.known.streams) = (0, 0);
                Ok(Record::Forget)
            }
            kind::READ => self.read().map(Record::Read),
            kind::WRITE => self.write().map(Record::Write),
            kind::FLOOR => {
                let (key, version) = (self.key()?, self.number("version")?);
                Ok(Record::Floor(Floor { key, version, from: self.instant("instant")? }))
            }
            kind::FAULT_BEGINS => {
                let (at, what) = (self.instant("instant")?, self.label("fault")?);
                introduce(&mut self.known.faults, "faults")?;
                Ok(Record::FaultBegins { at, what })
            }
            kind::FAULT_HEALS => {
                let fault = Fault(self.introduced("fault", self.known.faults)?);
                Ok(Record::FaultHeals { fault, at: self.instant("instant")? })
            }
            kind::LOST => self.number("count").map(Record::Lost),
            kind::END => Ok(Record::End),
            other => Ok(Record::Unknown(other)),
        }
    }

    fn begin(&mut self) -> Result<Begin<'a>, Flaw> {
        let clock = self.byte("clock")?;
        let mut id = [0; 16];
        id.copy_from_slice(self.take("clock's id", 16)?);
        let clock = match clock {
            clock::OWN => Clock::Own,
            clock::BOOT => Clock::Boot(id),
            clock::VIRTUAL => Clock::Virtual(id),
            other => return Err(Flaw::Choice("clock", other)),
        };
        let marks = match self.byte("flags")? {
            0 => Marks::None,
            EVERY_FAULT => Marks::EveryFault,
            other => return Err(Flaw::Choice("flags", other)),
        };
        let (at, source) = (self.number("instant")?, self.label("source")?);
        *self.known = Known { begun: true, ..Known::default() };
        *self.instant = at;
        Ok(Begin { clock, marks, at, source })
    }

    fn read(&mut self) -> Result<Read, Flaw> {
        let flags = self.byte("flags")?;
        let has = |flag| flags & flag != 0;
        let (process, key) = (self.process()?, self.key()?);
        let version = self.optional(!has(read::NO_VERSION), "version")?;
        let (began, ended) = self.span()?;
        Ok(Read {
            process,
            key,
            version,
            began,
            ended,
            served: Served::ALL[usize::from(flags & read::SERVED)],
            within: self.optional(has(read::WITHIN), "bound")?,
            own: self.optional(has(read::OWN), "own version")?,
            due: self.optional(has(read::DUE), "due version")?,
            session: self.optional(has(read::SESSION), "session")?,
            token: self.token(has(read::TOKEN))?,
        })
    }

    fn write(&mut self) -> Result<Write, Flaw> {
        let flags = self.byte("flags")?;
        if flags & !(write::ANNOUNCED | write::TOKEN) != 0 {
            return Err(Flaw::Choice("flags", flags));
        }
        let (process, key, version) = (self.process()?, self.key()?, self.number("version")?);
        let (began, ended) = self.span()?;
        let announced = flags & write::ANNOUNCED != 0;
        let token = self.token(flags & write::TOKEN != 0)?;
        Ok(Write { process, key, version, began, ended, announced, token })
    }

    fn span(&mut self) -> Result<(u64, u64), Flaw> {
        let (began, length) = (self.instant("beginning")?, self.number("length")?);
        Ok((began, began.checked_add(length).ok_or(Flaw::Instant("end"))?))
    }

    fn optional(&mut self, is_there: bool, what: &'static str) -> Result<Option<u64>, Flaw> {
        if is_there { self.number(what).map(Some) } else { Ok(None) }
    }

    fn token(&mut self, is_there: bool) -> Result<Option<Token>, Flaw> {
        if !is_there {
            return Ok(None);
        }
        let stream = self.introduced("stream", self.known.streams)?;
        Ok(Some(Token { stream, number: self.number("act")? }))
    }

    fn process(&mut self) -> Result<u32, Flaw> {
        self.introduced("process", self.known.processes)
    }

    fn key(&mut self) -> Result<u32, Flaw> {
        self.introduced("key", self.known.keys)
    }

    fn introduced(&mut self, what: &'static str, known: u32) -> Result<u32, Flaw> {
        let number = self.number(what)?;
        if number < u64::from(known) {
            Ok(number as u32)
        } else {
            Err(Flaw::Undefined { what, number, known })
        }
    }

    fn instant(&mut self, what: &'static str) -> Result<u64, Flaw> {
        let zigzag = self.number(what)?;
        let difference = (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed();
        let instant = self.instant.wrapping_add_signed(difference);
        *self.instant = instant;
        Ok(instant)
    }

    fn label(&mut self, what: &'static str) -> Result<&'a str, Flaw> {
        let bytes = self.byte(what)?;
        std::str::from_utf8(self.take(what, usize::from(bytes))?).map_err(|_| Flaw::Text(what))
    }

    fn rest(&mut self, what: &'static str, bytes_max: usize) -> Result<&'a [u8], Flaw> {
        let bytes = self.bytes.len();
        if bytes > bytes_max { Err(Flaw::Long { what, bytes }) } else { self.take(what, bytes) }
    }

    fn number(&mut self, what: &'static str) -> Result<u64, Flaw> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte(what)?;
            let bits = u64::from(byte & 0x7f);
            let is_last = byte < 0x80;
            if (shift == 63 && bits > 1) || (is_last && bits == 0 && shift > 0) {
                return Err(Flaw::Number(what));
            }
            value |= bits << shift;
            if is_last {
                return Ok(value);
            }
        }
        Err(Flaw::Number(what))
    }

    fn byte(&mut self, what: &'static str) -> Result<u8, Flaw> {
        Ok(self.take(what, 1)?[0])
    }

    fn take(&mut self, what: &'static str, bytes: usize) -> Result<&'a [u8], Flaw> {
        let (taken, rest) = self.bytes.split_at_checked(bytes).ok_or(Flaw::Short(what))?;
        self.bytes = rest;
        Ok(taken)
    }
}

fn introduce(known: &mut u32, what: &'static str) -> Result<(), Flaw> {
    if *known == NUMBERS_MAX {
        return Err(Flaw::Many(what));
    }
    *known += 1;
    Ok(())
}
