//! Records to bytes.

use super::{Begin, Clock, Fault, Floor, Marks, Read, Record, Served, Token, Write};

/// The kinds of record.
pub(super) mod kind {
    pub(in crate::history) const BEGIN: u8 = 1;
    pub(in crate::history) const PROCESS: u8 = 2;
    pub(in crate::history) const KEY: u8 = 3;
    pub(in crate::history) const STREAM: u8 = 4;
    pub(in crate::history) const FORGET: u8 = 5;
    pub(in crate::history) const READ: u8 = 6;
    pub(in crate::history) const WRITE: u8 = 7;
    pub(in crate::history) const FLOOR: u8 = 8;
    pub(in crate::history) const FAULT_BEGINS: u8 = 9;
    pub(in crate::history) const FAULT_HEALS: u8 = 10;
    pub(in crate::history) const LOST: u8 = 11;
    pub(in crate::history) const END: u8 = 12;
}

/// What a clock is.
pub(super) mod clock {
    pub(in crate::history) const OWN: u8 = 0;
    pub(in crate::history) const BOOT: u8 = 1;
    pub(in crate::history) const VIRTUAL: u8 = 2;
}

/// Flags of a begin.
pub(super) const EVERY_FAULT: u8 = 1;

/// Flags of a read; its two lowest bits say how it was served.
pub(super) mod read {
    pub(in crate::history) const SERVED: u8 = 0b11;
    pub(in crate::history) const WITHIN: u8 = 1 << 2;
    pub(in crate::history) const OWN: u8 = 1 << 3;
    pub(in crate::history) const DUE: u8 = 1 << 4;
    pub(in crate::history) const TOKEN: u8 = 1 << 5;
    pub(in crate::history) const SESSION: u8 = 1 << 6;
    pub(in crate::history) const NO_VERSION: u8 = 1 << 7;
}

/// Flags of a write.
pub(super) mod write {
    pub(in crate::history) const ANNOUNCED: u8 = 1;
    pub(in crate::history) const TOKEN: u8 = 2;
}

/// Makes bytes of records, one after the other.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Encoder {
    /// The instant that the next one is told as a difference to.
    instant: u64,
}

impl Encoder {
    /// Adds the bytes of `record` to `out`.
    pub(crate) fn encode(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        // The length of nearly every record takes one byte; where it takes two the record is moved by one.
        let start = out.len();
        out.push(0);
        self.fields(record, out);
        let length = out.len() - start - 1;
        if length < 0x80 {
            out[start] = length as u8;
        } else {
            out[start] = 0x80 | (length & 0x7f) as u8;
            out.insert(start + 1, (length >> 7) as u8);
        }
    }

    fn fields(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        match *record {
            Record::Begin(begin) => self.begin(&begin, out),
            Record::Process { name, life } => {
                out.push(kind::PROCESS);
                label(out, name);
                number(out, life);
            }
            Record::Key(key) => {
                out.push(kind::KEY);
                out.extend_from_slice(key);
            }
            Record::Stream(stream) => {
                out.push(kind::STREAM);
                out.extend_from_slice(stream);
            }
            Record::Forget => out.push(kind::FORGET),
            Record::Read(read) => self.read(&read, out),
            Record::Write(write) => self.write(&write, out),
            Record::Floor(Floor { key, version, from }) => {
                out.push(kind::FLOOR);
                number(out, u64::from(key));
                number(out, version);
                self.instant(from, out);
            }
            Record::FaultBegins { at, what } => {
                out.push(kind::FAULT_BEGINS);
                self.instant(at, out);
                label(out, what);
            }
            Record::FaultHeals { fault: Fault(fault), at } => {
                out.push(kind::FAULT_HEALS);
                number(out, u64::from(fault));
                self.instant(at, out);
            }
            Record::Lost(records) => {
                out.push(kind::LOST);
                number(out, records);
            }
            Record::End => out.push(kind::END),
            Record::Unknown(kind) => out.push(kind),
        }
    }

    fn begin(&mut self, begin: &Begin<'_>, out: &mut Vec<u8>) {
        let (clock, id) = match begin.clock {
            Clock::Own => (clock::OWN, [0; 16]),
            Clock::Boot(id) => (clock::BOOT, id),
            Clock::Virtual(id) => (clock::VIRTUAL, id),
        };
        let flags = match begin.marks {
            Marks::None => 0,
            Marks::EveryFault => EVERY_FAULT,
        };
        out.extend([kind::BEGIN, clock]);
        out.extend(id);
        out.push(flags);
        number(out, begin.at);
        label(out, begin.source);
        self.instant = begin.at;
    }

    fn read(&mut self, read: &Read, out: &mut Vec<u8>) {
        let optional = [
            (read::WITHIN, read.within),
            (read::OWN, read.own),
            (read::DUE, read.due),
            (read::SESSION, read.session),
        ];
        let served = match read.served {
            Served::Hit => 0,
            Served::Load => 1,
            Served::Stale => 2,
            Served::Bypass => 3,
        };
        let mut flags = served;
        for (flag, value) in optional {
            flags |= if value.is_some() { flag } else { 0 };
        }
        flags |= if read.token.is_some() { read::TOKEN } else { 0 };
        flags |= if read.version.is_none() { read::NO_VERSION } else { 0 };
        out.extend([kind::READ, flags]);
        number(out, u64::from(read.process));
        number(out, u64::from(read.key));
        if let Some(version) = read.version {
            number(out, version);
        }
        self.span(read.began, read.ended, out);
        for (_, value) in optional {
            if let Some(value) = value {
                number(out, value);
            }
        }
        token(out, read.token);
    }

    fn write(&mut self, write: &Write, out: &mut Vec<u8>) {
        let announced = if write.announced { write::ANNOUNCED } else { 0 };
        let has_token = if write.token.is_some() { write::TOKEN } else { 0 };
        out.extend([kind::WRITE, announced | has_token]);
        number(out, u64::from(write.process));
        number(out, u64::from(write.key));
        number(out, write.version);
        self.span(write.began, write.ended, out);
        token(out, write.token);
    }

    fn span(&mut self, began: u64, ended: u64, out: &mut Vec<u8>) {
        self.instant(began, out);
        number(out, ended.saturating_sub(began));
    }

    /// As a difference to the last instant, so that it is short, with its sign in the lowest bit.
    fn instant(&mut self, instant: u64, out: &mut Vec<u8>) {
        let difference = instant.wrapping_sub(self.instant).cast_signed();
        number(out, ((difference << 1) ^ (difference >> 63)).cast_unsigned());
        self.instant = instant;
    }
}

fn token(out: &mut Vec<u8>, token: Option<Token>) {
    if let Some(Token { stream, number: act }) = token {
        number(out, u64::from(stream));
        number(out, act);
    }
}

fn label(out: &mut Vec<u8>, text: &str) {
    out.push(text.len() as u8);
    out.extend_from_slice(text.as_bytes());
}

/// Seven bits a byte, the least significant first.
fn number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(0x80 | (value & 0x7f) as u8);
        value >>= 7;
    }
    out.push(value as u8);
}
