//! Rounds as a member sees them: what proves without an echo for each pair (P-28a).

use std::collections::BTreeMap;

use super::link::Control;
use super::waiting::Heard;
use super::{Event, Machine, State};
use crate::{Answer, Instant, Mechanism, Round, Seq, Stream};

/// The rounds of those that open some.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    followed: BTreeMap<Stream, Followed>,
    /// Whose round came last.
    pacemaker: Option<Stream>,
}

/// The rounds of one pacemaker.
#[derive(Debug)]
struct Followed {
    number: u64,
    /// The pacemaker's members when it opened this round, and the one before if that was seen.
    views: (u64, Option<u64>),
    /// When this node first answered this round, and the one before.
    answered: (Option<Instant>, Option<Instant>),
    /// What its members had given out; none after a round was missed, until all of them are said again.
    vector: Option<BTreeMap<Stream, Seq>>,
    came: Instant,
}

/// What a round is to who receives it.
enum Came {
    /// An older one came late.
    Late,
    Again,
    /// A new one; with the instant up to which it proves, if its numbers can be told.
    New(Option<Instant>),
}

impl Rounds {
    /// Of how many pacemakers rounds are followed: one, and another while it takes over.
    const FOLLOWED_MAX: usize = 4;

    /// When the last new round of a pacemaker that this node follows came, and whose it was.
    pub(super) fn last(&self) -> Option<(Stream, u64, Instant)> {
        let pacemaker = self.pacemaker?;
        self.followed.get(&pacemaker).map(|followed| (pacemaker, followed.number, followed.came))
    }

    /// When the last round came of a pacemaker that goes before `me`.
    pub(super) fn last_before(&self, me: Stream) -> Option<Instant> {
        self.followed.range(..me).map(|(_, followed)| followed.came).max()
    }

    fn make_room(&mut self, pacemaker: Stream) {
        if self.followed.len() >= Self::FOLLOWED_MAX && !self.followed.contains_key(&pacemaker) {
            let oldest = self.followed.iter().min_by_key(|(_, followed)| followed.came);
            if let Some(oldest) = oldest.map(|(stream, _)| *stream) {
                self.followed.remove(&oldest);
            }
        }
    }

    pub(super) fn forget(&mut self, stream: Stream) {
        self.followed.remove(&stream);
    }
}

impl Machine {
    pub(super) fn on_round(&mut self, round: &Round) {
        let pacemaker = round.pacemaker;
        let is_live = self.members.get(&pacemaker).is_some_and(super::member::Member::is_live);
        if !is_live || self.joining.state() == State::Left {
            return;
        }
        self.note_life(pacemaker);
        if let Some(member) = self.members.get_mut(&pacemaker) {
            member.joining = false;
        }
        if let Some(link) = self.link_to(pacemaker) {
            self.compare_later(link, pacemaker, round.view);
        }
        if let Some(era) = round.era {
            self.register.settle(era);
            self.check_joined();
        }
        match self.follow(round) {
            Came::Late => return,
            Came::Again => {}
            Came::New(proven) => {
                self.note_pacemaker(pacemaker);
                self.expect_rows(round);
                if let Some(instant) = proven {
                    self.prove_by_round(pacemaker, instant);
                }
            }
        }
        self.answer_round(pacemaker, Hurry::No);
    }

    /// Takes in a round, and finds up to when it proves: this node's answer to the last but one was there before the last one was opened,
    /// and all members answered the last one after that (two-rounds-back).
    fn follow(&mut self, round: &Round) -> Came {
        let (now, is_own_view) = (self.now, round.view == self.roster.hash());
        let is_first_kept = self.works(Mechanism::FirstInstantOfRepeat);
        let is_two_back = self.works(Mechanism::TwoRoundsBack);
        self.rounds.make_room(round.pacemaker);
        let fresh = Followed { number: 0, views: (0, None), answered: (None, None), vector: None, came: now };
        let followed = self.rounds.followed.entry(round.pacemaker).or_insert(fresh);
        if round.number <= followed.number {
            if round.number < followed.number {
                return Came::Late;
            }
            if !is_first_kept {
                followed.answered.0 = None;
            }
            return Came::Again;
        }
        let is_next = followed.number + 1 == round.number;
        let (last, last_but_one) = if is_next { followed.answered } else { (None, None) };
        followed.views = (round.view, is_next.then_some(followed.views.0));
        followed.number = round.number;
        followed.answered = (None, last);
        followed.came = now;
        let is_same_view = followed.views.1 == Some(round.view);
        let before = followed.vector.take().filter(|_| is_same_view && is_next);
        let vector = if round.whole { Some(BTreeMap::new()) } else { before };
        followed.vector = vector.filter(|_| is_own_view).map(|mut vector| {
            let rows = round.rows.iter().filter_map(|row| Some((self.roster.at(row.member)?, row.last)));
            vector.extend(rows);
            vector
        });
        let knows_all = is_own_view
            && is_same_view
            && followed
                .vector
                .as_ref()
                .is_some_and(|vector| self.roster.iter().all(|stream| vector.contains_key(stream)));
        let answered = if is_two_back { last_but_one } else { last };
        Came::New(answered.filter(|_| knows_all))
    }

    /// What members had given out is missing if it is not here soon.
    fn expect_rows(&mut self, round: &Round) {
        if round.view != self.roster.hash() {
            return;
        }
        for row in &round.rows {
            if let Some(stream) = self.roster.at(row.member) {
                self.expect_soon(stream, row.last);
            }
        }
    }

    /// All members answered: what each had given out stands for its beat, with the instant as the echo.
    fn prove_by_round(&mut self, pacemaker: Stream, instant: Instant) {
        let Some(vector) = self.rounds.followed.get(&pacemaker).and_then(|followed| followed.vector.clone())
        else {
            return;
        };
        self.take_vector_of_round(&vector, instant);
    }

    pub(super) fn take_vector_of_round(&mut self, vector: &BTreeMap<Stream, Seq>, instant: Instant) {
        let (view, mechanisms) = (self.roster.hash(), self.config.mechanisms);
        for (stream, last) in vector {
            let Some(member) = self.members.get_mut(stream) else { continue };
            // await-vector
            let last = if mechanisms.on(Mechanism::AwaitVector) { *last } else { Seq::ZERO };
            member.hold(Heard { last, echo: instant, view }, mechanisms);
            self.note_life(*stream);
            self.use_what_waits(*stream);
        }
        self.update_proof();
    }

    fn answer_round(&mut self, pacemaker: Stream, hurry: Hurry) {
        if let Some(link) = self.link_to(pacemaker)
            && let Some(link) = self.links.get_mut(&link)
        {
            link.push(Control::Answer { pacemaker, hurry });
        }
    }

    /// The answer, written now: its instant is noted before it can be there, and its number read after the round came.
    pub(super) fn write_answer(&mut self, pacemaker: Stream, hurry: Hurry) -> Option<Answer> {
        let (stream, last, joining) = (self.me, self.own.last, !self.joining.is_joined());
        let followed = self.rounds.followed.get_mut(&pacemaker)?;
        followed.answered.0.get_or_insert(self.now);
        Some(Answer {
            stream,
            pacemaker,
            number: followed.number,
            last,
            joining,
            missed: followed.vector.is_none(),
            hurry: hurry == Hurry::Yes,
        })
    }

    fn note_pacemaker(&mut self, pacemaker: Stream) {
        if self.rounds.pacemaker.replace(pacemaker) != Some(pacemaker) {
            self.report(Event::Pacemaker { stream: pacemaker, name: self.name_of(pacemaker) });
        }
    }

    /// Whether rounds prove: this node opens them, or they come.
    pub(super) fn do_rounds_run(&self) -> bool {
        let lately = self.period().saturating_mul(3);
        self.do_own_rounds_run(lately)
            || self.rounds.last().is_some_and(|(_, _, came)| self.now.since(came) <= lately)
    }

    /// Asks for rounds without a pause, if there are any.
    pub(super) fn hurry_rounds(&mut self) {
        if self.is_pacemaker() {
            self.hurry_own_rounds(2);
        } else if let Some((pacemaker, ..)) = self.rounds.last() {
            self.answer_round(pacemaker, Hurry::Yes);
        }
    }
}

/// Whether a read waits for rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hurry {
    No,
    Yes,
}
