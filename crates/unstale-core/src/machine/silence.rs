//! Members that are not heard: reported, doubted, voted on, ended by the operator (P-30, P-33).

use std::collections::BTreeMap;

use super::member::Member;
use super::{DistrustCause, Event, Machine, State, WakeReason};
use crate::{EndCause, Mechanism, Name, Stream};

impl Machine {
    pub(super) fn on_silence(&mut self, stream: Stream) {
        let (now, timing) = (self.now, self.config.timing);
        let Some(member) = self.members.get_mut(&stream).filter(|member| member.is_live()) else { return };
        if !member.is_unheard(now, timing.unheard) {
            let due = member.heard.plus(timing.unheard);
            return self.timers.set(WakeReason::Silence(stream), due);
        }
        if !member.silent {
            member.silent = true;
            let name = member.name.clone();
            self.report(Event::MemberSilent { stream, name: name.clone() });
            self.doubt_namesakes(stream, &name);
        }
        let Some(member) = self.members.get(&stream) else { return };
        if member.voted || !self.slots.can_vote() || self.joining.state() == State::Left {
            // A new beat sets the timer again.
            return;
        }
        // vote-after-silence: no sooner than L after the last new beat, direct or reported.
        let patience = if self.works(Mechanism::VoteAfterSilence) { timing.silence } else { timing.unheard };
        let due = member.heard.max(member.reported).max(self.life.awake()).plus(patience);
        if now < due {
            self.timers.set(WakeReason::Silence(stream), due);
        } else {
            self.vote_on(stream);
        }
    }

    /// Where a silent stream and another one have one name, the silent one's scopes are distrusted at once; the proof still waits for
    /// its end. Two that are both heard are reported (P-33).
    pub(super) fn doubt_namesakes(&mut self, stream: Stream, name: &Name) {
        let (now, unheard) = (self.now, self.config.timing.unheard);
        let namesakes: Vec<_> = namesakes(&self.members, name)
            .map(|(namesake, member)| (namesake, member.is_unheard(now, unheard)))
            .collect();
        if namesakes.len() < 2 || self.joining.takes_bases() {
            return;
        }
        let mut heard = 0;
        for (namesake, is_unheard) in namesakes {
            if !is_unheard {
                heard += 1;
            } else if let Some(member) = self.members.get(&namesake).filter(|member| member.doubt.is_none()) {
                let id = self.distrust(member.suspects(), DistrustCause::Dead(namesake));
                if let Some(member) = self.members.get_mut(&namesake) {
                    member.doubt = Some(id);
                }
            }
        }
        if heard > 1 {
            self.report(Event::NameTaken { name: name.clone(), stream });
        }
    }

    /// The operator says that a node is dead, or that nobody ever was in its slot. Not believed of one that is heard.
    pub(super) fn on_operator(&mut self, name: &Name) {
        let (now, unheard) = (self.now, self.config.timing.unheard);
        let dead: Vec<_> = namesakes(&self.members, name)
            .filter(|(_, member)| member.is_unheard(now, unheard))
            .map(|(stream, _)| stream)
            .collect();
        let empty = self
            .slots
            .named(name)
            .filter(|index| self.slots.get(*index).is_some_and(super::slots::Place::is_empty));
        if dead.is_empty() && empty.is_none() {
            return self.report(Event::EndRefused { name: name.clone() });
        }
        for stream in dead {
            self.end_in_doubt(stream, EndCause::Operator);
        }
        if let Some(index) = empty {
            self.find_vacant(index);
        }
    }
}

/// The live members of a name, by their streams.
pub(super) fn namesakes<'a>(
    members: &'a BTreeMap<Stream, Member>,
    name: &'a Name,
) -> impl DoubleEndedIterator<Item = (Stream, &'a Member)> {
    let has_name = |(_, member): &(&Stream, &Member)| member.is_live() && member.name == *name;
    members.iter().filter(has_name).map(|(stream, member)| (*stream, member))
}
