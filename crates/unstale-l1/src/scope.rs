//! Scopes: what a load reads while it runs becomes what its value depends on.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fmt;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::entry::{Head, SUBJECTS_MAX};
use crate::fence::SubjectRef;
use crate::mechanism::{Mechanism, Mechanisms};
use crate::shim::sync::MutexGuard;
use crate::shim::{Mutex, thread_local};
use crate::tick::Tick;

/// Records what a load reads through the tables of its node: the key and all tags and dependencies of every entry, also of
/// absent, negative, failed and stale ones; the least deadline and beginning among them; and whether any was stale.
///
/// A scope follows its load: [`Scope::hold`] makes it current on whatever thread polls the load's future. What a load
/// spawns has to be held too: `Scope::current()` gives the scope to hold it with.
///
/// ```
/// # use unstale_core::{ActLog, Name, ProcessId, Stream};
/// # use unstale_l1::{Domain, DomainConfig, Scope, Table, TableConfig};
/// # let domain = Domain::new(DomainConfig::default(), ActLog::new(Stream::first(ProcessId(1))));
/// # let name = Name::new("users").unwrap();
/// let users: Table<u64, String> = domain.table(name, TableConfig::default()).unwrap();
/// let scope = Scope::new(&users);
/// scope.run(|| users.get(&7)); // absent, and recorded
/// assert_eq!(scope.recorded().subjects().count(), 1);
/// assert!(Scope::current().is_none());
/// ```
#[derive(Clone)]
pub struct Scope {
    recorder: Arc<dyn Records>,
    of: ScopeOf,
}

/// For whose loads a scope is: all of it but where it records.
#[derive(Clone, Copy, Debug)]
pub struct ScopeOf {
    /// The cache.
    own: SubjectRef,
    bypasses: bool,
}

impl ScopeOf {
    pub(crate) const fn cache(own: SubjectRef) -> Self {
        Self { own, bypasses: false }
    }

    /// The same, for a load that has to begin at the authority: what it reads through tables is loaded, too, as if nothing
    /// were resident.
    #[must_use]
    pub const fn bypassing(self) -> Self {
        Self { bypasses: true, ..self }
    }

    /// The scope that records there. A recorder serves one load.
    pub const fn scope(self, recorder: Arc<dyn Records>) -> Scope {
        Scope { recorder, of: self }
    }
}

/// Where a scope records: whatever belongs to a load can hold its recorder, so that both are one allocation.
pub trait Records: Any + Send + Sync {
    /// The recorder, always the same.
    fn recorder(&self) -> &Recorder;
}

/// What a load has read so far.
#[derive(Debug, Default)]
pub struct Recorder(Mutex<Recorded>);

impl Recorder {
    /// What was recorded so far.
    pub fn recorded(&self) -> Recorded {
        self.0.lock().clone()
    }

    /// The same from one that nobody records in any more.
    pub fn into_recorded(self) -> Recorded {
        self.0.into_inner()
    }
}

impl Records for Recorder {
    fn recorder(&self) -> &Self {
        self
    }
}

/// What a scope recorded.
#[derive(Clone, Debug)]
pub struct Recorded {
    subjects: BTreeSet<SubjectRef>,
    overflow: bool,
    tainted: bool,
    deadline: Tick,
    began: Tick,
    /// The least token of what was read.
    #[cfg(feature = "mutations")]
    token: u64,
}

impl Scope {
    fn lock(&self) -> MutexGuard<'_, Recorded> {
        self.recorder.recorder().0.lock()
    }

    /// Whether what is resident is hidden from the load.
    pub const fn bypasses(&self) -> bool {
        self.of.bypasses
    }

    /// The scope that is current on this thread, if a load is being polled on it.
    pub fn current() -> Option<Self> {
        if !is_active() {
            return None;
        }
        CURRENT.with(|current| current.borrow().clone())
    }

    /// A future that has this scope as the current one whenever it is polled.
    pub const fn hold<F>(self, future: F) -> Scoped<F> {
        Scoped { future, scope: Some(self) }
    }

    /// Runs `f` with this scope as the current one.
    pub fn run<R>(&self, f: impl FnOnce() -> R) -> R {
        let mut own = Some(self.clone());
        let _lent = Lent::new(&mut own);
        f()
    }

    /// Where it records.
    pub fn into_recorder(self) -> Arc<dyn Records> {
        self.recorder
    }

    /// Says that the load used something stale or suspect: its value will be answered as stale and never stored.
    pub fn taint(&self) {
        self.lock().tainted = true;
    }

    /// A dependency by itself, without an entry.
    pub fn depend_on(&self, subject: SubjectRef) {
        self.lock().insert(subject);
    }

    /// What was recorded so far.
    pub fn recorded(&self) -> Recorded {
        self.recorder.recorder().recorded()
    }

    /// Records a read of an entry, or of a key without one.
    pub(crate) fn record(
        &self,
        key: SubjectRef,
        whole: SubjectRef,
        head: Option<&Head>,
        mechanisms: Mechanisms,
    ) {
        let mut recorded = self.lock();
        recorded.insert(key);
        // Whatever is in the scope's own cache is under the same floors as the value will be.
        if whole != self.of.own {
            recorded.insert(whole);
        }
        let Some(head) = head else { return };
        if mechanisms.on(Mechanism::Flatten) {
            for subject in head.subjects.all() {
                recorded.insert(*subject);
            }
        }
        if head.is_marked_stale() {
            recorded.tainted = true;
        } else if head.is_published() {
            recorded.deadline = recorded.deadline.min(head.deadline());
        }
        recorded.began = recorded.began.min(head.began);
        #[cfg(feature = "mutations")]
        {
            recorded.token = recorded.token.min(head.token);
        }
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("recorded", &self.recorded()).finish_non_exhaustive()
    }
}

impl Recorded {
    /// The keys, tags and caches that were read, each once.
    pub fn subjects(&self) -> impl Iterator<Item = SubjectRef> + '_ {
        self.subjects.iter().copied()
    }

    /// Whether nothing was read, and nothing said.
    pub(crate) fn is_blank(&self) -> bool {
        self.subjects.is_empty()
            && !self.overflow
            && !self.tainted
            && (self.deadline, self.began) == (Tick::LAST, Tick::LAST)
    }

    /// Whether there were more than [`SUBJECTS_MAX`]: the value cannot be stored.
    pub const fn overflowed(&self) -> bool {
        self.overflow
    }

    /// Whether something stale or suspect was used.
    pub const fn is_tainted(&self) -> bool {
        self.tainted
    }

    /// The least deadline of what was read; [`Tick::LAST`] if nothing had one.
    pub const fn deadline(&self) -> Tick {
        self.deadline
    }

    /// The earliest beginning of the loads of what was read; [`Tick::LAST`] if nothing was.
    pub const fn began(&self) -> Tick {
        self.began
    }

    #[cfg(feature = "mutations")]
    pub(crate) const fn token(&self) -> u64 {
        self.token
    }

    fn insert(&mut self, subject: SubjectRef) {
        if self.subjects.len() < SUBJECTS_MAX {
            self.subjects.insert(subject);
        } else if !self.subjects.contains(&subject) {
            self.overflow = true;
        }
    }
}

impl Default for Recorded {
    fn default() -> Self {
        Self {
            subjects: BTreeSet::new(),
            overflow: false,
            tainted: false,
            deadline: Tick::LAST,
            began: Tick::LAST,
            #[cfg(feature = "mutations")]
            token: u64::MAX,
        }
    }
}

pin_project! {
    /// A future with a scope: see [`Scope::hold`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Scoped<F> {
        #[pin]
        future: F,
        // Lent to the thread while it polls.
        scope: Option<Scope>,
    }
}

impl<F> Scoped<F> {
    /// Takes the scope back from a future that is not to be polled again: without its scope that would panic, since what it
    /// reads would go unnoticed.
    pub fn take_scope(self: Pin<&mut Self>) -> Option<Scope> {
        self.project().scope.take()
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        assert!(this.scope.is_some(), "a future was polled after its scope had been taken");
        let _lent = Lent::new(this.scope);
        this.future.poll(cx)
    }
}

thread_local! {
    /// Whether there is a current scope: all that a hit outside of loads looks at.
    static ACTIVE: Cell<bool> = const { Cell::new(false) };
    static CURRENT: RefCell<Option<Scope>> = const { RefCell::new(None) };
}

/// Whether a load is being polled on this thread.
#[inline]
pub(crate) fn is_active() -> bool {
    ACTIVE.with(Cell::get)
}

/// Makes a scope the current one, and keeps the one before it in its place. Dropped, it changes them back.
struct Lent<'a>(&'a mut Option<Scope>);

impl<'a> Lent<'a> {
    fn new(scope: &'a mut Option<Scope>) -> Self {
        swap_current(scope);
        Self(scope)
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        swap_current(self.0);
    }
}

fn swap_current(scope: &mut Option<Scope>) {
    ACTIVE.with(|active| active.set(scope.is_some()));
    CURRENT.with(|current| mem::swap(&mut *current.borrow_mut(), scope));
}
