//! What is to be put into a table.

use crate::entry::{Body, Handle, Head, SUBJECTS_MAX, Slot, Subjects};
use crate::fence::SubjectRef;
use crate::mechanism::{Mechanism, Mechanisms};
use crate::scope::Recorded;
use crate::tick::Tick;

/// A value, or the news that there is none, with how long it may be used and what it depends on.
///
/// Without a time to live it is stale from the start, and kept for fail-safe only.
#[derive(Debug)]
#[must_use]
pub struct NewEntry<V> {
    body: Option<Body<V>>,
    time_to_live: Tick,
    fail_safe: Tick,
    began_max: Tick,
    age: Age,
    origin: Origin,
    keeping: Keeping,
    /// In a box: seldom is there anything, and an entry is handed on a few times before it lands.
    ties: Option<Box<Ties>>,
}

/// What else ends a value, and which of several it is.
#[derive(Debug, Default)]
struct Ties {
    tags: Vec<SubjectRef>,
    version: Option<u64>,
    parts: Recorded,
    inherited: Vec<SubjectRef>,
}

/// Whether a value is put in place at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeping {
    Stored,
    AnsweredOnly,
}

/// How a value came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Read,
    /// It was there, and the authority said that it is not modified.
    Confirmed,
}

/// Whether it is known when the load of a value began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Age {
    OfFlight,
    Unknown,
}

impl<V> NewEntry<V> {
    /// A value.
    pub fn value(value: V) -> Self {
        Self::of(Some(Body::new(value)))
    }

    /// A value that lies where it is going to be already.
    pub fn body(body: Body<V>) -> Self {
        Self::of(Some(body))
    }

    /// No value: the authority has none for the key.
    pub fn nothing() -> Self {
        Self::of(None)
    }

    fn of(body: Option<Body<V>>) -> Self {
        Self {
            body,
            time_to_live: Tick::ZERO,
            fail_safe: Tick::ZERO,
            began_max: Tick::LAST,
            age: Age::OfFlight,
            origin: Origin::Read,
            keeping: Keeping::Stored,
            ties: None,
        }
    }

    fn ties(&mut self) -> &mut Ties {
        self.ties.get_or_insert_default()
    }

    /// For how many ticks from now it may be used; less if something that it was made of expires sooner.
    pub fn time_to_live(mut self, ticks: Tick) -> Self {
        self.time_to_live = ticks;
        self
    }

    /// For how many ticks from now fail-safe may serve it, if that is longer than it lives.
    pub fn fail_safe(mut self, ticks: Tick) -> Self {
        self.fail_safe = ticks;
        self
    }

    /// Tags, by their places: see [`Table::tag_subject`](crate::Table::tag_subject).
    pub fn tags(mut self, tags: impl IntoIterator<Item = SubjectRef>) -> Self {
        let mut tags = tags.into_iter().peekable();
        if tags.peek().is_some() {
            self.ties().tags.extend(tags);
        }
        self
    }

    /// The authority's own version of the value: it never takes the place of one with a greater version.
    pub fn version(mut self, version: u64) -> Self {
        self.ties().version = Some(version);
        self
    }

    /// Says that the age of the value is unknown, as of one from a store or from a writer: it is never young (P-13).
    pub const fn of_unknown_age(mut self) -> Self {
        self.age = Age::Unknown;
        self
    }

    /// The tags, dependencies and version of a value that the authority called not modified, in addition to its own. See
    /// [`Table::may_confirm`](crate::Table::may_confirm). If it has dependencies it is as old as it was: those were not asked.
    pub fn like(mut self, confirmed: &Handle<V>) -> Self {
        let subjects = &confirmed.head().subjects;
        let dependencies = subjects.dependencies();
        let tags = subjects.all().len() - dependencies.len();
        let ties = self.ties();
        ties.tags.extend(&subjects.all()[..tags]);
        ties.inherited.extend(dependencies);
        ties.version = ties.version.or(subjects.version());
        if !dependencies.is_empty() {
            self.began_max = self.began_max.min(confirmed.began());
        }
        self.origin = Origin::Confirmed;
        self
    }

    /// Says that it answers those who wait for it and is not stored.
    pub const fn unstored(mut self) -> Self {
        self.keeping = Keeping::AnsweredOnly;
        self
    }

    /// What the load read. A tainted scope makes the value stale: it is answered and not stored.
    pub fn parts(mut self, parts: Recorded) -> Self {
        if !parts.is_blank() {
            self.ties().parts = parts;
        }
        self
    }

    /// Fixes everything but the token. `weight` is taken here, outside of all locks, and never again: the map needs it to be
    /// stable.
    pub(crate) fn prepare(
        self,
        now: Tick,
        began: Tick,
        mechanisms: Mechanisms,
        weight: impl FnOnce(Option<&V>) -> u32,
    ) -> Prepared<V> {
        let weight = weight(self.body.as_ref().map(Body::value));
        let Ties { tags, version, parts, inherited } = self.ties.map_or_else(Ties::default, |ties| *ties);
        let tainted = parts.is_tainted() && mechanisms.on(Mechanism::Taint);
        let deadline = if tainted || self.time_to_live == Tick::ZERO {
            Tick::ZERO
        } else {
            now.plus(self.time_to_live).min(parts.deadline())
        };
        let began = match self.age {
            Age::OfFlight => began.min(parts.began()).min(self.began_max),
            Age::Unknown => Tick::ZERO,
        };
        let (refs, tags) = subjects(tags, inherited, &parts);
        Prepared {
            body: self.body,
            weight,
            deadline,
            ends: deadline.max(now.plus(self.fail_safe)),
            began,
            has_dependencies: refs.len() > tags,
            overflowed: parts.overflowed() || refs.len() > SUBJECTS_MAX,
            subjects: Subjects::new(&refs, tags, version),
            origin: self.origin,
            keeping: self.keeping,
            tainted,
            #[cfg(feature = "mutations")]
            parts_token: parts.token(),
        }
    }
}

/// Tags first, then dependencies, each once. And how many are tags: a tag that a part carries, too, is a dependency, since
/// the authority that calls the value not modified was not asked about the part.
fn subjects(
    mut tags: Vec<SubjectRef>,
    mut dependencies: Vec<SubjectRef>,
    parts: &Recorded,
) -> (Vec<SubjectRef>, usize) {
    dependencies.extend(parts.subjects());
    dependencies.sort_unstable();
    dependencies.dedup();
    tags.sort_unstable();
    tags.dedup();
    tags.retain(|tag| dependencies.binary_search(tag).is_err());
    let count = tags.len();
    tags.extend(dependencies);
    (tags, count)
}

/// An entry but for its token.
#[derive(Debug)]
pub(crate) struct Prepared<V> {
    body: Option<Body<V>>,
    weight: u32,
    pub(crate) deadline: Tick,
    ends: Tick,
    began: Tick,
    subjects: Subjects,
    pub(crate) has_dependencies: bool,
    pub(crate) tainted: bool,
    pub(crate) overflowed: bool,
    pub(crate) keeping: Keeping,
    pub(crate) origin: Origin,
    #[cfg(feature = "mutations")]
    pub(crate) parts_token: u64,
}

impl<V> Prepared<V> {
    /// The entry, not published yet.
    pub(crate) fn into_slot(self, token: u64) -> Slot<V> {
        let head = Head::new(token, self.ends, self.began, self.subjects);
        match self.body {
            Some(body) => Slot::value(head, body, self.weight),
            None => Slot::nothing(head, self.weight),
        }
    }
}
