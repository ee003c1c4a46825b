//! The database that is cached: rows, each with the version that its last write gave it.

use std::path::Path;
use std::sync::{Arc, Mutex};

use rusqlite::{Connection, params};

/// A database. Clones are one.
#[derive(Clone)]
pub(crate) struct Authority {
    rows: Arc<Mutex<Rows>>,
}

enum Rows {
    /// In memory: versions by row.
    Memory(Vec<u64>),
    Sqlite(Connection),
}

impl Authority {
    /// With rows `0..count`, each of version 1.
    pub(crate) fn in_memory(count: u32) -> Self {
        Self::of(Rows::Memory(vec![1; count as usize]))
    }

    /// The same in a file of SQLite.
    pub(crate) fn in_sqlite(file: &Path, count: u32) -> Self {
        let mut connection = Connection::open(file).unwrap();
        let schema = "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
            CREATE TABLE rows (id INTEGER PRIMARY KEY, version INTEGER NOT NULL);";
        connection.execute_batch(schema).unwrap();
        let transaction = connection.transaction().unwrap();
        for row in 0..count {
            transaction.execute("INSERT INTO rows VALUES (?1, 1)", [row]).unwrap();
        }
        transaction.commit().unwrap();
        Self::of(Rows::Sqlite(connection))
    }

    fn of(rows: Rows) -> Self {
        Self { rows: Arc::new(Mutex::new(rows)) }
    }

    /// Writes these rows in one transaction; the version that each has now.
    pub(crate) fn raise(&self, rows: &[u32]) -> Vec<(u32, u64)> {
        match &mut *self.rows.lock().unwrap() {
            Rows::Memory(versions) => rows
                .iter()
                .map(|row| {
                    let version = &mut versions[*row as usize];
                    *version += 1;
                    (*row, *version)
                })
                .collect(),
            Rows::Sqlite(connection) => {
                let transaction = connection.transaction().unwrap();
                let raise = "UPDATE rows SET version = version + 1 WHERE id = ?1 RETURNING version";
                let raised = rows.iter().map(|row| {
                    let version: i64 = transaction.query_row(raise, [row], |line| line.get(0)).unwrap();
                    (*row, version as u64)
                });
                let raised = raised.collect();
                transaction.commit().unwrap();
                raised
            }
        }
    }

    /// The version of a row.
    pub(crate) fn version(&self, row: u32) -> u64 {
        match &*self.rows.lock().unwrap() {
            Rows::Memory(versions) => versions[row as usize],
            Rows::Sqlite(connection) => {
                let version = "SELECT version FROM rows WHERE id = ?1";
                connection.query_row(version, params![row], |line| line.get::<_, i64>(0)).unwrap() as u64
            }
        }
    }
}
