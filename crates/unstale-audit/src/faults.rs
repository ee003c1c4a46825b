//! When there were faults.

use crate::history::Fault;

/// Faults, and when they were healed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    faults: Vec<(u64, Option<u64>)>,
    /// By beginning: when a fault began, and when everything that began until then was over. Empty: to be made anew.
    covered: Vec<(u64, u64)>,
}

impl Faults {
    pub(crate) fn begins(&mut self, at: u64) -> Fault {
        self.covered.clear();
        self.faults.push((at, None));
        Fault(self.faults.len() as u32 - 1)
    }

    /// A fault that never began heals nothing.
    pub(crate) fn heals(&mut self, Fault(fault): Fault, at: u64) {
        self.covered.clear();
        if let Some((_, healed)) = self.faults.get_mut(fault as usize) {
            *healed = Some(at);
        }
    }

    /// Whether `instant` lies in a fault, or in the `settling` time after one.
    pub(crate) fn cover(&mut self, instant: u64, settling: u64) -> bool {
        if self.covered.len() < self.faults.len() {
            self.order(settling);
        }
        let begun = self.covered.partition_point(|(began, _)| *began <= instant);
        self.covered[..begun].last().is_some_and(|(_, over)| instant < *over)
    }

    fn order(&mut self, settling: u64) {
        let over = |healed: Option<u64>| healed.map_or(u64::MAX, |healed| healed.saturating_add(settling));
        self.covered = self.faults.iter().map(|(began, healed)| (*began, over(*healed))).collect();
        self.covered.sort_unstable();
        let mut latest = 0;
        for (_, over) in &mut self.covered {
            latest = latest.max(*over);
            *over = latest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_covers_its_time_and_the_settling_after_it_also_beneath_a_shorter_one() {
        let mut faults = Faults::default();
        let long = faults.begins(10);
        let short = faults.begins(20);
        assert!(faults.cover(u64::MAX - 1, 5), "nothing is healed yet");
        faults.heals(short, 22);
        faults.heals(long, 30);
        let covered: Vec<_> = (0..50).filter(|instant| faults.cover(*instant, 5)).collect();
        assert_eq!(covered, (10..35).collect::<Vec<_>>());
    }
}
