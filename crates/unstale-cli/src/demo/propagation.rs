//! How long an act takes from the instant before its call to its being visible on another node.

use std::collections::{BTreeMap, HashMap};

use hdrhistogram::Histogram;

use super::line::{ActNumber, Applied};

/// Acts and applications wait this long for each other, in nanoseconds.
const PATIENCE: u64 = 5_000_000_000;

/// Joins what writers say with what receivers say. Instants are those of one clock for all nodes.
#[derive(Debug, Default)]
pub(crate) struct Propagation {
    /// When the call of an act began, by stream and number.
    begun: HashMap<String, BTreeMap<u64, u64>>,
    /// Applications whose acts were perhaps not reported yet.
    waiting: Vec<(usize, Applied)>,
}

impl Propagation {
    /// The call of an act began.
    pub(crate) fn act(&mut self, act: &ActNumber, began: u64) {
        self.begun.entry(act.stream.clone()).or_default().insert(act.number, began);
    }

    /// Acts became visible on the node with index `node`.
    pub(crate) fn applied(&mut self, node: usize, applied: Applied) {
        self.waiting.push((node, applied));
    }

    /// Records, in microseconds and per node, the time that each application took whose act was reported; forgets what
    /// waited too long, since its writer was killed before it said anything.
    pub(crate) fn join(&mut self, now: u64, taken: &mut [Histogram<u64>]) {
        let oldest = now.saturating_sub(PATIENCE);
        self.waiting.retain(|(node, applied)| {
            let acts = self.begun.get(&applied.stream).and_then(|acts| {
                let whole = acts.contains_key(&applied.first) && acts.contains_key(&applied.last);
                whole.then(|| acts.range(applied.first..=applied.last))
            });
            match (acts, taken.get_mut(*node)) {
                (Some(acts), Some(taken)) => {
                    for began in acts.map(|(_, began)| *began) {
                        record(taken, (applied.at.saturating_sub(began) / 1_000).max(1));
                    }
                    false
                }
                _ => applied.at >= oldest,
            }
        });
        for acts in self.begun.values_mut() {
            acts.retain(|_, began| *began >= oldest);
        }
        self.begun.retain(|_, acts| !acts.is_empty());
    }
}

/// A histogram of microseconds or milliseconds with three digits.
pub(crate) fn histogram() -> Histogram<u64> {
    let mut histogram = Histogram::new(3).expect("three digits are few enough");
    histogram.auto(true);
    histogram
}

/// Counts a value in a [`histogram`].
pub(crate) fn record(histogram: &mut Histogram<u64>, value: u64) {
    // It grows with its values and takes every one.
    let _ = histogram.record(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn act(number: u64) -> ActNumber {
        ActNumber { stream: "s".into(), number }
    }

    fn applied(first: u64, last: u64, at: u64) -> Applied {
        Applied { stream: "s".into(), first, last, at }
    }

    #[test]
    fn an_application_is_joined_with_its_acts_whichever_is_reported_first() {
        let mut propagation = Propagation::default();
        let mut taken = [histogram(), histogram()];
        propagation.applied(1, applied(1, 2, SECOND + 500_000));
        propagation.act(&act(1), SECOND);
        propagation.join(SECOND, &mut taken);
        assert_eq!(taken[1].len(), 0, "the second act is not known yet");
        propagation.act(&act(2), SECOND + 100_000);
        propagation.join(SECOND, &mut taken);
        assert_eq!((taken[0].len(), taken[1].len()), (0, 2));
        assert_eq!((taken[1].min(), taken[1].max()), (400, 500));
    }

    #[test]
    fn what_waits_too_long_is_forgotten() {
        let mut propagation = Propagation::default();
        let mut taken = [histogram()];
        propagation.act(&act(1), SECOND);
        propagation.applied(0, applied(7, 7, SECOND));
        propagation.join(SECOND + PATIENCE + 1, &mut taken);
        assert!(propagation.begun.is_empty() && propagation.waiting.is_empty());
        assert_eq!(taken[0].len(), 0);
    }
}
