//! Entries: 40 bytes of metadata in front of the value, in the one allocation that readers share (F-3).

use std::fmt;
use std::hint::black_box;
use std::ops::Deref;

use triomphe::{ArcUnion, ArcUnionBorrow, UniqueArc};

use crate::fence::{Fences, SubjectRef, Token};
use crate::shim::{AtomicU32, AtomicU64, Ordering};
use crate::tick::Tick;

/// In place of a deadline: nobody may use the entry yet.
const UNPUBLISHED: u32 = 0;

/// In place of a deadline: stale, whatever the clock says.
const STALE: u32 = 1;

/// The most subjects that an entry can depend on (F-3).
pub const SUBJECTS_MAX: usize = 1_024;

/// A value with its metadata. The header comes first, on the line of the reference count that a hit touches anyway.
#[repr(C)]
pub(crate) struct Entry<V> {
    pub(crate) head: Head,
    pub(crate) value: V,
}

/// A value in the allocation that its readers are going to share, which nobody else has yet: whoever moves it moves a pointer.
pub struct Body<V>(UniqueArc<Entry<V>>);

impl<V> Body<V> {
    /// Allocates.
    pub fn new(value: V) -> Self {
        let head = Head::new(0, Tick::ZERO, Tick::ZERO, Subjects::new(&[], 0, None));
        Self(UniqueArc::new(Entry { head, value }))
    }

    /// The value alone, as it was.
    pub fn into_value(self) -> V {
        UniqueArc::into_inner(self.0).value
    }

    pub(crate) fn value(&self) -> &V {
        &self.0.value
    }

    fn with_head(mut self, head: Head) -> UniqueArc<Entry<V>> {
        self.0.head = head;
        self.0
    }
}

impl<V: fmt::Debug> fmt::Debug for Body<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value().fmt(f)
    }
}

/// What a hit looks at comes first; the last word is beside the value, see [`Slot::clone`].
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Head {
    /// What was finished when the load began. Never changes: a detached entry must not pass a test it ought to fail.
    pub(crate) token: u64,
    /// [`UNPUBLISHED`], [`STALE`], or the tick at which it expires: one comparison covers all three.
    deadline: AtomicU32,
    /// Until when fail-safe may serve it.
    pub(crate) ends: Tick,
    pub(crate) subjects: Subjects,
    /// When the load began; [`Tick::ZERO`] if nobody knows.
    pub(crate) began: Tick,
    /// The generation of distrust under which it was found to be no suspect.
    pub(crate) vetted: AtomicU32,
}

impl Head {
    pub(crate) fn new(token: u64, ends: Tick, began: Tick, subjects: Subjects) -> Self {
        let deadline = AtomicU32::new(UNPUBLISHED);
        Self { token, deadline, ends, began, vetted: AtomicU32::new(0), subjects }
    }

    /// Whether it may be used at this tick, as far as time and marks go.
    #[inline]
    pub(crate) fn is_current(&self, now: Tick) -> bool {
        self.deadline.load(Ordering::Relaxed) > now.0
    }

    pub(crate) fn is_marked_stale(&self) -> bool {
        self.deadline.load(Ordering::Relaxed) == STALE
    }

    /// When it expires or expired; [`Tick::ZERO`] if it is marked stale.
    pub(crate) fn deadline(&self) -> Tick {
        match self.deadline.load(Ordering::Relaxed) {
            UNPUBLISHED | STALE => Tick::ZERO,
            tick => Tick(tick),
        }
    }

    /// Lets readers use it until the deadline, unless an act marked it stale meanwhile. A read-modify-write on both sides:
    /// a plain store here would undo the mark.
    pub(crate) fn publish(&self, deadline: Tick) -> bool {
        let deadline = deadline.0.max(STALE);
        self.deadline.compare_exchange(UNPUBLISHED, deadline, Ordering::Release, Ordering::Relaxed).is_ok()
    }

    /// What a plain store in the place of [`Head::publish`] would do.
    pub(crate) fn publish_over_marks(&self, deadline: Tick) {
        self.deadline.store(deadline.0.max(STALE), Ordering::Release);
    }

    pub(crate) fn mark_stale(&self) {
        self.deadline.swap(STALE, Ordering::AcqRel);
    }

    pub(crate) fn is_published(&self) -> bool {
        self.deadline.load(Ordering::Relaxed) != UNPUBLISHED
    }

    /// Whether an act on a tag or a dependency came after the token.
    #[inline]
    pub(crate) fn subjects_moved(&self, fences: &Fences, applied: &AtomicU64) -> bool {
        let checked = match &self.subjects {
            Subjects::Few { count: 0, .. } | Subjects::Version(_) => return false,
            Subjects::Few { checked, .. } | Subjects::Many { checked, .. } => checked,
        };
        // Read before the fences: an act that ends in between makes the next reader look again.
        let before = applied.load(Ordering::Acquire);
        !checked.stands_at(before, self.token) && self.some_moved(checked, before, fences, applied)
    }

    fn some_moved(&self, checked: &Checked, before: u64, fences: &Fences, applied: &AtomicU64) -> bool {
        let mut refs = self.subjects.all().iter();
        let moved = refs.any(|subject| fences.moved_since(*subject, self.token));
        if !moved {
            checked.set(fences.count_before(before, applied), self.token);
        }
        moved
    }
}

/// Which tags and dependencies, tags first, and the value's own version if it has one.
#[derive(Debug)]
pub(crate) enum Subjects {
    Few { tags: u8, count: u8, checked: Checked, refs: [SubjectRef; INLINE_MAX] },
    Version(u64),
    Many { checked: Checked, list: Box<Many> },
}

const INLINE_MAX: usize = 2;

#[derive(Debug)]
pub(crate) struct Many {
    version: Option<u64>,
    tags: usize,
    refs: Box<[SubjectRef]>,
}

/// The count of acts at which no subject had moved: while it stands, one word that changes with every act answers for all their
/// fences. Kept as its distance from the entry's token; acts at a greater distance are not remembered.
#[derive(Debug)]
pub(crate) struct Checked(AtomicU32);

impl Checked {
    const NEVER: u32 = u32::MAX;

    fn new() -> Self {
        Self(AtomicU32::new(Self::NEVER))
    }

    #[inline]
    fn stands_at(&self, applied: u64, token: u64) -> bool {
        let checked = self.0.load(Ordering::Relaxed);
        checked != Self::NEVER && applied.wrapping_sub(token) == u64::from(checked)
    }

    fn set(&self, applied: u64, token: u64) {
        let distance = u32::try_from(applied.wrapping_sub(token)).unwrap_or(Self::NEVER);
        self.0.store(distance, Ordering::Relaxed);
    }
}

impl Subjects {
    /// `refs` has the tags first.
    pub(crate) fn new(refs: &[SubjectRef], tags: usize, version: Option<u64>) -> Self {
        let checked = Checked::new();
        match version {
            Some(version) if refs.is_empty() => Self::Version(version),
            None if refs.len() <= INLINE_MAX => {
                let mut few = [SubjectRef::default(); INLINE_MAX];
                few[..refs.len()].copy_from_slice(refs);
                Self::Few { tags: tags as u8, count: refs.len() as u8, checked, refs: few }
            }
            _ => Self::Many { checked, list: Box::new(Many { version, tags, refs: refs.into() }) },
        }
    }

    pub(crate) fn all(&self) -> &[SubjectRef] {
        match self {
            Self::Few { refs, count, .. } => &refs[..usize::from(*count)],
            Self::Version(_) => &[],
            Self::Many { list, .. } => &list.refs,
        }
    }

    pub(crate) fn dependencies(&self) -> &[SubjectRef] {
        let tags = match self {
            Self::Few { tags, .. } => usize::from(*tags),
            Self::Version(_) => 0,
            Self::Many { list, .. } => list.tags,
        };
        &self.all()[tags..]
    }

    pub(crate) fn version(&self) -> Option<u64> {
        match self {
            Self::Few { .. } => None,
            Self::Version(version) => Some(*version),
            Self::Many { list, .. } => list.version,
        }
    }
}

/// What the map holds: an entry with a value, or one that says there is none, and what it weighs. Two words, so that a hit
/// gets them in registers.
pub(crate) struct Slot<V> {
    entry: ArcUnion<Entry<V>, Entry<()>>,
    weight: u32,
}

impl<V> Slot<V> {
    pub(crate) fn value(head: Head, body: Body<V>, weight: u32) -> Self {
        Self { entry: ArcUnion::from_first(body.with_head(head).shareable()), weight }
    }

    pub(crate) fn nothing(head: Head, weight: u32) -> Self {
        Self { entry: ArcUnion::from_second(UniqueArc::new(Entry { head, value: () }).shareable()), weight }
    }

    #[inline]
    pub(crate) fn head(&self) -> &Head {
        match self.entry.borrow() {
            ArcUnionBorrow::First(entry) => &entry.get().head,
            ArcUnionBorrow::Second(entry) => &entry.get().head,
        }
    }

    #[inline]
    pub(crate) const fn weight(&self) -> u32 {
        self.weight
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        ArcUnion::ptr_eq(&self.entry, &other.entry)
    }

    pub(crate) fn found(&self) -> Found<V> {
        self.clone().into_found()
    }

    pub(crate) fn into_found(self) -> Found<V> {
        match self.entry.as_second() {
            None => Found::Value(Handle(self.entry)),
            Some(entry) => Found::Nothing(Handle(ArcUnion::from_first(entry.clone_arc()))),
        }
    }

    /// The value, if there is one.
    #[inline]
    pub(crate) fn into_value(self) -> Option<Handle<V>> {
        self.entry.is_first().then_some(Handle(self.entry))
    }
}

impl<V> Clone for Slot<V> {
    // The last word of the header is read before the count is raised: no later load starts before a locked increment is
    // done, so the line of the count and the one where the value begins would be fetched one after the other.
    #[inline]
    fn clone(&self) -> Self {
        black_box(self.head().vetted.load(Ordering::Relaxed));
        Self { entry: self.entry.clone(), weight: self.weight }
    }
}

/// A value as the cache holds it, shared and never copied. It stays readable after the cache dropped it.
///
/// A handle says nothing about the present: it was good when it was given out.
pub struct Handle<V>(ArcUnion<Entry<V>, Entry<()>>);

// It points to the value: moving the one does not move the other.
impl<V> Unpin for Handle<V> {}

impl<V> Handle<V> {
    #[inline]
    pub(crate) fn head(&self) -> &Head {
        &self.entry().head
    }

    /// What was finished when the load of this value began.
    pub fn token(&self) -> Token {
        Token(self.head().token)
    }

    /// When the load of this value began; [`Tick::ZERO`] for a value that counts as infinitely old.
    pub fn began(&self) -> Tick {
        self.head().began
    }

    /// When it expires or expired; [`Tick::ZERO`] if it is stale for another reason than its age.
    pub fn deadline(&self) -> Tick {
        self.head().deadline()
    }

    /// Until when fail-safe may serve it.
    pub fn ends(&self) -> Tick {
        self.head().ends
    }

    /// Whether it is marked as stale: an act expired it, or it was made of something stale.
    pub fn is_marked_stale(&self) -> bool {
        self.head().is_marked_stale()
    }

    /// The version that its loader gave it.
    pub fn version(&self) -> Option<u64> {
        self.head().subjects.version()
    }

    /// Whether both are the same entry.
    pub fn is(&self, other: &Self) -> bool {
        ArcUnion::ptr_eq(&self.0, &other.0)
    }

    #[inline]
    fn entry(&self) -> &Entry<V> {
        match self.0.borrow() {
            ArcUnionBorrow::First(entry) => entry.get(),
            ArcUnionBorrow::Second(_) => unreachable!("a handle is made of an entry with a value only"),
        }
    }
}

impl<V> Clone for Handle<V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<V> Deref for Handle<V> {
    type Target = V;

    #[inline]
    fn deref(&self) -> &V {
        &self.entry().value
    }
}

impl<V: fmt::Debug> fmt::Debug for Handle<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Entry { head, value } = self.entry();
        f.debug_struct("Handle").field("value", value).field("head", head).finish()
    }
}

/// What a load found: a value, or that there is none.
#[derive(Debug)]
pub enum Found<V> {
    /// A value.
    Value(Handle<V>),
    /// The authority has no value for the key; the handle carries the metadata.
    Nothing(Handle<()>),
}

impl<V> Found<V> {
    /// The value, if there is one.
    pub fn value(self) -> Option<Handle<V>> {
        match self {
            Self::Value(handle) => Some(handle),
            Self::Nothing(_) => None,
        }
    }

    /// What was finished when its load began.
    pub fn token(&self) -> Token {
        Token(self.head().token)
    }

    /// When its load began; [`Tick::ZERO`] for one that counts as infinitely old.
    pub fn began(&self) -> Tick {
        self.head().began
    }

    /// Whether it is marked as stale: an act expired it, or it was made of something stale.
    pub fn is_marked_stale(&self) -> bool {
        self.head().is_marked_stale()
    }

    pub(crate) fn head(&self) -> &Head {
        match self {
            Self::Value(handle) => handle.head(),
            Self::Nothing(handle) => handle.head(),
        }
    }
}

impl<V> Clone for Found<V> {
    fn clone(&self) -> Self {
        match self {
            Self::Value(handle) => Self::Value(handle.clone()),
            Self::Nothing(handle) => Self::Nothing(handle.clone()),
        }
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use super::*;

    // F-3: all of it but the value is on the line of the counts, or the next one.
    #[test]
    fn an_entry_has_forty_bytes_of_header_in_front_of_its_value() {
        assert_eq!(size_of::<Head>(), 40);
        assert_eq!(std::mem::offset_of!(Entry<[u8; 256]>, value), 40);
        assert_eq!(size_of::<Entry<[u8; 256]>>(), 296);
        assert_eq!(size_of::<Slot<[u8; 256]>>(), 16);
        assert_eq!(size_of::<Option<Slot<[u8; 256]>>>(), 16);
        assert_eq!(size_of::<Handle<[u8; 256]>>(), 8);
    }

    #[test]
    fn few_subjects_are_inline_and_tags_are_no_dependencies() {
        let place =
            |n: u64| Fences::new(crate::fence::Lines::SMALL, n, crate::mechanism::Mechanisms::default());
        let refs: Vec<_> = (0..5).map(|n| place(n).of_key_hash(n)).collect();
        for (count, tags, version) in
            [(0, 0, None), (2, 2, None), (2, 1, None), (4, 1, None), (0, 0, Some(9)), (2, 1, Some(9))]
        {
            let subjects = Subjects::new(&refs[..count], tags, version);
            assert_eq!(subjects.all(), &refs[..count]);
            assert_eq!(subjects.dependencies(), &refs[tags..count]);
            assert_eq!(subjects.version(), version);
            let is_boxed = matches!(subjects, Subjects::Many { .. });
            assert_eq!(is_boxed, count > 2 || (count > 0 && version.is_some()));
        }
    }

    #[test]
    fn what_was_checked_stands_until_the_next_act_and_at_no_other_count() {
        let checked = Checked::new();
        let (token, far) = (7, 7 + u64::from(u32::MAX));
        assert!([7, 8, far].iter().all(|applied| !checked.stands_at(*applied, token)));
        checked.set(9, token);
        assert!(checked.stands_at(9, token));
        assert!([6, 8, 10, 9 + (1 << 32)].iter().all(|applied| !checked.stands_at(*applied, token)));
        for beyond in [far, far + 1, 6] {
            checked.set(beyond, token);
            assert!(!checked.stands_at(beyond, token), "{beyond} is too far to be remembered");
        }
    }

    #[test]
    fn a_mark_outlives_a_late_publication() {
        let head = || Head::new(0, Tick(9), Tick(2), Subjects::new(&[], 0, None));
        let published = head();
        assert!(!published.is_current(Tick::FIRST));
        assert!(published.publish(Tick(5)));
        assert!(published.is_current(Tick(4)));
        assert!(!published.is_current(Tick(5)));
        let marked = head();
        marked.mark_stale();
        assert!(!marked.publish(Tick(5)));
        assert!(!marked.is_current(Tick::FIRST));
        assert!(marked.is_marked_stale());
    }
}
