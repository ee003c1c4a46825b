//! A cache in front of the cache, with a bug in it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::Planted;
use crate::caches::Caches;
use crate::clock::SimClock;
use crate::layout::{Kind, Layout, Shown, Subject};

/// How long the marker of a tag is remembered, where it expires.
const MARKER_MS: u64 = 250;

/// What a tap can see of its process, once that is there.
pub type Seen = Arc<OnceLock<(Arc<Caches>, SimClock)>>;

/// What an act is about, as far as the memo cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// A row.
    Row(Subject),
    /// All rows of a tag.
    Tag(u16),
    /// Everything.
    All,
}

/// Values by their subject, and what it knows of acts.
#[derive(Debug)]
pub struct Memo {
    bug: Planted,
    layout: Layout,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The value, and the wall clock when it was put here.
    entries: BTreeMap<Subject, (Shown, u64)>,
    /// Acts so far: on each row, on each tag, on everything.
    rows: BTreeMap<Subject, u64>,
    tags: BTreeMap<u16, u64>,
    all: u64,
    /// When a tag was removed.
    markers: BTreeMap<u16, u64>,
}

/// The counts of acts at a load's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    row: u64,
    tag: u64,
    all: u64,
}

impl Memo {
    pub(super) fn new(bug: Planted, layout: Layout) -> Self {
        Self { bug, layout, state: Mutex::default() }
    }

    /// What it has, if it takes that for good.
    pub fn get(&self, subject: Subject, wall_ms: u64) -> Option<Shown> {
        let state = self.lock();
        let (shown, put) = state.entries.get(&subject)?;
        let tag = self.layout.tag(subject);
        let marked = state.markers.get(&tag).copied();
        if self.bug == Planted::TagMarkerExpires
            && marked.is_some_and(|marked| marked >= *put && wall_ms < marked + MARKER_MS)
        {
            return None;
        }
        Some(*shown)
    }

    /// A load begins.
    pub fn begin(&self, subject: Subject) -> Ticket {
        self.lock().ticket(subject, self.layout.tag(subject))
    }

    /// A load brought a value.
    pub fn put(&self, subject: Subject, shown: Shown, begun: Ticket, wall_ms: u64) {
        let is_row = self.layout.place(subject).0 == Kind::Row;
        if is_row == (self.bug == Planted::ScanForDependents) {
            return;
        }
        let mut state = self.lock();
        let now = state.ticket(subject, self.layout.tag(subject));
        let (row, tag, all) = (begun.row == now.row, begun.tag == now.tag, begun.all == now.all);
        let heeds = |acts: &[Planted]| acts.contains(&self.bug);
        let of_rows = [
            Planted::TagDuringLoad,
            Planted::ClearDuringLoad,
            Planted::TagMarkerExpires,
            Planted::WallClockOrder,
        ];
        let of_tags = [Planted::ClearDuringLoad, Planted::TagMarkerExpires, Planted::WallClockOrder];
        let of_all = [Planted::TagDuringLoad, Planted::TagMarkerExpires, Planted::WallClockOrder];
        if (row || !heeds(&of_rows)) && (tag || !heeds(&of_tags)) && (all || !heeds(&of_all)) {
            state.entries.insert(subject, (shown, wall_ms));
        }
    }

    /// An act happened here, or is heard of. `wall_ms` is what the clock of its origin showed.
    pub fn act(&self, about: About, wall_ms: u64) {
        let layout = self.layout;
        let mut state = self.lock();
        match about {
            About::Row(row) => *state.rows.entry(row).or_default() += 1,
            About::Tag(tag) => {
                *state.tags.entry(tag).or_default() += 1;
                state.markers.insert(tag, wall_ms);
            }
            About::All => state.all += 1,
        }
        if matches!(about, About::Tag(_)) && self.bug == Planted::TagMarkerExpires {
            return;
        }
        let bug = self.bug;
        state.entries.retain(|subject, (shown, put)| {
            let concerns = |row: Subject| match about {
                About::Row(about) => row == about,
                About::Tag(tag) => row < layout.rows && layout.tag(row) == tag,
                About::All => true,
            };
            let concerned = concerns(*subject) || shown.parts().iter().any(|part| concerns(part.subject));
            let is_newer = bug == Planted::WallClockOrder && *put > wall_ms;
            !concerned || is_newer
        });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn ticket(&self, subject: Subject, tag: u16) -> Ticket {
        Ticket {
            row: self.rows.get(&subject).copied().unwrap_or_default(),
            tag: self.tags.get(&tag).copied().unwrap_or_default(),
            all: self.all,
        }
    }
}
