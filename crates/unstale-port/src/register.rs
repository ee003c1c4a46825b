//! The contract of a register: who takes part, kept by a broker, and its arbiter, who ends whom.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

/// One process under one of its streams, as it is written into a register.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// What it is known by; never used again once it ended. At most [`Entry::ID_BYTES_MAX`].
    pub id: Bytes,
    /// What it says of itself. At most [`Entry::ABOUT_BYTES_MAX`].
    pub about: Bytes,
}

impl Entry {
    /// The most bytes of an id.
    pub const ID_BYTES_MAX: usize = 64;
    /// The most bytes of what an entry says of itself.
    pub const ABOUT_BYTES_MAX: usize = 16 << 10;
}

/// What is asked of a register. Each request is one atomic step of the broker, and they are carried out in the order in
/// which one process asked. One that finds the broker out of reach is lost: its effect is not seen in later listings, and
/// whoever wants it asks again.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegisterRequest {
    /// Writes this process's entry, with its inbox, under a count of 0 renewals; does nothing if an entry of that id is
    /// there or has ended. From then on it is this process's own entry. The adapter never writes one by itself, also not
    /// after the register was lost.
    Enter(Entry),
    /// Raises the renewals of this process's own entry by one, if it is there, and reads the register, in one step;
    /// [`Event::Listed`](crate::Event::Listed) answers, unless it is lost. A later reading may overtake an earlier one that was not sent yet.
    Read {
        /// Named in the answer; a step that began before the request MUST NOT be given this number.
        reading: u64,
    },
    /// Ends an entry of this process: takes it out if it is there, and lists it as ended, as given here. Does nothing if
    /// it has ended.
    Retire(Entry),
    /// Asks the arbiter to end another process's entry, as [`RegisterRequest::Retire`] does. It does so only if the register
    /// is still in this era, and the entry still has this count of renewals, or is still not there.
    Expel {
        /// The era of the listing that this rests on.
        era: u64,
        /// Which, and what is to be known of it.
        entry: Entry,
        /// Its count in that listing; `None`: it was not listed.
        renewals: Option<u64>,
    },
}

/// What one reading found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Which reading this answers.
    pub reading: u64,
    /// Which life of the register this is. A register that may have lost something (its broker was restarted or flushed, or
    /// a replica took over that may lag behind) is in another era, a number that was never used, and has no entries that
    /// were not written in it.
    pub era: u64,
    /// All entries, this process's own among them.
    pub entries: Arc<[Listed]>,
    /// Entries that ended: for at least [`Listing::ENDED_FOR`] and at most [`Listing::ENDED_MAX`], the oldest go first.
    pub ended: Arc<[EndedEntry]>,
}

impl Listing {
    /// For how long at least an end is listed.
    pub const ENDED_FOR: Duration = Duration::from_secs(600);
    /// How many ends are listed.
    pub const ENDED_MAX: usize = 4_096;
}

/// An entry in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// As its process wrote it.
    pub entry: Entry,
    /// How often it was renewed since. No clock of the broker is asked whether a lease has run out: an entry whose count
    /// stands still for as long as an observer's own clock says has none.
    pub renewals: u64,
}

/// An entry that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedEntry {
    /// As whoever ended it gave it.
    pub entry: Entry,
    /// How long ago, by the broker's clock; for display and for forgetting.
    pub ago: Duration,
}
