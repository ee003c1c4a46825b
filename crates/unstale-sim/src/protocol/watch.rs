//! What scenarios see of the world, and what they ask of it.

use unstale_core::{Event, MemberStatus, State, Stream};

use super::node::Node;
use super::wire::{Wire, pair};
use super::world::{MS, World};
use crate::violation::{Promise, Violation};

impl World {
    /// A node that is alive.
    pub fn node(&mut self, index: usize) -> &mut Node {
        self.nodes[index].as_mut().unwrap()
    }

    /// A node that is alive.
    pub fn peek(&self, index: usize) -> &Node {
        self.nodes[index].as_ref().unwrap()
    }

    /// The stream that a node has now.
    pub fn stream(&self, index: usize) -> Stream {
        self.peek(index).machine.stream()
    }

    /// The wire between two nodes.
    pub fn wire(&mut self, a: usize, b: usize) -> &mut Wire {
        self.wires.get_mut(&pair(a, b)).unwrap()
    }

    /// How many events of a node are such.
    pub fn events(&self, index: usize, is: impl Fn(&Event) -> bool) -> usize {
        self.peek(index).events.iter().filter(|event| is(event)).count()
    }

    /// All nodes that are alive.
    pub fn alive(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().flatten()
    }

    /// The oldest proof of those that are alive, in milliseconds; none if one of them has none.
    pub fn oldest_proof_ms(&self) -> Option<u64> {
        self.alive().map(|node| node.proof_age_ms(self.now)).try_fold(0, |oldest, age| Some(oldest.max(age?)))
    }

    /// The first promise that was broken so far.
    pub fn verdict(&self) -> Result<(), Violation> {
        self.violation.clone().map_or(Ok(()), Err)
    }

    /// Takes it for a broken promise unless `holds`.
    pub fn demand(&mut self, promise: Promise, holds: bool, text: &str) {
        if !holds && self.violation.is_none() {
            let text = format!("{text}\n{}", self.describe());
            self.violation = Some(Violation::new(promise, text));
        }
    }

    /// All that live have to be joined, and their proofs to flow.
    pub fn demand_joined(&mut self) {
        let joined = self.are_joined();
        self.demand(Promise::P9, joined, "not all are joined with flowing proofs");
    }

    /// Nothing that anybody wrote may be neither applied nor distrusted.
    pub fn demand_coherent(&mut self) {
        let missing = self.alive().find_map(|node| {
            let record = node.missing.find(&self.truth, |_| true)?;
            Some(format!("{} still misses {record:?}", node.config.name))
        });
        if let Some(text) = missing {
            self.demand(Promise::P3, false, &text);
        }
    }

    /// Runs until a condition holds; that has to be within this time. Returns how long it took.
    pub fn demand_within(
        &mut self,
        promise: Promise,
        within: u64,
        what: &str,
        mut holds: impl FnMut(&Self) -> bool,
    ) -> u64 {
        let begin = self.now;
        while self.violation.is_none() && !holds(self) {
            if self.now >= begin + within {
                self.demand(promise, false, &format!("not within {} ms: {what}", within / MS));
                break;
            }
            self.run_for(MS);
        }
        self.now - begin
    }

    /// [`World::demand_joined`], for tests.
    ///
    /// # Panics
    /// If they are not, or a promise was broken before.
    pub fn assert_joined(&mut self) {
        self.demand_joined();
        self.assert_kept();
    }

    /// [`World::demand_coherent`], for tests.
    ///
    /// # Panics
    /// If they are not, or a promise was broken before.
    pub fn assert_coherent(&mut self) {
        self.demand_coherent();
        self.assert_kept();
    }

    /// No promise was broken.
    ///
    /// # Panics
    /// If one was.
    pub fn assert_kept(&self) {
        assert!(self.violation.is_none(), "{}", self.violation.as_ref().unwrap());
    }

    /// [`World::demand_within`], for tests.
    ///
    /// # Panics
    /// If it takes longer.
    pub fn run_until_true(&mut self, within: u64, what: &str, holds: impl FnMut(&Self) -> bool) -> u64 {
        let took = self.demand_within(Promise::S4, within, what, holds);
        self.assert_kept();
        took
    }

    /// Whether all that live are joined, with proofs younger than 400 ms.
    pub fn are_joined(&self) -> bool {
        self.are_joined_within(400)
    }

    /// Whether all that live are joined, with proofs younger than this.
    pub fn are_joined_within(&self, age_ms: u64) -> bool {
        self.alive().all(|node| {
            matches!(node.state, State::Joined | State::Alone)
                && node.proof_age_ms(self.now).is_some_and(|age| age < age_ms)
        })
    }

    /// All nodes, for people.
    pub fn describe(&self) -> String {
        let lines: Vec<_> = self.alive().map(|node| self.describe_node(node)).collect();
        format!("at {} ms\n{}", self.now / MS, lines.join("\n"))
    }

    fn describe_node(&self, node: &Node) -> String {
        let status = node.machine.status(node.local(self.now));
        let members: Vec<_> = status.members.iter().map(describe_member).collect();
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
    }
}

fn describe_member(member: &MemberStatus) -> String {
    format!(
        "{}.{} have {} of {} heard {:?} proof {:?} admitted {} joining {} linked {} repair {}",
        member.name,
        member.stream.incarnation.0,
        member.have.0,
        member.latest.0,
        member.heard_ago,
        member.proof_age,
        member.admitted,
        member.joining,
        member.linked,
        member.in_repair
    )
}
