//! Entries of a FusionCache estate, read as .NET nodes would.

use std::time::Duration;

use bytes::Bytes;
use redis::{Pipeline, Value, pipe};
use unstale_codec::fusion::Stored;

use crate::fusion::{Recognised, recognise};
use crate::server::{Server, reply};

/// Longer envelopes are not fetched.
const DATA_BYTES_MAX: i64 = 256 << 10;
const BATCH: usize = 64;

/// One entry.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: Bytes,
    pub(super) life: Life,
    pub(super) data: Data,
}

/// How long a key has to live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Left(Duration),
    /// It has no end, and was meant to have none.
    Endless,
    /// It has no end, although its fields say one.
    Forgotten,
}

/// What a hash holds.
#[derive(Clone, Debug)]
pub(super) enum Data {
    By(Recognised),
    /// Nobody's bytes, or none.
    Unknown,
    /// Too long to be fetched.
    Large,
}

/// Reads those of the keys that are hashes and still there.
pub(super) async fn read(server: &Server, keys: &[Bytes]) -> Result<Vec<Entry>, String> {
    let mut entries = Vec::new();
    for batch in keys.chunks(BATCH) {
        let types = ask(server, batch.iter().map(|key| ["TYPE".into(), key.clone()])).await?;
        let is_hash = |value: &Value| reply::text(value).as_deref() == Some("hash");
        let hashes: Vec<Bytes> = batch
            .iter()
            .zip(&types)
            .filter(|(_, value)| is_hash(value))
            .map(|(key, _)| key.clone())
            .collect();
        if hashes.is_empty() {
            continue;
        }
        // A key that becomes something else in between costs its batch.
        let lives = ask(server, hashes.iter().map(|key| ["PTTL".into(), key.clone()])).await?;
        let Ok(fields) = ask(server, hashes.iter().map(words(["HMGET", "absexp", "sldexp"]))).await else {
            continue;
        };
        let Ok(lengths) = ask(server, hashes.iter().map(words(["HSTRLEN", "data"]))).await else { continue };
        let is_short = |length: &Value| reply::number(length).is_some_and(|length| length <= DATA_BYTES_MAX);
        let wanted: Vec<Bytes> = hashes
            .iter()
            .zip(&lengths)
            .filter(|(_, length)| is_short(length))
            .map(|(key, _)| key.clone())
            .collect();
        let Ok(data) = ask(server, wanted.iter().map(words(["HGET", "data"]))).await else { continue };
        let mut data = data.iter();
        for (((key, life), fields), length) in hashes.iter().zip(&lives).zip(&fields).zip(&lengths) {
            let bytes = if is_short(length) { data.next().and_then(reply::bytes) } else { None };
            let data = match (&bytes, is_short(length)) {
                (_, false) => Data::Large,
                (Some(bytes), true) => recognise(bytes).map_or(Data::Unknown, Data::By),
                (None, true) => Data::Unknown,
            };
            // What is gone by now is no entry any more.
            if let Some(life) = life_of(life, fields) {
                entries.push(Entry { key: key.clone(), life, data });
            }
        }
    }
    Ok(entries)
}

/// `COMMAND key field…`
fn words<const N: usize>(command: [&'static str; N]) -> impl Fn(&Bytes) -> Vec<Bytes> {
    move |key| {
        let mut words: Vec<Bytes> = command.iter().map(|word| Bytes::from_static(word.as_bytes())).collect();
        words.insert(1, key.clone());
        words
    }
}

async fn ask(
    server: &Server,
    commands: impl Iterator<Item = impl AsRef<[Bytes]>>,
) -> Result<Vec<Value>, String> {
    let mut pipeline: Pipeline = pipe();
    for words in commands {
        let words = words.as_ref();
        let Some((name, arguments)) = words.split_first() else { continue };
        let command = pipeline.cmd(&String::from_utf8_lossy(name));
        for argument in arguments {
            command.arg(&argument[..]);
        }
    }
    if pipeline.is_empty() {
        return Ok(Vec::new());
    }
    server.ask_all(&pipeline).await.map_err(|error| error.to_string())
}

fn life_of(left: &Value, fields: &Value) -> Option<Life> {
    match reply::number(left)? {
        -2 => None,
        -1 => {
            let fields: Vec<_> = reply::list(fields).iter().map(reply::bytes).collect();
            let [absolute, sliding] = &fields[..] else { return Some(Life::Endless) };
            let stored = Stored::from_fields([absolute.clone(), sliding.clone(), Some(Bytes::new())]);
            let has_end = stored
                .ok()
                .flatten()
                .is_some_and(|stored| stored.absolute.is_some() || stored.sliding.is_some());
            Some(if has_end { Life::Forgotten } else { Life::Endless })
        }
        left => Some(Life::Left(Duration::from_millis(left.unsigned_abs()))),
    }
}
