//! Entries of a FusionCache estate, read as .NET nodes would.

use std::time::Duration;

use bytes::Bytes;
use redis::{Cmd, Pipeline, Value, pipe};
use unstale_codec::fusion::Stored;
use unstale_port::Error;

use crate::fusion::{Recognised, recognise};
use crate::server::{Server, is_of_another_type, of_key, reply};

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
pub(super) async fn read(server: &Server, keys: &[Bytes]) -> Result<Vec<Entry>, Error> {
    let mut entries = Vec::new();
    for batch in keys.chunks(BATCH) {
        let types = ask(server, batch.iter().map(|key| of_key("TYPE", key, &[]))).await?;
        let is_hash = |value: &Value| reply::text(value).as_deref() == Some("hash");
        let hashes: Vec<Bytes> = batch
            .iter()
            .zip(&types)
            .filter(|(_, value)| is_hash(value))
            .map(|(key, _)| key.clone())
            .collect();
        match read_hashes(server, &hashes).await {
            Ok(read) => entries.extend(read),
            // A key that has become something else in between costs its batch.
            Err(error) if is_of_another_type(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(entries)
}

async fn read_hashes(server: &Server, hashes: &[Bytes]) -> Result<Vec<Entry>, Error> {
    let lives = ask(server, hashes.iter().map(|key| of_key("PTTL", key, &[]))).await?;
    let fields = ask(server, hashes.iter().map(|key| of_key("HMGET", key, &["absexp", "sldexp"]))).await?;
    let lengths = ask(server, hashes.iter().map(|key| of_key("HSTRLEN", key, &["data"]))).await?;
    let is_short = |length: &Value| reply::number(length).is_some_and(|length| length <= DATA_BYTES_MAX);
    let wanted = hashes.iter().zip(&lengths).filter(|(_, length)| is_short(length));
    let data = ask(server, wanted.map(|(key, _)| of_key("HGET", key, &["data"]))).await?;
    let mut data = data.iter();
    let mut entries = Vec::new();
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
    Ok(entries)
}

async fn ask(server: &Server, commands: impl Iterator<Item = Cmd>) -> Result<Vec<Value>, Error> {
    let mut pipeline: Pipeline = pipe();
    for command in commands {
        pipeline.add_command(command);
    }
    if pipeline.is_empty() { Ok(Vec::new()) } else { server.ask_all(&pipeline).await }
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
