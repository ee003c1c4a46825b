//! The database: names of products by number.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension};

/// One connection, used in turn.
#[derive(Clone)]
pub(crate) struct Database(Arc<Mutex<Connection>>);

impl Database {
    pub(crate) fn open(path: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL;
             CREATE TABLE IF NOT EXISTS products (id INTEGER PRIMARY KEY, name TEXT NOT NULL);",
        )?;
        Ok(Self(Arc::new(Mutex::new(connection))))
    }

    pub(crate) async fn name(&self, id: i64) -> rusqlite::Result<Option<String>> {
        self.run(move |connection| {
            let query = "SELECT name FROM products WHERE id = ?1";
            connection.query_row(query, [id], |row| row.get(0)).optional()
        })
        .await
    }

    pub(crate) async fn write(&self, id: i64, name: String) -> rusqlite::Result<usize> {
        self.run(move |connection| {
            connection.execute(
                "INSERT INTO products (id, name) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET name = ?2",
                (id, name),
            )
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> rusqlite::Result<T> {
        let shared = Arc::clone(&self.0);
        let done =
            tokio::task::spawn_blocking(move || work(&shared.lock().unwrap_or_else(PoisonError::into_inner)));
        done.await.expect("the database does not panic")
    }
}
