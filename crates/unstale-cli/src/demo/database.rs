//! The database of the demo: one table in one SQLite file, which every node opens for itself.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

/// The version of a row: the database raises it at each write.
pub(crate) type Version = u64;

/// How long a write waits for the writers of other processes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// One process's connections to the file. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    reader: Arc<Mutex<Connection>>,
    writer: Arc<Mutex<Connection>>,
}

impl Database {
    /// Makes the file, with `rows` rows of version 1.
    pub(crate) fn create(file: &Path, rows: u32) -> rusqlite::Result<Self> {
        let mut connection = Connection::open(file)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.execute_batch(
            "CREATE TABLE product(id INTEGER PRIMARY KEY, price INTEGER NOT NULL, version INTEGER NOT NULL)",
        )?;
        let transaction = connection.transaction()?;
        {
            let mut insert = transaction.prepare("INSERT INTO product VALUES(?1, 100, 1)")?;
            for row in 0..rows {
                insert.execute([row])?;
            }
        }
        transaction.commit()?;
        Self::open(file)
    }

    /// Opens the file that another process made.
    pub(crate) fn open(file: &Path) -> rusqlite::Result<Self> {
        let connect = || -> rusqlite::Result<_> {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(file, flags)?;
            connection.busy_timeout(BUSY_TIMEOUT)?;
            // A killed process loses nothing that it committed; only a power cut would, and it ends the demo too.
            connection.pragma_update(None, "synchronous", "off")?;
            Ok(Arc::new(Mutex::new(connection)))
        };
        Ok(Self { reader: connect()?, writer: connect()? })
    }

    /// The version of a row.
    pub(crate) fn read(&self, row: u32) -> rusqlite::Result<Version> {
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let mut query = reader.prepare_cached("SELECT version FROM product WHERE id = ?1")?;
        query.query_row([row], |columns| columns.get(0))
    }

    /// The versions of all rows, in the order of rows, as of one instant.
    pub(crate) fn read_all(&self) -> rusqlite::Result<Vec<Version>> {
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let mut query = reader.prepare_cached("SELECT version FROM product ORDER BY id")?;
        let versions = query.query_map([], |columns| columns.get(0))?;
        versions.collect()
    }

    /// Changes a row and returns its new version once that is committed. Blocks while another process writes.
    pub(crate) fn write(&self, row: u32, price: u32) -> rusqlite::Result<Version> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version = {
            let mut update = transaction.prepare_cached(
                "UPDATE product SET price = ?2, version = version + 1 WHERE id = ?1 RETURNING version",
            )?;
            update.query_row([row, price], |columns| columns.get(0))?
        };
        transaction.commit()?;
        Ok(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_raises_the_version_at_each_write_and_other_connections_see_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("rows.sqlite");
        let first = Database::create(&file, 3).expect("a new file");
        let second = Database::open(&file).expect("the same file");
        assert_eq!(first.read(1), Ok(1));
        assert_eq!(first.write(1, 5), Ok(2));
        assert_eq!(second.write(1, 6), Ok(3));
        assert_eq!(first.read(1), Ok(3));
        assert_eq!(second.read_all(), Ok(vec![1, 3, 1]));
        assert!(first.read(3).is_err(), "there is no fourth row");
    }

    #[test]
    fn writers_of_several_connections_wait_for_each_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("rows.sqlite");
        let database = Database::create(&file, 1).expect("a new file");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let own = Database::open(&file).expect("the same file");
                    for price in 0..50 {
                        own.write(0, price).expect("waits instead of failing");
                    }
                });
            }
        });
        assert_eq!(database.read(0), Ok(201));
    }
}
