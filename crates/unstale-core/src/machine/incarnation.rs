//! The lives of this process: ends of its own stream, and pauses of its driver (P-34, P-41).

use super::link::Control;
use super::output::SelfEnd;
use super::{
    Announce, DistrustCause, Event, Machine, Output, Own, Pace, Proof, Rounds, State, Suspects, WakeReason,
};
use crate::{EndCause, Ended, Instant, Mechanism, Message, Reset, Seq, Stream, ViewWant};

/// What this node knows of its own life.
#[derive(Debug)]
pub(super) struct Life {
    /// Since when it listens without a break: earlier silence proves nothing.
    awake: Instant,
    /// The stream that ended, until the act log was restarted.
    ended: Option<Stream>,
    /// Since when it has not compared its view with anybody, after the driver was late.
    late: Option<Instant>,
}

impl Life {
    pub(super) const fn new(now: Instant) -> Self {
        Self { awake: now, ended: None, late: None }
    }

    pub(super) const fn awake(&self) -> Instant {
        self.awake
    }

    /// Whether one stream has ended, and the next has not begun.
    pub(super) const fn is_between(&self) -> bool {
        self.ended.is_some()
    }

    /// Whether it must compare views before it answers anybody (P-41).
    pub(super) const fn must_compare(&self) -> bool {
        self.late.is_some()
    }

    /// A member whose view is known echoed this instant.
    pub(super) fn note_compared(&mut self, echoed: Instant) {
        if self.late.is_some_and(|late| late <= echoed) {
            self.late = None;
        }
    }
}

impl Machine {
    /// Sees by how much the driver is late, before anything else is believed (self-end-after-pause, P-41).
    pub(super) fn observe_lateness(&mut self, now: Instant) {
        let timing = self.config.timing;
        let Some((due, _)) = self.timers.first() else { return };
        let late = now.since(due);
        let is_seen = self.works(Mechanism::SelfEndAfterPause);
        if late < timing.unheard || self.joining.state() == State::Left || !is_seen {
            return;
        }
        self.now = self.now.max(now);
        self.life.awake = now;
        self.listen_afresh();
        self.report(Event::Late { by: late });
        if late > timing.silence && !self.members.is_empty() {
            self.take_next_incarnation(SelfEnd::Paused);
        } else if late >= timing.silence / 2 && !self.members.is_empty() {
            self.life.late = Some(now);
            let want = Message::ViewWant(ViewWant { stream: self.me });
            for link in self.links.values_mut().filter(|link| link.peer.is_some()) {
                link.push(Control::ready(want.clone()));
            }
        }
        // All deadlines are set anew, so this is seen once.
        self.on_tick();
    }

    /// Takes no member for silent because of a time in which nobody listened.
    fn listen_afresh(&mut self) {
        let (now, unheard) = (self.now, self.config.timing.unheard);
        for (stream, member) in self.members.iter_mut().filter(|(_, member)| member.is_live()) {
            if !member.silent {
                member.heard = now;
            }
            self.timers.set(WakeReason::Silence(*stream), now.plus(unheard));
        }
    }

    /// This node's stream has ended: it stops announcing, keeps what it stores and counts, and joins again under the next one (P-34).
    pub(super) fn take_next_incarnation(&mut self, why: SelfEnd) {
        if self.life.is_between() || self.joining.state() == State::Left {
            return;
        }
        let (ended, now) = (self.me, self.now);
        let in_sync = self.in_sync();
        self.report(Event::SelfEnded { stream: ended, why });
        // What was silent stays so: it was this process that listened and echoed, whatever it was called (P-34).
        self.life = Life { awake: self.life.awake, ended: Some(ended), late: None };
        self.me = ended.next();
        self.own = Own { stamp: self.own.stamp, ..Own::default() };
        self.votes.forget_own();
        self.votes.forget(ended);
        self.register.forget_own();
        (self.rounds, self.pace) = (Rounds::default(), Pace::default());
        if let Some(common) = &mut self.common {
            common.flushed = Seq::ZERO;
        }
        for link in self.links.values_mut() {
            link.control.clear();
            link.answered = false;
        }
        for member in self.members.values_mut() {
            if member.heard_again {
                member.heard = now;
            }
            member.forget_own_stream();
        }
        self.listen_afresh();
        self.rejoin(in_sync);
        if why == SelfEnd::Forgotten {
            self.distrust(Suspects::Everything, DistrustCause::Joined);
        }
        self.put(Output::NextStream { stream: self.me });
        self.update_roster();
    }

    pub(super) fn on_restarted(&mut self, last: Seq) {
        let Some(stream) = self.life.ended.take() else { return };
        let name = self.config.name.clone();
        self.bury(&Ended { stream, name, last, cause: EndCause::Reset, ago_ms: 0 }, Vec::new());
        self.retire_stream(stream, last);
        self.read_register();
        let reset = Message::Reset(Reset { stream, last, next: self.me });
        let links: Vec<_> = self.links.keys().copied().collect();
        for link in links {
            if let Some(carrier) = self.links.get_mut(&link) {
                carrier.push(Control::ready(reset.clone()));
            }
            self.greet(link);
        }
        self.check_joined();
    }

    /// Until when this node was surely of the cluster.
    fn in_sync(&self) -> Instant {
        let proven = match self.said.proof {
            Proof::None => Instant::ZERO,
            Proof::Instant(instant) => instant,
            Proof::Present => self.now,
        };
        let leased = match self.said.announce {
            Announce::Never => Instant::ZERO,
            Announce::Until(until) => until.minus(self.config.timing.lease()),
            Announce::Always => self.now,
        };
        let joined = if self.joining.is_joined() { Instant::ZERO } else { self.joining.in_sync() };
        proven.max(leased).max(joined)
    }
}
