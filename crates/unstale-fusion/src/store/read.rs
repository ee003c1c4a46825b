//! Reading entries, with the marks that end them.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use unstale_codec::fusion::Ticks;
use unstale_port::{Error, Intent, Lookup, Record, Reply, Turn};

use super::{NOTHING, lease};
use crate::cache::Core;
use crate::clock::{micros, micros_of};
use crate::entry::{Entry, Note};
use crate::layout::Place;
use crate::marks::Raised;
use crate::replies::{Content, malformed, number, time, word};
use crate::scripts::{GET, MARKS, TAKE};

/// One key, as the script answered for it.
struct Seen {
    content: Content,
    left: Duration,
    /// When the key was last made old, by the server's clock.
    ended: u64,
    print: u64,
    is_taken: bool,
    /// It is what an expiry left for fail-safe.
    is_copy: bool,
}

pub(super) async fn read(core: &Core, keys: &[Bytes], intent: Intent) -> Result<Vec<Lookup>, Error> {
    let places: Vec<Option<Place>> = keys.iter().map(|key| core.settings.place(key).ok()).collect();
    let known: Vec<&Place> = places.iter().flatten().collect();
    if known.is_empty() {
        return Ok(keys.iter().map(|_| NOTHING).collect());
    }
    let mut found = find(core, &known, intent).await?.into_iter();
    let look_up = |place: Option<Place>| place.and_then(|_| found.next()).unwrap_or(NOTHING);
    Ok(places.into_iter().map(look_up).collect())
}

/// What there is at each place.
async fn find(core: &Core, places: &[&Place], intent: Intent) -> Result<Vec<Lookup>, Error> {
    let turn = match intent {
        Intent::Read => None,
        Intent::Load { turn } => Some(turn),
    };
    let reply = ask(core, places, turn).await?;
    let parts = reply.list();
    let now = time(&core.clock, parts.first())?;
    if parts.len() != places.len() + 3 {
        return Err(malformed());
    }
    let [remove, expire] = &core.clears;
    let clears = [known_mark(core, remove, &parts[1]), known_mark(core, expire, &parts[2])];
    let mut seen = parts[3..].iter().map(|part| Seen::of(part, now)).collect::<Result<Vec<_>, _>>()?;
    let mut entries: Vec<Option<Entry>> =
        seen.iter().zip(places).map(|(seen, place)| usable(core, place, seen, &clears, now)).collect();
    end_by_tags(core, &mut entries).await?;
    let records: Vec<_> =
        seen.iter().zip(entries).map(|(seen, entry)| record_of(core, seen, entry, now)).collect();
    if let Some(turn) = turn {
        take_turns(core, places, &mut seen, &records, (now, turn)).await?;
    }
    Ok(seen.into_iter().zip(records).map(|(seen, record)| seen.lookup(record, now)).collect())
}

async fn ask(core: &Core, places: &[&Place], turn: Option<Duration>) -> Result<Reply, Error> {
    let mut keys: Vec<Bytes> = core.clears.iter().map(|place| place.hash.clone()).collect();
    keys.extend(places.iter().flat_map(|place| [place.hash.clone(), place.side.clone()]));
    let kept = core.settings.notes_kept();
    let arguments = [word(turn.map_or(0, millis)), core.nonce(), word(millis(kept))];
    core.run(&GET, &keys, &arguments).await
}

/// An entry that neither its own past nor a clear has ended.
fn usable(core: &Core, place: &Place, seen: &Seen, clears: &[Raised; 2], now: u64) -> Option<Entry> {
    let entry = Entry::of(&core.settings, &seen.content).unwrap_or_else(|error| {
        core.counters.count(|counters| &counters.malformed);
        tracing::debug!(%error, "an entry of the second level is none");
        None
    })?;
    let hold_off = core.settings.hold_off;
    let is_foreign = entry.note.is_none();
    // What lies beside the key may have been evicted.
    let ended = seen.ended.max(core.recent().ended_at(&place.cache_key, now));
    if is_foreign && !seen.is_copy && ended != 0 && now < ended.saturating_add(micros(hold_off)) {
        core.counters.count(|counters| &counters.doubted);
        return None;
    }
    (!clears.iter().any(|clear| clear.ends(&entry, now, hold_off))).then_some(entry)
}

/// Drops the entries that a mark of one of their tags has ended. A round trip if any carries tags.
async fn end_by_tags(core: &Core, entries: &mut [Option<Entry>]) -> Result<(), Error> {
    let mut places = HashMap::new();
    for tag in entries.iter().flatten().flat_map(Entry::tags) {
        // A tag that none of ours would write may be on an entry of .NET: it then stands for a clear.
        if let Ok(place) = core.settings.mark_of(&tag) {
            places.insert(tag, place);
        }
    }
    if places.is_empty() {
        return Ok(());
    }
    let (tags, places): (Vec<Bytes>, Vec<Place>) = places.into_iter().unzip();
    let keys: Vec<Bytes> = places.iter().map(|place| place.hash.clone()).collect();
    let reply = core.run(&MARKS, &keys, &[]).await?;
    let parts = reply.list();
    let now = time(&core.clock, parts.first())?;
    if parts.len() != keys.len() + 1 {
        return Err(malformed());
    }
    let raised = places.iter().zip(&parts[1..]).map(|(place, part)| known_mark(core, place, part));
    let marks: HashMap<Bytes, Raised> = tags.into_iter().zip(raised).collect();
    let hold_off = core.settings.hold_off;
    for slot in entries {
        let is_ended = slot.as_ref().is_some_and(|entry| {
            entry.tags().iter().filter_map(|tag| marks.get(tag)).any(|mark| mark.ends(entry, now, hold_off))
        });
        if is_ended {
            *slot = None;
        }
    }
    Ok(())
}

fn record_of(core: &Core, seen: &Seen, entry: Option<Entry>, now: u64) -> Option<Record> {
    let entry = entry?;
    core.clock.fold(entry.envelope.timestamp);
    let mut record = entry.record(&core.settings, now, seen.left);
    if seen.is_copy {
        record.fresh_for = Duration::ZERO;
    }
    Some(record)
}

/// Takes the turns where the script could not see that the entry is of no use: all of them in one round trip.
async fn take_turns(
    core: &Core,
    places: &[&Place],
    seen: &mut [Seen],
    records: &[Option<Record>],
    (now, turn): (u64, Duration),
) -> Result<(), Error> {
    let is_fresh =
        |record: &Option<Record>| record.as_ref().is_some_and(|record| !record.fresh_for.is_zero());
    let wanted = places.iter().zip(seen).zip(records);
    let mut wanted: Vec<(&Bytes, &mut Seen)> = wanted
        .filter(|((_, seen), record)| seen.looked_fresh(now) && !is_fresh(record))
        .map(|((place, seen), _)| (&place.side, seen))
        .collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let keys: Vec<Bytes> = wanted.iter().map(|(side, _)| Bytes::clone(side)).collect();
    let mut arguments = vec![word(now), word(millis(turn)), word(millis(core.settings.notes_kept()))];
    arguments.extend(wanted.iter().map(|(_, seen)| Bytes::from(format!("{:016x}", seen.print))));
    let reply = core.run(&TAKE, &keys, &arguments).await?;
    if reply.list().len() != keys.len() {
        return Err(malformed());
    }
    for ((_, seen), taken) in wanted.iter_mut().zip(reply.list()) {
        seen.is_taken = taken.number() == Some(1);
    }
    Ok(())
}

/// A mark; one that is none ends everything, which costs misses and is counted.
pub(crate) fn mark(core: &Core, content: &Content) -> Raised {
    Raised::of(&core.settings, content).unwrap_or_else(|_| {
        core.counters.count(|counters| &counters.malformed);
        Raised { value: Ticks::MAX, at: u64::MAX }
    })
}

/// A mark as Redis has it, or as this process knows it where Redis has lost that, to an eviction or with a master.
fn known_mark(core: &Core, place: &Place, part: &Reply) -> Raised {
    let Raised { value, at } = mark(core, &Content::of(part));
    let value = value.max(core.highest_mark(&place.cache_key));
    Raised { value, at: at.max(core.recent().raised_at(&place.cache_key)) }
}

impl Seen {
    /// Whether the script took the entry for fresh, and gave no turn.
    fn looked_fresh(&self, now: u64) -> bool {
        self.content.data.is_some()
            && !self.is_copy
            && Note::on(&self.content).is_none_or(|note| note.fresh_until > now)
    }

    fn lookup(&self, record: Option<Record>, now: u64) -> Lookup {
        let turn = if self.is_taken { Turn::Taken } else { Turn::Yours };
        Lookup { record, lease: lease(self.print, now), turn }
    }

    fn of(reply: &Reply, now: u64) -> Result<Self, Error> {
        let [_, _, _, left, ended, print, taken, copy] = reply.list() else { return Err(malformed()) };
        let content = Content::of(reply);
        let left = match left.number() {
            // Nothing ends it in Redis: its writer died before it said when. It said so in the entry.
            Some(-1) => {
                let until =
                    content.absexp.as_ref().and_then(|bytes| std::str::from_utf8(bytes).ok()?.parse().ok());
                Duration::from_micros(micros_of(Ticks(until.unwrap_or(0))).saturating_sub(now))
            }
            left => Duration::from_millis(left.and_then(|left| u64::try_from(left).ok()).unwrap_or(0)),
        };
        let print = print.bytes().and_then(|print| std::str::from_utf8(print).ok());
        let print = print.and_then(|print| u64::from_str_radix(print, 16).ok()).ok_or_else(malformed)?;
        let ended = ended.bytes().and_then(|ended| number(ended)).unwrap_or(0);
        let (is_taken, is_copy) = (taken.number() == Some(1), copy.number() == Some(1));
        Ok(Self { content, left, ended, print, is_taken, is_copy })
    }
}

/// Whole milliseconds, at least one.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).clamp(1, 1 << 50)
}
