//! Rounds as the pacemaker opens them (P-28a).

use std::collections::BTreeMap;
use std::time::Duration;

use super::link::Control;
use super::member::Member;
use super::{Event, Machine, State, WakeReason};
use crate::{Answer, Instant, LinkId, Mechanism, Message, Round, RoundRow, Seq, Stream};

/// The rounds of this node.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// The open round, as it was sent; none before the first.
    open: Option<Round>,
    opened: Instant,
    /// Who answered it, with the last number given out.
    answers: BTreeMap<Stream, Seq>,
    /// What the others know from the rows of earlier rounds.
    published: BTreeMap<Stream, Seq>,
    /// Whether somebody needs the rows of all.
    is_whole_due: bool,
    /// Whether the open round proved what it can.
    is_used: bool,
    /// Whether it is time for the next one.
    is_due: bool,
    /// Up to this number rounds follow without a pause.
    hurry: u64,
    /// Since when this node waits for those that go before it.
    waits: Option<(usize, Instant)>,
}

impl Pace {
    fn number(&self) -> u64 {
        self.open.as_ref().map_or(0, |round| round.number)
    }

    pub(super) fn forget(&mut self, stream: Stream) {
        self.answers.remove(&stream);
        self.published.remove(&stream);
    }
}

impl Machine {
    /// The lowest stream opens rounds; each next one does if those before it have not for as long as its rank says. Two at once do no
    /// harm: their rounds have nothing to do with each other.
    pub(super) fn is_pacemaker(&self) -> bool {
        let Some((rank, since)) = self.pace.waits else { return false };
        let patience =
            (self.config.timing.silence / 3).saturating_mul(u32::try_from(rank).unwrap_or(u32::MAX));
        let since = self.rounds.last_before(self.me).map_or(since, |came| came.max(since));
        self.may_pace() && (rank == 0 || self.now.since(since) >= patience)
    }

    fn may_pace(&self) -> bool {
        self.joining.state() == State::Joined
            && self.common.is_some()
            && self.is_registered()
            && !self.life.is_between()
            && self.members.values().any(Member::is_live)
    }

    /// Notes who goes before this node.
    fn note_rank(&mut self) {
        if !self.may_pace() {
            self.pace.waits = None;
            return;
        }
        let before = self.members.range(..self.me).filter(|(_, member)| member.is_live() && !member.joining);
        let rank = before.count();
        if self.pace.waits.is_none_or(|(was, _)| was != rank) {
            self.pace.waits = Some((rank, self.now));
        }
    }

    /// Time for a round; whoever has not answered the open one is asked again, alone.
    pub(super) fn on_round_due(&mut self) {
        let period = self.period();
        self.note_rank();
        if !self.is_pacemaker() {
            return self.timers.set(WakeReason::Round, self.now.plus(period));
        }
        self.pace.is_due = true;
        let late: Vec<_> = self.awaited().collect();
        // Also with nobody late: somebody may come before the next one is written, who has to be asked then.
        let pause = if late.is_empty() { period } else { period / 2 };
        self.timers.set(WakeReason::Round, self.now.plus(pause));
        for stream in late {
            self.repeat_round(stream);
        }
    }

    /// The members that have not answered the open round.
    fn awaited(&self) -> impl Iterator<Item = Stream> + '_ {
        let is_open = self.pace.open.is_some();
        let is_awaited =
            move |stream: &&Stream| is_open && **stream != self.me && !self.pace.answers.contains_key(stream);
        self.roster.iter().filter(is_awaited).copied()
    }

    /// For status: whom the open round waits for.
    pub(super) fn awaited_streams(&self) -> Vec<Stream> {
        self.awaited().collect()
    }

    fn repeat_round(&mut self, to: Stream) {
        let Some(round) = self.pace.open.clone() else { return };
        if let Some(link) = self.link_to(to)
            && let Some(link) = self.links.get_mut(&link)
        {
            link.push(Control::ready(Message::Round(round)));
        }
    }

    pub(super) fn may_open_round(&self) -> bool {
        // no-assumed-answer
        let is_assumed = !self.works(Mechanism::NoAssumedAnswer);
        self.pace.is_due && self.is_pacemaker() && (is_assumed || self.awaited().next().is_none())
    }

    /// Opens the next round: written now, since its row of this node says the last number given out.
    pub(super) fn open_round(&mut self) -> Option<Round> {
        if !self.may_open_round() {
            return None;
        }
        let number = self.pace.number() + 1;
        let view = self.roster.hash();
        let is_whole_due = self.pace.is_whole_due;
        let whole =
            self.pace.open.as_ref().is_some_and(|open| open.number == 1 || is_whole_due || open.view != view);
        let rows = if number > 1 { self.rows_of_round(whole) } else { Vec::new() };
        let round = Round { pacemaker: self.me, number, view, era: self.register.settled_era(), whole, rows };
        self.pace.open = Some(round.clone());
        self.pace.opened = self.now;
        self.pace.answers.clear();
        self.pace.is_whole_due = false;
        self.pace.is_used = false;
        self.pace.is_due = number < self.pace.hurry;
        self.timers.set(WakeReason::Round, self.now.plus(self.period()));
        if number == 1 {
            self.report(Event::Pacemaker { stream: self.me, name: self.config.name.clone() });
        }
        Some(round)
    }

    fn rows_of_round(&mut self, whole: bool) -> Vec<RoundRow> {
        let mut rows = Vec::new();
        for (member, stream) in (0_u16..).zip(self.roster.iter()) {
            let answered =
                if *stream == self.me { Some(self.own.last) } else { self.pace.answers.get(stream).copied() };
            let known = self.pace.published.get(stream).copied();
            let Some(last) = answered.or(known) else { continue };
            if whole || known != Some(last) {
                rows.push(RoundRow { member, last });
                self.pace.published.insert(*stream, last);
            }
        }
        rows
    }

    pub(super) fn on_answer(&mut self, link: LinkId, answer: &Answer) {
        let stream = answer.stream;
        let is_from = self.links.get(&link).is_some_and(|link| link.peer == Some(stream));
        if !is_from || !self.is_member(stream) {
            return self.tell_stranger(link, stream);
        }
        if answer.pacemaker != self.me {
            return;
        }
        self.note_life(stream);
        self.expect_soon(stream, answer.last);
        if let Some(member) = self.members.get_mut(&stream) {
            member.joining = answer.joining;
        }
        if answer.hurry {
            self.hurry_own_rounds(3);
        }
        if answer.number != self.pace.number() {
            return;
        }
        self.pace.is_whole_due |= answer.missed;
        let last = self.pace.answers.entry(stream).or_default();
        *last = (*last).max(answer.last);
        self.use_answers();
    }

    /// When all have answered, each had given out no more when this node opened the round: that proves up to there.
    pub(super) fn use_answers(&mut self) {
        if self.pace.open.is_none() || self.pace.is_used || self.awaited().next().is_some() {
            return;
        }
        self.pace.is_used = true;
        self.pace.is_due |= self.pace.number() < self.pace.hurry;
        let (answers, opened) = (self.pace.answers.clone(), self.pace.opened);
        self.take_vector_of_round(&answers, opened);
    }

    /// Lets so many rounds follow without a pause.
    pub(super) fn hurry_own_rounds(&mut self, rounds: u64) {
        self.pace.hurry = self.pace.hurry.max(self.pace.number() + rounds);
        self.pace.is_due = true;
    }

    pub(super) fn do_own_rounds_run(&self, lately: Duration) -> bool {
        self.is_pacemaker() && self.pace.open.is_some() && self.now.since(self.pace.opened) <= lately
    }

    /// The number of the round that this node opened last.
    pub(super) fn own_round(&self) -> Option<(u64, Instant)> {
        self.pace.open.as_ref().map(|round| (round.number, self.pace.opened))
    }
}
