//! The tables of a domain by name.

use std::any::{Any, TypeId, type_name};
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use thiserror::Error;
use unstale_core::{Act, Name};

use crate::fence::{Reach, SubjectRef};
use crate::floor::Floors;
use crate::key::Key;
use crate::table::Table;

/// A table of this name is in use, with other types.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("cache {name} holds {exists} in this process, not {asked}")]
pub struct TableExists {
    /// The name.
    pub name: Name,
    /// The types that it has.
    pub exists: &'static str,
    /// The types that were asked for.
    pub asked: &'static str,
}

/// What acts need of a table whatever its types.
pub(crate) trait AnyTable: Any + Send + Sync {
    fn floors(&self) -> &Floors;

    /// The place of the whole table.
    fn whole(&self) -> SubjectRef;

    /// The place of one of its tags.
    fn tag(&self, tag: &[u8]) -> SubjectRef;

    /// An empty chunk of acts on its keys, with room for so many.
    fn chunk(self: Arc<Self>, acts: usize) -> Box<dyn Chunk>;
}

/// Acts on keys of one table, decoded and ready for the critical section.
pub(crate) trait Chunk: Any + Send {
    /// Adds the key of the plan's act of this index, by its bytes.
    fn add(&mut self, index: usize, key: &Bytes, reach: Reach);

    fn raise(&self, number: u64);

    /// Drops or marks the entries. What is displaced stays in the chunk. Returns how many keys had an entry.
    /// `remote` are the acts that the plan was made of.
    fn withdraw(&mut self, number: u64, remote: &[Act]) -> usize;

    /// How many of the bytes that were added no key has. Known once entries were withdrawn.
    fn undecodable(&self) -> usize;
}

/// Names and tables. A table that nobody holds any more is as good as none.
#[derive(Clone, Default)]
pub(crate) struct Registry {
    tables: BTreeMap<Name, Row>,
}

#[derive(Clone)]
struct Row {
    table: Weak<dyn AnyTable>,
    types: TypeId,
    type_name: &'static str,
}

impl Registry {
    /// The table of this name: as it was asked for, or as an error if it has other types.
    pub(crate) fn find<K: Key, V: Send + Sync + 'static>(
        &self,
        name: &Name,
    ) -> Option<Result<Table<K, V>, TableExists>> {
        let row = self.tables.get(name)?;
        let table = row.table.upgrade()?;
        if row.types == TypeId::of::<(K, V)>() {
            return Table::from_any(table).map(Ok);
        }
        let asked = type_name::<(K, V)>();
        Some(Err(TableExists { name: name.clone(), exists: row.type_name, asked }))
    }

    pub(crate) fn add<K: Key, V: Send + Sync + 'static>(&mut self, table: &Table<K, V>) {
        self.tables.retain(|_, row| row.table.strong_count() > 0);
        let types = TypeId::of::<(K, V)>();
        let row = Row { table: table.downgrade(), types, type_name: type_name::<(K, V)>() };
        self.tables.insert(table.name().clone(), row);
    }

    pub(crate) fn get(&self, name: &Name) -> Option<Arc<dyn AnyTable>> {
        self.tables.get(name)?.table.upgrade()
    }

    pub(crate) fn tables(&self) -> impl Iterator<Item = Arc<dyn AnyTable>> + '_ {
        self.tables.values().filter_map(|row| row.table.upgrade())
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.tables.keys()).finish()
    }
}
