//! What operators count: every refusal, with details once per peer and minute.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;
use unstale_port::Event;

const DETAIL_EVERY: Duration = Duration::from_secs(60);
const PEERS_MAX: usize = 1_024;

/// Who was told about lately. At the bound, what is not known yet is counted without details.
#[derive(Default)]
pub(crate) struct Notes {
    told: BTreeMap<(&'static str, String), Instant>,
}

impl Notes {
    /// The event that counts `what` of `peer`; the detail is made only if it is due.
    pub(crate) fn note(
        &mut self,
        what: &'static str,
        peer: &str,
        now: Instant,
        detail: impl FnOnce() -> String,
    ) -> Event {
        let detail =
            if self.is_due(what, peer, now) { format!("{peer}: {}", detail()) } else { String::new() };
        Event::Note { what, detail }
    }

    fn is_due(&mut self, what: &'static str, peer: &str, now: Instant) -> bool {
        let key = (what, peer.to_owned());
        if self.told.get(&key).is_some_and(|told| now < *told + DETAIL_EVERY) {
            return false;
        }
        if self.told.len() >= PEERS_MAX {
            self.told.retain(|_, told| now < *told + DETAIL_EVERY);
        }
        let room = self.told.len() < PEERS_MAX;
        if room {
            self.told.insert(key, now);
        }
        room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has_detail(event: Event) -> bool {
        let Event::Note { detail, .. } = event else { panic!("not a note: {event:?}") };
        !detail.is_empty()
    }

    #[test]
    fn details_come_once_per_peer_and_minute_and_counts_always() {
        let (mut notes, start) = (Notes::default(), Instant::now());
        let mut note = |peer, seconds| {
            has_detail(notes.note("x", peer, start + Duration::from_secs(seconds), || "why".to_owned()))
        };
        assert!(note("10.0.0.1", 0));
        assert!(!note("10.0.0.1", 59));
        assert!(note("10.0.0.2", 59));
        assert!(note("10.0.0.1", 60));
    }

    #[test]
    fn the_table_of_peers_is_bounded_and_forgets_after_a_minute() {
        let (mut notes, start) = (Notes::default(), Instant::now());
        for peer in 0..PEERS_MAX {
            assert!(has_detail(notes.note("x", &peer.to_string(), start, String::new)));
        }
        assert!(!has_detail(notes.note("x", "one more", start, String::new)));
        assert_eq!(notes.told.len(), PEERS_MAX);
        assert!(has_detail(notes.note("x", "one more", start + DETAIL_EVERY, String::new)));
        assert_eq!(notes.told.len(), 1);
    }
}
