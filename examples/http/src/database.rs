//! The database: one SQLite file that every process opens.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use serde::{Deserialize, Serialize};

/// How long a transaction waits for those of other processes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS products(id TEXT PRIMARY KEY, name TEXT, price INTEGER, category TEXT, version INTEGER NOT NULL);
    CREATE INDEX IF NOT EXISTS products_by_category ON products(category, id);
    CREATE TABLE IF NOT EXISTS tombstones(id TEXT PRIMARY KEY, version INTEGER NOT NULL);";

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Product {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) price: i64,
    pub(crate) category: String,
    pub(crate) version: u64,
}

/// What a row shall be.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Wish {
    pub(crate) id: String,
    #[serde(flatten)]
    pub(crate) fields: Fields,
}

/// What a row shall be, apart from its id.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Fields {
    pub(crate) name: String,
    pub(crate) price: i64,
    pub(crate) category: String,
}

/// A row as it was stored, and the category that it had before, if it was there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) product: Product,
    pub(crate) old_category: Option<String>,
}

/// A row that was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Deleted {
    pub(crate) version: u64,
    pub(crate) category: String,
}

/// Connections to the file. Cheap to clone; every call blocks only a thread that is there for that.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    reader: Arc<Mutex<Connection>>,
    writer: Arc<Mutex<Connection>>,
}

/// Why the database did not answer.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

impl Database {
    /// Opens the file and makes what is absent.
    pub(crate) fn open(file: &Path) -> rusqlite::Result<Self> {
        let connect = || {
            let connection = Connection::open(file)?;
            connection.busy_timeout(BUSY_TIMEOUT)?;
            connection.pragma_update(None, "journal_mode", "wal")?;
            Ok::<_, rusqlite::Error>(Arc::new(Mutex::new(connection)))
        };
        let database = Self { writer: connect()?, reader: connect()? };
        database.writer.lock().unwrap_or_else(PoisonError::into_inner).execute_batch(SCHEMA)?;
        Ok(database)
    }

    /// The row with this id.
    pub(crate) async fn product(&self, id: String) -> Result<Option<Product>, Failure> {
        run(&self.reader, move |connection| {
            let mut query = connection
                .prepare_cached("SELECT id, name, price, category, version FROM products WHERE id = ?1")?;
            query.query_row([id], product).optional()
        })
        .await
    }

    /// The rows of a category, sorted by id.
    pub(crate) async fn category(&self, name: String) -> Result<Vec<Product>, Failure> {
        run(&self.reader, move |connection| {
            let mut query = connection.prepare_cached(
                "SELECT id, name, price, category, version FROM products WHERE category = ?1 ORDER BY id",
            )?;
            query.query_map([name], product)?.collect()
        })
        .await
    }

    /// Stores rows in one transaction.
    pub(crate) async fn store(&self, wishes: Vec<Wish>) -> Result<Vec<Stored>, Failure> {
        run(&self.writer, move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let stored =
                wishes.into_iter().map(|wish| store(&transaction, wish)).collect::<Result<_, _>>()?;
            transaction.commit()?;
            Ok(stored)
        })
        .await
    }

    /// Deletes a row; its version lives on.
    pub(crate) async fn delete(&self, id: String) -> Result<Option<Deleted>, Failure> {
        run(&self.writer, move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let row = transaction
                .query_row("DELETE FROM products WHERE id = ?1 RETURNING version, category", [&id], |row| {
                    Ok(Deleted { version: row.get::<_, u64>(0)? + 1, category: row.get(1)? })
                })
                .optional()?;
            if let Some(deleted) = &row {
                transaction
                    .execute("REPLACE INTO tombstones VALUES(?1, ?2)", params![id, deleted.version])?;
            }
            transaction.commit()?;
            Ok(row)
        })
        .await
    }
}

async fn run<T: Send + 'static>(
    connection: &Arc<Mutex<Connection>>,
    work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
) -> Result<T, Failure> {
    let connection = Arc::clone(connection);
    let work = move || work(&mut connection.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(tokio::task::spawn_blocking(work).await??)
}

fn product(row: &Row<'_>) -> rusqlite::Result<Product> {
    Ok(Product {
        id: row.get(0)?,
        name: row.get(1)?,
        price: row.get(2)?,
        category: row.get(3)?,
        version: row.get(4)?,
    })
}

fn store(transaction: &Transaction<'_>, wish: Wish) -> rusqlite::Result<Stored> {
    let Wish { id, fields: Fields { name, price, category } } = wish;
    let old: Option<(u64, String)> = transaction
        .query_row("SELECT version, category FROM products WHERE id = ?1", [&id], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let (version, old_category) = match old {
        Some((version, category)) => (version, Some(category)),
        None => (bury(transaction, &id)?, None),
    };
    let product = Product { id, name, price, category, version: version + 1 };
    transaction.execute(
        "REPLACE INTO products VALUES(?1, ?2, ?3, ?4, ?5)",
        params![product.id, product.name, product.price, product.category, product.version],
    )?;
    Ok(Stored { product, old_category })
}

/// Takes the tombstone of a row away: the version that its last life ended with, or 0.
fn bury(transaction: &Transaction<'_>, id: &str) -> rusqlite::Result<u64> {
    let version = transaction
        .query_row("DELETE FROM tombstones WHERE id = ?1 RETURNING version", [id], |row| row.get(0))
        .optional()?;
    Ok(version.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(id: &str, category: &str) -> Wish {
        Wish { id: id.into(), fields: Fields { name: "n".into(), price: 1, category: category.into() } }
    }

    #[tokio::test]
    async fn versions_go_up_at_each_write_also_across_a_delete() -> Result<(), Failure> {
        let folder = tempfile::tempdir()?;
        let database = Database::open(&folder.path().join("shop.sqlite"))?;
        let stored = database.store(vec![wish("1", "a"), wish("1", "b"), wish("2", "b")]).await?;
        let versions: Vec<_> = stored.iter().map(|stored| stored.product.version).collect();
        assert_eq!(versions, [1, 2, 1]);
        assert_eq!(stored[1].old_category.as_deref(), Some("a"));

        let deleted = database.delete("1".into()).await?;
        assert_eq!(deleted, Some(Deleted { version: 3, category: "b".into() }));
        assert_eq!(database.product("1".into()).await?, None);
        assert_eq!(database.delete("1".into()).await?, None);
        let again = database.store(vec![wish("1", "b")]).await?;
        assert_eq!((again[0].product.version, &again[0].old_category), (4, &None));
        Ok(())
    }

    #[tokio::test]
    async fn a_category_has_its_rows_sorted_by_id() -> Result<(), Failure> {
        let folder = tempfile::tempdir()?;
        let database = Database::open(&folder.path().join("shop.sqlite"))?;
        database.store(vec![wish("b", "x"), wish("a", "x"), wish("c", "y")]).await?;
        let ids: Vec<_> =
            database.category("x".into()).await?.into_iter().map(|product| product.id).collect();
        assert_eq!(ids, ["a", "b"]);
        Ok(())
    }
}
