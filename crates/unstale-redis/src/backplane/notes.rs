//! What operators count, with details once a minute.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;
use unstale_port::Event;

const DETAIL_EVERY: Duration = Duration::from_secs(60);

/// What was told in detail, and when.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    told: BTreeMap<&'static str, Instant>,
}

impl Notes {
    /// The event that counts `what`.
    pub(crate) fn note(&mut self, what: &'static str, detail: &str, now: Instant) -> Event {
        let is_due = self.told.get(what).is_none_or(|told| now >= *told + DETAIL_EVERY);
        if is_due {
            self.told.insert(what, now);
        }
        Event::Note { what, detail: if is_due { detail.to_owned() } else { String::new() } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_come_once_a_minute_and_counts_always() {
        let (mut notes, start) = (Notes::default(), Instant::now());
        let mut has_detail = |what, seconds| {
            let event = notes.note(what, "why", start + Duration::from_secs(seconds));
            matches!(event, Event::Note { detail, .. } if !detail.is_empty())
        };
        assert!(has_detail("x", 0));
        assert!(!has_detail("x", 59));
        assert!(has_detail("y", 59));
        assert!(has_detail("x", 60));
    }
}
