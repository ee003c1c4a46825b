//! What a broker's register holds, and its steps.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use super::net::NodeId;
use crate::{EndedEntry, Entry, Listed, Listing};

/// The register of a broker. Each method is one atomic step.
pub(super) struct Rolls {
    era: u64,
    entries: BTreeMap<Bytes, Row>,
    /// The oldest first.
    ended: VecDeque<(Entry, Duration)>,
}

struct Row {
    owner: NodeId,
    entry: Entry,
    renewals: u64,
}

impl Rolls {
    pub(super) const fn new() -> Self {
        Self { era: 1, entries: BTreeMap::new(), ended: VecDeque::new() }
    }

    pub(super) fn lose(&mut self) {
        *self = Self { era: self.era + 1, ..Self::new() };
    }

    /// Writes an entry, unless it is there or has ended.
    pub(super) fn enter(&mut self, owner: NodeId, entry: Entry) {
        if !self.has_ended(&entry.id) {
            self.entries.entry(entry.id.clone()).or_insert(Row { owner, entry, renewals: 0 });
        }
    }

    /// Raises the count of an entry, if it is there.
    pub(super) fn renew(&mut self, id: &Bytes) {
        if let Some(row) = self.entries.get_mut(id) {
            row.renewals += 1;
        }
    }

    /// Ends an entry.
    pub(super) fn end(&mut self, entry: Entry, now: Duration) {
        self.entries.remove(&entry.id);
        if self.has_ended(&entry.id) {
            return;
        }
        let max = Listing::ENDED_MAX;
        self.ended.push_back((entry, now));
        while self.ended.len() > max
            || self.ended.front().is_some_and(|(_, at)| now.saturating_sub(*at) > Listing::ENDED_FOR)
        {
            self.ended.pop_front();
        }
    }

    /// Ends an entry if nothing has changed since it was found so.
    pub(super) fn expel(&mut self, era: u64, entry: Entry, renewals: Option<u64>, now: Duration) {
        if era == self.era && self.entries.get(&entry.id).map(|row| row.renewals) == renewals {
            self.end(entry, now);
        }
    }

    pub(super) fn listing(&self, reading: u64, now: Duration) -> Listing {
        let listed = |row: &Row| Listed { entry: row.entry.clone(), renewals: row.renewals };
        let ended = |(entry, at): &(Entry, Duration)| EndedEntry {
            entry: entry.clone(),
            ago: now.saturating_sub(*at),
        };
        Listing {
            reading,
            era: self.era,
            entries: self.entries.values().map(listed).collect(),
            ended: self.ended.iter().map(ended).collect(),
        }
    }

    /// Whose entries are there.
    pub(super) fn owners(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.entries.values().map(|row| row.owner)
    }

    pub(super) fn has_ended(&self, id: &Bytes) -> bool {
        self.ended.iter().any(|(entry, _)| entry.id == *id)
    }
}
