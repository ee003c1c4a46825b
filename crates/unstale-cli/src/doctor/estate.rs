//! What is found of a FusionCache estate by its entries and marks.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;
use unstale_codec::fusion::{Envelope, Mark, Ticks};

use super::entries::{Data, Entry, Life};
use super::found::{Estate, Keys};
use super::report::{Check, Status};
use crate::fusion::Serializer;

/// What is known of one estate.
#[derive(Debug)]
pub(super) struct Survey<'a> {
    estate: &'a Estate,
    keys: &'a Keys,
    now: Ticks,
    entries: &'a [Entry],
    marks: Vec<MarkSeen<'a>>,
}

/// A mark, where it counts, and how long it stays.
#[derive(Debug)]
struct MarkSeen<'a> {
    prefix: &'a str,
    tag: &'a str,
    until: Ticks,
    left: Option<Duration>,
}

/// A node's clock that is further ahead than this shows in its entries.
const AHEAD_MAX: Duration = Duration::from_secs(2);

impl<'a> Survey<'a> {
    pub(super) fn new(
        estate: &'a Estate,
        keys: &'a Keys,
        now: Ticks,
        entries: &'a [Entry],
        marks: &'a [Entry],
    ) -> Self {
        let marks = marks.iter().filter_map(|mark| MarkSeen::of(estate, mark)).collect();
        Self { estate, keys, now, entries, marks }
    }

    /// Whether anything in it was written by FusionCache at all: other programs name keys alike.
    pub(super) fn is_one(&self) -> bool {
        !self.marks.is_empty() || self.entries.iter().any(|entry| matches!(entry.data, Data::By(_)))
    }

    pub(super) fn checks(&self) -> Vec<Check> {
        let mut checks = vec![self.entries_check(), self.life_check()];
        checks.extend(self.marks_check());
        checks.extend(self.clock_check());
        checks.into_iter().map(|check| check.fact("keys_like", self.estate.pattern())).collect()
    }

    fn envelopes(&self) -> impl Iterator<Item = (&Entry, &Envelope)> {
        self.entries.iter().filter_map(|entry| match &entry.data {
            Data::By(recognised) => Some((entry, recognised.envelope.as_ref()?)),
            Data::Unknown | Data::Large => None,
        })
    }

    /// Which serializer, which prefixes, how old.
    fn entries_check(&self) -> Check {
        let mut serializers: BTreeMap<Serializer, u64> = BTreeMap::new();
        let mut unknown = 0_u64;
        for entry in self.entries {
            match &entry.data {
                Data::By(recognised) => *serializers.entry(recognised.serializer).or_default() += 1,
                Data::Unknown => unknown += 1,
                Data::Large => {}
            }
        }
        let names: Vec<_> = serializers.keys().map(Serializer::to_string).collect();
        let prefixes: BTreeSet<&str> = self.marks.iter().map(|mark| mark.prefix).collect();
        let ages: Vec<_> = self.envelopes().map(|(_, envelope)| self.now.since(envelope.timestamp)).collect();
        let past = self.envelopes().filter(|(_, envelope)| envelope.logical_expiration < self.now).count();
        let (oldest, newest) = (ages.iter().max(), ages.iter().min());
        let seen = format!(
            "FusionCache: {} keys like {}, by {}{}",
            self.keys.count,
            self.estate.pattern(),
            if names.is_empty() { "no serializer that is known".to_owned() } else { names.join(" and ") },
            match (oldest, newest) {
                (Some(oldest), Some(newest)) => format!(", {} to {} old", words(*newest), words(*oldest)),
                _ => String::new(),
            }
        );
        let prefixes_said = if prefixes.is_empty() {
            String::new()
        } else {
            let shown: Vec<_> = prefixes.iter().map(|prefix| format!("`{prefix}`")).collect();
            format!("; key prefix {} by its marks", shown.join(", "))
        };
        let (status, advice) = if names.len() > 1 {
            (Status::Warn, "; nodes of one cache need one serializer: the others' entries are errors to them")
        } else if unknown > 0 {
            (
                Status::Warn,
                "; some are written by none of the five serializers: nodes fail on them, unless a serializer of your own wrote them",
            )
        } else {
            (Status::Ok, "")
        };
        let serializers: BTreeMap<String, u64> =
            serializers.into_iter().map(|(serializer, count)| (serializer.to_string(), count)).collect();
        Check::new("entries", status, format!("{seen}{prefixes_said}{advice}"))
            .fact("keys", self.keys.count)
            .fact("sampled", self.entries.len())
            .fact("serializers", json!(serializers))
            .fact("unknown", unknown)
            .fact("instance_name", self.estate.instance.clone())
            .fact("key_prefixes", json!(prefixes))
            .fact("safe_strings", self.estate.separator == '-')
            .fact("past_their_time", past)
            .fact("oldest_s", oldest.map(Duration::as_secs))
            .fact("newest_s", newest.map(Duration::as_secs))
    }

    /// Keys that a crash between writing and setting the end left for ever.
    fn life_check(&self) -> Check {
        let count = |life| self.entries.iter().filter(|entry| entry.life == life).count();
        let (forgotten, endless) = (count(Life::Forgotten), count(Life::Endless));
        let sampled = self.entries.len();
        let check = if forgotten > 0 {
            let example = self.entries.iter().find(|entry| entry.life == Life::Forgotten);
            let example =
                example.map(|entry| String::from_utf8_lossy(&entry.key).into_owned()).unwrap_or_default();
            let says = format!(
                "{forgotten} of {sampled} sampled entries have no end in Redis although their fields say one, such as \
                 {example}: a node died between HSET and EXPIRE. They are served until they are removed: delete them, or \
                 give them an end with EXPIRE"
            );
            Check::warn("life", says).fact("example", example)
        } else {
            Check::ok("life", format!("each of {sampled} sampled entries has the end that its fields say"))
        };
        check.fact("sampled", sampled).fact("forgotten", forgotten).fact("endless", endless)
    }

    fn marks_check(&self) -> Option<Check> {
        if self.marks.is_empty() {
            return None;
        }
        let strings = if self.estate.separator == ':' { ("*", "!") } else { ("-exp", "-rem") };
        let clears: Vec<_> =
            self.marks.iter().filter(|mark| [strings.0, strings.1].contains(&mark.tag)).collect();
        let newest = |tag: &str| clears.iter().filter(|mark| mark.tag == tag).map(|mark| mark.until).max();
        let (expired, removed) = (newest(strings.0), newest(strings.1));
        let tags = self.marks.len() - clears.len();
        let hidden: Vec<_> = self
            .envelopes()
            .filter_map(|(entry, envelope)| Some((entry, self.hiding(entry, envelope)?)))
            .collect();
        let reviving = hidden.iter().filter(|(entry, mark)| outlives(entry.life, mark.left)).count();
        let mut said = vec![format!("marks of {tags} tags")];
        for (what, until) in [("an expiring clear", expired), ("a removing clear", removed)] {
            if let Some(until) = until {
                said.push(format!("{what} at {until}"));
            }
        }
        let says = format!("{}; they hide {} of the sampled entries", said.join(", "), hidden.len());
        let check = if reviving > 0 {
            let advice = format!(
                "; {reviving} of those live longer than their mark and come back to life with its end: remove them, or keep \
                 lives below the 10 days of marks"
            );
            Check::warn("marks", says + &advice)
        } else {
            Check::ok("marks", says)
        };
        Some(
            check
                .fact("tags", tags)
                .fact("clear_expire", expired.map(|ticks| ticks.to_string()))
                .fact("clear_remove", removed.map(|ticks| ticks.to_string()))
                .fact("hidden", hidden.len())
                .fact("reviving", reviving),
        )
    }

    /// The mark that hides an entry for longest.
    fn hiding(&self, entry: &Entry, envelope: &Envelope) -> Option<&MarkSeen<'a>> {
        let name = std::str::from_utf8(&entry.key).ok()?;
        let (_, cache_key) = Estate::of(name)?;
        let is_clear = |tag: &str| matches!(tag, "*" | "!" | "-exp" | "-rem");
        let has = |tag: &str| envelope.tags.iter().flatten().any(|own| own.as_str() == tag);
        self.marks
            .iter()
            .filter(|mark| cache_key.starts_with(mark.prefix) && envelope.timestamp <= mark.until)
            .filter(|mark| is_clear(mark.tag) || has(mark.tag))
            .max_by_key(|mark| mark.left.unwrap_or(Duration::MAX))
    }

    fn clock_check(&self) -> Option<Check> {
        let ahead = self.envelopes().map(|(_, envelope)| envelope.timestamp.since(self.now)).max()?;
        (ahead > AHEAD_MAX).then(|| {
            let says = format!(
                "an entry is from {} ahead of the server's clock: the clock of some node is. It ignores what others do until \
                 then: synchronise clocks",
                words(ahead)
            );
            Check::warn("ahead", says).fact("ahead_ms", ahead.as_millis() as u64)
        })
    }
}

impl<'a> MarkSeen<'a> {
    fn of(estate: &Estate, entry: &'a Entry) -> Option<Self> {
        let (_, cache_key) = Estate::of(std::str::from_utf8(&entry.key).ok()?)?;
        let (prefix, tag) = cache_key.split_once(estate.tag_prefix())?;
        let Data::By(recognised) = &entry.data else { return None };
        let mark = Mark::of(&recognised.serializer.mark_format(), recognised.envelope.as_ref()?).ok()?;
        let left = if let Life::Left(left) = entry.life { Some(left) } else { None };
        Some(Self { prefix, tag, until: mark.value, left })
    }
}

fn outlives(life: Life, mark: Option<Duration>) -> bool {
    match (life, mark) {
        (_, None) => false,
        (Life::Left(left), Some(mark)) => left > mark,
        (Life::Endless | Life::Forgotten, Some(_)) => true,
    }
}

/// A span for people.
pub(super) fn words(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..=1 => format!("{} ms", span.as_millis()),
        2..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}
