//! Joining: from the first hello until every member has admitted this node (P-25, P-25b).

use super::{DistrustCause, Machine, Membership, Output, State, Suspects, WakeReason};
use crate::{Instant, Mechanism};

/// How far this node has come.
#[derive(Debug)]
pub(super) struct Joining {
    state: State,
    /// When it began.
    since: Instant,
    /// Until when it cannot have missed that a member came and went.
    in_sync: Instant,
    stores_since: Instant,
    /// Whether this process has joined before.
    has_joined: bool,
}

impl Joining {
    pub(super) const fn new(now: Instant) -> Self {
        Self { state: State::Joining, since: now, in_sync: now, stores_since: now, has_joined: false }
    }

    pub(super) const fn state(&self) -> State {
        self.state
    }

    pub(super) const fn is_joined(&self) -> bool {
        matches!(self.state, State::Joined | State::Alone)
    }

    pub(super) const fn in_sync(&self) -> Instant {
        self.in_sync
    }

    /// Whether an admission sets the base of a count: only while nothing is stored (P-25).
    pub(super) const fn takes_bases(&self) -> bool {
        matches!(self.state, State::Joining)
    }

    /// Since when fills are stored; meaningless before they are.
    pub(super) const fn stores_since(&self) -> Instant {
        self.stores_since
    }
}

impl Machine {
    pub(super) fn begin_joining(&mut self) {
        let timing = self.config.timing;
        self.put(Output::State(State::Joining));
        self.timers.set(WakeReason::Join, self.now.plus(timing.join_window.saturating_mul(2)));
        if self.slots.can_vote() {
            self.timers.set(WakeReason::Vacancy, self.now.plus(timing.silence));
        }
        self.check_joined();
    }

    /// Begins again under a new stream: what is stored stays, and counts go on.
    pub(super) fn rejoin(&mut self, in_sync: Instant) {
        // Who stored nothing yet goes on joining.
        let (state, patience) = match self.joining.state {
            State::Joining => (State::Joining, self.config.timing.join_window.saturating_mul(2)),
            state @ State::Left => (state, self.config.timing.silence),
            State::Joined | State::Alone | State::Unjoined => (State::Unjoined, self.config.timing.silence),
        };
        self.joining.since = self.now;
        self.joining.in_sync = in_sync;
        self.enter(state);
        self.timers.set(WakeReason::Join, self.now.plus(patience));
        if self.slots.can_vote() {
            self.timers.set_if_none(WakeReason::Vacancy, self.now.plus(self.config.timing.silence));
        }
    }

    /// Two windows without all answers: it may work unjoined (P-25). From now on counts begin at 0.
    pub(super) fn on_join_window(&mut self) {
        self.check_joined();
        if self.joining.state != State::Joining {
            return;
        }
        self.enter(State::Unjoined);
        let late: Vec<_> =
            self.members.iter().filter(|(_, member)| !member.based).map(|(stream, _)| *stream).collect();
        for stream in late {
            if let Some(member) = self.members.get_mut(&stream) {
                member.based = true;
            }
            self.say_counted(stream);
            self.expect_at_once(stream, crate::Seq::ZERO);
            self.settle(stream);
        }
        // Whoever finds nobody at all for L is the first one of an elastic mesh.
        self.timers.set(WakeReason::Join, self.joining.since.plus(self.config.timing.silence));
    }

    /// Whether the last answer, end or vacancy made this node joined, or the last goodbye alone.
    pub(super) fn check_joined(&mut self) {
        let joined = match self.joining.state {
            State::Left => return,
            State::Joining | State::Unjoined => self.is_admitted_by_all(),
            State::Joined | State::Alone => true,
        };
        if !joined {
            return;
        }
        let is_long_ago = self.now.since(self.joining.in_sync) > self.config.timing.tell_ended();
        if self.joining.state == State::Unjoined && (is_long_ago || !self.joining.has_joined) {
            // Who came and went meanwhile may be forgotten; and who stores without ever having joined never knew those who wrote (P-25).
            self.distrust(Suspects::Everything, DistrustCause::Joined);
        }
        self.enter(if self.is_alone() { State::Alone } else { State::Joined });
    }

    pub(super) fn enter(&mut self, state: State) {
        if self.joining.state == state {
            return;
        }
        if self.joining.takes_bases() {
            self.joining.stores_since = self.now;
        }
        self.joining.state = state;
        self.joining.has_joined |= self.joining.is_joined();
        self.put(Output::State(state));
        self.update_proof();
        self.update_announce();
    }

    fn is_admitted_by_all(&self) -> bool {
        if !self.works(Mechanism::JoinWait) && self.members.values().any(|member| member.admitted) {
            return !self.life.is_between();
        }
        // join-wait: each has admitted it, or was ended by rule 30.
        if self.life.is_between()
            || !self.members.values().filter(|member| member.is_tracked()).all(|member| member.admitted)
        {
            return false;
        }
        match &self.config.membership {
            Membership::Alone => true,
            Membership::Fixed(_) => self.slots.iter().all(|place| {
                let is_known = |stream| self.is_member(stream) || self.tombs.contains(stream);
                place.left || place.vacant || place.stream.is_some_and(is_known)
            }),
            Membership::Elastic => {
                let waited = self.now.since(self.joining.since) >= self.config.timing.silence;
                !self.members.is_empty() || waited && self.links.is_empty()
            }
            Membership::Registered => self.is_entered(),
        }
    }

    /// No peer is configured, or every other one said goodbye; an unreachable one is not enough (P-25b).
    fn is_alone(&self) -> bool {
        !self.is_registered()
            && self.slots.have_all_left()
            && !self.members.values().any(super::member::Member::is_tracked)
    }
}
