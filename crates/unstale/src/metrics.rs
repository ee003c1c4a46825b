//! Counters and histograms by reason: own atomics, a snapshot of them, and Prometheus text.

mod counter;
mod histogram;
pub mod names;
mod node;
mod outcome;
mod prometheus;
mod stripe;

use std::time::Duration;

pub(crate) use counter::{Counter, CounterBy, Gauge, Reason, StripedCounter, StripedCounterBy, reasons};
pub use histogram::Distribution;
pub(crate) use histogram::Histogram;
pub(crate) use node::{CacheMetrics, NodeMetrics};
pub(crate) use outcome::{
    AppliedVia, BoundedOutcome, DistrustReason, EndReason, GapClosed, ProtocolNote, SessionOutcome,
    WriteOutcome,
};

/// A metric's name, meaning and kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    name: &'static str,
    help: &'static str,
    kind: Kind,
}

impl Metric {
    /// Its name as exported.
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

/// What a metric's value does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Is a distribution of durations.
    Histogram,
}

/// A label and its value.
pub type Label = (&'static str, String);

/// All metrics of a node at one moment; see [`crate::Node::metrics`].
///
/// ```
/// # async fn example() -> Result<(), unstale::Error> {
/// use unstale::{Node, metrics::names};
///
/// let node = Node::builder("shop").start().await?;
/// let metrics = node.metrics();
/// assert_eq!(metrics.count(names::CACHE_HITS, &[(names::CACHE, "users")]), 0);
/// println!("{}", metrics.to_prometheus());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    families: Vec<Family>,
}

/// One metric with all its samples.
#[derive(Clone, Debug)]
pub struct Family {
    metric: Metric,
    samples: Vec<Sample>,
}

/// One value of a metric, with the labels that tell it from the others.
#[derive(Clone, Debug)]
pub struct Sample {
    labels: Vec<Label>,
    value: Value,
}

/// A sample's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Of a counter or a gauge.
    Number(f64),
    /// Of a histogram.
    Distribution(Distribution),
}

impl Metrics {
    /// The metrics, in the order of their export.
    pub fn families(&self) -> &[Family] {
        &self.families
    }

    /// The sum over all samples of `metric` that carry all of `labels`; 0 if there are none. Histograms count their
    /// readings.
    pub fn total(&self, metric: Metric, labels: &[(&str, &str)]) -> f64 {
        self.samples(metric, labels)
            .map(|sample| match &sample.value {
                Value::Number(number) => *number,
                Value::Distribution(held) => held.count() as f64,
            })
            .sum()
    }

    /// The same as a whole number, for counters and histograms.
    pub fn count(&self, metric: Metric, labels: &[(&str, &str)]) -> u64 {
        self.total(metric, labels) as u64
    }

    /// The distribution of the first sample of `metric` that carries all of `labels`.
    pub fn distribution(&self, metric: Metric, labels: &[(&str, &str)]) -> Option<&Distribution> {
        self.samples(metric, labels).find_map(|sample| match &sample.value {
            Value::Number(_) => None,
            Value::Distribution(held) => Some(held),
        })
    }

    /// Everything as Prometheus text (version 0.0.4), to be served as `text/plain; version=0.0.4`.
    pub fn to_prometheus(&self) -> String {
        prometheus::write(self)
    }

    fn samples<'a, 'l>(
        &'a self,
        metric: Metric,
        labels: &'l [(&'l str, &'l str)],
    ) -> impl Iterator<Item = &'a Sample> + use<'a, 'l> {
        let samples = self.families.iter().filter(move |family| family.metric == metric);
        samples.flat_map(|family| &family.samples).filter(move |sample| sample.carries(labels))
    }

    /// Adds a sample; those of one metric need not come one after the other.
    pub(crate) fn push(&mut self, metric: Metric, labels: Vec<Label>, value: Value) {
        let sample = Sample { labels, value };
        match self.families.iter_mut().find(|family| family.metric == metric) {
            Some(family) => family.samples.push(sample),
            None => self.families.push(Family { metric, samples: vec![sample] }),
        }
    }

    pub(crate) fn push_count(&mut self, metric: Metric, labels: Vec<Label>, count: u64) {
        self.push(metric, labels, Value::Number(count as f64));
    }

    pub(crate) fn push_seconds(&mut self, metric: Metric, labels: Vec<Label>, duration: Duration) {
        self.push(metric, labels, Value::Number(duration.as_secs_f64()));
    }

    pub(crate) fn push_reasons(
        &mut self,
        metric: Metric,
        common: &[Label],
        label: &'static str,
        counts: impl Iterator<Item = (&'static str, u64)>,
    ) {
        for (reason, count) in counts {
            let mut labels = common.to_vec();
            labels.push((label, reason.to_owned()));
            self.push_count(metric, labels, count);
        }
    }
}

impl Family {
    /// The metric's name as exported.
    pub const fn name(&self) -> &'static str {
        self.metric.name
    }

    /// What it counts.
    pub const fn help(&self) -> &'static str {
        self.metric.help
    }

    /// What its values do.
    pub const fn kind(&self) -> Kind {
        self.metric.kind
    }

    /// Its values.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }
}

impl Sample {
    /// The labels.
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// The value.
    pub const fn value(&self) -> &Value {
        &self.value
    }

    fn carries(&self, wanted: &[(&str, &str)]) -> bool {
        wanted.iter().all(|want| self.labels.iter().any(|(label, value)| *want == (*label, value.as_str())))
    }
}
