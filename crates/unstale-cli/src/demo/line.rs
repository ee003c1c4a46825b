//! What the supervisor and its nodes say to each other: one JSON object per line, over the node's stdin and stdout.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::database::Version;
use super::hub::Spoke;

/// Which cache the nodes hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Strategy {
    /// unstale.
    Coherent,
    /// A map, and invalidations that are sent once and forgotten.
    Naive,
    /// FusionCache of .NET, in a process of its own.
    Dotnet(PathBuf),
}

/// How much a run tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Detail {
    /// What is done to the nodes.
    Faults,
    /// What they notice of each other as well.
    Peers,
}

/// What the supervisor tells a node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Order {
    /// The first line: who the node is.
    Start(Box<Start>),
    /// Read and write from now on.
    Go,
    /// Read `row` with the token of the write that made it `version`.
    Session {
        /// Which row.
        row: u32,
        /// What the write made of it.
        version: Version,
        /// What the write returned.
        token: String,
    },
    /// Note what is resident.
    Remember,
    /// Say how much of what was noted is still answered without a load.
    Recall,
    /// Read every row once.
    Sweep,
    /// Stop writing.
    Quiet,
    /// Say goodbye to the peers and end.
    Leave,
}

/// Who a node is and how it works.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Start {
    /// Its name.
    pub(crate) name: String,
    /// The cache it holds.
    pub(crate) strategy: Strategy,
    /// Where it listens for its peers.
    pub(crate) listen: SocketAddr,
    /// The names of its peers and where each one is dialled: at a proxy of the supervisor.
    pub(crate) peers: Vec<(String, SocketAddr)>,
    /// The Redis where the nodes meet instead.
    pub(crate) hub: Option<Spoke>,
    /// The database.
    pub(crate) database: PathBuf,
    /// How many rows it has.
    pub(crate) rows: u32,
    /// Whether the node fills its cache before it says that it is ready.
    pub(crate) warm: bool,
    /// For the choice of keys and kinds of read.
    pub(crate) seed: u64,
    /// How many reads it begins per second.
    pub(crate) reads_per_s: u32,
    /// How many writes it begins per second.
    pub(crate) writes_per_s: u32,
    /// Whether it tells what it notices of its peers.
    pub(crate) detail: Detail,
}

/// What a node tells the supervisor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Report {
    /// Where the node listens.
    Listening(SocketAddr),
    /// The node has joined its peers, or works without some of them.
    Ready,
    /// What happened since the last tick.
    Tick(Tick),
    /// The answer to [`Order::Recall`].
    Kept(Kept),
    /// The node could not go on: a bug of the demo or of the library.
    Trouble(String),
}

/// A node's report of a tenth of a second.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tick {
    /// Every write that returned up to this instant is in this tick or an earlier one.
    pub(crate) until: u64,
    /// How the node stands with its peers, in one word.
    pub(crate) state: String,
    /// Totals of this process.
    pub(crate) totals: Totals,
    /// Entries that are distrusted now and not yet revalidated.
    pub(crate) suspects: u64,
    /// The reads that were answered.
    pub(crate) reads: Vec<Read>,
    /// The writes that returned.
    pub(crate) writes: Vec<Write>,
    /// The acts of peers that were applied as they came in, without repair.
    pub(crate) applied: Vec<Applied>,
    /// The holes that were closed.
    pub(crate) closed: Vec<Closed>,
    /// What the node noticed of its peers, if that is wanted.
    pub(crate) noticed: Vec<String>,
}

/// Counts of one process since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Totals {
    /// Reads that were answered.
    pub(crate) reads: u64,
    /// Reads answered out of the cache, not said to be stale.
    pub(crate) hits: u64,
    /// Reads answered as stale, and said so.
    pub(crate) stale_said: u64,
    /// Reads that failed.
    pub(crate) failed: u64,
    /// Loads from the database.
    pub(crate) loads: u64,
    /// Writes that returned.
    pub(crate) writes: u64,
    /// Of these, those that could not be announced.
    pub(crate) unannounced: u64,
    /// Acts that were found missing.
    pub(crate) lost: u64,
    /// Of these, those that were replayed, or of which a digest named the keys.
    pub(crate) repaired: u64,
}

/// One read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "ShortRead", into = "ShortRead")]
pub(crate) struct Read {
    /// Which row.
    pub(crate) row: u32,
    /// What was answered.
    pub(crate) version: Version,
    /// When it began.
    pub(crate) began: u64,
    /// When the answer was there.
    pub(crate) ended: u64,
    /// The newest version that this node had written, and the write returned, before the read began; 0 for none.
    pub(crate) own: Version,
    /// What was asked for, and answered.
    pub(crate) how: How,
    /// Out of what it was answered.
    pub(crate) served: Served,
    /// The reader whose read it was, from 1: each reads one after the other. 0 for none of them.
    pub(crate) reader: u32,
}

/// How a read is written: row, version, beginning, length, own version, what was asked, out of what it was answered, reader.
type ShortRead = (u32, Version, u64, u64, Version, How, Served, u32);

/// What a read asked for and, as far as it can be refused, was told that it got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum How {
    /// Whatever the cache holds.
    #[serde(rename = "p")]
    Plain,
    /// Answered as proven within so many nanoseconds.
    #[serde(rename = "w")]
    Within(u64),
    /// At least as new as the write that made it this version.
    #[serde(rename = "s")]
    Session(Version),
}

/// Out of what a read was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Served {
    /// The cache.
    #[serde(rename = "h")]
    Hit,
    /// The database.
    #[serde(rename = "l")]
    Load,
    /// The cache, with a warning.
    #[serde(rename = "s")]
    Stale,
    /// The database, asked after the read began.
    #[serde(rename = "b")]
    Bypass,
}

impl From<ShortRead> for Read {
    fn from((row, version, began, took, own, how, served, reader): ShortRead) -> Self {
        Self { row, version, began, ended: began.saturating_add(took), own, how, served, reader }
    }
}

impl From<Read> for ShortRead {
    fn from(read: Read) -> Self {
        let Read { row, version, began, ended, own, how, served, reader } = read;
        (row, version, began, ended.saturating_sub(began), own, how, served, reader)
    }
}

/// One write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Write {
    /// Which row.
    pub(crate) row: u32,
    /// The version that the database gave it.
    pub(crate) version: Version,
    /// Just before the act, after the database's commit.
    pub(crate) began: u64,
    /// Just after the act's call returned.
    pub(crate) returned: u64,
    /// Whether it was announced.
    pub(crate) announced: bool,
    /// Whose stream the act is in, and its number there.
    pub(crate) act: ActNumber,
    /// The session token that the call returned; empty for none.
    pub(crate) token: String,
}

/// An act's number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct ActNumber {
    /// Its stream.
    pub(crate) stream: String,
    /// Its number there.
    pub(crate) number: u64,
}

/// A run of acts of a peer that became visible to readers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Applied {
    /// Whose.
    pub(crate) stream: String,
    /// The first of them.
    pub(crate) first: u64,
    /// The last of them.
    pub(crate) last: u64,
    /// When.
    pub(crate) at: u64,
}

/// A hole in a peer's stream that was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Closed {
    /// When it was closed.
    pub(crate) at: u64,
    /// From the link being up to the hole being seen, in microseconds.
    pub(crate) up_to_seen_us: u64,
    /// From the link being up to the hole being closed, in microseconds.
    pub(crate) up_to_closed_us: u64,
}

/// What a cut left of a cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// Entries that were resident before the cut and whose rows were not written since.
    pub(crate) untouched: u64,
    /// Of these, those answered without a load since before the cut.
    pub(crate) hits: u64,
    /// Of these, those that are there, hits and suspects together.
    pub(crate) resident: u64,
}

/// A line as it is written, with its end.
pub(crate) fn to_line(message: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T>(message: &T, text: &str)
    where
        T: Serialize + for<'de> Deserialize<'de> + PartialEq + std::fmt::Debug,
    {
        let line = to_line(message).expect("serialisable");
        assert_eq!(String::from_utf8_lossy(&line), format!("{text}\n"));
        assert_eq!(&serde_json::from_slice::<T>(&line).expect("readable"), message);
    }

    #[test]
    fn orders_and_reports_are_one_line_each() {
        check(&Order::Go, r#""go""#);
        check(
            &Order::Session { row: 3, version: 9, token: "a\nb".into() },
            r#"{"session":{"row":3,"version":9,"token":"a\nb"}}"#,
        );
        check(&Report::Trouble("two\nlines".into()), r#"{"trouble":"two\nlines"}"#);
        check(&Report::Listening(([127, 0, 0, 1], 7000).into()), r#"{"listening":"127.0.0.1:7000"}"#);
    }

    #[test]
    fn reads_are_short_since_there_are_thousands_of_them() {
        let read =
            |how, served| Read { row: 1, version: 2, began: 3, ended: 7, own: 0, how, served, reader: 8 };
        check(&read(How::Plain, Served::Hit), r#"[1,2,3,4,0,"p","h",8]"#);
        check(&read(How::Within(250), Served::Bypass), r#"[1,2,3,4,0,{"w":250},"b",8]"#);
        check(&read(How::Session(2), Served::Load), r#"[1,2,3,4,0,{"s":2},"l",8]"#);
    }
}
