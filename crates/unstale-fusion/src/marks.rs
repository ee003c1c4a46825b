//! Marks of tags and clears: when they end an entry, and the highest that was seen of each.

use std::collections::HashMap;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use unstale_codec::fusion::{Envelope, Mark, Text, Ticks};

use crate::clock::{micros, ticks};
use crate::entry::Entry;
use crate::replies::{Content, number};
use crate::settings::FusionSettings;

/// The highest marks that are remembered; of others an older mark that comes late is not answered.
const REMEMBERED_MAX: usize = 65_536;

/// The highest value seen of each mark, by its key in messages.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    highest: HashMap<Text, Ticks>,
}

impl Marks {
    /// Notes a value, and returns the highest one.
    pub(crate) fn note(&mut self, mark: &Text, value: Ticks) -> Ticks {
        if let Some(highest) = self.highest.get_mut(mark) {
            *highest = value.max(*highest);
            return *highest;
        }
        if self.highest.len() < REMEMBERED_MAX {
            // What was decoded shares the bytes of its message.
            self.highest.insert(Text::from(mark.as_str()), value);
        }
        value
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
