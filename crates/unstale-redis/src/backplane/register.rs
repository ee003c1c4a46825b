//! The register: requests to commands, replies to listings.

use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use unstale_port::{EndedEntry, Entry, Listed, Listing, RegisterRequest};

use super::names::Process;
use crate::reply::Value;

/// What runs at the server.
pub(crate) const SCRIPT: &str = include_str!("register.lua");

/// What is known of a register, and how it is asked.
#[derive(Debug)]
pub(crate) struct Register {
    key: Bytes,
    me: Process,
    /// The id of this process's own entry.
    own: Bytes,
    known: Option<Known>,
}

/// The last whole list.
#[derive(Debug)]
struct Known {
    era: u64,
    version: Bytes,
    rows: Vec<(Process, Entry)>,
    /// With the server's time of their end, in ms.
    ended: Vec<(u64, Entry)>,
}

/// A request as the words after `EVALSHA sha 1`, and what its reply answers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) words: Vec<Bytes>,
    pub(crate) reading: Option<u64>,
}

/// A reply as a listing.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) listing: Listing,
    /// Whether who is listed or ended may be others than in the listing before.
    pub(crate) is_changed: bool,
}

impl Register {
    pub(crate) fn new(key: Bytes, me: Process) -> Self {
        Self { key, me, own: Bytes::new(), known: None }
    }

    /// The words of a request to the server with this run id; `never` is a number that was never used. `None` if the entry
    /// is larger than an entry may be.
    pub(crate) fn ask(&mut self, request: RegisterRequest, run: &Bytes, never: u64) -> Option<Asked> {
        let begin = |what: &'static str| {
            vec![
                self.key.clone(),
                Bytes::from_static(what.as_bytes()),
                run.clone(),
                Bytes::from(never.to_string()),
            ]
        };
        let (words, reading) = match request {
            RegisterRequest::Enter(entry) => {
                let mut words = begin("enter");
                words.extend([entry.id.clone(), row(Some(self.me), &entry)?]);
                self.own = entry.id;
                (words, None)
            }
            RegisterRequest::Read { reading } => {
                let (era, version) = match &self.known {
                    Some(known) => (Bytes::from(known.era.to_string()), known.version.clone()),
                    None => (Bytes::new(), Bytes::new()),
                };
                let mut words = begin("read");
                words.extend([self.own.clone(), era, version]);
                (words, Some(reading))
            }
            RegisterRequest::Retire(entry) => {
                let mut words = begin("retire");
                words.extend([entry.id.clone(), row(None, &entry)?]);
                (words, None)
            }
            RegisterRequest::Expel { era, entry, renewals } => {
                let renewals = renewals.map(|renewals| renewals.to_string()).unwrap_or_default();
                let mut words = begin("expel");
                words.extend([entry.id.clone(), row(None, &entry)?, era.to_string().into(), renewals.into()]);
                (words, None)
            }
            // What a later contract asks is not understood.
            _ => return None,
        };
        Some(Asked { words, reading })
    }

    /// What the reply to a reading says; `None` if it is none.
    pub(crate) fn take(&mut self, reading: u64, reply: &Value) -> Option<Told> {
        let [era, version, now, counts, rest @ ..] = reply.list() else { return None };
        let era: u64 = era.text()?.parse().ok()?;
        let now: u64 = now.text()?.parse().ok()?;
        let version = version.bytes()?;
        let is_changed = match rest {
            [] => false,
            [abouts, times, ends] => {
                let rows =
                    abouts.list().iter().map(|row| parse_row(row.bytes()?)).collect::<Option<Vec<_>>>()?;
                let ended = times.list().iter().zip(ends.list()).map(|(time, end)| {
                    let (_, entry) = parse_row(end.bytes()?)?;
                    Some((time.text()?.parse().ok()?, entry))
                });
                let ended = ended.collect::<Option<Vec<_>>>()?;
                self.known = Some(Known { era, version: version.clone(), rows, ended });
                true
            }
            _ => return None,
        };
        let known = self.known.as_ref().filter(|known| known.era == era && known.version == version)?;
        if counts.list().len() != known.rows.len() {
            return None;
        }
        let entries = known.rows.iter().zip(counts.list()).map(|((_, entry), count)| {
            Some(Listed { entry: entry.clone(), renewals: count.text()?.parse().ok()? })
        });
        let ended = known.ended.iter().map(|(at, entry)| EndedEntry {
            entry: entry.clone(),
            ago: Duration::from_millis(now.saturating_sub(*at)),
        });
        let listing =
            Listing { reading, era, entries: entries.collect::<Option<Arc<[_]>>>()?, ended: ended.collect() };
        Some(Told { listing, is_changed })
    }

    /// The processes behind the entries of the last listing, each with its entry's id.
    pub(crate) fn processes(&self) -> impl Iterator<Item = (Process, &Bytes)> {
        let rows = self.known.iter().flat_map(|known| &known.rows);
        rows.map(|(process, entry)| (*process, &entry.id))
    }
}

/// An entry as the register keeps it: inbox, length of the id, id, about. Who ended has no inbox.
fn row(inbox: Option<Process>, entry: &Entry) -> Option<Bytes> {
    let Entry { id, about } = entry;
    if id.len() > Entry::ID_BYTES_MAX || about.len() > Entry::ABOUT_BYTES_MAX {
        return None;
    }
    let mut row = BytesMut::with_capacity(17 + id.len() + about.len());
    row.put_slice(&inbox.map_or([0; 16], |process| process.0));
    row.put_u8(id.len() as u8);
    row.put_slice(id);
    row.put_slice(about);
    Some(row.freeze())
}

fn parse_row(row: &Bytes) -> Option<(Process, Entry)> {
    let (head, rest) = row.split_at_checked(17)?;
    let length = usize::from(head[16]);
    if length > Entry::ID_BYTES_MAX || rest.len() < length || rest.len() - length > Entry::ABOUT_BYTES_MAX {
        return None;
    }
    let (id, about) = (row.slice(17..17 + length), row.slice(17 + length..));
    Some((Process::of_slice(&head[..16])?, Entry { id, about }))
}

#[cfg(test)]
mod tests;
