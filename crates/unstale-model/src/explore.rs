//! The search for a state in which a promise is broken.

use std::collections::BTreeMap;
use std::time::Duration;

use stateright::report::{ReportData, ReportDiscovery, Reporter};
use stateright::{Checker, HasDiscoveries, Model};

use crate::protocol::{Protocol, Search};
use crate::trace::Counterexample;

/// What a search found.
#[derive(Debug)]
pub struct Outcome {
    /// Different states, up to the names of nodes.
    pub states: usize,
    /// Steps made.
    pub steps: usize,
    /// The most steps from the beginning to a state.
    pub depth: usize,
    /// A way to a state in which a promise is broken: the shortest one, with one thread.
    pub counterexample: Option<Counterexample>,
}

/// How far a search has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Different states so far.
    pub states: usize,
    /// Steps made so far.
    pub steps: usize,
    /// The greatest depth so far.
    pub depth: usize,
}

/// Explores every state within the bounds, until a promise is broken. `report` is called now and then.
pub fn explore(protocol: Protocol, threads: usize, report: impl FnMut(Progress) + Send) -> Outcome {
    let mut reporter = Report { report };
    let checker = Search(protocol)
        .checker()
        .threads(threads)
        .finish_when(HasDiscoveries::Any)
        .spawn_bfs()
        .join_and_report(&mut reporter);
    let found = checker.discoveries().into_values().next();
    Outcome {
        states: checker.unique_state_count(),
        steps: checker.state_count(),
        // Stateright counts the first state as a step.
        depth: checker.max_depth().saturating_sub(1),
        counterexample: found
            .map(|path| Counterexample::new(&protocol, &protocol.unfold(&path.into_states()))),
    }
}

struct Report<F> {
    report: F,
}

impl<F: FnMut(Progress) + Send> Reporter<Search> for Report<F> {
    fn report_checking(&mut self, data: ReportData) {
        (self.report)(Progress {
            states: data.unique_states,
            steps: data.total_states,
            depth: data.max_depth.saturating_sub(1),
        });
    }

    fn report_discoveries(&mut self, _: &Search, _: BTreeMap<&'static str, ReportDiscovery<Search>>) {}

    fn delay(&self) -> Duration {
        Duration::from_millis(100)
    }
}
