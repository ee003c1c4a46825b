//! What was made old a short while ago: a .NET node's fill may have begun before, and then has to be undone.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use unstale_codec::fusion::{Text, Ticks};

use crate::clock::micros;

/// Keys that are remembered; while there are more, every fill of a key that is not is undone.
const KEYS_MAX: usize = 65_536;
/// Marks that are remembered; beyond them everything is expired once more instead.
const MARKS_MAX: usize = 1_024;

/// What is done at the end of a hold-off, all of it; beyond it a fill that may be late is undone at once.
const DUE_MAX: usize = KEYS_MAX;

/// Instants are microseconds of the server's clock.
#[derive(Debug)]
pub(crate) struct Recent {
    hold_off: u64,
    keys: HashMap<Text, Known>,
    /// When each was noted, oldest first; a key that was noted again stands here twice.
    order: VecDeque<(u64, Text)>,
    marks: HashMap<Text, RaisedMark>,
    due: BTreeMap<(u64, Text), Due>,
    crowded_until: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Known {
    noted: u64,
    ended: Option<Ended>,
    /// The latest timestamp of what was set.
    highest: Ticks,
}

/// When a key was made old: by the clock of who did it, and when this node knew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ended {
    said: Ticks,
    at: u64,
    will_be_undone: bool,
}

/// A mark that this process raised.
#[derive(Clone, Copy, Debug)]
struct RaisedMark {
    due: u64,
    /// Whether a foreign writer set anything since.
    has_sets: bool,
}

/// What is done at the end of a hold-off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// What a foreign writer set under the key since it was made old, at this timestamp, is undone.
    Undo(Ticks),
    /// The mark is raised again, if foreign writers set anything meanwhile.
    Raise,
}

/// What to do about a foreign set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing.
    Fine,
    /// It was made of something older than the key's end or than another set: to be undone now.
    Late,
    /// It may be: it is undone at the end of the hold-off.
    Doubtful,
}

impl Recent {
    pub(crate) fn new(hold_off: Duration) -> Self {
        Self {
            hold_off: micros(hold_off),
            keys: HashMap::new(),
            order: VecDeque::new(),
            marks: HashMap::new(),
            due: BTreeMap::new(),
            crowded_until: 0,
        }
    }

    /// A key was made old, or set by a node of ours, at `said` by the clock of who did it.
    pub(crate) fn ended(&mut self, key: &Text, said: Ticks, now: u64) {
        if let Some((known, _)) = self.note(key, now) {
            known.ended = Some(Ended { said, at: now, will_be_undone: false });
            known.highest = known.highest.max(said);
        }
    }

    /// A node of ours raised a mark here.
    pub(crate) fn raised(&mut self, mark: &Text, everything: &Text, now: u64) {
        let mark =
            if self.marks.len() < MARKS_MAX || self.marks.contains_key(mark) { mark } else { everything };
        let due = now.saturating_add(self.hold_off);
        if let Some(before) = self.marks.insert(mark.clone(), RaisedMark { due, has_sets: false }) {
            self.due.remove(&(before.due, mark.clone()));
        }
        self.due.insert((due, mark.clone()), Due::Raise);
    }

    /// When a key was last made old, as far as is known here; 0 if it was not within the hold-off. While there is no room for
    /// keys it is `now` of those that are not remembered.
    pub(crate) fn ended_at(&self, key: &Text, now: u64) -> u64 {
        match self.keys.get(key) {
            Some(known) => known.ended.map_or(0, |ended| ended.at),
            None if now < self.crowded_until => now,
            None => 0,
        }
    }

    /// When this process last raised a mark; 0 if it did not within the hold-off.
    pub(crate) fn raised_at(&self, mark: &Text) -> u64 {
        self.marks.get(mark).map_or(0, |mark| mark.due.saturating_sub(self.hold_off))
    }

    /// A foreign writer set a key.
    pub(crate) fn set(&mut self, key: &Text, timestamp: Ticks, lead: Duration, now: u64) -> Verdict {
        for mark in self.marks.values_mut() {
            mark.has_sets = true;
        }
        let hold_off = self.hold_off;
        let is_recent = |at: u64| now < at.saturating_add(hold_off);
        let is_crowded = now < self.crowded_until;
        let has_room = self.due.len() < DUE_MAX;
        let Some((known, before)) = self.note(key, now) else { return Verdict::Late };
        known.highest = known.highest.max(timestamp);
        if is_crowded && before.noted == 0 {
            return Verdict::Late;
        }
        let Some(ended) = before.ended.filter(|ended| is_recent(ended.at)) else {
            return if is_recent(before.noted) && timestamp < before.highest {
                Verdict::Late
            } else {
                Verdict::Fine
            };
        };
        if timestamp <= ended.said.plus(lead) || timestamp < before.highest {
            return Verdict::Late;
        }
        if !ended.will_be_undone {
            if !has_room {
                return Verdict::Late;
            }
            known.ended = Some(Ended { will_be_undone: true, ..ended });
            let key = Text::from(key.as_str());
            self.due.insert((ended.at.saturating_add(hold_off), key), Due::Undo(ended.said));
        }
        Verdict::Doubtful
    }

    /// What is due by now.
    pub(crate) fn due(&mut self, now: u64) -> Option<(Text, Due)> {
        loop {
            let first = self.due.first_entry().filter(|first| first.key().0 <= now)?;
            let ((_, text), due) = first.remove_entry();
            match due {
                Due::Undo(_) => return Some((text, due)),
                Due::Raise => {
                    if self.marks.remove(&text).is_some_and(|mark| mark.has_sets) {
                        return Some((text, due));
                    }
                }
            }
        }
    }

    /// The key's row, noted anew, and what it was before; nothing if there is no room for it.
    fn note(&mut self, key: &Text, now: u64) -> Option<(&mut Known, Known)> {
        self.forget(now);
        if !self.keys.contains_key(key) {
            if self.order.len() >= KEYS_MAX {
                self.crowded_until = now.saturating_add(self.hold_off);
                return None;
            }
            // What was decoded shares the bytes of its message.
            let key = Text::from(key.as_str());
            self.keys.insert(key.clone(), Known::default());
            self.order.push_back((now, key));
        }
        let known = self.keys.get_mut(key)?;
        let before = *known;
        known.noted = known.noted.max(now);
        Some((known, before))
    }

    /// Forgets what is older than the hold-off.
    fn forget(&mut self, now: u64) {
        while let Some((at, key)) = self.order.front() {
            if now < at.saturating_add(self.hold_off) {
                return;
            }
            let key = key.clone();
            self.order.pop_front();
            match self.keys.get(&key) {
                Some(known) if now < known.noted.saturating_add(self.hold_off) => {
                    let noted = known.noted;
                    self.order.push_back((noted, key));
                }
                _ => {
                    self.keys.remove(&key);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;
    const HOLD_OFF: Duration = Duration::from_secs(10);

    fn recent() -> (Recent, Text) {
        (Recent::new(HOLD_OFF), Text::from("k"))
    }

    fn second(n: u64) -> Ticks {
        crate::clock::ticks(n * SECOND)
    }

    #[test]
    fn a_set_made_before_the_end_is_late_and_one_after_it_doubtful_until_the_hold_off_is_over() {
        let (mut recent, key) = recent();
        let none = Duration::ZERO;
        assert_eq!(recent.set(&key, second(90), none, 90 * SECOND), Verdict::Fine);
        recent.ended(&key, second(100), 100 * SECOND);
        assert_eq!(recent.set(&key, second(99), none, 101 * SECOND), Verdict::Late);
        assert_eq!(recent.set(&key, second(102), none, 102 * SECOND), Verdict::Doubtful);
        assert_eq!(recent.set(&key, second(103), none, 103 * SECOND), Verdict::Doubtful);
        assert_eq!(recent.due(109 * SECOND), None);
        assert_eq!(recent.due(110 * SECOND), Some((key.clone(), Due::Undo(second(100)))));
        assert_eq!(recent.due(200 * SECOND), None, "once");
        assert_eq!(recent.set(&key, second(111), none, 111 * SECOND), Verdict::Fine);
    }

    #[test]
    fn what_a_fast_clock_made_is_late_within_its_lead() {
        let (mut recent, key) = recent();
        recent.ended(&key, second(100), 100 * SECOND);
        let lead = Duration::from_secs(5);
        assert_eq!(recent.set(&key, second(104), lead, 101 * SECOND), Verdict::Late);
        assert_eq!(recent.set(&key, second(106), lead, 102 * SECOND), Verdict::Doubtful);
    }

    #[test]
    fn beyond_its_bound_what_may_be_late_is_undone_at_once() {
        let (mut recent, key) = recent();
        let none = Duration::ZERO;
        for n in 0..DUE_MAX as u64 {
            recent.ended(&key, second(100), 100 * SECOND + n);
            assert_eq!(recent.set(&key, second(101), none, 100 * SECOND + n), Verdict::Doubtful);
        }
        recent.ended(&key, second(100), 101 * SECOND);
        assert_eq!(recent.set(&key, second(101), none, 101 * SECOND), Verdict::Late);
        assert_eq!(recent.due.len(), DUE_MAX);
        assert!(recent.due(111 * SECOND).is_some(), "one of them is done");
        assert_eq!(recent.set(&key, second(102), none, 102 * SECOND), Verdict::Doubtful);
    }

    #[test]
    fn of_two_sets_the_one_with_the_older_timestamp_is_late_when_it_comes_last() {
        let (mut recent, key) = recent();
        let none = Duration::ZERO;
        assert_eq!(recent.set(&key, second(100), none, 100 * SECOND), Verdict::Fine);
        assert_eq!(recent.set(&key, second(98), none, 101 * SECOND), Verdict::Late);
        assert_eq!(recent.set(&key, second(98), none, 200 * SECOND), Verdict::Fine, "long ago");
    }

    #[test]
    fn a_mark_is_raised_again_only_if_something_was_set_meanwhile() {
        let (mut recent, key) = recent();
        let (mark, all) = (Text::from("m"), Text::from("*"));
        recent.raised(&mark, &all, 100 * SECOND);
        assert_eq!(recent.due(120 * SECOND), None);
        recent.raised(&mark, &all, 200 * SECOND);
        recent.set(&key, second(201), Duration::ZERO, 201 * SECOND);
        recent.raised(&mark, &all, 205 * SECOND);
        recent.set(&key, second(206), Duration::ZERO, 206 * SECOND);
        assert_eq!(recent.due(210 * SECOND), None, "the later raise counts");
        assert_eq!(recent.due(215 * SECOND), Some((mark, Due::Raise)));
    }

    #[test]
    fn beyond_its_bound_every_unknown_fill_is_late_and_marks_become_everything() {
        let (mut recent, key) = recent();
        for n in 0..KEYS_MAX {
            recent.ended(&Text::from(n.to_string()), second(1), SECOND);
        }
        assert_eq!(recent.keys.len(), KEYS_MAX);
        assert_eq!(recent.set(&key, second(2), Duration::ZERO, 2 * SECOND), Verdict::Late);
        assert_eq!(recent.set(&key, second(30), Duration::ZERO, 30 * SECOND), Verdict::Fine);
        assert!(recent.keys.len() < 3, "what is old is forgotten");
        let all = Text::from("*");
        for n in 0..=MARKS_MAX {
            recent.raised(&Text::from(n.to_string()), &all, 40 * SECOND);
        }
        assert!(recent.marks.len() == MARKS_MAX + 1 && recent.marks.contains_key(&all));
    }
}
