//! Loads of rows, as a service does them: over a wire that takes its time.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::demo::clock;
use crate::demo::database::{Database, Version};

/// How long a question or an answer is on its way between a service and its database. SQLite is too near to show what
/// can happen to an answer that is under way.
const WAY: Duration = Duration::from_millis(1);

/// What the caches hold of a row. In a second level it is a text, which every program can hold: version, `@`, instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(super) struct Row {
    /// The database's version.
    pub(super) version: Version,
    /// When the load began.
    pub(super) loaded: u64,
}

/// A text that is no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoRow;

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.version, self.loaded)
    }
}

impl FromStr for Row {
    type Err = NoRow;

    fn from_str(text: &str) -> Result<Self, NoRow> {
        let (version, loaded) = text.split_once('@').ok_or(NoRow)?;
        Ok(Self { version: version.parse().map_err(|_| NoRow)?, loaded: loaded.parse().map_err(|_| NoRow)? })
    }
}

impl From<Row> for String {
    fn from(row: Row) -> Self {
        row.to_string()
    }
}

impl TryFrom<String> for Row {
    type Error = NoRow;

    fn try_from(text: String) -> Result<Self, NoRow> {
        text.parse()
    }
}

impl fmt::Display for NoRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not VERSION@INSTANT")
    }
}

impl std::error::Error for NoRow {}

/// The database as a node loads from it.
#[derive(Debug)]
pub(super) struct Source {
    database: Database,
    rows: u32,
    loads: AtomicU64,
}

impl Source {
    /// Loads out of `database`, which has `rows` rows.
    pub(super) const fn new(database: Database, rows: u32) -> Self {
        Self { database, rows, loads: AtomicU64::new(0) }
    }

    /// Loads a row.
    pub(super) async fn load(&self, row: u32) -> rusqlite::Result<Row> {
        let loaded = clock::now();
        self.loads.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(WAY).await;
        let version = self.database.read(row)?;
        tokio::time::sleep(WAY).await;
        Ok(Row { version, loaded })
    }

    /// Counts loads from here on.
    pub(super) fn count_from_now(&self) {
        self.loads.store(0, Ordering::Relaxed);
    }

    /// How many loads began.
    pub(super) fn loads(&self) -> u64 {
        self.loads.load(Ordering::Relaxed)
    }

    /// How many rows there are.
    pub(super) const fn rows(&self) -> u32 {
        self.rows
    }

    /// The database itself.
    pub(super) const fn database(&self) -> &Database {
        &self.database
    }
}
