//! Names of several histories, each with one number.

use std::collections::BTreeMap;

use foldhash::quality::RandomState;
use hashbrown::HashMap;

use crate::history::{Clock, Fault, Floor, Marks, Read, Record, Token, Write};

/// Every name of every history. Processes and sessions belong to a clock; keys and streams are the same everywhere.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    /// A clock of its own is known by the file and the begin that has it.
    clocks: BTreeMap<(Clock, Option<(usize, u64)>), u32>,
    processes: BTreeMap<(u32, Box<str>, u64), u32>,
    keys: Names,
    streams: Names,
    sessions: HashMap<(u32, u64), u32, RandomState>,
}

type Names = HashMap<Box<[u8]>, u32, RandomState>;

/// What the numbers of one history mean, as far as it was read.
#[derive(Debug, Default)]
pub(crate) struct Lens {
    file: usize,
    begins: u64,
    clock: u32,
    processes: Vec<u32>,
    keys: Vec<u32>,
    streams: Vec<u32>,
    faults: Vec<Fault>,
}

/// A record in numbers that hold for all histories.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    Marks(Marks),
    Read(Option<u32>, Read),
    Write(Write),
    Floor(Floor),
    FaultBegins(u64),
    FaultHeals(Fault, u64),
    Lost(u64),
    End,
    Unknown,
    /// A name that stands for itself.
    Name,
}

impl Catalog {
    pub(crate) fn clocks(&self) -> usize {
        self.clocks.len()
    }

    pub(crate) fn processes(&self) -> usize {
        self.processes.len()
    }

    pub(crate) fn keys(&self) -> usize {
        self.keys.len()
    }

    pub(crate) fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// The name of a process. Takes a time of all of them: for what is shown.
    pub(crate) fn process(&self, number: u32) -> String {
        let found = self.processes.iter().find(|(_, known)| **known == number);
        found.map_or_else(String::new, |((_, name, life), _)| match life {
            0 => name.to_string(),
            life => format!("{name} (life {life})"),
        })
    }

    /// The bytes of a key. Takes a time of all of them: for what is shown.
    pub(crate) fn key(&self, number: u32) -> &[u8] {
        self.keys.iter().find(|(_, known)| **known == number).map_or(&[], |(key, _)| key)
    }

    /// What a record says.
    pub(crate) fn event(&mut self, lens: &mut Lens, record: Record<'_>) -> Event {
        match record {
            Record::Begin(begin) => {
                let (file, begins) = (lens.file, lens.begins + 1);
                let clock = self.clock(begin.clock, (file, begins));
                *lens = Lens { file, begins, clock, ..Lens::default() };
                return Event::Marks(begin.marks);
            }
            Record::Process { name, life } => {
                let next = self.processes.len() as u32;
                let number = self.processes.entry((lens.clock, name.into(), life)).or_insert(next);
                lens.processes.push(*number);
            }
            Record::Key(key) => lens.keys.push(number(&mut self.keys, key)),
            Record::Stream(stream) => lens.streams.push(number(&mut self.streams, stream)),
            Record::Forget => {
                lens.keys.clear();
                lens.streams.clear();
            }
            Record::Read(read) => {
                let session = read.session.map(|session| self.session(lens.clock, session));
                let process = lens.processes[read.process as usize];
                let read = read.renamed(lens.keys[read.key as usize], lens.token(read.token));
                return Event::Read(session, Read { process, ..read });
            }
            Record::Write(write) => {
                let process = lens.processes[write.process as usize];
                let write = write.renamed(lens.keys[write.key as usize], lens.token(write.token));
                return Event::Write(Write { process, ..write });
            }
            Record::Floor(floor) => {
                return Event::Floor(Floor { key: lens.keys[floor.key as usize], ..floor });
            }
            Record::FaultBegins { at, .. } => return Event::FaultBegins(at),
            Record::FaultHeals { fault: Fault(fault), at } => {
                // Where faults are not gathered any more they are not looked up either.
                let fault = lens.faults.get(fault as usize).copied().unwrap_or(Fault(fault));
                return Event::FaultHeals(fault, at);
            }
            Record::Lost(records) => return Event::Lost(records),
            Record::End => return Event::End,
            Record::Unknown(_) => return Event::Unknown,
        }
        Event::Name
    }

    fn clock(&mut self, clock: Clock, place: (usize, u64)) -> u32 {
        let next = self.clocks.len() as u32;
        *self.clocks.entry((clock, (clock == Clock::Own).then_some(place))).or_insert(next)
    }

    fn session(&mut self, clock: u32, session: u64) -> u32 {
        let next = self.sessions.len() as u32;
        *self.sessions.entry((clock, session)).or_insert(next)
    }
}

impl Lens {
    /// For the file with this index.
    pub(crate) fn new(file: usize) -> Self {
        Self { file, ..Self::default() }
    }

    /// The index of the clock.
    pub(crate) const fn clock(&self) -> u32 {
        self.clock
    }

    /// The next fault of the history has this number among all of them.
    pub(crate) fn fault(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    fn token(&self, token: Option<Token>) -> Option<Token> {
        token.map(|token| Token { stream: self.streams[token.stream as usize], ..token })
    }
}

fn number(names: &mut Names, name: &[u8]) -> u32 {
    if let Some(number) = names.get(name) {
        return *number;
    }
    let number = names.len() as u32;
    names.insert(name.into(), number);
    number
}
