//! Loads of rows, as a service does them: over a wire that takes its time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::demo::clock;
use crate::demo::database::{Database, Version};

/// How long a question or an answer is on its way between a service and its database. SQLite is too near to show what
/// can happen to an answer that is under way.
const WAY: Duration = Duration::from_millis(1);

/// What the caches hold of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// The database's version.
    pub(super) version: Version,
    /// When the load began.
    pub(super) loaded: u64,
}

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
