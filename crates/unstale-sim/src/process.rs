//! One simulated process: a runtime whose time the world moves, a node of the shipping code, and its caches.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use unstale::{
    ErrorKind, Event, Events, Freshness, Instant, Load, Node, NodeBuilder, Read, Served, SessionToken, Value,
};

use crate::caches::{Caches, Source, Terms};
use crate::clock::SimClock;
use crate::layout::{Shown, Subject};
use crate::model::{Act, Claim, Expected};
use crate::network::Life;

/// A process that is alive.
pub struct Process {
    // First: whatever runs is dropped before what it uses.
    runtime: Runtime,
    /// Which of its node's lives this is.
    pub life: Life,
    /// Its clocks.
    pub clock: SimClock,
    /// Its node.
    pub node: Node,
    /// Its caches.
    pub caches: Arc<Caches>,
    events: Events,
    done: Arc<Mutex<Vec<Done>>>,
    reads: Vec<JoinHandle<()>>,
    writes: Vec<JoinHandle<()>>,
    /// How long it stood still, if that has to be made up for.
    behind: u64,
}

/// A call that has returned.
pub enum Done {
    /// A read.
    Read {
        /// What it had to show.
        expected: Box<Expected>,
        /// The world's time at which it began.
        began: u64,
        /// What it showed; nothing if it failed in a way that it may.
        answer: Result<Answered, ErrorKind>,
        /// The session's token that it was given, if the write was announced.
        session: Option<SessionToken>,
    },
    /// A write.
    Written {
        /// What was done.
        act: Act,
        /// The rows that nobody else may write meanwhile.
        rows: Vec<Subject>,
        /// The receipt's token, and whether it was announced.
        receipt: Option<(SessionToken, bool)>,
    },
    /// A goodbye was said.
    Left,
}

/// What a read was answered with.
#[derive(Clone, Copy, Debug)]
pub struct Answered {
    /// The value.
    pub shown: Shown,
    /// What the answer says of itself.
    pub claim: Claim,
    /// How old it is said to be at the most, if nothing was demanded.
    pub age: Option<Duration>,
}

/// What a read demands.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// Of what.
    pub subject: Subject,
    /// How fresh.
    pub freshness: Option<Freshness>,
    /// After which write.
    pub session: Option<SessionToken>,
    /// Whether to load again what was refused.
    pub repeat: bool,
}

impl Process {
    /// Starts one; `build` configures its node under the runtime's clock.
    pub fn start(
        life: Life,
        build: impl FnOnce() -> (NodeBuilder, SimClock),
        terms: Terms,
        source: Source,
    ) -> Self {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime without input and output needs nothing of the system");
        let (node, clock) = runtime.block_on(async {
            let (builder, clock) = build();
            (builder.start().await.expect("the configuration makes sense"), clock)
        });
        let guard = runtime.enter();
        let caches = Caches::build(&node, &clock, terms, source).expect("the caches make sense");
        let events = node.events();
        drop(guard);
        let done = Arc::default();
        Self {
            runtime,
            life,
            clock,
            node,
            caches,
            events,
            done,
            reads: Vec::new(),
            writes: Vec::new(),
            behind: 0,
        }
    }

    /// Runs all that is due before the world's time `until`.
    pub fn run_until(&mut self, until: u64) {
        let behind = std::mem::take(&mut self.behind);
        let clock = &self.clock;
        self.runtime.block_on(async {
            if behind > 0 {
                clock.caught_up(behind);
                tokio::time::advance(Duration::from_nanos(behind)).await;
            }
            tokio::time::sleep_until(clock.runtime_instant(until)).await;
        });
    }

    /// It stood still for so long. If its runtime's clock counts that, its timers come due all at once with the next step;
    /// if it `sleeps`, not even its boot clock does.
    pub fn stood_still(&mut self, nanos: u64, counted: bool, sleeps: bool) {
        self.clock.stood_still(nanos);
        if sleeps {
            self.clock.slept(nanos);
        }
        if counted {
            self.behind += nanos;
        }
    }

    /// Runs code as a task of the process does, without letting any of its tasks run.
    pub fn within<R>(&self, f: impl FnOnce(&Self) -> R) -> R {
        let _guard = self.runtime.enter();
        f(self)
    }

    /// Begins a read: it goes as far as it can at once.
    pub fn read(&mut self, ask: Ask, at: Instant, began: u64, expected: Expected) {
        let (caches, done) = (Arc::clone(&self.caches), Arc::clone(&self.done));
        let session = ask.session;
        let waits = self.begin(async move {
            let answer = read(caches, ask, at).await;
            push(&done, Done::Read { expected: Box::new(expected), began, answer, session });
        });
        self.reads.extend(waits);
    }

    /// Begins a write.
    pub fn write(
        &mut self,
        act: Act,
        rows: Vec<Subject>,
        call: impl Future<Output = Option<(SessionToken, bool)>> + Send + 'static,
    ) {
        let done = Arc::clone(&self.done);
        let waits = self.begin(async move {
            let receipt = call.await;
            push(&done, Done::Written { act, rows, receipt });
        });
        self.writes.extend(waits);
    }

    /// Says goodbye.
    pub fn leave(&mut self) {
        let (node, done) = (self.node.clone(), Arc::clone(&self.done));
        let waits = self.begin(async move {
            let _ = node.shutdown().await;
            push(&done, Done::Left);
        });
        self.writes.extend(waits);
    }

    /// Tells its node that a member is dead.
    pub fn end_member(&mut self, name: String) {
        let node = self.node.clone();
        let waits = self.begin(async move {
            // A node that has closed needs no such word.
            let _ = node.end_member(&name).await;
        });
        self.writes.extend(waits);
    }

    /// Every reader that waits just now goes away; returns how many.
    pub fn cancel(&mut self) -> u64 {
        let mut cancelled = 0;
        for task in self.reads.drain(..).filter(|task| !task.is_finished()) {
            task.abort();
            cancelled += 1;
        }
        cancelled
    }

    /// What has returned since the last time.
    pub fn take_done(&mut self) -> Vec<Done> {
        self.reads.retain(|task| !task.is_finished());
        self.writes.retain(|task| !task.is_finished());
        std::mem::take(&mut *self.done.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is to be taken later after all.
    pub fn put_back(&mut self, done: Done) {
        push(&self.done, done);
    }

    /// The next thing that its node reports.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.try_recv()
    }

    /// How many calls have not returned.
    pub fn waiting(&self) -> usize {
        self.reads.iter().chain(&self.writes).filter(|task| !task.is_finished()).count()
    }

    fn begin(&self, call: impl Future<Output = ()> + Send + 'static) -> Option<JoinHandle<()>> {
        let _guard = self.runtime.enter();
        let mut call: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(call);
        match call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(()) => None,
            Poll::Pending => Some(self.runtime.spawn(call)),
        }
    }
}

fn push(done: &Mutex<Vec<Done>>, what: Done) {
    done.lock().unwrap_or_else(PoisonError::into_inner).push(what);
}

async fn read(caches: Arc<Caches>, ask: Ask, at: Instant) -> Result<Answered, ErrorKind> {
    if ask.freshness.is_none()
        && ask.session.is_none()
        && let Some(shown) = caches.memorised(ask.subject)
    {
        return Ok(Answered { shown, claim: Claim::Fresh, age: None });
    }
    let (kind, key) = caches.layout().place(ask.subject);
    let of_loader = Arc::clone(&caches);
    let loader = move |load: Load<Shown>| of_loader.load(ask.subject, load);
    let mut call = caches.of(kind).get_or_load(&key, loader);
    if ask.repeat {
        call = call.repeat_if_refused();
    }
    let mut call = call.at(at);
    if let Some(freshness) = ask.freshness {
        call = call.freshness(freshness);
    }
    if let Some(session) = ask.session {
        call = call.session(session);
    }
    let read = call.await.map_err(|error| error.kind())?;
    Ok(answered(&read, ask.freshness.is_some()))
}

fn answered(read: &Read<Value<Shown>>, demanded: bool) -> Answered {
    let claim = match (read.served(), read.proven()) {
        (Served::Stale, _) => Claim::Unsaid,
        (_, true) => Claim::Proven,
        (_, false) => Claim::Fresh,
    };
    let age = read.proof_age().filter(|_| !demanded);
    Answered { shown: ***read, claim, age }
}
