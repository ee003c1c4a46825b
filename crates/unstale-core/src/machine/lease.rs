//! The writer's half: whether acts of this node are announced (P-31).

use super::{Announce, Machine, Membership, Output, State};
use crate::{Instant, Mechanism, Stream};

impl Machine {
    pub(super) fn update_announce(&mut self) {
        let announce = self.announce();
        if announce != self.said.announce {
            self.said.announce = announce;
            self.put(Output::Announce(announce));
        }
    }

    pub(super) fn announce(&self) -> Announce {
        match self.joining.state() {
            State::Joining | State::Unjoined | State::Left => return Announce::Never,
            State::Alone => return Announce::Always,
            State::Joined => {}
        }
        if !self.works(Mechanism::WriterLease) {
            return Announce::Always;
        }
        let least = match self.config.membership {
            Membership::Fixed(_) if self.slots.can_vote() => self.majority_echo(),
            Membership::Registered => Echoed::At(self.register.renewed),
            Membership::Alone | Membership::Fixed(_) | Membership::Elastic => self.least_echo(),
        };
        match least {
            Echoed::Nobody | Echoed::At(Instant::ZERO) => Announce::Never,
            Echoed::At(instant) => Announce::Until(instant.plus(self.config.timing.lease())),
            Echoed::NotNeeded => Announce::Always,
        }
    }

    /// The latest instant that a majority of the electorate echoed, this node counted.
    fn majority_echo(&self) -> Echoed {
        let Some(others) = self.slots.majority().checked_sub(2) else { return Echoed::NotNeeded };
        let mut echoes: Vec<_> = self.slots.iter().filter_map(|place| self.echo_of(place.stream?)).collect();
        echoes.sort_unstable_by(|a, b| b.cmp(a));
        echoes.get(others).map_or(Echoed::Nobody, |instant| Echoed::At(*instant))
    }

    /// The latest instant that all members echoed: where nobody is voted out, an end by proof of death or by the operator must not
    /// overtake an announcement either.
    fn least_echo(&self) -> Echoed {
        let joined = self.members.values().filter(|member| member.is_live() && !member.joining);
        joined.map(|member| member.echoed).min().map_or(Echoed::NotNeeded, Echoed::At)
    }

    /// A joining node's echo grants no lease (P-30).
    fn echo_of(&self, stream: Stream) -> Option<Instant> {
        self.members
            .get(&stream)
            .filter(|member| member.is_live() && !member.joining)
            .map(|member| member.echoed)
    }
}

/// What the lease rests on.
enum Echoed {
    At(Instant),
    Nobody,
    NotNeeded,
}
