//! What a record is on the server: 48 bytes of head that the server writes, then a body that it reads only so far as it has to.

use std::time::{Duration, SystemTime};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use unstale_port::{Error, Kind, Record, Retry};

/// Bytes that the server puts before a body: generation 16, count 8, stamp 8, fresh until 8, kept until 8.
pub(super) const HEAD: usize = 48;
const HAS_VALUE: u8 = 1;
const HAS_VERSION: u8 = 2;
const HAS_ETAG: u8 = 4;
const HAS_MODIFIED: u8 = 8;
/// The functions unpack the tags of a record at once.
const TAGS_MAX: usize = 1_024;
const ETAG_MAX: usize = u16::MAX as usize;
/// What the server takes in one string.
const BODY_MAX: usize = 500 << 20;

/// The body of a record; what has to do with time and order stays with the server.
pub(super) fn encode(record: &Record) -> Result<Bytes, Error> {
    let too_large = |what: &str, size: usize, limit: usize| {
        let detail = format!("{what} of {size} exceeds limit of {limit}");
        Err(Error::new(Kind::TooLarge, Retry::Never, "put", detail))
    };
    let etag = record.etag.as_deref().unwrap_or_default();
    let tags_bytes: usize = record.tags.iter().map(|tag| 4 + tag.len()).sum();
    let size = 40 + tags_bytes + etag.len() + record.value.as_ref().map_or(0, Bytes::len);
    if record.tags.len() > TAGS_MAX {
        return too_large("number of tags", record.tags.len(), TAGS_MAX);
    }
    if etag.len() > ETAG_MAX {
        return too_large("etag in bytes", etag.len(), ETAG_MAX);
    }
    if size > BODY_MAX {
        return too_large("record in bytes", size, BODY_MAX);
    }
    let flag = |is_there: bool, flag: u8| if is_there { flag } else { 0 };
    let flags = flag(record.value.is_some(), HAS_VALUE)
        | flag(record.version.is_some(), HAS_VERSION)
        | flag(record.etag.is_some(), HAS_ETAG)
        | flag(record.last_modified.is_some(), HAS_MODIFIED);
    let mut body = BytesMut::with_capacity(size);
    body.put_u8(flags);
    body.put_u64(record.version.unwrap_or_default());
    body.put_u16(record.tags.len() as u16);
    for tag in &record.tags {
        body.put_u32(tag.len() as u32);
        body.put_slice(tag);
    }
    if record.etag.is_some() {
        body.put_u16(etag.len() as u16);
        body.put_slice(etag.as_bytes());
    }
    if let Some(at) = record.last_modified {
        let (is_before, apart) = apart_from_epoch(at);
        body.put_u8(u8::from(is_before));
        body.put_u64(apart.as_secs());
        body.put_u32(apart.subsec_nanos());
    }
    body.put_slice(record.value.as_deref().unwrap_or_default());
    Ok(body.freeze())
}

/// The record of a head and a body, as seen at `now_ms` of the server's clock; nothing if the bytes are no record, which
/// counts as lost.
pub(super) fn decode(mut bytes: Bytes, now_ms: u64) -> Option<Record> {
    if bytes.len() < HEAD {
        return None;
    }
    bytes.advance(24);
    let (stamp, fresh_until, keep_until) = (bytes.get_u64(), bytes.get_u64(), bytes.get_u64());
    let flags = bytes.try_get_u8().ok()?;
    let version = bytes.try_get_u64().ok()?;
    let count = usize::from(bytes.try_get_u16().ok()?);
    if count > TAGS_MAX {
        return None;
    }
    let mut tags = Vec::with_capacity(count);
    for _ in 0..count {
        let length = bytes.try_get_u32().ok()? as usize;
        tags.push(take(&mut bytes, length)?);
    }
    let etag = if flags & HAS_ETAG == 0 {
        None
    } else {
        let length = usize::from(bytes.try_get_u16().ok()?);
        Some(String::from_utf8(take(&mut bytes, length)?.into()).ok()?)
    };
    let last_modified = if flags & HAS_MODIFIED == 0 { None } else { Some(time_of(&mut bytes)?) };
    let left = |until: u64| Duration::from_millis(until.saturating_sub(now_ms));
    Some(Record {
        value: (flags & HAS_VALUE != 0).then_some(bytes),
        stamp,
        fresh_for: left(fresh_until),
        keep_for: left(keep_until),
        tags,
        version: (flags & HAS_VERSION != 0).then_some(version),
        etag,
        last_modified,
    })
}

fn take(bytes: &mut Bytes, length: usize) -> Option<Bytes> {
    (length <= bytes.len()).then(|| bytes.split_to(length))
}

/// Whether it is before 1970, and the seconds and nanoseconds from there.
fn apart_from_epoch(at: SystemTime) -> (bool, Duration) {
    match at.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => (false, since),
        Err(before) => (true, before.duration()),
    }
}

fn time_of(bytes: &mut Bytes) -> Option<SystemTime> {
    let is_before = bytes.try_get_u8().ok()? != 0;
    let (seconds, nanos) = (bytes.try_get_u64().ok()?, bytes.try_get_u32().ok()?);
    let apart = (nanos < 1_000_000_000).then(|| Duration::new(seconds, nanos))?;
    let epoch = SystemTime::UNIX_EPOCH;
    if is_before { epoch.checked_sub(apart) } else { epoch.checked_add(apart) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headed(body: &[u8]) -> Bytes {
        let mut bytes = BytesMut::new();
        bytes.put_slice(&[0; 24]);
        for word in [7_u64, 1_500, 3_000] {
            bytes.put_u64(word);
        }
        bytes.put_slice(body);
        bytes.freeze()
    }

    fn full() -> Record {
        Record {
            value: Some(Bytes::from_static(b"value")),
            stamp: 7,
            fresh_for: Duration::from_millis(500),
            keep_for: Duration::from_secs(2),
            tags: vec![Bytes::from_static(b"t"), Bytes::new()],
            version: Some(u64::MAX),
            etag: Some("\"1\"".to_owned()),
            last_modified: SystemTime::UNIX_EPOCH.checked_sub(Duration::from_millis(1)),
        }
    }

    #[test]
    fn a_record_comes_back_with_what_is_left_of_its_time() {
        let record = full();
        let body = encode(&record).unwrap();
        assert_eq!(decode(headed(&body), 1_000), Some(record));
        let bare =
            Record { value: None, tags: vec![], version: None, etag: None, last_modified: None, ..full() };
        let body = encode(&bare).unwrap();
        assert_eq!(body.len(), 11);
        let late = decode(headed(&body), 2_000).unwrap();
        assert_eq!((late.fresh_for, late.keep_for), (Duration::ZERO, Duration::from_secs(1)));
    }

    #[test]
    fn what_is_too_large_is_named() {
        let tags = vec![Bytes::new(); 1_025];
        let error = encode(&Record { tags, ..full() }).unwrap_err();
        assert_eq!(error.to_string(), "put: number of tags of 1025 exceeds limit of 1024");
        let error = encode(&Record { etag: Some("e".repeat(65_536)), ..full() }).unwrap_err();
        assert_eq!(error.to_string(), "put: etag in bytes of 65536 exceeds limit of 65535");
    }

    #[test]
    fn fuzz_any_bytes_are_a_record_or_none() {
        let good = headed(&encode(&full()).unwrap());
        bolero::check!().with_type::<(Vec<u8>, u16, u8)>().for_each(|(bytes, at, with)| {
            let _ = decode(Bytes::copy_from_slice(bytes), 1_000);
            let mut spoiled = good.to_vec();
            let at = usize::from(*at) % spoiled.len();
            spoiled[at] ^= *with;
            let _ = decode(spoiled.into(), 1_000);
            let _ = decode(good.slice(..at), 1_000);
        });
    }
}
