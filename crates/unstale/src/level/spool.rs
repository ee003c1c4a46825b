//! Debts in a file, so that they outlive the process: docs/formats/recovery.md.
//!
//! A format of its own: a hundred lines for one list of removals, where a library for logs or a database in a file would bring
//! threads, compaction and locks that nobody here needs.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use unstale_core::{Name, xxh64};

use super::debts::{Debt, Whose};

const MAGIC: &[u8; 16] = b"unstale-owed-1\r\n";
/// A record's length and checksum.
const HEAD: usize = 4 + 8;
/// The longest record there is: longer keys and tags do not fit a message either.
const RECORD_BYTES_MAX: usize = 2 << 20;
/// The longest file that is read; a longer one is no file of ours, or has lost its way.
const FILE_BYTES_MAX: u64 = 256 << 20;
/// A file that is longer than this, and than twice what is owed takes, is written anew.
const LONG_BYTES: u64 = 1 << 20;

const OWED: u8 = 1;
const SETTLED: u8 = 2;
const KEY: u8 = 1;
const TAG: u8 = 2;
const TAG_EVERYWHERE: u8 = 3;
const CACHE: u8 = 4;
const ALL: u8 = 5;

/// One line of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Owed(Debt, u64, Whose),
    Settled(Debt, u64),
}

/// The file, open for more.
#[derive(Debug)]
pub(crate) struct Spool {
    path: PathBuf,
    file: File,
    bytes: u64,
    /// What it had when it was written anew.
    base: u64,
}

impl Spool {
    /// Opens or makes the file, and reads what is in it. What follows the first record that is not whole is dropped if it is
    /// the last; if there is more, everything is owed: nobody knows what the lost ones said.
    pub(crate) fn open(path: &Path) -> io::Result<(Self, Vec<Entry>)> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let length = file.metadata()?.len();
        if length > FILE_BYTES_MAX {
            let why = format!("{} has {length} bytes, beyond the limit of {FILE_BYTES_MAX}", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        let entries = if length == 0 {
            file.write_all(MAGIC)?;
            Vec::new()
        } else {
            let mut bytes = Bytes::from(fs::read(path)?);
            if bytes.len() < MAGIC.len() || bytes.split_to(MAGIC.len()) != MAGIC[..] {
                let why = format!("{} is no list of what a store is owed", path.display());
                return Err(io::Error::new(io::ErrorKind::InvalidData, why));
            }
            decode(bytes)
        };
        let bytes = length.max(MAGIC.len() as u64);
        Ok((Self { path: path.to_owned(), file, bytes, base: bytes }, entries))
    }

    /// Adds an entry. A disk that fails is reported: the debt is kept in memory all the same.
    pub(crate) fn append(&mut self, entry: &Entry) {
        let mut record = BytesMut::new();
        encode(entry, &mut record);
        match self.file.write_all(&record) {
            Ok(()) => self.bytes += record.len() as u64,
            Err(error) => self.failed(&error),
        }
    }

    /// Whether it is worth to be written anew, with so many debts.
    pub(crate) fn is_long(&self, debts: usize) -> bool {
        self.bytes > LONG_BYTES && self.bytes > 2 * self.base || debts == 0 && self.bytes > LONG_BYTES / 16
    }

    /// Writes the file anew, beside the old one, which it then replaces.
    pub(crate) fn rewrite(&mut self, entries: impl Iterator<Item = Entry>) {
        let mut all = BytesMut::from(&MAGIC[..]);
        for entry in entries {
            encode(&entry, &mut all);
        }
        let mut beside = self.path.clone().into_os_string();
        beside.push(".new");
        let written = fs::write(&beside, &all).and_then(|()| {
            let file = OpenOptions::new().append(true).open(&beside)?;
            fs::rename(&beside, &self.path)?;
            Ok(file)
        });
        match written {
            Ok(file) => (self.file, self.bytes, self.base) = (file, all.len() as u64, all.len() as u64),
            Err(error) => self.failed(&error),
        }
    }

    fn failed(&self, error: &io::Error) {
        tracing::error!(file = %self.path.display(), %error, "what the store is owed could not be written down");
    }
}

fn encode(entry: &Entry, out: &mut BytesMut) {
    let (kind, debt, stamp, whose) = match entry {
        Entry::Owed(debt, stamp, whose) => (OWED, debt, stamp, *whose),
        Entry::Settled(debt, stamp) => (SETTLED, debt, stamp, Whose::Own),
    };
    let none = Bytes::new();
    let (subject, cache, bytes) = match debt {
        Debt::Key(cache, key) => (KEY, Some(cache), key),
        Debt::Tag(Some(cache), tag) => (TAG, Some(cache), tag),
        Debt::Tag(None, tag) => (TAG_EVERYWHERE, None, tag),
        Debt::Cache(cache) => (CACHE, Some(cache), &none),
        Debt::All => (ALL, None, &none),
    };
    let start = out.len();
    out.put_slice(&[0; HEAD]);
    out.put_slice(&[kind, subject, u8::from(whose == Whose::Heard)]);
    out.put_u64(*stamp);
    let cache: &[u8] = cache.map_or(&[], |cache| cache.as_bytes());
    out.put_u8(cache.len() as u8);
    out.put_slice(cache);
    out.put_slice(bytes);
    let body = out[start + HEAD..].to_vec();
    let mut head = &mut out[start..start + HEAD];
    head.put_u32(body.len() as u32);
    head.put_u64(xxh64(&body));
}

fn decode(mut bytes: Bytes) -> Vec<Entry> {
    let mut entries = Vec::new();
    while bytes.len() >= HEAD {
        let (length, checksum) = (bytes.get_u32() as usize, bytes.get_u64());
        if length > bytes.len() && length <= RECORD_BYTES_MAX {
            // Torn: the call that wrote it did not return.
            return entries;
        }
        let body = bytes.split_to(length.min(bytes.len()));
        let is_whole = body.len() == length && xxh64(&body) == checksum;
        match is_whole.then(|| entry(body)).flatten() {
            Some(entry) => entries.push(entry),
            None if bytes.is_empty() && length <= RECORD_BYTES_MAX => return entries,
            None => {
                tracing::error!("the list of what the store is owed is damaged: all of it is owed");
                entries.push(Entry::Owed(Debt::All, 0, Whose::Own));
                return entries;
            }
        }
    }
    entries
}

fn entry(mut body: Bytes) -> Option<Entry> {
    let (kind, subject, heard) = (body.try_get_u8().ok()?, body.try_get_u8().ok()?, body.try_get_u8().ok()?);
    let stamp = body.try_get_u64().ok()?;
    let length = usize::from(body.try_get_u8().ok()?);
    let cache = (length <= body.len()).then(|| body.split_to(length))?;
    let cache = Name::new(cache).ok();
    let debt = match subject {
        KEY => Debt::Key(cache?, body),
        TAG => Debt::Tag(Some(cache?), body),
        TAG_EVERYWHERE => Debt::Tag(None, body),
        CACHE => Debt::Cache(cache?),
        ALL => Debt::All,
        _ => return None,
    };
    match kind {
        OWED => Some(Entry::Owed(debt, stamp, if heard == 0 { Whose::Own } else { Whose::Heard })),
        SETTLED => Some(Entry::Settled(debt, stamp)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries() -> Vec<Entry> {
        let users = || Name::new("users").unwrap();
        vec![
            Entry::Owed(Debt::Key(users(), "7".into()), u64::MAX, Whose::Own),
            Entry::Owed(Debt::Tag(Some(users()), "t".into()), 2, Whose::Heard),
            Entry::Owed(Debt::Tag(None, "".into()), 3, Whose::Own),
            Entry::Settled(Debt::Cache(users()), 4),
            Entry::Owed(Debt::All, 5, Whose::Heard),
        ]
    }

    fn written() -> BytesMut {
        let mut bytes = BytesMut::new();
        for entry in entries() {
            encode(&entry, &mut bytes);
        }
        bytes
    }

    #[test]
    fn what_was_written_comes_back() {
        assert_eq!(decode(written().freeze()), entries());
    }

    #[test]
    fn a_torn_end_is_dropped_wherever_it_was_torn() {
        let bytes = written().freeze();
        let last = {
            let mut bytes = BytesMut::new();
            encode(&entries()[4], &mut bytes);
            bytes.len()
        };
        for cut in 1..last {
            assert_eq!(decode(bytes.slice(..bytes.len() - cut)), entries()[..4], "{cut} bytes");
        }
    }

    #[test]
    fn damage_in_the_middle_makes_everything_owed() {
        let mut bytes = written();
        bytes[HEAD + 5] ^= 1;
        assert_eq!(decode(bytes.freeze()), [Entry::Owed(Debt::All, 0, Whose::Own)]);
    }

    #[test]
    fn fuzz_any_bytes_are_entries_or_none() {
        let good = written().freeze();
        bolero::check!().with_type::<(Vec<u8>, u16, u8)>().for_each(|(bytes, at, with)| {
            let _ = decode(Bytes::copy_from_slice(bytes));
            let mut spoiled = good.to_vec();
            let at = usize::from(*at) % spoiled.len();
            spoiled[at] ^= *with;
            assert!(decode(spoiled.into()).len() <= 5);
        });
    }
}
