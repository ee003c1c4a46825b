//! Frames: acts, with each cache's name written once.

use std::collections::BTreeMap;

use unstale_core::{Act, Batch, Frame, Name, Scope, Subject, Verb, Voided};

use super::error::{DecodeError, DecodeErrorKind, EncodeError, decode_error};
use super::limits;
use super::reader::Reader;
use super::writer::Writer;

const WHOLE: u8 = 0x01;
const HAS_SCOPE: u8 = 0x02;
const HAS_HOPS: u8 = 0x04;

// Later fields.
const STORE_UNSAFE: u64 = 1;

// The first byte of an act: the verb in bits 0 and 1, the subject in bits 2 to 4, bit 5.
const VERB_SET: u8 = 0;
const VERB_REMOVE: u8 = 1;
const VERB_EXPIRE: u8 = 2;
const SUBJECT_KEY: u8 = 0;
const SUBJECT_TAG: u8 = 1;
const SUBJECT_TAG_EVERYWHERE: u8 = 2;
const SUBJECT_CACHE: u8 = 3;
const SUBJECT_ALL: u8 = 4;
/// The act's cache is the one of the last act that had one.
const SAME_CACHE: u8 = 0x20;

pub(super) fn write(frame: &Frame, w: &mut Writer<'_>) -> Result<(), EncodeError> {
    let Frame { stream, range, stamp, scope, batch, hops, voided, acts, unknown } = frame;
    w.stream(*stream);
    w.range(*range)?;
    w.stamp(*stamp);
    let whole = match batch {
        Batch::Loose => 0,
        Batch::Whole => WHOLE,
    };
    let scoped = if scope.0 == 0 { 0 } else { HAS_SCOPE };
    let relayed = if *hops == 0 { 0 } else { HAS_HOPS };
    w.byte(whole | scoped | relayed);
    if scoped != 0 {
        w.number(u64::from(scope.0));
    }
    if relayed != 0 {
        w.byte(*hops);
    }
    let mut caches = CachesWritten::default();
    w.list("acts", limits::ACTS, acts, |w, act| write_act(act, &mut caches, w))?;
    if *voided == Voided::Owed {
        w.number(STORE_UNSAFE);
        w.key(&[]);
    }
    w.unknown_fields(STORE_UNSAFE, unknown)
}

pub(super) fn read(r: &mut Reader) -> Result<Frame, DecodeError> {
    let stream = r.stream()?;
    let range = r.range()?;
    let stamp = r.stamp()?;
    let flags = r.flags(WHOLE | HAS_SCOPE | HAS_HOPS)?;
    let batch = if flags & WHOLE == 0 { Batch::Loose } else { Batch::Whole };
    let scope = Scope(if flags & HAS_SCOPE == 0 { 0 } else { r.number_u32("scope")? });
    let hops = if flags & HAS_HOPS == 0 { 0 } else { r.byte()? };
    let mut caches = CachesRead::default();
    let acts = r.list("acts", limits::ACTS, 1, |r| read_act(&mut caches, r))?;
    let voided = if r.later_field(STORE_UNSAFE)?.is_some() { Voided::Owed } else { Voided::Yes };
    let unknown = r.unknown_fields(STORE_UNSAFE)?;
    Ok(Frame { stream, range, stamp, scope, batch, hops, voided, acts, unknown })
}

/// The caches named so far in a frame that is written.
#[derive(Default)]
struct CachesWritten<'a> {
    indices: BTreeMap<&'a Name, u64>,
    last: Option<&'a Name>,
}

fn write_act<'a>(
    act: &'a Act,
    caches: &mut CachesWritten<'a>,
    w: &mut Writer<'_>,
) -> Result<(), EncodeError> {
    let verb = match act.verb {
        Verb::Set => VERB_SET,
        Verb::Remove => VERB_REMOVE,
        Verb::Expire => VERB_EXPIRE,
    };
    let none: &[u8] = &[];
    let (subject, cache, bytes) = match &act.subject {
        Subject::Key { cache, key } => (SUBJECT_KEY, Some(cache), &key[..]),
        Subject::Tag { cache: Some(cache), tag } => (SUBJECT_TAG, Some(cache), &tag[..]),
        Subject::Tag { cache: None, tag } => (SUBJECT_TAG_EVERYWHERE, None, &tag[..]),
        Subject::Cache { cache } => (SUBJECT_CACHE, Some(cache), none),
        Subject::All => (SUBJECT_ALL, None, none),
    };
    let same = cache.is_some() && caches.last == cache;
    w.byte(verb | subject << 2 | if same { SAME_CACHE } else { 0 });
    if let (Some(cache), false) = (cache, same) {
        let next = caches.indices.len() as u64;
        let index = *caches.indices.entry(cache).or_insert(next);
        caches.last = Some(cache);
        w.number(index);
        if index == next {
            w.name(cache)?;
        }
    }
    if subject <= SUBJECT_TAG_EVERYWHERE {
        w.key(bytes);
    }
    Ok(())
}

/// The caches named so far in a frame that is read.
#[derive(Default)]
struct CachesRead {
    names: Vec<Name>,
    last: Option<Name>,
}

impl CachesRead {
    fn read(&mut self, same: bool, r: &mut Reader) -> Result<Name, DecodeError> {
        let start = r.at();
        if same {
            let kind = DecodeErrorKind::Unknown { what: "cache before the first one", value: 0 };
            return self.last.clone().ok_or(decode_error(start, kind));
        }
        let next = self.names.len();
        let index = r.number_up_to("index of a cache", next as u64)? as usize;
        if index == next {
            self.names.push(r.name()?);
        }
        let name = self.names[index].clone();
        self.last = Some(name.clone());
        Ok(name)
    }
}

fn read_act(caches: &mut CachesRead, r: &mut Reader) -> Result<Act, DecodeError> {
    let start = r.at();
    let first = r.byte()?;
    let unknown = || {
        let value = u64::from(first);
        decode_error(start, DecodeErrorKind::Unknown { what: "first byte of an act", value })
    };
    let verb = match first & 0x03 {
        VERB_SET => Verb::Set,
        VERB_REMOVE => Verb::Remove,
        VERB_EXPIRE => Verb::Expire,
        _ => return Err(unknown()),
    };
    let same = first & SAME_CACHE != 0;
    let subject = match (first & !SAME_CACHE) >> 2 {
        SUBJECT_KEY => Subject::Key { cache: caches.read(same, r)?, key: r.key()? },
        SUBJECT_TAG => Subject::Tag { cache: Some(caches.read(same, r)?), tag: r.key()? },
        SUBJECT_TAG_EVERYWHERE if !same => Subject::Tag { cache: None, tag: r.key()? },
        SUBJECT_CACHE => Subject::Cache { cache: caches.read(same, r)? },
        SUBJECT_ALL if !same => Subject::All,
        _ => return Err(unknown()),
    };
    Ok(Act { verb, subject })
}
