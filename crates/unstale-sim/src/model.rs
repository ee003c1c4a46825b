//! The reference model: what each read may show. It knows the database's history, every act with the instant at which its
//! call returned, and which acts each node has applied; it knows nothing of sequences, fences, entries or loads.
//!
//! A read that begins on a node gets an [`Expected`]: for the subject and all it is made of, the oldest version that may
//! still be shown (its *floor*). Floors only rise:
//! - a node's own act raises its own floors when the call returns (P2);
//! - another node's act raises them once this node said that it had applied it (P1), when its origin was ended here (S3),
//!   or when a healthy link had the time to bring it (P3);
//! - a read that is answered as proven within d has to reflect what was announced anywhere before it began less d (P4);
//! - a read with a session's token has to reflect the write that the token names (S2).
//!
//! Versions alone would not do where loaders read replicas that lag: there, and everywhere else where nothing else makes a
//! value's load look older than it was, the load must have begun after the act, which is P1 to the letter.

use std::collections::BTreeMap;

use unstale::{Range, Seq, SessionToken, Stream};

use crate::layout::{Layout, Shown, Subject, Version};
use crate::violation::{Promise, Violation};

/// What a read may show of one subject at the least, and which promise says so.
#[derive(Clone, Copy, Debug)]
pub struct Floor {
    version: Version,
    began: u64,
    promise: Promise,
}

/// Floors of answers that claim to be fresh, and of all answers: what is gone is not even served as stale.
#[derive(Clone, Copy, Debug)]
struct Floors {
    fresh: Floor,
    gone: Floor,
}

const NOTHING: Floor = Floor { version: 0, began: 0, promise: Promise::P1 };
const NO_FLOORS: Floors = Floors { fresh: NOTHING, gone: NOTHING };

/// An act, as its caller knows it.
#[derive(Clone, Debug)]
pub struct Act {
    /// What it makes old, with the version of the database that it tells of.
    pub covers: Vec<(Subject, Version)>,
    /// Whether it ends what it covers (`remove`, `clear`), or makes it stale only.
    pub ends: bool,
    /// The step of the world at which it was called.
    pub step: u64,
}

/// How an answer was served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// As fresh.
    Fresh,
    /// As proven within the duration that was demanded.
    Proven,
    /// As stale, or without saying which.
    Unsaid,
}

/// What a read that begins now may be answered with.
#[derive(Clone, Debug)]
pub struct Expected {
    subject: Subject,
    floors: Vec<(Subject, Floors)>,
    /// For a proven answer: the world's time before which every announced act is reflected.
    since: Option<u64>,
    /// What the session's token names.
    session: Option<Act>,
}

impl Expected {
    /// What is read.
    pub const fn subject(&self) -> Subject {
        self.subject
    }

    /// Before when every announced act has to be reflected, if the read demanded that.
    pub const fn since(&self) -> Option<u64> {
        self.since
    }

    /// The same, as the answer said by itself.
    #[must_use]
    pub const fn since_at(mut self, since: u64) -> Self {
        self.since = Some(since);
        self
    }
}

/// Everything that can be known from outside.
#[derive(Debug)]
pub struct Model {
    layout: Layout,
    /// Whether loads have to have begun after the acts.
    to_the_letter: bool,
    /// Whether versions are compared: not where loaders read replicas that lag.
    by_version: bool,
    /// By node, by subject.
    floors: Vec<Vec<Floors>>,
    /// By subject: when each version was announced, and the newest up to then.
    announced: Vec<Vec<(u64, Version)>>,
    acts: BTreeMap<(Stream, Seq), (Act, Option<u64>)>,
}

impl Model {
    /// Nothing has happened yet.
    pub fn new(layout: Layout, nodes: usize, to_the_letter: bool, by_version: bool) -> Self {
        let subjects = usize::from(layout.subjects());
        Self {
            layout,
            to_the_letter,
            by_version,
            floors: vec![vec![NO_FLOORS; subjects]; nodes],
            announced: vec![Vec::new(); subjects],
            acts: BTreeMap::new(),
        }
    }

    /// A node begins a new life, with nothing cached.
    pub fn born(&mut self, node: usize) {
        self.floors[node].fill(NO_FLOORS);
    }

    /// A call of `node` returned at the world's time `now`.
    pub fn returned(&mut self, node: usize, act: Act, token: SessionToken, announced: bool, now: u64) {
        raise(&mut self.floors[node], &act, Promise::P2, act.step);
        if announced {
            for &(subject, version) in &act.covers {
                let told = &mut self.announced[usize::from(subject)];
                let newest = told.last().map_or(0, |(_, newest)| *newest).max(version);
                told.push((now, newest));
            }
        }
        self.acts.insert((token.stream(), token.seq()), (act, announced.then_some(now)));
    }

    /// A node said that it had applied these acts; loads from `step` on began after that.
    pub fn applied(&mut self, node: usize, stream: Stream, range: Range, step: u64) {
        for (_, (act, _)) in self.acts.range((stream, range.first)..=(stream, range.last)) {
            raise(&mut self.floors[node], act, Promise::P1, step);
        }
    }

    /// `node` does not wait for an origin any more: what that announced before `until` is reflected from now on (S3).
    pub fn ended(&mut self, node: usize, stream: Stream, until: u64) {
        for (_, (act, announced)) in self.acts.range((stream, Seq(0))..=(stream, Seq(u64::MAX))) {
            if announced.is_some_and(|at| at <= until) {
                // When it was applied is not known: versions only.
                raise(&mut self.floors[node], act, Promise::S3, 0);
            }
        }
    }

    /// A healthy link had the time to bring this act.
    pub fn must_know_act(&mut self, node: usize, stream: Stream, seq: Seq, why: Promise) {
        if let Some((act, _)) = self.acts.get(&(stream, seq)) {
            raise(&mut self.floors[node], act, why, 0);
        }
    }

    /// What a read of `subject` that begins now on `node` may show.
    pub fn expect(
        &self,
        node: usize,
        subject: Subject,
        since: Option<u64>,
        session: Option<SessionToken>,
    ) -> Expected {
        let mut floors = vec![(subject, self.floors[node][usize::from(subject)])];
        let mut next = 0;
        while let Some(&(made, _)) = floors.get(next) {
            for part in self.layout.parts(made).into_iter().flatten() {
                floors.push((part, self.floors[node][usize::from(part)]));
            }
            next += 1;
        }
        let named = session.and_then(|token| self.acts.get(&(token.stream(), token.seq())));
        Expected { subject, floors, since, session: named.map(|(act, _)| act.clone()) }
    }

    /// Checks an answer to a read that began when `expected` was made.
    pub fn check(&self, expected: &Expected, shown: &Shown, claim: Claim) -> Result<(), Violation> {
        let floor =
            |subject| expected.floors.iter().find(|(of, _)| *of == subject).map_or(NO_FLOORS, |at| at.1);
        self.shows_enough(expected.subject, shown, claim, expected.since, floor)?;
        if claim == Claim::Unsaid {
            return Ok(());
        }
        for &(subject, version) in expected.session.iter().flat_map(|act| &act.covers) {
            let least = Floor { version, began: 0, promise: Promise::S2 };
            self.at_least(expected.subject, shown, |of| if of == subject { least } else { NOTHING })?;
        }
        Ok(())
    }

    /// The same for a read that began just now and is answered already.
    #[inline]
    pub fn check_now(
        &self,
        node: usize,
        subject: Subject,
        shown: &Shown,
        claim: Claim,
        since: Option<u64>,
    ) -> Result<(), Violation> {
        let floors = &self.floors[node];
        self.shows_enough(subject, shown, claim, since, |of| floors[usize::from(of)])
    }

    #[inline]
    fn shows_enough(
        &self,
        subject: Subject,
        shown: &Shown,
        claim: Claim,
        since: Option<u64>,
        floors: impl Fn(Subject) -> Floors,
    ) -> Result<(), Violation> {
        self.at_least(subject, shown, |of| floors(of).gone)?;
        if claim != Claim::Unsaid {
            self.at_least(subject, shown, |of| floors(of).fresh)?;
        }
        if let (Claim::Proven, Some(since)) = (claim, since) {
            self.at_least(subject, shown, |of| self.announced_before(of, since))?;
        }
        Ok(())
    }

    #[inline]
    fn at_least(
        &self,
        subject: Subject,
        shown: &Shown,
        floor: impl Fn(Subject) -> Floor,
    ) -> Result<(), Violation> {
        for part in shown.parts() {
            let floor = floor(part.subject);
            let is_old = self.to_the_letter && part.began < floor.began;
            if self.by_version && part.version < floor.version || is_old {
                return Err(self.breach(subject, *part, floor));
            }
        }
        Ok(())
    }

    #[inline]
    fn announced_before(&self, subject: Subject, since: u64) -> Floor {
        let told = &self.announced[usize::from(subject)];
        let newest = told.iter().rev().find(|(at, _)| *at < since).map_or(0, |(_, version)| *version);
        Floor { version: newest, began: 0, promise: Promise::P4 }
    }

    #[cold]
    fn breach(&self, subject: Subject, part: crate::layout::Part, floor: Floor) -> Violation {
        let of = if part.subject == subject {
            String::new()
        } else {
            format!(" of {}", self.layout.name(part.subject))
        };
        // What a value was made of is P6's affair, whatever raised the floor; except what was proven or demanded.
        let relation = part.subject != subject && matches!(floor.promise, Promise::P1 | Promise::P2);
        let promise = if relation { Promise::P6 } else { floor.promise };
        let text = format!(
            "{} shows version {}{of}, loaded at step {}; it may show no older one than {}, loaded from step {}",
            self.layout.name(subject),
            part.version,
            part.began,
            floor.version,
            floor.began
        );
        Violation::new(promise, text)
    }
}

fn raise(floors: &mut [Floors], act: &Act, promise: Promise, step: u64) {
    for &(subject, version) in &act.covers {
        let floors = &mut floors[usize::from(subject)];
        let raised = |floor: Floor| {
            let newer = version > floor.version || step > floor.began;
            let promise = if newer { promise } else { floor.promise };
            Floor { version: floor.version.max(version), began: floor.began.max(step), promise }
        };
        floors.fresh = raised(floors.fresh);
        // What was missed and is doubted may stand in as stale, said to be so.
        let is_doubt = matches!(promise, Promise::S3 | Promise::P3);
        if act.ends && !is_doubt {
            floors.gone = raised(floors.gone);
        }
    }
}
