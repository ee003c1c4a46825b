//! Writing entries and marks, each act with its message.

use std::time::Duration;

use bytes::Bytes;
use unstale_codec::fusion::{Action, Envelope, Ticks};
use unstale_port::{Error, Kind, Lease, Record, Reply, Retry, Written};

use super::lease_parts;
use super::read::{mark, millis};
use crate::cache::Core;
use crate::clock::ticks;
use crate::entry::{self, timestamp_of};
use crate::layout::Place;
use crate::marks;
use crate::replies::{Content, malformed, ordered, time, word};
use crate::scripts::{MARKS, PUBLISH, PUT, RAISE, VOID};
use crate::settings::SKEW_MAX;

/// Keys that one script makes old.
const CHUNK_MAX: usize = 256;
/// How often a mark is read anew because somebody else raised it meanwhile.
const TRIES_MAX: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    Remove,
    Expire,
}

/// Fills a key with what was loaded under a lease. Nobody is told: nobody has anything newer to get.
pub(super) async fn fill(core: &Core, key: &Bytes, record: &Record, lease: Lease) -> Result<Written, Error> {
    if !core.settings.has_second_level {
        return Ok(Written::Refused);
    }
    let (print, began) = lease_parts(lease);
    let Ok(place) = core.settings.place(key) else { return Ok(Written::Refused) };
    let timestamp = timestamp_of(began);
    let written =
        put(core, &place, record, [Bytes::from_static(b"f"), print, word(began)], timestamp, Bytes::new());
    Ok(if written.await?.is_some() { Written::Stored } else { Written::Refused })
}

/// Writes a value that is newer than what is there, and tells everybody.
pub(super) async fn set(core: &Core, key: &Bytes, record: &Record) -> Result<Written, Error> {
    let Ok(place) = core.settings.place(key) else { return Ok(Written::Refused) };
    let timestamp = core.clock.stamp();
    core.recent().ended(&place.cache_key, timestamp, core.clock.now());
    // .NET nodes ignore a set that is older than what they have, and never a removal: then it is told as that.
    let action = if core.clock.lead().is_zero() { Action::Set } else { Action::Remove };
    let message = core.act(action, &place.cache_key, timestamp, record.stamp)?;
    if !core.settings.has_second_level {
        publish(core, message).await?;
        return Ok(Written::Stored);
    }
    let how = [Bytes::from_static(b"s"), Bytes::new(), Bytes::new()];
    let Some(replaced) = put(core, &place, record, how, timestamp, message).await? else {
        return Ok(Written::Refused);
    };
    let replaced = Envelope::decode(&core.settings.format, replaced).ok();
    if action == Action::Set && replaced.is_some_and(|replaced| replaced.timestamp >= timestamp) {
        publish(core, core.act(Action::Remove, &place.cache_key, timestamp, record.stamp)?).await?;
    }
    Ok(Written::Stored)
}

/// Makes keys old and tells everybody.
pub(super) async fn make_old(core: &Core, keys: &[Bytes], stamp: u64, how: How) -> Result<(), Error> {
    // Nobody can have written what has no place.
    let places: Vec<Place> = keys.iter().filter_map(|key| core.settings.place(key).ok()).collect();
    let (word_of_it, action) = match how {
        How::Remove => (&b"remove"[..], Action::Remove),
        How::Expire => (&b"expire"[..], Action::Expire),
    };
    for chunk in places.chunks(CHUNK_MAX) {
        let now = core.clock.stamp();
        // .NET nodes ignore an expiry that is older than what they have; they take no time from it.
        let said = if how == How::Expire { now.plus(SKEW_MAX) } else { now };
        let mut messages = Vec::with_capacity(chunk.len());
        for place in chunk {
            core.recent().ended(&place.cache_key, now, core.clock.now());
            messages.push(core.act(action, &place.cache_key, said, stamp)?);
        }
        if !core.settings.has_second_level {
            let mut arguments = vec![core.channel.clone()];
            arguments.extend(messages);
            time(&core.clock, Some(&core.run(&PUBLISH, &[], &arguments).await?))?;
            continue;
        }
        let kept = word(millis(core.settings.notes_kept()));
        let mut arguments = vec![Bytes::from_static(word_of_it), ordered(stamp), kept, core.channel.clone()];
        arguments.extend(messages);
        let keys: Vec<Bytes> =
            chunk.iter().flat_map(|place| [place.hash.clone(), place.side.clone()]).collect();
        time(&core.clock, Some(&core.run(&VOID, &keys, &arguments).await?))?;
    }
    Ok(())
}

/// Raises a mark and tells everybody.
pub(super) async fn raise(core: &Core, place: &Place, stamp: u64) -> Result<(), Error> {
    raise_now(core, place, stamp).await?;
    core.recent().raised(&place.cache_key, &core.clears[1].cache_key, core.clock.now());
    Ok(())
}

/// Writes a mark that ends everything written so far, and publishes it.
pub(crate) async fn raise_now(core: &Core, place: &Place, stamp: u64) -> Result<(), Error> {
    if !core.settings.has_second_level {
        let value = core.clock.stamp().plus(core.clock.lead());
        let value = core.note_mark(&place.cache_key, value);
        publish(core, core.act(Action::Set, &place.cache_key, value, stamp)?).await?;
        return Ok(());
    }
    let reply = core.run(&MARKS, std::slice::from_ref(&place.hash), &[]).await?;
    let now = time(&core.clock, reply.list().first())?;
    let mut content = Content::of(reply.list().get(1).ok_or_else(malformed)?);
    for _ in 0..TRIES_MAX {
        // What was written before `now` has at most that timestamp, unless its writer's clock is ahead.
        let before = mark(core, &content).value;
        let above = if before < Ticks::MAX { Ticks(before.0 + 1) } else { Ticks(0) };
        let ours = ticks(now).max(core.clock.stamp()).plus(core.clock.lead());
        let value = core.note_mark(&place.cache_key, ours.max(above));
        let (is_written, found) = write_mark(core, place, &content, value, now, stamp).await?;
        if is_written {
            core.clock.fold(value);
            return Ok(());
        }
        content = found;
    }
    Err(too_busy())
}

/// Writes and publishes the highest value of a mark once more, after a lower one was.
pub(crate) async fn raise_again(core: &Core, place: &Place, highest: Ticks) -> Result<(), Error> {
    let again = core.act(Action::Set, &place.cache_key, highest, 0)?;
    if !core.settings.has_second_level {
        publish(core, again).await?;
        return Ok(());
    }
    let reply = core.run(&MARKS, std::slice::from_ref(&place.hash), &[]).await?;
    let now = time(&core.clock, reply.list().first())?;
    let mut content = Content::of(reply.list().get(1).ok_or_else(malformed)?);
    for _ in 0..TRIES_MAX {
        if mark(core, &content).value >= highest {
            publish(core, again).await?;
            return Ok(());
        }
        let (is_written, found) = write_mark(core, place, &content, highest, now, 0).await?;
        if is_written {
            return Ok(());
        }
        content = found;
    }
    Err(too_busy())
}

fn too_busy() -> Error {
    let detail = format!("others raised the mark {TRIES_MAX} times meanwhile");
    Error::new(Kind::Unavailable, Retry::After(Duration::from_millis(10)), "raise", detail)
}

async fn write_mark(
    core: &Core,
    place: &Place,
    read: &Content,
    value: Ticks,
    now: u64,
    stamp: u64,
) -> Result<(bool, Content), Error> {
    let kept = core.settings.marks_kept;
    let absexp = ticks(now).plus(kept);
    let arguments = [
        read.absexp.clone().unwrap_or_default(),
        read.data.clone().unwrap_or_default(),
        absexp.0.to_string().into(),
        marks::envelope(&core.settings, value, now),
        word(millis(kept)),
        ordered(stamp),
        core.channel.clone(),
        core.act(Action::Set, &place.cache_key, value, stamp)?,
    ];
    let reply = core.run(&RAISE, std::slice::from_ref(&place.hash), &arguments).await?;
    let [is_written, found] = reply.list() else { return Err(malformed()) };
    Ok((is_written.number() == Some(1), Content::of(found)))
}

/// Where the marks of tags are; none if any of them can have none.
fn marks_of(core: &Core, tags: &[Bytes]) -> Option<Vec<Bytes>> {
    tags.iter().map(|tag| core.settings.mark_of(tag).ok().map(|place| place.hash)).collect()
}

/// Runs the script of both kinds of writes; the entry of a foreign writer that it replaced, or nothing if it was refused.
async fn put(
    core: &Core,
    place: &Place,
    record: &Record,
    [kind, print, began]: [Bytes; 3],
    timestamp: Ticks,
    message: Bytes,
) -> Result<Option<Bytes>, Error> {
    let Some(mut marks) = marks_of(core, &record.tags) else { return Ok(None) };
    let now = ticks(core.clock.now());
    let data = entry::envelope(&core.settings, record, timestamp, now)?;
    // Not a whole microsecond, so that it hardly ever equals what a .NET node writes.
    let keep_for = record.keep_for.min(core.settings.marks_kept);
    let absexp = now.plus(keep_for).0 / 10 * 10 + 7;
    let mut keys = vec![place.hash.clone(), place.side.clone()];
    keys.extend(core.clears.iter().map(|place| place.hash.clone()));
    keys.append(&mut marks);
    let arguments = [
        kind,
        print,
        began,
        ordered(record.stamp),
        record.version.map(ordered).unwrap_or_default(),
        absexp.to_string().into(),
        data,
        word(record.fresh_for.as_millis().min(1 << 50) as u64),
        word(millis(keep_for)),
        word(millis(core.settings.notes_kept())),
        core.channel.clone(),
        message,
    ];
    let reply = core.run(&PUT, &keys, &arguments).await?;
    let [done, replaced] = reply.list() else { return Err(malformed()) };
    Ok((done.number() == Some(1)).then(|| replaced.bytes().cloned().unwrap_or_default()))
}

pub(crate) async fn publish(core: &Core, message: Bytes) -> Result<Reply, Error> {
    let reply = core.run(&PUBLISH, &[], &[core.channel.clone(), message]).await?;
    time(&core.clock, Some(&reply))?;
    Ok(reply)
}
