//! A failing schedule with as much left out as can be while it fails alike.

use crate::fault::Faults;
use crate::mutation::Mutation;
use crate::schedule::Schedule;
use crate::violation::{Promise, Violation};
use crate::world::{Report, World};

/// The most runs that are spent on it: so that it ends, and ends alike each time.
const RUNS_MAX: usize = 400;

/// What is left, and what it shows.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The events that are needed, by their place in the schedule.
    pub kept: Vec<usize>,
    /// What they break.
    pub violation: Violation,
    /// What happens, line by line.
    pub lines: Vec<String>,
}

struct Shrinker<'a> {
    schedule: &'a Schedule,
    mutation: Mutation,
    promise: Promise,
    runs: usize,
}

/// Leaves out events of a schedule as long as what remains breaks the same promise. Nothing if it breaks none.
pub fn shrink(schedule: &Schedule, mutation: Mutation) -> Option<Shrunk> {
    let all: Vec<usize> = (0..schedule.events.len()).collect();
    let first = run(schedule, &all, mutation, false);
    let promise = first.violation?.promise;
    let mut shrinker = Shrinker { schedule, mutation, promise, runs: 1 };
    let mut kept = shrinker.without_the_end(&all);
    kept = shrinker.without_nodes(kept);
    kept = shrinker.without_chunks(kept);
    let told = run(schedule, &kept, mutation, true);
    Some(Shrunk { kept, violation: told.violation?, lines: told.lines })
}

impl Shrinker<'_> {
    fn fails(&mut self, kept: &[usize]) -> bool {
        if self.runs >= RUNS_MAX {
            return false;
        }
        self.runs += 1;
        let report = run(self.schedule, kept, self.mutation, false);
        report.violation.is_some_and(|violation| violation.promise == self.promise)
    }

    /// What lies behind the failure is not needed for it: found by halving.
    fn without_the_end(&mut self, kept: &[usize]) -> Vec<usize> {
        let (mut too_few, mut enough) = (0, kept.len());
        while enough - too_few > 1 {
            let half = usize::midpoint(too_few, enough);
            if self.fails(&kept[..half]) {
                enough = half;
            } else {
                too_few = half;
            }
        }
        kept[..enough].to_vec()
    }

    fn without_nodes(&mut self, mut kept: Vec<usize>) -> Vec<usize> {
        for node in (0..self.schedule.shape.nodes).rev() {
            let fewer: Vec<usize> =
                kept.iter().copied().filter(|index| !self.schedule.events[*index].1.is_on(node)).collect();
            if fewer.len() < kept.len() && self.fails(&fewer) {
                kept = fewer;
            }
        }
        kept
    }

    /// Leaves out ever smaller chunks, faults before the rest.
    fn without_chunks(&mut self, mut kept: Vec<usize>) -> Vec<usize> {
        let mut size = kept.len().div_ceil(2).max(1);
        loop {
            let mut start = 0;
            while start < kept.len() {
                let end = (start + size).min(kept.len());
                let fewer: Vec<usize> = kept[..start].iter().chain(&kept[end..]).copied().collect();
                if self.fails(&fewer) {
                    kept = fewer;
                } else {
                    start = end;
                }
            }
            if size == 1 || self.runs >= RUNS_MAX {
                return kept;
            }
            size = size.div_ceil(2);
        }
    }
}

fn run(schedule: &Schedule, kept: &[usize], mutation: Mutation, told: bool) -> Report {
    let schedule = schedule.with(|index| kept.binary_search(&index).is_ok());
    World::new(schedule, mutation, Faults::new(), told).run()
}

/// Places as `3,7-9`.
pub fn written(places: &[usize]) -> String {
    let mut text = String::new();
    let mut rest = places;
    while let Some((&first, _)) = rest.split_first() {
        let run = rest.iter().zip(first..).take_while(|(place, expected)| **place == *expected).count();
        if !text.is_empty() {
            text.push(',');
        }
        text += &first.to_string();
        if run > 1 {
            text.push('-');
            text += &(first + run - 1).to_string();
        }
        rest = &rest[run..];
    }
    text
}

/// Places as [`written`]; nothing if the text is none.
pub fn read(text: &str) -> Option<Vec<usize>> {
    let mut places = Vec::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        places.extend(first.parse().ok()?..=last.parse::<usize>().ok()?);
    }
    places.sort_unstable();
    Some(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_written_as_they_are_read() {
        for (places, text) in [(vec![], ""), (vec![3], "3"), (vec![1, 2, 3, 7, 9, 10], "1-3,7,9-10")] {
            assert_eq!(written(&places), text);
            assert_eq!(read(text), Some(places));
        }
        assert_eq!(read("1-x"), None);
    }
}
