//! Marks of tags and clears: when they end an entry, and the highest that was seen of each.

use std::collections::HashMap;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use unstale_codec::fusion::{Envelope, Mark, Text, Ticks};

use crate::clock::{micros, ticks};
use crate::entry::Entry;
use crate::replies::{Content, number};
use crate::settings::FusionSettings;

/// Twice so many marks are remembered at most: those that were noted last. Of others an older mark that comes late is not
/// answered.
const GENERATION_MAX: usize = 32_768;

/// The highest value seen of each mark, by its key in messages.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    young: HashMap<Text, Ticks>,
    old: HashMap<Text, Ticks>,
}

impl Marks {
    /// Notes a value, and returns the highest one.
    pub(crate) fn note(&mut self, mark: &Text, value: Ticks) -> Ticks {
        if let Some(highest) = self.young.get_mut(mark) {
            *highest = value.max(*highest);
            return *highest;
        }
        let highest = self.old.remove(mark).map_or(value, |before| before.max(value));
        if self.young.len() == GENERATION_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        // What was decoded shares the bytes of its message.
        self.young.insert(Text::from(mark.as_str()), highest);
        highest
    }

    /// The highest value that was noted; the lowest there is if none was.
    pub(crate) fn highest(&self, mark: &Text) -> Ticks {
        self.young.get(mark).or_else(|| self.old.get(mark)).copied().unwrap_or_default()
    }
}

/// A mark as it was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Raised {
    /// Entries with timestamps up to this are ended.
    pub(crate) value: Ticks,
    /// When it was raised last, as far as nodes of ours know; by the server's clock, 0 if they do not.
    pub(crate) at: u64,
}

impl Raised {
    /// The mark of a hash; what is no mark is none that anybody raised.
    pub(crate) fn of(settings: &FusionSettings, content: &Content) -> Result<Self, MalformedMark> {
        let at = content.note.as_ref().and_then(|note| {
            let mut words = note.split(|byte| *byte == b' ');
            (words.next() == Some(b"1")).then_some(())?;
            number(words.next()?)
        });
        let at = at.unwrap_or_default();
        let Some(data) = &content.data else { return Ok(Self { value: Ticks(0), at }) };
        let format = Mark::format(&settings.format);
        let envelope = Envelope::decode(&format, data.clone()).map_err(|_| MalformedMark)?;
        let mark = Mark::of(&format, &envelope).map_err(|_| MalformedMark)?;
        Ok(Self { value: mark.value, at })
    }

    /// Whether it ends an entry. One of a foreign writer is judged by its timestamp, as .NET does, and doubted for the
    /// hold-off: it may be a fill that began before the mark.
    pub(crate) fn ends(self, entry: &Entry, now: u64, hold_off: Duration) -> bool {
        let is_older = entry.envelope.timestamp <= self.value;
        is_older
            || match entry.note {
                Some(note) => note.began <= self.at,
                None => self.at != 0 && now < self.at.saturating_add(micros(hold_off)),
            }
    }
}

/// A mark whose bytes are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MalformedMark;

/// The bytes of a mark that is written at `now`.
pub(crate) fn envelope(settings: &FusionSettings, value: Ticks, now: u64) -> Bytes {
    let format = Mark::format(&settings.format);
    let mark = Mark { value, timestamp: ticks(now).max(value) };
    let mut bytes = BytesMut::new();
    mark.envelope(&format).encode(&format, &mut bytes).expect("a mark has a value, no tags, and few bytes");
    bytes.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Format;

    #[test]
    fn the_highest_mark_stays_whatever_comes_after_it() {
        let mut marks = Marks::default();
        let mark = Text::from("__fc:t:a");
        assert_eq!(marks.note(&mark, Ticks(5)), Ticks(5));
        assert_eq!(marks.note(&mark, Ticks(3)), Ticks(5));
        assert_eq!(marks.note(&mark, Ticks(9)), Ticks(9));
        assert_eq!(marks.note(&Text::from("__fc:t:b"), Ticks(1)), Ticks(1));
        for n in 0..GENERATION_MAX {
            marks.note(&Text::from(n.to_string()), Ticks(1));
        }
        assert_eq!(marks.note(&mark, Ticks(3)), Ticks(9), "still remembered");
        for n in 0..3 * GENERATION_MAX {
            marks.note(&Text::from(n.to_string()), Ticks(1));
        }
        assert!(marks.young.len() + marks.old.len() <= 2 * GENERATION_MAX);
        assert_eq!(marks.note(&mark, Ticks(3)), Ticks(3), "forgotten");
    }

    #[test]
    fn a_mark_comes_back_in_every_format_and_other_bytes_are_malformed() {
        for format in [Format::SystemTextJson, Format::Newtonsoft, Format::MessagePack, Format::ProtobufNet] {
            let settings = FusionSettings::new("c", format);
            let data = Some(envelope(&settings, Ticks(77), 5));
            let content = Content { absexp: None, data, note: Some("1 9 00".into()) };
            assert_eq!(Raised::of(&settings, &content), Ok(Raised { value: Ticks(77), at: 9 }));
            let content = Content { data: Some("no mark".into()), ..Content::default() };
            assert_eq!(Raised::of(&settings, &content), Err(MalformedMark));
        }
    }
}
