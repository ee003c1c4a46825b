//! The protocol as stateright explores it.

use stateright::{Model, Property};

use crate::bounds::Bounds;
use crate::promise::Promise;
use crate::proof::Judge;
use crate::rule::Rules;
use crate::set::Set;
use crate::state::State;
use crate::step::{Step, Stepper};
use crate::steps::arrivals;

/// A cluster of some size under some rules, and what it is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Protocol {
    bounds: Bounds,
    rules: Rules,
    promises: Set,
}

impl Protocol {
    /// Checks every promise.
    ///
    /// # Panics
    ///
    /// If there is no room for these bounds: see [`Bounds::refusal`].
    pub fn new(bounds: Bounds, rules: Rules) -> Self {
        assert_eq!(bounds.refusal(), None);
        Self { bounds, rules, promises: Promise::ALL.iter().map(|promise| *promise as usize).collect() }
    }

    /// Checks only these promises.
    #[must_use]
    pub fn only(self, promises: &[Promise]) -> Self {
        Self { promises: promises.iter().map(|promise| *promise as usize).collect(), ..self }
    }

    pub(crate) fn judge<'a>(&self, state: &'a State) -> Judge<'a> {
        Judge { state, rules: self.rules, nodes: self.bounds.nodes }
    }

    /// The first promise asked for that is broken.
    pub(crate) fn broken(&self, state: &State) -> Option<Promise> {
        let asked = Promise::ALL.into_iter().filter(|promise| self.promises.has(*promise as usize));
        asked.into_iter().find(|promise| !self.holds(*promise, state))
    }

    fn holds(&self, promise: Promise, state: &State) -> bool {
        let judge = self.judge(state);
        match promise {
            Promise::S1 | Promise::S2 | Promise::S3 => judge.breach(promise).is_none(),
            Promise::S4 => self.has_acts_left(state) || judge.unsettled().is_none() || !self.is_over(state),
        }
    }

    fn has_acts_left(&self, state: &State) -> bool {
        usize::from(state.now) < self.bounds.acts && !state.alive().is_empty()
    }

    /// Whether nothing more can happen.
    fn is_over(&self, state: &State) -> bool {
        let mut steps = Vec::new();
        self.steps(state, &mut steps);
        steps.into_iter().all(|step| self.make(state, step).is_none())
    }

    fn steps(&self, state: &State, steps: &mut Vec<Step>) {
        Stepper { state: *state, rules: self.rules, bounds: self.bounds }.steps(steps);
        arrivals(state, steps);
    }

    fn make(&self, state: &State, step: Step) -> Option<State> {
        Stepper { state: *state, rules: self.rules, bounds: self.bounds }.make(step)
    }

    /// A way that each node goes under one name, from one whose names change with each step.
    pub(crate) fn unfold(&self, folded: &[State]) -> Vec<(Option<Step>, State)> {
        let mut way = vec![(None, State::joined(self.bounds.up()))];
        for wanted in &folded[1..] {
            let (_, state) = way[way.len() - 1];
            let mut steps = Vec::new();
            self.steps(&state, &mut steps);
            let next = steps.into_iter().find_map(|step| {
                let next = self.make(&state, step)?;
                (next.folded(self.bounds.up()) == *wanted).then_some((Some(step), next))
            });
            way.push(next.expect("a folded step has one with names"));
        }
        way
    }
}

/// What stateright explores: states are private, so this is, too.
#[derive(Clone, Copy)]
pub(crate) struct Search(pub(crate) Protocol);

impl Model for Search {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State::joined(self.0.bounds.up())]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        self.0.steps(state, steps);
    }

    fn next_state(&self, state: &State, step: Step) -> Option<State> {
        Some(self.0.make(state, step)?.folded(self.0.bounds.up()))
    }

    /// One for all promises: with several, the search would go on until each is broken.
    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::always("promises", |model: &Self, state| model.0.broken(state).is_none())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::Rule;

    const GOODBYE_UNSEEN: Bounds = Bounds { late: 1, acts: 1, restarts: 2, byes: 1, ..Bounds::NONE };

    /// The search finds this after five million states. Lives: 0 A, 1 B, 2 C, 3 A2.
    const UNSEEN: [Step; 11] = [
        Step::P25Start { slot: 2 },
        Step::P25Unjoined { at: 2 },
        Step::P3Act { by: 0 },
        Step::P29Bye { by: 0 },
        Step::P2Frame { to: 1, first: 0, last: 0 },
        Step::P29End { at: 1, of: 0 },
        Step::P26Admit { by: 1, to: 2 },
        Step::P25Start { slot: 0 },
        Step::P26Admit { by: 3, to: 2 },
        Step::P25Base { at: 2, from: 1 },
        Step::P25Base { at: 2, from: 3 },
    ];

    #[test]
    fn without_dead_origins_in_vectors_a_node_that_stores_misses_who_came_and_went() {
        let mut state = State::joined(2);
        let without = Protocol::new(GOODBYE_UNSEEN, Rules::ALL.without(Rule::DeadOriginsInVector));
        for step in UNSEEN {
            assert_eq!(without.broken(&state), None, "before {step:?}");
            state = without.make(&state, step).expect("it is possible");
        }
        assert_eq!(without.broken(&state), Some(Promise::S1));

        let with = Protocol::new(GOODBYE_UNSEEN, Rules::ALL);
        let end = UNSEEN.into_iter().try_fold(State::joined(2), |state, step| {
            assert_eq!(with.broken(&state), None, "before {step:?}");
            with.make(&state, step)
        });
        assert_eq!(with.broken(&end.expect("all is possible")), None);
    }

    #[test]
    fn names_do_not_matter_and_a_folded_way_can_be_told_with_them() {
        let protocol = Protocol::new(Bounds { acts: 1, ..Bounds::NONE }, Rules::ALL);
        let acts = |by| protocol.make(&State::joined(3), Step::P3Act { by }).expect("it is possible");
        assert_ne!(acts(0), acts(2));
        assert_eq!(acts(0).folded(3), acts(2).folded(3));
        let way = protocol.unfold(&[State::joined(3), acts(1).folded(3)]);
        assert_eq!(way.last().and_then(|(step, _)| *step), Some(Step::P3Act { by: 0 }));
    }
}
