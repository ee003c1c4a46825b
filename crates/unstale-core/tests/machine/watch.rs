//! What tests see of the world, and what they ask of it.

use unstale_core::{Event, State, Stream};

use crate::node::Node;
use crate::wire::{Wire, pair};
use crate::world::{MS, World};

impl World {
    pub(crate) fn node(&mut self, index: usize) -> &mut Node {
        self.nodes[index].as_mut().unwrap()
    }

    pub(crate) fn peek(&self, index: usize) -> &Node {
        self.nodes[index].as_ref().unwrap()
    }

    pub(crate) fn stream(&self, index: usize) -> Stream {
        self.peek(index).machine.stream()
    }

    pub(crate) fn wire(&mut self, a: usize, b: usize) -> &mut Wire {
        self.wires.get_mut(&pair(a, b)).unwrap()
    }

    pub(crate) fn events(&self, index: usize, is: impl Fn(&Event) -> bool) -> usize {
        self.peek(index).events.iter().filter(|event| is(event)).count()
    }

    pub(crate) fn alive(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().flatten()
    }

    /// All that live are joined, and their proofs flow.
    pub(crate) fn assert_joined(&self) {
        assert!(self.are_joined(), "{}", self.describe());
    }

    pub(crate) fn are_joined(&self) -> bool {
        self.are_joined_within(400)
    }

    /// All that live are joined, with proofs not older than this.
    pub(crate) fn are_joined_within(&self, age_ms: u64) -> bool {
        self.alive().all(|node| {
            matches!(node.state, State::Joined | State::Alone)
                && node.proof_age_ms(self.now).is_some_and(|age| age < age_ms)
        })
    }

    /// Nothing that anybody wrote is neither applied nor distrusted.
    pub(crate) fn assert_coherent(&self) {
        for node in self.alive() {
            let missing = node.missing.first().map(|index| &self.records[*index]);
            assert!(missing.is_none(), "{} misses {missing:?}\n{}", node.config.name, self.describe());
        }
    }

    pub(crate) fn describe(&self) -> String {
        let line = |node: &Node| {
            let status = node.machine.status(node.local(self.now));
            let member = |m: &unstale_core::MemberStatus| {
                format!(
                    "{}.{} have {} of {} heard {:?} proof {:?} admitted {} joining {} linked {} repair {}",
                    m.name,
                    m.stream.incarnation.0,
                    m.have.0,
                    m.latest.0,
                    m.heard_ago,
                    m.proof_age,
                    m.admitted,
                    m.joining,
                    m.linked,
                    m.in_repair
                )
            };
            let members: Vec<_> = status.members.iter().map(member).collect();
            format!(
                "{}.{}: {:?} proof age {:?} announces {} missing {} next {:?}\n    {}",
                status.name,
                status.stream.incarnation.0,
                status.state,
                node.proof_age_ms(self.now),
                node.announces(self.now),
                node.missing.len(),
                node.machine.poll_timeout().map(|(at, why)| (at.0.saturating_sub(node.offset) / MS, why)),
                members.join("\n    ")
            )
        };
        let lines: Vec<_> = self.alive().map(line).collect();
        format!("at {} ms\n{}", self.now / MS, lines.join("\n"))
    }
}
