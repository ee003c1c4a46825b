//! The format of histories: records, and how they become bytes (`docs/formats/history.md`).

mod decode;
mod encode;
mod error;
mod scribe;

pub use decode::Reader;
pub use error::{Error, Flaw};
pub use scribe::Scribe;

pub(crate) use decode::whole_until;

/// What a history begins with: seven letters, and the version of the format.
pub const MAGIC: [u8; 8] = *b"unstale\x01";
/// The most bytes of a record.
pub const RECORD_BYTES_MAX: usize = 8_192;
/// The most bytes of a key.
pub const KEY_BYTES_MAX: usize = 4_096;
/// The most bytes of the name of a source, a process, a stream or a fault.
pub const LABEL_BYTES_MAX: usize = 255;
/// The most keys, processes or streams that have numbers at a time.
pub(crate) const NUMBERS_MAX: u32 = 1 << 20;

/// Which clock the instants of a history are of. Instants of two histories can be compared if both say the same clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Clock {
    /// Of no other history.
    Own,
    /// CLOCK_BOOTTIME as processes with this id see it ([`Clock::of_this_boot`]).
    Boot([u8; 16]),
    /// The virtual time of a simulated world with this id.
    Virtual([u8; 16]),
}

impl Clock {
    /// The clock of a world that has no other.
    pub const fn virtual_time() -> Self {
        Self::Virtual([0; 16])
    }
}

/// Whether a history says when there were faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marks {
    /// Not: of plain reads, which may be stale while there is a fault, nothing can be demanded.
    None,
    /// Every fault is marked, so at all other times plain reads have to be settled.
    EveryFault,
}

/// Who writes from here on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begin<'a> {
    /// Of the instants.
    pub clock: Clock,
    /// Whether faults are marked.
    pub marks: Marks,
    /// When it began, in nanoseconds of the clock.
    pub at: u64,
    /// Who writes, for people.
    pub source: &'a str,
}

/// How a read was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// Out of the cache.
    Hit,
    /// By a load.
    Load,
    /// Out of the cache, and the answer said that it may be stale.
    Stale,
    /// By a load that began after the read.
    Bypass,
}

impl Served {
    /// In the order of the format.
    pub(crate) const ALL: [Self; 4] = [Self::Hit, Self::Load, Self::Stale, Self::Bypass];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Load => "load",
            Self::Stale => "stale",
            Self::Bypass => "bypass",
        }
    }
}

/// The session token of a write: a stream of acts and a number in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<S = u32> {
    /// Whose acts: the stream's bytes, or the number that stands for them.
    pub stream: S,
    /// The act's number.
    pub number: u64,
}

/// A read that was answered. Keys and streams are bytes while it is recorded, and numbers that stand for them afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read<K = u32, S = u32> {
    /// The process that answered.
    pub process: u32,
    /// What was read.
    pub key: K,
    /// The version of the row that was answered; none if the answer had no version, as that there is no such row.
    pub version: Option<u64>,
    /// When it began: before anything was looked at.
    pub began: u64,
    /// When the answer was there.
    pub ended: u64,
    /// How it was answered.
    pub served: Served,
    /// Answered as proven within so many nanoseconds before it began; none if nothing was proven.
    pub within: Option<u64>,
    /// The newest version that this process had written, with the write returned, before the read began; 0 for none at all. If
    /// the process did not note it, the writes in the history tell.
    pub own: Option<u64>,
    /// The read had the token of the write that made the row this version.
    pub due: Option<u64>,
    /// The read had this token.
    pub token: Option<Token<S>>,
    /// Reads with the same number belong to one session: to somebody who has seen what all of them answered.
    pub session: Option<u64>,
}

impl<K> Read<K> {
    /// A plain read at instant 0.
    pub const fn new<S>(process: u32, key: K, version: u64, served: Served) -> Read<K, S> {
        Read {
            process,
            key,
            version: Some(version),
            began: 0,
            ended: 0,
            served,
            within: None,
            own: None,
            due: None,
            token: None,
            session: None,
        }
    }
}

impl<K, S> Read<K, S> {
    /// The same read with other names for what it is about.
    pub(crate) fn renamed<L, T>(self, key: L, token: Option<Token<T>>) -> Read<L, T> {
        Read {
            process: self.process,
            key,
            version: self.version,
            began: self.began,
            ended: self.ended,
            served: self.served,
            within: self.within,
            own: self.own,
            due: self.due,
            token,
            session: self.session,
        }
    }
}

/// A write that returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Write<K = u32, S = u32> {
    /// The process that wrote.
    pub process: u32,
    /// What was written.
    pub key: K,
    /// The version that the database gave it.
    pub version: u64,
    /// When the call began; the database may have committed before that.
    pub began: u64,
    /// When the call returned.
    pub ended: u64,
    /// Whether it was announced: only then do others have to show it.
    pub announced: bool,
    /// The session token that the call returned.
    pub token: Option<Token<S>>,
}

impl<K> Write<K> {
    /// An unannounced write at instant 0.
    pub const fn new<S>(process: u32, key: K, version: u64) -> Write<K, S> {
        Write { process, key, version, began: 0, ended: 0, announced: false, token: None }
    }
}

impl<K, S> Write<K, S> {
    /// The same write with other names for what it is about.
    pub(crate) fn renamed<L, T>(self, key: L, token: Option<Token<T>>) -> Write<L, T> {
        Write {
            process: self.process,
            key,
            version: self.version,
            began: self.began,
            ended: self.ended,
            announced: self.announced,
            token,
        }
    }
}

/// With all healed: every read of `key` that begins from `from` on shows at least `version`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Floor<K = u32> {
    /// Of what.
    pub key: K,
    /// What the database held a while before.
    pub version: u64,
    /// From when on.
    pub from: u64,
}

/// A fault, by its number among those of its history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault(pub u32);

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record<'a> {
    /// Somebody begins to write; all numbers begin anew.
    Begin(Begin<'a>),
    /// The next process: the name of its node, and which of the processes of that name it is.
    Process {
        /// The node's name.
        name: &'a str,
        /// Tells the processes of one name apart.
        life: u64,
    },
    /// The next key.
    Key(&'a [u8]),
    /// The next stream.
    Stream(&'a [u8]),
    /// The numbers of keys and streams begin anew.
    Forget,
    /// A read.
    Read(Read),
    /// A write.
    Write(Write),
    /// What every later read shows.
    Floor(Floor),
    /// The next fault begins.
    FaultBegins {
        /// When.
        at: u64,
        /// What, for people.
        what: &'a str,
    },
    /// A fault is healed.
    FaultHeals {
        /// Which.
        fault: Fault,
        /// When.
        at: u64,
    },
    /// So many records had no room and are missing here.
    Lost(u64),
    /// Whoever wrote has ended in order, and nothing is missing at the end.
    End,
    /// Of a later version of the format.
    Unknown(u8),
}
