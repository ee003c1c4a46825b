//! The figures of a run: totals per node and second, and what is shown of them.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::checker::Findings;
use super::child::Life;
use super::line::{Closed, Kept, Tick, Totals};
use super::propagation::{histogram, record};

/// What is known about the nodes.
#[derive(Debug)]
pub(crate) struct Figures {
    nodes: Vec<Node>,
    /// Per node, in microseconds: from before an act's call to its being visible there.
    pub(crate) propagation: Vec<Histogram<u64>>,
    /// In milliseconds: from the link being up to a hole being seen, and to it being closed.
    seen: Histogram<u64>,
    closed: Histogram<u64>,
    /// Loads of all nodes, second by second.
    loads: Vec<u64>,
    /// What the cuts left, shorter ones and longer ones than the time after which a silent node is ended.
    pub(crate) kept_after_cut: Kept,
    pub(crate) kept_after_long_cut: Kept,
    /// Rows whose last write was never said, where nodes meet in a Redis.
    pub(crate) unsaid: usize,
}

#[derive(Debug)]
struct Node {
    name: String,
    state: String,
    suspects: u64,
    /// By the number of the process's life.
    lives: Vec<Totals>,
    /// All lives, at the last second that was shown.
    shown: Totals,
}

/// One row of the table: a node, or all of them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Row {
    /// The node's name.
    pub(crate) name: String,
    /// How it is.
    pub(crate) state: String,
    /// In the last second.
    pub(crate) reads_per_s: u64,
    /// Of the reads of the last second, those that were answered out of the cache.
    pub(crate) hit_ratio: f64,
    /// In the last second.
    pub(crate) loads_per_s: u64,
    /// In the last second.
    pub(crate) writes_per_s: u64,
    /// So far, in microseconds.
    pub(crate) propagation_us_p50: Option<u64>,
    /// So far, in microseconds.
    pub(crate) propagation_us_p99: Option<u64>,
    /// Acts that were found missing so far.
    pub(crate) lost: u64,
    /// Of these, those that were repaired.
    pub(crate) repaired: u64,
    /// Entries that are distrusted now.
    pub(crate) suspects: u64,
    /// Reads older than promised so far.
    pub(crate) stale_reads: u64,
}

/// What is shown once per second.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Second {
    /// Since the start.
    pub(crate) elapsed: Duration,
    /// Until the end.
    pub(crate) length: Duration,
    /// The nodes.
    pub(crate) nodes: Vec<Row>,
    /// All of them.
    pub(crate) all: Row,
    /// Plain reads during faults that were older than an announced write.
    pub(crate) stale_during_faults: u64,
}

impl Figures {
    /// For nodes of these names.
    pub(crate) fn new(names: &[String]) -> Self {
        let node = |name: &String| Node {
            name: name.clone(),
            state: "starting".to_owned(),
            suspects: 0,
            lives: Vec::new(),
            shown: Totals::default(),
        };
        Self {
            nodes: names.iter().map(node).collect(),
            propagation: names.iter().map(|_| histogram()).collect(),
            seen: histogram(),
            closed: histogram(),
            loads: Vec::new(),
            kept_after_cut: Kept::default(),
            kept_after_long_cut: Kept::default(),
            unsaid: 0,
        }
    }

    /// A node reported.
    pub(crate) fn tick(&mut self, life: Life, tick: &Tick) {
        let node = &mut self.nodes[life.node];
        let number = life.number as usize;
        node.lives.resize(node.lives.len().max(number + 1), Totals::default());
        node.lives[number] = tick.totals;
        node.state.clone_from(&tick.state);
        node.suspects = tick.suspects;
    }

    /// A hole was closed.
    pub(crate) fn closed(&mut self, closed: Closed) {
        record(&mut self.seen, closed.up_to_seen_us.div_ceil(1_000));
        record(&mut self.closed, closed.up_to_closed_us.div_ceil(1_000));
    }

    /// The totals of all nodes and lives.
    pub(crate) fn totals(&self) -> Totals {
        sum(self.nodes.iter().flat_map(|node| &node.lives))
    }

    /// The figures of the second that has passed since this was called last. `states` are the words for nodes that
    /// cannot speak for themselves.
    pub(crate) fn second(&mut self, states: &[Option<String>], found: &Findings) -> (Vec<Row>, Row) {
        let mut rows = Vec::with_capacity(self.nodes.len());
        let mut all = Totals::default();
        let mut passed_all = Totals::default();
        let mut propagation = histogram();
        for (index, node) in self.nodes.iter_mut().enumerate() {
            let totals = sum(&node.lives);
            let passed = minus(totals, node.shown);
            node.shown = totals;
            all = sum([&all, &totals]);
            passed_all = sum([&passed_all, &passed]);
            // Histograms of one kind always fit into each other.
            let _ = propagation.add(&self.propagation[index]);
            let stale = found.at_node.get(index).copied().unwrap_or_default();
            let mut row = row(&node.name, passed, totals, &self.propagation[index], stale);
            row.state = states[index].clone().unwrap_or_else(|| node.state.clone());
            row.suspects = if states[index].is_some() { 0 } else { node.suspects };
            rows.push(row);
        }
        self.loads.push(passed_all.loads);
        let mut all = row("all", passed_all, all, &propagation, found.stale_reads());
        all.suspects = rows.iter().map(|row| row.suspects).sum();
        (rows, all)
    }

    /// Over all nodes, in microseconds: from before an act's call to its being visible elsewhere.
    pub(crate) fn propagation(&self) -> Histogram<u64> {
        let mut all = histogram();
        for node in &self.propagation {
            let _ = all.add(node);
        }
        all
    }

    /// The longest time from the link being up to a hole being seen, in milliseconds.
    pub(crate) fn gap_seen_ms_max(&self) -> Option<u64> {
        (!self.seen.is_empty()).then(|| self.seen.max())
    }

    /// The time from the link being up to a hole being closed, in milliseconds, that 99 of 100 holes need at most.
    pub(crate) fn repair_ms_p99(&self) -> Option<u64> {
        (!self.closed.is_empty()).then(|| self.closed.value_at_quantile(0.99))
    }

    /// Loads per second of all nodes, on the average over the seconds `from..until`.
    pub(crate) fn loads_mean(&self, from: usize, until: usize) -> Option<u64> {
        let seconds =
            self.loads.get(from..until.min(self.loads.len())).filter(|seconds| !seconds.is_empty())?;
        Some(seconds.iter().sum::<u64>() / seconds.len() as u64)
    }

    /// The most loads of one of the seconds `from..until`.
    pub(crate) fn loads_max(&self, from: usize, until: usize) -> Option<u64> {
        self.loads.get(from..until.min(self.loads.len()))?.iter().max().copied()
    }
}

fn row(name: &str, passed: Totals, totals: Totals, propagation: &Histogram<u64>, stale: u64) -> Row {
    let quantile = |q| (!propagation.is_empty()).then(|| propagation.value_at_quantile(q));
    let hit_ratio = if passed.reads == 0 { 0.0 } else { passed.hits as f64 / passed.reads as f64 };
    Row {
        name: name.to_owned(),
        state: String::new(),
        reads_per_s: passed.reads,
        hit_ratio: (hit_ratio * 10_000.0).round() / 10_000.0,
        loads_per_s: passed.loads,
        writes_per_s: passed.writes,
        propagation_us_p50: quantile(0.5),
        propagation_us_p99: quantile(0.99),
        lost: totals.lost,
        repaired: totals.repaired,
        suspects: 0,
        stale_reads: stale,
    }
}

fn sum<'a>(totals: impl IntoIterator<Item = &'a Totals>) -> Totals {
    totals.into_iter().fold(Totals::default(), |a, b| each(a, *b, |a, b| a + b))
}

fn minus(a: Totals, b: Totals) -> Totals {
    each(a, b, u64::saturating_sub)
}

fn each(a: Totals, b: Totals, f: impl Fn(u64, u64) -> u64) -> Totals {
    Totals {
        reads: f(a.reads, b.reads),
        hits: f(a.hits, b.hits),
        stale_said: f(a.stale_said, b.stale_said),
        failed: f(a.failed, b.failed),
        loads: f(a.loads, b.loads),
        writes: f(a.writes, b.writes),
        unannounced: f(a.unannounced, b.unannounced),
        lost: f(a.lost, b.lost),
        repaired: f(a.repaired, b.repaired),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::checker::Checker;

    fn tick(reads: u64, hits: u64, loads: u64) -> Tick {
        Tick { totals: Totals { reads, hits, loads, ..Totals::default() }, ..Tick::default() }
    }

    #[test]
    fn a_restarted_node_goes_on_counting_where_its_last_life_ended() {
        let checker = Checker::new(1, None);
        let mut figures = Figures::new(&["a1".to_owned()]);
        figures.tick(Life { node: 0, number: 0 }, &tick(100, 90, 10));
        let (nodes, _) = figures.second(&[None], checker.findings());
        assert_eq!((nodes[0].reads_per_s, nodes[0].hit_ratio, nodes[0].loads_per_s), (100, 0.9, 10));

        figures.tick(Life { node: 0, number: 1 }, &tick(30, 0, 20));
        // The last words of the life before come late.
        figures.tick(Life { node: 0, number: 0 }, &tick(110, 95, 15));
        let (nodes, all) = figures.second(&[Some("down".into())], checker.findings());
        assert_eq!((nodes[0].reads_per_s, nodes[0].loads_per_s), (40, 25));
        assert_eq!((all.reads_per_s, nodes[0].state.as_str()), (40, "down"));
        assert_eq!(figures.totals().reads, 140);
        assert_eq!((figures.loads_mean(0, 2), figures.loads_max(0, 9)), (Some(17), Some(25)));
        assert_eq!((figures.loads_mean(5, 9), figures.loads_max(5, 9)), (None, None));
    }

    #[test]
    fn times_of_holes_are_rounded_up_to_milliseconds() {
        let mut figures = Figures::new(&[]);
        assert_eq!(figures.gap_seen_ms_max(), None);
        figures.closed(Closed { at: 0, up_to_seen_us: 1_001, up_to_closed_us: 2_000 });
        assert_eq!((figures.gap_seen_ms_max(), figures.repair_ms_p99()), (Some(2), Some(2)));
    }
}
